"""Products of two tensors, of one shape or one of a value for each channel of the other, of an exported program's graph."""

import math

from torch import fx

from sim.importers.pytorch.float_network import FloatLayer
from sim.importers.pytorch.graph import Graph, Value
from sim.importers.pytorch.nodes import arguments_of, break_rule, sizes_of
from sim.spec.network import LayerKind

__all__ = ["multiplied"]


def multiplied(graph: Graph, node: fx.Node) -> Value:
    """Append the product of two tensors, the smaller of which may be either operand."""
    given = arguments_of(node)
    a, b = given["self"], given["other"]
    sizes = [sizes_of(operand) for operand in (a, b)]
    if not _is_vector(sizes[1], sizes[0]):
        a, b = b, a
    alike = sizes[0] == sizes[1] and graph.values[a].shape == graph.values[b].shape
    if not alike and not _is_vector(sizes_of(b), sizes_of(a)):
        rule = "product of tensors must be of one shape, or with one value for each channel"
        break_rule(node, rule, sizes)
    for operand in (a, b):
        graph.unpadded(node, graph.values[operand])
    value, vector = graph.values[a], graph.values[b]
    layer = FloatLayer(
        name=graph.layer_name(node),
        kind=LayerKind.MULTIPLY,
        inputs=(value.tensor, vector.tensor),
        shape=value.shape,
    )
    return graph.append(node, layer)


def _is_vector(vector: tuple[int, ...], value: tuple[int, ...]) -> bool:
    """Whether sizes without the batch are those of a value for each channel of another tensor's."""
    if not vector or len(vector) != len(value):
        return False
    return math.prod(vector[1:]) == 1 and vector[0] == value[0]
