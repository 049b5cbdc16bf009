"""A file of finished work, one JSON object per line, that a killed run goes on from."""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """Records by key, appended to a file as they come; several threads may append.

    Parameters
    ----------
    path : Path
        Made if absent. A line that a kill has left half written is removed.
    header : mapping
        What the records depend on, as JSON. A file with another header is begun anew.

    Attributes
    ----------
    records : dict
        Key to record, those of earlier runs included.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self._path = path
        self._lock = threading.Lock()
        lines = _whole_lines(path)
        if lines and lines[0] == dict(header):
            self.records = {line.pop("key"): line for line in lines[1:]}
            whole = [lines[0], *({"key": key} | value for key, value in self.records.items())]
        else:
            whole = [dict(header)]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in whole))
        temporary.replace(path)

    def append(self, key: str, record: Mapping[str, Any]) -> None:
        """Write one record; it is on disk when this returns."""
        line = json.dumps({"key": key} | dict(record)) + "\n"
        with self._lock:
            self.records[key] = dict(record)
            with self._path.open("a") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """All lines up to the first that is not a whole JSON object."""
    found: list[dict[str, Any]] = []
    try:
        text = path.read_text()
    except FileNotFoundError:
        return found
    for line in text.splitlines(keepends=True):
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not line.endswith("\n") or not isinstance(value, dict):
            break
        found.append(value)
    return found
