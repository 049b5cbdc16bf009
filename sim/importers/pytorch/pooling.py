"""Pools and means, of an exported program's graph."""

from dataclasses import astuple, replace

import torch
from torch import fx

from sim.importers.kernels import window_fields, window_steps
from sim.importers.pytorch.enlarging import averaged_within
from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import (
    arguments_of,
    break_rule,
    image_shape,
    pair,
    undilated,
    widened,
)
from sim.spec.network import LayerKind, Padding

__all__ = ["POOLS", "pool"]


def _mean(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    rank = len(given["self"].meta["val"].shape)
    dims = sorted({dim % rank for dim in given["dim"] or range(rank)})
    if rank < 3 or dims != list(range(2, rank)):
        break_rule(node, "mean must be taken over height and width", dims)
    if value.shape[:2] == (1, 1):
        return replace(value, alone=value.alone and graph.read_once(node))
    layer = FloatLayer(
        name=graph.layer_name(node),
        kind=LayerKind.MEAN,
        inputs=(value.tensor,),
        shape=(1, 1, value.shape[2]),
    )
    return graph.append(node, layer, positive=value.positive)


def _average_pool(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    own, taps = pair(given["padding"]), pair(given["kernel_size"])
    stride, wide = pair(given["stride"] or taps), widened(value.padding, own)
    divisor = given["divisor_override"] or taps[0] * taps[1]
    if any(own) and not (given["count_include_pad"] or given["divisor_override"]):
        graph.unpadded(node, value)
        shape = _pooled_shape(node, value, taps, stride, wide)
        return averaged_within(graph, node, value, (taps, stride, own), shape)
    if wide == Padding() and divisor == taps[0] * taps[1]:
        return _average(graph, node, value, taps, stride)
    channels = value.shape[2]
    layer = FloatLayer(
        name=graph.layer_name(node),
        kind=LayerKind.DEPTHWISE if channels > 1 else LayerKind.CONV,
        inputs=(value.tensor,),
        shape=_pooled_shape(node, value, taps, stride, wide),
        kernel=taps,
        stride=stride,
        padding=wide,
        weight=torch.full((channels, 1, *taps), 1 / divisor, dtype=torch.float64),
        bias=torch.zeros(channels, dtype=torch.float64),
        weight_scales=torch.full((channels,), 1 / divisor, dtype=torch.float64),
    )
    return graph.append(node, layer, positive=value.positive and divisor > 0)


def _adaptive_pool(graph: Graph, node: fx.Node, value: Value) -> Value:
    rows, columns = pair(arguments_of(node)["output_size"])
    height, width = value.shape[:2]
    if height % rows or width % columns:
        rule = f"output of an adaptive pool must divide its input {(height, width)}"
        break_rule(node, rule, (rows, columns))
    taps = (height // rows, width // columns)
    return _average(graph, node, value, taps, taps)


def _average(
    graph: Graph, node: fx.Node, value: Value, taps: tuple[int, int], stride: tuple[int, int]
) -> Value:
    whole = taps == value.shape[:2]
    kind = LayerKind.GLOBAL_AVERAGE_POOL if whole else LayerKind.AVERAGE_POOL
    window = ((1, 1), (1, 1)) if whole else (taps, stride)
    shape = _pooled_shape(node, value, taps, stride, Padding())
    return graph.append(
        node, pool(graph, node, value, kind, *window, shape), positive=value.positive
    )


def _largest(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Largest value of each channel: pools of pools."""
    given = arguments_of(node)
    if "output_size" in given:
        if pair(given["output_size"]) != (1, 1):
            rule = "output of an adaptive max pool must be (1, 1)"
            break_rule(node, rule, pair(given["output_size"]))
    else:
        rank = len(given["self"].meta["val"].shape)
        dims = sorted({dim % rank for dim in given["dim"] or range(rank)})
        if rank < 3 or dims != list(range(2, rank)):
            break_rule(node, "maximum must be taken over height and width", dims)
    source = value
    for place, (kernel, size) in enumerate(window_steps(value.shape[:2])):
        fields = window_fields(source.shape[:2], kernel, size)
        layer = pool(
            graph, node, source, LayerKind.MAX_POOL, kernel, kernel, (*size, value.shape[2])
        )
        name = layer.name if size == (1, 1) else f"{layer.name}_{place}"
        layer = replace(layer, name=name, padding=fields["padding"])
        source = graph.append(node, layer, positive=value.positive)
    return replace(source, alone=(source is not value or value.alone) and graph.read_once(node))


def _max_pool(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    undilated(node, given)
    if value.padding != Padding() and not value.positive:
        # a zero could be the largest value of a window, but the hardware's padding never wins
        break_rule(node, "zero padding must follow a ReLU", astuple(value.padding))
    wide = widened(value.padding, pair(given["padding"]))
    taps = pair(given["kernel_size"])
    if max(wide.top, wide.bottom) >= taps[0] or max(wide.left, wide.right) >= taps[1]:
        break_rule(node, f"padding must be smaller than the window {taps}", astuple(wide))
    stride = pair(given["stride"] or taps)
    shape = _pooled_shape(node, value, taps, stride, wide)
    layer = pool(graph, node, value, LayerKind.MAX_POOL, taps, stride, shape)
    return graph.append(node, replace(layer, padding=wide), positive=value.positive)


def pool(
    graph: Graph,
    node: fx.Node,
    value: Value,
    kind: LayerKind,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    shape: tuple[int, int, int],
) -> FloatLayer:
    """Layer of a window that has no weights."""
    return FloatLayer(
        name=graph.layer_name(node),
        kind=kind,
        inputs=(value.tensor,),
        shape=shape,
        kernel=kernel,
        stride=stride,
    )


def _pooled_shape(
    node: fx.Node,
    value: Value,
    taps: tuple[int, int],
    stride: tuple[int, int],
    pad: Padding,
) -> tuple[int, int, int]:
    """Shape of a pool's output, whose last windows end within the padded image."""
    windows = pad.windows(value.shape[:2], taps, stride)
    shape = image_shape(node)
    if shape != (*windows, value.shape[2]):
        break_rule(node, f"ceil_mode must not add windows to {windows}", shape[:2])
    return shape


POOLS = {
    "aten.mean.dim": Reader(read=_mean),
    "aten.amax.default": Reader(read=_largest),
    "aten.adaptive_max_pool2d.default": Reader(read=_largest),
    "aten.avg_pool2d.default": Reader(read=_average_pool, takes_padding=True, takes_views=False),
    "aten._adaptive_avg_pool2d.default": Reader(read=_adaptive_pool, takes_views=False),
    "aten.max_pool2d_with_indices.default": Reader(
        read=_max_pool, takes_padding=True, takes_views=False
    ),
}
"""Readers of pools and means, by ATen's names."""
