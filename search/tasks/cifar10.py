"""The CIFAR-10 task: the standard folder, of the binary or of the Python version."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.tasks.array_pickle import read_array_pickle
from search.tasks.file_settings import Cifar10Settings
from search.tasks.pictures import Pictures, drawn_task
from search.tasks.task import Task
from sim.spec.archives import read_bytes
from sim.spec.errors import DesignFileError

__all__ = ["cifar10"]

_SIDE, _CHANNELS, _CLASSES = 32, 3, 10
_PIXELS = _SIDE * _SIDE * _CHANNELS
_FILE_LIMIT_BYTES = 1 << 26
_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEST = ("test_batch",)


def cifar10(size: tuple[int, int] | None, settings: Cifar10Settings) -> Task:
    """CIFAR-10; its own test part is the test part.

    Raises
    ------
    DesignFileError
        If a file is absent or damaged. Nothing in a pickle is executed.
    """
    folder = settings.place
    binary = (folder / f"{_TRAIN[0]}.bin").is_file()
    train, test = (_part(folder, names, binary=binary) for names in (_TRAIN, _TEST))
    return drawn_task(settings, train, test, f"folder {folder}")


def _part(folder: Path, names: tuple[str, ...], *, binary: bool) -> Pictures:
    read = _binary if binary else _pickled
    parts = [read(folder / (f"{name}.bin" if binary else name)) for name in names]
    labels, pixels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if labels.max() >= _CLASSES:
        raise DesignFileError(
            f"labels of {folder} must be in 0 … {_CLASSES - 1}, not {labels.max()}"
        )
    planes = pixels.reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return Pictures(planes.transpose(0, 2, 3, 1), labels.astype(np.int64))


def _binary(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Labels uint8[n] and pixels uint8[n, 3072] of rows of 1 + 3072 bytes."""
    content = np.frombuffer(read_bytes(path, "CIFAR-10 file", _FILE_LIMIT_BYTES), np.uint8)
    if not len(content) or len(content) % (1 + _PIXELS):
        raise DesignFileError(
            f"CIFAR-10 file {path} must have rows of {1 + _PIXELS} bytes, not {len(content)} bytes"
        )
    rows = content.reshape(-1, 1 + _PIXELS)
    return rows[:, 0], rows[:, 1:]


def _pickled(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Labels int64[n] and pixels uint8[n, 3072] of a pickled dictionary."""
    what = f"CIFAR-10 file {path}"
    content = read_array_pickle(read_bytes(path, "CIFAR-10 file", _FILE_LIMIT_BYTES), what)
    fields = content if isinstance(content, dict) else {}
    pixels, labels = (fields.get(name, fields.get(name.encode())) for name in ("data", "labels"))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise DesignFileError(f"{what} must hold data of shape [n, {_PIXELS}]")
    if (
        not isinstance(labels, list)
        or len(labels) != len(pixels)
        or any(type(label) is not int or not 0 <= label < _CLASSES for label in labels)
    ):
        raise DesignFileError(f"{what} must hold {len(pixels)} labels in 0 … {_CLASSES - 1}")
    return np.array(labels, np.int64), pixels
