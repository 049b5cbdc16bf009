"""An ONNX model as plain objects: nodes, constants and the ends of its graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError

__all__ = ["OnnxEnd", "OnnxModel", "OnnxNode"]

_LARGEST = 2**31 - 1
"""Magnitude of an integer attribute; what counts more than that fits into no memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxNode:
    """A node of the graph; an input that is left out is "".

    An attribute of a type that no operator here has is None. They are read by methods that refuse
    those of another type than the operator's.
    """

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
        value = self.optional_integers(name)
        if value is None:
            return default
        if len(value) != len(default):
            self.refuse(f"{name} must be {len(default)} integers, not {value}")
        return tuple(value)

    def optional_integers(self, name: str) -> list[int] | None:
        """An attribute of any number of integers, None if it is not given."""
        if name not in self.attributes:
            return None
        value = self.attributes[name]
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            self.refuse(f"{name} must be integers, not {_shown(value)}")
        for item in value:
            self._check_size(name, item)
        return value

    def integer(self, name: str, default: int) -> int:
        """An attribute of one integer."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            self.refuse(f"{name} must be an integer, not {_shown(value)}")
        self._check_size(name, value)
        return value

    def real(self, name: str, default: float) -> float:
        """An attribute of one real number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, float):
            self.refuse(f"{name} must be a real number, not {_shown(value)}")
        return value

    def text(self, name: str, default: str) -> str:
        """An attribute of text."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            self.refuse(f"{name} must be text, not {_shown(value)}")
        return value

    def axis(self, value: int, rank: int, name: str = "axis") -> int:
        """An axis of ``rank``, counted from the front; a negative axis counts from the end."""
        if not -rank <= value < rank:
            self.refuse(f"{name} must be one of {rank}, not {value}")
        return value % rank

    def _check_size(self, name: str, value: int) -> None:
        if abs(value) > _LARGEST:
            self.refuse(f"{name} must be within 2^31, not {value}")


def _shown(value: Any) -> str:
    """A value of another type, in few words."""
    if isinstance(value, np.ndarray):
        return f"a tensor of shape {value.shape}"
    return "another type" if value is None else f"{value!r:.60}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxEnd:
    """Input or output of the graph; an axis of open size is its symbol or None, as is an open shape."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnnxModel:
    """Nodes in order of execution; ``opset`` is the version of the standard operators."""

    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[OnnxEnd, ...]
    outputs: tuple[OnnxEnd, ...]
    opset: int
