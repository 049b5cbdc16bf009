"""Area of an accelerator by part: logic as it was fitted to synthesis, memories as macros, the external interface as published.

Logic is a sum over the modules of the emitted Verilog (:mod:`sim.cost.silicon_modules`): how many there are follows exactly from the
configuration, what each takes is a sum of features with coefficients that are fitted. Memories of up to 16 rows are
flip-flops, which synthesis maps and the fit has; all others are CACTI's macros (:mod:`sim.cost.sram`).

Pads, PHY and controller are those of :mod:`sim.cost.external_interface`.

Not counted: gaps of placement, clock tree, test, and other pads.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.cost import silicon_fit
from sim.cost.area_parts import AreaBreakdown
from sim.cost.config_columns import FEW, ConfigColumns
from sim.cost.external_interface import interface_class, interface_price
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_fit import AREA, SiliconFit, SiliconFits
from sim.cost.silicon_shapes import FLIP_FLOP_MEMORY
from sim.cost.silicon_terms import (
    SameFit,
    Term,
    figure_terms,
    shape_figures,
    sums_alone,
    sums_together,
    term,
)
from sim.cost.sram import FLIP_FLOP_ROWS, highest_mhz, memory_cells, sram
from sim.cost.sram_table import MemoryCells
from sim.spec.accelerator import AcceleratorConfig

__all__ = [
    "AREA_PARTS",
    "fitted_area",
    "fitted_areas",
    "fitted_memory_cells",
    "logic_area",
    "logic_figure",
]

AREA_PARTS = tuple(AreaBreakdown.__dataclass_fields__)
"""Parts of an area."""

_KEPT = 64
"""Fits and clocks of which terms are kept."""

_FEATURE_NM = 45
"""Feature size of the macros' figures."""


def fitted_area(config: AcceleratorConfig, fits: SiliconFits | None = None) -> AreaBreakdown:
    """Area of an accelerator by part, mm².

    Does not ask whether `config` can be built: above the clock of the fastest macros its memories are those.

    Parameters
    ----------
    config : AcceleratorConfig
    fits : SiliconFits, optional
        Without them those that are shipped.

    Raises
    ------
    DesignFileError
        If the fits have no standard cells, or a module is missing.
    """
    fit = (fits or silicon_fit.shipped()).cells(config.clock_mhz)
    sums = sums_alone(_area_terms(SameFit((fit,)), config.clock_mhz), config)
    return AreaBreakdown(**{part: float(sums[part][0]) for part in AREA_PARTS})


def fitted_areas(
    columns: ConfigColumns, fits: SiliconFits | None = None
) -> dict[str, NDArray[np.float64]]:
    """Areas of many accelerators by part, mm² : float64[n] each.

    They are those of :func:`fitted_area`, bit by bit.

    Parameters
    ----------
    columns : ConfigColumns
    fits : SiliconFits, optional
        Without them those that are shipped.
    """
    if len(columns) <= FEW:
        each = [fitted_area(config, fits) for config in columns.configs]
        return {part: np.array([getattr(own, part) for own in each]) for part in AREA_PARTS}
    parts = {part: np.zeros(len(columns)) for part in AREA_PARTS}
    for place, clock_mhz in enumerate(columns.values["clock_mhz"]):
        chosen = columns.places["clock_mhz"] == place
        if not chosen.any():
            continue
        fit = (fits or silicon_fit.shipped()).cells(clock_mhz)
        sums = sums_together(_area_terms(SameFit((fit,)), clock_mhz), columns.select(chosen))
        for part, values in sums.items():
            parts[part][chosen] = values[:, 0]
    return parts


def logic_area(config: AcceleratorConfig, fit: SiliconFit) -> float:
    """Area of an accelerator without macros, mm², as a fit of standard cells has it."""
    return logic_figure(config, fit, AREA) * 1e-6


def logic_figure(config: AcceleratorConfig, fit: SiliconFit, figure: str) -> float:
    """Return a figure of an accelerator's standard cells, without macros, in the fit's unit."""
    sums = sums_alone(_logic_terms(SameFit((fit,)), figure), config)
    total = 0.0
    for value in sums.values():
        total += float(value[0])
    return total


def fitted_memory_cells(fit: SiliconFit, clock_mhz: float) -> MemoryCells:
    """Transistors of an accelerator's macros in a fit's technology: above the clock of the fastest macros those."""
    scale = fit.feature_nm / _FEATURE_NM
    return memory_cells(min(clock_mhz * scale, highest_mhz(MemoryCells.HIGH_PERFORMANCE)))


@lru_cache(maxsize=_KEPT)
def _area_terms(same: SameFit, clock_mhz: float) -> list[Term]:
    """Terms of the area of accelerators with a clock, mm²."""
    (fit,) = same.fits
    scale = fit.feature_nm / _FEATURE_NM
    cells = fitted_memory_cells(fit, clock_mhz)

    def memory(shape: RamShape) -> NDArray[np.float64]:
        if shape.rows <= FLIP_FLOP_ROWS:
            return shape_figures(fit, FLIP_FLOP_MEMORY, (AREA,), shape)
        figures = sram(shape.width, shape.rows, ports=shape.ports, cells=cells)
        return np.array([scale**2 * figures.area_um2])

    def interface(config: AcceleratorConfig) -> NDArray[np.float64]:
        bandwidth = config.io_bandwidth_gbps
        return np.array([interface_price(interface_class(bandwidth), bandwidth).area_mm2])

    return [
        *(_scaled(own, 1e-6) for own in figure_terms(fit, (AREA,), memory)),
        term("external_interface", ("io_bandwidth_gbps",), interface),
    ]


@lru_cache(maxsize=_KEPT)
def _logic_terms(same: SameFit, figure: str) -> list[Term]:
    """Terms of a figure of accelerators without macros, in the fit's unit."""
    (fit,) = same.fits

    def memory(shape: RamShape) -> NDArray[np.float64]:
        if shape.rows > FLIP_FLOP_ROWS:
            return np.zeros(1)
        return shape_figures(fit, FLIP_FLOP_MEMORY, (figure,), shape)

    return figure_terms(fit, (figure,), memory)


def _scaled(own: Term, factor: float) -> Term:
    return term(own.part, own.fields, lambda config: own.value(config) * factor)
