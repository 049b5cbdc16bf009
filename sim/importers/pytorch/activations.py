"""Activations that are no clamps, of an exported program's graph: functions that become activation tables.

Operators on single values that follow each other are one function of the tensor before them, and so is their
product with that tensor: what a decomposed Hardswish or SiLU consists of.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, fx

from sim.importers.pytorch.elementwise import ELEMENTWISE
from sim.importers.pytorch.float_network import FloatLayer, Function
from sim.importers.pytorch.functions import FUNCTIONS
from sim.importers.pytorch.graph import Graph, Reader, Value
from sim.importers.pytorch.nodes import (
    UnsupportedModuleError,
    arguments_of,
    break_rule,
    sizes_of,
    title,
)
from sim.importers.pytorch.products import multiplied
from sim.importers.pytorch.shapes import VIEWS
from sim.spec.network import LayerKind

__all__ = ["ACTIVATIONS"]

_UNARY = (
    "abs.default", "elu.default", "exp.default", "expm1.default", "gelu.default", "gt.Scalar",
    "leaky_relu.default", "log1p.default", "neg.default", "tanh.default",
)  # fmt: skip
_OTHERS = (
    "add.Scalar", "div.Tensor", "gt.Tensor", "minimum.default", "mul.Scalar", "mul.Tensor", "sub.Tensor",
    "where.self",
)  # fmt: skip
_PRODUCT = "operands must be a tensor of the image and a function of it, or one number"


def _function(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Append the layer of a function of one tensor; the layer of a part of it is left out in the end."""
    sources = [source for source in node.all_input_nodes if source in graph.values]
    parts = {source: _part(graph, source) for source in sources}
    tensors = {tensor for tensor, _ in parts.values()}
    if len(tensors) > 1 and str(node.target) == "aten.mul.Tensor":
        return multiplied(graph, node)
    if len(tensors) > 1:
        break_rule(node, _PRODUCT, sorted(tensors))
    for source in sources:
        graph.unpadded(node, graph.values[source])
        if sizes_of(source) != sizes_of(node):
            break_rule(node, "operands must have one shape", [sizes_of(s) for s in sources])
    constants = {
        source: _number(graph, node, source)
        for source in node.all_input_nodes
        if source not in graph.values
    }
    layer = FloatLayer(
        name=graph.layer_name(node),
        kind=LayerKind.MAX_POOL,
        inputs=(next(iter(tensors)),),
        shape=value.shape,
        function=_composed(node, {source: part for source, (_, part) in parts.items()}, constants),
    )
    return graph.append(node, layer)


def _part(graph: Graph, source: fx.Node) -> tuple[str, Function]:
    """The tensor that a node's value is a function of, and the function."""
    value = graph.values[source]
    layer = graph.layers.get(value.tensor)
    if layer is None or layer.function is None or value.quantized or value.tensor in graph.scales:
        return value.tensor, lambda x: x
    return layer.inputs[0], layer.function


def _number(graph: Graph, node: fx.Node, source: fx.Node) -> Tensor:
    data = graph.constant(node, source, "operand")
    if data.numel() != 1:
        break_rule(node, "constants must be one number for all channels", list(data.shape))
    return data.reshape(())


def _composed(
    node: fx.Node, parts: dict[fx.Node, Function], constants: dict[fx.Node, Tensor]
) -> Function:
    operator: Any = node.target

    def function(x: Tensor) -> Tensor:
        made: dict[fx.Node, Any] = {source: part(x) for source, part in parts.items()}
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda item: (made | constants)[item])
        result: Tensor = operator(*args, **kwargs)
        return result

    return function


def _clamp(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Read a clamp: of a function it is a part."""
    layer = graph.layers.get(value.tensor)
    if layer is None or layer.function is None or value.quantized or value.tensor in graph.scales:
        return ELEMENTWISE[str(node.target)].read(graph, node, value)
    return _function(graph, node, value)


def _add(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Read a sum: with a number it is a function."""
    given = arguments_of(node)
    if all(isinstance(given[name], fx.Node) and given[name] in graph.values for name in _TERMS):
        return ELEMENTWISE[str(node.target)].read(graph, node, value)
    return _function(graph, node, value)


_TERMS = ("self", "other")


def _sigmoid(graph: Graph, node: fx.Node, value: Value) -> Value:
    """Read a sigmoid: at the end it is the host's."""
    if _at_end(node):
        return FUNCTIONS[str(node.target)].read(graph, node, value)
    if value.functions:
        rule = f"{value.functions[-1]} must be at the end of the module, where the host computes it"
        raise UnsupportedModuleError(f"{rule}, not before {title(node)}")
    return _function(graph, node, value)


def _at_end(node: fx.Node) -> bool:
    """Whether the host computes all that follows."""
    known = VIEWS.keys() | FUNCTIONS.keys()
    return all(
        user.op == "output" or (str(user.target) in known and _at_end(user)) for user in node.users
    )


def _reader(read: Callable[[Graph, fx.Node, Value], Value]) -> Reader:
    return Reader(read=read)


ACTIVATIONS = (
    {f"aten.{name}": _reader(_function) for name in (*_UNARY, *_OTHERS)}
    | {name: _reader(_clamp) for name in ELEMENTWISE if name != "aten.add.Tensor"}
    | {
        "aten.add.Tensor": _reader(_add),
        "aten.sigmoid.default": replace(FUNCTIONS["aten.sigmoid.default"], read=_sigmoid),
    }
)
"""Readers of functions, by ATen's names; clamps and sums are read as ever where they are no part of a function."""
