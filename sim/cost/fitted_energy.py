"""Energy of runs by part, from netlists at work: clock, switching, accesses to memories, external traffic, leakage.

* **Clock**: every flip-flop of an accelerator is clocked in every cycle, as the emitted Verilog has no clock gates.
* **Switching** of a kind of module is proportional to its area and to what it does (:mod:`sim.cost.energy_activities`), with coefficients that are
  fitted to mapped modules, simulated with the waveforms of runs (``testbench.power``).
* **Accesses** to the macros of a memory are counted in the same runs, and cost what CACTI says.
* **External traffic** costs interface and device (:mod:`sim.cost.external_interface`): data, and the program's header and descriptors.
* **Leakage** of cells at 25 °C and of macros at 300 K, for the time of the run.

Area, clock and leakage of the cells are those of the fitted silicon (:mod:`sim.cost.silicon_fit`). Wires have no length.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.config_columns import FEW, ConfigColumns
from sim.cost.energy_activities import (
    ACTIVITIES,
    EXTERNAL_ACTIVITIES,
    FITTED_ACTIVITIES,
    activity_columns,
    activity_counts,
)
from sim.cost.energy_fit import EnergyFit, EnergyFits
from sim.cost.energy_parts import EnergyBreakdown, Prediction
from sim.cost.external_interface import interface_class, interface_price
from sim.cost.logic_area import fitted_memory_cells
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_fit import AREA, CLOCK, LEAKAGE, SiliconFit, SiliconFits
from sim.cost.silicon_modules import MODULES, SiliconMemory, SiliconModule, silicon_memories
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY
from sim.cost.silicon_terms import (
    SameFit,
    Term,
    figures_of,
    module_fields,
    shape_figures,
    sums_alone,
    sums_together,
    term,
)
from sim.cost.sram import FLIP_FLOP_ROWS, sram
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES

__all__ = ["ENERGY_PARTS", "fitted_energies", "fitted_energy"]

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

_EXTERNAL = "external_memory"
"""Part that no fit is of."""

_STATIC = (AREA, CLOCK, LEAKAGE)
_LEAKS = len(ACTIVITIES)
"""Place of leakage, behind the activities, in the prices of a term."""

_PRICES = _LEAKS + 1
"""Prices of a term: pJ for each count of an activity, and of leakage for a cycle."""

_KEPT = 64
"""Fits and clocks of which terms are kept."""


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
        "descriptor": prediction.descriptor_bytes,
    }
    return _of_totals(config, totals, fits, silicon)


def fitted_energies(
    columns: ConfigColumns,
    totals: Mapping[str, NDArray[np.int64]],
    fits: EnergyFits,
    silicon: SiliconFits,
) -> NDArray[np.float64]:
    """Energies of runs on many accelerators, pJ : float64[n], bit by bit those of :func:`fitted_energy`.

    Parameters
    ----------
    columns : ConfigColumns
    totals : mapping of str to int64[n]
        Cycles, MACs, made values and bytes, by activity.
    fits, silicon : EnergyFits, SiliconFits
    """
    if len(columns) <= FEW:
        runs = zip(*(totals[name].tolist() for name in ACTIVITIES), strict=True)
        each = [
            _of_totals(config, dict(zip(ACTIVITIES, run, strict=True)), fits, silicon).total
            for config, run in zip(columns.configs, runs, strict=True)
        ]
        return np.array(each, np.float64)
    energies = np.zeros(len(columns))
    for place, clock in enumerate(columns.values["clock_mhz"]):
        chosen = columns.places["clock_mhz"] == place
        if not chosen.any():
            continue
        terms = _terms(SameFit((fits.cells(clock), silicon.cells(clock))), clock)
        alike = columns.select(chosen)
        counts = activity_columns(alike, {name: own[chosen] for name, own in totals.items()})
        prices = {part: own.T for part, own in sums_together(terms, alike).items()}
        parts = _parts(prices, counts)
        total = np.zeros(int(chosen.sum()))
        for name in EnergyBreakdown.__dataclass_fields__:
            total = total + parts[name]
        energies[chosen] = total
    return energies


def _of_totals(
    config: AcceleratorConfig, totals: Mapping[str, float], fits: EnergyFits, silicon: SiliconFits
) -> EnergyBreakdown:
    """Energy by part of a run with such totals by activity."""
    clock = config.clock_mhz
    prices = _prices(SameFit((fits.cells(clock), silicon.cells(clock))), config)
    return EnergyBreakdown(**_parts(prices, activity_counts(config, totals)))


def _parts(prices: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """Energies by part : numbers, or float64[n] of prices float64[k, n], added in the same order."""
    parts: dict[str, Any] = dict.fromkeys(EnergyBreakdown.__dataclass_fields__, 0.0)
    leakage: Any = 0.0
    for part, own in prices.items():
        for name in EXTERNAL_ACTIVITIES if part == _EXTERNAL else FITTED_ACTIVITIES:
            parts[part] = parts[part] + own[_PLACES[name]] * counts[name]
        leakage = leakage + own[_LEAKS] * counts["cycle"]
    return parts | {"leakage": leakage}


@lru_cache(maxsize=1 << 13)
def _prices(same: SameFit, config: AcceleratorConfig) -> dict[str, list[float]]:
    """Prices by part of an accelerator; kept, as each of its layers is asked for."""
    sums = sums_alone(_terms(same, config.clock_mhz), config)
    return {part: values.tolist() for part, values in sums.items()}


@lru_cache(maxsize=_KEPT)
def _terms(same: SameFit, clock_mhz: float) -> list[Term]:
    """Prices of all that accelerators with a clock have, by part of the energy."""
    fit, silicon = same.fits
    return [
        *_module_terms(fit, silicon, clock_mhz),
        *_memory_terms(fit, silicon, clock_mhz),
        term(_EXTERNAL, ("io_bandwidth_gbps", "clock_mhz"), _external_prices),
    ]


def _module_terms(fit: EnergyFit, silicon: SiliconFit, clock_mhz: float) -> Iterator[Term]:
    for module in MODULES:
        switching = fit.switching.get(module.kind, {})
        value = _of_module(silicon, module, switching, clock_mhz)
        yield term(ENERGY_PARTS[module.part], module_fields(module), value)


def _of_module(
    silicon: SiliconFit, module: SiliconModule, switching: Mapping[str, float], clock_mhz: float
) -> Callable[[AcceleratorConfig], NDArray[np.float64]]:
    def value(config: AcceleratorConfig) -> NDArray[np.float64]:
        number = module.number(config)
        if not number:
            return np.zeros(_PRICES)
        figures = figures_of(silicon, module, _STATIC, config)
        return number * _static(figures, switching, clock_mhz)

    return value


def _static(
    figures: NDArray[np.float64],
    switching: Mapping[str, float],
    clock_mhz: float,
) -> NDArray[np.float64]:
    """Prices of cells with an area, a clock and a leakage."""
    area_um2, clock_pj, leakage_uw = figures
    prices = np.zeros(_PRICES)
    prices[_PLACES["cycle"]] = clock_pj
    for name, femtojoules in switching.items():
        prices[_PLACES[name]] += area_um2 * femtojoules * 1e-3
    prices[_LEAKS] = leakage_uw / clock_mhz  # µW for a cycle in µs are pJ
    return prices


def _memory_terms(fit: EnergyFit, silicon: SiliconFit, clock_mhz: float) -> Iterator[Term]:
    cells = fitted_memory_cells(silicon, clock_mhz)

    def macro(kind: SiliconMemory, shape: RamShape) -> NDArray[Any]:
        """Prices of a memory of macros, or of flip-flops."""
        if shape.rows <= FLIP_FLOP_ROWS:
            return cell(FLIP_FLOP_MEMORY, shape)
        figures = sram(shape.width, shape.rows, ports=shape.ports, cells=cells)
        prices = np.zeros(_PRICES)
        rows = fit.memories.get(kind.name)
        for accesses, picojoules in (
            ({} if rows is None else rows.reads, figures.read_pj),
            ({} if rows is None else rows.writes, figures.write_pj),
        ):
            for name, number in accesses.items():
                prices[_PLACES[name]] += picojoules * number
        prices[_LEAKS] = figures.leakage_uw / clock_mhz
        return prices

    def cell(kind: str, shape: RamShape) -> NDArray[Any]:
        """Prices of what is mapped for a memory."""
        figures = shape_figures(silicon, kind, _STATIC, shape)
        return _static(figures, fit.switching.get(kind, {}), clock_mhz)

    def of(kind: SiliconMemory) -> Callable[[AcceleratorConfig], NDArray[np.float64]]:
        def value(config: AcceleratorConfig) -> NDArray[np.float64]:
            shape = kind.shape(config)
            if not shape.count:
                return np.zeros(_PRICES)
            prices = macro(kind, shape)
            if kind.fifo:
                prices = prices + cell(FIFO, shape)
            return shape.count * prices

        return value

    for kind in silicon_memories():
        yield term(ENERGY_PARTS[kind.part], (*kind.fields, *kind.shape_fields), of(kind))


def _external_prices(config: AcceleratorConfig) -> NDArray[np.float64]:
    """Prices of beats on their way, in the interface and in the memory device."""
    price = interface_price(interface_class(config.io_bandwidth_gbps), config.io_bandwidth_gbps)
    prices = np.zeros(_PRICES)
    bits = 8 * config.bus_bytes
    read_pj_per_bit = price.read_pj_per_bit + price.device_read_pj_per_bit
    prices[_PLACES["read"]] = bits * read_pj_per_bit
    prices[_PLACES["descriptor"]] = 8 * DESCRIPTOR_PORT_BYTES * read_pj_per_bit
    prices[_PLACES["write"]] = bits * (price.write_pj_per_bit + price.device_write_pj_per_bit)
    return prices


_PLACES = {name: place for place, name in enumerate(ACTIVITIES)}
"""Place of each activity in the prices of a term."""
