"""Fitting the silicon of modules to synthesis from the command line."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from cosilico.folder import check_file
from cosilico.progress import progress_bar, within
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.sample_accelerators import SamplePlan, sample_plan
from hwgen.synthesis.silicon_fitting import CellTarget, fit_cells, fit_fpga
from hwgen.synthesis.targets import FpgaFamily, Target, target_liberty
from sim.cost import silicon_fit
from sim.cost.silicon_fit import SiliconFit, SiliconFits
from sim.spec.errors import CosilicoError
from sim.spec.spaces import SPACE_NAMES

__all__ = ["calibrate_silicon_to_file"]

_FPGAS = (Target.ECP5, Target.XILINX)


def calibrate_silicon_to_file(
    spaces: Sequence[str],
    targets: Sequence[Target],
    out: Path,
    *,
    liberty: Path | None,
    feature_nm: float | None,
    samples: int,
    seed: int,
    jobs: int | None,
) -> None:
    """Map accelerators of spaces, fit their modules, and write the fits with their errors.

    Parameters
    ----------
    spaces : sequence of str
        Names of spaces; all of them if empty.
    targets : sequence of Target
    out : Path
    liberty : Path, optional
        Standard cells in the place of the first target's.
    feature_nm : float, optional
        Feature size of these cells.
    samples : int
        Accelerators that are mapped.
    seed : int
        Decides which.
    jobs : int, optional
        Processes; without it as many as there are processors.

    Raises
    ------
    CosilicoError
        If a space is not known, samples are too few to judge by, an accelerator cannot be generated, or cells cannot be read;
        nothing is written then.
    """
    check_file(out, "--out")
    names = list(dict.fromkeys(spaces or SPACE_NAMES))
    for name in names:
        if name not in SPACE_NAMES:
            raise CosilicoError(f"SPACE must be one of {', '.join(SPACE_NAMES)}, not {name!r}")
    plan = sample_plan([SPACE_NAMES[name] for name in names], seed=seed, samples=samples)
    _require_judges(plan, samples)
    fits: list[SiliconFit] = []
    with progress_bar() as report:
        for target in targets:
            progress = within(str(target), report)
            if target in _FPGAS:
                fits.append(fit_fpga(plan, FpgaFamily(target), jobs=jobs, progress=progress))
                continue
            cells = CellTarget(
                library=read_liberty(target_liberty(target) if liberty is None else liberty),
                feature_nm=target.feature_nm if feature_nm is None else feature_nm,
            )
            fits += fit_cells(plan, cells, jobs=jobs, progress=progress)
    made = SiliconFits(
        gateware_hash=gateware_hash(),
        tool=f"pyosys {version('pyosys')}",
        spaces=names,
        seed=seed,
        fits=fits,
    )
    silicon_fit.save(made, out)
    for fit in fits:
        clock = f" at {fit.clock_mhz:g} MHz" if fit.clock_mhz else ""
        errors = "; ".join(
            f"{name} {error.mean:.2%}, at most {error.worst:.2%}"
            for name, error in fit.held_out.items()
        )
        print(f"{out}: {fit.target}{clock}, mean errors on {_judged(fit)}: {errors}")


def _require_judges(plan: SamplePlan, samples: int) -> None:
    """Raise :class:`CosilicoError` if a clock has no accelerator by which its fit is judged."""
    judged = {config.clock_mhz for config in plan.held_out}
    for clock_mhz in sorted({config.clock_mhz for config in plan.fitted} - judged):
        raise CosilicoError(
            f"--samples must leave an accelerator of {clock_mhz:g} MHz to judge by, which {samples} do not"
        )


def _judged(fit: SiliconFit) -> str:
    number = next((error.samples for error in fit.held_out.values()), 0)
    return f"{number} accelerators that were held out"
