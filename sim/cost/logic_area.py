"""Area of an accelerator by part: logic as it was fitted to synthesis, memories as macros.

Logic is a sum over the modules of the emitted Verilog (:mod:`sim.cost.silicon_modules`): how many there are follows exactly from the
configuration, what each takes is a sum of features with coefficients that are fitted. Memories of up to 16 rows are
flip-flops, which synthesis maps and the fit has; all others are CACTI's macros (:mod:`sim.cost.sram`).

Not counted: gaps of placement, clock tree, test, pads, and the external interface (:mod:`sim.cost.external_interface`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.cost.area_parts import AreaBreakdown
from sim.cost.config_columns import ConfigColumns
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_fit import AREA, SiliconFit, SiliconFits, shipped
from sim.cost.silicon_shapes import FLIP_FLOP_MEMORY
from sim.cost.silicon_sums import shape_figure, sum_parts
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
    fit = (fits or shipped()).cells(config.clock_mhz)
    sums = sum_parts(
        fit, AREA, lambda names, function: function(config), _memory_um2(fit, config.clock_mhz)
    )
    return AreaBreakdown(**{part: sums.get(part, 0.0) * 1e-6 for part in AREA_PARTS})


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
    parts = {part: np.zeros(len(columns)) for part in AREA_PARTS}
    for place, clock_mhz in enumerate(columns.values["clock_mhz"]):
        chosen = columns.places["clock_mhz"] == place
        fit = (fits or shipped()).cells(clock_mhz)
        alike = columns.select(chosen)
        sums = sum_parts(fit, AREA, alike.look_up, _memory_um2(fit, clock_mhz))
        for part, values in sums.items():
            parts[part][chosen] = values * 1e-6
    return parts


def logic_area(config: AcceleratorConfig, fit: SiliconFit) -> float:
    """Area of an accelerator without macros, mm², as a fit of standard cells has it."""
    return logic_figure(config, fit, AREA) * 1e-6


def logic_figure(config: AcceleratorConfig, fit: SiliconFit, figure: str) -> float:
    """Return a figure of an accelerator's standard cells, without macros, in the fit's unit."""

    def memory(shape: RamShape) -> float:
        if shape.rows > FLIP_FLOP_ROWS:
            return 0.0
        return shape_figure(fit, FLIP_FLOP_MEMORY, figure, shape)

    sums = sum_parts(fit, figure, lambda names, function: function(config), memory)
    return float(sum(sums.values()))


def fitted_memory_cells(fit: SiliconFit, clock_mhz: float) -> MemoryCells:
    """Transistors of an accelerator's macros in a fit's technology: above the clock of the fastest macros those."""
    scale = fit.feature_nm / _FEATURE_NM
    return memory_cells(min(clock_mhz * scale, highest_mhz(MemoryCells.HIGH_PERFORMANCE)))


def _memory_um2(fit: SiliconFit, clock_mhz: float) -> Callable[[RamShape], float]:
    scale = fit.feature_nm / _FEATURE_NM
    cells = fitted_memory_cells(fit, clock_mhz)

    def memory_um2(shape: RamShape) -> float:
        if shape.rows <= FLIP_FLOP_ROWS:
            return shape_figure(fit, FLIP_FLOP_MEMORY, AREA, shape)
        ports = shape.ports
        return scale**2 * sram(shape.width, shape.rows, ports=ports, cells=cells).area_um2

    return memory_um2
