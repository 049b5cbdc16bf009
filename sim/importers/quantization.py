"""TensorFlow Lite's integer parameters from its scales, in the precision that it uses."""

import numpy as np
from numpy.typing import NDArray

from sim.scales import add_factors, quantize_multiplier, quantize_multipliers

__all__ = [
    "ACTIVATIONS",
    "Multipliers",
    "activation_clamp",
    "add_multipliers",
    "mean_multiplier",
    "ratio_multiplier",
    "relu6_clamp",
    "window_multipliers",
]

Multipliers = tuple[NDArray[np.int32], NDArray[np.int32]]
"""``multiplier`` and ``shift`` of a layer."""

ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
"""Fused activations that are clamps, by TensorFlow Lite's number."""

_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def activation_clamp(activation: str, scale: np.float32, zero_point: int) -> tuple[int, int]:
    """Lowest and highest int8 output of a fused activation."""
    lower, upper = _BOUNDS[activation]
    low = -128 if lower is None else _quantized(lower, scale, zero_point)
    high = 127 if upper is None else _quantized(upper, scale, zero_point)
    return low, max(low, high)


def relu6_clamp(scale: np.float32, zero_point: int) -> tuple[int, int]:
    """Clamp of a RELU6 operator, which has its own formula in TensorFlow Lite Micro."""
    return zero_point, max(zero_point, _quantized(6.0, scale, zero_point))


def window_multipliers(
    input_scale: np.float32,
    weight_scales: NDArray[np.float32],
    output_scale: np.float32,
    count: int,
) -> Multipliers:
    """Multipliers of convolutions and FULLY_CONNECTED: all of it in double precision."""
    reals = np.float64(input_scale) * weight_scales.astype(np.float64) / np.float64(output_scale)
    return quantize_multipliers(np.broadcast_to(reals, (count,)))


def add_multipliers(a: np.float32, b: np.float32, output: np.float32) -> Multipliers:
    """Multipliers of ADD: both operands to twice the larger scale, then their sum to the output's.

    Raises
    ------
    ValueError
        If the output's scale is so small that the sum would have to be multiplied by 1 or more.
    """
    reals = add_factors(float(a), float(b), float(output))
    if reals[2] >= 1:
        raise ValueError(f"the sum's multiplier must be below 1, not {reals[2]:g}")
    return quantize_multipliers(reals)


def ratio_multiplier(input_scale: np.float32, output_scale: np.float32, count: int) -> Multipliers:
    """Multipliers of operators that change nothing but the scale."""
    real = np.float64(input_scale) / np.float64(output_scale)
    return quantize_multipliers(np.full(count, real))


def mean_multiplier(input_scale: np.float32, output_scale: np.float32, count: int) -> Multipliers:
    """Multipliers of MEAN over ``count`` values: the division is merged into the scale's ratio."""
    multiplier, shift = quantize_multiplier(
        float(np.float64(input_scale) / np.float64(output_scale))
    )
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    merged = (multiplier << bits) // count
    return np.array([merged], np.int32), np.array([shift - bits], np.int32)


def _quantized(real: float, scale: np.float32, zero_point: int) -> int:
    """int8 value of a real number: one division in single precision, ties away from zero."""
    ratio = float(np.float32(real) / np.float32(scale))
    magnitude = int(abs(ratio) + 0.5)
    return min(127, max(-128, zero_point + (magnitude if ratio >= 0 else -magnitude)))
