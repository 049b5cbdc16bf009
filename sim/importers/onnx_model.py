"""An ONNX model as plain objects: nodes, constants and the ends of its graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError

__all__ = ["OnnxEnd", "OnnxModel", "OnnxNode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxNode:
    """A node of the graph; an input of "" is one that is left out."""

    index: int
    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def refuse(self, rule: str) -> NoReturn:
        """Raise the one line that names the node, its output tensor and the rule."""
        tensor = self.outputs[0] if self.outputs else ""
        name = f" {self.name!r}" if self.name else ""
        raise UnsupportedModelError(
            f"node {self.index} {self.operator}{name} (tensor {tensor!r}): {rule}"
        )

    def has_input(self, position: int) -> bool:
        """Whether an optional input is there."""
        return position < len(self.inputs) and self.inputs[position] != ""

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute of integers; refused if they are not as many as the default's."""
        value = tuple(self.attributes.get(name, default))
        if len(value) != len(default):
            self.refuse(f"{name} must be {len(default)} integers, not {list(value)}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxEnd:
    """Input or output of the graph; an axis of open size is its symbol or None."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnnxModel:
    """Nodes in order of execution; ``opset`` is the version of the standard operators."""

    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[OnnxEnd, ...]
    outputs: tuple[OnnxEnd, ...]
    opset: int
