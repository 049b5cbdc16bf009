"""Softmax as TensorFlow Lite Micro computes it on int8: fixed point from end to end.

The exponential and the reciprocal are gemmlowp's (fixedpoint.h): a Taylor expansion around -1/8 with
a barrel shifter, and three Newton-Raphson steps.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.scales import quantize_multiplier

__all__ = ["softmax_int8"]

_Raw = NDArray[np.int64]

_MAX, _MIN = 2**31 - 1, -(2**31)
_INTEGER_BITS = 5
"""Integer bits of the differences from the maximum, which are Q5.26."""

_FRACTION_BITS = 31 - _INTEGER_BITS
_SUM_BITS = 12
"""Integer bits of the sum of exponentials."""

_EXP_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
_EXP_OF_POWERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""exp(-2^k) in Q0.31."""

_48_OVER_17 = 1515870810
_MINUS_32_OVER_17 = -1010580540


def softmax_int8(x: NDArray[np.int8], scale: float, beta: float) -> NDArray[np.int8]:
    """Softmax over the last axis; the result has scale 1/256 and zero point -128.

    Parameters
    ----------
    x : int8[..., n]
        With ``scale``; a zero point changes nothing.
    scale, beta : float
        The exponent is beta · scale · (x - max x).

    Returns
    -------
    int8[..., n]
    """
    factor = min(beta * scale * 2**_FRACTION_BITS, 2.0**31 - 1)
    # Where a difference of 1 leaves Q5.26 only the largest values count, and theirs is 0.
    multiplier, shift = quantize_multiplier(factor) if factor < 2.0**30 - 1 else (0, 31)
    radius = ((1 << _INTEGER_BITS) - 1) * 2.0**_FRACTION_BITS / 2.0**shift
    differences = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    counted = differences >= -math.floor(radius)
    scaled = golden.requantize(np.where(counted, differences, 0), multiplier, shift)
    exponentials = _exp_of_negative(scaled.astype(np.int64))
    terms = np.where(counted, _rounding_shift_right(exponentials, _SUM_BITS), 0)
    sums = terms.sum(axis=-1, keepdims=True)
    reciprocals, over_unit = _reciprocal(sums)
    products = _multiply(reciprocals, exponentials)
    outputs = _rounding_shift_right(products, over_unit + 31 - 8) - 128
    return np.where(counted, outputs, -128).clip(-128, 127).astype(np.int8)


def _exp_of_negative(a: _Raw) -> _Raw:
    """Exponential of Q5.26 numbers not above 0, in Q0.31."""
    quarter = 1 << (_FRACTION_BITS - 2)
    part = (a & (quarter - 1)) - quarter  # -1/4 <= part < 0
    result = _exp_above_minus_quarter(part << _INTEGER_BITS)
    remainder = part - a
    for exponent, factor in _EXP_OF_POWERS:
        chosen = remainder & (1 << (_FRACTION_BITS + exponent))
        result = np.where(chosen != 0, _multiply(result, factor), result)
    return np.where(a == 0, _MAX, result)


def _exp_above_minus_quarter(a: _Raw) -> _Raw:
    """Exponential of Q0.31 numbers in -1/4 … 0, in Q0.31: Taylor's expansion around -1/8."""
    x = a + (1 << 28)
    x2 = _multiply(x, x)
    x3 = _multiply(x2, x)
    x4_over_4 = _rounding_shift_right(_multiply(x2, x2), 2)
    rest = _rounding_shift_right(_multiply(x4_over_4 + x3, _THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + _multiply(np.full_like(x, _EXP_MINUS_EIGHTH), x + rest)


def _reciprocal(sums: _Raw) -> tuple[_Raw, _Raw]:
    """Q0.31 reciprocals of Q12.19 sums normalized to 1 … 2, and the bits they were shifted by."""
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    a = (sums << headroom) - (1 << 31)
    half_denominator = (a + _MAX + np.where(a + _MAX >= 0, 1, -1)) // 2
    x = _48_OVER_17 + _multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - _multiply(half_denominator, x)
        x = x + _saturating_shift_left(_multiply(x, error), 2)
    return _saturating_shift_left(x, 1), _SUM_BITS - headroom


def _multiply(a: _Raw, b: Any) -> _Raw:
    """Saturating rounding doubling high multiply."""
    product = a * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    quotient = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    return np.minimum(quotient, _MAX)


def _rounding_shift_right(a: _Raw, shift: Any) -> _Raw:
    """Divide by 2^shift, rounding to nearest, ties away from zero."""
    bits = np.asarray(shift, np.int64)
    half = (np.int64(1) << bits) >> 1
    return (a + half - ((a < 0) & (bits > 0))) >> bits


def _saturating_shift_left(a: _Raw, shift: int) -> _Raw:
    return (a << shift).clip(_MIN, _MAX)
