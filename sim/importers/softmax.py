"""Softmax, its logarithm and the logistic function as TensorFlow Lite Micro computes them on int8."""

import math

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.fixed_point import (
    MAX,
    MIN,
    Raw,
    exp_of_negative,
    input_radius,
    log_of_sum,
    multiply,
    one_over_one_plus,
    rounding_shift_right,
)
from sim.scales import quantize_multiplier

__all__ = ["log_softmax_int8", "logistic_int8", "softmax_int8"]

_INTEGER_BITS = 5
"""Integer bits of the differences from the maximum, which are Q5.26."""

_SUM_BITS = 12
"""Integer bits of the sum of exponentials."""

_LOGISTIC_BITS = 4
"""Integer bits of the logistic function's argument."""

_LOG_OUTPUT_BITS = 4
"""Integer bits of a logarithm's int8, whose scale is 1/16."""


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
    multiplier, shift = _scaling(beta * scale, _INTEGER_BITS)
    counted, differences = _differences(x, shift)
    scaled = golden.requantize(differences, multiplier, shift)
    exponentials = exp_of_negative(scaled.astype(np.int64), _INTEGER_BITS)
    sums = _sums(counted, exponentials)
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    reciprocals = one_over_one_plus((sums << headroom) - (1 << 31))
    products = multiply(reciprocals, exponentials)
    outputs = rounding_shift_right(products, _SUM_BITS - headroom + 31 - 8) - 128
    return np.where(counted, outputs, -128).clip(-128, 127).astype(np.int8)


def log_softmax_int8(x: NDArray[np.int8], scale: float) -> NDArray[np.int8]:
    """Logarithm of softmax over the last axis; the result has scale 1/16 and zero point 127.

    Parameters
    ----------
    x : int8[..., n]
        With ``scale``; a zero point changes nothing.
    scale : float

    Returns
    -------
    int8[..., n]
    """
    multiplier, shift = _scaling(scale, _INTEGER_BITS)
    counted, differences = _differences(x, shift)
    scaled = golden.requantize(differences, multiplier, shift).astype(np.int64)
    logarithms = log_of_sum(_sums(counted, exp_of_negative(scaled, _INTEGER_BITS)))
    # What would leave Q5.26 with the logarithm subtracted is the smallest output.
    real = min(2.0 ** (31 - shift) / max(multiplier, 1), 0.5)
    reverse, reverse_shift = quantize_multiplier(real)
    ends = golden.requantize((logarithms + MIN).astype(np.int32), reverse, reverse_shift)
    least = np.maximum(-math.floor(input_radius(_INTEGER_BITS, shift)) - 1, ends)
    above = x.astype(np.int64) - x.max(axis=-1, keepdims=True) > least
    bits = 31 - _INTEGER_BITS - _LOG_OUTPUT_BITS
    outputs = rounding_shift_right(scaled - logarithms, bits) + 127
    return np.where(above, outputs.clip(-128, 127), -128).astype(np.int8)


def logistic_int8(x: NDArray[np.int8], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Logistic function 1 / (1 + exp(-x)); the result has scale 1/256 and zero point -128.

    Parameters
    ----------
    x : int8[...]
    scale : float
    zero_point : int

    Returns
    -------
    int8[...]
    """
    multiplier, shift = _scaling(scale, _LOGISTIC_BITS)
    radius = math.floor(input_radius(_LOGISTIC_BITS, shift))
    centred = x.astype(np.int64) - zero_point
    low, high = centred <= -radius, centred >= radius
    inner = np.where(low | high, 0, centred).astype(np.int32)
    a = golden.requantize(inner, multiplier, shift).astype(np.int64)
    positive = one_over_one_plus(exp_of_negative(-np.abs(a), _LOGISTIC_BITS))
    result = np.where(a > 0, positive, MAX - positive)
    outputs = rounding_shift_right(np.where(a == 0, 1 << 30, result), 31 - 8) - 128
    return np.where(low, -128, np.where(high, 127, outputs.clip(-128, 127))).astype(np.int8)


def _scaling(scale: float, integer_bits: int) -> tuple[int, int]:
    """Multiplier and shift to a fixed point with so many bits before the point.

    Where a step of 1 leaves it, all but steps of 0 are saturated.
    """
    factor = min(scale * 2.0 ** (31 - integer_bits), 2.0**31 - 1)
    return quantize_multiplier(factor) if factor < 2.0**30 - 1 else (0, 31)


def _differences(x: NDArray[np.int8], shift: int) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Values that count, and their differences from the maximum; 0 where they do not."""
    differences = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    counted = differences >= -math.floor(input_radius(_INTEGER_BITS, shift))
    return counted, np.where(counted, differences, 0).astype(np.int32)


def _sums(counted: NDArray[np.bool_], exponentials: Raw) -> Raw:
    terms = np.where(counted, rounding_shift_right(exponentials, _SUM_BITS), 0)
    result: Raw = terms.sum(axis=-1, keepdims=True)
    return result
