"""Nodes of an exported program's graph: their arguments and shapes, and how they are refused."""

import math
from collections.abc import Sequence
from typing import Any, Never

from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from sim.spec.errors import CosilicoError
from sim.spec.network import Padding

__all__ = [
    "IMAGE",
    "SUPPORTED_MODULES",
    "UnsupportedModuleError",
    "arguments_of",
    "bounds_of",
    "break_rule",
    "image_shape",
    "kept_tensors",
    "output_name",
    "pair",
    "refuse",
    "refuse_kept",
    "refuse_result",
    "sizes_of",
    "stored_tensors",
    "title",
    "undilated",
    "widened",
]

SUPPORTED_MODULES = (
    "convolution, batch normalization, ReLU, ReLU6, hardtanh and clamp, linear, add, "
    "average pooling, max pooling, mean over height and width, zero padding, flatten, dropout, "
    "functions of single values such as SiLU, Hardswish, GELU and tanh, and at the end softmax, log_softmax, sigmoid"
)


IMAGE = 4
"""Axes of an image [N, C, H, W]."""


class UnsupportedModuleError(CosilicoError):
    """A module does what the integer arithmetic has no layer for."""


def refuse(node: fx.Node) -> Never:
    """Say that no layer does what the node does."""
    raise UnsupportedModuleError(f"{title(node)} is not supported; there is {SUPPORTED_MODULES}")


def break_rule(node: fx.Node, rule: str, value: Any) -> Never:
    """Say which rule of its layer the node breaks, and with what."""
    raise UnsupportedModuleError(f"{title(node)}: {rule}, not {value!r}")


def refuse_kept(name: str) -> Never:
    """Say that the module changes a tensor of its own, or returns it beside its results."""
    rule = "module must be in inference mode and keep nothing for later"
    raise UnsupportedModuleError(f"{rule}, not {name!r:.80}")


def refuse_result(result: object, place: int, count: int) -> Never:
    """Say that the module returns something other than a tensor, in one of ``count`` places."""
    name = output_name(place, count)
    raise UnsupportedModuleError(f"module must return tensors alone, not {result!r:.40} as {name}")


def output_name(place: int, count: int) -> str:
    """Name in errors of an output of a module, which has ``count`` of them."""
    return f"output {place}" if count > 1 else "its output"


def sizes_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of a node's first result without the batch."""
    results = node.meta["val"]
    first = results[0] if isinstance(results, tuple | list) else results
    sizes = tuple(first.shape[1:])
    if not all(isinstance(size, int) for size in sizes):
        break_rule(node, "shapes must be fixed but for the batch", [str(s) for s in sizes])
    return sizes


def image_shape(node: fx.Node) -> tuple[int, int, int]:
    """Height, width and channels of a node's first result.

    A signal [N, C, L] has height 1, a vector [N, C] is a single pixel.
    """
    sizes = sizes_of(node)
    if not 1 <= len(sizes) <= 3:
        rule = "result must have shape [N, C, H, W], [N, C, L] or [N, C]"
        break_rule(node, rule, ["N", *sizes])
    channels, *pixels = sizes
    height, width = [*[1] * (2 - len(pixels)), *pixels]
    return (height, width, channels)


def stored_tensors(program: ExportedProgram) -> dict[str, tuple[str, Tensor]]:
    """Name in the module and value of every placeholder that is not an argument."""
    stored: dict[str, tuple[str, Tensor]] = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT or spec.target is None:
            continue
        value = program.state_dict.get(spec.target, program.constants.get(spec.target))
        if isinstance(value, Tensor):
            stored[spec.arg.name] = (spec.target, value)
    return stored


def kept_tensors(program: ExportedProgram) -> list[str]:
    """Names in the module of what a program changes, or returns beside the module's results."""
    return [
        str(spec.target or spec.arg.name)
        for spec in program.graph_signature.output_specs
        if spec.kind is not OutputKind.USER_OUTPUT
    ]


def arguments_of(node: fx.Node) -> dict[str, Any]:
    """Arguments of an operator by name, its defaults included."""
    schema: Any = getattr(node.target, "_schema")  # noqa: B009  # Target has no such member for mypy
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False))
    defaults = {
        argument.name: argument.default_value
        for argument in schema.arguments
        if argument.has_default_value()
    }
    return defaults | given | node.kwargs


def bounds_of(node: fx.Node) -> tuple[float, float]:
    """Least and greatest output of an activation."""
    given = arguments_of(node)
    low, high = (
        next((given[name] for name in names if name in given), None)
        for names in (("min", "min_val"), ("max", "max_val"))
    )
    if str(node.target) == "aten.relu.default":
        low = 0.0
    least = -math.inf if low is None else float(low)
    greatest = math.inf if high is None else float(high)
    if not least <= greatest:
        break_rule(node, "bounds must be ordered", (least, greatest))
    return least, greatest


def undilated(node: fx.Node, given: dict[str, Any]) -> None:
    """Refuse a window with gaps."""
    if any(step != 1 for step in given["dilation"]):
        break_rule(node, "dilation must be 1", pair(given["dilation"]))


def pair(sizes: Sequence[int], rank: int = IMAGE, alone: int = 1) -> tuple[int, int]:
    """(vertical, horizontal) of one size for both or of two.

    Of a signal, whose ``rank`` is 3, the size is the horizontal alone: ``alone`` is the vertical.
    """
    return (alone if rank < IMAGE else sizes[0], sizes[-1])


def widened(
    padding: Padding, before: tuple[int, int], after: tuple[int, int] | None = None
) -> Padding:
    """Padding with (rows, columns) more at the top and left, and at the bottom and right."""
    rows, columns = before if after is None else after
    return padding + Padding(top=before[0], bottom=rows, left=before[1], right=columns)


def title(node: fx.Node) -> str:
    """An operator with its index among all of the graph, and the name of what it computes."""
    operators = [other for other in node.graph.nodes if other.op == "call_function"]
    if node not in operators:
        return f"{node.op} {node.name!r}"
    return f"operator {operators.index(node)} {node.target} (tensor {node.name!r})"
