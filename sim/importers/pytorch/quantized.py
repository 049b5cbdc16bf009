"""Nodes that quantize and dequantize, of a program that was quantized before it was exported.

The program computes in real numbers between them. What ``quantize_per_tensor`` makes of a tensor
is that tensor with a known scale; ``dequantize_per_tensor`` changes nothing then.
"""

import math
from dataclasses import replace

import torch
from torch import fx

from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import UnsupportedModuleError, arguments_of, break_rule, title
from sim.scales import Scale
from sim.spec.network import LayerKind

__all__ = ["QUANTIZED"]

_TYPES = {torch.int8: 0, torch.uint8: 128}
"""Numbers by which values of a type are lowered to be int8."""


_UNBOUNDED = (-math.inf, math.inf)


def _quantize(graph: Graph, node: fx.Node, value: Value) -> Value:
    scale, (low, high) = graph.quantizing[node] = _scale(node)
    bounds = (low * scale.scale, high * scale.scale)
    given = graph.scale(value.tensor)
    layer = graph.layers.get(value.tensor)
    if given is None and layer is not None and layer.alike:
        given = graph.scales[_source_of_pools(graph, node, layer)] = scale
    elif given is None:
        given = graph.scales[value.tensor] = scale
        if layer is not None:
            clamp = (max(layer.clamp[0], bounds[0]), min(layer.clamp[1], bounds[1]))
            graph.layers[layer.name] = replace(layer, clamp=clamp)
            bounds = _UNBOUNDED
    if given == scale and bounds == _UNBOUNDED:
        alone = value.alone and graph.read_once(node)
        return replace(value, alone=alone, quantized=True)
    graph.unpadded(node, value)
    # One tap of 1 brings a tensor to another scale.
    channels = value.shape[2]
    name = graph.layer_name(node)
    graph.scales[name] = scale
    unit = FloatLayer(
        name=name,
        kind=LayerKind.DEPTHWISE if channels > 1 else LayerKind.CONV,
        inputs=(value.tensor,),
        shape=value.shape,
        weight=torch.ones((channels, 1, 1, 1), dtype=torch.float64),
        bias=torch.zeros(channels, dtype=torch.float64),
        weight_scales=torch.ones(channels, dtype=torch.float64),
        clamp=bounds,
    )
    return replace(graph.append(node, unit, positive=value.positive), quantized=True)


def _source_of_pools(graph: Graph, node: fx.Node, layer: FloatLayer) -> str:
    """Tensor whose largest values some pools took: its scale gives the same result as theirs."""
    while layer.kind is LayerKind.MAX_POOL and layer.alike:
        (tensor,) = layer.inputs
        graph.read_alone.add(tensor)
        if tensor not in graph.layers or not graph.layers[tensor].alike:
            return tensor
        layer = graph.layers[tensor]
    rule = "input of an average pool must be quantized, whose scale it keeps"
    raise UnsupportedModuleError(f"{title(node)}: {rule}")


def _dequantize(graph: Graph, node: fx.Node, value: Value) -> Value:
    scale, _ = _scale(node)
    if graph.scale(value.tensor) != scale:
        break_rule(node, "scale must be that of quantization", scale.scale)
    return replace(value, alone=value.alone and graph.read_once(node))


def _scale(node: fx.Node) -> tuple[Scale, tuple[float, float]]:
    """Scale as int8, and the steps of it about 0 that the node clamps to, infinite where int8 does."""
    given = arguments_of(node)
    if given["dtype"] not in _TYPES:
        break_rule(node, "type must be int8 or uint8", str(given["dtype"]))
    less = _TYPES[given["dtype"]]
    scale, zero_point = float(given["scale"]), int(given["zero_point"]) - less
    if not (math.isfinite(scale) and scale > 0):
        break_rule(node, "scale must be positive", scale)
    low, high = given["quant_min"] - less, given["quant_max"] - less
    if not -128 <= low <= zero_point <= high <= 127:
        rule = "zero point must lie between quant_min and quant_max, which must lie within the type"
        break_rule(node, rule, (given["quant_min"], given["zero_point"], given["quant_max"]))
    bottom = -math.inf if low == -128 else float(low - zero_point)
    top = math.inf if high == 127 else float(high - zero_point)
    return Scale(scale, zero_point), (bottom, top)


QUANTIZED = {
    "quantized_decomposed.quantize_per_tensor.default": Reader(read=_quantize, takes_padding=True),
    "quantized_decomposed.dequantize_per_tensor.default": Reader(
        read=_dequantize, takes_padding=True
    ),
}
"""Readers of quantization, by PyTorch's names; that of constants is computed."""
