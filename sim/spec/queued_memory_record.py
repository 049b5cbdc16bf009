"""The schema of a queued memory in a file, and the file's text."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import create_model

from sim.spec.documents import Record, checked
from sim.spec.errors import DesignFileError
from sim.spec.queued_memory import CHOICES, LIMITS, QueuedMemory

__all__ = ["queued_of", "queued_toml"]

# Kinds of the values; QueuedMemory checks their ranges.
_FIELDS: dict[str, Any] = {
    "kind": (str, ...),
    "name": (str, "queued"),
    "clock_mhz": (int, ...),
    **dict.fromkeys(CHOICES, (str | None, None)),
    **dict.fromkeys(LIMITS, (int | None, None)),
}
_QueuedRecord = create_model("_QueuedRecord", __base__=Record, **_FIELDS)


def queued_of(data: Any, where: str) -> QueuedMemory:
    """Queued memory of a JSON or TOML object whose ``kind`` is ``queued``.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value.
    """
    values = {
        name: value
        for name, value in dict(checked(_QueuedRecord, data, where)).items()
        if value is not None and name != "kind"
    }
    for name, choices in CHOICES.items():
        if values.get(name) in tuple(choices):
            values[name] = choices(values[name])
    try:
        return QueuedMemory(**values)
    except ValueError as error:
        raise DesignFileError(f"{where}.{error}") from None


def queued_toml(memory: QueuedMemory, remarks: Sequence[str] = ()) -> str:
    """TOML text that :func:`sim.spec.memory_record.parse_memory` reads, with remarks on top."""
    lines = [f"# {remark}" for remark in remarks]
    # A TOML string is written as a JSON string
    lines += [f"{name} = {json.dumps(value)}" for name, value in memory.to_json().items()]
    return "\n".join(lines) + "\n"
