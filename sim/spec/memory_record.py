"""Memories from text and files: names, values in a line, and the schema of a memory in a file."""

import tomllib
from pathlib import Path
from typing import Any

from sim.spec.archives import read_bytes
from sim.spec.documents import Record, checked
from sim.spec.dram import DRAM_PRESETS, dram_of
from sim.spec.errors import DesignFileError
from sim.spec.memories import DETERMINISTIC, DRAM, FixedLatency, MemorySystem
from sim.spec.queued_memory_record import queued_of
from sim.spec.rules import Choice, shown

__all__ = ["MEMORY_NAMES", "fixed_latency_schema", "memory_of", "parse_memory"]

FILE_SUFFIX = ".toml"
FILE_LIMIT_BYTES = 1 << 20

MEMORY_NAMES = ("deterministic", "dram", *DRAM_PRESETS)
"""Names that :func:`parse_memory` takes."""

_KINDS = Choice(("fixed_latency", "dram", "queued"))


class _FixedLatencyRecord(Record):
    """Kinds of the values; :class:`FixedLatency` checks their ranges."""

    kind: str
    latency: int | None = None
    write_latency: int | None = None
    outstanding: int | None = None
    width_bytes: int | None = None
    clock_mhz: int | None = None
    burst_gap: int = 0


def fixed_latency_schema() -> dict[str, Any]:
    """JSON Schema of a memory of fixed latency in a file; it cannot say the ranges of the values."""
    schema = _FixedLatencyRecord.model_json_schema()
    schema["description"] = "What lies behind the ports: a memory of fixed latency."
    schema["properties"]["kind"]["const"] = "fixed_latency"
    return schema


def parse_memory(text: str) -> MemorySystem:
    """Memory that a text names.

    Parameters
    ----------
    text : str
        ``deterministic``, ``dram``, a DRAM's name, the name of a TOML file, or values of
        :class:`sim.spec.memories.FixedLatency` as ``latency=40,outstanding=4``.

    Raises
    ------
    DesignFileError
        One line that names the rule and the value, and the file if it is in a file.
    """
    if text == "deterministic":
        return DETERMINISTIC
    if text == "dram":
        return DRAM
    if text in DRAM_PRESETS:
        return DRAM_PRESETS[text]
    if text.endswith(FILE_SUFFIX):
        return _read(Path(text))
    if "=" in text:
        return _inline(text)
    names = ", ".join(MEMORY_NAMES)
    raise DesignFileError(
        f"memory must be {names}, a {FILE_SUFFIX} file or values as latency=40,outstanding=4, "
        f"not {shown(text)}"
    )


def memory_of(data: Any, where: str = "memory") -> MemorySystem:
    """Memory of a JSON or TOML object: what ``to_json`` of a memory has written.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value.
    """
    if not isinstance(data, dict):
        raise DesignFileError(f"{where} must be an object, not {shown(data)}")
    kind = data.get("kind")
    if not _KINDS.accepts(kind):
        raise DesignFileError(f"{where}.kind must be {_KINDS}, not {shown(kind)}")
    if kind == "dram":
        return dram_of(data, where)
    if kind == "queued":
        return queued_of(data, where)
    values = dict(checked(_FixedLatencyRecord, data, where))
    del values["kind"]
    try:
        return FixedLatency(**values)
    except ValueError as error:
        raise DesignFileError(f"{where}.{error}") from None


def _read(path: Path) -> MemorySystem:
    content = read_bytes(path, "memory file", FILE_LIMIT_BYTES)
    try:
        data = tomllib.loads(content.decode())
    except RecursionError:
        raise DesignFileError(f"memory file {path} must be TOML, not nested so deep") from None
    except ValueError as error:  # also of integers with more digits than Python reads
        raise DesignFileError(f"memory file {path} must be TOML: {error}") from None
    try:
        return memory_of(data)
    except DesignFileError as error:
        raise DesignFileError(f"memory file {path}: {error}") from None


def _inline(text: str) -> FixedLatency:
    values: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        name = name.strip()
        if name in values:
            raise DesignFileError(f"memory must give {name} once, not {shown(text)}")
        try:
            values[name] = int(value)
        except ValueError:
            raise DesignFileError(f"memory.{name} must be an integer, not {shown(value)}") from None
    memory = memory_of({"kind": "fixed_latency", **values})
    assert isinstance(memory, FixedLatency)
    return memory
