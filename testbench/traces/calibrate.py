"""Calibration by runs: fit, judge by what was held out, say what is determined, propose the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.arrays.schedule_columns import QUEUE
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError
from sim.spec.queued_memory import QueuedMemory
from sim.timing.calibration import Calibration
from testbench.traces.determination import Determination, determine
from testbench.traces.evidence import Errors, errors_of, hold_out
from testbench.traces.fit import Estimate, fit, refine
from testbench.traces.proposals import Proposal, propose
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["LIMIT", "TraceFit", "calibrate_runs"]

LEAST_TRANSFERS = 24
"""LOADs and STOREs with known times without which there is nothing to fit."""

LIMIT = 0.1
"""Largest mean error on what was held out with which a fit is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFit:
    """A memory that was fitted to traces, and what is known of it.

    Parameters
    ----------
    memory : QueuedMemory
    config : AcceleratorConfig
    estimate : Estimate
    before, after : Errors
        Of what was held out, on the memory that the search began with and on that which was fitted
        without it.
    determination : Determination
    proposals : list of Proposal
    silent : tuple of str
        What is open and would show in no microbenchmark.
    runs, descriptors : int
        Read, and how many descriptors they have.
    """

    memory: QueuedMemory
    config: AcceleratorConfig
    estimate: Estimate
    before: Errors
    after: Errors
    determination: Determination
    proposals: list[Proposal]
    silent: tuple[str, ...]
    runs: int
    descriptors: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "memory": self.memory.to_json(),
            "effects": list(self.estimate.effects),
            "loss": self.estimate.loss,
            "runs": self.runs,
            "descriptors": self.descriptors,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "determination": self.determination.to_json(),
            "proposals": [
                {"name": p.name, "determines": list(p.determines)} for p in self.proposals
            ],
            "silent": list(self.silent),
        }


def calibrate_runs(
    config: AcceleratorConfig,
    runs: Sequence[TracedRun],
    calibration: Calibration,
    *,
    name: str = "fitted",
    limit: float = LIMIT,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> TraceFit:
    """Fit a memory to runs, judge it by those that took no part, and then let them take part.

    Parameters
    ----------
    config : AcceleratorConfig
        Of the first run; all have its clock.
    runs : sequence of TracedRun
    calibration : Calibration
        The accelerator's constants.
    name : str
        Of the memory.
    limit : float
        Of the mean error.
    progress : callable
        As of :func:`testbench.traces.fit.fit`.

    Raises
    ------
    CosilicoError
        If there are too few descriptors, or the fit is none: its error is above ``limit``, or not below
        that of the memory that the search began with.
    """
    _require_enough(runs)
    first = QueuedMemory(name=name, clock_mhz=config.clock_mhz, access_bytes=config.bus_bytes)
    fitted, judged = hold_out(runs)
    walker = Walker(calibration)
    before = errors_of(judged, first, walker)
    estimate = fit(fitted, calibration, first, progress)
    after = errors_of(judged, estimate.memory, walker)
    _require_fit(before, after, limit)
    whole = [replace(run, chosen=np.ones_like(run.chosen)) for run in runs]
    estimate = refine(whole, calibration, first, estimate)
    memory = estimate.memory
    determination = determine(whole, memory, walker)
    proposals, silent = propose(config, memory, determination, walker)
    return TraceFit(
        memory=memory,
        config=config,
        estimate=estimate,
        before=before,
        after=after,
        determination=determination,
        proposals=proposals,
        silent=silent,
        runs=len(runs),
        descriptors=sum(len(run.rows) for run in runs),
    )


def _require_enough(runs: Sequence[TracedRun]) -> None:
    known = 0
    for run in runs:
        moved = run.rows[:, QUEUE] != Queue.EXECUTE
        known += int((moved & (run.start >= 0) & (run.end >= 0)).sum())
    if known < LEAST_TRANSFERS:
        raise CosilicoError(
            f"traces must have start and end of at least {LEAST_TRANSFERS} LOADs and STOREs, not {known}"
        )


def _require_fit(before: Errors, after: Errors, limit: float) -> None:
    if after.mean > limit:
        raise CosilicoError(
            f"mean error on held-out {after.of} must be at most {limit:.1%}, not {after.mean:.1%}"
        )
    if after.mean >= before.mean:
        raise CosilicoError(
            f"mean error on held-out {after.of} must be less than before the fit, {before.mean:.1%}, "
            f"not {after.mean:.1%}"
        )
