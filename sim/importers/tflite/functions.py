"""Functions of int8 as TensorFlow Lite Micro computes them: an output for each of the 256 inputs."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.fixed_point import input_radius, rounding_shift_right, tanh
from sim.importers.softmax import logistic_int8
from sim.scales import Scale, quantize_multiplier

__all__ = ["EVERY", "elu", "hard_swish", "leaky_relu", "logistic", "prelu", "product", "tanh_of"]

EVERY = np.arange(-128, 128, dtype=np.int64)
"""Inputs, in the order of the outputs."""

Values = NDArray[np.int8]
"""int8[256]: the output for input v is entry v + 128."""

_TANH_BITS = 4
"""Integer bits of the hyperbolic tangent's argument."""

_INT16_MAX = (1 << 15) - 1
_HIGH_BITS = 7
"""Bits by which HARD_SWISH's input is shifted left within int16."""

_INT16_SHIFT = 15
"""Most bits that an int16 is shifted right by."""

_RELUISH_SCALE = np.float32(3) / np.float32(1 << 15)

_LEAST_HARD_SWISH = float(_RELUISH_SCALE) * 128 * 2.0 ** -(_INT16_SHIFT + 1)
"""Least scale of an input whose gate is shifted right by no more."""


def logistic(source: Scale) -> Values:
    """LOGISTIC to scale 1/256 and zero point -128."""
    return logistic_int8(EVERY.astype(np.int8), source.scale, source.zero_point)


def tanh_of(source: Scale) -> Values:
    """TANH to scale 1/128 and zero point 0."""
    multiplier, shift = quantize_multiplier(source.scale * 2.0 ** (31 - _TANH_BITS))
    radius = math.floor(input_radius(_TANH_BITS, shift))
    centred = EVERY - source.zero_point
    low, high = centred <= -radius, centred >= radius
    inner = np.where(low | high, 0, centred).astype(np.int32)
    argument = golden.requantize(inner, multiplier, shift).astype(np.int64)
    outputs = rounding_shift_right(tanh(argument, _TANH_BITS), 31 - 7)
    return _saturated(np.where(low, -128, np.where(high, 127, outputs)))


def hard_swish(source: Scale, output: Scale) -> Values:
    """HARD_SWISH, x · min(max(x + 3, 0), 6) / 6, in int16.

    Raises
    ------
    ValueError
        If the scales ask for shifts that the interpreter does not have in int16.
    """
    high_scale = np.float32(1 / 128) * np.float32(source.scale)
    own, own_shift = _int16_multiplier(float(high_scale / np.float32(output.scale)))
    factor, shift = _int16_multiplier(float(high_scale / _RELUISH_SCALE))
    if not -_INT16_SHIFT <= own_shift <= 0:
        rule = f"must be 1 … 2^{_INT16_SHIFT} times {high_scale:g}, 1/128 of the input's"
        raise ValueError(f"output scale {rule}, not {output.scale:g}")
    if shift < -_INT16_SHIFT:
        raise ValueError(f"input scale must be {_LEAST_HARD_SWISH:g} or more, not {source.scale:g}")
    high = _int16((EVERY - source.zero_point) << _HIGH_BITS)
    scaled = _rounded_high(high, own)
    gate = high
    if shift > 0:
        gate = (gate << (shift - 1)).clip(-_INT16_MAX - 1, _INT16_MAX)
    gate = _rounded_high(gate, factor)
    if shift > 0:
        gate = (gate << 1).clip(-_INT16_MAX - 1, _INT16_MAX)
    if shift < 0:
        gate = rounding_shift_right(gate, -shift)
    gate = (gate + (1 << 15)) >> 1
    # truncates toward zero, which evens out the roundings before
    products = gate * scaled
    ended = np.sign(products) * (np.abs(products) >> 15)
    return _saturated(rounding_shift_right(ended, -own_shift) + output.zero_point)


def leaky_relu(source: Scale, output: Scale, alpha: float) -> Values:
    """LEAKY_RELU of a slope that is not negative.

    Raises
    ------
    ValueError
        If a factor is too large.
    """
    above = float(np.float32(source.scale) / np.float32(output.scale))
    below = float(np.float32(source.scale) * np.float32(alpha) / np.float32(output.scale))
    centred = EVERY - source.zero_point
    return _two_slopes(centred, centred, above, below, output.zero_point)


def prelu(source: Scale, output: Scale, slope: int, slope_scale: float) -> Values:
    """PRELU of one slope: an int8 less its zero point, and its scale.

    Raises
    ------
    ValueError
        If a factor is too large.
    """
    above = float(np.float64(source.scale) / np.float64(output.scale))
    below = float(np.float64(source.scale) * np.float64(slope_scale) / np.float64(output.scale))
    centred = EVERY - source.zero_point
    return _two_slopes(centred, centred * slope, above, below, output.zero_point)


def elu(source: Scale, output: Scale) -> Values:
    """ELU, exp(x) - 1 below 0, in single precision."""

    def transformed(x: np.float32) -> np.float32:
        return np.float32(np.exp(x) - np.float32(1)) if x < 0 else x

    return _in_single_precision(source, output, transformed)


def product(
    a: Values, b: Values, points: tuple[int, int], factor: tuple[int, int], zero_point: int
) -> NDArray[np.int64]:
    """MUL of two functions of one input, before its clamp.

    Parameters
    ----------
    a, b : int8[256]
    points : (int, int)
        Their zero points.
    factor : (int, int)
        Multiplier and shift.
    zero_point : int
        Of the output.
    """
    products = (a.astype(np.int32) - points[0]) * (b.astype(np.int32) - points[1])
    return golden.requantize(products, *factor).astype(np.int64) + zero_point


def _two_slopes(
    positive: NDArray[np.int64],
    negative: NDArray[np.int64],
    above: float,
    below: float,
    zero_point: int,
) -> Values:
    """One factor from 0 on, another below; the sign is that of ``positive``."""
    pairs = [quantize_multiplier(factor) for factor in (above, below)]
    upper, lower = (
        golden.requantize(values.astype(np.int32), *pair).astype(np.int64)
        for values, pair in zip((positive, negative), pairs, strict=True)
    )
    return _saturated(np.where(positive >= 0, upper, lower) + zero_point)


def _in_single_precision(
    source: Scale, output: Scale, transformed: Callable[[np.float32], np.float32]
) -> Values:
    """A function of real numbers, quantized as the interpreter fills its own tables."""
    inverse = np.float32(1) / np.float32(output.scale)
    outputs = []
    for value in EVERY.tolist():
        real = np.float32(source.scale) * np.float32(value - source.zero_point)
        ratio = float(transformed(real) * inverse)
        rounded = math.copysign(math.floor(abs(ratio) + 0.5), ratio)
        outputs.append(rounded + output.zero_point)
    return _saturated(np.array(outputs).clip(-128, 127).astype(np.int64))


def _int16_multiplier(real: float) -> tuple[int, int]:
    """Significand of 15 bits and shift of a multiplier."""
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + (1 << 15)) >> 16, _INT16_MAX), shift


def _rounded_high(a: NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    """Saturating rounding doubling high multiply of int16."""
    products = a * factor
    nudged = products + np.where(products >= 0, 1 << 14, 1 - (1 << 14))
    result: NDArray[np.int64] = np.sign(nudged) * (np.abs(nudged) >> 15)
    return result


def _int16(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the low 16 bits as a two's complement number."""
    return values.astype(np.int16).astype(np.int64)


def _saturated(values: NDArray[np.int64]) -> Values:
    return values.clip(-128, 127).astype(np.int8)
