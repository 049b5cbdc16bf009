"""Sections of an experiment: dataclasses whose fields state their rule."""

from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any

from pydantic import create_model

from sim.spec.documents import Record
from sim.spec.rules import Choice, Integer, Number, Rule, Truth

__all__ = ["Section", "choice", "integer", "number", "record", "ruled", "truth"]


def ruled(default: Any, rule: Rule) -> Any:
    """Field with a default and the rule that its values keep."""
    return field(default=default, metadata={"rule": rule})


def integer(default: int, low: int, high: int) -> Any:
    """Field of an integer in low … high."""
    return ruled(default, Integer(low, high))


def number(default: float, low: float, high: float) -> Any:
    """Field of a number in low … high."""
    return ruled(default, Number(low, high))


def choice(default: str, *choices: str) -> Any:
    """Field of one of some words."""
    return ruled(default, Choice(choices))


def truth(default: bool) -> Any:
    """Field of true or false."""
    return ruled(default, Truth())


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Settings whose fields state their rule."""

    def __post_init__(self) -> None:
        """Check every field against its rule."""
        for entry in fields(self):
            if "rule" in entry.metadata:
                entry.metadata["rule"].require(getattr(self, entry.name), entry.name)

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


def record(section: type[Section], **sections: Any) -> type[Record]:
    """Schema of a section: the fields of its class with their rules and defaults."""
    columns = {
        entry.name: (Annotated[Any, entry.metadata["rule"]], entry.default)
        for entry in fields(section)
        if "rule" in entry.metadata
    }
    made: type[Record] = create_model(  # type: ignore[call-overload]  # fields by name
        section.__name__, __base__=Record, **columns, **sections
    )
    return made
