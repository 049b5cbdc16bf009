"""Nodes of an exported program's graph that leave no layer: zero padding and views."""

from dataclasses import replace

from torch import fx

from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import arguments_of, break_rule, refuse, sizes_of, widened

__all__ = ["VIEWS"]


def _pad(graph: Graph, node: fx.Node, value: Value) -> Value:
    given = arguments_of(node)
    sides = list(given["pad"])
    if given["value"] != 0:
        break_rule(node, "the value of padding must be 0", given["value"])
    left, right, top, bottom, *others = [*sides, 0, 0, 0, 0][: max(4, len(sides))]
    rank = len(node.meta["val"].shape)
    if any(others) or rank not in (3, 4) or (rank == 3 and (top or bottom)):
        break_rule(node, "padding must be around height and width", sides)
    if min(sides, default=0) < 0:
        break_rule(node, "padding must not be negative", sides)
    wide = widened(value.padding, (top, left), (bottom, right))
    return replace(value, padding=wide, alone=value.alone and graph.read_once(node))


def _view(graph: Graph, node: fx.Node, value: Value) -> Value:
    sizes = sizes_of(node)
    height, width, channels = value.shape
    pixels = height * width
    forms = [(channels, height, width), (channels, pixels), (channels * pixels,)]
    flat = pixels == 1 and sizes[:1] == (channels,) and set(sizes[1:]) <= {1}
    first = node.all_input_nodes[0].meta["val"].shape[0]
    if str(node.meta["val"].shape[0]) != str(first) or not (sizes in forms or flat):
        source = tuple(node.all_input_nodes[0].meta["val"].shape[1:])
        rule = f"a view of [N, {', '.join(map(str, source))}] must keep or flatten it"
        break_rule(node, rule, ["N", *sizes])
    return replace(value, alone=value.alone and graph.read_once(node))


def _strided(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Read the form that flattening one pixel takes if channels are innermost in memory."""
    given = arguments_of(node)
    if value.shape[:2] != (1, 1) or given["stride"][1] != 1 or given["storage_offset"]:
        refuse(node)
    return _view(graph, node, value)


def _first(graph: Graph, node: fx.Node, value: Value) -> Value:
    if node.args[1] != 0:
        break_rule(node, "only the first result can be used", node.args[1])
    return replace(value, alone=value.alone and graph.read_once(node))


_PLAIN = (
    "view.default",
    "_unsafe_view.default",
    "squeeze.dims",
    "squeeze.dim",
    "unsqueeze.default",
    "clone.default",
    "alias.default",
)

VIEWS = {f"aten.{name}": Reader(read=_view, takes_functions=True) for name in _PLAIN} | {
    "aten.constant_pad_nd.default": Reader(read=_pad, takes_padding=True),
    "aten.as_strided.default": Reader(read=_strided, takes_functions=True),
    "<built-in function getitem>": Reader(read=_first),
}
"""Readers of zero padding and views, by ATen's names."""
