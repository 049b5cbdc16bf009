"""Static timing of a mapped module: its slowest paths, and what the modules around it see of it."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hwgen.synthesis.liberty import Cell, Library
from hwgen.synthesis.netlist import Instance, Netlist
from sim.cost.sram import sram
from sim.cost.sram_table import MemoryCells

__all__ = ["ModuleTiming", "Path", "PathKind", "analyze", "typical_delay"]

_CLOCK = "clk"
_EDGES = 2
"""Rising, 0, and falling, 1."""

_CLOCK_SLEW_NS = 0.02
_TREE_FANOUT = 4
"""Buffers that a buffer of a tree drives where a net has more load than its driver may drive."""

_NEVER = -math.inf


class PathKind(NamedTuple):
    """Where paths begin and end; a memory and a register of a module below count as registers."""

    start: str
    end: str

    def __str__(self) -> str:
        """Return as a report writes it."""
        return f"{self.start} → {self.end}"


class Path(NamedTuple):
    """Slowest path of a kind.

    Parameters
    ----------
    delay_ns : float
        From the clock edge, or from the input, to the next edge's setup, or to the output.
    start, end : str
        Register, memory or port; of a module below with the instance's name before it.
    """

    delay_ns: float
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class ModuleTiming:
    """Timing of a module.

    Parameters
    ----------
    name : str
    paths : dict of PathKind to Path
        The slowest of every kind that the module has.
    area_um2 : float
        Of its cells, without memories and modules below.
    arrivals : dict of (str, int) to Path
        Time at which an output's bit is there, if a register decides it.
    needs : dict of (str, int) to Path
        Time that an input's bit takes to a register.
    through : dict of (str, int) to dict of str to float
        Longest way to an output's bit from every input that leads to it without a register.
    loads : dict of (str, int) to float
        Capacitance of an input's bit.
    """

    name: str
    paths: dict[PathKind, Path] = field(default_factory=dict)
    area_um2: float = 0.0
    arrivals: dict[tuple[str, int], Path] = field(default_factory=dict)
    needs: dict[tuple[str, int], Path] = field(default_factory=dict)
    through: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)
    loads: dict[tuple[str, int], float] = field(default_factory=dict)


class _Edge(NamedTuple):
    """Way from one net to another; ``delays[from][to]`` by rising and falling edges."""

    source: int
    target: int
    delays: tuple[tuple[float, float], tuple[float, float]]


class _Drive(NamedTuple):
    """Output of a cell and the arcs to it."""

    cell: Cell
    pin: str
    instance: Instance


def analyze(
    netlist: Netlist,
    library: Library,
    below: Mapping[str, ModuleTiming],
    memories: MemoryCells,
    memory_scale: float = 1,
    *,
    macro_wires: bool = False,
) -> ModuleTiming:
    """Analyze a module whose modules below have been analyzed.

    Wires have no length: a net's load is the pins at it. A net with more load than its driver may have
    gets the delay of a tree of buffers. Inputs come with the clock edge. A memory's output comes after
    the access of a macro and the multiplexers behind macros that lie behind each other.

    Parameters
    ----------
    netlist : Netlist
    library : Library
    below : mapping of str to ModuleTiming
    memories : MemoryCells
        Transistors of the macros.
    memory_scale : float
        Time of a macro in that at 45 nm.
    macro_wires : bool
        Whether memories of several macros have wires with a length: half of the way to the farthest macro and back before the access,
        half of it behind (:attr:`sim.cost.sram.Sram.wire_ns`).
    """
    return _Analysis(netlist, library, below, memories, memory_scale, macro_wires).run()


def typical_delay(cell: Cell) -> float:
    """Delay of a cell that drives a like cell, in ns."""
    arcs = next(iter(cell.arcs.values()))
    load = max(cell.loads.values())
    return max(table.at(_CLOCK_SLEW_NS, load) for arc in arcs for table in (arc.rise, arc.fall))


class _Analysis:
    """Forward and backward walk over a module's nets."""

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        below: Mapping[str, ModuleTiming],
        memories: MemoryCells,
        memory_scale: float,
        macro_wires: bool,
    ) -> None:
        self.netlist = netlist
        self.library = library
        self.below = below
        self.memories = memories
        self.memory_scale = memory_scale
        self.macro_wires = macro_wires
        self.result = ModuleTiming(netlist.name)
        self.loads: dict[int, float] = defaultdict(float)
        self.drives: dict[int, _Drive] = {}
        self.slews: dict[int, tuple[float, float]] = {}
        # Times at which a net rises or falls, after the clock edge and after the inputs
        self.starts: dict[int, tuple[float, str]] = {}  # of nets that no cell drives
        self.ends: dict[int, tuple[float, str]] = {}
        self.edges: list[_Edge] = []
        self.crossings: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self.buffer = library.buffer
        (self.buffer_pin,) = self.buffer.arcs
        (self.buffer_load,) = self.buffer.loads.values()

    def run(self) -> ModuleTiming:
        """Analyze."""
        self._gather()
        order = self._order()
        for net in order:
            self._evaluate(net)
        self._finish()
        return self.result

    # What drives and loads every net

    def _gather(self) -> None:
        """Collect loads, drivers, starts and ends of paths."""
        area = 0.0
        for instance in self.netlist.instances:
            if instance.kind in self.below:
                self._gather_module(instance, self.below[instance.kind])
            elif instance.parameters:
                self._gather_memory(instance)
            else:
                cell = self.library.cells[instance.kind]
                area += cell.area
                for pin, load in cell.loads.items():
                    self._load(instance.pins.get(pin, ["x"])[0], load)
                for pin in cell.arcs:
                    net = instance.pins.get(pin, ["x"])[0]
                    if not isinstance(net, str):
                        self.drives[net] = _Drive(cell, pin, instance)
        self.result = ModuleTiming(self.netlist.name, area_um2=area)

    def _load(self, net: int | str, load: float) -> None:
        if not isinstance(net, str):
            self.loads[net] += load

    def _gather_module(self, instance: Instance, timing: ModuleTiming) -> None:
        for (port, index), load in timing.loads.items():
            if port in instance.pins:
                self._load(instance.pins[port][index], load)
        for (port, index), path in timing.needs.items():
            net = instance.pins[port][index] if port in instance.pins else "x"
            if not isinstance(net, str):
                self._end(net, path.delay_ns, f"{instance.name}/{path.end}")
        for (port, index), path in timing.arrivals.items():
            net = instance.pins[port][index] if port in instance.pins else "x"
            if not isinstance(net, str):
                self.starts[net] = (path.delay_ns, f"{instance.name}/{path.start}")
        for (port, index), sources in timing.through.items():
            net = instance.pins[port][index] if port in instance.pins else "x"
            if isinstance(net, str):
                continue
            for source, delay in sources.items():
                for origin in instance.pins.get(source, []):
                    if not isinstance(origin, str):
                        self.crossings[net].append((origin, delay))

    def _gather_memory(self, instance: Instance) -> None:
        width, depth = instance.parameters["WIDTH"], instance.parameters["DEPTH"]
        ports = 1 if "single_port" in instance.kind else 2
        macros = sram(width, depth, ports=ports, cells=self.memories)
        levels = math.ceil(math.log2(macros.depth))
        access = self.memory_scale * macros.access_ns
        access += levels * typical_delay(self.library.multiplexer)
        setup = self._setup_ns
        if self.macro_wires:
            way = self.memory_scale * macros.wire_ns / 2
            access, setup = access + way, setup + way
        for port, nets in instance.pins.items():
            for net in nets:
                if isinstance(net, str):
                    continue
                if port == "read_data":
                    self.starts[net] = (access, instance.name)
                elif port != _CLOCK:
                    self._load(net, self.buffer_load)
                    self._end(net, setup, instance.name)

    def _end(self, net: int, delay: float, name: str) -> None:
        if delay > self.ends.get(net, (_NEVER, ""))[0]:
            self.ends[net] = (delay, name)

    @property
    def _setup_ns(self) -> float:
        """Setup of a memory's inputs: that of a flip-flop."""
        setups = self.library.flip_flop.setups.values()
        return max(
            table.at(_CLOCK_SLEW_NS, _CLOCK_SLEW_NS) for tables in setups for table in tables
        )

    # Forward

    def _order(self) -> list[int]:
        """Nets in the order of their dependence."""
        order: list[int] = []
        state: dict[int, bool] = {}  # False: being visited
        for root in [*self.drives, *self.crossings]:
            stack = [(root, False)]
            while stack:
                net, left = stack.pop()
                if left:
                    state[net] = True
                    order.append(net)
                elif net not in state:
                    state[net] = False
                    stack.append((net, True))
                    stack += [(source, False) for source in self._sources(net)]
        return order

    def _sources(self, net: int) -> Iterator[int]:
        """Nets that a net depends on without a register."""
        drive = self.drives.get(net)
        if drive is not None and not drive.cell.setups:
            for arc in drive.cell.arcs[drive.pin]:
                source = drive.instance.pins[arc.pin][0]
                if not isinstance(source, str):
                    yield source
        for source, _ in self.crossings.get(net, ()):
            yield source

    def _evaluate(self, net: int) -> None:
        """Compute the edges to a net and its slews."""
        drive = self.drives.get(net)
        if drive is None:
            for source, delay in self.crossings.get(net, ()):
                self.edges.append(_Edge(source, net, ((delay, _NEVER), (_NEVER, delay))))
            return
        load, tree = self._loaded(net, drive)
        if drive.cell.setups:
            arcs = drive.cell.arcs[drive.pin]
            delay = max(
                table.at(_CLOCK_SLEW_NS, load) for arc in arcs for table in (arc.rise, arc.fall)
            )
            slews = [
                max(getattr(arc, name).at(_CLOCK_SLEW_NS, load) for arc in arcs)
                for name in ("rise_slew", "fall_slew")
            ]
            self.starts[net] = (delay + tree, self._register(drive.instance))
            self.slews[net] = (slews[0], slews[1])
            return
        worst = [0.0, 0.0]
        for arc in drive.cell.arcs[drive.pin]:
            origin = drive.instance.pins[arc.pin][0]
            if isinstance(origin, str):
                continue
            delays = [[_NEVER, _NEVER], [_NEVER, _NEVER]]
            slews_in = self.slews.get(origin, (_CLOCK_SLEW_NS, _CLOCK_SLEW_NS))
            for before in range(_EDGES):
                for after in range(_EDGES):
                    if not (arc.keeps if before == after else arc.inverts):
                        continue
                    slew = slews_in[before]
                    delay = (arc.fall if after else arc.rise).at(slew, load)
                    delays[before][after] = delay + tree
                    out = (arc.fall_slew if after else arc.rise_slew).at(slew, load)
                    worst[after] = max(worst[after], out)
            self.edges.append(
                _Edge(origin, net, ((delays[0][0], delays[0][1]), (delays[1][0], delays[1][1])))
            )
        self.slews[net] = (worst[0], worst[1])

    def _loaded(self, net: int, drive: _Drive) -> tuple[float, float]:
        """Load that a driver sees, and the delay of the tree of buffers behind it, if any."""
        load, limit = self.loads[net], drive.cell.limits[drive.pin]
        if load <= limit:
            return load, 0.0
        buffer = self.buffer
        most = buffer.limits[self.buffer_pin] / 2
        levels = 1
        while load / most > _TREE_FANOUT ** (levels - 1):
            levels += 1
        arc = buffer.arcs[self.buffer_pin][0]
        inner, last = (
            max(table.at(_CLOCK_SLEW_NS, driven) for table in (arc.rise, arc.fall))
            for driven in (_TREE_FANOUT * self.buffer_load, most)
        )
        return min(self.buffer_load, limit), (levels - 1) * inner + last

    def _register(self, instance: Instance) -> str:
        """Name of a register by the net that it drives."""
        for pin in ("Q", "QN"):
            for net in instance.pins.get(pin, []):
                if not isinstance(net, str) and net in self.netlist.names:
                    return self.netlist.names[net]
        return instance.name

    # Paths

    def _finish(self) -> None:
        """Find the slowest paths and what other modules see."""
        for instance in self.netlist.instances:
            cell = self.library.cells.get(instance.kind)
            for pin, tables in cell.setups.items() if cell else ():
                net = instance.pins.get(pin, ["x"])[0]
                if not isinstance(net, str):
                    slews = self.slews.get(net, (_CLOCK_SLEW_NS, _CLOCK_SLEW_NS))
                    setup = max(
                        table.at(slew, _CLOCK_SLEW_NS)
                        for table, slew in zip(tables, slews, strict=True)
                    )
                    self._end(net, setup, self._register(instance))
        inputs = {
            net: (0.0, port)
            for port, nets in self.netlist.inputs.items()
            if port not in (_CLOCK, "rst")
            for net in nets
            if not isinstance(net, str)
        }
        clocked = self._arrivals(self.starts)
        entered = self._arrivals(inputs)
        outputs = {
            net: (0.0, port)
            for port, nets in self.netlist.outputs.items()
            for net in nets
            if not isinstance(net, str)
        }
        for start, times in (("register", clocked), ("input", entered)):
            for end, stops in (("register", self.ends), ("output", outputs)):
                slowest = Path(_NEVER, "", "")
                for net, (delay, name) in stops.items():
                    if net in times:
                        time, origin = times[net]
                        slowest = max(slowest, Path(time + delay, origin, name))
                if slowest.delay_ns > _NEVER:
                    self.result.paths[PathKind(start, end)] = slowest
        self._show_ports(clocked, entered)

    def _arrivals(
        self, starts: Mapping[int, tuple[float, str]], edges: Sequence[_Edge] | None = None
    ) -> dict[int, tuple[float, str]]:
        """Latest time of every net that the starts lead to, by all edges or some, and from which of them."""
        times = {net: ([time, time], name) for net, (time, name) in starts.items()}
        names = {net: [name, name] for net, (_, name) in starts.items()}
        for source, target, delays in self.edges if edges is None else edges:
            if source not in times:
                continue
            before = times[source][0]
            after = times.setdefault(target, ([_NEVER, _NEVER], ""))[0]
            origin = names.setdefault(target, ["", ""])
            for i in range(_EDGES):
                for j in range(_EDGES):
                    if before[i] + delays[i][j] > after[j]:
                        after[j] = before[i] + delays[i][j]
                        origin[j] = names[source][i]
        return {
            net: max((values[0], names[net][0]), (values[1], names[net][1]))
            for net, (values, _) in times.items()
        }

    def _show_ports(
        self, clocked: dict[int, tuple[float, str]], entered: dict[int, tuple[float, str]]
    ) -> None:
        """Fill in what the modules around see at the ports."""
        result = self.result
        rests = self._rests()
        for port, nets in self.netlist.inputs.items():
            for index, net in enumerate(nets):
                if isinstance(net, str) or port == _CLOCK:
                    continue
                result.loads[port, index] = self.loads.get(net, 0.0)
                if net in rests and port != "rst":
                    rest, end = rests[net]
                    result.needs[port, index] = Path(rest, port, end)
        crossed = []
        for port, nets in self.netlist.outputs.items():
            for index, net in enumerate(nets):
                if isinstance(net, str):
                    continue
                if net in clocked:
                    time, start = clocked[net]
                    result.arrivals[port, index] = Path(time, start, port)
                if net in entered:
                    crossed.append((port, index, net))
        edges = self._edges_to({net for _, _, net in crossed})
        for source, nets in self.netlist.inputs.items() if crossed else ():
            if source in (_CLOCK, "rst"):
                continue
            origins = {net: (0.0, source) for net in nets if not isinstance(net, str)}
            times = self._arrivals(origins, edges)
            for port, index, net in crossed:
                if net in times and times[net][0] > _NEVER:
                    result.through.setdefault((port, index), {})[source] = times[net][0]

    def _edges_to(self, nets: set[int]) -> list[_Edge]:
        """Edges that lead to any of some nets, in order."""
        reached, edges = set(nets), []
        for edge in reversed(self.edges):
            if edge.target in reached:
                reached.add(edge.source)
                edges.append(edge)
        return edges[::-1]

    def _rests(self) -> dict[int, tuple[float, str]]:
        """Longest time from every net to a register's setup, and which register."""
        rests = {net: ([delay, delay], [name, name]) for net, (delay, name) in self.ends.items()}
        for source, target, delays in reversed(self.edges):
            if target not in rests:
                continue
            after, ends = rests[target]
            before, origin = rests.setdefault(source, ([_NEVER, _NEVER], ["", ""]))
            for i in range(_EDGES):
                for j in range(_EDGES):
                    if delays[i][j] + after[j] > before[i]:
                        before[i] = delays[i][j] + after[j]
                        origin[i] = ends[j]
        return {
            net: max((values[0], ends[0]), (values[1], ends[1]))
            for net, (values, ends) in rests.items()
        }
