"""Export to the shared vocabulary: a trained child, or only its shapes, as a sim.spec network."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from search.architecture import LayerShape
from search.children import Child
from search.tasks.task import chunked
from sim.importers.pytorch.batch_norm import fold_batch_norm
from sim.importers.pytorch.float_network import INPUT, FloatLayer, FloatNetwork
from sim.importers.pytorch.quantize import Scale, activation_scale, quantize_layers
from sim.spec.network import LayerKind, Network

__all__ = ["export", "shape_network"]

_RANGE_IMAGES = 4096

_Parameters = Callable[[LayerShape], tuple[Tensor, Tensor]]
"""Weight and bias of a layer that has them."""


def export(child: Child, images: Tensor, *, name: str, input_scale: Scale) -> Network:
    """Quantize a trained child after training.

    Batch normalization is folded; activations get the range they take on the first 4,096 of
    ``images`` [N, C, H, W], which must be training images. The child is set to inference mode.
    """
    child.eval()
    ranges: dict[str, tuple[float, float]] = {}
    for part in chunked(images[:_RANGE_IMAGES]):
        with torch.no_grad():
            activations = child.activations(part)
        for tensor, values in activations.items():
            low, high = ranges.get(tensor, (math.inf, -math.inf))
            ranges[tensor] = min(low, float(values.min())), max(high, float(values.max()))
    scales = {tensor: activation_scale(low, high) for tensor, (low, high) in ranges.items()}
    scales[INPUT] = input_scale

    def parameters(layer: LayerShape) -> tuple[Tensor, Tensor]:
        if layer.kind is LayerKind.FULLY_CONNECTED:
            linear = child.linear(layer.name)
            return linear.weight.detach()[:, :, None, None], linear.bias.detach()
        return fold_batch_norm(child.conv(layer.name), child.norm(layer.name))

    child.cpu()

    return quantize_layers(_float_network(name, child.layers, parameters), scales)


def shape_network(layers: Sequence[LayerShape], *, name: str) -> Network:
    """Network of the given shapes with zero weights: what a performance model needs."""

    def parameters(layer: LayerShape) -> tuple[Tensor, Tensor]:
        inputs, outputs = layer.in_shape[2], layer.out_shape[2]
        depth = 1 if layer.kind is LayerKind.DEPTHWISE else inputs
        return torch.zeros(outputs, depth, *layer.kernel), torch.zeros(outputs)

    scales = dict.fromkeys([INPUT, *(layer.name for layer in layers)], Scale(1.0, 0))
    return quantize_layers(_float_network(name, layers, parameters), scales)


def _float_network(
    name: str, layers: Sequence[LayerShape], parameters: _Parameters
) -> FloatNetwork:
    made = [_float_layer(layer, parameters) for layer in layers]
    return FloatNetwork(name=name, shape=layers[0].in_shape, layers=tuple(made))


def _float_layer(layer: LayerShape, parameters: _Parameters) -> FloatLayer:
    unweighted = layer.kind in (LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL)
    weight, bias = (None, None) if unweighted else parameters(layer)
    whole = layer.kind is LayerKind.FULLY_CONNECTED
    return FloatLayer(
        name=layer.name,
        kind=layer.kind,
        inputs=layer.inputs,
        shape=layer.out_shape,
        kernel=layer.in_shape[:2] if whole else layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        weight=weight,
        bias=bias,
        clamp=(0.0, 6.0) if layer.relu6 else (-math.inf, math.inf),
    )
