"""Post-training int8 quantization as TensorFlow Lite does it."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sim.scales import Scale, activation_scale, quantize_multiplier, quantize_multipliers

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


class QuantizedWeights(NamedTuple):
    """``weights`` int8[K, ...], ``scales`` float64[K], ``bias`` int32[K] in s_in·scales[k]."""

    weights: NDArray[np.int8]
    scales: NDArray[np.float64]
    bias: NDArray[np.int32]


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
