"""Kernels of dilated and grouped convolutions, as those of the layers that there are."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.limits import MOST_WEIGHTS
from sim.spec.tensors import EXTENT, Padding

__all__ = [
    "GroupForm",
    "Grouping",
    "block_diagonal",
    "choose_form",
    "effective_kernel",
    "excessive_kernel",
    "spread_taps",
    "window_fields",
    "window_steps",
]

_WIDEST_VECTOR = 64
"""Channels of the widest vector of the spaces: narrower ranges of channels would leave units idle."""

_MOST_POOLED = 7
"""Rows or columns of a window that a part of a large pool has; its stride, too, and EXECUTE's field has three bits."""


class GroupForm(StrEnum):
    """Layers that a grouped convolution becomes.

    BLOCKS is one convolution whose weights are 0 between groups. REPEATED is a 1×1 convolution that copies each
    channel as often as it has outputs, before a depthwise layer. RANGES are convolutions of ranges of channels, each
    behind a 1×1 convolution that selects them, whose outputs are concatenated.
    """

    CONV = "conv"
    DEPTHWISE = "depthwise"
    REPEATED = "repeated"
    BLOCKS = "blocks"
    RANGES = "ranges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """A form, and the ranges of channels that are computed apart: 1 but for RANGES."""

    form: GroupForm
    ranges: int = 1


def choose_form(
    channels: tuple[int, int],
    groups: int,
    taps: int,
    pixels: tuple[int, int],
    *,
    joins: bool = True,
) -> Grouping:
    """Choose the form of the fewest multiply-accumulates, of equals the first.

    Parameters
    ----------
    channels : (int, int)
        Of input and output, both multiples of ``groups``.
    groups : int
    taps : int
        Of the kernel, zeros between them included.
    pixels : (int, int)
        Of input and output.
    joins : bool
        Whether outputs can be concatenated.
    """
    inputs, outputs = channels
    if groups == 1:
        return Grouping(form=GroupForm.CONV)
    if groups == inputs == outputs:
        return Grouping(form=GroupForm.DEPTHWISE)
    dense = pixels[1] * taps * inputs * outputs
    costs = {Grouping(form=GroupForm.BLOCKS): dense}
    if groups == inputs:
        copied = pixels[0] * inputs * outputs
        costs[Grouping(form=GroupForm.REPEATED)] = copied + pixels[1] * taps * outputs
    for ranges in range(2, groups + 1 if joins else 0):
        narrow = min(inputs, outputs) < ranges * _WIDEST_VECTOR
        if groups % ranges == 0 and not narrow:
            selected = pixels[0] * inputs * inputs
            costs[Grouping(form=GroupForm.RANGES, ranges=ranges)] = selected + dense // ranges
    return min(costs, key=lambda grouping: costs[grouping])


def block_diagonal(weights: NDArray[np.int8], groups: int) -> NDArray[np.int8]:
    """Weights [K, kh, kw, C / groups] of groups as [K, kh, kw, C], 0 between groups."""
    outputs, height, width, depth = weights.shape
    made = np.zeros((groups, outputs // groups, height, width, groups, depth), np.int8)
    each = np.arange(groups)
    made[each, :, :, :, each] = weights.reshape(groups, -1, height, width, depth)
    return made.reshape(outputs, height, width, groups * depth)


def effective_kernel(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a kernel with zeros between its taps."""
    rows, columns = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    return rows, columns


def excessive_kernel(kernel: tuple[int, int], dilation: tuple[int, int], taps_of: int) -> str:
    """The rule that a dilated kernel breaks, empty if it breaks none.

    ``taps_of`` are the values of each tap.
    """
    rows, columns = effective_kernel(kernel, dilation)
    for what, size in (("rows", rows), ("columns", columns)):
        if size > EXTENT.high:
            return f"{what} of the dilated kernel must be at most {EXTENT.high}, not {size}"
    if (values := rows * columns * taps_of) > MOST_WEIGHTS:
        return f"dilated kernel must have at most {MOST_WEIGHTS} values, not {values}"
    return ""


def spread_taps(
    weights: NDArray[np.int8], dilation: tuple[int, int], axis: int
) -> NDArray[np.int8]:
    """Weights with zeros between their taps, whose rows are along ``axis`` and columns along the next."""
    if dilation == (1, 1):
        return weights
    shape = list(weights.shape)
    shape[axis : axis + 2] = effective_kernel((shape[axis], shape[axis + 1]), dilation)
    made = np.zeros(shape, weights.dtype)
    places = [slice(None)] * axis + [slice(None, None, step) for step in dilation]
    made[tuple(places)] = weights
    return made


def window_steps(size: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Windows of max pools that reduce an image to a pixel, one after the other, and the sizes they leave."""
    steps = []
    while size != (1, 1):
        kernel = (min(size[0], _MOST_POOLED), min(size[1], _MOST_POOLED))
        size = (math.ceil(size[0] / kernel[0]), math.ceil(size[1] / kernel[1]))
        steps.append((kernel, size))
    return steps


def window_fields(
    size: tuple[int, int], kernel: tuple[int, int], windows: tuple[int, int]
) -> dict[str, Any]:
    """Fields of the max pool that reduces an image of ``size``: windows side by side. The last reach over the border."""
    beyond = [n * k - whole for n, k, whole in zip(windows, kernel, size, strict=True)]
    return {
        "kernel": kernel,
        "stride": kernel,
        "padding": Padding(bottom=beyond[0], right=beyond[1]),
    }
