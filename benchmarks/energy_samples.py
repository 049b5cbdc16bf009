"""Samples of energy: drawn accelerators at work, kept in a file, and the fits that they give.

    python benchmarks/energy_samples.py [--jobs N] [--fit]

Each accelerator of the plan of ``cosilico calibrate --energy`` (`testbench/power/plan.py`) runs the workloads, and its mapped
modules are simulated with the waveforms, as that command does it; the runs are kept in `benchmarks/energy_samples.jsonl`.
Clocks take turns, and of each come two accelerators to fit and then one to judge, so that the work may stop at any time and go on later.
Then, or at once with ``--fit``, `sim/cost/energy_fits.json`, which is shipped, is made of the file and of `sim/cost/silicon_fits.json`: no
synthesis is needed for that. Runs of another gateware are left behind.
"""

import argparse
import os
from collections.abc import Iterator
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

from claim import require_counts
from cosilico.progress import progress_bar
from cosilico.tasks import run_all
from energy_sample_records import record_of, samples_of
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.sample_accelerators import SamplePlan
from hwgen.synthesis.silicon_fitting import CellTarget
from hwgen.synthesis.targets import Target, target_liberty
from sim.cost import energy_fit, silicon_fit
from sim.cost.energy_fit import EnergyFits
from sim.cost.silicon_fit import SiliconFits
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES
from testbench.power.direct import MOST_SAMPLED, SAMPLED, SAMPLED_CELLS
from testbench.power.fitting import fit_clocks
from testbench.power.plan import energy_plan, split_runs
from testbench.power.samples import sample_energy
from testbench.power.workloads import FITTED, HELD_OUT, workload
from testbench.validation.journal import Journal

__all__ = ["fits_of", "run_accelerator", "sample_order"]

FOLDER = Path(__file__).parent
SAMPLES = FOLDER / "energy_samples.jsonl"
FITS = Path(energy_fit.__file__).with_name(energy_fit.DEFAULT_FILE)
SEED = 1

_TARGET = Target.NANGATE45
_TO_FIT = 2
"""Accelerators of a clock to fit before one to judge."""


def main() -> None:
    """Run what is missing, and fit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fit", action="store_true", help="run nothing")
    given = parser.parse_args()
    require_counts(jobs=given.jobs)
    plan = energy_plan(list(SPACE_NAMES.values()), seed=SEED)
    journal = Journal(SAMPLES, _header(), renew=True)
    if not given.fit:
        tasks: dict[str, tuple[Any, ...]] = dict.fromkeys(journal.records, ())
        tasks |= {str(config.to_json()): (config,) for config in sample_order(plan)}
        with progress_bar() as report:
            run_all(tasks, run_accelerator, journal, given.jobs, report, step="accelerators")
    made = fits_of(list(journal.records.values()), plan, silicon_fit.shipped())
    if made.fits:
        energy_fit.save(made, FITS)


def sample_order(plan: SamplePlan) -> Iterator[AcceleratorConfig]:
    """Yield the accelerators: clocks in turn, and of each some to fit before one to judge."""
    chains = []
    for clock_mhz in sorted({config.clock_mhz for config in plan.fitted}):
        fitted, held_out = (
            [config for config in part if config.clock_mhz == clock_mhz] for part in plan
        )
        groups = [fitted[place : place + _TO_FIT] for place in range(0, len(fitted), _TO_FIT)]
        chains.append(
            [
                config
                for group, judge in zip_longest(groups, held_out)
                for config in (*(group or ()), *(() if judge is None else (judge,)))
            ]
        )
    for turn in zip_longest(*chains):
        yield from (config for config in turn if config is not None)


def run_accelerator(config: AcceleratorConfig) -> dict[str, Any]:
    """Run all workloads that fit an accelerator."""
    networks = [workload(name) for name in (*FITTED, *HELD_OUT)]
    fitting = [network for network in networks if not check(config, network)]
    return record_of(sample_energy(config, fitting, _cells().flow(config.clock_mhz), jobs=1))


def fits_of(records: list[dict[str, Any]], plan: SamplePlan, silicon: SiliconFits) -> EnergyFits:
    """Fit the clocks of which there are runs to fit and to judge, and silicon."""
    runs = [sample for record in records for sample in samples_of(record)]
    known = {fit.clock_mhz for fit in silicon.fits if fit.clock_mhz}
    runs = [run for run in runs if run.config.clock_mhz in known]
    fitted, held_out = split_runs(plan, runs)
    return EnergyFits(
        gateware_hash=gateware_hash(),
        tool=_tool(),
        accelerators=len({run.config for run in fitted}),
        workloads=list(FITTED),
        fits=fit_clocks(fitted, held_out, silicon, lambda clock: _cells().flow(clock).identity),
    )


def _header() -> dict[str, Any]:
    return {
        "schema": 1,
        "instances": [SAMPLED, MOST_SAMPLED, SAMPLED_CELLS],
        "gateware_hash": gateware_hash(),
        "tool": _tool(),
        "spaces": list(SPACE_NAMES),
        "seed": SEED,
    }


def _tool() -> str:
    return f"pyosys {version('pyosys')}"


def _cells() -> CellTarget:
    library = read_liberty(target_liberty(_TARGET))
    return CellTarget(library=library, feature_nm=_TARGET.feature_nm)


if __name__ == "__main__":
    main()
