"""Single taps of int8 that give a wider product's requantized values, compared for every input."""

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.scales import quantize_multiplier

__all__ = ["Tap", "equal_tap"]

_LARGEST = 127
_BIASES = (0, 1, -1, 2, -2, 3, -3)
_PLACES = (0.5, 0.1, 0.9, 0.01, 0.99)
"""Places between the smallest and the largest multiplier that may do."""

Tap = tuple[int, int, int, int]
"""Weight, bias, multiplier and shift."""


def equal_tap(inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> Tap | None:
    """A tap that requantizes each of ``inputs`` to its output, None where none was met.

    A tap is a line, and rounding leaves room around it: a weight of at most 127 often gives what a
    larger weight gives, with another multiplier.

    Parameters
    ----------
    inputs : int64[n]
        Values less their zero point.
    outputs : int64[n]
        What they are requantized to, less the zero point.
    """
    for weight in range(_LARGEST, 0, -1):
        for bias in _BIASES:
            sums = inputs * weight + bias
            low, high = _slopes(sums, outputs)
            if not 0 < low <= high:
                continue
            for place in _PLACES:
                multiplier, shift = quantize_multiplier(low + (high - low) * place)
                made = golden.requantize(sums.astype(np.int32), multiplier, shift)
                if np.array_equal(made, outputs):
                    return weight, bias, multiplier, shift
    return None


def _slopes(sums: NDArray[np.int64], outputs: NDArray[np.int64]) -> tuple[float, float]:
    """Smallest and largest multiplier that brings every sum to within a half of its output."""
    moved = sums != 0
    if (outputs[~moved] != 0).any() or not moved.any():
        return 1.0, 0.0
    ends = np.sort([(outputs[moved] + half) / sums[moved] for half in (-0.5, 0.5)], axis=0)
    return float(ends[0].max()), float(ends[1].min())
