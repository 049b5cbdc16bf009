"""Products of two tensors, of one shape or one of a value for each channel or pixel of the other, of an exported program's graph."""

import math

import torch
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
    if not _fits(sizes[1], sizes[0]):
        a, b = b, a
    alike = sizes[0] == sizes[1] and graph.values[a].shape == graph.values[b].shape
    if not alike and not _fits(sizes_of(b), sizes_of(a)):
        rule = (
            "product of tensors must be of one shape, or with one value for each channel or pixel"
        )
        break_rule(node, rule, sizes)
    for operand in (a, b):
        graph.unpadded(node, graph.values[operand])
    value, other = graph.values[a], graph.values[b]
    name, tensor = graph.layer_name(node), other.tensor
    if other.shape[2] < value.shape[2]:
        tensor = _repeated(graph, f"{name}_0", other, value.shape[2])
    layer = FloatLayer(
        name=name,
        kind=LayerKind.MULTIPLY,
        inputs=(value.tensor, tensor),
        shape=value.shape,
    )
    return graph.append(node, layer)


def _repeated(graph: Graph, name: str, value: Value, channels: int) -> str:
    """Enter the layer that repeats a tensor's only channel; return its name."""
    graph.layers[name] = FloatLayer(
        name=name,
        kind=LayerKind.CONV,
        inputs=(value.tensor,),
        shape=(*value.shape[:2], channels),
        weight=torch.ones((channels, 1, 1, 1), dtype=torch.float64),
        bias=torch.zeros(channels, dtype=torch.float64),
        weight_scales=torch.ones(channels, dtype=torch.float64),
    )
    if (scale := graph.scale(value.tensor)) is not None:
        graph.scales[name] = scale
    return name


def _fits(other: tuple[int, ...], value: tuple[int, ...]) -> bool:
    """Whether sizes without the batch are those of a value for each channel of another tensor's, for each pixel, or for all."""
    if _is_vector(other, value):
        return True
    return (
        len(other) == len(value) > 1
        and other[0] == 1
        and (other[1:] == value[1:] or math.prod(other) == 1)
    )


def _is_vector(vector: tuple[int, ...], value: tuple[int, ...]) -> bool:
    """Whether sizes without the batch are those of a value for each channel of another tensor's."""
    if not vector or len(vector) != len(value):
        return False
    return math.prod(vector[1:]) == 1 and vector[0] == value[0]
