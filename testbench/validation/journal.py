"""A file of finished work, one JSON object per line, that a killed run goes on from."""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sim.spec.errors import CosilicoError
from sim.spec.files import naming, write_atomic

__all__ = ["Journal", "lock_file"]


class Journal:
    """Records by key, appended to a file as they come; several threads of one process may append.

    Parameters
    ----------
    path : Path
        Made if absent. A line that a kill has left half written is removed.
    header : mapping
        What the records depend on, as JSON.
    renew : bool
        Begin a journal with another header anew.

    Raises
    ------
    CosilicoError
        If the file has another header and is not to be begun anew, is no journal, or is another process's.

    Attributes
    ----------
    path : Path
    records : dict
        Key to record, those of earlier runs included.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, renew: bool = False) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.path = path
        self._lock = threading.Lock()
        self._file_lock = _locked(path)
        lines = _whole_lines(path)
        if lines and lines[0] == dict(header):
            self.records = {line.pop("key"): line for line in lines[1:]}
            whole = [lines[0], *({"key": key} | value for key, value in self.records.items())]
        elif (lines and set(lines[0]) != set(header)) or (not lines and _holds_text(path)):
            raise CosilicoError(f"journal {path} must be absent or a journal of such work")
        elif lines and not renew:
            raise CosilicoError(
                f"journal {path} must be of the same work and sources, or --force must be given"
            )
        else:
            whole = [dict(header)]
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in whole))

    def append(self, key: str, record: Mapping[str, Any]) -> None:
        """Write one record; it is on disk when this returns."""
        line = json.dumps({"key": key} | dict(record)) + "\n"
        with self._lock:
            self.records[key] = dict(record)
            with naming(self.path), self.path.open("a") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())


def lock_file(path: Path) -> Path:
    """File that a journal's lock is on; it stays when the journal is left."""
    return path.with_name(f".lock.{path.name}")


def _locked(path: Path) -> FileLock:
    """Lock a journal against other processes until the lock is deleted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A process may open its own journal again.
    lock = FileLock(lock_file(path), is_singleton=True, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CosilicoError(f"journal {path} must not be in use by another run") from None
    return lock


def _holds_text(path: Path) -> bool:
    """Tell whether a file has a whole line or anything else that a kill does not leave."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return b"\n" in content or not content.startswith(b"{"[: len(content)])


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """All lines up to the first that is not a whole JSON object."""
    whole: list[dict[str, Any]] = []
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return whole
    for line in text.splitlines(keepends=True):
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not line.endswith("\n") or not isinstance(value, dict):
            break
        whole.append(value)
    return whole
