"""Fitting the energy of modules at work to netlists, from the command line."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from cosilico.folder import check_file
from cosilico.gateware import current_silicon_fits
from cosilico.progress import Report, progress_bar, within
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.silicon_fitting import CellTarget
from hwgen.synthesis.targets import Target, target_liberty
from sim.cost import energy_fit
from sim.cost.energy_fit import EnergyFit, EnergyFits
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.spaces import SPACE_NAMES
from testbench.power.fitting import fit_clocks
from testbench.power.plan import energy_plan, split_runs
from testbench.power.samples import EnergySample, sample_energy
from testbench.power.workloads import FITTED, HELD_OUT, workload

__all__ = ["calibrate_energy_to_file"]


def calibrate_energy_to_file(
    spaces: Sequence[str],
    target: Target,
    out: Path,
    *,
    liberty: Path | None,
    feature_nm: float | None,
    samples: int,
    seed: int,
    jobs: int | None,
    silicon_file: Path | None = None,
) -> None:
    """Run workloads on accelerators of spaces, simulate their modules, and write the fits with their errors.

    Parameters
    ----------
    spaces : sequence of str
        Names of spaces; all of them if empty.
    target : Target
    out : Path
    liberty : Path, optional
        Standard cells in the place of the target's.
    feature_nm : float, optional
        Feature size of these cells.
    samples : int
        Accelerators of each space.
    seed : int
        Decides which.
    jobs : int, optional
        Processes that map modules; without it as many as there are processors.
    silicon_file : Path, optional
        Fitted silicon of this gateware; the shipped if not given.

    Raises
    ------
    CosilicoError
        If a space is not known, there is no silicon of this gateware, or cells have no power; nothing is written then.
    """
    check_file(out, "--out")
    names = list(dict.fromkeys(spaces or SPACE_NAMES))
    for name in names:
        if name not in SPACE_NAMES:
            raise CosilicoError(f"SPACE must be one of {', '.join(SPACE_NAMES)}, not {name!r}")
    silicon = current_silicon_fits(silicon_file)
    cells = CellTarget(
        library=read_liberty(target_liberty(target) if liberty is None else liberty),
        feature_nm=target.feature_nm if feature_nm is None else feature_nm,
    )
    plan = energy_plan([SPACE_NAMES[name] for name in names], seed=seed, samples=samples)
    runs: list[EnergySample] = []
    with progress_bar() as report:
        for done, config in enumerate((*plan.fitted, *plan.held_out)):
            report("accelerators", done, len(plan.fitted) + len(plan.held_out))
            runs += _runs(config, cells, jobs, report)
    fits = fit_clocks(
        *split_runs(plan, runs), silicon, lambda clock_mhz: cells.flow(clock_mhz).identity
    )
    made = EnergyFits(
        gateware_hash=gateware_hash(),
        tool=f"pyosys {version('pyosys')}",
        accelerators=len(plan.fitted),
        workloads=list(FITTED),
        fits=fits,
    )
    energy_fit.save(made, out)
    for fit in fits:
        print(f"{out}: {_errors(fit)}")


def _runs(
    config: AcceleratorConfig, cells: CellTarget, jobs: int | None, report: Report
) -> list[EnergySample]:
    """Runs of all workloads that fit an accelerator."""
    networks = [workload(name) for name in (*FITTED, *HELD_OUT)]
    return sample_energy(
        config,
        [network for network in networks if not check(config, network)],
        cells.flow(config.clock_mhz),
        jobs=jobs,
        progress=within("runs", report),
    )


def _errors(fit: EnergyFit) -> str:
    total = fit.held_out["total"]
    parts = "; ".join(
        f"{name} {error.mean:.2%}" for name, error in fit.held_out.items() if name != "total"
    )
    return (
        f"{fit.target} at {fit.clock_mhz:g} MHz, mean error on {total.samples} runs that were held out: "
        f"{total.mean:.2%}, at most {total.worst:.2%}; of it {parts}"
    )
