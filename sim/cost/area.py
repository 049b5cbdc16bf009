"""Area of accelerators, as it was fitted to synthesis: the one question that search, reports and budgets ask.

The fits are those that are shipped, ``silicon_fits.json`` in this folder (:mod:`sim.cost.logic_area`). Whether they belong to this
gateware is the question of ``cosilico.gateware.current_calibration``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cost import silicon_fit
from sim.cost.area_parts import AreaBreakdown
from sim.cost.config_columns import ConfigColumns
from sim.cost.logic_area import AREA_PARTS, fitted_area, fitted_areas
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["area", "area_budget", "areas"]


def area(config: AcceleratorConfig) -> AreaBreakdown:
    """Area of an accelerator by part, mm² in 45 nm.

    Does not ask whether `config` can be built.

    Raises
    ------
    DesignFileError
        If no fit of standard cells is shipped.
    """
    return fitted_area(config, silicon_fit.shipped())


def areas(configs: Sequence[AcceleratorConfig]) -> NDArray[np.float64]:
    """Areas of many accelerators, mm² in 45 nm: float64[n], those of :func:`area`."""
    parts = fitted_areas(ConfigColumns.of(configs), silicon_fit.shipped())
    total = np.zeros(len(configs))
    for part in AREA_PARTS:
        total = total + parts[part]
    return total


def area_budget(space: HardwareSpace) -> float:
    """Largest area of a design in mm²: what the space states, else the area of its default."""
    return area(space.default).total if space.area_budget is None else space.area_budget
