"""Tables of operators that an importer lowers, into which their functions enter themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["OperatorTable", "Supported"]

Lower = TypeVar("Lower", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported(Generic[Lower]):
    """An operator: what it becomes, under which conditions, and the function that lowers it."""

    becomes: str
    conditions: str
    lower: Lower


class OperatorTable(dict[str, Supported[Lower]]):
    """Operators by name."""

    def lowers(self, *names: str, becomes: str, conditions: str) -> Callable[[Lower], Lower]:
        """Enter a function that lowers operators."""

        def enter(function: Lower) -> Lower:
            for name in names:
                self[name] = Supported(becomes=becomes, conditions=conditions, lower=function)
            return function

        return enter
