"""Power of standard cells: what a change of an output, a clock edge and a cell at rest cost, from a liberty file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from hwgen.synthesis.cell_functions import holds, truth_table
from hwgen.synthesis.liberty import LibertyError, Library, Table
from hwgen.synthesis.liberty_groups import Group, numbers, parse_groups

__all__ = ["CLOCK_SLEW_NS", "CellPower", "Edges", "LibraryPower", "library_power", "read_power"]

CLOCK_SLEW_NS = 0.02
"""Slew of clocks, and of nets from outside."""

_TIME = {"1ns": 1.0, "100ps": 0.1, "10ps": 0.01, "1ps": 0.001}
_CAPACITANCE_FF = {"ff": 1.0, "pf": 1e3}
_LEAKAGE_UW = {"1pW": 1e-6, "1nW": 1e-3, "10nW": 1e-2, "100nW": 0.1, "1uW": 1.0, "1mW": 1e3}


class Edges(NamedTuple):
    """Energies of a rising and of a falling edge over slew and load, each to be averaged; in the file's unit."""

    rise: Sequence[Table]
    fall: Sequence[Table]

    def at(self, slew: float, load: float) -> tuple[float, float]:
        """Mean energies of both edges at a point."""
        return _mean(self.rise, slew, load), _mean(self.fall, slew, load)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPower:
    """Function and power of a cell.

    Parameters
    ----------
    inputs : tuple of str
        All input pins but a clock.
    functions : mapping of str to int
        Truth table of every output over the inputs (:func:`hwgen.synthesis.cell_functions.truth_table`); of a flip-flop,
        what it takes at the clock edge, from which an inverted output shows the opposite.
    clock : str
        Clock pin of a flip-flop; empty of other cells.
    outputs : mapping of str to Edges
        Internal energy of a change of every output.
    hidden : mapping of str to Edges
        Internal energy of a change of an input by itself.
    steady, changing : Edges
        Of a flip-flop's clock where its state stays, and where it changes.
    leakage : float
        Mean over all states, in the file's unit.
    """

    inputs: tuple[str, ...]
    functions: Mapping[str, int]
    clock: str
    outputs: Mapping[str, Edges]
    hidden: Mapping[str, Edges]
    steady: Edges
    changing: Edges
    leakage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPower:
    """Power of all cells of a liberty file whose functions are known.

    Parameters
    ----------
    cells : mapping of str to CellPower
    volts : float
    capacitance_ff : float
        Unit of capacitances.
    leakage_uw : float
        Unit of leakage.
    """

    cells: Mapping[str, CellPower]
    volts: float
    capacitance_ff: float
    leakage_uw: float

    @property
    def energy_fj(self) -> float:
        """Unit of internal energies: that of capacitance, charged to 1 V."""
        return self.capacitance_ff

    @property
    def charge_fj(self) -> float:
        """Energy of a change of a unit of capacitance."""
        return 0.5 * self.capacitance_ff * self.volts**2

    def cells_leakage_uw(self, cells: Mapping[str, int]) -> float:
        """Leakage of so many cells of each kind."""
        return self.leakage_uw * sum(
            number * self.cells[kind].leakage for kind, number in cells.items()
        )

    def cells_clock_pj(self, cells: Mapping[str, int], library: Library) -> float:
        """Energy of the clock pins of so many cells of each kind, in a cycle in which nothing changes."""
        return 1e-3 * sum(
            number * self.clock_fj(kind, library, stays=True)
            for kind, number in cells.items()
            if self.cells[kind].clock
        )

    def clock_fj(self, kind: str, library: Library, *, stays: bool) -> float:
        """Energy of a flip-flop's clock pin in a cycle in which its state stays, or changes."""
        cell = self.cells[kind]
        edges = cell.steady if stays else cell.changing
        internal = sum(edges.at(CLOCK_SLEW_NS, 0.0))
        return (
            self.energy_fj * internal + 2 * self.charge_fj * library.cells[kind].loads[cell.clock]
        )


def library_power(path: Path) -> LibraryPower | None:
    """Power of the cells of a liberty file, None if it has none."""
    try:
        return read_power(path)
    except LibertyError:
        return None


@lru_cache(maxsize=4)
def read_power(path: Path) -> LibraryPower:
    """Read functions and power of the cells of a liberty file.

    Cells with more inputs than a truth table has, latches and cells without functions are left out.

    Raises
    ------
    LibertyError
        If the file cannot be read, or has no flip-flop with internal power.
    """
    try:
        top = parse_groups(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise LibertyError(f"liberty {path}: {error.strerror}") from None
    try:
        time = _TIME[top.values["time_unit"]]
        factor, unit = top.values["capacitive_load_unit"].split()
        cells = {}
        for group in top.all("cell"):
            cell = _cell(group, time)
            if cell is not None:
                cells[group.argument] = cell
        made = LibraryPower(
            cells=cells,
            volts=float(top.values["nom_voltage"]),
            capacitance_ff=float(factor) * _CAPACITANCE_FF[unit.lower()],
            leakage_uw=_LEAKAGE_UW[top.values["leakage_power_unit"]],
        )
    except (KeyError, ValueError, IndexError) as error:
        raise LibertyError(f"liberty {path} must have power of its cells, but: {error!r}") from None
    if not any(cell.clock and cell.steady.rise for cell in cells.values()):
        raise LibertyError(f"liberty {path} must have flip-flops with internal power, and has none")
    return made


def _cell(group: Group, time: float) -> CellPower | None:
    """Turn a group into a cell's power; None if its function is not known."""
    flip_flop = next(group.all("ff"), None)
    pins = list(group.all("pin"))
    clock = "" if flip_flop is None else flip_flop.values.get("clocked_on", "")
    inputs = tuple(
        pin.argument
        for pin in pins
        if pin.values.get("direction") == "input" and pin.argument != clock
    )
    driven = [pin for pin in pins if pin.values.get("direction") == "output"]
    functions = {pin.argument: pin.values.get("function", "") for pin in driven}
    if flip_flop is not None:
        states = flip_flop.argument.split()
        following = flip_flop.values.get("next_state", "")
        functions = {
            pin: {states[0]: following, states[-1]: f"!({following})"}.get(state, "")
            for pin, state in functions.items()
        }
    try:
        tables = {pin: truth_table(text, inputs) for pin, text in functions.items()}
    except ValueError:
        return None
    if not tables or any(not text for text in functions.values()):
        return None
    steady, changing = Edges([], []), Edges([], [])
    if flip_flop is not None:
        if not clock.isidentifier():
            return None  # of the falling edge
        following = flip_flop.values["next_state"]
        at_clock = next(pin for pin in pins if pin.argument == clock)
        steady, changing = _clock_energies(at_clock, inputs, following, driven, states, time)
    return CellPower(
        inputs=inputs,
        functions=tables,
        clock=clock,
        outputs={pin.argument: _edges(pin, time) for pin in driven},
        hidden={
            pin.argument: _edges(pin, time)
            for pin in pins
            if pin.argument in inputs and any(pin.all("internal_power"))
        },
        steady=steady,
        changing=changing,
        leakage=float(group.values.get("cell_leakage_power", "0")),
    )


def _edges(pin: Group, time: float) -> Edges:
    """All energies of a pin, whatever they depend on."""
    rise: list[Table] = []
    fall: list[Table] = []
    for power in pin.all("internal_power"):
        _collect(power, rise, fall, time)
    return Edges(rise, fall)


def _clock_energies(
    pin: Group,
    inputs: Sequence[str],
    following: str,
    driven: Sequence[Group],
    states: Sequence[str],
    time: float,
) -> tuple[Edges, Edges]:
    """Energies of a clock pin by whether the state stays or changes at the rising edge beside the edge."""
    kinds: dict[bool, tuple[list[Table], list[Table]]] = {True: ([], []), False: ([], [])}
    shown = {output.argument: output.values["function"] for output in driven}
    for power in pin.all("internal_power"):
        condition = power.values.get("when", "1")
        for stays in {
            holds(following, values) is state
            for values, state in _states(inputs)
            if holds(
                condition,
                values | {p: state is (text == states[0]) for p, text in shown.items()},
            )
        }:
            _collect(power, *kinds[stays], time)
    return Edges(*kinds[True]), Edges(*kinds[False])


def _states(inputs: Sequence[str]) -> Iterator[tuple[dict[str, bool], bool]]:
    """All values of inputs and of a flip-flop's state."""
    for *values, state in product((False, True), repeat=len(inputs) + 1):
        yield dict(zip(inputs, values, strict=True)), state


def _collect(power: Group, rise: list[Table], fall: list[Table], time: float) -> None:
    """Add the tables of a group; a table may be for both edges."""
    for table in power.groups:
        made = _energy_table(table, time)
        if table.kind in ("rise_power", "power"):
            rise.append(made)
        if table.kind in ("fall_power", "power"):
            fall.append(made)


def _energy_table(group: Group, time: float) -> Table:
    """Energies over slew in ns and load."""
    rows = numbers(group.values.get("index_1", "0"))
    columns = numbers(group.values.get("index_2", "0"))
    values = numbers(group.values["values"])
    if len(values) != len(rows) * len(columns):
        rows, columns = (0.0,), (0.0,)
    width = len(columns)
    return Table(
        tuple(row * time for row in rows),
        columns,
        tuple(values[start : start + width] for start in range(0, len(values), width)),
    )


def _mean(tables: Sequence[Table], slew: float, load: float) -> float:
    return sum(table.at(slew, load) for table in tables) / len(tables) if tables else 0.0
