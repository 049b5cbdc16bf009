"""Image classification tasks: split data, a family of networks, and the int8 form of the input."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search.architecture import NetworkSpace
from sim.scales import Scale

__all__ = ["Split", "Task"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A part of the data: ``images`` float32[n, channels, height, width], ``labels`` int64[n]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Disjoint parts of data, and the networks that may classify them.

    Parameters
    ----------
    train, validation : Split
        For the search.
    test : Split
        For the end.
    networks : NetworkSpace
    input_scale : Scale
        Real numbers that the int8 values of an input stand for.
    """

    train: Split
    validation: Split
    test: Split
    networks: NetworkSpace
    input_scale: Scale

    @property
    def all_but_test(self) -> Split:
        """Training and validation images: those of the final training."""
        parts = (self.train, self.validation)
        return Split(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )

    def quantize(self, images: Tensor) -> NDArray[np.int8]:
        """int8[n, height, width, channels] of real images [n, channels, height, width]."""
        steps = torch.round(images / self.input_scale.scale) + self.input_scale.zero_point
        return steps.clamp(-128, 127).permute(0, 2, 3, 1).contiguous().to(torch.int8).numpy()
