"""Verilator's coverage of emitted Verilog: which lines ran and which bits rose and fell."""

import re
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sim.spec.errors import MachineError

__all__ = [
    "COVERAGE_FILE",
    "COVERAGE_FLAGS",
    "COVERAGE_SOURCES",
    "POWER_UP_FILE",
    "Coverage",
    "Point",
]

COVERAGE_FILE = "coverage.dat"
"""File that an instrumented simulation writes at its end."""

POWER_UP_FILE = "power_up.dat"
"""File of the same form, written behind the reset that follows power-up."""

COVERAGE_FLAGS = ("--coverage-line", "--coverage-toggle")
COVERAGE_SOURCES = ("verilated_cov",)
"""Verilator's flags for an instrumented build, and the part of its library that it needs."""

_CODED = re.compile(r"__0([0-9A-Fa-f]{2})")
"""Characters of names that are no letters of C++, and a second underscore."""

_LINE = re.compile(r"^C '(.*)' (\d+)$")


class Point(NamedTuple):
    """Something that a run covers or does not; all instances of a module share it.

    Parameters
    ----------
    kind : str
        "line": statements that run together; "branch": a way that an `if` takes; "toggle": a bit
        changing in a direction, or in either, as Verilator counts it.
    module : str
    line : int
        In the design's text.
    name : str
        Of a bit, or of the branch.
    """

    kind: str
    module: str
    line: int
    name: str


class Coverage:
    """How often each point of one design was met, over any number of runs.

    Attributes
    ----------
    counts : Counter of Point
        0 for those that no run has met.
    """

    def __init__(self) -> None:
        """Begin without a run."""
        self.counts: Counter[Point] = Counter()
        self._lock = threading.Lock()
        self._points: dict[str, Point] = {}

    def add(self, file: Path, power_up: Path) -> None:
        """Add the counts that a simulation wrote.

        Toggles and branches of power-up do not count: registers hold random bits then, and nobody asked
        for what these bring about. Blocks do, since initial values are set at no other time.

        Parameters
        ----------
        file : Path
            Counts at the end.
        power_up : Path
            Counts behind the reset that follows power-up.

        Raises
        ------
        MachineError
            If a file is missing or is no coverage file.
        """
        with self._lock:
            counts = self._read(file)
            before = self._read(power_up)
            for point, count in counts.items():
                self.counts[point] += count - (before[point] if point.kind != "line" else 0)

    def _read(self, file: Path) -> Counter[Point]:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise MachineError(f"coverage file {file} cannot be read: {error.strerror}") from None
        counts: Counter[Point] = Counter()
        for line in lines[1:]:
            match = _LINE.match(line)
            if match is None:
                raise MachineError(f"coverage file {file} must hold counts, not {line[:60]!r}")
            point = self._points.get(match[1])
            if point is None:
                point = self._points[match[1]] = _point(match[1])
            counts[point] += int(match[2])
        return counts


def _point(key: str) -> Point:
    """Take a key apart: fields that begin with byte 1, a byte 2 between name and value."""
    fields = dict(field.split("\2", 1) for field in key.split("\1")[1:])
    kind, _, module = fields["page"].removeprefix("v_").partition("/")
    name = _CODED.sub(lambda code: chr(int(code[1], 16)), fields.get("o", ""))
    return Point(kind=kind, module=module, line=int(fields["l"]), name=name)
