"""Rules of single values from files, each of which words itself: ``must be <rule>, not <value>``."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from reprlib import Repr
from typing import Any

import numpy as np
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = [
    "Choice",
    "Digest",
    "EntryPoint",
    "FileName",
    "Identifier",
    "Integer",
    "Name",
    "Number",
    "OrNone",
    "PathText",
    "Rising",
    "Rule",
    "Shape",
    "Text",
    "Truth",
    "shown",
]

_SHOWN_LIMIT = 80

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_REPR.maxlevel = 3


def shown(value: Any) -> str:
    """A value in an error's line: its repr, without control characters, cut to 80 characters."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an integer of {value.bit_length()} bits"
    text = _REPR.repr(value)
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN_LIMIT else f"{text[: _SHOWN_LIMIT - 1]}…"


class Rule(ABC):
    """A rule that stands in an annotation: ``Annotated[int, Integer(1, 8)]``.

    ``str`` gives its words. Values are of the very type that JSON gives: no text is taken for a
    number and no truth value for 1.
    """

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""

    def checked(self, value: Any) -> Any:
        """Return the value if it keeps the rule, and refuse it as pydantic does if not.

        Raises
        ------
        PydanticCustomError
            With the rule's words.
        """
        if not self.accepts(value):
            # The text is a template, whose braces pydantic would fill in.
            raise PydanticCustomError("rule", "{rule}", {"rule": str(self)})
        return self.converted(value)

    def converted(self, value: Any) -> Any:
        """Form in which a value that keeps the rule is kept."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values that keep the rule, as far as such a schema can say it."""
        return {}

    def require(self, value: Any, what: str) -> None:
        """Raise ``ValueError`` with the line ``<what> must be <rule>, not <value>``."""
        if not self.accepts(value.item() if isinstance(value, np.generic) else value):
            raise ValueError(f"{what} must be {self}, not {shown(value)}")

    def __get_pydantic_core_schema__(
        self, source: Any, schema_of: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate with :meth:`checked`."""
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, schema_of: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the values for JSON Schema."""
        return {"description": str(self), **self.json_schema()}


@dataclass(frozen=True, slots=True)
class Integer(Rule):
    """An integer from ``low`` to ``high``."""

    low: int
    high: int

    def __str__(self) -> str:
        """The rule in words."""
        return f"an integer in {self.low} … {self.high}"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return type(value) is int and self.low <= value <= self.high

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Number(Rule):
    """A finite number from ``low`` to ``high``."""

    low: float
    high: float

    def __str__(self) -> str:
        """The rule in words."""
        return f"a number in {self.low} … {self.high}"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return type(value) in (int, float) and self.low <= value <= self.high

    def converted(self, value: Any) -> float:
        """The value as a float."""
        return float(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Text(Rule):
    """Text of at most ``limit`` printable characters."""

    limit: int

    def __str__(self) -> str:
        """The rule in words."""
        return f"text of at most {self.limit} printable characters"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and len(value) <= self.limit and value.isprintable()

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class Name(Rule):
    """A name: one printable character or more."""

    limit: int = 200

    def __str__(self) -> str:
        """The rule in words."""
        return f"a name of 1 … {self.limit} printable characters"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and 0 < len(value) <= self.limit and value.isprintable()

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "minLength": 1, "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class Choice(Rule):
    """A word out of several."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        """The rule in words."""
        return f"one of {', '.join(self.words)}"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and value in self.words

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Shape(Rule):
    """A list of ``least`` … ``most`` integers from ``low`` to ``high``, as a tuple."""

    least: int
    most: int
    low: int
    high: int

    def __str__(self) -> str:
        """The rule in words."""
        count = f"{self.least}" if self.least == self.most else f"{self.least} … {self.most}"
        return f"a list of {count} integers in {self.low} … {self.high}"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return (
            isinstance(value, list)
            and self.least <= len(value) <= self.most
            and all(type(x) is int and self.low <= x <= self.high for x in value)
        )

    def converted(self, value: Any) -> tuple[int, ...]:
        """The value as a tuple."""
        return tuple(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {
            "type": "array",
            "minItems": self.least,
            "maxItems": self.most,
            "items": Integer(self.low, self.high).json_schema(),
        }


@dataclass(frozen=True, slots=True)
class Digest(Rule):
    """A SHA-256 in hexadecimal."""

    def __str__(self) -> str:
        """The rule in words."""
        return "64 hexadecimal digits"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


@dataclass(frozen=True, slots=True)
class FileName(Rule):
    """A file's name without a folder: the file lies beside the file that names it."""

    def __str__(self) -> str:
        """The rule in words."""
        return "a file's name without a folder"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return Name().accepts(value) and "/" not in value and value not in (".", "..")

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "minLength": 1, "maxLength": Name().limit}


@dataclass(frozen=True, slots=True)
class OrNone(Rule):
    """Null, or a value that keeps another rule."""

    rule: Rule

    def __str__(self) -> str:
        """The rule in words."""
        return f"{self.rule} or null"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return value is None or self.rule.accepts(value)

    def converted(self, value: Any) -> Any:
        """Null, or the value as the other rule keeps it."""
        return None if value is None else self.rule.converted(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"anyOf": [self.rule.json_schema(), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Identifier(Rule):
    """A name that may stand in a file's name and in a report."""

    limit: int = 64

    def __str__(self) -> str:
        """The rule in words."""
        return f"at most {self.limit} letters, digits and underscores"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and value.isidentifier() and len(value) <= self.limit

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "pattern": "^[^\\W\\d]\\w*$", "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class Truth(Rule):
    """True or false."""

    def __str__(self) -> str:
        """The rule in words."""
        return "true or false"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return type(value) is bool

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class PathText(Rule):
    """The path of a file or a folder, relative to the file that names it."""

    limit: int = 1000

    def __str__(self) -> str:
        """The rule in words."""
        return f"a path of 1 … {self.limit} printable characters"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return isinstance(value, str) and 0 < len(value) <= self.limit and value.isprintable()

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "minLength": 1, "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class EntryPoint(Rule):
    """An object of a Python module, as the entry points of packages name it."""

    limit: int = 200

    def __str__(self) -> str:
        """The rule in words."""
        return f"package:object, at most {self.limit} characters"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        if not isinstance(value, str) or len(value) > self.limit:
            return False
        module, colon, name = value.partition(":")
        parts = (*module.split("."), *name.split("."))
        return bool(colon) and all(part.isidentifier() for part in parts)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {"type": "string", "pattern": "^[^:]+:[^:]+$", "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class Rising(Rule):
    """A list of 1 … ``most`` numbers that rise, each by a rule of its own; as a tuple."""

    rule: Integer | Number
    most: int = 64

    def __str__(self) -> str:
        """The rule in words."""
        kind = "integers" if isinstance(self.rule, Integer) else "numbers"
        return f"a rising list of 1 … {self.most} {kind} in {self.rule.low} … {self.rule.high}"

    def accepts(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return (
            isinstance(value, list)
            and 0 < len(value) <= self.most
            and all(self.rule.accepts(item) for item in value)
            and all(a < b for a, b in pairwise(value))
        )

    def converted(self, value: Any) -> tuple[Any, ...]:
        """The value as a tuple."""
        return tuple(self.rule.converted(item) for item in value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the values."""
        return {
            "type": "array",
            "minItems": 1,
            "maxItems": self.most,
            "items": self.rule.json_schema(),
        }
