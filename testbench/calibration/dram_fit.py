"""Fit of a DRAM's parameters to microbenchmarks in RTL, each of which isolates an interval.

The accelerator of most of them runs at the memory's clock, so that a measured cycle is a memory
clock. The fit knows the memory's sizes, clocks and controller, and none of its intervals. It asks
the model for the parameters with which it foretells every start and end of a microbenchmark.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sim.spec.dram import DramSystem
from sim.timing.calibration import Calibration
from sim.timing.dram import DramParameter
from testbench.calibration.dram_bench import DramBench, MeasuredRun, apart
from testbench.calibration.dram_refresh_fit import fit_refreshes
from testbench.calibration.handmade_programs import load, store

__all__ = ["fit", "fit_parameters"]

NEVER = 1 << 40

LONG = {
    DramParameter.COLUMN: DramParameter.COLUMN_LONG,
    DramParameter.ROW_TO_ROW: DramParameter.ROW_TO_ROW_LONG,
    DramParameter.WRITE_TO_READ: DramParameter.WRITE_TO_READ_LONG,
}
"""Parameters that a bank group has of its own; without groups they are the channel's."""

Candidates = Mapping[DramParameter, Sequence[int]]


def fit(
    p: NDArray[np.int64],
    candidates: Candidates,
    runs: Sequence[MeasuredRun],
    constants: NDArray[np.int64],
    *,
    durations: bool = True,
) -> int:
    """Set the parameters that foretell the runs best, over all combinations of the candidates.

    Of equally good combinations the first is taken. Durations alone do not show what the fetch of the
    descriptors does. Returns the misses that are left.
    """
    best, chosen = -1, p.copy()
    for values in product(*candidates.values()):
        trial = p.copy()
        for parameter, value in zip(candidates, values, strict=True):
            trial[parameter] = value
            if p[DramParameter.BANK_GROUPS] == 1 and parameter in LONG:
                trial[LONG[parameter]] = value
        missed = sum(run.misses(constants, trial, durations=durations) for run in runs)
        if best < 0 or missed < best:
            best, chosen = missed, trial
        if best == 0:
            break
    p[:] = chosen
    return best


def fit_parameters(
    system: DramSystem, base: Calibration, progress: Callable[[str], None] = lambda _: None
) -> tuple[NDArray[np.int64], int, int]:
    """Run the microbenchmarks behind a DRAM and fit all parameters.

    Returns
    -------
    parameters : int64[len(DramParameter)]
        What the memory is made of is that of the microbenchmarks' accelerator.
    runs : int
        Microbenchmarks run.
    misses : int
        Cycles by which their starts and ends are foretold wrong, all together.
    """
    bench = DramBench(system, progress)
    constants = base.array
    p = bench.structure.copy()
    p[[DramParameter.COLUMN, DramParameter.COLUMN_LONG]] = 1
    p[DramParameter.REFRESH_INTERVAL] = NEVER
    runs = [
        *_fit_columns(bench, p, constants),
        *_fit_rows(bench, p, constants),
        *_fit_conflicts(bench, p, constants),
        *_fit_activates(bench, p, constants),
        *_fit_writes(bench, p, constants),
        *fit_refreshes(bench, p, constants),
    ]
    return p, bench.runs, sum(run.misses(constants, p) for run in runs)


def _fit_columns(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Latency and column intervals. Each LOAD stays off the first banks, where descriptors lie."""
    q, near = DramParameter, {"address": bench.stripe}
    access = load(1, 1, bench.access, **near)
    hit = bench.run("row hit", *apart(access, access))
    fit(p, {q.READ_LATENCY: range(300), q.ROW_TO_READ: range(60)}, [hit], constants)
    opened = load(bench.groups, 1, bench.access, **near)
    hits = bench.run("hits in flight", *apart(opened, load(12, 1, bench.access, **near)))
    fit(p, {q.COLUMN: range(1, 40)}, [hits], constants)
    runs = [hit, hits]
    if bench.groups > 1:
        group = bench.run("hits in a group", *apart(access, load(12, 1, bench.turn, **near)))
        fit(p, {q.COLUMN_LONG: range(1, 40)}, [group], constants)
        runs.append(group)
    return runs


def _fit_rows(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Intervals of activates: of banks of several groups, of a group, and of more than four."""
    q, near = DramParameter, {"address": bench.stripe}
    others = bench.banks_in_group - 1
    runs = []
    if bench.groups > 1:
        runs.append(
            bench.run("rows of several groups", load(bench.groups, 1, bench.access, **near))
        )
        fit(p, {q.ROW_TO_ROW: range(80)}, runs[-1:], constants)
        own = bench.run("rows of a group", load(min(3, others), 1, bench.stripe, **near))
        fit(p, {q.ROW_TO_ROW_LONG: range(int(p[q.ROW_TO_ROW]), 80)}, [own], constants)
        several = {"groups": min(others, -(-8 // bench.groups)), "group_stride": bench.stripe}
        many = load(bench.groups, 1, bench.access, **near, **several)
    else:
        own = bench.run("rows of several banks", load(min(4, others), 1, bench.stripe, **near))
        fit(p, {q.ROW_TO_ROW: range(80)}, [own], constants)
        many = load(min(7, others), 1, bench.stripe, **near)
    runs += [own, bench.run("more than four rows", many)]
    fit(p, {q.FOUR_ROWS: range(200)}, runs[-1:], constants)
    return runs


def _fit_conflicts(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Intervals about a bank's precharge, and descriptors in a row, which must follow from the rest."""
    q, near = DramParameter, {"address": bench.stripe}
    access = load(1, 1, bench.access, **near)
    far = load(1, 1, bench.access, address=bench.stripe + bench.row)
    late = bench.run("late conflict", *apart(access, far))
    fit(p, {q.PRECHARGE: range(100)}, [late], constants)
    early = bench.run("early conflict", load(2, 1, bench.row, **near))
    fit(p, {q.ROW_ACTIVE: range(200)}, [early], constants)
    two = {"groups": 2, "group_stride": bench.row}
    many = bench.run("conflict after many reads", load(7, 1, bench.turn, **near, **two))
    fit(p, {q.READ_TO_PRECHARGE: range(100)}, [many], constants)
    chain = bench.run("descriptors in a row", *apart(*[access] * 20))
    return [late, early, many, chain]


def _fit_activates(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Intervals of activates that the column intervals hide until a row is closed again.

    Of two rows that are opened one after the other the second is closed at once: it must have been open
    for ROW_ACTIVE, so the end shows when it was opened.
    """
    if bench.groups == 1:
        return []
    q, near = DramParameter, {"address": bench.stripe}
    runs = []
    for name, parameter, step in (
        ("another group's row closed at once", q.ROW_TO_ROW, bench.access),
        ("a group's next row closed at once", q.ROW_TO_ROW_LONG, bench.stripe),
    ):
        # Banks 0 and 1 of the pair, then another row of bank 1
        again = {"groups": 2, "group_stride": bench.row + step}
        runs.append(bench.run(name, load(2, 1, step, **near, **again)))
        fit(p, {parameter: range(int(p[parameter]), 80)}, runs[-1:], constants)
    return runs


def _fit_writes(
    bench: DramBench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[MeasuredRun]:
    """Latency and recovery of writes, then the turnarounds, with LOAD and STORE side by side."""
    q, near = DramParameter, {"address": bench.stripe}
    access = store(1, 1, bench.access, **near)
    pair = bench.run("writes", *apart(access, access))
    fit(p, {q.WRITE_LATENCY: range(200), q.ROW_TO_WRITE: range(60)}, [pair], constants)
    conflict = bench.run("conflict after a write", store(2, 1, bench.row, **near))
    fit(p, {q.WRITE_TO_PRECHARGE: range(200)}, [conflict], constants)
    count = min(64, bench.stripe // bench.turn)
    reads = load(count, 1, bench.turn, **near)
    last = (bench.banks_in_group - 1) * bench.stripe
    other = last + (bench.access if bench.groups > 1 else 0)
    # Writes and reads in turn show the sum of both turnarounds, a single write the first of them.
    single = bench.run("a write among reads", reads, store(1, 1, bench.turn, address=other))
    mixed = bench.run("reads and writes in turn", reads, store(count, 1, bench.turn, address=other))
    turns = {q.READ_TO_WRITE: range(100), q.WRITE_TO_READ: range(100)}
    fit(p, turns, [single, mixed], constants)
    runs = [pair, conflict, single, mixed]
    if bench.groups > 1:
        own = store(count, 1, bench.turn, address=last)
        group = bench.run("reads and writes in turn in a group", reads, own)
        fit(p, {q.WRITE_TO_READ_LONG: range(int(p[q.WRITE_TO_READ]), 120)}, [group], constants)
        runs.append(group)
    return runs
