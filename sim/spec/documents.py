"""JSON from files: read within bounds, and checked against a schema at one door."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from sim.spec.archives import read_bytes
from sim.spec.errors import DesignFileError
from sim.spec.rules import shown

__all__ = ["DOCUMENT_LIMIT_BYTES", "Record", "checked", "parse_json", "read_json"]

DOCUMENT_LIMIT_BYTES = 1 << 23
"""Most bytes of a JSON file."""

MAX_DEPTH = 32
"""Most objects and lists of a JSON file within each other."""

MAX_DIGITS = 40
"""Most digits of an integer in a JSON file."""

MAX_CONTAINERS = 1 << 20
"""Most objects and lists, of which each takes up to 250 bytes of memory but 3 in a file."""

MAX_VALUES = 1 << 22
"""Most values in all objects and lists of a JSON file."""

_KINDS = {
    "missing": "given",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "too_long": "a list of at most {max_length} items",
}
"""Rules of pydantic's own types in words."""


class Record(BaseModel):
    """An object in a file: every field has its type, and there is no other."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


_Model = TypeVar("_Model", bound=BaseModel)


class _FaultError(ValueError):
    """Fault that JSON allows and a file of ours must not have."""


def checked(model: type[_Model], data: Any, where: str) -> _Model:
    """Check JSON data by every rule of a schema, and return it as an object of the schema.

    Raises
    ------
    DesignFileError
        One line, ``<where>.<field> must be <rule>, not <value>``, for the first that is not.
    """
    if not isinstance(data, dict):
        raise DesignFileError(f"{where} must be an object, not {shown(data)}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    # A name that is wrong explains a field that is missing, not the other way round.
    first = next((x for x in faults if x["type"] == "extra_forbidden"), faults[0])
    raise DesignFileError(_line(first, where))


def parse_json(text: str | bytes, what: str) -> Any:
    """Value of a JSON text.

    Raises
    ------
    DesignFileError
        If it is no JSON in UTF-8, gives a field twice, has numbers that are not finite or integers
        of more than 40 digits, is nested more than 32 deep, or has more than 2^20 objects and
        lists or 2^22 values. ``what`` names the text.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        _require_few(text, what)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise DesignFileError(f"{what} must be JSON text") from None
    except _FaultError as error:
        raise DesignFileError(f"{what} {error}") from None
    except json.JSONDecodeError as error:
        raise DesignFileError(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise DesignFileError(f"{what} must be nested at most {MAX_DEPTH} deep") from None
    if _deeper(value):
        raise DesignFileError(f"{what} must be nested at most {MAX_DEPTH} deep")
    return value


def read_json(path: Path, what: str, limit_bytes: int = DOCUMENT_LIMIT_BYTES) -> Any:
    """Value of a JSON file; ``what`` ("design file") names it in the error.

    Raises
    ------
    DesignFileError
        As :func:`parse_json`, and if the file cannot be read or is too large.
    """
    return parse_json(read_bytes(path, what, limit_bytes), f"{what} {path}")


def _line(fault: ErrorDetails, where: str) -> str:
    place, kind = where, fault["type"]
    *parents, last = fault["loc"] or ("",)
    unknown = kind == "extra_forbidden"
    for part in parents if unknown else fault["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else str(part)
    if unknown:
        return f"{place or 'the file'} has no field {shown(last)}"
    if kind == "missing":
        return f"{place} must be given"
    rule = fault["msg"] if kind == "rule" else _KINDS.get(kind, "")
    rule = rule.format(**fault.get("ctx", {})) if kind == "too_long" else rule
    return f"{place} must be {rule or fault['msg']}, not {shown(fault['input'])}"


def _require_few(text: str, what: str) -> None:
    """Refuse what would take much memory, counted before anything is made of it."""
    if text.count("[") + text.count("{") > MAX_CONTAINERS:
        raise DesignFileError(f"{what} must have at most {MAX_CONTAINERS} objects and lists")
    if text.count(",") > MAX_VALUES:
        raise DesignFileError(f"{what} must have at most {MAX_VALUES} values")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _FaultError(f"must give {shown(name)} once")
            seen.add(name)
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _FaultError(f"must have integers of at most {MAX_DIGITS} digits, not {len(text)}")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise _FaultError(f"must have finite numbers, not {shown(text)}")
    return value


def _constant(text: str) -> float:
    raise _FaultError(f"must have finite numbers, not {text}")


def _deeper(value: Any) -> bool:
    """Whether a value is nested deeper than allowed; level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            item
            for parent in level
            for item in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(item, dict | list)
        ]
    return bool(level)
