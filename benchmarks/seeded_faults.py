"""Faults to seed in the sources: small edits, each with the tests that are to notice it."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["AREAS", "Fault", "FaultError", "read_faults"]

AREAS = (
    "model",
    "mapper",
    "objective",
    "agent",
    "gateware",
    "harness",
    "bench",
    "traces",
    "importers",
    "compiler",
)
"""Parts of the project, in the order of the results."""

DEFAULT_TIMEOUT_S = 600

_REQUIRED = ("name", "area", "file", "find", "replace", "breaks", "tests")
_OPTIONAL = ("select", "equivalent", "timeout_s", "interpreted")


class FaultError(ValueError):
    """The table of faults, or one of them, does not fit the sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One edit of a source file.

    Parameters
    ----------
    name : str
        Unique; lower-case words.
    area : str
        One of ``AREAS``.
    file : str
        Source to edit, from the project's root.
    find, replace : str
        Text that occurs exactly once in ``file``, and what takes its place.
    breaks : str
        The rule that the edited program breaks, in a few words.
    tests : tuple of str
        Files of tests, or single tests as pytest names them.
    select : str
        pytest's ``-k`` expression; all tests of those files if empty.
    equivalent : str
        Why no test can tell the edited program from the original; empty where a test should.
    timeout_s : int
        Seconds after which a run of the tests counts as hanging.
    interpreted : bool
        Whether the model's kernels run as plain Python: then nothing has to be compiled again
        for an edit of theirs, which pays for small networks.
    """

    name: str
    area: str
    file: str
    find: str
    replace: str
    breaks: str
    tests: tuple[str, ...]
    select: str = ""
    equivalent: str = ""
    timeout_s: int = DEFAULT_TIMEOUT_S
    interpreted: bool = False

    def apply(self, root: Path) -> None:
        """Edit the file below ``root``.

        Raises
        ------
        FaultError
            If the text does not occur exactly once, or a file of tests is not there.
        """
        for test in self.tests:
            if not (root / test.partition("::")[0]).is_file():
                raise FaultError(f"tests of fault {self.name} must exist, not {test!r}")
        path = root / self.file
        if not path.is_file():
            raise FaultError(f"file of fault {self.name} must exist, not {self.file!r}")
        text = path.read_text(encoding="utf-8")
        count = text.count(self.find)
        if count != 1:
            raise FaultError(
                f"find of fault {self.name} must occur once in {self.file}, not {count} times"
            )
        path.write_text(text.replace(self.find, self.replace), encoding="utf-8")


def read_faults(folder: Path) -> tuple[Fault, ...]:
    """All faults of the TOML files in a folder, file by file, sorted by area.

    Raises
    ------
    FaultError
        If a fault lacks a key, has a key that is not known, or two share a name.
    """
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            entries: Sequence[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["fault"]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise FaultError(f"{path.name} must be TOML with [[fault]] tables: {error}") from error
        faults += [_fault(path.name, number, entry) for number, entry in enumerate(entries)]
    names = [fault.name for fault in faults]
    for name in names:
        if names.count(name) > 1:
            raise FaultError(f"name of a fault must be unique, not {name!r}")
    return tuple(sorted(faults, key=lambda fault: AREAS.index(fault.area)))


def _fault(source: str, number: int, entry: dict[str, Any]) -> Fault:
    name = entry.get("name", number)
    for key in _REQUIRED:
        if not entry.get(key) and key != "replace":
            raise FaultError(f"fault {name} of {source} must have the key {key!r}")
    for key in entry:
        if key not in (*_REQUIRED, *_OPTIONAL):
            raise FaultError(f"fault {name} of {source} must not have the key {key!r}")
    if entry["area"] not in AREAS:
        known = ", ".join(AREAS)
        raise FaultError(f"area of fault {name} must be one of {known}, not {entry['area']!r}")
    if entry["find"] == entry.get("replace", ""):
        raise FaultError(f"replace of fault {name} must differ from find")
    return Fault(**(entry | {"replace": entry.get("replace", ""), "tests": tuple(entry["tests"])}))
