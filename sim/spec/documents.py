"""Checked access to JSON objects: each fault is one line naming field and rule."""

from typing import Any

from sim.spec.errors import DesignFileError

__all__ = ["field_value", "integer_pair", "names"]


def field_value(data: Any, name: str, kind: type, where: str) -> Any:
    """Value of a field that must be there and of a type; ``where`` names the object."""
    if not isinstance(data, dict):
        raise DesignFileError(f"{where} must be an object, not {data!r}")
    if name not in data:
        raise DesignFileError(f"{where}.{name} must be given")
    value = data[name]
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise DesignFileError(f"{where}.{name} must be of type {kind.__name__}, not {value!r}")
    return value


def names(items: list[Any], where: str) -> list[str]:
    """Items of a list that must all be strings."""
    for item in items:
        if not isinstance(item, str):
            raise DesignFileError(f"{where} must hold names, not {item!r}")
    return items


def integer_pair(value: Any, where: str, low: int) -> tuple[int, int]:
    """Two integers that must be at least ``low``."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(x, int) and not isinstance(x, bool) and x >= low for x in value)
    ):
        raise DesignFileError(f"{where} must be two integers of at least {low}, not {value!r}")
    return (value[0], value[1])
