"""Calibration: microbenchmarks in RTL, each solved for the timing constant that it isolates.

No constant of the cycle model is written by hand: sizes of buffers come from the gateware's
classes, delays from measured traces. Afterwards the whole model must predict held-out random
networks to the cycle, or the calibration fails.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hwgen.gateware.host.fetch import FetchUnit
from hwgen.gateware.host.sequencer import Sequencer
from hwgen.gateware.primitives.fifo import Fifo
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from hwgen.gateware.transfer.tile_transfer import HELD
from hwgen.gateware_hash import gateware_hash
from hwgen.verilator import version
from sim.spec.accelerator import ADD_INTERVAL, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadStore, Queue
from sim.spec.errors import CosilicoError
from sim.spec.spaces import TINY
from sim.timing.calibration import Calibration
from sim.timing.cycles import FETCH_BEATS
from testbench.calibration.handmade_programs import (
    Command,
    Timing,
    add,
    conv,
    load,
    measure,
    store,
    weights,
    windowed,
)
from testbench.cases.random_networks import draw_cases
from testbench.rtl.harness import build
from testbench.rtl.memory_model import MemoryModel
from testbench.validation.random_pairs import run_case

__all__ = ["CalibrationError", "CalibrationReport", "calibrate", "held_out_errors"]

LONG_LATENCY = 120
"""Memory latency at which full buffers of descriptors, not the descriptor port, are the limit."""

DELAYS = {
    "load_request": LoadUnit.FIRST_REQUEST,
    "store_address": StoreUnit.FIRST_ADDRESS,
    "store_beat": StoreUnit.FIRST_BEAT,
    "store_lag": Fifo.LATENCY,
}
"""Delays that the gateware's classes state: a memory with a clock of its own sees them."""

_TO = {queue: 1 << queue for queue in Queue}


class CalibrationError(CosilicoError):
    """The gateware does not behave as the model's formulas say, whatever the constants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """A calibration and how it was checked.

    Parameters
    ----------
    calibration : Calibration
    microbenchmarks : int
        Programs run.
    held_out : int
        Descriptors of random networks whose start and end were predicted; none differed.
    """

    calibration: Calibration
    microbenchmarks: int
    held_out: int


def _config(pes: int) -> AcceleratorConfig:
    """A grid of ``pes`` × ``pes``; a single PE has a weight store of 64 rows."""
    return AcceleratorConfig(
        pes_x=pes,
        pes_y=pes,
        simd_units=4,
        compute_lanes=1,
        local_memory_kb=4,
        register_file_kb=1,
        io_bandwidth_gbps=0.8,
        clock_mhz=200,
        weight_store_kb=1 if pes == 1 else 0,
    )


class _Bench:
    """Runs programs on the two microbenchmark accelerators and counts them."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress
        self.runs = 0
        self.harnesses = {pes: build(_config(pes)) for pes in (1, 2)}

    def run(
        self, name: str, *commands: Command, latency: int = MemoryModel().latency, pes: int = 1
    ) -> Timing:
        self.progress(name)
        self.runs += 1
        return measure(self.harnesses[pes], commands, MemoryModel(latency=latency))


def calibrate(
    progress: Callable[[str], None] = lambda _: None, *, held_out: int = 6
) -> CalibrationReport:
    """Measure all timing constants on the present gateware.

    Parameters
    ----------
    progress : callable
        Told the name of each microbenchmark as it starts.
    held_out : int
        Random networks that take no part and must be predicted.

    Raises
    ------
    CalibrationError
        If held-out networks are not predicted to the cycle with the solved constants.
    """
    bench = _Bench(progress)
    latency = MemoryModel().latency
    constants = {
        "memory_latency": latency,
        "fetch_depth": FetchUnit.DEPTH,
        "queue_depth": Sequencer.QUEUE_DEPTH,
        "read_bursts": LoadUnit.OUTSTANDING,
        "write_bursts": StoreUnit.OUTSTANDING,
        "transfers": HELD,
        **DELAYS,
        **(loads := _load_constants(bench, latency)),
        **_weight_store_constants(bench, loads["load_overhead"]),
        **_store_constants(bench, latency),
        **_execute_constants(bench),
        **_control_constants(bench, latency),
    }
    calibration = Calibration(
        gateware_hash=gateware_hash(), simulator=f"verilator {version()}", constants=constants
    )
    progress("held-out networks")
    checked, differing = held_out_errors(calibration, count=held_out)
    if differing:
        raise CalibrationError(
            f"{differing} of {checked} held-out descriptors differ from the calibrated model"
        )
    return CalibrationReport(calibration=calibration, microbenchmarks=bench.runs, held_out=checked)


def _load_constants(bench: _Bench, latency: int) -> dict[str, int]:
    """Measure LOAD with one beat per burst, so that only requests and latency count."""
    page = 4096
    ahead = LoadUnit.OUTSTANDING
    single = bench.run("load: one burst", load(1, 1, page))
    overhead = single.duration(0) - latency
    full = bench.run("load: one burst more than may be outstanding", load(ahead + 1, 1, page))
    reuse = full.duration(0) - overhead - 2 * latency
    pair = bench.run("load: two descriptors", load(2 * ahead, 1, 64), load(1, 1, 64))
    last_request = ahead - 1 + latency + reuse
    many = bench.run(
        "load: one descriptor more than the unit holds",
        *[load(1, 1, 64)] * (HELD + 1),
        latency=LONG_LATENCY,
    )
    return {
        "load_overhead": overhead,
        "load_reuse": reuse,
        "load_next": pair.start[1] - pair.start[0] - last_request,
        "load_room": many.start[HELD] - many.done[0],
    }


def _weight_store_constants(bench: _Bench, overhead: int) -> dict[str, int]:
    """Measure LOADs that read the weight store; what its rows hold does not matter."""
    rows = 16
    reads = weights(_config(1), rows - 4, store=LoadStore.READ)
    single = bench.run("weight store: one descriptor", reads)
    # The descriptors behind a LOAD of many bursts have come when it lets them start
    ahead = load(2 * LoadUnit.OUTSTANDING, 1, 64)
    several = bench.run("weight store: three descriptors", ahead, *[reads] * 3)
    return {
        "weight_store_next": several.start[2] - several.start[1],
        "weight_store_first": single.duration(0) - (rows - 1) - overhead + DELAYS["load_request"],
        "weight_store_turn": several.done[3] - several.done[2] - (rows - 1),
    }


def _store_constants(bench: _Bench, latency: int) -> dict[str, int]:
    """Measure STORE; addresses can be seen by the start of the next descriptor only."""
    ahead = StoreUnit.OUTSTANDING
    single = bench.run("store: one burst", store(1, 1, 64))
    pair = bench.run("store: two descriptors", store(ahead, 1, 64), store(1, 1, 64))
    following = pair.start[1] - pair.start[0] - (ahead - 1)
    beats = 16
    full = bench.run(
        "store: one burst more than may be addressed ahead",
        store(ahead + 1, beats, 64),
        store(1, 1, 64),
    )
    many = bench.run(
        "store: one descriptor more than the unit holds",
        *[store(1, 1, 64)] * (HELD + 1),
        latency=LONG_LATENCY,
    )
    return {
        "store_overhead": single.duration(0) - latency,
        "store_reuse": full.start[1] - full.start[0] - (beats - 1) - following,
        "store_next": following,
        "store_room": many.start[HELD] - many.done[0],
    }


def _execute_constants(bench: _Bench) -> dict[str, int]:
    constants = {}
    windows, interval = 3, max(ADD_INTERVAL, 16)
    for op in ExecuteOp:
        count = 1 if op is ExecuteOp.POOL else windows
        command = {
            ExecuteOp.CONV: conv(count, interval),
            ExecuteOp.ADD: add(count, interval),
        }.get(op, windowed(op, count, interval))
        run = bench.run(f"execute: {op.name.lower()}", command)
        constants[f"drain_{op.name.lower()}"] = run.duration(0) - count * interval - 1
    pool = windowed(ExecuteOp.POOL, 1, interval)
    grid = bench.run("execute: pool over a 2x2 grid", pool, pes=2)
    constants["pool_hop"] = (grid.duration(0) - interval - constants["drain_pool"] - 1) // 2
    follow = bench.run("execute: back to back", conv(8, 64), conv(8, 64))
    constants["execute_next"] = follow.start[1] - follow.start[0] - 8 * 64
    drained = bench.run("execute: after drain", conv(8, 64), conv(8, 64, wait_drain=1))
    constants["execute_after_drain"] = drained.start[1] - drained.done[0]
    return constants


def _control_constants(bench: _Bench, latency: int) -> dict[str, int]:
    first = bench.run("fetch: first descriptor", conv(1, 16))
    arrival = FETCH_BEATS - 1
    token = bench.run(
        "token: LOAD to EXECUTE",
        load(64, 1, 64, post=_TO[Queue.EXECUTE]),
        conv(1, 16, wait=_TO[Queue.LOAD]),
    )
    depth = FetchUnit.DEPTH
    reuse = bench.run(
        "fetch: one descriptor more than the buffer",
        *[conv(1, 16)] * (depth + 1),
        latency=LONG_LATENCY,
    )
    queue, rows = Sequencer.QUEUE_DEPTH, _config(1).weight_rows
    blocked = bench.run(
        "queue: one descriptor more than it holds",
        *[weights(_config(1), rows, half=1)] * (queue + HELD + 2),
        conv(1, 16),
    )
    return {
        "fetch_start": first.start[0] - 2 * latency - arrival,
        "fetch_reuse": reuse.start[depth] - reuse.start[0] - LONG_LATENCY - arrival,
        "queue_reuse": blocked.start[queue + HELD + 2] - 1 - blocked.start[HELD + 1],
        "token": token.start[1] - token.done[0],
        "finish": first.total - first.done[0],
    }


def held_out_errors(calibration: Calibration, *, count: int = 6, seed: int = 0) -> tuple[int, int]:
    """Descriptors of ``count`` random networks checked, and how many differ in start or end."""
    checked = differing = 0
    for case in draw_cases(count, TINY, seed):
        outcome = run_case(case, calibration=calibration)
        checked += outcome.descriptors
        differing += outcome.cycle_differences
    return checked, differing
