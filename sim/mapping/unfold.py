"""Unfolding of a narrow first layer: taps become channels, so that dot products are filled.

A first convolution of few channels wastes the 4-way dot products: 3 channels take the steps of 4.
Unfolded, the host writes every window's values as the channels of one pixel, and the layer becomes
a 1×1 convolution: 9 taps of 3 channels take 7 steps instead of 9. The integers that are added up
are the same, in another order.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import DOT_WIDTH
from sim.spec.network import (
    CHANNELS,
    NETWORK_VALUES_LIMIT,
    VALUES_LIMIT,
    Layer,
    LayerKind,
    Network,
    Padding,
    TensorSpec,
)

__all__ = ["unfold_input", "unfolded"]


def unfolded(network: Network) -> Network | None:
    """The network with its first layer unfolded, or None where that saves no step.

    Only a convolution (or fully connected layer) that is the input's one reader is unfolded.
    """
    first = network.layers[0]
    if first.kind not in (LayerKind.CONV, LayerKind.FULLY_CONNECTED):
        return None
    if any(network.input.name in layer.inputs for layer in network.layers[1:]):
        return None
    taps, channels = first.kernel[0] * first.kernel[1], network.input.channels
    if -(-taps * channels // DOT_WIDTH) >= taps * -(-channels // DOT_WIDTH):
        return None
    if _excessive(network, taps * channels):
        return None
    source = _source(network.input, first)
    layer = replace(
        first,
        kind=LayerKind.CONV,
        kernel=(1, 1),
        stride=(1, 1),
        padding=Padding(),
        weights=first.weights.reshape(first.output.channels, 1, 1, -1),
    )
    return Network(name=network.name, input=source, layers=(layer, *network.layers[1:]))


def _excessive(network: Network, channels: int) -> bool:
    """Whether an unfolded input of so many channels is larger than a tensor may be."""
    output = network.layers[0].output
    size = output.height * output.width * channels
    others = sum(math.prod(layer.output.shape) for layer in network.layers)
    return channels > CHANNELS.high or size > VALUES_LIMIT or size + others > NETWORK_VALUES_LIMIT


def _source(tensor: TensorSpec, layer: Layer) -> TensorSpec:
    return replace(
        tensor,
        height=layer.output.height,
        width=layer.output.width,
        channels=layer.kernel[0] * layer.kernel[1] * tensor.channels,
    )


def unfold_input(x: NDArray[np.int8], layer: Layer, zero_point: int) -> NDArray[np.int8]:
    """The windows of the first layer as channels.

    Parameters
    ----------
    x : int8[height, width, channels]
    layer : Layer
        The network's own first layer.
    zero_point : int
        Of the input: what padding holds.

    Returns
    -------
    int8[out_height, out_width, kernel_y * kernel_x * channels]
    """
    pad = layer.padding
    widths = ((pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
    padded = np.pad(x, widths, constant_values=zero_point)
    windows = np.lib.stride_tricks.sliding_window_view(padded, layer.kernel, axis=(0, 1))
    strided = windows[:: layer.stride[0], :: layer.stride[1]]
    height, width = layer.output.height, layer.output.width
    return strided.transpose(0, 1, 3, 4, 2).reshape(height, width, -1).copy()
