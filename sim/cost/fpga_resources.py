"""Resources of an FPGA that an accelerator takes: fitted to synthesis, neither placed nor routed.

Look-up tables and flip-flops of logic are sums of features with fitted coefficients, as area is (:mod:`sim.cost.logic_area`);
what a memory takes follows from its bits and rows (:mod:`sim.cost.silicon_shapes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.cost import silicon_fit
from sim.cost.config_columns import ConfigColumns
from sim.cost.ram_shapes import RamShape
from sim.cost.silicon_fit import FPGA_FIGURES, SiliconFit, SiliconFits
from sim.cost.silicon_shapes import FPGA_MEMORIES
from sim.cost.silicon_terms import (
    SameFit,
    Term,
    figure_terms,
    shape_figures,
    sums_alone,
    sums_together,
)
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["NO_RESOURCES", "Resources", "fpga_figure", "resource_columns", "resources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Amounts of an FPGA's resources.

    Parameters
    ----------
    lut : float
        Look-up tables: of 4 inputs on ECP5, of 6 on Xilinx, with those that are distributed RAM, shift
        registers or, on ECP5, carry chains.
    flip_flop : float
    dsp : float
        MULT18X18D on ECP5, DSP48E1 on Xilinx.
    block_ram : float
        DP16KD of 18 Kbit on ECP5, RAMB36E1 of 36 Kbit on Xilinx; a RAMB18E1 is a half.
    """

    lut: float = 0
    flip_flop: float = 0
    dsp: float = 0
    block_ram: float = 0

    def __add__(self, other: "Resources") -> "Resources":
        """Sum, resource by resource."""
        return Resources(
            lut=self.lut + other.lut,
            flip_flop=self.flip_flop + other.flip_flop,
            dsp=self.dsp + other.dsp,
            block_ram=self.block_ram + other.block_ram,
        )

    def __mul__(self, number: float) -> "Resources":
        """Resources of so many."""
        return Resources(
            lut=self.lut * number,
            flip_flop=self.flip_flop * number,
            dsp=self.dsp * number,
            block_ram=self.block_ram * number,
        )


NO_RESOURCES = Resources()


def resources(config: AcceleratorConfig, family: str, fits: SiliconFits | None = None) -> Resources:
    """Resources that an accelerator takes.

    Does not ask whether `config` can be built.

    Parameters
    ----------
    config : AcceleratorConfig
    family : str
        ``ecp5`` or ``xilinx``.
    fits : SiliconFits, optional
        Without them those that are shipped.

    Raises
    ------
    DesignFileError
        If the fits have no such family, or a module is missing.
    """
    terms = _terms(SameFit(((fits or silicon_fit.shipped()).fpga(family),)))
    return Resources(**dict(zip(FPGA_FIGURES, _totals(sums_alone(terms, config)), strict=True)))


def resource_columns(
    columns: ConfigColumns, family: str, fits: SiliconFits | None = None
) -> dict[str, NDArray[np.float64]]:
    """Resources of many accelerators by name : float64[n] each, those of :func:`resources`."""
    terms = _terms(SameFit(((fits or silicon_fit.shipped()).fpga(family),)))
    if not len(columns):
        return {figure: np.zeros(0) for figure in FPGA_FIGURES}
    totals = _totals(sums_together(terms, columns))
    return {figure: totals[:, place] for place, figure in enumerate(FPGA_FIGURES)}


def fpga_figure(config: AcceleratorConfig, fit: SiliconFit, figure: str) -> float:
    """Return an accelerator's amount of a resource by a fit."""
    totals = _totals(sums_alone(_terms(SameFit((fit,))), config))
    return float(totals[FPGA_FIGURES.index(figure)])


@lru_cache(maxsize=8)
def _terms(same: SameFit) -> list[Term]:
    """Terms of all figures."""
    (fit,) = same.fits

    def memory(shape: RamShape) -> NDArray[np.float64]:
        return shape_figures(fit, FPGA_MEMORIES[shape.ports - 1], FPGA_FIGURES, shape)

    return figure_terms(fit, FPGA_FIGURES, memory)


def _totals(sums: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Sum over all parts : float64[4], or of many accelerators float64[n, 4]."""
    total = np.zeros(len(FPGA_FIGURES))
    for values in sums.values():
        total = total + values
    return total
