"""Functions at a module's end, of an exported program's graph, that the host computes."""

from dataclasses import replace

from torch import fx

from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import arguments_of, break_rule, sizes_of

__all__ = ["FUNCTIONS"]


def _over_channels(graph: Graph, node: fx.Node, value: Value) -> Value:
    sizes = sizes_of(node)
    rank = len(sizes) + 1
    dim = arguments_of(node)["dim"] % rank
    if dim != 1 or sizes[0] != value.shape[2]:
        break_rule(node, "must be over channels", dim)
    return _function(graph, node, value)


def _function(_: Graph, node: fx.Node, value: Value) -> Value:
    name = str(node.target).split(".")[1].lstrip("_")
    return replace(value, alone=False, functions=(*value.functions, name))


FUNCTIONS = {
    "aten._softmax.default": Reader(read=_over_channels, takes_functions=True),
    "aten._log_softmax.default": Reader(read=_over_channels, takes_functions=True),
    "aten.sigmoid.default": Reader(read=_function, takes_functions=True),
}
"""Readers of functions that the host computes, by ATen's names."""
