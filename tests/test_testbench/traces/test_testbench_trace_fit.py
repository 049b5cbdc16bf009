"""The fit gives back a memory whose runs it is shown, and says what they do not show."""

from dataclasses import replace

import numpy as np
import pytest

from foretold_runs import foretold, foretold_runs
from sim.arrays.schedule_columns import QUEUE
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError
from sim.spec.queued_memory import LIMITS, Arbitration, QueuedMemory, Servers
from sim.spec.spaces import TINY
from sim.timing import calibration as calibrations
from testbench.traces.calibrate import calibrate_runs
from testbench.traces.determination import determine
from testbench.traces.evidence import errors_of, hold_out
from testbench.traces.fit import fit, refine
from testbench.traces.proposals import MICROBENCHMARKS, microbenchmark_run, propose
from testbench.traces.traced_run import TracedRun, Walker

CONFIG = TINY.default
CALIBRATION = calibrations.default()
WALKER = Walker(CALIBRATION)
FIRST = QueuedMemory(clock_mhz=CONFIG.clock_mhz, access_bytes=CONFIG.bus_bytes)
ALONE = replace(FIRST, read_latency=71, write_latency=35, descriptor_latency=50)
SHARED = replace(
    FIRST,
    arbitration=Arbitration.ROUND_ROBIN,
    servers=Servers.SHARED,
    read_latency=31,
    write_latency=31,
    descriptor_latency=31,
    read_ticks=100,
    write_ticks=100,
    descriptor_ticks=0,
    burst_cycles=5,
)


def runs_on(memory: QueuedMemory, count: int = 6) -> list[TracedRun]:
    """Runs of random networks as the model itself foretells them."""
    return foretold_runs(CONFIG, WALKER, memory, count)


def test_latencies_come_out_to_the_cycle() -> None:
    # Of fewer runs none waits for a descriptor long enough
    estimate = fit(runs_on(ALONE, 8), CALIBRATION, FIRST)
    assert estimate.loss == 0
    assert estimate.effects == ()
    for name in ("read_latency", "write_latency", "descriptor_latency"):
        assert getattr(estimate.memory, name) == getattr(ALONE, name)
    assert errors_of(runs_on(ALONE, 11)[8:], estimate.memory, WALKER).worst == 0


def test_a_latency_of_writes_that_no_chosen_descriptor_shows_goes_with_that_of_reads() -> None:
    """The part that is fitted ends before the first STORE's response; more of the run changes nothing."""
    own = replace(FIRST, read_latency=59, write_latency=60, descriptor_latency=59)
    (run,) = runs_on(own, 1)
    reads = replace(run, chosen=run.rows[:, QUEUE] != Queue.STORE, total=-1)
    estimate = fit([reads], CALIBRATION, FIRST)
    assert estimate.memory == own
    traded = replace(estimate, memory=replace(own, write_latency=59, write_ticks=4))
    assert refine([run], CALIBRATION, FIRST, traded).memory == own


@pytest.mark.long
def test_a_latency_beyond_the_service_that_a_burst_may_have_comes_out() -> None:
    slow = replace(FIRST, read_latency=3000, write_latency=3001, descriptor_latency=3000)
    runs = runs_on(slow, 2)
    assert errors_of(runs, fit(runs, CALIBRATION, FIRST).memory, WALKER).worst == 0


def test_layers_are_judged_by_the_ends_that_are_known() -> None:
    (run,) = runs_on(ALONE, 1)
    stores = run.rows[:, QUEUE] == Queue.STORE
    ends = replace(run, end=np.where(stores, run.end, -1), chosen=run.layers > 0)
    assert errors_of([ends], ALONE, WALKER).worst == 0
    none = replace(run, end=np.full(len(run.end), -1), chosen=run.layers > 0)
    with pytest.raises(
        CosilicoError, match=r"^traces must have ends of held-out layers, not none$"
    ):
        errors_of([none], ALONE, WALKER)


def test_a_shared_server_is_told_from_separate_ones() -> None:
    runs = runs_on(SHARED, 8)
    estimate = fit(runs[:5], CALIBRATION, FIRST)
    assert estimate.memory.servers is Servers.SHARED
    assert errors_of(runs[5:], estimate.memory, WALKER).worst == 0


def test_every_descriptors_time_may_be_unknown_but_some() -> None:
    rng = np.random.default_rng(0)
    runs = [
        replace(
            run,
            start=np.where(rng.random(len(run.start)) < 0.5, run.start, -1),
            end=np.where(rng.random(len(run.end)) < 0.5, run.end, -1),
        )
        for run in runs_on(ALONE, 4)
    ]
    estimate = fit(runs, CALIBRATION, FIRST)
    assert errors_of(runs_on(ALONE, 9)[6:], estimate.memory, WALKER).mean < 0.001


def test_what_no_run_does_stays_open_and_is_proposed() -> None:
    """LOADs alone say nothing of writes."""
    names = ("long-reads-apart", "reads-of-many-bursts", "descriptors")
    runs = [foretold(microbenchmark_run(name, CONFIG), WALKER, ALONE) for name in names]
    before = determine(runs, ALONE, WALKER)
    assert {"write_latency", "write_ticks"} <= set(before.open)
    assert "read_latency" in before.determined
    proposals, _ = propose(CONFIG, ALONE, before, WALKER)
    assert any("write_latency" in proposal.determines for proposal in proposals)
    runs += [foretold(microbenchmark_run(p.name, CONFIG), WALKER, ALONE) for p in proposals]
    after = determine(runs, ALONE, WALKER)
    own = {r.parameter: r for r in before.ranges}["write_latency"]
    assert (own.low, own.high) == LIMITS["write_latency"]
    own = {r.parameter: r for r in after.ranges}["write_latency"]
    assert (own.low, own.high) == (35, 35)


def test_parameters_that_stand_for_each_other_are_named() -> None:
    """Reads of a length each: what a burst and what its accesses take cannot be told apart."""
    memory = replace(SHARED, servers=Servers.BY_PORT, arbitration=Arbitration.FIRST_COME)
    run = foretold(microbenchmark_run("short-reads-apart", CONFIG), WALKER, memory)
    trades = determine([run], memory, WALKER).trades
    assert ("read_ticks", "burst_cycles") in {trade.parameters for trade in trades}


@pytest.mark.parametrize("name", MICROBENCHMARKS)
def test_microbenchmarks_run_on_both_spaces(name: str) -> None:
    ((start, end, total),) = WALKER.predict([microbenchmark_run(name, CONFIG)], FIRST)
    assert total > end.max() > start.min() > 0


def test_a_single_run_holds_out_its_last_layers() -> None:
    (run,) = runs_on(ALONE, 1)
    fitted, judged = hold_out([run])
    assert (fitted[0].chosen ^ judged[0].chosen).all()
    assert run.layers[judged[0].chosen].min() > run.layers[fitted[0].chosen].max()


@pytest.mark.long
def test_random_times_are_refused() -> None:
    """Long: the command refuses times that run backwards by the same rule."""
    rng = np.random.default_rng(1)
    runs = []
    for run in runs_on(ALONE, 4):
        end = np.sort(rng.integers(1, 90_000, len(run.end)))
        runs.append(replace(run, start=np.maximum(0, end - 40), end=end, total=int(end[-1]) + 2))
    with pytest.raises(CosilicoError, match=r"^mean error on held-out runs must be at most 5\.0%"):
        calibrate_runs(CONFIG, runs, CALIBRATION, limit=0.05)


def test_a_fit_that_gains_nothing_is_refused() -> None:
    """The memory that the search begins with is exact already: there is nothing to fit but noise."""
    line = r"^mean error on held-out runs must be less than before the fit, 0\.0%, not 0\.0%$"
    with pytest.raises(CosilicoError, match=line):
        calibrate_runs(CONFIG, runs_on(FIRST), CALIBRATION)


def test_few_descriptors_are_refused() -> None:
    (run,) = runs_on(ALONE, 1)
    blank = replace(run, start=np.full(len(run.start), -1))
    line = r"^traces must have start and end of at least 24 LOADs and STOREs, not 0$"
    with pytest.raises(CosilicoError, match=line):
        calibrate_runs(CONFIG, [blank], CALIBRATION)
