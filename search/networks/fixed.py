"""A family of a single network: the fixed network of a search of its accelerator."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.architecture import LayerShape
from search.networks.family import NetworkFamily
from sim.spec.rules import Choice, Integer, Rule, shown

if TYPE_CHECKING:  # a family is described without torch
    from search.networks.fixed_supernet import FixedSupernet

__all__ = ["FIXED", "FixedFamily", "fixed_choices"]

_ENDS = {"smallest": 0, "largest": -1}


class _FixedRule(Rule):
    """A word for a network, or a table of what is chosen for its decisions."""

    _words = Choice(tuple(_ENDS))
    _value = Integer(0, (1 << 31) - 1)

    def __str__(self) -> str:
        """The rule in words."""
        return f"{self._words}, or a table of integers by a decision's name"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        if isinstance(value, dict):
            return all(isinstance(name, str) for name in value) and all(
                self._value.accepts(chosen) for chosen in value.values()
            )
        return self._words.accepts(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        table = {"type": "object", "additionalProperties": self._value.json_schema()}
        return {"oneOf": [self._words.json_schema(), table]}


FIXED: Rule = _FixedRule()
"""Rule of what names a network of a family."""


def fixed_choices(
    decisions: Mapping[str, tuple[int, ...]], fixed: str | Mapping[str, int]
) -> dict[str, int]:
    """Index of every decision's choice of the network that ``fixed`` names.

    Parameters
    ----------
    decisions : mapping of name to choices
    fixed : "smallest", "largest" or mapping
        The first or the last choice of every decision; or a choice by the decision's name, the first
        of every decision that is left out.

    Raises
    ------
    ValueError
        If there is no such decision or choice: a line that begins with ``fixed``.
    """
    if isinstance(fixed, str):
        return {name: range(len(values))[_ENDS[fixed]] for name, values in decisions.items()}
    for name, value in fixed.items():
        if name not in decisions:
            known = ", ".join(decisions)
            raise ValueError(f"fixed must name decisions of the space, {known}, not {shown(name)}")
        if value not in decisions[name]:
            raise ValueError(f"fixed.{name} must be one of {list(decisions[name])}, not {value!r}")
    return {
        name: values.index(fixed[name]) if name in fixed else 0
        for name, values in decisions.items()
    }


class FixedFamily:
    """A single network of a family, as a family: every decision has one choice.

    It keeps the supernet of the whole family, of which it trains the weights of the network alone.

    Parameters
    ----------
    family : NetworkFamily
    choices : mapping of decision to int
        Chosen index of every decision of the family.
    """

    def __init__(self, family: NetworkFamily, choices: Mapping[str, int]) -> None:
        self._family = family
        self._member = family.architecture(choices)
        self._choices = family.choices(self._member)

    @property
    def decisions(self) -> Mapping[str, tuple[int, ...]]:
        """Single choice of every decision by name."""
        return {
            name: (values[self._choices[name]],) for name, values in self._family.decisions.items()
        }

    @property
    def size(self) -> int:
        """Number of members."""
        return 1

    def architecture(self, choices: Mapping[str, int]) -> Any:
        """Return the network; all choices are 0."""
        for name, values in self.decisions.items():
            _ = values[choices[name]]
        return self._member

    def choices(self, architecture: Any) -> dict[str, int]:
        """Chosen index of every decision, which is 0.

        Raises
        ------
        ValueError
            If the architecture is another than that which is fixed.
        """
        if architecture != self._member:
            raise ValueError(f"architecture must be {self._member.key}, not {architecture.key}")
        return dict.fromkeys(self._choices, 0)

    def encode(self, architecture: Any) -> NDArray[np.float32]:
        """One-hot choices of all decisions: a 1 for each."""
        return np.ones(len(self.choices(architecture)), np.float32)

    def layers(self, architecture: Any) -> tuple[LayerShape, ...]:
        """Layers in execution order."""
        return self._family.layers(architecture)

    def supernet(self) -> "FixedSupernet":
        """Make the family's supernet, with gates for the single choices."""
        from search.networks.fixed_supernet import FixedSupernet

        return FixedSupernet(self._family, self._choices)
