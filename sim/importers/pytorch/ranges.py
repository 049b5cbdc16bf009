"""The ranges of activations that int8 covers, from the values on calibration images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sim.importers.pytorch.float_network import FloatNetwork
from sim.importers.range_method import RangeMethod
from sim.scales import activation_scale

__all__ = ["SeenRange", "narrowed_ranges", "seen_ranges"]

_PERCENTILE = 99.99
"""Values that a range by percentile covers; as many lie below it as above."""

_MANY = 64
"""Values of an image that say something of its range."""

_BINS = 2048
"""Bins of a histogram between the least and the greatest value: eight for each step of int8."""

_FRACTIONS = np.linspace(1.0, 0.2, 41)
"""Parts of the range's ends that are tried for the least error."""


class SeenRange(NamedTuple):
    """Least and greatest value of a tensor on all images, and the widest range on one of them.

    The latter is infinite for tensors that have few values of an image.
    """

    low: float
    high: float
    widest: float


def seen_ranges(network: FloatNetwork, images: Sequence[Tensor]) -> dict[str, SeenRange]:
    """Ranges of every tensor, the inputs included, on images [N, C, H, W] of each input."""
    ranges: dict[str, SeenRange] = {}

    def widen(name: str, values: Tensor) -> None:
        low, high, widest = ranges.get(name, SeenRange(float("inf"), float("-inf"), 0.0))
        rows = values.reshape(len(values), -1)
        lows, highs = rows.amin(1), rows.amax(1)
        ranges[name] = SeenRange(
            min(low, float(lows.min())),
            max(high, float(highs.max())),
            max(widest, float((highs - lows).max()) if rows.shape[1] >= _MANY else float("inf")),
        )

    network.visit(images, widen)
    return ranges


def narrowed_ranges(
    network: FloatNetwork,
    images: Sequence[Tensor],
    ranges: dict[str, tuple[float, float]],
    method: RangeMethod,
) -> dict[str, tuple[float, float]]:
    """Parts that a method chooses of ``ranges``, which are finite and those of all values."""
    if method is RangeMethod.MIN_MAX:
        return ranges
    counts = _histograms(network, images, ranges)
    narrow = _percentile_range if method is RangeMethod.PERCENTILE else _least_error_range
    return {
        name: narrow(counts[name], low, high) if high > low else (low, high)
        for name, (low, high) in ranges.items()
    }


def _histograms(
    network: FloatNetwork, images: Sequence[Tensor], ranges: dict[str, tuple[float, float]]
) -> dict[str, NDArray[np.int64]]:
    """Counts int64[bins] of each tensor's values, in bins of one width over its range."""
    counts = {name: np.zeros(_BINS, np.int64) for name in ranges}

    def count(name: str, values: Tensor) -> None:
        low, high = ranges[name]
        if high > low:
            places = ((values.double() - low) * (_BINS / (high - low))).long().clamp(0, _BINS - 1)
            counts[name] += torch.bincount(places.flatten(), minlength=_BINS).numpy()

    network.visit(images, count)
    return counts


def _percentile_range(counts: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """Cut equal shares of the values off both ends, whole bins at most."""
    share = (100 - _PERCENTILE) / 200 * counts.sum()
    first = int(np.searchsorted(np.cumsum(counts), share, side="right"))
    last = _BINS - int(np.searchsorted(np.cumsum(counts[::-1]), share, side="right"))
    width = (high - low) / _BINS
    return low + first * width, low + max(last, first + 1) * width


def _least_error_range(counts: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """Shrink the ends towards 0 to where the bins' centres have the least squared error."""
    width = (high - low) / _BINS
    centres = low + (np.arange(_BINS) + 0.5) * width
    filled = counts > 0
    centres, weights = centres[filled], counts[filled].astype(np.float64)
    best, least = (low, high), float("inf")
    for bottom in np.unique(low * _FRACTIONS) if low < 0 else [low]:
        for top in np.unique(high * _FRACTIONS)[::-1] if high > 0 else [high]:
            scale, zero_point = activation_scale(float(bottom), float(top))
            steps = np.rint(centres / scale).clip(-128 - zero_point, 127 - zero_point)
            error = float(weights @ (steps * scale - centres) ** 2)
            if error < least:
                best, least = (float(bottom), float(top)), error
    return best
