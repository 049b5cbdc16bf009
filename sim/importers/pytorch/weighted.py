"""Layers with weights, of an exported program's graph."""

import math
from dataclasses import replace

import torch
from torch import Tensor, fx

from sim.importers.kernels import GroupForm, choose_form, effective_kernel, excessive_kernel
from sim.importers.pytorch.batch_norm import gain_and_offset
from sim.importers.pytorch.enlarging import transposed
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
    widened,
)
from sim.spec.network import LayerKind

__all__ = ["WEIGHTED"]


def _convolution(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    groups, weight = given["groups"], graph.constant(node, given["weight"], "weight")
    rank = weight.ndim
    if rank not in (IMAGE - 1, IMAGE):
        refuse(node)
    if given["transposed"]:
        graph.unpadded(node, value)
        return transposed(graph, node, value)
    if rank < IMAGE:  # a signal is an image of height 1
        weight = weight.unsqueeze(2)
    dilation, inputs, outputs = pair(given["dilation"], rank), value.shape[2], weight.shape[0]
    size = (weight.shape[2], weight.shape[3])
    if broken := excessive_kernel(size, dilation, outputs * weight.shape[1]):
        break_rule(node, broken, dilation)
    kernel = effective_kernel(size, dilation)
    spread = torch.zeros((*weight.shape[:2], *kernel), dtype=torch.float64)
    spread[..., :: dilation[0], :: dilation[1]] = weight.double()
    height, width, _ = shape = image_shape(node)
    pixels = (value.shape[0] * value.shape[1], height * width)
    grouping = choose_form((inputs, outputs), groups, math.prod(kernel), pixels, joins=False)
    name, kind, source = graph.layer_name(node, given["weight"]), LayerKind.DEPTHWISE, value.tensor
    if grouping.form is GroupForm.REPEATED:
        source = _repeated(graph, node, value, outputs // inputs)
    elif grouping.form is not GroupForm.DEPTHWISE:
        kind, spread = LayerKind.CONV, _between_groups(spread, groups)
    layer = FloatLayer(
        name=name,
        kind=kind,
        inputs=(source,),
        shape=shape,
        kernel=kernel,
        stride=pair(given["stride"], rank),
        padding=widened(value.padding, pair(given["padding"], rank, 0)),
        weight=spread,
        bias=graph.bias(node, given["bias"], outputs),
        weight_scales=graph.weight_scales(node, given["weight"], outputs, 0),
    )
    return graph.append(node, layer)


def _between_groups(weight: Tensor, groups: int) -> Tensor:
    """Weights [K, C / groups, kh, kw] of groups as [K, C, kh, kw], 0 between groups."""
    outputs, depth, *kernel = weight.shape
    made = weight.new_zeros((groups, outputs // groups, groups, depth, *kernel))
    each = torch.arange(groups)
    made[each, :, each] = weight.reshape(groups, -1, depth, *kernel)
    return made.reshape(outputs, groups * depth, *kernel)


def _repeated(graph: Graph, node: fx.Node, value: Value, times: int) -> str:
    """Append a layer that copies each channel several times; return its tensor."""
    height, width, channels = value.shape
    chosen = torch.arange(channels).repeat_interleave(times)
    name = f"{node.name}_repeated"
    given = graph.scale(value.tensor)
    if given is not None:
        graph.scales[name] = given
    graph.layers[name] = FloatLayer(
        name=name,
        kind=LayerKind.CONV,
        inputs=(value.tensor,),
        shape=(height, width, len(chosen)),
        weight=torch.eye(channels, dtype=torch.float64)[chosen][:, :, None, None],
        bias=torch.zeros(len(chosen), dtype=torch.float64),
        weight_scales=torch.ones(len(chosen), dtype=torch.float64),
    )
    return name


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
    "aten.convolution.default": Reader(read=_convolution, takes_padding=True, takes_views=False),
    "aten._native_batch_norm_legit_no_training.default": Reader(read=_batch_norm),
    "aten.addmm.default": Reader(read=_linear),
    "aten.mm.default": Reader(read=_linear),
}
"""Readers of layers with weights, by ATen's names."""
