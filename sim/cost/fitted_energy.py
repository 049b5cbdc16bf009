"""Energy of runs by part, from netlists at work: clock, switching, accesses to memories, external traffic, leakage.

* **Clock**: every flip-flop of an accelerator is clocked in every cycle, as the emitted Verilog has no clock gates.
* **Switching** of a kind of module is proportional to its area and to what it does (:mod:`sim.cost.energy_activities`), with coefficients that are
  fitted to mapped modules, simulated with the waveforms of runs (``testbench.power``).
* **Accesses** to the macros of a memory are counted in the same runs, and cost what CACTI says.
* **External traffic** costs interface and device (:mod:`sim.cost.external_interface`).
* **Leakage** of cells at 25 °C and of macros at 300 K, for the time of the run.

Area, clock and leakage of the cells are those of the fitted silicon (:mod:`sim.cost.silicon_fit`). Wires have no length.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.config_columns import ConfigColumns
from sim.cost.energy_activities import activity_counts
from sim.cost.energy_fit import EnergyFit, EnergyFits
from sim.cost.energy_parts import EnergyBreakdown, Prediction
from sim.cost.external_interface import ExternalInterface, interface_price
from sim.cost.logic_area import fitted_memory_cells
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import AREA, CLOCK, LEAKAGE, SiliconFit, SiliconFits
from sim.cost.silicon_modules import MODULES, SiliconMemory, silicon_memories
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY
from sim.cost.silicon_sums import Ask, figure_of, shape_figure
from sim.cost.sram import FLIP_FLOP_ROWS, sram
from sim.cost.sram_table import MemoryCells
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["ENERGY_PARTS", "HYPERBUS_GBPS", "fitted_energies", "fitted_energy", "interface_class"]

HYPERBUS_GBPS = 3.2
"""Bandwidth up to which the external memory is HyperRAM, eight buses at most; beyond, it is LPDDR4."""

ENERGY_PARTS: Mapping[str, str] = {
    "multiply_accumulate": "multiply_accumulate",
    "requantizers": "requantizers",
    "accumulators": "accumulators",
    "window_rings": "accumulators",
    "parameter_memory": "register_files",
    "register_files": "register_files",
    "local_memory": "local_memory",
    "weight_store": "weight_store",
    "interconnect": "interconnect",
    "bus": "control",
    "control": "control",
}
"""Part of the energy that has what a part of the area takes."""

_STATIC = (AREA, CLOCK, LEAKAGE)


def fitted_energy(
    config: AcceleratorConfig, prediction: Prediction, fits: EnergyFits, silicon: SiliconFits
) -> EnergyBreakdown:
    """Energy of a run, of all its images, by part, pJ.

    Parameters
    ----------
    config : AcceleratorConfig
    prediction : Prediction
    fits : EnergyFits
    silicon : SiliconFits
        Of the same gateware.

    Raises
    ------
    DesignFileError
        If a module is missing in the fits, or the silicon has no power.
    """
    totals = {
        "cycle": prediction.total_cycles,
        "busy": prediction.execute_busy,
        "mac": prediction.images * sum(layer.macs for layer in prediction.layers),
        "result": prediction.images * sum(layer.results for layer in prediction.layers),
        "read": prediction.read_bytes,
        "write": prediction.write_bytes,
        "store": prediction.store_bytes,
    }

    def ask(names: Any, function: Any) -> Any:
        return function(config)

    clock = config.clock_mhz
    parts = _parts(fits.cells(clock), silicon.cells(clock), clock, ask, totals)
    return EnergyBreakdown(**{name: float(value) for name, value in parts.items()})


def fitted_energies(
    columns: ConfigColumns,
    totals: Mapping[str, NDArray[np.int64]],
    fits: EnergyFits,
    silicon: SiliconFits,
) -> NDArray[np.float64]:
    """Energies of runs on many accelerators, pJ : float64[n].

    Parameters
    ----------
    columns : ConfigColumns
    totals : mapping of str to int64[n]
        Cycles, MACs, made values and bytes, by activity.
    fits, silicon : EnergyFits, SiliconFits
    """
    energies = np.zeros(len(columns))
    for place, clock in enumerate(columns.values["clock_mhz"]):
        chosen = columns.places["clock_mhz"] == place
        alike = columns.select(chosen)
        own = {name: values[chosen] for name, values in totals.items()}
        parts = _parts(fits.cells(clock), silicon.cells(clock), clock, alike.look_up, own)
        total = np.zeros(int(chosen.sum()))
        for name in EnergyBreakdown.__dataclass_fields__:
            total = total + parts[name]
        energies[chosen] = total
    return energies


def interface_class(config: AcceleratorConfig) -> ExternalInterface:
    """Class of the external memory of an accelerator, by its bandwidth."""
    if config.io_bandwidth_gbps <= HYPERBUS_GBPS:
        return ExternalInterface.HYPERBUS
    return ExternalInterface.LPDDR4


def _parts(
    fit: EnergyFit, silicon: SiliconFit, clock_mhz: float, ask: Ask, totals: Mapping[str, Any]
) -> dict[str, Any]:
    """Energies by part, of one accelerator or of many that are mapped for the same clock."""
    counts = activity_counts(ask, totals)
    seconds = counts["cycle"] / (clock_mhz * 1e6)
    parts: dict[str, Any] = dict.fromkeys(EnergyBreakdown.__dataclass_fields__, 0.0)
    leakage_uw: Any = 0.0
    values = {name: ask(feature.fields, feature.value) for name, feature in FEATURES.items()}
    for module in MODULES:
        number = ask(module.fields, module.number)
        if not np.any(number):
            continue
        area, clock, leakage = (
            figure_of(silicon, module.kind, figure, values) for figure in _STATIC
        )
        own = clock * counts["cycle"] + area * _rate(fit.switching, module.kind, counts)
        part = ENERGY_PARTS[module.part]
        parts[part] = parts[part] + number * own
        leakage_uw = leakage_uw + number * leakage
    cells = fitted_memory_cells(silicon, clock_mhz)
    for kind in silicon_memories():
        number = ask(kind.fields, kind.number)
        if np.any(number):
            energy, leakage = _memory(fit, silicon, kind, cells, ask, counts)
            part = ENERGY_PARTS[kind.part]
            parts[part] = parts[part] + number * energy
            leakage_uw = leakage_uw + number * leakage
    parts["leakage"] = leakage_uw * seconds * 1e6
    for way in ("read", "write"):
        price = ask(("io_bandwidth_gbps", "clock_mhz"), partial(_external_pj, way=way))
        parts["external_memory"] = parts["external_memory"] + totals[way] * price
    return parts


def _rate(
    switching: Mapping[str, Mapping[str, float]], kind: str, counts: Mapping[str, Any]
) -> Any:
    """Energy of a module's switching, pJ for each µm²."""
    total: Any = 0.0
    for activity, coefficient in switching.get(kind, {}).items():
        total = total + coefficient * 1e-3 * counts[activity]
    return total


def _memory(
    fit: EnergyFit,
    silicon: SiliconFit,
    kind: SiliconMemory,
    cells: MemoryCells,
    ask: Ask,
    counts: Mapping[str, Any],
) -> tuple[Any, Any]:
    """Energy, pJ, and leakage, µW, of each memory of a kind, with the FIFO around it."""

    def of_shape(name: str) -> Any:
        def figure(config: AcceleratorConfig) -> float:
            return _shape_figures(silicon, kind.shape(config), cells)[name]

        return ask(kind.shape_fields, figure)

    rows = fit.memories.get(kind.name)
    reads = _counted({} if rows is None else rows.reads, counts)
    writes = _counted({} if rows is None else rows.writes, counts)
    energy = of_shape("read_pj") * reads + of_shape("write_pj") * writes
    energy = energy + of_shape(CLOCK) * counts["cycle"]
    energy = energy + of_shape(AREA) * _rate(fit.switching, FLIP_FLOP_MEMORY, counts)
    leakage = of_shape(LEAKAGE)
    if kind.fifo:

        def around(figure: str) -> Any:
            def value(config: AcceleratorConfig) -> float:
                return shape_figure(silicon, FIFO, figure, kind.shape(config))

            return ask(kind.shape_fields, value)

        energy = energy + around(CLOCK) * counts["cycle"]
        energy = energy + around(AREA) * _rate(fit.switching, FIFO, counts)
        leakage = leakage + around(LEAKAGE)
    return energy, leakage


def _counted(coefficients: Mapping[str, float], counts: Mapping[str, Any]) -> Any:
    total: Any = 0.0
    for activity, coefficient in coefficients.items():
        total = total + coefficient * counts[activity]
    return total


def _shape_figures(silicon: SiliconFit, shape: RamShape, cells: MemoryCells) -> dict[str, float]:
    """Figures of a memory: of flip-flops as they are fitted, else of its macros."""
    if shape.rows <= FLIP_FLOP_ROWS:
        own = {name: shape_figure(silicon, FLIP_FLOP_MEMORY, name, shape) for name in _STATIC}
        return own | {"read_pj": 0.0, "write_pj": 0.0}
    figures = sram(shape.width, shape.rows, ports=shape.ports, cells=cells)
    return {
        **dict.fromkeys(_STATIC, 0.0),
        LEAKAGE: figures.leakage_uw,
        "read_pj": figures.read_pj,
        "write_pj": figures.write_pj,
    }


def _external_pj(config: AcceleratorConfig, way: str) -> float:
    """Energy of a byte on its way, in the interface and in the memory device."""
    price = interface_price(interface_class(config), config.io_bandwidth_gbps)
    if way == "read":
        return 8 * (price.read_pj_per_bit + price.device_read_pj_per_bit)
    return 8 * (price.write_pj_per_bit + price.device_write_pj_per_bit)
