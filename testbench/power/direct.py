"""Energy of a run by simulation of mapped modules: every net's changes, glitches among them, with what the cells take.

Each module is simulated by itself with what RTL simulation has shown at its inputs and at the outputs of the memories and
modules below; what it shows itself, at its outputs and to what is below, must be what it has shown in RTL, in every cycle that
counts. Energy is thereby that of netlists which do what the RTL does. Memories that are macros take what
CACTI says for every access. Of modules with many instances some are simulated and stand for all, more of small modules:
their instances differ, as SIMD units without an output channel rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from hwgen.module_names import module_kind, module_size
from hwgen.synthesis.cell_power import LibraryPower
from hwgen.synthesis.gate_model import GateModel, gate_model
from hwgen.synthesis.gate_simulation import Switching, simulate_gates
from hwgen.synthesis.mapping import MappedModule
from hwgen.synthesis.netlist import Instance, Netlist
from hwgen.synthesis.targets import StandardCellFlow
from sim.cost.sram import sram
from testbench.power.instances import instance_scopes, module_signals, stimulus
from testbench.power.waves import Waves, read_waves, wave_paths

__all__ = [
    "MOST_SAMPLED",
    "SAMPLED",
    "SAMPLED_CELLS",
    "MacroAccesses",
    "ModuleEnergy",
    "PoweredModules",
    "RunEnergy",
    "Window",
    "run_energy",
]

SAMPLED = 2
"""Instances of a module that are simulated, at least."""

MOST_SAMPLED = 12
SAMPLED_CELLS = 30_000
"""Instances of a small module that are simulated, at most, and cells of all of them together."""

_BUSY = "trace_busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Cycles of the waveforms that count, from ``start`` up to ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEnergy:
    """All instances of a module, without the modules below.

    Parameters
    ----------
    kind, size : str
        Name without prefix and size; size in the name, or empty.
    instances, simulated : int
    area_um2 : float
        Cells.
    steady_pj : float
        Clock pins of the flip-flops, if nothing changed in any cycle.
    clock_pj : float
        Clock pins of the flip-flops.
    switching_pj : float
        Changes of nets, flip-flops and gates.
    leakage_uw : float
    """

    kind: str
    size: str
    instances: int
    simulated: int
    area_um2: float
    steady_pj: float
    clock_pj: float
    switching_pj: float
    leakage_uw: float

    def total_pj(self, seconds: float) -> float:
        """All of it, with the leakage of a time."""
        return self.clock_pj + self.switching_pj + self.leakage_uw * seconds * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroAccesses:
    """Accesses to the macros of a memory, of all its instances.

    Parameters
    ----------
    module : str
        Module that has it.
    memory : str
        Name in the module.
    width, rows, ports : int
    instances : int
    reads, writes : float
    read_pj, write_pj : float
        Of all of them.
    leakage_uw : float
    """

    module: str
    memory: str
    width: int
    rows: int
    ports: int
    instances: int
    reads: float
    writes: float
    read_pj: float
    write_pj: float
    leakage_uw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnergy:
    """Energy of a window of an accelerator's run.

    Parameters
    ----------
    cycles : int
    modules : sequence of ModuleEnergy
    macros : sequence of MacroAccesses
    """

    cycles: int
    modules: Sequence[ModuleEnergy]
    macros: Sequence[MacroAccesses]


class PoweredModules:
    """Mapped modules of an accelerator, ready to be simulated with any of its runs.

    Parameters
    ----------
    modules : sequence of MappedModule
        Those below a module before it; the last is the one around all.
    flow : StandardCellFlow
        That they were mapped by.
    power : LibraryPower
        Of its cells.
    kinds : callable
        Whether modules of a kind are wanted.
    """

    def __init__(
        self,
        modules: Sequence[MappedModule],
        flow: StandardCellFlow,
        power: LibraryPower,
        *,
        kinds: Callable[[str], bool] = lambda kind: True,
    ) -> None:
        self.modules = modules
        self.flow = flow
        self.chosen = [module for module in modules if kinds(module_kind(module.name))]
        self.netlists = {module.name: module.netlist() for module in modules}
        self.models = {
            module.name: gate_model(self.netlists[module.name], flow.library, power)
            for module in self.chosen
        }


def run_energy(
    powered: PoweredModules,
    waves: Path,
    *,
    window: Window | None = None,
    sampled: int = SAMPLED,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> RunEnergy:
    """Simulate the modules of an accelerator with the waveforms of its run in the synthesis view.

    Parameters
    ----------
    powered : PoweredModules
    waves : Path
    window : Window, optional
        Without it the last run in the waveforms.
    sampled : int
        Instances of a large module that are simulated.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    RuntimeError
        If a netlist shows another value than the RTL.
    """
    chosen, netlists, models = powered.chosen, powered.netlists, powered.models
    paths = wave_paths(waves)
    top = next(path for path in paths if path.endswith(f".{_BUSY}")).removesuffix(f".{_BUSY}")
    scopes = instance_scopes(netlists, top)
    cells = {module.name: sum(module.cells.values()) for module in chosen}
    shown: dict[str, list[str]] = {}
    wanted = {f"{top}.{_BUSY}"}
    for name, model in models.items():
        netlist = netlists[name]
        shown[name] = _drawn(scopes[name], _number(cells[name], sampled), name)
        for scope in shown[name]:
            wanted |= module_signals(netlist, model, scope)
            wanted |= {
                f"{scope}.{instance.name}.{pin}"
                for instance in netlist.instances
                if instance.parameters
                for pin in ("read_enable", "write_enable", "enable", "write")
            }
    progress("waveforms", 0, 1)
    read = read_waves(waves, wanted)
    progress("waveforms", 1, 1)
    counted = _last_run(read, f"{top}.{_BUSY}") if window is None else window
    energies, macros = [], []
    for done, module in enumerate(chosen):
        progress("modules", done, len(chosen))
        name, instances = module.name, len(scopes[module.name])
        runs = [
            _simulated(netlists[name], models[name], scope, read, counted) for scope in shown[name]
        ]
        share = instances / len(runs)
        energies.append(
            ModuleEnergy(
                kind=module_kind(name),
                size=module_size(name),
                instances=instances,
                simulated=len(runs),
                area_um2=instances * powered.flow.library.area_um2(module.cells),
                steady_pj=instances * models[name].clock_fj * 1e-3 * (counted.stop - counted.start),
                clock_pj=share * sum(run.clock_fj for run in runs) * 1e-3,
                switching_pj=share * sum(run.gate_fj + run.net_fj for run in runs) * 1e-3,
                leakage_uw=instances * models[name].leakage_uw,
            )
        )
        macros += [
            _accesses(name, instance, shown[name], read, counted, instances, powered.flow)
            for instance in netlists[name].instances
            if instance.parameters
        ]
    progress("modules", len(chosen), len(chosen))
    return RunEnergy(cycles=counted.stop - counted.start, modules=energies, macros=macros)


def _number(cells: int, sampled: int) -> int:
    """Instances to simulate of a module with so many cells."""
    return max(sampled, min(MOST_SAMPLED, SAMPLED_CELLS // max(1, cells)))


def _drawn(scopes: Sequence[str], number: int, seed: str) -> list[str]:
    """Draw instances by chance, a single instance of each of so many equal stretches."""
    if len(scopes) <= number:
        return list(scopes)
    random = Random(seed)
    ends = [place * len(scopes) // number for place in range(number + 1)]
    return [scopes[random.randrange(first, end)] for first, end in pairwise(ends)]


def _last_run(waves: Waves, busy: str) -> Window:
    """Last cycles in which the accelerator runs a program."""
    level = waves.bits(busy)[:, 0].astype(np.int8)
    edges = np.diff(level, prepend=0, append=0)
    return Window(
        start=int(np.flatnonzero(edges == 1)[-1]), stop=int(np.flatnonzero(edges == -1)[-1])
    )


def _simulated(
    netlist: Netlist, model: GateModel, scope: str, waves: Waves, window: Window
) -> Switching:
    """Simulate an instance from the first cycle of the waveforms, and compare what it shows."""
    driven = stimulus(netlist, model, scope, waves)
    result = simulate_gates(
        model,
        driven.driven[: window.stop],
        driven.state,
        driven.observed,
        warm_up=window.start,
    )
    different = result.settled[window.start :] != driven.shown[window.start : window.stop]
    if different.any():
        cycle, place = np.argwhere(different)[0]
        raise RuntimeError(
            f"netlist of {scope} must show {driven.names[place]} as the RTL does in cycle "
            f"{window.start + cycle}: {different.any(axis=0).sum()} bits differ"
        )
    return result


def _accesses(
    module: str,
    memory: Instance,
    scopes: Sequence[str],
    waves: Waves,
    window: Window,
    instances: int,
    flow: StandardCellFlow,
) -> MacroAccesses:
    """Count the accesses to a macro of a module in the instances that are simulated."""
    width, rows = memory.parameters["WIDTH"], memory.parameters["DEPTH"]
    single = "single_port" in memory.kind
    ports = 1 if single else 2
    reads = writes = 0
    for scope in scopes:

        def level(pin: str, scope: str = scope) -> NDArray[np.bool_]:
            values = waves.bits(f"{scope}.{memory.name}.{pin}")[window.start : window.stop, 0]
            return values.astype(bool)

        if single:
            enabled, writing = level("enable"), level("write")
            reads += int((enabled & ~writing).sum())
            writes += int((enabled & writing).sum())
        else:
            reads += int(level("read_enable").sum())
            writes += int(level("write_enable").sum())
    figures = sram(width, rows, ports=ports, cells=flow.memory_cells)
    share = instances / len(scopes)
    return MacroAccesses(
        module=module_kind(module),
        memory=memory.name,
        width=width,
        rows=rows,
        ports=ports,
        instances=instances,
        reads=share * reads,
        writes=share * writes,
        read_pj=share * reads * figures.read_pj,
        write_pj=share * writes * figures.write_pj,
        leakage_uw=instances * figures.leakage_uw,
    )
