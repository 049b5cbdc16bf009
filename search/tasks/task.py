"""Image classification tasks: split data, and the int8 form of the input."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from sim.scales import Scale

__all__ = ["Split", "Task", "chunked"]

_CHUNK_VALUES = 1 << 17
"""Pixels that are computed at a time where nothing is learned."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A part of the data: ``images`` float32[n, channels, height, width], ``labels`` int64[n]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def resized(self, size: tuple[int, int]) -> "Split":
        """Return the images in another height and width, bilinear with anti-aliasing."""
        parts = [
            interpolate(part, size, mode="bilinear", antialias=True)
            for part in chunked(self.images)
        ]
        return Split(torch.cat(parts), self.labels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Disjoint parts of data that a network shall classify.

    Parameters
    ----------
    train, validation : Split
        For the search.
    test : Split
        For the end.
    classes : int
        Labels are 0 … classes - 1.
    input_scale : Scale
        Real numbers that the int8 values of an input stand for.
    """

    train: Split
    validation: Split
    test: Split
    classes: int
    input_scale: Scale

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        channels, height, width = self.train.images.shape[1:]
        return height, width, channels

    @property
    def all_but_test(self) -> Split:
        """Training and validation images: those of the final training."""
        parts = (self.train, self.validation)
        return Split(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )

    def resized(self, size: tuple[int, int]) -> "Task":
        """Return the task with images of another height and width; itself if they have it."""
        if self.image[:2] == size:
            return self
        return replace(
            self,
            train=self.train.resized(size),
            validation=self.validation.resized(size),
            test=self.test.resized(size),
        )

    def quantize(self, images: Tensor) -> NDArray[np.int8]:
        """int8[n, height, width, channels] of real images [n, channels, height, width]."""
        steps = torch.round(images / self.input_scale.scale) + self.input_scale.zero_point
        return steps.clamp(-128, 127).permute(0, 2, 3, 1).contiguous().to(torch.int8).numpy()


def chunked(images: Tensor) -> tuple[Tensor, ...]:
    """Images [n, channels, height, width] in parts that fit in memory layer by layer."""
    return torch.split(images, max(1, _CHUNK_VALUES // images[0].numel()))
