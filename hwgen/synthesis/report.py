"""Timing of an accelerator: every module's slowest paths against the clock."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hwgen.emit import Emission, emit_modules
from hwgen.garbage import without_collection
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.netlist import Netlist, map_modules
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
    """

    module: str
    kind: PathKind
    path: Path
    slack_ns: float
    judged: bool

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
    """

    clock_mhz: float
    library: str
    rows: Sequence[TimingRow]
    areas_um2: dict[str, float]
    instances: dict[str, int]

    @property
    def misses(self) -> list[TimingRow]:
        """Rows of whole paths that take longer than the period."""
        return [row for row in self.rows if row.judged and row.slack_ns < 0]

    @property
    def logic_um2(self) -> float:
        """Area of all logic."""
        return sum(area * self.instances[name] for name, area in self.areas_um2.items())

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
                    "start": row.path.start,
                    "end": row.path.end,
                    "judged": row.judged,
                }
                for row in self.rows
            ],
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

    Takes a minute for `tiny`'s default and three for `edge`'s.

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
    progress("synthesis", 0, 1)
    with without_collection():
        emission = emit_modules(config)
    return time_modules(emission, library, clock, progress)


def time_modules(
    emission: Emission,
    library: Library,
    clock: float,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> TimingReport:
    """Map emitted modules to a library's cells and time them, as :func:`report_timing` does."""
    netlists = map_modules(
        emission, library, clock, lambda done, total: progress("synthesis", done, total)
    )
    timings: dict[str, ModuleTiming] = {}
    for done, netlist in enumerate(netlists):
        progress("timing", done, len(netlists))
        timings[netlist.name] = analyze(netlist, library, timings)
    progress("timing", len(netlists), len(netlists))
    rows = [
        TimingRow(
            name,
            kind,
            path,
            1000 / clock - path.delay_ns,
            kind == _WITHIN or name == emission.top,
        )
        for name, timing in timings.items()
        for kind, path in timing.paths.items()
    ]
    areas = {name: timing.area_um2 for name, timing in timings.items()}
    return TimingReport(clock, library.name, rows, areas, _instances(netlists))


def _instances(netlists: Sequence[Netlist]) -> dict[str, int]:
    """Count every module's instances; the last is the one around all."""
    names = {netlist.name for netlist in netlists}
    counts = {netlists[-1].name: 1}
    for netlist in reversed(netlists):
        below = Counter(instance.kind for instance in netlist.instances if instance.kind in names)
        for kind, count in below.items():
            counts[kind] = counts.get(kind, 0) + counts.get(netlist.name, 0) * count
    return counts
