"""Calibration of the DRAM tier: microbenchmarks in RTL, each fitted for what it isolates.

The accelerator of most of them runs at the memory's clock, so that a measured cycle is a memory
clock. The fit knows the memory's sizes and clocks and none of its intervals. It asks the burst-level
model for the parameters with which it foretells every start and end of a microbenchmark; the last
word have layers and networks that took no part in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hwgen.program import compile_mapped
from sim.arrays.tables import COLUMNS, Hw, accelerator_row
from sim.model import predict_mapped
from sim.prediction import cycles_by_layer
from sim.realizability import map_realizable
from sim.spec.descriptor import Queue
from sim.spec.memories import DRAM
from sim.spec.spaces import EDGE, TINY
from sim.timing.calibration import DRAM_ERROR_LIMIT, Calibration, DramCalibration
from sim.timing.dram import MEASURED, DramParameter, initial_state
from sim.timing.dram_walk import walk_dram
from sim.timing.lpddr4 import MEMORY_MHZ, structure
from testbench.calibration.dram_parameters import FROM_GATEWARE
from testbench.calibration.handmade_programs import (
    DATA_BYTES,
    Command,
    Timing,
    conv,
    load,
    measure,
    store,
)
from testbench.calibration.microbenchmarks import CalibrationError
from testbench.cases.random_networks import Case, draw_cases
from testbench.rtl.harness import Harness, build
from testbench.rtl.lpddr4_channel import lpddr4
from testbench.rtl.memory_model import MemoryModel

__all__ = ["DramReport", "Errors", "calibrate_dram", "dram_errors", "fit", "fit_parameters"]

MEAN_LIMIT, RANK_LIMIT = 0.01, 0.99
"""Mean relative error and Spearman's coefficient that a calibration must reach on held-out layers.

`DRAM_ERROR_LIMIT` bounds the largest error.
"""

NEVER = 1 << 40
PAGE, STRIPE = 2048, 8 * 2048
"""Bytes of one x16 channel: a row, and the distance of two rows of a bank."""

MOST_AHEAD = 48
"""Memory clocks that the controller's latency ahead of a command is looked for in."""

MOST_LATE = 300
"""Memory clocks by which the longest wait may be off the length of a refresh."""

ROUNDS = 4
"""Rounds of the fit of the refreshes: two runs are fitted in turn."""

Candidates = Mapping[DramParameter, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of predicted cycles on held-out layers and networks.

    Parameters
    ----------
    layers, networks : int
        Compared.
    mean, worst : float
        Of the layers.
    network_mean, network_worst : float
    spearman : float
        Rank correlation of the layers' predicted and measured cycles.
    """

    layers: int
    networks: int
    mean: float
    worst: float
    network_mean: float
    network_worst: float
    spearman: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DramReport:
    """A DRAM calibration and how it was checked."""

    calibration: DramCalibration
    microbenchmarks: int
    misses: int
    errors: Errors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One microbenchmark: the schedule that the model walks and what RTL did."""

    rows: NDArray[np.int64]
    hw: Hw
    structure: NDArray[np.int64]
    timing: Timing

    def misses(
        self, constants: NDArray[np.int64], p: NDArray[np.int64], *, durations: bool = False
    ) -> int:
        """Sum over descriptors of the cycles by which start and end, or durations, are wrong."""
        place = p.copy()
        known = self.structure != 0
        place[known] = self.structure[known]
        state = initial_state(place)
        start, _, done, _, _ = walk_dram(self.rows, self.hw, constants, place, state, 0, DATA_BYTES)
        early, late = start - self.timing.start, done - self.timing.done
        if durations:
            return int(np.abs(late - early).sum())
        return int((np.abs(early) + np.abs(late)).sum())


class _Bench:
    """Runs microbenchmarks at the memory's clock or at an eighth of it."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress
        self.runs = 0
        config = replace(
            TINY.default,
            pes_x=1,
            pes_y=1,
            simd_units=4,
            compute_lanes=1,
            local_memory_kb=4,
            register_file_kb=1,
        )
        self.harnesses: dict[int, Harness] = {}
        for divider in (1, 8):
            clock = MEMORY_MHZ // divider
            own = replace(config, clock_mhz=clock, io_bandwidth_gbps=4 * clock / 1000)
            self.harnesses[divider] = build(own)

    def run(self, name: str, *commands: Command, divider: int = 1) -> _Measured:
        self.progress(f"dram: {name}")
        self.runs += 1
        config = self.harnesses[divider].config
        memory = MemoryModel(dram=lpddr4(config))
        timing = measure(self.harnesses[divider], commands, memory=memory)
        return _Measured(
            rows=_schedule(commands),
            hw=accelerator_row(config),
            structure=structure(config),
            timing=timing,
        )


def _schedule(commands: Sequence[Command]) -> NDArray[np.int64]:
    """Schedule rows of hand-made descriptors; a wait is for the queue's last descriptor before."""
    rows = np.zeros((len(commands), len(COLUMNS)), np.int64)
    after = COLUMNS["after_load"]
    last = [-1, -1, -1]
    for i, (row, command) in enumerate(zip(rows, commands, strict=True)):
        row[after : after + 3] = -1
        row[COLUMNS["queue"]] = command.queue
        for name, value in command.fields.items():
            row[COLUMNS[name]] = value
        for queue in Queue:
            if command.fields.get("wait", 0) >> queue & 1:
                row[after + queue] = last[queue]
        last[command.queue] = i
    return rows


def _apart(*loads: Command) -> list[Command]:
    """LOADs that each wait for the previous LOAD, through an EXECUTE between them."""
    chain: list[Command] = []
    for i, command in enumerate(loads):
        tokens = {"wait": 1 << Queue.EXECUTE if i else 0, "post": 1 << Queue.EXECUTE}
        if i == len(loads) - 1:
            tokens["post"] = 0
        chain.append(Command(Queue.LOAD, command.fields | tokens))
        if tokens["post"]:
            chain.append(conv(1, 16, wait=1 << Queue.LOAD, post=1 << Queue.LOAD))
    return chain


def fit(
    p: NDArray[np.int64],
    candidates: Candidates,
    runs: Sequence[_Measured],
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
        missed = sum(run.misses(constants, trial, durations=durations) for run in runs)
        if best < 0 or missed < best:
            best, chosen = missed, trial
        if best == 0:
            break
    p[:] = chosen
    return best


def calibrate_dram(
    base: Calibration, progress: Callable[[str], None] = lambda _: None, *, held_out: int = 30
) -> DramReport:
    """Measure the DRAM's parameters and check predictions on held-out layers.

    Parameters
    ----------
    base : Calibration
        The timing constants, measured on the deterministic memory.
    progress : callable
        Told the name of each microbenchmark as it starts.
    held_out : int
        Random networks, a third of them on the edge space.

    Raises
    ------
    CalibrationError
        If the held-out layers are not predicted well enough.
    """
    p, runs, missed = fit_parameters(base, progress)
    progress("dram: held-out networks")
    errors = dram_errors(base, p, _held_out(held_out))
    if errors.mean > MEAN_LIMIT or errors.worst > DRAM_ERROR_LIMIT or errors.spearman < RANK_LIMIT:
        raise CalibrationError(
            f"held-out layers on the DRAM are predicted with a mean error of {errors.mean:.2%}, a "
            f"worst of {errors.worst:.2%} and a rank correlation of {errors.spearman:.3f}"
        )
    return DramReport(
        calibration=DramCalibration(parameters=_by_name(p), **asdict(errors)),
        microbenchmarks=runs,
        misses=missed,
        errors=errors,
    )


def fit_parameters(
    base: Calibration, progress: Callable[[str], None] = lambda _: None
) -> tuple[NDArray[np.int64], int, int]:
    """Run the microbenchmarks and fit all parameters.

    Returns
    -------
    parameters : int64[len(DramParameter)]
        What the memory is made of is 0.
    runs : int
        Microbenchmarks run.
    misses : int
        Cycles by which their starts and ends are foretold wrong, all together.
    """
    bench = _Bench(progress)
    constants = base.array
    p = np.zeros(len(DramParameter), np.int64)
    p[DramParameter.COLUMN] = 1
    p[DramParameter.REFRESH_INTERVAL] = NEVER
    for parameter, value in FROM_GATEWARE.items():
        p[parameter] = value
    runs = [
        *_fit_reads(bench, p, constants),
        *_fit_writes(bench, p, constants),
        *_fit_refresh(bench, p, constants),
    ]
    return p, bench.runs, sum(run.misses(constants, p) for run in runs)


def _fit_reads(
    bench: _Bench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[_Measured]:
    """Latency, column and row intervals. Each LOAD stays off bank 0, where descriptors lie."""
    q = DramParameter
    near, far = {"address": PAGE}, {"address": PAGE + STRIPE}
    hit = bench.run("row hit", *_apart(load(1, 1, 64, **near), load(1, 1, 64, **near)))
    fit(p, {q.READ_LATENCY: range(300), q.ROW_TO_COLUMN: range(60)}, [hit], constants)
    hits = bench.run("hits in flight", load(12, 1, 64, **near))
    fit(p, {q.COLUMN: range(1, 40)}, [hits], constants)
    banks = bench.run("rows of several banks", load(7, 1, PAGE, **near))
    fit(p, {q.ROW_TO_ROW: range(80)}, [banks], constants)
    late = bench.run("late conflict", *_apart(load(1, 1, 64, **near), load(1, 1, 64, **far)))
    fit(p, {q.PRECHARGE: range(100)}, [late], constants)
    early = bench.run("early conflict", load(2, 1, STRIPE, **near))
    fit(p, {q.ROW_ACTIVE: range(200)}, [early], constants)
    long = bench.run("conflict after a long burst", load(2, 256, STRIPE, **near))
    fit(p, {q.READ_TO_PRECHARGE: range(100)}, [long], constants)
    chain = bench.run("descriptors in a row", *_apart(*[load(1, 1, 64, **near)] * 20))
    fit(p, {q.FETCH_DELAY: range(8)}, [chain], constants, durations=False)
    return [hit, hits, banks, late, early, long, chain]


def _fit_writes(
    bench: _Bench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[_Measured]:
    """Latency and recovery of writes, then both turnarounds, with LOAD and STORE side by side."""
    q = DramParameter
    single = bench.run("write", store(1, 1, 64, address=PAGE))
    fit(p, {q.WRITE_LATENCY: range(200)}, [single], constants)
    conflict = bench.run("conflict after a write", store(2, 1, STRIPE, address=PAGE))
    fit(p, {q.WRITE_TO_PRECHARGE: range(200)}, [conflict], constants)
    mixed = bench.run(
        "reads and writes in turn",
        load(64, 1, 64, address=PAGE),
        store(64, 1, 64, address=3 * PAGE),
    )
    fit(p, {q.READ_TO_WRITE: range(100), q.WRITE_TO_READ: range(100)}, [mixed], constants)
    return [single, conflict, mixed]


def _fit_refresh(
    bench: _Bench, p: NDArray[np.int64], constants: NDArray[np.int64]
) -> list[_Measured]:
    """Interval and length of refreshes, then where their calendar begins.

    The controller's latency ahead of the first command shifts refreshes by memory clocks, the
    calendar's beginning by cycles: two clocks tell them apart.
    """
    q = DramParameter
    # In a memory that is mostly idle each refresh begins when it is due, to the clock.
    sparse = _apart(*[load(1, 1, 64, address=PAGE)] * 200)
    fast = bench.run("refreshes of an idle memory", *sparse)
    slow = bench.run("refreshes at an eighth of the clock", *sparse, divider=8)
    interval, longest = _refreshes(fast.timing)
    grid = {
        q.REFRESH_INTERVAL: range(interval - 40, interval + 41, 2),
        q.REFRESH: range(max(1, longest - MOST_LATE), longest + 1, 8),
    }
    fit(p, grid, [fast], constants)
    latencies = p[[q.READ_LATENCY, q.WRITE_LATENCY]]
    for _ in range(ROUNDS):
        p[q.START] = 0
        ahead = range(min(MOST_AHEAD, int(latencies.min())))
        _fit_ahead(p, latencies, ahead, _around(p, 4), [fast], constants)
        shift = int(p[q.FRONT])
        if _fit_ahead(p, latencies, range(shift + 1), {}, [fast, slow], constants, shift) == 0:
            break
    return [fast, slow]


def _refreshes(timing: Timing) -> tuple[int, int]:
    """Interval of refreshes, and the longest wait for a refresh, as LOADs apart from each other show.

    A refresh is longer than the LOADs are apart, so that each makes one wait until its end.
    """
    durations = np.array(timing.done[::2]) - timing.start[::2]
    extra = durations - int(np.median(durations))
    ends = np.array(timing.done[::2])[extra > extra.max() // 3]
    return round(int(ends[-1] - ends[0]) / (len(ends) - 1)), int(extra.max())


def _fit_ahead(
    p: NDArray[np.int64],
    latencies: NDArray[np.int64],
    ahead: range,
    grid: Candidates,
    runs: Sequence[_Measured],
    constants: NDArray[np.int64],
    shift: int | None = None,
) -> int:
    """Split off the part of both latencies that lies ahead of the first command.

    With ``shift`` that part and START have to have this sum.
    """
    q = DramParameter
    best, chosen = -1, p
    for front in ahead:
        trial = p.copy()
        trial[q.FRONT] = front
        trial[[q.READ_LATENCY, q.WRITE_LATENCY]] = latencies - front
        own = dict(grid)
        if shift is not None:
            own[q.START] = (shift - front,)
        missed = fit(trial, own, runs, constants, durations=False)
        if best < 0 or missed < best:
            best, chosen = missed, trial
    p[:] = chosen
    return best


def _around(p: NDArray[np.int64], reach: int) -> Candidates:
    """Values of both refresh parameters around the present values."""
    names = (DramParameter.REFRESH_INTERVAL, DramParameter.REFRESH)
    return {name: range(max(1, int(p[name]) - reach), int(p[name]) + reach + 1) for name in names}


def _held_out(count: int) -> list[Case]:
    """Random networks on accelerators of both spaces."""
    edge = count // 3
    return draw_cases(count - edge, TINY, 0) + draw_cases(edge, EDGE, 0, max_macs=1024)


def dram_errors(base: Calibration, p: NDArray[np.int64], cases: Sequence[Case]) -> Errors:
    """Predicted against measured cycles of networks that took no part in the fit."""
    unchecked = Errors(
        layers=0, networks=0, mean=0.0, worst=0.0, network_mean=0.0, network_worst=0.0, spearman=0.0
    )
    fitted = DramCalibration(parameters=_by_name(p), **asdict(unchecked))
    predicted, measured, totals = [], [], []
    for case in cases:
        layers = _case_layers(case, replace(base, dram=fitted))
        predicted += layers[0]
        measured += layers[1]
        totals.append(layers[2])
    error = np.abs(np.array(predicted) - measured) / np.maximum(1, measured)
    return Errors(
        layers=len(measured),
        networks=len(cases),
        mean=float(error.mean()),
        worst=float(error.max()),
        network_mean=float(np.mean(totals)),
        network_worst=float(np.max(totals)),
        spearman=_rank_correlation(np.array(predicted), np.array(measured)),
    )


def _case_layers(case: Case, calibration: Calibration) -> tuple[list[int], list[int], float]:
    """Predicted and measured cycles of every layer, and the relative error of the total."""
    mapped = map_realizable(case.config, case.network, case.batch)
    program = compile_mapped(mapped)
    memory = MemoryModel(dram=lpddr4(case.config))
    run = build(case.config).run(program, case.images[: case.batch], memory=memory)
    prediction = predict_mapped(mapped, calibration, memory=DRAM)
    queues, layers = np.array(program.descriptors, np.int64).T
    measured = cycles_by_layer(queues, layers, run.end[0], len(case.network.layers)).tolist()
    total = int(run.cycles[0])
    predicted = [layer.cycles for layer in prediction.layers]
    return predicted, measured, abs(prediction.total_cycles - total) / total


def _by_name(p: NDArray[np.int64]) -> dict[str, int]:
    return {q.name.lower(): int(p[q]) for q in MEASURED}


def _rank_correlation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Spearman's coefficient; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: NDArray[np.int64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], np.float64)
