"""Fits of energy with made-up coefficients, and runs whose energy they are, for tests that need no RTL."""

import random
from collections.abc import Sequence
from typing import Any

from hwgen.synthesis.module_counts import module_counts
from silicon_fits import GATEWARE
from sim.cost.energy_activities import (
    FITTED_ACTIVITIES,
    MEMORY_ACTIVITIES,
    PART_ACTIVITIES,
    activity_counts,
)
from sim.cost.energy_fit import EnergyFit, EnergyFits, MemoryAccesses
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import AREA, CLOCK, LEAKAGE, FitError, SiliconFit
from sim.cost.silicon_modules import MODULES, macro_memories, silicon_memories
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY, SHAPED, shape_features
from sim.cost.sram import FLIP_FLOP_ROWS, memory_cells, sram
from sim.spec.accelerator import AcceleratorConfig
from testbench.power.direct import MacroAccesses, ModuleEnergy, RunEnergy
from testbench.power.samples import EnergySample

__all__ = ["made_up_energy", "made_up_energy_fits", "made_up_run"]

_INSTANCES = {
    "register_files": ("lane", "register_file"),
    "saved_accumulators": ("lane", "accumulators"),
    "parameter_memory": ("lane", "parameters"),
    "window_rings": ("lane", "ring.bank_2"),
    "local_memory": ("pe", "bank_1"),
    "requantizers": ("requantizer_unit", "table_value_2"),
    "weight_store": ("weight_store", "bank_0"),
}


def made_up_energy(seed: int, clock_mhz: float = 800) -> EnergyFit:
    """Fit of every kind of module with random coefficients."""
    generator = random.Random(f"energy {seed}")

    def coefficients(names: Sequence[str]) -> dict[str, float]:
        return {name: round(generator.uniform(0.1, 3), 3) for name in names}

    error = {"total": FitError(samples=2, mean=0.01, worst=0.02)}
    parts = {module.kind: PART_ACTIVITIES[module.part] for module in MODULES}
    parts |= dict.fromkeys((FIFO, FLIP_FLOP_MEMORY), FITTED_ACTIVITIES)
    return EnergyFit(
        target="cells",
        clock_mhz=clock_mhz,
        flow=GATEWARE,
        switching={kind: coefficients(names) for kind, names in parts.items()},
        memories={
            name: MemoryAccesses(
                reads=coefficients(MEMORY_ACTIVITIES), writes=coefficients(MEMORY_ACTIVITIES)
            )
            for name in macro_memories()
        },
        fitted=error,
        held_out=error,
    )


def made_up_energy_fits(gateware: str = GATEWARE) -> EnergyFits:
    """File of fits at two clocks."""
    return EnergyFits(
        gateware_hash=gateware,
        tool="none 1",
        accelerators=2,
        workloads=["windows"],
        fits=[made_up_energy(1, 200), made_up_energy(2, 800)],
    )


def made_up_run(
    config: AcceleratorConfig, totals: dict[str, int], fit: EnergyFit, silicon: SiliconFit
) -> EnergySample:
    """Run whose modules take what fits say, module by module: a second way to the sums."""
    counts = activity_counts(config, totals)
    modules = []
    for (kind, size), number in module_counts(config, fpga=False).items():
        own = {
            figure: _own(config, silicon, kind, size, figure) for figure in (AREA, CLOCK, LEAKAGE)
        }
        rate = sum(fit.switching[kind][name] * 1e-3 * counts[name] for name in fit.switching[kind])
        steady = number * own[CLOCK] * totals["cycle"]
        modules.append(
            ModuleEnergy(
                kind=kind,
                size=size,
                instances=number,
                simulated=1,
                area_um2=number * own[AREA],
                steady_pj=steady,
                clock_pj=steady,
                switching_pj=number * own[AREA] * rate,
                leakage_uw=number * own[LEAKAGE],
            )
        )
    return EnergySample(
        config=config,
        workload="windows",
        cycles=totals["cycle"],
        execute_busy=totals["busy"],
        macs=totals["mac"],
        results=totals["result"],
        read_bytes=totals["read"],
        write_bytes=totals["write"],
        store_bytes=totals["store"],
        energy=RunEnergy(
            cycles=totals["cycle"], modules=modules, macros=_macros(config, fit, silicon, counts)
        ),
    )


def _own(
    config: AcceleratorConfig, silicon: SiliconFit, kind: str, size: str, figure: str
) -> float:
    coefficients = silicon.modules[kind].coefficients[figure]
    if kind in SHAPED:
        first, second = map(int, size.split("x"))
        width, rows = (first, second) if kind == FIFO else (second, first)
        values = shape_features(kind, width, rows, silicon.target)
    else:
        values = {name: FEATURES[name].value(config) for name in coefficients}
    return sum(number * values[name] for name, number in coefficients.items())


def _macros(
    config: AcceleratorConfig, fit: EnergyFit, silicon: SiliconFit, counts: dict[str, Any]
) -> list[MacroAccesses]:
    macros = []
    cells = memory_cells(config.clock_mhz * silicon.feature_nm / 45)
    for memory in silicon_memories():
        shape = memory.shape(config)
        if memory.fifo or not shape.count or shape.rows <= FLIP_FLOP_ROWS:
            continue
        ports = shape.ports
        figures = sram(shape.width, shape.rows, ports=ports, cells=cells)
        accesses = fit.memories[memory.name]
        reads, writes = (
            shape.count * sum(number * counts[name] for name, number in way.items())
            for way in (accesses.reads, accesses.writes)
        )
        module, name = _INSTANCES[memory.name]
        macros.append(
            MacroAccesses(
                module=module,
                memory=name,
                width=shape.width,
                rows=shape.rows,
                ports=ports,
                instances=shape.count,
                reads=reads,
                writes=writes,
                read_pj=reads * figures.read_pj,
                write_pj=writes * figures.write_pj,
                leakage_uw=shape.count * figures.leakage_uw,
            )
        )
    return macros
