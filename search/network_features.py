"""Features of a network: numbers that describe any network to an agent, whatever space it is from."""

import numpy as np
from numpy.typing import NDArray

from sim.spec.network import PRODUCT_KINDS, LayerKind, Network

__all__ = ["FEATURES", "network_features"]

_KINDS = tuple(kind for kind in LayerKind if kind not in PRODUCT_KINDS)
"""Kinds of layers that have features of their own: no space of networks has products of activations."""

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of the layers' shapes, each layer weighted by its work."""

_GRAINS = (4, 8, 16, 32, 64, 128)
"""Numbers of units over which channels or pixels may be spread."""


def network_features(network: Network) -> NDArray[np.float32]:
    """Describe a network's work and shapes: float32[:data:`FEATURES`], most of them logarithms.

    In order: the input's pixels and channels; for each kind of layer the number of layers, their
    multiply-accumulates, weights and output values; the sums of these over all layers; the largest
    layer's weights, working set, channels in and out, and row; quantiles of output channels, input
    channels, pixels and products per output over the multiply-accumulates, and of pixels over the
    weights; and the share of each number of units that channels out, channels in and pixels keep
    busy. A pool or an add counts as a multiply-accumulate for each value that it reads.
    """
    shapes = {name: spec.shape for name, spec in network.tensors.items()}
    columns = []
    for layer in network.layers:
        height, width, channels = shapes[layer.inputs[0]]
        pixels_out, channels_out = layer.output.height * layer.output.width, layer.output.channels
        macs = layer.macs or height * width * channels
        read = sum(int(np.prod(shapes[name])) for name in layer.inputs)
        columns.append(
            (macs, layer.weights.size, read, channels, width * channels, pixels_out, channels_out)
        )
    work, weights, read, inputs, row, pixels, outputs = np.array(columns, np.float64).T
    made = pixels * outputs
    kinds = np.array([layer.kind.value for layer in network.layers])
    features = [np.log2([network.input.height * network.input.width, network.input.channels])]
    sums = np.stack([np.ones_like(work), work, weights, made])  # [4, layers]
    features += [np.log2(1 + sums[:, kinds == kind.value].sum(1)) for kind in _KINDS]
    features.append(np.log2(1 + sums.sum(1)))
    largest = np.stack([weights, read + made, inputs, outputs, row]).max(1)
    features.append(np.log2(1 + largest))
    products = work / made
    features += [_quantiles(np.log2(x), work) for x in (outputs, inputs, pixels, products)]
    features.append(_quantiles(np.log2(pixels), weights))
    features += [_kept_busy(x, work) for x in (outputs, inputs, pixels)]
    return np.concatenate(features).astype(np.float32)


FEATURES = 2 + 4 * len(_KINDS) + 4 + 5 + 5 * len(_SHARES) + 3 * len(_GRAINS)
"""Number of features."""


def _quantiles(values: NDArray[np.float64], work: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values float64[shares] below which the shares of the work are; 0 where there is none."""
    if not work.sum():
        return np.zeros(len(_SHARES))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(work[order]) / work.sum()
    places = np.searchsorted(reached, np.array(_SHARES) - 1e-9)
    quantiles: NDArray[np.float64] = values[order][places]
    return quantiles


def _kept_busy(values: NDArray[np.float64], work: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the work of the share of 4, 8 … 128 units that ``values`` things keep busy."""
    grains = np.array(_GRAINS)[:, None]
    shares = values / (np.ceil(values / grains) * grains)  # [grains, layers]
    busy: NDArray[np.float64] = shares @ work / work.sum()
    return busy
