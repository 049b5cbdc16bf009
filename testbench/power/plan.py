"""Accelerators whose runs energy is fitted to, and those on which the fit is judged: drawn from spaces with a seed.

Half of those that are drawn have activation tables, whether their space has or not.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hwgen.synthesis.sample_accelerators import SamplePlan
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace
from testbench.power.samples import EnergySample
from testbench.power.workloads import FITTED, HELD_OUT

__all__ = ["MOST_MACS", "SAMPLES", "energy_plan", "split_runs"]

SAMPLES = 9
"""Accelerators of a space: six are fitted to, and three held out."""

MOST_MACS = 512
"""MACs of a cycle up to which accelerators are drawn: waveforms of larger accelerators take long to write and read."""


def energy_plan(
    spaces: Sequence[HardwareSpace], *, seed: int = 1, samples: int = SAMPLES
) -> SamplePlan:
    """Draw accelerators, as many of each space: of every three, the third is held out.

    With fewer samples it is a part of the plan with more.

    Parameters
    ----------
    spaces : sequence of HardwareSpace
        Each once.
    seed : int
    samples : int
        Accelerators of each space, at least 3.
    """
    plan = SamplePlan([], [])
    for space in spaces:
        generator = random.Random(f"energy {seed} {space.name}")
        drawn: dict[AcceleratorConfig, None] = {}
        while len(drawn) < samples:
            point = space.config([generator.randrange(size) for size in space.sizes])
            point = replace(point, activation_table=generator.randrange(2))
            if point.macs <= MOST_MACS and not check(point):
                drawn[point] = None
        points = [point for point in drawn if point not in (*plan.fitted, *plan.held_out)]
        plan.held_out.extend(points[2::3])
        plan.fitted.extend(point for place, point in enumerate(points) if place % 3 != 2)
    return plan


def split_runs(
    plan: SamplePlan, runs: Iterable[EnergySample]
) -> tuple[list[EnergySample], list[EnergySample]]:
    """Runs to fit, and runs to judge by: of other accelerators, or of networks that are held out."""
    fitted, held_out = [], []
    for run in runs:
        known = run.config in plan.fitted
        if known and run.workload in FITTED:
            fitted.append(run)
        if not known or run.workload in HELD_OUT:
            held_out.append(run)
    return fitted, held_out
