"""Fits of silicon with made-up coefficients, for tests that need no synthesis."""

import random
from collections.abc import Sequence

from hwgen.synthesis.module_counts import module_counts
from hwgen.synthesis.samples import DesignSample, ModuleSample
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import (
    AREA,
    CLOCK,
    FPGA_FIGURES,
    LEAKAGE,
    FitError,
    ModuleFit,
    SiliconFit,
    SiliconFits,
    module_features,
)
from sim.cost.silicon_modules import MODULES
from sim.cost.silicon_shapes import FIFO, FLIP_FLOP_MEMORY, FPGA_MEMORIES, SHAPED, shape_features
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["GATEWARE", "made_up_fit", "made_up_fits", "sampled"]

GATEWARE = "0" * 64


def made_up_fit(seed: int, target: str = "cells", clock_mhz: float = 800) -> SiliconFit:
    """Fit of every kind of module with random coefficients."""
    generator = random.Random(seed)
    figures = (AREA, LEAKAGE, CLOCK) if clock_mhz else FPGA_FIGURES
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


def sampled(
    configs: Sequence[AcceleratorConfig], fit: SiliconFit, *, fpga: bool, noise: float = 0.0
) -> list[DesignSample]:
    """Accelerators whose modules take what a fit says, but for some noise."""
    generator = random.Random(7)
    made = []
    for config in configs:
        modules = []
        for (kind, size), number in module_counts(config, fpga=fpga).items():
            figures = {}
            for figure, coefficients in fit.modules[kind].coefficients.items():
                if kind in SHAPED:
                    first, second = map(int, size.split("x"))
                    width, rows = (first, second) if kind == FIFO else (second, first)
                    values = shape_features(kind, width, rows, fit.target)
                else:
                    values = {name: FEATURES[name].value(config) for name in coefficients}
                own = sum(number * values[name] for name, number in coefficients.items())
                figures[figure] = own * (1 + generator.uniform(-noise, noise))
            modules.append(ModuleSample(kind=kind, size=size, instances=number, figures=figures))
        made.append(DesignSample(config=config, modules=modules))
    return made
