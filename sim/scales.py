"""Quantization scales in the integer forms of TensorFlow Lite."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.spec.network import ADD_LEFT_SHIFT

__all__ = [
    "Scale",
    "activation_scale",
    "add_factors",
    "quantize_multiplier",
    "quantize_multipliers",
]


class Scale(NamedTuple):
    """Affine quantization of int8 values: real = scale · (value - zero_point)."""

    scale: float
    zero_point: int


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Significand in [2^30, 2^31) and shift with real = significand · 2^(shift - 31).

    Rounds the significand to nearest, ties away from zero (TensorFlow Lite's QuantizeMultiplier).
    A multiplier below 2^-32 becomes (0, 0).

    Raises
    ------
    ValueError
        If ``real`` is negative or too large for a shift of 30.
    """
    if real < 0 or not math.isfinite(real):
        raise ValueError(f"multiplier must be a finite non-negative number, not {real!r}")
    fraction, shift = math.frexp(real)
    significand = math.floor(fraction * 2**31 + 0.5)
    if significand == 2**31:
        significand, shift = significand // 2, shift + 1
    if significand == 0 or shift < -31:
        return 0, 0
    if shift > 30:
        raise ValueError(f"multiplier must be below 2^30, not {real!r}")
    return significand, shift


def quantize_multipliers(
    reals: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Significands and shifts of ``reals`` float64[K]."""
    pairs = np.array([quantize_multiplier(float(real)) for real in reals], np.int32)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def add_factors(a: float, b: float, output: float) -> NDArray[np.float64]:
    """Real multipliers of ADD, float64[3], for scales ``a``, ``b`` and ``output``.

    Both operands go to twice the larger scale and, behind ADD's left shift, their sum to the output's.
    """
    twice = 2 * max(a, b)
    return np.array([a / twice, b / twice, twice / (2**ADD_LEFT_SHIFT * output)])


def activation_scale(low: float, high: float) -> Scale:
    """Asymmetric int8 scale of the range, widened to hold 0, which becomes an exact value."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        return Scale(1.0, 0)
    scale = float(high - low) / 255
    zero_point = math.floor(-128 - low / scale + 0.5)
    return Scale(scale, min(127, max(-128, zero_point)))
