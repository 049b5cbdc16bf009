"""Post-training int8 quantization as TensorFlow Lite does it."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = [
    "QuantizedWeights",
    "Scale",
    "activation_scale",
    "fold_batch_norm",
    "quantize_multiplier",
    "quantize_multipliers",
    "quantize_weights",
]

_BIAS_LIMIT = 2**30
"""Largest magnitude of a quantized bias; leaves the accumulator a bit for the products."""


class Scale(NamedTuple):
    """real = scale · (value - zero_point)."""

    scale: float
    zero_point: int


class QuantizedWeights(NamedTuple):
    """``weights`` int8[K, ...], ``scales`` float64[K], ``bias`` int32[K] in s_in·scales[k]."""

    weights: NDArray[np.int8]
    scales: NDArray[np.float64]
    bias: NDArray[np.int32]


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


def activation_scale(low: float, high: float) -> Scale:
    """Asymmetric int8 scale of the range, widened to hold 0, which becomes an exact value."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        return Scale(1.0, 0)
    scale = (high - low) / 255
    zero_point = math.floor(-128 - low / scale + 0.5)
    return Scale(scale, min(127, max(-128, zero_point)))


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that equals ``norm(conv(x))`` in inference."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("batch normalization must track running statistics to be folded")
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * gain[:, None, None, None]
    return weight.detach(), (norm.bias.double() - norm.running_mean.double() * gain).detach()


def quantize_weights(weight: Tensor, bias: Tensor, input_scale: float) -> QuantizedWeights:
    """Symmetric int8 weights with one scale per output channel (the first axis).

    A channel of tiny weights gets the smallest scale with which its bias still fits.
    """
    flat = weight.flatten(1).abs().amax(1).double().numpy()
    real_bias = bias.double().numpy()
    scales = np.maximum(flat / 127, np.abs(real_bias) / (input_scale * _BIAS_LIMIT))
    scales = np.where(scales > 0, scales, 1.0)
    shape = (-1, *[1] * (weight.ndim - 1))
    quantized = np.clip(np.rint(weight.double().numpy() / scales.reshape(shape)), -127, 127)
    quantized_bias = np.rint(real_bias / (input_scale * scales))
    return QuantizedWeights(quantized.astype(np.int8), scales, quantized_bias.astype(np.int32))
