"""How well a fitted memory foretells runs that took no part in the fit, with the spread of the errors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays.schedule_columns import QUEUE
from sim.prediction import cycles_by_layer
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError
from sim.spec.queued_memory import QueuedMemory
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["Errors", "errors_of", "hold_out"]

RESAMPLES = 2000
CONFIDENCE = 0.95
HELD_OUT = 3
"""Every so many runs is held out; of a single run the last layers of so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of predicted cycles.

    Parameters
    ----------
    of : str
        "runs" or "layers": what was held out and is compared.
    count : int
    mean, worst : float
    low, high : float
        Interval of the mean, 95 %, by bootstrap over what is compared.
    bias : float
        Mean of the signed errors; positive where the prediction is too long.
    """

    of: str
    count: int
    mean: float
    worst: float
    low: float
    high: float
    bias: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def hold_out(runs: Sequence[TracedRun]) -> tuple[list[TracedRun], list[TracedRun]]:
    """Runs to fit, and runs to judge by.

    Every third run is held out, the first never. Of one or two runs the last third of the layers is; both
    results are then the same runs, of which each has its part chosen.
    """
    if len(runs) >= HELD_OUT:
        judged = [run for k, run in enumerate(runs) if k % HELD_OUT == HELD_OUT - 1]
        fitted = [run for k, run in enumerate(runs) if k % HELD_OUT != HELD_OUT - 1]
        return fitted, judged
    fitted, judged = [], []
    for run in runs:
        first = run.layers.max() + 1 - max(1, (run.layers.max() + 1) // HELD_OUT)
        before = run.layers < first
        fitted.append(replace(run, chosen=run.chosen & before))
        judged.append(replace(run, chosen=run.chosen & ~before))
    return fitted, judged


def errors_of(runs: Sequence[TracedRun], memory: QueuedMemory, walker: Walker) -> Errors:
    """Errors of the runs' totals, or of the chosen layers' cycles where only some are chosen.

    Raises
    ------
    CosilicoError
        If no chosen layer's end is known.
    """
    signed: list[float] = []
    of = "runs" if all(run.chosen.all() for run in runs) else "layers"
    for run, (_, end, total) in zip(runs, walker.predict(runs, memory), strict=True):
        if of == "runs":
            predicted = total if run.total > 0 else int(end.max())
            signed.append((predicted - run.cycles) / run.cycles)
        else:
            signed += _layer_errors(run, end)
    if not signed:
        raise CosilicoError("traces must have ends of held-out layers, not none")
    values = np.array(signed)
    mean, low, high = _bootstrap(np.abs(values))
    return Errors(
        of=of,
        count=len(values),
        mean=mean,
        worst=float(np.abs(values).max()),
        low=low,
        high=high,
        bias=float(values.mean()),
    )


def _layer_errors(run: TracedRun, end: NDArray[np.int64]) -> list[float]:
    """Errors of the chosen layers' cycles, each from the latest known end before it to its own.

    Times that run backwards give a layer a negative length, from which a prediction is far off.
    """
    known = (run.end >= 0) & (run.rows[:, QUEUE] != Queue.LOAD)
    chosen = sorted(set(run.layers[known & run.chosen].tolist()))
    if not chosen:
        return []
    queues, layers = run.rows[known, QUEUE], run.layers[known]
    count = int(layers.max()) + 1
    predicted = cycles_by_layer(queues, layers, end[known], count)[chosen]
    measured = cycles_by_layer(queues, layers, run.end[known], count)[chosen]
    signed: list[float] = ((predicted - measured) / np.maximum(1, np.abs(measured))).tolist()
    return signed


def _bootstrap(errors: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, and its interval by the percentiles of resampled means."""
    rng = np.random.default_rng(0)
    means = rng.choice(errors, (RESAMPLES, len(errors))).mean(axis=1)
    rest = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (rest, 1 - rest))
    return float(errors.mean()), float(low), float(high)
