"""Fit of an accelerator's silicon on a target, from drawn accelerators, and its errors."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hwgen.synthesis.fitting import fit_error, fit_modules
from hwgen.synthesis.liberty import Library
from hwgen.synthesis.module_counts import require_counts
from hwgen.synthesis.sample_accelerators import SamplePlan
from hwgen.synthesis.samples import DesignSample, sample_design
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow, StandardCellFlow
from sim.cost.fpga_resources import fpga_figure
from sim.cost.logic_area import logic_area, logic_figure
from sim.cost.memory_macros import memory_macros
from sim.cost.silicon_fit import AREA, CLOCK, FPGA_FIGURES, LEAKAGE, FitError, SiliconFit
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["CellTarget", "fit_cells", "fit_fpga"]

Progress = Callable[[str, int, int], None]
_NO_FIT: dict[str, dict[str, FitError]] = {"fitted": {}, "held_out": {}}


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
    fits = []
    for clock_mhz in sorted({config.clock_mhz for config in plan.fitted}):
        flow = target.flow(clock_mhz)
        fitted, held_out = _samples(plan, flow, jobs, progress, clock_mhz)
        fit = SiliconFit(
            target=target.library.name,
            feature_nm=target.feature_nm,
            clock_mhz=clock_mhz,
            flow=flow.identity,
            modules=fit_modules(fitted, _cell_figures(fitted), target.library.name),
            **_NO_FIT,
        )
        fits.append(
            _with_errors(fit, [_cell_errors(fit, flow, part) for part in (fitted, held_out)])
        )
    return fits


def fit_fpga(
    plan: SamplePlan, family: FpgaFamily, *, jobs: int | None = None, progress: Progress
) -> SiliconFit:
    """Fit an FPGA family to drawn accelerators; parameters as of :func:`fit_cells`."""
    flow = FpgaFlow(family=family)
    fitted, held_out = _samples(plan, flow, jobs, progress)
    fit = SiliconFit(
        target=str(family),
        feature_nm=0,
        clock_mhz=0,
        flow=flow.identity,
        modules=fit_modules(fitted, FPGA_FIGURES, str(family)),
        **_NO_FIT,
    )
    return _with_errors(fit, [_fpga_errors(fit, part) for part in (fitted, held_out)])


def _samples(
    plan: SamplePlan,
    flow: StandardCellFlow | FpgaFlow,
    jobs: int | None,
    progress: Progress,
    clock_mhz: int | None = None,
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


def _cell_figures(samples: Sequence[DesignSample]) -> list[str]:
    """Figures that all modules of standard cells have: power only where the library has it."""
    modules = [module for sample in samples for module in sample.modules]
    return [
        figure
        for figure in (AREA, LEAKAGE, CLOCK)
        if all(figure in module.figures for module in modules)
    ]


def _cell_errors(
    fit: SiliconFit, flow: StandardCellFlow, samples: Sequence[DesignSample]
) -> dict[str, FitError]:
    pairs = defaultdict(list)
    for sample in samples:
        predicted = logic_area(sample.config, fit)
        known = sample.total(AREA) * 1e-6
        macros = flow.memory_scale**2 * sum(
            memory.area_mm2
            for memories in memory_macros(sample.config, flow.memory_cells).values()
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


def _with_errors(fit: SiliconFit, errors: Sequence[dict[str, FitError]]) -> SiliconFit:
    fitted, held_out = errors
    return replace(fit, fitted=fitted, held_out=held_out)
