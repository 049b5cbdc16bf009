"""The walk over a schedule against a slow twin that steps through single cycles.

Durations of LOAD and STORE have their own twin in test_sim_transfers.py and are taken from the
model here.
"""

from collections import deque
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from execute_descriptors import bands, set_stores, window_sets
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.plan import map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadStore, Queue
from sim.spec.spaces import EDGE, TINY
from sim.timing.calibration import Constant, default
from sim.timing.cycles import FETCH_BEATS, execute_durations, summarize, walk
from sim.timing.transfer_unit import idle
from sim.timing.transfers import load, store
from stress_cases import draw_stress
from testbench.cases.random_networks import Case, draw_cases

CONSTANTS = default().array
LONGEST = 20_000
"""Cycles of the runs that the twin steps through."""


@cache
def cases() -> list[Case]:
    return draw_cases(45, TINY, 17) + draw_cases(30, EDGE, 17) + draw_stress(60, 17)


Array = NDArray[np.int64]
Rows = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Times = np.ndarray[tuple[int], np.dtype[np.int64]]


def constant(name: Constant) -> int:
    return int(CONSTANTS[name])


@cache
def schedule_of(case: Case) -> Rows:
    return map_network(case.config, case.network, case.batch).rows


def fields(row: Times) -> dict[str, int]:
    return dict(zip(COLUMNS, row.tolist(), strict=True))


def last_set_stores(d: dict[str, int]) -> int:
    """Stores of a descriptor's last set of windows, pixel by pixel."""
    if d["save"]:
        return 1
    *_, last = window_sets(d)
    return len(set_stores(d, *last))


def stepped_execute(d: dict[str, int], config: AcceleratorConfig) -> tuple[int, int]:
    """Issue end and done of an EXECUTE that issues band after band and set after set, then drains."""
    cycle = 0
    for _ in bands(d):
        cycle += d["row_lead"]
    for _ in window_sets(d):
        cycle += d["initiation_interval"]
    if d["op"] == ExecuteOp.POOL:
        for _hop in range(config.pes_y - 1 + (0 if d["spread"] else config.pes_x - 1)):
            cycle += constant(Constant.POOL_HOP)
    drained = cycle + constant(Constant.DRAIN_CONV) + last_set_stores(d)
    if d["op"] == ExecuteOp.CONV:
        drained += d["pixels"] - 1
    for _cycle in range(d["store_slack"]):
        drained += 1
    return cycle + d["hold"], drained


def test_all_drains_are_equal() -> None:
    drains = [Constant.DRAIN_CONV, Constant.DRAIN_DEPTHWISE, Constant.DRAIN_ADD]
    assert {constant(name) for name in (*drains, Constant.DRAIN_POOL)} == {24}


def test_executes_take_as_long_as_their_rows_and_sets() -> None:
    pixels = leads = saves = together = upright = slack = 0
    for case in cases() + draw_cases(120, EDGE, 9):
        hw = accelerator_row(case.config)
        for row in schedule_of(case):
            if row[COLUMNS["queue"]] != Queue.EXECUTE:
                continue
            d = fields(row)
            assert execute_durations(row, hw, CONSTANTS) == stepped_execute(d, case.config)
            pixels += d["pixels"] > 1
            leads += d["row_lead"] > 0
            saves += d["save"]
            slack += d["store_slack"] > 0
            together += d["band_rows"] > d["pixels"]
            upright += d["op"] == ExecuteOp.DEPTHWISE and d["pixels"] > 1
    assert min(pixels, leads, saves, together, upright, slack) > 50


def execute(changes: dict[str, int]) -> Times:
    values = {
        "queue": Queue.EXECUTE,
        "pixels": 1,
        "band_rows": 1,
        "initiation_interval": 12,
        "window_rows": 2,
        "window_columns": 2,
        "tile_rows": 2,
        "tile_columns": 2,
        "lanes": 1,
    } | changes
    row = np.zeros(len(COLUMNS), np.int64)
    for name, value in values.items():
        row[COLUMNS[name]] = value
    return row


def durations(changes: dict[str, int], config: AcceleratorConfig = TINY.default) -> tuple[int, int]:
    issue, done = execute_durations(execute(changes), accelerator_row(config), CONSTANTS)
    return int(issue), int(done)


def test_the_last_windows_stores_and_the_hold_are_paid_once() -> None:
    """Seed 5, case 12 of the random pairs: 6 stores held issue for 2 cycles more."""
    plain: dict[str, int] = {"op": ExecuteOp.DEPTHWISE}
    free, done = durations(plain)
    assert (free, done) == (48, 48 + 24 + 1)
    halos = {"halo_top": 2, "halo_bottom": 1, "halo_left": 1, "halo_right": 2}
    held, later = durations(plain | halos | {"hold": 2})
    assert held - free == 2
    assert later - done == 5


def test_pixel_lanes_lag_behind_their_reads() -> None:
    narrow = {"op": ExecuteOp.CONV, "window_columns": 5, "tile_columns": 5}
    assert durations(narrow) == (120, 120 + 24 + 1)
    # two sets a row; the last set has a single pixel
    assert durations(narrow | {"pixels": 4}) == (48, 48 + 3 + 24 + 1)
    wide = {"op": ExecuteOp.CONV, "window_columns": 8, "tile_columns": 8, "pixels": 4}
    assert durations(wide) == (48, 48 + 3 + 24 + 4)
    assert durations(wide | {"op": ExecuteOp.ADD}) == (48, 48 + 24 + 4)


def test_a_set_that_is_saved_takes_one_store_cycle() -> None:
    wide = {"op": ExecuteOp.CONV, "window_columns": 8, "tile_columns": 8, "pixels": 4}
    wide |= {"halo_left": 2, "halo_top": 1}
    assert durations(wide)[1] == 48 + 3 + 24 + 2 * (4 + 2)
    assert durations(wide | {"save": 1, "lanes": 0})[1] == 48 + 3 + 24 + 1


def test_every_band_of_windows_pays_its_lead() -> None:
    windows = {"op": ExecuteOp.DEPTHWISE, "row_lead": 5}
    assert durations(windows) == (58, 83)
    assert durations(windows | {"band_rows": 2}) == (53, 78)
    # two bands, the second of three rows; four sets a column, the last of them a single window
    high = windows | {"window_rows": 7, "tile_rows": 7, "pixels": 2, "band_rows": 4}
    assert durations(high) == (2 * 4 * 12 + 2 * 5, 2 * 4 * 12 + 2 * 5 + 24 + 1)
    assert durations(high | {"band_rows": 2})[0] == 2 * 4 * 12 + 4 * 5


def test_pooling_pays_for_every_hop() -> None:
    pool = {"op": ExecuteOp.POOL, "window_rows": 1, "window_columns": 1}
    single = durations(pool, TINY.at(0))
    many = durations(pool, TINY.at(len(TINY) - 1))
    assert many[0] - single[0] == many[1] - single[1] == 6 * constant(Constant.POOL_HOP)


class Fetch:
    """Descriptors on their way from memory to their queues."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.requested = 0
        self.first = constant(Constant.FETCH_START) + constant(Constant.MEMORY_LATENCY)
        self.coming: deque[list[int]] = deque()
        self.arrived: deque[int] = deque()
        self.dispatched: list[int] = []

    def step(self, cycle: int) -> None:
        """Take a beat and ask for another descriptor if there is a place for it."""
        if self.coming and self.coming[0][0] <= cycle:
            self.coming[0][1] -= 1
            if self.coming[0][1] == 0:
                self.arrived.append(self.coming.popleft()[2])
        released = sum(
            ready + constant(Constant.FETCH_REUSE) <= cycle for ready in self.dispatched[-40:]
        ) + max(0, len(self.dispatched) - 40)
        held = self.requested - released
        if (
            cycle >= self.first
            and self.requested < self.count
            and held < constant(Constant.FETCH_DEPTH)
        ):
            latency = constant(Constant.MEMORY_LATENCY)
            self.coming.append([cycle + latency, FETCH_BEATS, self.requested])
            self.requested += 1


class Machine:
    """Queues, tokens and engines, cycle by cycle; tokens are counted, not matched."""

    def __init__(self, rows: Rows, config: AcceleratorConfig) -> None:
        self.rows = rows
        self.d = [fields(row) for row in rows]
        self.config, self.hw = config, accelerator_row(config)
        self.states = {q: idle(self.hw, CONSTANTS) for q in (Queue.LOAD, Queue.STORE)}
        self.fetch = Fetch(len(rows))
        self.queues: dict[Queue, deque[int]] = {q: deque() for q in Queue}
        self.left: dict[Queue, list[int]] = {q: [] for q in Queue}
        self.free = dict.fromkeys(Queue, 0)
        self.last_done = dict.fromkeys(Queue, 0)
        self.given: dict[tuple[Queue, Queue], list[int]] = {}
        self.taken: dict[tuple[Queue, Queue], int] = {}
        self.start = [-1] * len(rows)
        self.issued = [-1] * len(rows)
        self.done = [-1] * len(rows)
        self.waits = [0, 0]

    def has_token(self, giver: Queue, taker: Queue, cycle: int) -> bool:
        """Whether a token is left to take."""
        given = self.given.get((giver, taker), [])
        number = self.taken.get((giver, taker), 0)
        return number < len(given) and given[number] <= cycle

    def dispatch(self, cycle: int) -> None:
        """Move a descriptor to its queue if that has a place."""
        fetch = self.fetch
        if not fetch.arrived or (fetch.dispatched and fetch.dispatched[-1] >= cycle):
            return
        queue = Queue(self.d[fetch.arrived[0]]["queue"])
        reuse = constant(Constant.QUEUE_REUSE)
        leaving = sum(left + reuse > cycle for left in self.left[queue][-10:])
        if len(self.queues[queue]) + leaving < constant(Constant.QUEUE_DEPTH):
            self.queues[queue].append(fetch.arrived.popleft())
            fetch.dispatched.append(cycle)

    def try_start(self, queue: Queue, cycle: int) -> None:
        """Start a queue's head if its engine and its tokens allow."""
        if not self.queues[queue]:
            return
        index = self.queues[queue][0]
        d = self.d[index]
        missing = [q for q in Queue if d["wait"] >> q & 1 and not self.has_token(q, queue, cycle)]
        if queue == Queue.EXECUTE and cycle >= self.last_done[queue] and missing:
            self.waits[0 if Queue.LOAD in missing else 1] += 1
        drained = self.last_done[queue] + constant(Constant.EXECUTE_AFTER_DRAIN)
        if missing or cycle < self.free[queue] or (d["wait_drain"] and cycle < drained):
            return
        self.queues[queue].popleft()
        self.left[queue].append(cycle)
        for q in Queue:
            if d["wait"] >> q & 1:
                self.taken[q, queue] = self.taken.get((q, queue), 0) + 1
        self.run(index, queue, cycle)
        for q in Queue:
            if d["post"] >> q & 1:
                token = self.done[index] + constant(Constant.TOKEN)
                self.given.setdefault((queue, q), []).append(token)

    def run(self, index: int, queue: Queue, cycle: int) -> None:
        """Note when a descriptor that starts now leaves its engine and is done."""
        self.start[index] = cycle
        if queue == Queue.EXECUTE:
            issue, drain = stepped_execute(self.d[index], self.config)
            self.issued[index], self.done[index] = cycle + issue, cycle + drain
            self.free[queue] = self.issued[index] + constant(Constant.EXECUTE_NEXT)
        else:
            move = load if queue == Queue.LOAD else store
            free, done = move(self.rows[index], self.hw, CONSTANTS, self.states[queue], cycle)
            self.free[queue], self.done[index] = int(free), int(done)
            self.issued[index] = self.done[index]
        self.last_done[queue] = self.done[index]

    def finish(self) -> int:
        """Run to the end; returns the cycle of done."""
        cycle = 0
        while min(self.start, default=0) < 0:
            self.fetch.step(cycle)
            self.dispatch(cycle)
            for queue in Queue:
                self.try_start(queue, cycle)
            cycle += 1
            assert cycle < 2 * LONGEST
        return max(self.done) + constant(Constant.FINISH)


def walked(case: Case) -> tuple[Array, Array, Array, Array, int]:
    """Run the model's walk over a case's schedule."""
    start, issued, done, waits, total = walk(
        schedule_of(case), accelerator_row(case.config), CONSTANTS
    )
    return start, issued, done, waits, int(total)


@cache
def short() -> list[Case]:
    return [case for case in cases() if walked(case)[4] < LONGEST]


def later_stores(case: Case) -> list[int]:
    """Stores that a descriptor's hold is for beyond its own, of every descriptor of a case.

    The last splits of a layer's blocks hold alike, for as long as the block with most stores needs.
    """
    rows = [{name: int(row[i]) for name, i in COLUMNS.items()} for row in schedule_of(case)]
    most: dict[int, int] = {}
    for d in rows:
        if d["queue"] == Queue.EXECUTE and d["restore"] and not d["save"]:
            stores = max(len(set_stores(d, *place)) for place in window_sets(d))
            most[d["layer"]] = max(stores, most.get(d["layer"], 0))
    return [
        max(0, most[d["layer"]] - last_set_stores(d))
        if d["queue"] == Queue.EXECUTE and d["restore"] and not d["save"]
        else 0
        for d in rows
    ]


def assert_walks_as_stepped(rows: Rows, config: AcceleratorConfig) -> list[int]:
    """Compare the walk over a schedule with the stepped machine; return EXECUTE's waits."""
    start, issued, done, waits, total = walk(rows, accelerator_row(config), CONSTANTS)
    machine = Machine(rows, config)
    assert machine.finish() == total
    assert machine.start == start.tolist()
    assert machine.issued == issued.tolist()
    assert machine.done == done.tolist()
    assert machine.waits == waits.tolist()
    return machine.waits


@pytest.mark.parametrize("part", range(4))
def test_a_program_runs_as_when_stepped_through(part: int) -> None:
    for case in short()[::2][part::4]:
        assert_walks_as_stepped(schedule_of(case), case.config)


def test_the_stepped_programs_are_long_enough_to_fill_the_queues() -> None:
    assert len(short()) > 60
    depth = constant(Constant.FETCH_DEPTH) + 3 * constant(Constant.QUEUE_DEPTH)
    assert sum(len(schedule_of(case)) > 2 * depth for case in short()[::2]) > 5


def random_row(rng: np.random.Generator, queue: Queue) -> Times:
    if queue == Queue.EXECUTE:
        op = ExecuteOp(int(rng.integers(0, 4)))
        columns = 1 if op == ExecuteOp.POOL else int(rng.integers(1, 6))
        pixels = int(rng.choice([1, 2, 4])) if op in (ExecuteOp.CONV, ExecuteOp.ADD) else 1
        return execute(
            {
                "op": op,
                "pixels": pixels,
                "initiation_interval": int(rng.integers(4, 30)),
                "window_rows": 1,
                "tile_rows": 1,
                "window_columns": columns,
                "tile_columns": columns,
                "hold": pixels + 2,
                "sources": int(rng.integers(0, 4)),
                "spread": int(rng.integers(0, 2)),
                "wait_drain": int(rng.random() < 0.2),
            }
        )
    row = np.zeros(len(COLUMNS), np.int64)
    row[COLUMNS["queue"]] = queue
    row[COLUMNS["kind"]] = LoadKind.TILE
    row[COLUMNS["vector_beats"]] = 1
    for name in ("groups", "rows", "columns"):
        row[COLUMNS[name]] = int(rng.integers(1, 5))
    row[COLUMNS["address"]] = 16 * int(rng.integers(0, 2000))
    row[COLUMNS["row_stride"]], row[COLUMNS["group_stride"]] = 64, 1024
    return row


def random_program(rng: np.random.Generator) -> Rows:
    """Descriptors of any queue, each with tokens of those before it with some chance."""
    weights = rng.dirichlet([1.0, 1.0, 1.0])
    rows: list[Times] = []
    last = dict.fromkeys(Queue, -1)
    waited = {(a, b): -1 for a in Queue for b in Queue}
    eager = rng.random()
    for index in range(int(rng.integers(2, 120))):
        queue = Queue(int(rng.choice(3, p=weights)))
        row = random_row(rng, queue)
        for giver, name in zip(Queue, ("after_load", "after_execute", "after_store"), strict=True):
            row[COLUMNS[name]] = -1
            if giver != queue and last[giver] > waited[giver, queue] and rng.random() < eager:
                producer = last[giver]
                rows[producer][COLUMNS["post"]] |= 1 << queue
                row[COLUMNS["wait"]] |= 1 << giver
                row[COLUMNS[name]] = waited[giver, queue] = producer
        rows.append(row)
        last[queue] = index
    return np.array(rows)


def test_random_programs_run_as_when_stepped_through() -> None:
    waits = np.zeros((60, 2), np.int64)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        config = TINY.at(int(rng.integers(len(TINY))))
        waits[seed] = assert_walks_as_stepped(random_program(rng), config)
    assert (waits > 0).sum(axis=0).min() > 20


def test_every_queue_starts_and_ends_in_order() -> None:
    for case in cases():
        start, issued, done, _, total = walked(case)
        queues = schedule_of(case)[:, COLUMNS["queue"]]
        for queue in Queue:
            assert (np.diff(start[queues == queue]) > 0).all()
            assert (np.diff(done[queues == queue]) > 0).all()
        assert (start < issued).all()
        assert (issued - done <= later_stores(case)).all()
        assert total == done.max() + constant(Constant.FINISH)


def moved_bytes(d: dict[str, int], config: AcceleratorConfig) -> int:
    if d["queue"] == Queue.LOAD and d["kind"] == LoadKind.WEIGHTS:
        return 0 if d["store"] == LoadStore.READ else d["stream_beats"] * config.bus_bytes
    if d["gather"]:
        starts = [d["address"] + row * d["row_stride"] for row in range(d["rows"])]
        bus = config.bus_bytes
        ends = [-(-(start + d["row_bytes"]) // bus) * bus for start in starts]
        return sum(end - start // bus * bus for start, end in zip(starts, ends, strict=True))
    return d["groups"] * d["rows"] * d["columns"] * d["vector_beats"] * config.bus_bytes


def test_busy_cycles_and_traffic_are_those_of_the_single_descriptors() -> None:
    for case in short():
        rows = schedule_of(case)
        start, _, done, _, _ = walked(case)
        active, traffic = summarize(rows, accelerator_row(case.config), start, done)
        busy: dict[int, set[int]] = {q: set() for q in Queue}
        moved = [0, 0]
        for row, begin, end in zip(rows, start.tolist(), done.tolist(), strict=True):
            d = fields(row)
            last = end - 1 if d["queue"] == Queue.EXECUTE else end
            busy[d["queue"]].update(range(begin, last))
            if d["queue"] != Queue.EXECUTE:
                moved[d["queue"] == Queue.STORE] += moved_bytes(d, case.config)
        assert active.tolist() == [len(busy[q]) for q in Queue]
        assert traffic.tolist() == moved
