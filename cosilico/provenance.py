"""``provenance.json``: when, where and by which command a run was begun."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cosilico import __version__
from sim.spec.documents import Record, checked, read_json
from sim.spec.files import write_atomic
from sim.spec.rules import Integer, Name

__all__ = ["SCHEMA", "provenance", "read_provenance", "write_provenance"]

SCHEMA = 1

_Text = Annotated[str, Name()]


class _Machine(Record):
    processor: _Text
    system: _Text
    cores: Annotated[int, Integer(1, 1 << 20)]
    python: _Text


class _Provenance(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    cosilico: _Text
    begun: _Text
    command: _Text
    identity: dict[str, Annotated[str, Name()]]
    machine: _Machine


def provenance(command: str, identity: Mapping[str, str]) -> dict[str, Any]:
    """Return what there is to say of a run that begins now.

    Parameters
    ----------
    command : str
        That would begin it again, with the names of files and not their folders.
    identity : mapping of str to str
        Digests of what its results depend on; empty where there is nothing, as of data that a package holds.

    Returns
    -------
    dict
        Of the machine its class alone: processor, system, cores, Python.
    """
    return {
        "schema": SCHEMA,
        "cosilico": __version__,
        "begun": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "identity": {name: value for name, value in identity.items() if value},
        "machine": {
            "processor": platform.machine() or "unknown",
            "system": platform.system() or "unknown",
            "cores": os.cpu_count() or 1,
            "python": platform.python_version(),
        },
    }


def write_provenance(path: Path, command: str, identity: Mapping[str, str]) -> None:
    """Write the provenance of a run that begins; a run that is resumed keeps its own."""
    if not path.exists():
        write_atomic(path, json.dumps(provenance(command, identity), indent=1) + "\n")


def read_provenance(path: Path) -> dict[str, Any] | None:
    """Read a run's provenance; None where an earlier version left none.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    if not path.exists():
        return None
    document = read_json(path, "provenance file")
    checked(_Provenance, document, f"provenance file {path}: provenance")
    return dict(document)
