"""Area of accelerators: as it was fitted to synthesis where such a fit is shipped, else the proxy's.

The one question that search, reports and budgets ask. ``silicon_fits.json`` in this folder decides: with it and its standard
cells areas are those of :mod:`sim.cost.logic_area`, without it those of :mod:`sim.cost.area_proxy`. Whether a fit that is
shipped belongs to this gateware is the question of ``cosilico.gateware.current_calibration``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cost.area_parts import AreaBreakdown
from sim.cost.area_proxy import proxy_area
from sim.cost.area_totals import proxy_area_total
from sim.cost.config_columns import ConfigColumns
from sim.cost.logic_area import AREA_PARTS, fitted_area, fitted_areas
from sim.cost.silicon_fit import SiliconFits, shipped_if_any
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["area", "area_budget", "areas"]


def area(config: AcceleratorConfig) -> AreaBreakdown:
    """Area of an accelerator by part, mm² in 45 nm.

    Does not ask whether `config` can be built.
    """
    fits = _fits()
    return proxy_area(config) if fits is None else fitted_area(config, fits)


def areas(configs: Sequence[AcceleratorConfig]) -> NDArray[np.float64]:
    """Areas of many accelerators, mm² in 45 nm: float64[n], those of :func:`area`."""
    fits = _fits()
    if fits is None:
        return np.array([proxy_area_total(config) for config in configs], np.float64)
    parts = fitted_areas(ConfigColumns.of(configs), fits)
    total = np.zeros(len(configs))
    for part in AREA_PARTS:
        total = total + parts[part]
    return total


def area_budget(space: HardwareSpace) -> float:
    """Largest area of a design in mm²: what the space states, else the area of its default."""
    return area(space.default).total if space.area_budget is None else space.area_budget


def _fits() -> SiliconFits | None:
    """Fits that are shipped, if they have standard cells."""
    fits = shipped_if_any()
    return fits if fits is not None and fits.has_cells else None
