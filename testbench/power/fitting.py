"""Fit of energy to runs that were simulated in mapped modules, and its errors on runs that it has not seen."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwgen.synthesis.fitting import fit_error, non_negative_least_squares
from hwgen.verilog.identifiers import plain
from sim.cost.energy_activities import (
    FITTED_ACTIVITIES,
    MEMORY_ACTIVITIES,
    PART_ACTIVITIES,
    activity_counts,
)
from sim.cost.energy_fit import EnergyFit, EnergyFits, MemoryAccesses
from sim.cost.energy_parts import Activity, EnergyBreakdown, Work
from sim.cost.fitted_energy import ENERGY_PARTS, fitted_energy
from sim.cost.silicon_fit import FitError, SiliconFits
from sim.cost.silicon_modules import MODULES, silicon_memories
from sim.cost.silicon_shapes import FIFO, SHAPED
from sim.spec.accelerator import AcceleratorConfig
from testbench.power.samples import EnergySample

__all__ = ["direct_parts", "fit_clocks", "fit_energy", "memory_name"]

_MEMORIES = {
    ("lane", "register_file"): "register_files",
    ("lane", "accumulators"): "saved_accumulators",
    ("lane", "parameters"): "parameter_memory",
    ("lane", "ring"): "window_rings",
    ("pe", "bank"): "local_memory",
    ("requantizer_unit", "table"): "requantizers",
    ("weight_store", "bank"): "weight_store",
}
"""Names of memories by their module and the beginning of their name in it, as the gateware has it."""

_EMITTED = {(module, plain(begins)): name for (module, begins), name in _MEMORIES.items()}

_PARTS = {module.kind: module.part for module in MODULES}

_OF_MEMORY = {"saved_accumulators": "register_files"}
"""Part of the area that has a memory, where it is not the memory's name."""


def memory_name(module: str, memory: str) -> str:
    """Name of the memories that a macro in a kind of module is of.

    Parameters
    ----------
    module : str
        Kind of module.
    memory : str
        Name in the emitted Verilog, behind those of modules between that have no cells of their own.

    Raises
    ------
    KeyError
        If it is no memory of a module.
    """
    own = memory.split(".")[0]
    return _EMITTED[module, own.rstrip("0123456789").rstrip("_")]


def fit_energy(
    fitted: Sequence[EnergySample],
    held_out: Sequence[EnergySample],
    silicon: SiliconFits,
    *,
    flow: str,
) -> EnergyFit:
    """Fit runs on accelerators of a clock, and judge by others.

    The error of a run is that of the whole energy on the chip, as the model gives it with the fitted silicon, against the sum over its
    simulated modules and the accesses to its memories.

    Parameters
    ----------
    fitted, held_out : sequence of EnergySample
        All of one clock.
    silicon : SiliconFits
        Of the same gateware.
    flow : str
        Identity of the mapping.
    """
    (clock_mhz,) = {sample.config.clock_mhz for sample in (*fitted, *held_out)}
    cells = silicon.cells(clock_mhz)
    fit = EnergyFit(
        target=cells.target,
        clock_mhz=clock_mhz,
        flow=flow,
        switching=_switching(fitted),
        memories=_memories(fitted),
        fitted={},
        held_out={},
    )
    fits = EnergyFits(
        gateware_hash=silicon.gateware_hash, tool="", accelerators=1, workloads=[], fits=[fit]
    )
    return EnergyFit(
        target=fit.target,
        clock_mhz=clock_mhz,
        flow=flow,
        switching=fit.switching,
        memories=fit.memories,
        fitted=_errors(fitted, fits, silicon),
        held_out=_errors(held_out, fits, silicon),
    )


def fit_clocks(
    fitted: Sequence[EnergySample],
    held_out: Sequence[EnergySample],
    silicon: SiliconFits,
    flow: Callable[[float], str],
) -> list[EnergyFit]:
    """Fit the runs of each clock, by rising clocks.

    Parameters
    ----------
    fitted, held_out : sequence of EnergySample
    silicon : SiliconFits
        Of the same gateware.
    flow : callable
        Identity of the mapping for a clock.
    """
    return [
        fit_energy(
            [run for run in fitted if run.config.clock_mhz == clock_mhz],
            [run for run in held_out if run.config.clock_mhz == clock_mhz],
            silicon,
            flow=flow(clock_mhz),
        )
        for clock_mhz in sorted({run.config.clock_mhz for run in fitted})
    ]


def direct_parts(sample: EnergySample) -> dict[str, float]:
    """Energy of a run on the chip by part, pJ, as it was simulated."""
    parts: dict[str, float] = defaultdict(float)
    seconds = sample.cycles / (sample.config.clock_mhz * 1e6)
    for module in sample.energy.modules:
        for part, share in _shares(sample.config, module.kind, module.size).items():
            parts[ENERGY_PARTS[part]] += share * (module.clock_pj + module.switching_pj)
        parts["leakage"] += module.leakage_uw * seconds * 1e6
    for macro in sample.energy.macros:
        name = memory_name(macro.module, macro.memory)
        part = ENERGY_PARTS[_OF_MEMORY.get(name, name)]
        parts[part] += macro.read_pj + macro.write_pj
        parts["leakage"] += macro.leakage_uw * seconds * 1e6
    return dict(parts)


def _shares(config: AcceleratorConfig, kind: str, size: str) -> dict[str, float]:
    """Parts of the area that have the modules of a kind and size, with the share of each."""
    if kind not in SHAPED:
        return {_PARTS[kind]: 1.0}
    numbers: Counter[str] = Counter()
    for memory in silicon_memories():
        shape = memory.shape(config)
        lengths = (shape.width, shape.rows) if kind == FIFO else (shape.rows, shape.width)
        if size == "{}x{}".format(*lengths) and (memory.fifo or kind != FIFO):
            numbers[memory.part] += shape.count
    return {part: number / numbers.total() for part, number in numbers.items()}


def _counts(sample: EnergySample) -> dict[str, Any]:
    totals = {
        "cycle": sample.cycles,
        "busy": sample.execute_busy,
        "mac": sample.macs,
        "result": sample.results,
        "read": sample.read_bytes,
        "write": sample.write_bytes,
        "store": sample.store_bytes,
        "descriptor": 0,  # outside the chip
    }
    return activity_counts(sample.config, totals)


def _switching(samples: Sequence[EnergySample]) -> dict[str, dict[str, float]]:
    """Energy of each kind of module by activity, fJ for each µm²."""
    rows: dict[str, list[tuple[list[float], float, float]]] = defaultdict(list)
    for sample in samples:
        counts = _counts(sample)
        whole = sum(direct_parts(sample).values())
        for module in sample.energy.modules:
            activities = _activities(module.kind)
            grown = [module.area_um2 * counts[name] * 1e-3 for name in activities]
            changed = module.switching_pj + module.clock_pj - module.steady_pj
            rows[module.kind].append((grown, changed, whole))
    return {kind: _solved(_activities(kind), alike) for kind, alike in sorted(rows.items())}


def _activities(kind: str) -> tuple[str, ...]:
    """Activities that a kind's switching may grow by: memories and FIFOs by any."""
    if kind in SHAPED:
        return FITTED_ACTIVITIES
    return PART_ACTIVITIES[_PARTS[kind]]


def _memories(samples: Sequence[EnergySample]) -> dict[str, MemoryAccesses]:
    """Accesses to each macro of every memory by activity."""
    rows: dict[str, dict[str, list[tuple[list[float], float, float]]]] = {}
    for sample in samples:
        counts = _counts(sample)
        grown = [counts[name] for name in MEMORY_ACTIVITIES]
        whole = sum(direct_parts(sample).values())
        totals: dict[str, tuple[float, float, float]] = {}
        for macro in sample.energy.macros:
            name = memory_name(macro.module, macro.memory)
            known = totals.get(name, (0.0, 0.0, 0.0))
            more = (macro.reads, macro.writes, float(macro.instances))
            totals[name] = (known[0] + more[0], known[1] + more[1], known[2] + more[2])
        for name, (reads, writes, number) in totals.items():
            of_memory = rows.setdefault(name, {"reads": [], "writes": []})
            of_memory["reads"].append((grown, reads / number, whole / number))
            of_memory["writes"].append((grown, writes / number, whole / number))
    return {
        name: MemoryAccesses(
            reads=_solved(MEMORY_ACTIVITIES, of_memory["reads"]),
            writes=_solved(MEMORY_ACTIVITIES, of_memory["writes"]),
        )
        for name, of_memory in sorted(rows.items())
    }


def _solved(
    names: Sequence[str], rows: Sequence[tuple[list[float], float, float]]
) -> dict[str, float]:
    """Coefficients, none negative, with the least squares of errors as shares of the whole runs."""
    weights = 1 / np.array([max(whole, 1e-9) for _, _, whole in rows])
    table = np.array([grown for grown, _, _ in rows]) * weights[:, None]
    known = np.array([value for _, value, _ in rows]) * weights
    scales = np.maximum(table.max(axis=0), 1e-300)
    height = max(float(known.max()), 1e-300)
    solved = non_negative_least_squares(table / scales, known / height) / scales * height
    return {
        name: float(f"{value:.6g}") for name, value in zip(names, solved, strict=True) if value > 0
    }


def _errors(
    samples: Sequence[EnergySample], fits: EnergyFits, silicon: SiliconFits
) -> dict[str, FitError]:
    """Errors of the whole and of every part, as shares of the whole."""
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in samples:
        known = direct_parts(sample)
        whole = sum(known.values())
        predicted = _predicted(sample, fits, silicon)
        pairs["total"].append((sum(predicted.values()), whole))
        for part, value in predicted.items():
            # A part's error is judged by what it adds to the whole
            pairs[part].append((whole + value - known.get(part, 0.0), whole))
    return {name: fit_error(row) for name, row in pairs.items()}


def _predicted(sample: EnergySample, fits: EnergyFits, silicon: SiliconFits) -> dict[str, float]:
    """Energy of a run on the chip by part, as the model gives it."""
    activity = Activity(
        total_cycles=sample.cycles,
        execute_busy=sample.execute_busy,
        read_bytes=sample.read_bytes,
        write_bytes=sample.write_bytes,
        store_bytes=sample.store_bytes,
        descriptor_bytes=0,
        layers=(Work(macs=sample.macs, results=sample.results),),
    )
    breakdown = fitted_energy(sample.config, activity, fits, silicon)
    return {
        part: getattr(breakdown, part)
        for part in EnergyBreakdown.__dataclass_fields__
        if part != "external_memory"
    }
