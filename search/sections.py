"""Sections of an experiment: dataclasses whose fields state their rule."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from types import GenericAlias
from typing import Annotated, Any, TypeVar

from pydantic import Field, create_model

from sim.spec.documents import Record
from sim.spec.errors import DesignFileError
from sim.spec.rules import Choice, Integer, Number, OrNone, Rule, Truth

__all__ = [
    "Section",
    "choice",
    "field_texts",
    "integer",
    "made",
    "number",
    "optional",
    "record",
    "required",
    "ruled",
    "several",
    "truth",
]

AnySection = TypeVar("AnySection", bound="Section")


def ruled(default: Any, rule: Rule) -> Any:
    """Field with a default and the rule that its values keep."""
    return field(default=default, metadata={"rule": rule})


def required(rule: Rule) -> Any:
    """Field that must be given, and the rule that its values keep."""
    return field(metadata={"rule": rule})


@dataclass(frozen=True, slots=True)
class _Optional(OrNone):
    """A rule whose field may be left out, which a file cannot say of it by a value."""

    def __str__(self) -> str:
        """Return the words of the rule itself."""
        return str(self.rule)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return self.rule.json_schema()


def optional(rule: Rule) -> Any:
    """Field that may be left out, and is then None."""
    return ruled(None, _Optional(rule))


def several(kind: type["Section"], most: int = 64) -> Any:
    """Field that is a tuple of sections, a list of tables in a file; none by default."""
    return field(default=(), metadata={"sections": kind, "most": most})


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
        """Check every field against its rule, which is that of files: a tuple is a list in them."""
        for entry in fields(self):
            if "rule" in entry.metadata:
                entry.metadata["rule"].require(_plain(getattr(self, entry.name)), entry.name)

    def to_json(self) -> dict[str, Any]:
        """Fields that a file states, as a JSON object; without those that are left out."""
        return {
            entry.name: _plain(getattr(self, entry.name))
            for entry in fields(self)
            if entry.metadata and getattr(self, entry.name) is not None
        }


def record(section: type[Section], **sections: Any) -> type[Record]:
    """Schema of a section: the fields of its class with their rules and defaults."""
    columns: dict[str, Any] = {}
    for entry in fields(section):
        kind = entry.metadata
        if "rule" in kind:
            default = ... if entry.default is MISSING else entry.default
            columns[entry.name] = (Annotated[Any, kind["rule"]], default)
        elif "section" in kind:
            schema = record(kind["section"])
            columns[entry.name] = (schema, Field(default_factory=schema))
        elif "sections" in kind:
            limit: Any = Field(default_factory=list, max_length=kind["most"])
            columns[entry.name] = (GenericAlias(list, (record(kind["sections"]),)), limit)
    whole: type[Record] = create_model(section.__name__, __base__=Record, **columns, **sections)
    return whole


def made(kind: type[AnySection], values: Record, name: str, **others: Any) -> AnySection:
    """Section of a record that keeps its rules.

    Raises
    ------
    DesignFileError
        If the fields do not fit together: a line that begins with the section's name.
    """
    inner = {}
    for entry in fields(kind):
        value = getattr(values, entry.name, None)
        where = f"{name}.{entry.name}"
        if "section" in entry.metadata and value is not None:
            inner[entry.name] = made(entry.metadata["section"], value, where)
        elif "sections" in entry.metadata:
            inner[entry.name] = tuple(
                made(entry.metadata["sections"], item, f"{where}[{i}]")
                for i, item in enumerate(value or ())
            )
    try:
        return kind(**dict(values) | inner, **others)
    except ValueError as error:
        raise DesignFileError(f"{name}.{error}") from None


def field_texts(section: type[Section]) -> dict[str, str]:
    """Description of every field, from the numpydoc of the section's class and its bases."""
    texts: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if issubclass(kind, Section):
            texts |= dict(_parameters(inspect.cleandoc(kind.__doc__ or "")))
    return texts


def _plain(value: Any) -> Any:
    """Value as JSON has it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.to_json() if isinstance(value, Section) else value


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    """Name and description of each parameter of a docstring."""
    _, _, listed = text.partition("Parameters\n----------\n")
    for names, description in re.findall(r"^(\w[\w, ]*) :[^\n]*\n((?: +[^\n]*\n?)*)", listed, re.M):
        for name in names.split(", ") if description else ():
            yield name, " ".join(description.split())
