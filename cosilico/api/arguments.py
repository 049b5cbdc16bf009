"""Checks of the public API's arguments, before anything is read, written or computed."""

import math
import operator
from collections.abc import Iterable
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import TypeVar

from sim.cost.objective import METRICS, Metric
from sim.spec.memories import MemorySystem
from sim.spec.memory_record import parse_memory

__all__ = [
    "LAST_SEED",
    "member",
    "memory",
    "metric",
    "number",
    "path",
    "positive_integer",
    "positive_number",
    "results_folder",
    "seed_integer",
    "several",
]

LAST_SEED = 2**31 - 1
"""Largest seed, as on the command line."""

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def positive_integer(name: str, value: object) -> int:
    """Return a count as an ``int``.

    Raises
    ------
    TypeError
        If it is no integer; NumPy's integers are, booleans are not.
    ValueError
        If it is less than 1.
    """
    rule = f"{name} must be a positive integer, not {value!r}"
    count = _integer(value, rule)
    if count < 1:
        raise ValueError(rule)
    return count


def seed_integer(name: str, value: object) -> int:
    """Return a seed as an ``int``, 0 to :data:`LAST_SEED`.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is out of range.
    """
    rule = f"{name} must be an integer from 0 to {LAST_SEED}, not {value!r}"
    seed = _integer(value, rule)
    if not 0 <= seed <= LAST_SEED:
        raise ValueError(rule)
    return seed


def number(name: str, value: object) -> float:
    """Return a real number as a ``float``, infinity included.

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it is NaN.
    """
    rule = f"{name} must be a number, not {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(rule)
    if math.isnan(value):
        raise ValueError(rule)
    return float(value)


def positive_number(name: str, value: object) -> float:
    """Return a real number above 0 as a ``float``, infinity included.

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it is not above 0.
    """
    known = number(name, value)
    if known <= 0:
        raise ValueError(f"{name} must be a number above 0, not {value!r}")
    return known


def path(name: str, value: object) -> Path:
    """Return a path that a caller names.

    Raises
    ------
    TypeError
        If it is neither a text nor a path.
    """
    if not isinstance(value, str | Path):
        raise TypeError(f"{name} must be a path, not {value!r}")
    return Path(value)


def metric(name: str, value: object) -> Metric:
    """Return the metric of an objective.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If there is no such metric.
    """
    rule = f"{name} must be one of {', '.join(METRICS)}, not {value!r}"
    if not isinstance(value, str):
        raise TypeError(rule)
    for known in METRICS:
        if value == known:
            return known
    raise ValueError(rule)


def member(name: str, kind: type[E], value: object) -> E:
    """Return the member of an enumeration that a caller means, by itself or by its text.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If there is no such member.
    """
    rule = f"{name} must be {' or '.join(kind)}, not {value!r}"
    if not isinstance(value, str):
        raise TypeError(rule)
    if value not in list(kind):
        raise ValueError(rule)
    return kind(value)


def memory(value: object) -> MemorySystem:
    """Return the memory that a caller means, by itself or by its text.

    Raises
    ------
    TypeError
        If it is neither a memory nor text.
    CosilicoError
        If the text names none.
    """
    if isinstance(value, MemorySystem):
        return value
    if not isinstance(value, str | Path):
        raise TypeError(f"memory must be a memory or its text, not {value!r}")
    return parse_memory(str(value))


def several(name: str, values: Iterable[T]) -> tuple[T, ...]:
    """Return the entries of an iterable, which has some and is no text.

    Raises
    ------
    TypeError
        If it is no iterable, or a text, whose entries are its letters.
    ValueError
        If it has no entries.
    """
    rule = f"{name} must be a sequence that is not empty, not {values!r}"
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(rule)
    entries = tuple(values)
    if not entries:
        raise ValueError(rule)
    return entries


def results_folder(out: object, *, resume: bool, force: bool) -> Path | None:
    """Return the folder for a search's results, None for a temporary folder.

    Raises
    ------
    TypeError
        If it is neither None nor a path.
    ValueError
        If it is None and ``resume`` or ``force`` is given, which are about a folder.
    """
    if out is not None:
        return path("out", out)
    for name, wanted in (("resume", resume), ("force", force)):
        if wanted:
            raise ValueError(f"{name} must be False without out, not {wanted!r}")
    return None


def _integer(value: object, rule: str) -> int:
    if isinstance(value, bool):
        raise TypeError(rule)
    try:
        return operator.index(value)  # type: ignore[arg-type]  # what has no index raises
    except TypeError:
        raise TypeError(rule) from None
