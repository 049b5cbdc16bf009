"""The task of a user's own pictures: a folder for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.tasks.file_settings import PICTURE_SUFFIXES, FolderSettings
from search.tasks.pictures import Pictures, drawn_task, task_of
from search.tasks.task import Task
from sim.spec.archives import open_file
from sim.spec.errors import DesignFileError

__all__ = ["folder"]

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_FILE_LIMIT_BYTES = 1 << 26
_PIXELS_LIMIT = 1 << 26
"""Most pixels of a picture before it is made smaller."""


def folder(size: tuple[int, int] | None, settings: FolderSettings) -> Task:
    """Pictures under ``train/CLASS/`` and ``val/CLASS/``, and ``test/CLASS/`` if it is there.

    Classes are numbered in the order of their names in ``train/``. Pictures are resized to ``size``
    whatever their shape is.

    Raises
    ------
    DesignFileError
        If no size is given, a folder is missing, or a file is not a picture.
    """
    place = settings.place
    if size is None:
        raise DesignFileError("network.image must be given for the task folder, as [height, width]")
    classes = _class_names(place / "train")
    read = {
        part: _part(place / part, classes, size, grey=settings.grey)
        for part in ("train", "val", "test")
        if part != "test" or (place / part).is_dir()
    }
    what = f"folder {place}"
    if "test" in read:
        return task_of(read["train"], read["val"], read["test"], what)
    return drawn_task(settings, read["train"], read["val"], what)


def _class_names(place: Path) -> tuple[str, ...]:
    if not place.is_dir():
        raise DesignFileError(f"folder {place} must exist, with a folder for each class")
    names = sorted(entry.name for entry in place.iterdir() if entry.is_dir())
    if len(names) < 2:
        raise DesignFileError(f"folder {place} must have 2 classes or more, not {len(names)}")
    return tuple(names)


def _part(place: Path, classes: Sequence[str], size: tuple[int, int], *, grey: bool) -> Pictures:
    if not place.is_dir():
        raise DesignFileError(f"folder {place} must exist, with a folder for each class")
    for entry in sorted(place.iterdir()):
        if entry.is_dir() and entry.name not in classes:
            raise DesignFileError(
                f"class {entry.name!r} of folder {place} must be in {place.parent / 'train'}"
            )
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((place / name).glob("*")):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                images.append(_picture(path, size, grey=grey))
                labels.append(label)
    channels = 1 if grey else 3
    x = np.stack(images) if images else np.zeros((0, *size, channels), np.uint8)
    return Pictures(x, np.array(labels, np.int64))


def _picture(path: Path, size: tuple[int, int], *, grey: bool) -> NDArray[np.uint8]:
    """uint8[height, width, channels] of a picture."""
    height, width = size
    with open_file(path, "picture", _FILE_LIMIT_BYTES) as file:
        try:
            with Image.open(file, formats=_FORMATS) as image:
                pixels = image.width * image.height
                if pixels <= _PIXELS_LIMIT:
                    image.draft("RGB", (width, height))
                    small = image.convert("L" if grey else "RGB").resize(
                        (width, height), Image.Resampling.BILINEAR
                    )
        except Exception:  # whatever a format's reader raises on damaged bytes
            raise DesignFileError(f"picture {path} must be a picture, but is damaged") from None
    if pixels > _PIXELS_LIMIT:
        rule = f"must have at most {_PIXELS_LIMIT} pixels, not {pixels}"
        raise DesignFileError(f"picture {path} {rule}")
    return np.asarray(small, np.uint8).reshape(height, width, -1)
