"""A mapped module as arrays: gates with their functions, delays and energies, flip-flops and nets."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hwgen.synthesis.cell_functions import MOST_INPUTS
from hwgen.synthesis.cell_power import CLOCK_SLEW_NS, CellPower, LibraryPower
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.netlist import Instance, Netlist
from sim.spec.errors import CosilicoError

__all__ = ["FlipFlops", "GateModel", "Gates", "gate_model"]

CLOCK = "clk"
_PICOSECONDS = 1e3
_VISITED, _DONE = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Outputs of combinational cells, those that an output depends on before it.

    Parameters
    ----------
    pins : int32[n, 6]
        Nets of the inputs; those that a cell does not have are the net of constant 0.
    tables : uint64[n]
        Truth tables.
    outputs : int32[n]
        Net that each drives.
    rise_ps, fall_ps : int32[n]
        Delays, at least 1.
    rise_fj, fall_fj : float64[n]
        Internal energy of a change.
    """

    pins: NDArray[np.int32]
    tables: NDArray[np.uint64]
    outputs: NDArray[np.int32]
    rise_ps: NDArray[np.int32]
    fall_ps: NDArray[np.int32]
    rise_fj: NDArray[np.float64]
    fall_fj: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipFlops:
    """Flip-flops, all of one clock.

    Parameters
    ----------
    data, outputs, inverted : int32[n]
        Nets; -1 of an output that leads nowhere.
    delay_ps : int32[n]
        From the clock.
    rise_fj, fall_fj : float64[n]
        Internal energy of a change of the state, of both outputs together.
    data_fj : float64[n]
        Mean internal energy of a change of the data input.
    steady_fj, changing_fj : float64[n]
        Energy of the clock in a cycle in which the state stays, and in which it changes.
    """

    data: NDArray[np.int32]
    outputs: NDArray[np.int32]
    inverted: NDArray[np.int32]
    delay_ps: NDArray[np.int32]
    rise_fj: NDArray[np.float64]
    fall_fj: NDArray[np.float64]
    data_fj: NDArray[np.float64]
    steady_fj: NDArray[np.float64]
    changing_fj: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateModel:
    """A module, mapped, without the modules below it.

    Parameters
    ----------
    name : str
    nets : int
        Numbered from 0; nets 0 and 1 are constants.
    gates : Gates
    flip_flops : FlipFlops
    places : mapping of int to int
        Nets by their number in the netlist.
    load_fj : float64[nets]
        Energy of a change of a net: half of what charges the pins at it.
    leakage_uw : float
    driven : sequence of (str, str, int, int)
        Nets that come from outside: instance, or nothing for the module itself, port, bit and net.
    """

    name: str
    nets: int
    gates: Gates
    flip_flops: FlipFlops
    places: Mapping[int, int]
    load_fj: NDArray[np.float64]
    leakage_uw: float
    driven: Sequence[tuple[str, str, int, int]]

    @property
    def clock_fj(self) -> float:
        """Energy of a cycle in which nothing changes."""
        return float(self.flip_flops.steady_fj.sum())


def gate_model(netlist: Netlist, library: Library, power: LibraryPower) -> GateModel:
    """Turn a netlist into arrays.

    Wires have no length: a net's load is the pins at it, which limits a cell's own energy and delay at the largest load
    of its table; what a tree of buffers would take instead is not counted. Delays and internal energies are means over
    the inputs that may have caused a change, at the mean slew of the inputs.

    Parameters
    ----------
    netlist : Netlist
    library, power : Library, LibraryPower
        Of the cells that it is mapped to.

    Raises
    ------
    CosilicoError
        If the function of a cell is not known, or gates have a loop.
    """
    return _Builder(netlist, library, power).build()


class _Builder:
    """Walk over the cells of a netlist."""

    def __init__(self, netlist: Netlist, library: Library, power: LibraryPower) -> None:
        self.netlist = netlist
        self.library = library
        self.power = power
        self.places: dict[int, int] = {}
        self.loads: dict[int, float] = defaultdict(float)
        self.slews: dict[int, float] = {}

    def build(self) -> GateModel:
        """Build the arrays."""
        cells, boxes = self._sort()
        driven = list(self._driven(boxes))
        combinational, clocked = [], []
        leakage = 0.0
        for instance, cell in cells:
            leakage += cell.leakage
            for pin, load in self.library.cells[instance.kind].loads.items():
                if pin != cell.clock:
                    self.loads[self._net(instance, pin)] += load
            if cell.clock:
                clocked.append((instance, cell))
            else:
                combinational += [(instance, cell, pin) for pin in self._connected(instance, cell)]
        flip_flops = self._flip_flops(clocked)
        gates = self._gates(self._ordered(combinational))
        nets = 2 + len(self.places)
        loads = np.zeros(nets)
        for net, load in self.loads.items():
            loads[net] = load
        return GateModel(
            name=self.netlist.name,
            nets=nets,
            gates=gates,
            flip_flops=flip_flops,
            places=self.places,
            load_fj=loads * self.power.charge_fj,
            leakage_uw=leakage * self.power.leakage_uw,
            driven=driven,
        )

    def _sort(self) -> tuple[list[tuple[Instance, CellPower]], list[Instance]]:
        """Cells, and memories and modules below."""
        cells, boxes = [], []
        for instance in self.netlist.instances:
            if instance.kind in self.power.cells:
                cells.append((instance, self.power.cells[instance.kind]))
            elif instance.kind in self.library.cells:
                raise CosilicoError(
                    f"cell {instance.kind} of {self.netlist.name} must have a function of at most "
                    f"{MOST_INPUTS} inputs in the liberty file"
                )
            else:
                boxes.append(instance)
        return cells, boxes

    def _net(self, instance: Instance, pin: str) -> int:
        """Net of a pin of one bit; what is not connected or not known is constant 0."""
        return self._place(instance.pins.get(pin, ["x"])[0])

    def _place(self, net: int | str) -> int:
        if isinstance(net, str):
            return int(net == "1")
        return self.places.setdefault(net, 2 + len(self.places))

    def _driven(self, boxes: Sequence[Instance]) -> Iterator[tuple[str, str, int, int]]:
        """Nets that come from outside."""
        for port, nets in self.netlist.inputs.items():
            for index, net in enumerate(nets):
                if not isinstance(net, str) and port != CLOCK:
                    yield "", port, index, self._place(net)
        for box in boxes:
            for port in sorted(box.outputs):
                for index, net in enumerate(box.pins.get(port, ())):
                    if not isinstance(net, str):
                        yield box.name, port, index, self._place(net)

    def _connected(self, instance: Instance, cell: CellPower) -> list[str]:
        return [
            pin for pin in cell.functions if not isinstance(instance.pins.get(pin, ["x"])[0], str)
        ]

    def _ordered(
        self, outputs: Sequence[tuple[Instance, CellPower, str]]
    ) -> list[tuple[Instance, CellPower, str]]:
        """Outputs of cells in the order of their dependence."""
        drivers = {
            self._net(instance, pin): place for place, (instance, _, pin) in enumerate(outputs)
        }
        order: list[int] = []
        state = np.zeros(len(outputs), np.int8)
        for root in range(len(outputs)):
            stack = [root]
            while stack:
                place = stack[-1]
                if state[place]:
                    stack.pop()
                    if state[place] == _VISITED:
                        state[place] = _DONE
                        order.append(place)
                    continue
                state[place] = _VISITED
                instance, cell, _ = outputs[place]
                for pin in cell.inputs:
                    source = drivers.get(self._net(instance, pin))
                    if source is None or state[source] == _DONE:
                        continue
                    if state[source] == _VISITED:
                        name = self.netlist.name
                        raise CosilicoError(
                            f"gates of {name} must have no loop, as at {instance.name}"
                        )
                    stack.append(source)
        return [outputs[place] for place in order]

    def _gates(self, outputs: Sequence[tuple[Instance, CellPower, str]]) -> Gates:
        count = len(outputs)
        pins = np.zeros((count, MOST_INPUTS), np.int32)
        tables = np.zeros(count, np.uint64)
        nets = np.zeros(count, np.int32)
        delays = np.ones((2, count), np.int32)
        energies = np.zeros((2, count))
        for row, (instance, cell, pin) in enumerate(outputs):
            inputs = [self._net(instance, name) for name in cell.inputs]
            pins[row, : len(inputs)] = inputs
            tables[row] = cell.functions[pin]
            nets[row] = self._net(instance, pin)
            slew = fmean([self.slews.get(net, CLOCK_SLEW_NS) for net in inputs] or [CLOCK_SLEW_NS])
            delays[:, row] = self._timed(instance.kind, pin, int(nets[row]), slew)
            load = self._table_load(instance.kind, pin, int(nets[row]))
            energies[:, row] = cell.outputs[pin].at(slew, load)
        energies *= self.power.energy_fj
        return Gates(
            pins=pins,
            tables=tables,
            outputs=nets,
            rise_ps=delays[0],
            fall_ps=delays[1],
            rise_fj=energies[0],
            fall_fj=energies[1],
        )

    def _table_load(self, kind: str, pin: str, net: int) -> float:
        """Load of a net, at most the largest that its driver may have."""
        return min(self.loads.get(net, 0.0), self.library.cells[kind].limits[pin])

    def _timed(self, kind: str, pin: str, net: int, slew: float) -> tuple[int, int]:
        """Mean delays of both edges in ps; the slew of the net is kept."""
        arcs = self.library.cells[kind].arcs[pin]
        if not arcs:
            return 1, 1
        load = self._table_load(kind, pin, net)
        self.slews[net] = fmean(
            table.at(slew, load) for arc in arcs for table in (arc.rise_slew, arc.fall_slew)
        )
        rise = fmean(arc.rise.at(slew, load) for arc in arcs)
        fall = fmean(arc.fall.at(slew, load) for arc in arcs)
        return max(1, round(rise * _PICOSECONDS)), max(1, round(fall * _PICOSECONDS))

    def _flip_flops(self, cells: Sequence[tuple[Instance, CellPower]]) -> FlipFlops:
        count = len(cells)
        nets = np.full((3, count), -1, np.int32)
        delays = np.ones(count, np.int32)
        energies = np.zeros((5, count))
        for row, (instance, cell) in enumerate(cells):
            plain = {pin: table for pin, table in cell.functions.items() if table == _KEEPS}
            inverted = [pin for pin, table in cell.functions.items() if table == _INVERTS]
            if (
                len(cell.inputs) != 1
                or not plain
                or len(plain) + len(inverted) < len(cell.functions)
            ):
                raise CosilicoError(
                    f"flip-flop {instance.kind} of {self.netlist.name} must have a data pin alone"
                )
            nets[0, row] = self._net(instance, cell.inputs[0])
            times: list[int] = []
            for place, pin in enumerate((next(iter(plain)), *inverted[:1]), start=1):
                edges = cell.outputs[pin]
                if pin in self._connected(instance, cell):
                    net = self._net(instance, pin)
                    nets[place, row] = net
                    times += self._timed(instance.kind, pin, net, CLOCK_SLEW_NS)
                    load = self._table_load(instance.kind, pin, net)
                else:
                    load = 0.0
                rise, fall = edges.at(CLOCK_SLEW_NS, load)
                # An inverted output falls where the state rises
                energies[0, row] += fall if place == 2 else rise
                energies[1, row] += rise if place == 2 else fall
            delays[row] = max(times, default=1)
            if cell.inputs[0] in cell.hidden:
                energies[2, row] = fmean(cell.hidden[cell.inputs[0]].at(CLOCK_SLEW_NS, 0.0))
            energies[3, row], energies[4, row] = (
                self.power.clock_fj(instance.kind, self.library, stays=stays) / self.power.energy_fj
                for stays in (True, False)
            )
        energies *= self.power.energy_fj
        return FlipFlops(
            data=nets[0],
            outputs=nets[1],
            inverted=nets[2],
            delay_ps=delays,
            rise_fj=energies[0],
            fall_fj=energies[1],
            data_fj=energies[2],
            steady_fj=energies[3],
            changing_fj=energies[4],
        )


_KEEPS, _INVERTS = 0b10, 0b01
"""Truth tables of a function of one input."""
