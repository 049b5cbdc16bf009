"""Samples of silicon: drawn accelerators, mapped in turn and kept in a file, and the fits that they give.

    python benchmarks/silicon_samples.py [--target TARGET...] [--clock-mhz M...] [--fit]

Each accelerator of the plan of ``cosilico calibrate --area`` (`hwgen/synthesis/sample_accelerators.py`) is mapped as that command maps it,
and its modules are added to `benchmarks/silicon_samples.json`. Accelerators follow in the order in which they were drawn, two to fit
and one to judge in turn, whatever their size, so that the work may stop at any time and go on later. Then, or at once with ``--fit``,
`sim/cost/silicon_fits.json`, which is shipped, is made of the file: no synthesis is needed for that. Samples of another gateware or of another
flow are left behind.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import chain, zip_longest
from pathlib import Path

from cosilico.progress import progress_bar, within
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.module_counts import require_counts
from hwgen.synthesis.sample_accelerators import SamplePlan, sample_plan
from hwgen.synthesis.samples import TargetSamples, sample_design
from hwgen.synthesis.silicon_fitting import CellTarget
from hwgen.synthesis.targets import FpgaFamily, FpgaFlow, StandardCellFlow, Target, target_liberty
from silicon_sample_file import SampleFile, load_samples, save_samples
from sim.cost import silicon_fit
from sim.cost.silicon_origin import origin_fields
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES

FOLDER = Path(__file__).parent
SAMPLES = FOLDER / "silicon_samples.json"
FITS = Path(silicon_fit.__file__).with_name(silicon_fit.DEFAULT_FILE)
SEED = 1

_FPGAS = (Target.ECP5, Target.XILINX)
_TO_FIT = 2
"""Accelerators to fit that are mapped before one to judge."""

Flow = StandardCellFlow | FpgaFlow


def main() -> None:
    """Map what is missing, and fit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", type=Target, action="append", choices=list(Target))
    parser.add_argument("--clock-mhz", type=int, action="append", help="without it all clocks")
    parser.add_argument("--fit", action="store_true", help="map nothing")
    arguments = parser.parse_args()
    if not arguments.fit:
        for target in arguments.target or [Target.NANGATE45]:
            collect(target, arguments.clock_mhz)
    silicon_fit.save(load_samples(SAMPLES).fits(), FITS)


def collect(target: Target, clocks_mhz: Sequence[int] | None) -> None:
    """Map the plan's accelerators to a target, and keep each."""
    plan = sample_plan(list(SPACE_NAMES.values()), seed=SEED)
    for clock_mhz, flow, empty in _flows(target, plan):
        if clocks_mhz and clock_mhz not in (0, *clocks_mhz):
            continue
        known = {
            sample.config: sample
            for samples in _kept().targets
            if _key(samples) == _key(empty)
            for sample in (*samples.fitted, *samples.held_out)
        }
        order = list(sample_order(plan, clock_mhz))
        with progress_bar() as report:
            for place, config in enumerate(order):
                if config in known:
                    continue
                progress = within(f"{target}, {place} of {len(order)}", report)
                known[config] = sample_design(config, flow, jobs=1, progress=progress)
                require_counts(known[config], fpga=clock_mhz == 0)
                fitted, held_out = (
                    [known[config] for config in part if config in known] for part in plan
                )
                _keep(replace(empty, fitted=fitted, held_out=held_out))


def sample_order(plan: SamplePlan, clock_mhz: float) -> Iterator[AcceleratorConfig]:
    """Yield the accelerators of a clock, or all for 0: as they were drawn, some to fit before each to judge."""
    fitted, held_out = (
        [config for config in part if clock_mhz in (0, config.clock_mhz)] for part in plan
    )
    groups = [fitted[place : place + _TO_FIT] for place in range(0, len(fitted), _TO_FIT)]
    for group, judge in zip_longest(groups, held_out):
        yield from chain(group or (), () if judge is None else (judge,))


def _flows(target: Target, plan: SamplePlan) -> Iterator[tuple[int, Flow, TargetSamples]]:
    """Yield clocks, mappings and samples of none: of standard cells for every clock."""
    if target in _FPGAS:
        flow = FpgaFlow(family=FpgaFamily(target))
        yield 0, flow, _none(str(target), 0, 0, flow)
        return
    cells = CellTarget(library=read_liberty(target_liberty(target)), feature_nm=target.feature_nm)
    for clock_mhz in sorted({config.clock_mhz for config in plan.fitted}):
        own = cells.flow(clock_mhz)
        yield clock_mhz, own, _none(cells.library.name, cells.feature_nm, clock_mhz, own)


def _none(target: str, feature_nm: float, clock_mhz: float, flow: Flow) -> TargetSamples:
    return TargetSamples(
        target=target,
        feature_nm=feature_nm,
        clock_mhz=clock_mhz,
        flow=flow.identity,
        fitted=[],
        held_out=[],
    )


def _key(samples: TargetSamples) -> tuple[str, float, str]:
    return samples.target, samples.clock_mhz, samples.flow


def _kept() -> SampleFile:
    """Samples of the file, if they are of this gateware."""
    made = SampleFile(
        gateware_hash=gateware_hash(),
        tool=f"pyosys {version('pyosys')}",
        spaces=list(SPACE_NAMES),
        seed=SEED,
        targets=[],
    )
    if not SAMPLES.is_file():
        return made
    kept = load_samples(SAMPLES)
    return kept if origin_fields(kept) == origin_fields(made) else made


def _keep(samples: TargetSamples) -> None:
    """Replace a target's samples in the file."""
    kept = _kept()
    place = (samples.target, samples.clock_mhz)
    others = [other for other in kept.targets if (other.target, other.clock_mhz) != place]
    targets = sorted([*others, samples], key=lambda each: (each.target, each.clock_mhz))
    save_samples(replace(kept, targets=targets), SAMPLES)


if __name__ == "__main__":
    main()
