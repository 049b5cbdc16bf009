"""The cycle model's closed forms against slow twins that step through single cycles."""

import numpy as np
import pytest

from sim.calibration import Constant, default
from sim.cycles import execute_durations, load_duration, store_duration
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.spaces import TINY
from sim.tables import COLUMNS, accelerator_row

CONSTANTS = default().array
PAGE = 4096
MOST_BEATS = 256


def row(queue: Queue, **fields: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    made = np.zeros(len(COLUMNS), np.int64)
    made[COLUMNS["queue"]] = queue
    for name, value in fields.items():
        made[COLUMNS[name]] = value
    return made


def bursts(fields: dict[str, int], simd: int, bus: int) -> list[int]:
    """Beats of every burst, cut byte by byte."""
    found = []
    for group in range(fields["groups"]):
        for y in range(fields["rows"]):
            at = fields["address"] + group * fields["group_stride"] + y * fields["row_stride"]
            beats = 0
            for beat in range(fields["columns"] * simd // bus):
                if beats and ((at + beat * bus) % PAGE == 0 or beats == MOST_BEATS):
                    found.append(beats)
                    beats = 0
                beats += 1
            found.append(beats)
    return found


def stepped_load(cut: list[int]) -> int:
    """Count cycles of a memory with a request port, a latency and a data port."""
    latency, depth = (int(CONSTANTS[c]) for c in (Constant.MEMORY_LATENCY, Constant.READ_BURSTS))
    requested: list[int] = []
    pending: list[list[int]] = []
    ended: list[int] = []
    cycle = 0
    while len(ended) < len(cut):
        if pending and pending[0][0] <= cycle:
            pending[0][1] -= 1
            if pending[0][1] == 0:
                pending.pop(0)
                ended.append(cycle)
        flying = len(requested) - sum(end < cycle for end in ended)
        if len(requested) < len(cut) and flying < depth:
            pending.append([cycle + latency, cut[len(requested)]])
            requested.append(cycle)
        cycle += 1
    return ended[-1] + int(CONSTANTS[Constant.LOAD_OVERHEAD])


def random_transfer(rng: np.random.Generator, simd: int) -> dict[str, int]:
    columns = int(rng.integers(1, 400))
    return {
        "address": int(rng.integers(0, 3000)) * simd,
        "groups": int(rng.integers(1, 4)),
        "rows": int(rng.integers(1, 9)),
        "columns": columns,
        "row_stride": int(rng.integers(columns, 2 * columns + 1)) * simd,
        "group_stride": int(rng.integers(1, 5000)) * simd,
    }


@pytest.mark.parametrize("seed", range(60))
def test_transfers_take_as_long_as_when_stepped_through(seed: int) -> None:
    rng = np.random.default_rng(seed)
    simd = int(rng.choice([4, 8, 16, 32]))
    bus = int(rng.choice([width for width in (2, 4, 8, 16) if width <= simd]))
    fields = random_transfer(rng, simd)
    if seed % 3 == 0:
        fields["columns"] = int(rng.integers(1, 4))
    cut = bursts(fields, simd, bus)
    load = row(Queue.LOAD, kind=LoadKind.TILE, **fields)
    assert load_duration(load, simd, bus, CONSTANTS) == stepped_load(cut)
    gap, overhead, latency = (
        int(CONSTANTS[c])
        for c in (Constant.STORE_BURST, Constant.STORE_OVERHEAD, Constant.MEMORY_LATENCY)
    )
    expected = sum(cut) + gap * len(cut) + latency + overhead
    assert store_duration(row(Queue.STORE, **fields), simd, bus, CONSTANTS) == expected


def test_a_weight_stream_is_one_row_and_broadcast_holds_one_lane() -> None:
    stream = {"kind": LoadKind.WEIGHTS, "lanes": 2, "parameter_rows": 4, "weight_rows": 9}
    plain = load_duration(row(Queue.LOAD, **stream), 8, 4, CONSTANTS)
    shared = load_duration(row(Queue.LOAD, **stream, broadcast=1), 8, 4, CONSTANTS)
    assert plain - shared == 13 * 32 // 4


def test_more_than_four_stores_hold_the_issue_stage() -> None:
    """Seed 5, case 12 of the random pairs: 6 stores held issue for 2 cycles more."""
    add = {"op": ExecuteOp.ADD, "initiation_interval": 12, "tile_rows": 2, "tile_columns": 2}
    halos = {"halo_top": 2, "halo_bottom": 1, "halo_left": 1, "halo_right": 2}
    hw = accelerator_row(TINY.default)
    free, done = execute_durations(row(Queue.EXECUTE, **add), hw, CONSTANTS)
    held, later = execute_durations(row(Queue.EXECUTE, **add, **halos), hw, CONSTANTS)
    assert held - free == 2
    assert later - done == 5


def test_pooling_pays_for_every_hop() -> None:
    pool = {"op": ExecuteOp.POOL, "initiation_interval": 9, "tile_rows": 1, "tile_columns": 1}
    hw = accelerator_row(TINY.at(0))
    one, _ = execute_durations(row(Queue.EXECUTE, **pool), hw, CONSTANTS)
    hw = accelerator_row(TINY.at(len(TINY) - 1))
    many, _ = execute_durations(row(Queue.EXECUTE, **pool), hw, CONSTANTS)
    assert many - one == 6 * CONSTANTS[Constant.POOL_HOP]
