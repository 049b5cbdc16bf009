"""Pictures as NumPy arrays: what every task's reader makes, checked and made into a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.tasks.settings import DrawnSplitSettings
from search.tasks.task import Split, Task
from sim.scales import Scale, activation_scale
from sim.spec.errors import DesignFileError

__all__ = ["CLASSES_LIMIT", "Pictures", "drawn_split", "drawn_task", "task_of"]

CLASSES_LIMIT = 10_000
"""Most classes of a task."""

_SIDE_LIMIT = 4096
_CHANNELS_LIMIT = 64

_PIXELS = Scale(1 / 255, -128)
"""Scale of uint8 pixels, real numbers in 0 … 1: pixel p is the int8 value p - 128."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures and their classes.

    Parameters
    ----------
    x : uint8 or float32[n, height, width, channels]
        Bytes are levels of 0 … 255; floats are taken as they are.
    y : int64[n]
    """

    x: NDArray[Any]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.y)

    def __getitem__(self, rows: NDArray[np.int64]) -> "Pictures":
        """Return the pictures of some rows."""
        return Pictures(self.x[rows], self.y[rows])

    @classmethod
    def of(cls, x: Any, y: Any, what: str, *, names: tuple[str, str] = ("x", "y")) -> "Pictures":
        """Pictures of arrays from outside; ``what`` names where they are from, ``names`` each.

        Raises
        ------
        DesignFileError
            One line that names the array, the rule and what it is instead.
        """
        x, y = np.asarray(x), np.asarray(y)
        where_x, where_y = (f"array {name!r} of {what}" for name in names)
        if x.dtype != np.uint8 and x.dtype.kind != "f":
            raise DesignFileError(f"{where_x} must hold uint8 or float values, not {x.dtype}")
        if x.ndim == 3:
            x = x[..., None]
        if x.ndim != 4 or not all(0 < side <= _SIDE_LIMIT for side in x.shape[1:3]):
            rule = f"of shape [N, H, W, C] or [N, H, W], H and W in 1 … {_SIDE_LIMIT}"
            raise DesignFileError(f"{where_x} must be {rule}, not {list(x.shape)}")
        if not 0 < x.shape[3] <= _CHANNELS_LIMIT:
            rule = f"must have 1 … {_CHANNELS_LIMIT} channels"
            raise DesignFileError(f"{where_x} {rule}, not {x.shape[3]}")
        if x.dtype.kind == "f":
            x = x.astype(np.float32)
            if not np.isfinite(x).all():
                raise DesignFileError(f"{where_x} must hold finite numbers")
        if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
            rule = f"must hold {len(x)} integers, a class for each picture"
            raise DesignFileError(f"{where_y} {rule}, not {y.dtype}{list(y.shape)}")
        low, high = (int(y.min()), int(y.max())) if len(y) else (0, 0)
        if low < 0 or high >= CLASSES_LIMIT:
            rule = f"must hold classes in 0 … {CLASSES_LIMIT - 1}"
            raise DesignFileError(f"{where_y} {rule}, not {low if low < 0 else high}")
        return cls(x, y.astype(np.int64))


def drawn_split(count: int, shares: Sequence[float], seed: int) -> tuple[NDArray[np.int64], ...]:
    """Rows of each share of ``count`` pictures, at least 1 each, and last those that are left."""
    order = np.random.default_rng(seed).permutation(count)
    sizes = [max(1, round(count * share)) for share in shares]
    return tuple(np.split(order, np.cumsum(sizes)))


def drawn_task(settings: DrawnSplitSettings, train: Pictures, test: Pictures, what: str) -> Task:
    """Task of a training and a test part, of which the former gives the validation images."""
    train = _limited(train, settings.train_limit, settings.split_seed)
    test = _limited(test, settings.test_limit, settings.split_seed)
    validation, rest = drawn_split(len(train), (settings.validation_share,), settings.split_seed)
    return task_of(train[rest], train[validation], test, what)


def task_of(train: Pictures, validation: Pictures, test: Pictures, what: str) -> Task:
    """Task of three parts; ``what`` names the data in errors.

    Bytes become real numbers in 0 … 1 whose int8 form loses nothing. The int8 scale of floats
    covers the range of the training pictures.

    Raises
    ------
    DesignFileError
        If a part is empty, the parts' pictures differ in form, there are fewer than two classes,
        or a class has no training picture.
    """
    parts = {"training": train, "validation": validation, "test": test}
    for name, part in parts.items():
        if not len(part):
            raise DesignFileError(f"{what} must have {name} pictures, not 0")
        if (part.x.dtype, part.x.shape[1:]) != (train.x.dtype, train.x.shape[1:]):
            rule = f"must be {train.x.dtype}{list(train.x.shape[1:])}, as those for training"
            form = f"{part.x.dtype}{list(part.x.shape[1:])}"
            raise DesignFileError(f"{name} pictures of {what} {rule}, not {form}")
    there = np.unique(train.y)
    classes = max(int(part.y.max()) for part in parts.values()) + 1
    if classes < 2:
        raise DesignFileError(f"{what} must have 2 classes or more, not {classes}")
    if len(there) < classes:
        missing = int(np.setdiff1d(np.arange(classes), there)[0])
        raise DesignFileError(f"class {missing} of {what} must have a training picture")
    scale = _PIXELS
    if train.x.dtype != np.uint8:
        scale = activation_scale(float(train.x.min()), float(train.x.max()))
    splits = {name: _split(part) for name, part in parts.items()}
    return Task(
        train=splits["training"],
        validation=splits["validation"],
        test=splits["test"],
        classes=classes,
        input_scale=scale,
    )


def _limited(pictures: Pictures, limit: int, seed: int) -> Pictures:
    if not limit or len(pictures) <= limit:
        return pictures
    return pictures[np.random.default_rng(seed).permutation(len(pictures))[:limit]]


def _split(part: Pictures) -> Split:
    x = torch.from_numpy(np.array(part.x.transpose(0, 3, 1, 2), order="C"))
    images = x.float() / 255 if x.dtype == torch.uint8 else x
    return Split(images, torch.from_numpy(part.y))
