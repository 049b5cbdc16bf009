"""Fit of an accelerator's silicon on a target, from drawn accelerators, and its errors."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hwgen.synthesis.fitting import fit_error, fit_modules
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.module_counts import require_counts
from hwgen.synthesis.sample_accelerators import SamplePlan
from hwgen.synthesis.samples import DesignSample, TargetSamples, sample_design
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow, StandardCellFlow
from sim.cost.fpga_resources import fpga_figure
from sim.cost.logic_area import logic_area, logic_figure
from sim.cost.memory_macros import memory_macros
from sim.cost.silicon_fit import AREA, CLOCK, FPGA_FIGURES, LEAKAGE, FitError, SiliconFit
from sim.cost.silicon_origin import target_fields
from sim.cost.sram import memory_cells
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["CellTarget", "fit_cells", "fit_fpga", "fit_samples", "sample_cells", "sample_fpga"]

Progress = Callable[[str, int, int], None]

_MACRO_NM = 45
"""Feature size of the macros' figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTarget:
    """Standard cells that silicon is fitted for.

    Parameters
    ----------
    library : Library
    feature_nm : float
    """

    library: Library
    feature_nm: float

    def flow(self, clock_mhz: float) -> StandardCellFlow:
        """Mapping for a clock."""
        return StandardCellFlow(
            library=self.library, clock_mhz=clock_mhz, feature_nm=self.feature_nm
        )


def fit_cells(
    plan: SamplePlan, target: CellTarget, *, jobs: int | None = None, progress: Progress
) -> list[SiliconFit]:
    """Fit standard cells for every clock of drawn accelerators, each to those of the clock.

    Parameters
    ----------
    plan : SamplePlan
    target : CellTarget
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.
    """
    clocks = sorted({config.clock_mhz for config in plan.fitted})
    return [
        fit_samples(sample_cells(plan, target, clock, jobs=jobs, progress=progress))
        for clock in clocks
    ]


def fit_fpga(
    plan: SamplePlan, family: FpgaFamily, *, jobs: int | None = None, progress: Progress
) -> SiliconFit:
    """Fit an FPGA family to drawn accelerators; parameters as of :func:`fit_cells`."""
    return fit_samples(sample_fpga(plan, family, jobs=jobs, progress=progress))


def sample_cells(
    plan: SamplePlan,
    target: CellTarget,
    clock_mhz: float,
    *,
    jobs: int | None = None,
    progress: Progress,
) -> TargetSamples:
    """Map the drawn accelerators of a clock to standard cells; parameters as of :func:`fit_cells`."""
    flow = target.flow(clock_mhz)
    fitted, held_out = _samples(plan, flow, jobs, progress, clock_mhz)
    return TargetSamples(
        target=target.library.name,
        feature_nm=target.feature_nm,
        clock_mhz=clock_mhz,
        flow=flow.identity,
        fitted=fitted,
        held_out=held_out,
    )


def sample_fpga(
    plan: SamplePlan, family: FpgaFamily, *, jobs: int | None = None, progress: Progress
) -> TargetSamples:
    """Map drawn accelerators to an FPGA family; parameters as of :func:`fit_cells`."""
    flow = FpgaFlow(family=family)
    fitted, held_out = _samples(plan, flow, jobs, progress)
    return TargetSamples(
        target=str(family),
        feature_nm=0,
        clock_mhz=0,
        flow=flow.identity,
        fitted=fitted,
        held_out=held_out,
    )


def fit_samples(samples: TargetSamples) -> SiliconFit:
    """Fit a target to the mapped accelerators that are for fitting, and judge it by the others; no synthesis."""
    figures = _cell_figures(samples.fitted) if samples.clock_mhz else FPGA_FIGURES
    fit = SiliconFit(
        **target_fields(samples),
        modules=fit_modules(samples.fitted, figures, samples.target),
        fitted={},
        held_out={},
    )
    errors = _cell_errors if samples.clock_mhz else _fpga_errors
    return replace(fit, fitted=errors(fit, samples.fitted), held_out=errors(fit, samples.held_out))


def _samples(
    plan: SamplePlan,
    flow: StandardCellFlow | FpgaFlow,
    jobs: int | None,
    progress: Progress,
    clock_mhz: float | None = None,
) -> tuple[list[DesignSample], list[DesignSample]]:
    """Map drawn accelerators, those with small PEs first: of one clock, or all."""
    chosen = [
        config
        for config in (*plan.fitted, *plan.held_out)
        if clock_mhz is None or config.clock_mhz == clock_mhz
    ]
    samples: dict[AcceleratorConfig, DesignSample] = {}
    for config in sorted(chosen, key=lambda config: config.compute_lanes * config.simd_units):
        progress("accelerators", len(samples), len(chosen))
        samples[config] = sample_design(config, flow, jobs=jobs, progress=progress)
        require_counts(samples[config], fpga=isinstance(flow, FpgaFlow))
    return (
        [samples[config] for config in plan.fitted if config in samples],
        [samples[config] for config in plan.held_out if config in samples],
    )


def _cell_figures(samples: Sequence[DesignSample]) -> Sequence[str]:
    """Figures that all modules of standard cells have: power only where the library has it."""
    modules = [module for sample in samples for module in sample.modules]
    return [
        figure
        for figure in (AREA, LEAKAGE, CLOCK)
        if all(figure in module.figures for module in modules)
    ]


def _cell_errors(fit: SiliconFit, samples: Sequence[DesignSample]) -> dict[str, FitError]:
    scale = fit.feature_nm / _MACRO_NM
    pairs = defaultdict(list)
    for sample in samples:
        predicted = logic_area(sample.config, fit)
        known = sample.total(AREA) * 1e-6
        macros = scale**2 * sum(
            memory.area_mm2
            for memories in memory_macros(
                sample.config, memory_cells(fit.clock_mhz * scale)
            ).values()
            for memory in memories
        )
        pairs["logic"].append((predicted, known))
        pairs["total"].append((predicted + macros, known + macros))
        for name, figure in (("leakage", LEAKAGE), ("clock", CLOCK)):
            if figure in sample.modules[0].figures:
                own = logic_figure(sample.config, fit, figure)
                pairs[name].append((own, sample.total(figure)))
    return {name: fit_error(row) for name, row in pairs.items()}


def _fpga_errors(fit: SiliconFit, samples: Sequence[DesignSample]) -> dict[str, FitError]:
    return {
        figure: fit_error(
            [(fpga_figure(sample.config, fit, figure), sample.total(figure)) for sample in samples]
        )
        for figure in FPGA_FIGURES
    }
