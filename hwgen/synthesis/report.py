"""Timing of an accelerator: every module's slowest paths against the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwgen.synthesis.checks import netlist_faults
from hwgen.synthesis.composition import instance_counts
from hwgen.synthesis.design import map_design
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.opensta import native_sta, register_delays
from hwgen.synthesis.targets import StandardCellFlow
from hwgen.synthesis.timing import ModuleTiming, Path, PathKind, analyze
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["TimingReport", "TimingRow", "report_timing", "time_modules"]

_WITHIN = PathKind("register", "register")


@dataclass(frozen=True, slots=True)
class TimingRow:
    """Slowest path of a kind in a module.

    Parameters
    ----------
    module : str
    kind : PathKind
    path : Path
    slack_ns : float
        What the clock's period leaves.
    judged : bool
        Whether the path is whole. Others go on in the module around, where they are judged.
    wired_slack_ns : float
        Slack of the kind's slowest path if memories of several macros have wires between them
        (:func:`hwgen.synthesis.timing.analyze`); it judges nothing.
    """

    module: str
    kind: PathKind
    path: Path
    slack_ns: float
    judged: bool
    wired_slack_ns: float

    @property
    def within(self) -> bool:
        """Whether the path begins and ends in the module."""
        return self.kind == _WITHIN

    @property
    def clock_mhz(self) -> float:
        """Highest clock that the path allows."""
        return 1000 / self.path.delay_ns


@dataclass(frozen=True, slots=True)
class TimingReport:
    """Timing and logic area of an accelerator's modules.

    Parameters
    ----------
    clock_mhz : float
    library : str
    rows : sequence of TimingRow
        Modules below before those around them.
    areas_um2 : dict of str to float
        Logic of a module, without memories and modules below.
    instances : dict of str to int
        How often each module is there.
    faults : tuple of str
        Loops and nets with several drivers or none, of the modules and between them.
    opensta_ns : mapping of str to float
        Longest delay between registers by OpenSTA, where it is installed, of the modules that it can time.
    """

    clock_mhz: float
    library: str
    rows: Sequence[TimingRow]
    areas_um2: dict[str, float]
    instances: dict[str, int]
    faults: tuple[str, ...] = ()
    opensta_ns: Mapping[str, float] = field(default_factory=dict)

    @property
    def misses(self) -> list[TimingRow]:
        """Rows of whole paths that take longer than the period."""
        return [row for row in self.rows if row.judged and row.slack_ns < 0]

    @property
    def wired_misses(self) -> list[TimingRow]:
        """Rows of whole paths that would take longer than the period with the wires between macros."""
        return [row for row in self.rows if row.judged and row.wired_slack_ns < 0]

    @property
    def logic_um2(self) -> float:
        """Area of all logic."""
        return sum(area * self.instances[name] for name, area in self.areas_um2.items())

    @property
    def opensta_ratios(self) -> dict[str, float]:
        """Delays by OpenSTA in those of this report, by module."""
        own = {row.module: row.path.delay_ns for row in self.rows if row.within}
        return {name: delay / own[name] for name, delay in self.opensta_ns.items()}

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        return {
            "clock_mhz": self.clock_mhz,
            "library": self.library,
            "logic_um2": round(self.logic_um2, 1),
            "paths": [
                {
                    "module": row.module,
                    "from": str(row.kind.start),
                    "to": str(row.kind.end),
                    "delay_ns": round(row.path.delay_ns, 4),
                    "slack_ns": round(row.slack_ns, 4),
                    "wired_slack_ns": round(row.wired_slack_ns, 4),
                    "start": row.path.start,
                    "end": row.path.end,
                    "judged": row.judged,
                }
                for row in self.rows
            ],
            "opensta_ns": dict(self.opensta_ns),
            "modules": {
                name: {"area_um2": round(area, 1), "instances": self.instances[name]}
                for name, area in self.areas_um2.items()
            },
        }


def report_timing(
    config: AcceleratorConfig,
    library: Library,
    clock_mhz: float | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> TimingReport:
    """Map an accelerator to a library's cells and time every module.

    Takes a minute for `tiny`'s default and some for `edge`'s; what was mapped before is in the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    library : Library
    clock_mhz : float, optional
        In the place of the configuration's.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If there is no Verilog of the configuration.
    """
    clock = config.clock_mhz if clock_mhz is None else clock_mhz
    flow = StandardCellFlow(library=library, clock_mhz=clock)
    return time_modules(
        map_design(config, flow, progress=progress), flow, progress, opensta=bool(native_sta())
    )


def time_modules(
    modules: Sequence[MappedModule],
    flow: StandardCellFlow,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
    *,
    opensta: bool = False,
) -> TimingReport:
    """Time every module of a design that is mapped to standard cells.

    Parameters
    ----------
    modules : sequence of MappedModule
        Those below a module before it; the last is the one around all.
    flow : StandardCellFlow
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.
    opensta : bool
        Whether OpenSTA times them as well.
    """
    timings: dict[str, ModuleTiming] = {}
    wired: dict[str, ModuleTiming] = {}
    faults: list[str] = []
    for done, module in enumerate(modules):
        progress("timing", done, len(modules))
        netlist = module.netlist()
        faults += [f"{module.name}: {problem}" for problem in module.problems]
        faults += netlist_faults(netlist, flow.library, timings)
        cells, scale = flow.memory_cells, flow.memory_scale
        timed = analyze(netlist, flow.library, timings, cells, scale)
        timings[module.name] = wired[module.name] = timed
        if any(
            instance.parameters or wired.get(instance.kind) is not timings.get(instance.kind)
            for instance in netlist.instances
        ):
            wired[module.name] = analyze(
                netlist, flow.library, wired, cells, scale, macro_wires=True
            )
    progress("timing", len(modules), len(modules))
    rows = [
        TimingRow(
            name,
            kind,
            path,
            1000 / flow.clock_mhz - path.delay_ns,
            kind == _WITHIN or name == modules[-1].name,
            1000 / flow.clock_mhz - wired[name].paths[kind].delay_ns,
        )
        for name, timing in timings.items()
        for kind, path in timing.paths.items()
    ]
    areas = {name: timing.area_um2 for name, timing in timings.items()}
    counts = instance_counts(modules)
    checked = register_delays(modules, flow.library, progress) if opensta else {}
    return TimingReport(
        flow.clock_mhz, flow.library.name, rows, areas, counts, tuple(faults), checked
    )
