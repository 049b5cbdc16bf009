"""Export to the shared vocabulary: a trained child, or only its shapes, as a sim.spec network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search.architecture import LayerShape
from search.children import Child
from search.quantize import (
    Scale,
    activation_scale,
    fold_batch_norm,
    quantize_multipliers,
    quantize_weights,
)
from sim.spec.network import ADD_LEFT_SHIFT, Layer, LayerKind, Network, TensorSpec

__all__ = ["export", "shape_network"]


class _Parameters(NamedTuple):
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]


_NO_PARAMETERS = _Parameters(*(np.zeros(0, kind) for kind in (np.int8, *[np.int32] * 3)))


def export(child: Child, images: Tensor, *, name: str, input_scale: Scale) -> Network:
    """Quantize a trained child after training.

    Batch normalization is folded; activations get the range they take on ``images``
    [N, C, H, W], which must be training images. The child is set to inference mode.
    """
    child.eval()
    with torch.no_grad():
        activations = child.activations(images)
    scales = {"input": input_scale}
    layers = []
    for layer in child.layers:
        sources = [scales[source] for source in layer.inputs]
        if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
            scale = sources[0]
        else:
            values = activations[layer.name]
            scale = activation_scale(float(values.min()), float(values.max()))
        scales[layer.name] = scale
        if layer.kind is LayerKind.ADD:
            parameters = _add_parameters(sources[0].scale, sources[1].scale, scale.scale)
        elif layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
            parameters = _NO_PARAMETERS
        else:
            parameters = _weighted_parameters(child, layer, sources[0].scale, scale.scale)
        layers.append(_layer(layer, scale, parameters))
    return _network(name, child.layers, input_scale, layers)


def shape_network(layers: Sequence[LayerShape], *, name: str) -> Network:
    """Network of the given shapes with zero weights: what a performance model needs."""
    unit = Scale(1.0, 0)
    made = []
    for layer in layers:
        inputs, outputs = layer.in_shape[2], layer.out_shape[2]
        parameters = _NO_PARAMETERS
        if layer.kind is LayerKind.ADD:
            parameters = _add_parameters(1.0, 1.0, 1.0)
        elif layer.kind is not LayerKind.GLOBAL_AVERAGE_POOL:
            leading = () if layer.kind is LayerKind.DEPTHWISE else (outputs,)
            multiplier, shift = quantize_multipliers(np.ones(outputs))
            zeros = np.zeros((*leading, *layer.kernel, inputs), np.int8)
            parameters = _Parameters(zeros, np.zeros(outputs, np.int32), multiplier, shift)
        made.append(_layer(layer, unit, parameters))
    return _network(name, layers, unit, made)


def _add_parameters(scale_a: float, scale_b: float, scale_out: float) -> _Parameters:
    twice = 2 * max(scale_a, scale_b)
    reals = np.array([scale_a / twice, scale_b / twice, twice / (2**ADD_LEFT_SHIFT * scale_out)])
    multiplier, shift = quantize_multipliers(reals)
    return _NO_PARAMETERS._replace(multiplier=multiplier, shift=shift)


def _weighted_parameters(
    child: Child, layer: LayerShape, input_scale: float, output_scale: float
) -> _Parameters:
    weight, bias = _float_parameters(child, layer)  # [K, C, kh, kw], [K]
    quantized = quantize_weights(weight, bias, input_scale)
    multiplier, shift = quantize_multipliers(input_scale * quantized.scales / output_scale)
    if layer.kind is LayerKind.DEPTHWISE:
        weights = quantized.weights[:, 0].transpose(1, 2, 0)  # [kh, kw, C]
    else:
        weights = quantized.weights.transpose(0, 2, 3, 1)  # [K, kh, kw, C]
    return _Parameters(np.ascontiguousarray(weights), quantized.bias, multiplier, shift)


def _float_parameters(child: Child, layer: LayerShape) -> tuple[Tensor, Tensor]:
    if layer.kind is LayerKind.FULLY_CONNECTED:
        linear = child.linear(layer.name)
        return linear.weight.detach()[:, :, None, None], linear.bias.detach()
    return fold_batch_norm(child.conv(layer.name), child.norm(layer.name))


def _layer(layer: LayerShape, scale: Scale, parameters: _Parameters) -> Layer:
    low, high = -128, 127
    if layer.relu6:
        low = max(low, scale.zero_point)
        high = min(high, scale.zero_point + round(6 / scale.scale))
    kernel = layer.in_shape[:2] if layer.kind is LayerKind.FULLY_CONNECTED else layer.kernel
    return Layer(
        name=layer.name,
        kind=layer.kind,
        inputs=layer.inputs,
        output=_tensor(layer.name, layer.out_shape, scale),
        kernel=kernel,
        stride=layer.stride,
        padding=layer.padding,
        weights=parameters.weights,
        bias=parameters.bias,
        multiplier=parameters.multiplier,
        shift=parameters.shift,
        clamp=(low, high),
    )


def _network(
    name: str, shapes: Sequence[LayerShape], input_scale: Scale, layers: list[Layer]
) -> Network:
    source = _tensor("input", shapes[0].in_shape, input_scale)
    return Network(name=name, input=source, layers=tuple(layers))


def _tensor(name: str, shape: tuple[int, int, int], scale: Scale) -> TensorSpec:
    height, width, channels = shape
    return TensorSpec(
        name=name,
        height=height,
        width=width,
        channels=channels,
        scale=scale.scale,
        zero_point=scale.zero_point,
    )
