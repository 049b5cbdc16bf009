"""Clamps and sums, of an exported program's graph."""

from dataclasses import replace

from torch import fx

from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import arguments_of, bounds_of, break_rule, sizes_of
from sim.importers.pytorch.pooling import pool
from sim.spec.network import LayerKind

__all__ = ["ELEMENTWISE"]


def _activation(graph: Graph, node: fx.Node, value: Value) -> Value:
    low, high = bounds_of(node)
    source = graph.layers.get(value.tensor)
    if source is None or not value.alone:
        # values pass through a window of one tap, which is only there for its clamp
        layer = pool(graph, node, value, LayerKind.MAX_POOL, (1, 1), (1, 1), value.shape)
        graph.layers[layer.name] = replace(layer, clamp=(low, high))
        return Value(
            tensor=layer.name,
            shape=value.shape,
            alone=graph.read_once(node),
            positive=value.positive or low >= 0,
            quantized=value.quantized,
        )
    first, last = source.clamp
    clamp = (min(max(first, low), high), min(max(last, low), high))
    graph.layers[source.name] = replace(source, clamp=clamp)
    positive = clamp[0] >= 0 or (value.positive and high >= 0)
    return replace(value, alone=graph.read_once(node), positive=positive)


def _add(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    operands = (given["self"], given["other"])
    if given["alpha"] != 1:
        break_rule(node, "alpha must be 1", given["alpha"])
    for operand in operands:
        if not isinstance(operand, fx.Node) or operand not in graph.values:
            break_rule(node, "both operands must come from the image", str(operand))
        graph.unpadded(node, graph.values[operand])
    a, b = (graph.values[operand] for operand in operands)
    sizes = [sizes_of(operand) for operand in operands]
    if a.shape != b.shape or sizes[0] != sizes[1]:
        break_rule(node, "operands must have one shape", sizes)
    layer = FloatLayer(
        name=graph.layer_name(node),
        kind=LayerKind.ADD,
        inputs=(a.tensor, b.tensor),
        shape=a.shape,
    )
    return graph.append(node, layer)


_CLAMPS = (
    "relu.default",
    "hardtanh.default",
    "clamp.default",
    "clamp_min.default",
    "clamp_max.default",
)

ELEMENTWISE = {f"aten.{name}": Reader(read=_activation) for name in _CLAMPS} | {
    "aten.add.Tensor": Reader(read=_add)
}
"""Readers of clamps and sums, by ATen's names."""
