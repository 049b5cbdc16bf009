"""Layers with weights, of an exported program's graph."""

import math
from dataclasses import replace

from torch import fx

from sim.importers.pytorch.batch_norm import gain_and_offset
from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import (
    IMAGE,
    arguments_of,
    break_rule,
    image_shape,
    pair,
    refuse,
    sizes_of,
    undilated,
    widened,
)
from sim.spec.network import LayerKind

__all__ = ["WEIGHTED"]


def _convolution(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    groups, weight = given["groups"], graph.constant(node, given["weight"], "weight")
    rank = weight.ndim
    if given["transposed"] or rank not in (IMAGE - 1, IMAGE):
        refuse(node)
    undilated(node, given)
    if rank < IMAGE:  # a signal is an image of height 1
        weight = weight.unsqueeze(2)
    inputs = value.shape[2]
    if groups not in (1, inputs):
        break_rule(node, f"groups must be 1 or {inputs}, the number of channels", groups)
    depthwise = groups == inputs and inputs > 1
    if depthwise and weight.shape[0] != inputs:
        rule = f"a depthwise convolution must have {inputs} outputs, as it has inputs"
        break_rule(node, rule, weight.shape[0])
    layer = FloatLayer(
        name=graph.layer_name(node, given["weight"]),
        kind=LayerKind.DEPTHWISE if depthwise else LayerKind.CONV,
        inputs=(value.tensor,),
        shape=image_shape(node),
        kernel=(weight.shape[2], weight.shape[3]),
        stride=pair(given["stride"], rank),
        padding=widened(value.padding, pair(given["padding"], rank, 0)),
        weight=weight.double(),
        bias=graph.bias(node, given["bias"], weight.shape[0]),
        weight_scales=graph.weight_scales(node, given["weight"], weight.shape[0], 0),
    )
    return graph.append(node, layer)


def _linear(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    for factor in ("alpha", "beta"):
        if given.get(factor, 1) != 1:
            break_rule(node, f"{factor} must be 1", given[factor])
    # addmm(bias, image, weight) or mm(image, weight)
    bias, right = (given["self"], given["mat2"]) if "mat1" in given else (None, given["mat2"])
    weight = graph.constant(node, right, "weight")  # [H·W·C, K]
    height, width, channels = value.shape
    outputs = weight.shape[1]
    layer = FloatLayer(
        name=graph.layer_name(node, right),
        kind=LayerKind.FULLY_CONNECTED,
        inputs=(value.tensor,),
        shape=(1, 1, outputs),
        kernel=(height, width),
        # PyTorch flattens channels first
        weight=weight.double().t().reshape(outputs, channels, height, width),
        bias=graph.bias(node, bias, outputs),
        weight_scales=graph.weight_scales(node, right, outputs, 1),
    )
    return graph.append(node, layer)


def _batch_norm(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    channels = value.shape[2]
    if sizes_of(node)[0] != channels:
        rule = "flattened pixels cannot be normalized one by one: channels must be"
        break_rule(node, f"{rule} {channels}", sizes_of(node)[0])
    named = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (
        None if given[what] is None else graph.constant(node, given[what], what) for what in named
    )
    assert mean is not None
    assert variance is not None
    gain, offset = gain_and_offset(mean, variance, weight, bias, given["eps"])
    source = graph.layers.get(value.tensor)
    open_ended = source is not None and source.clamp == (-math.inf, math.inf)
    open_ended &= value.tensor not in graph.scales
    if source is not None and source.weight is not None and value.alone and open_ended:
        filters, biases = source.parameters()
        graph.layers[source.name] = replace(
            source,
            weight=filters * gain[:, None, None, None],
            bias=biases * gain + offset,
            weight_scales=None,
        )
        return replace(value, alone=graph.read_once(node))
    layer = FloatLayer(
        name=graph.layer_name(node, given["running_mean"]),
        kind=LayerKind.DEPTHWISE if channels > 1 else LayerKind.CONV,
        inputs=(value.tensor,),
        shape=value.shape,
        weight=gain[:, None, None, None],
        bias=offset,
    )
    return graph.append(node, layer)


WEIGHTED = {
    "aten.convolution.default": Reader(read=_convolution, takes_padding=True),
    "aten._native_batch_norm_legit_no_training.default": Reader(read=_batch_norm),
    "aten.addmm.default": Reader(read=_linear),
    "aten.mm.default": Reader(read=_linear),
}
"""Readers of layers with weights, by ATen's names."""
