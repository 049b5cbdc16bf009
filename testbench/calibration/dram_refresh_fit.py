"""Fit of a DRAM's refreshes, of the controller's latency ahead of a command and of the calendar's start.

At the memory's clock three sums are seen: where the waits for refreshes end, whether an access comes
before a refresh, and how long an access takes. A second clock tells the start, in cycles, from
the clocks of the memory.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sim.timing.dram import DramParameter
from testbench.calibration.dram_bench import DramBench, MeasuredRun, apart
from testbench.calibration.handmade_programs import Command, Timing, conv, load
from testbench.calibration.microbenchmarks import CalibrationError

__all__ = ["fit_refreshes"]

LOADS = 1000
"""LOADs apart from each other, during which every memory is refreshed several times."""

PAUSES = (16, 48)
"""Cycles between two of them, drawn at random from this range."""

REFRESHES = 5
"""Fewest refreshes that tell their interval, as some begin late."""

MOST_AHEAD = 48
"""Memory clocks that the controller's latency ahead of a command is looked for in."""

STEPS = MOST_AHEAD + 16
"""Clocks ahead of a refresh that are tried: the latency, the start and LOAD's way to its request."""

MOST_OFF = 60
"""Memory clocks by which the median distance of the waits' ends may be off the interval."""

BEST = 32
"""Lengths and latencies that foretell a short run best, of which a long run tells the best."""

MOST_LATE = 300
"""Memory clocks by which the longest wait may be off the length of a refresh."""

SLOWER = 8
"""Quotient, about, of the memory's clock and the slower clock."""

CLOCKS = 16
"""Slower clocks that are weighed, and refreshes over which their phases are looked at."""


def fit_refreshes(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Set REFRESH_INTERVAL, REFRESH, FRONT and START, and take FRONT off both latencies.

    Each refresh of an idle memory begins when it is due, to the clock.
    """
    q = DramParameter
    access = load(1, 1, bench.access, address=bench.stripe)
    # After a refresh all goes on in step with it: equal pauses would bring each refresh upon a LOAD alike.
    pauses = np.random.default_rng(0).integers(*PAUSES, LOADS - 1).tolist()
    sparse = _with_pauses(access, pauses)
    fast = bench.run("refreshes of an idle memory", *sparse)
    interval, longest = _refreshes(fast.timing)
    p[q.START] = p[q.FRONT] = 0
    p[q.REFRESH_INTERVAL] = interval
    about = _about_a_refresh(bench, access, interval, longest)
    clock = _slower_clock(bench.system.clock_mhz, interval)
    slow = bench.run("refreshes at a slower clock", *sparse, clock_mhz=clock)
    whole = p.copy()
    most = min(MOST_AHEAD, int(p[[q.READ_LATENCY, q.WRITE_LATENCY]].min()))
    lengths = range(max(1, longest - MOST_LATE), longest + MOST_AHEAD)
    pairs = product(range(most + 1), lengths)
    trials = [_split(whole, front, 0, length) for front, length in pairs]
    trials.sort(key=lambda trial: sum(run.misses(constants, trial) for run in about))
    _choose(p, trials[:BEST], [fast, *about], constants)
    whole[q.REFRESH] = p[q.REFRESH] - p[q.FRONT]
    ahead = int(p[q.FRONT])
    splits = (_split(whole, ahead - start, start) for start in range(ahead + 1))
    _choose(p, splits, [fast, *about, slow], constants)
    return [fast, *about, slow]


def _refreshes(timing: Timing) -> tuple[int, int]:
    """Interval of refreshes, and the longest wait for a refresh, as LOADs apart from each other show.

    A refresh is longer than the LOADs are apart, so that each makes a LOAD wait until its end. Most
    refreshes begin when they are due, others only when the access before them permits.
    """
    ends = np.array(timing.done[::2])
    waits = ends - timing.start[::2]
    waits -= int(np.median(waits))
    ends = ends[waits > waits.max() // 3]
    if len(ends) < REFRESHES:
        raise CalibrationError(f"{LOADS} LOADs must see {REFRESHES} refreshes, not {len(ends)}")
    about = int(np.median(np.diff(ends)))

    def alike(interval: int) -> int:
        return int(np.unique(ends % interval, return_counts=True)[1].max())

    return max(range(about - MOST_OFF, about + MOST_OFF + 1), key=alike), int(waits.max())


def _about_a_refresh(
    bench: DramBench, access: Command, interval: int, longest: int
) -> list[MeasuredRun]:
    """Measure the last clock in which a LOAD may start and still come before the first refresh.

    A search by halves on what RTL does; the first clock of it is certainly early, the last late.

    Returns
    -------
    list of MeasuredRun
        That LOAD, and the LOAD a clock later, which waits for the refresh.
    """

    def run(pause: int) -> MeasuredRun:
        return bench.run("a LOAD about a refresh", *_with_pauses(access, [pause]))

    def wait(measured: MeasuredRun) -> int:
        return measured.timing.duration(2)

    trial = run(interval // 2)
    before = interval // 2 + interval - STEPS - trial.timing.start[2]
    after = before + STEPS
    early, late = run(before), run(after)
    while after - before > 1:
        pause = (before + after) // 2
        between = run(pause)
        if wait(between) > wait(trial) + longest // 2:
            after, late = pause, between
        else:
            before, early = pause, between
    return [early, late]


def _with_pauses(access: Command, pauses: Sequence[int]) -> list[Command]:
    """LOADs with an EXECUTE of so many cycles between each two."""
    chain = apart(*[access] * (len(pauses) + 1))
    for place, pause in enumerate(pauses):
        tokens = {name: chain[2 * place + 1].fields[name] for name in ("wait", "post")}
        chain[2 * place + 1] = conv(1, pause, **tokens)
    return chain


def _slower_clock(memory_mhz: int, interval: int) -> int:
    """Clock, about an eighth of the memory's, in whose cycles the refreshes' phases lie closest.

    At a clock of which an interval has whole cycles every refresh would show the same phase.
    """

    def widest(clock_mhz: int) -> int:
        phases = np.sort(np.arange(CLOCKS) * interval * clock_mhz % memory_mhz)
        return int(np.diff(phases, append=memory_mhz).max())

    most = memory_mhz // SLOWER
    return min(range(most, max(0, most - CLOCKS), -1), key=widest)


def _split(
    whole: NDArray[np.int64], front: int, start: int, length: int | None = None
) -> NDArray[np.int64]:
    """Parameters with so much of both latencies ahead of the first command, all sums as before.

    ``length`` is that of a refresh if nothing lies ahead.
    """
    q = DramParameter
    p = whole.copy()
    p[q.FRONT], p[q.START] = front, start
    p[[q.READ_LATENCY, q.WRITE_LATENCY]] -= front
    p[q.REFRESH] = front + start + (whole[q.REFRESH] if length is None else length)
    return p


def _choose(
    p: NDArray[np.int64],
    trials: Iterable[NDArray[np.int64]],
    runs: Sequence[MeasuredRun],
    constants: NDArray[np.int64],
) -> None:
    """Set the parameters that foretell the runs best; among equals the first are taken."""
    p[:] = min(trials, key=lambda trial: sum(run.misses(constants, trial) for run in runs))
