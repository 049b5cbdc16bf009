"""A first layer whose input vectors hold the kernel rows of several windows.

A convolution of few input channels wastes the 4-way dot products: 3 channels take the steps of 4, for each of the
kernel's columns. LOAD gathers the bytes that lie side by side in an image row, those of all of a window's columns, into a
vector. For the mapper the layer then has kernels of one column, over an input that has a pixel of
kw · C channels for every window of a row: 3 columns of 3 channels take 3 steps instead of 3 · 1. The
integers that are added up are the same, in another order. Neighbouring windows share bytes, and a vector
holds as many of them as it can.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.arrays.tables import LayerColumn
from sim.spec.network import (
    CHANNELS,
    NETWORK_VALUES_LIMIT,
    VALUES_LIMIT,
    LayerKind,
    Network,
    Padding,
)

__all__ = ["packed_windows", "windows_of_rows"]


def packed_windows(network: Network) -> Network | None:
    """The network as its first layer reads rows of windows, or None where it cannot.

    Only a convolution (or fully connected layer) that is the input's one reader can, if every window has a
    column in the image.
    """
    first, source = network.layers[0], network.input
    if first.kind not in (LayerKind.CONV, LayerKind.FULLY_CONNECTED):
        return None
    if first.inputs[0] != source.name or any(
        source.name in layer.inputs for layer in network.layers[1:]
    ):
        return None
    kernel_x, stride_x, left = first.kernel[1], first.stride[1], first.padding.left
    width = first.output.width
    if kernel_x <= left or (width - 1) * stride_x - left >= source.width:
        return None
    channels = kernel_x * source.channels
    size = source.height * width * channels
    others = sum(math.prod(layer.output.shape) for layer in network.layers)
    others += sum(math.prod(further.shape) for further in network.further_inputs)
    if channels > CHANNELS.high or size > VALUES_LIMIT or size + others > NETWORK_VALUES_LIMIT:
        return None
    layer = replace(
        first,
        kind=LayerKind.CONV,
        kernel=(first.kernel[0], 1),
        stride=(first.stride[0], 1),
        padding=Padding(top=first.padding.top, bottom=first.padding.bottom),
        weights=first.weights.reshape(first.output.channels, first.kernel[0], 1, channels),
    )
    packed = replace(source, width=width, channels=channels)
    return replace(network, input=packed, layers=(layer, *network.layers[1:]))


def windows_of_rows(network: Network, layers: NDArray[np.int64]) -> None:
    """Note in the layer table of a network's packed form how its windows lie in the image rows."""
    first, source = network.layers[0], network.input
    layers[0, LayerColumn.WINDOW_PIXELS] = first.kernel[1]
    layers[0, LayerColumn.WINDOW_STRIDE] = first.stride[1]
    layers[0, LayerColumn.WINDOW_PAD] = first.padding.left
    layers[0, LayerColumn.IMAGE_WIDTH] = source.width
    layers[0, LayerColumn.IMAGE_CHANNELS] = source.channels
    # no other layer runs as it does
    others = np.flatnonzero(layers[1:, LayerColumn.TWIN] == 0) + 1
    layers[others, LayerColumn.TWIN] = others[:1]
