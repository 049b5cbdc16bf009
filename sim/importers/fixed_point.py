"""Fixed-point exponential, reciprocal, tangent and logarithm as TensorFlow Lite Micro computes them.

The exponential, the reciprocals and the hyperbolic tangent are gemmlowp's (fixedpoint.h): a Taylor expansion around -1/8
with a barrel shifter, and three Newton-Raphson steps. The logarithm is TensorFlow Lite's (common.h): a
rational approximation around the fourth root of 1/2. Arrays are int64 that hold int32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX",
    "MIN",
    "Raw",
    "exp_of_negative",
    "input_radius",
    "log_of_sum",
    "multiply",
    "one_over_one_plus",
    "rounding_shift_right",
    "tanh",
]

Raw = NDArray[np.int64]

MAX, MIN = 2**31 - 1, -(2**31)

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

_LOG_2 = 1488522236
_SQRT_HALF = 1518500250
_SQRT_SQRT_HALF = 1805811301
_ALPHA_N, _ALPHA_D, _ALPHA_I, _ALPHA_F = 117049297, 127690142, 1057819769, 638450708
"""Coefficients of the logarithm's approximation, in Q0.31."""

_LOG_BITS = 5
"""Integer bits of the logarithm: Q5.26."""


def input_radius(integer_bits: int, shift: int) -> float:
    """Largest magnitude of an integer that ``shift`` leaves within ``integer_bits``."""
    return ((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**shift


def exp_of_negative(a: Raw, integer_bits: int) -> Raw:
    """Exponential of numbers not above 0 with ``integer_bits`` before the point, in Q0.31."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    part = (a & (quarter - 1)) - quarter  # -1/4 <= part < 0
    result = _exp_above_minus_quarter(part << integer_bits)
    remainder = part - a
    for exponent, factor in _EXP_OF_POWERS:
        if exponent < integer_bits:
            chosen = remainder & (1 << (fraction_bits + exponent))
            result = np.where(chosen != 0, multiply(result, factor), result)
    return np.where(a == 0, MAX, result)


def _exp_above_minus_quarter(a: Raw) -> Raw:
    """Exponential of Q0.31 numbers in -1/4 … 0, in Q0.31: Taylor's expansion around -1/8."""
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4_over_4 = rounding_shift_right(multiply(x2, x2), 2)
    rest = rounding_shift_right(multiply(x4_over_4 + x3, _THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + multiply(np.full_like(x, _EXP_MINUS_EIGHTH), x + rest)


def one_over_one_plus(a: Raw) -> Raw:
    """1 / (1 + a) of Q0.31 numbers in 0 … 1, in Q0.31."""
    return _saturating_shift_left(_reciprocal(_half_sum(a, MAX)), 1)


def tanh(a: Raw, integer_bits: int) -> Raw:
    """Hyperbolic tangent of numbers with ``integer_bits`` before the point, in Q0.31."""
    # with an integer bit more, the same bits are twice the number
    exponential = exp_of_negative(-np.abs(a), integer_bits + 1)
    x = _reciprocal(_half_sum(exponential, MAX)) - (1 << 29)
    positive = _saturating_shift_left(x, 2)
    return np.where(a == 0, 0, np.where(a < 0, -positive, positive))


def _reciprocal(half_denominator: Raw) -> Raw:
    """1 / x of Q0.31 numbers in 1/2 … 1, in Q2.29."""
    x = _48_OVER_17 + multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - multiply(half_denominator, x)
        x = x + _saturating_shift_left(multiply(x, error), 2)
    return x


def log_of_sum(z: Raw) -> Raw:
    """Natural logarithm of Q12.19 numbers of 1 and more, in Q5.26."""
    accumulator_bits = _LOG_BITS + 1
    quarter = 1 << (29 - accumulator_bits)
    unit = 31 - accumulator_bits
    first_zeros = _leading_zeros(z)
    first = multiply(_saturating_shift_left(z, first_zeros - 1), _SQRT_HALF) << 1
    first_power = ((12 - first_zeros) << unit) + quarter
    second_zeros = _leading_zeros(multiply(z, _SQRT_HALF)) - 1
    second = _saturating_shift_left(z, second_zeros)
    second_power = ((12 - second_zeros) << unit) - quarter
    r = np.minimum(first, second)
    power = np.maximum(first_power, second_power)
    p = _half_sum(r, _SQRT_SQRT_HALF)
    q = (r - _SQRT_SQRT_HALF) * 2
    square = multiply(q, q)
    numerator = multiply(q, r) + multiply(multiply(q, square), _ALPHA_N)
    denominator = multiply(p, _ALPHA_I + q + multiply(square, _ALPHA_D)) + multiply(q, _ALPHA_F)
    reciprocal = one_over_one_plus(denominator)
    scaled = rounding_shift_right(numerator, accumulator_bits)
    total = multiply(power, _LOG_2) + multiply(scaled, reciprocal)
    return _saturating_shift_left(total, accumulator_bits - _LOG_BITS)


def multiply(a: Raw, b: Any) -> Raw:
    """Saturating rounding doubling high multiply."""
    product = a * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    quotient = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    return np.minimum(quotient, MAX)


def rounding_shift_right(a: Raw, shift: Any) -> Raw:
    """Divide by 2^shift, rounding to nearest, ties away from zero."""
    bits = np.asarray(shift, np.int64)
    half = (np.int64(1) << bits) >> 1
    return (a + half - ((a < 0) & (bits > 0))) >> bits


def _half_sum(a: Raw, b: int) -> Raw:
    """Half of a sum, rounded to nearest, ties away from zero."""
    total = a + b
    magnitude = (np.abs(total) + 1) >> 1
    return np.where(total >= 0, magnitude, -magnitude)


def _leading_zeros(a: Raw) -> Raw:
    """Zero bits before the first 1 of positive int32."""
    return 32 - np.frexp(a.astype(np.float64))[1].astype(np.int64)


def _saturating_shift_left(a: Raw, shift: Any) -> Raw:
    result: Raw = (a << np.asarray(shift, np.int64)).clip(MIN, MAX)
    return result
