"""Batch normalization in inference: a gain and an offset per channel."""

import torch
from torch import Tensor, nn

__all__ = ["fold_batch_norm", "gain_and_offset"]


def gain_and_offset(
    mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Gain and offset of a normalization, float64[C] each: normalized = gain · x + offset."""
    deviation = torch.sqrt(variance.double() + epsilon)
    gain = torch.ones_like(deviation) if weight is None else weight.double()
    gain = gain / deviation
    offset = -mean.double() * gain
    return gain, offset if bias is None else bias.double() + offset


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that equals ``norm(conv(x))`` in inference.

    The convolution has no bias of its own.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("batch normalization must track running statistics to be folded")
    gain, offset = gain_and_offset(
        norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps
    )
    return (conv.weight.double() * gain[:, None, None, None]).detach(), offset.detach()
