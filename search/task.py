"""Image classification tasks: real data, a fixed split, and the int8 convention of the input."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

__all__ = ["INPUT_SCALE", "INPUT_ZERO_POINT", "Split", "Task", "digits", "quantize_images"]

_LEVELS = 16
_STEPS_PER_LEVEL = 15

INPUT_SCALE = 1 / (_LEVELS * _STEPS_PER_LEVEL)
"""Pixels are real numbers in 0 … 1; 17 grey levels lie exactly 15 int8 steps apart."""

INPUT_ZERO_POINT = -120
"""int8 value of a black pixel; a white one is 120."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A part of the data: ``images`` float32[n, channels, height, width], ``labels`` int64[n]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Disjoint parts: ``train`` and ``validation`` for the search, ``test`` for the end."""

    train: Split
    validation: Split
    test: Split


def digits(*, test_images: int = 360, validation_images: int = 287, split_seed: int = 0) -> Task:
    """scikit-learn's digits: 1,797 scanned 8x8 digits in 17 grey levels (UCI, 1998).

    The split depends on ``split_seed`` only, never on a search's seed.
    """
    data = load_digits()
    images = torch.tensor(data.images[:, None] / _LEVELS, dtype=torch.float32)  # [N, 1, 8, 8]
    labels = torch.tensor(data.target, dtype=torch.int64)
    order = torch.from_numpy(np.random.default_rng(split_seed).permutation(len(labels)))
    test, validation, train = torch.tensor_split(
        order, (test_images, test_images + validation_images)
    )
    train_part, validation_part, test_part = (
        Split(images[part], labels[part]) for part in (train, validation, test)
    )
    return Task(train_part, validation_part, test_part)


def quantize_images(images: Tensor) -> NDArray[np.int8]:
    """int8[n, height, width, channels] of real images; exact for the digits' grey levels."""
    steps = torch.round(images / INPUT_SCALE) + INPUT_ZERO_POINT
    return steps.clamp(-128, 127).permute(0, 2, 3, 1).contiguous().to(torch.int8).numpy()
