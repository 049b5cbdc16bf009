"""Fits of silicon with made-up coefficients, for tests that need no synthesis."""

import random

from sim.cost.silicon_fit import (
    AREA,
    FPGA_FIGURES,
    FitError,
    ModuleFit,
    SiliconFit,
    SiliconFits,
    module_features,
)
from sim.cost.silicon_modules import MODULES
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY, FPGA_MEMORIES

__all__ = ["GATEWARE", "made_up_fit", "made_up_fits"]

GATEWARE = "0" * 64


def made_up_fit(seed: int, target: str = "cells", clock_mhz: float = 800) -> SiliconFit:
    """Fit of every kind of module with random coefficients."""
    generator = random.Random(seed)
    figures = (AREA,) if clock_mhz else FPGA_FIGURES
    kinds = [*(module.kind for module in MODULES), FIFO, FLIP_FLOP_MEMORY, *FPGA_MEMORIES]
    error = {figure: FitError(samples=2, mean=0.01, worst=0.02) for figure in figures}
    return SiliconFit(
        target=target,
        feature_nm=45 if clock_mhz else 0,
        clock_mhz=clock_mhz,
        flow=GATEWARE,
        modules={
            kind: ModuleFit(
                coefficients={
                    figure: {
                        name: round(generator.uniform(0.5, 8), 3) for name in module_features(kind)
                    }
                    for figure in figures
                },
                errors=error,
            )
            for kind in kinds
        },
        fitted=error,
        held_out=error,
    )


def made_up_fits(*fits: SiliconFit) -> SiliconFits:
    """File of fits, by default of cells at two clocks and of both FPGA families."""
    chosen = fits or (
        made_up_fit(1, clock_mhz=200),
        made_up_fit(2, clock_mhz=800),
        made_up_fit(3, "ecp5", 0),
        made_up_fit(4, "xilinx", 0),
    )
    return SiliconFits(
        gateware_hash=GATEWARE, tool="none 1", spaces=["tiny", "edge"], seed=1, fits=list(chosen)
    )
