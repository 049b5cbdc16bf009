"""Errors of a fitted memory, and what is held out to measure them; runs are the model's own."""

from dataclasses import replace

import numpy as np
import pytest

from foretold_runs import foretold_runs
from sim.spec.queued_memory import QueuedMemory
from sim.spec.spaces import TINY
from sim.timing import calibration as calibrations
from testbench.traces.evidence import errors_of, hold_out
from testbench.traces.fit import Loss
from testbench.traces.traced_run import TracedRun, Walker

CONFIG = TINY.default
CALIBRATION = calibrations.default()
WALKER = Walker(CALIBRATION)
MEMORY = QueuedMemory(clock_mhz=CONFIG.clock_mhz, access_bytes=CONFIG.bus_bytes)


@pytest.fixture(scope="module")
def run() -> TracedRun:
    """A run as the model foretells it."""
    (traced,) = foretold_runs(CONFIG, WALKER, MEMORY, 1)
    return traced


@pytest.mark.parametrize("count", [3, 4, 7])
def test_no_run_is_fitted_and_judged(run: TracedRun, count: int) -> None:
    runs = [replace(run, name=str(number)) for number in range(count)]
    fitted, judged = hold_out(runs)
    names = [{each.name for each in part} for part in (fitted, judged)]
    assert names[0] | names[1] == {each.name for each in runs}
    assert not names[0] & names[1]
    assert len(judged) == count // 3


def test_errors_are_absolute_and_their_bias_is_signed(run: TracedRun) -> None:
    """A run that took a tenth longer than foretold, and two that took half as long."""
    totals = (run.total * 10 // 9, run.total // 2, run.total // 2)
    runs = [replace(run, total=total) for total in totals]
    signed = [(run.total - total) / total for total in totals]
    assert signed[0] < -0.09
    errors = errors_of(runs, MEMORY, WALKER)
    assert (errors.of, errors.count) == ("runs", 3)
    assert errors.mean == pytest.approx(np.abs(signed).mean())
    assert errors.bias == pytest.approx(np.mean(signed))
    assert errors.worst == pytest.approx(max(map(abs, signed)))
    assert errors.low <= errors.mean <= errors.high


def test_loss_is_of_durations_ends_and_totals(run: TracedRun) -> None:
    """Each alone makes a difference, and none is no loss."""
    assert Loss([run], CALIBRATION)(MEMORY) == 0
    earlier = np.where(run.start > 0, run.start - 1, run.start)
    later = replace(run, total=run.total + 100)
    for other in (replace(run, start=earlier), replace(run, end=run.end + 1), later):
        assert Loss([other], CALIBRATION)(MEMORY) > 0
