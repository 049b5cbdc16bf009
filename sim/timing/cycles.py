"""The cycle model: one forward walk over the descriptors, exact on the deterministic memory.

Each descriptor starts when it has arrived, its engine accepts it and its tokens are there; each
engine's duration is a closed form of the descriptor (docs/explanation/hardware.md). Time 0 is the doorbell.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, pixel_log2, pixel_sets, served
from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.schedule_columns import (
    AFTER,
    AFTER_LOAD,
    AFTER_STORE,
    BAND_ROWS,
    FIRST_COLUMN,
    FIRST_ROW,
    HALO_BOTTOM,
    HALO_LEFT,
    HALO_RIGHT,
    HALO_TOP,
    HOLD,
    INTERVAL,
    OP,
    PIXELS,
    QUEUE,
    ROW_LEAD,
    SAVE,
    SOURCES,
    SPREAD,
    STORE_SLACK,
    TILE_COLUMNS,
    TILE_ROWS,
    WAIT_DRAIN,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
)
from sim.spec.accelerator import DOT_WIDTH
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, ExecuteOp, Queue
from sim.timing.calibration import Constant
from sim.timing.memory_channel import (
    CHANNEL,
    LIMIT,
    NEVER,
    PLAIN,
    begin_read,
    connect,
    unpaced_end,
)
from sim.timing.transfer_unit import BEATS, STORED, idle, transfer_bytes
from sim.timing.transfers import load, store

__all__ = [
    "FETCH_BEATS",
    "Clock",
    "clock_at_doorbell",
    "execute_durations",
    "last_stores",
    "step",
    "summarize",
    "totals",
    "walk",
]

FETCH_BEATS = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES
"""Beats of a descriptor on the descriptor port."""

DRAINS = tuple(int(Constant[f"DRAIN_{op.name}"]) for op in ExecuteOp)
"""Place of each operation's drain among the constants."""

# A clock's fetch, behind its channel's columns: the latest request, its arrival and dispatch, the place in
# both rings; then EXECUTE's waits for LOAD and for STORE only, and the latest done of all; then the rings of
# dispatches and of arrivals.
REQUEST, ARRIVE, READY, FETCH_PLACE, WAIT_LOAD, WAIT_STORE, FINISH, DISPATCHED = range(
    CHANNEL, CHANNEL + 8
)
# Of each queue: the cycle from which its engine is free, the done of its latest descriptor, busy
# cycles, the cycle up to which they are counted, the place in the ring of starts; then the ring.
FREE, LAST, ACTIVE, UNTIL, START_PLACE, STARTS = range(6)


class Clock(NamedTuple):
    """A walk between two descriptors.

    Parameters
    ----------
    done : int64[n]
        Cycle of done of every descriptor so far.
    fetch : int64[DISPATCHED + 2 * FETCH_DEPTH]
        Ends with rings of the cycles in which the latest descriptors went to their queues, and came.
    queues : int64[3, STARTS + QUEUE_DEPTH]
        Each ends with a ring of its queue's latest starts.
    loads, stores : int64[n]
        State of both units, of :func:`sim.timing.transfer_unit.idle`.
    """

    done: NDArray[np.int64]
    fetch: NDArray[np.int64]
    queues: NDArray[np.int64]
    loads: NDArray[np.int64]
    stores: NDArray[np.int64]


@kernel
def clock_at_doorbell(hw, constants, most):
    """Clock for at most ``most`` descriptors, at the doorbell."""
    depth = constants[Constant.FETCH_DEPTH]
    fetch = np.empty(DISPATCHED + 2 * depth, np.int64)
    for j in range(len(fetch)):
        fetch[j] = NEVER if j >= DISPATCHED else 0
    connect(fetch, hw, constants, DESCRIPTOR_PORT_BYTES, depth)
    fetch[ARRIVE] = fetch[READY] = -1
    # The header is requested in cycle 0; the first descriptor when it is there
    fetch[REQUEST] = _arrival(fetch, constants, fetch_delay(constants))
    queues = np.empty((3, STARTS + constants[Constant.QUEUE_DEPTH]), np.int64)
    for queue in range(3):
        for j in range(queues.shape[1]):
            queues[queue, j] = NEVER if j >= STARTS else 0
        queues[queue, LAST] = NEVER
    return Clock(
        np.empty(most, np.int64),
        fetch,
        queues,
        idle(hw, constants),
        idle(hw, constants),
    )


@inlined
def fetch_delay(constants):
    """Cycles from a descriptor's last beat to its queue, the same behind every memory."""
    return constants[Constant.FETCH_START] - FETCH_BEATS


@in_place
def _arrival(fetch, constants, request):
    """Arrival of what is requested: its last beat, counted as the requests are.

    They are counted such that a descriptor is in its queue as soon as it has arrived.
    """
    if fetch[PLAIN]:
        begin = max(request + constants[Constant.MEMORY_LATENCY], fetch[ARRIVE] + 1)
        return begin + FETCH_BEATS - 1
    delay = fetch_delay(constants)
    first = begin_read(fetch, request - delay + constants[Constant.MEMORY_LATENCY], FETCH_BEATS)
    return unpaced_end(fetch, first, FETCH_BEATS, fetch[ARRIVE] - delay) + delay


@in_place
def last_stores(row):
    """Store cycles of a descriptor's last set of windows."""
    if row[SAVE]:
        return 1
    sources = max(1, row[SOURCES])
    if row[OP] == ExecuteOp.POOL:
        return sources
    log2 = pixel_log2(row[PIXELS])
    top, left = row[WINDOW_ROWS] - 1, row[WINDOW_COLUMNS] - 1
    if row[OP] == ExecuteOp.DEPTHWISE:
        top = top >> log2 << log2
    else:
        left = left >> log2 << log2
    rows = served(
        row[TILE_ROWS],
        row[HALO_TOP],
        row[HALO_BOTTOM],
        row[FIRST_ROW] + top,
        row[WINDOW_ROWS] - top,
    )
    columns = served(
        row[TILE_COLUMNS],
        row[HALO_LEFT],
        row[HALO_RIGHT],
        row[FIRST_COLUMN] + left,
        row[WINDOW_COLUMNS] - left,
    )
    return rows * columns * sources


@in_place
def execute_durations(row, hw, constants):
    """(cycles from start to the end of issue, cycles from start to done)."""
    op = row[OP]
    sets = row[WINDOW_ROWS] * pixel_sets(row[WINDOW_COLUMNS], row[PIXELS])
    if op == ExecuteOp.DEPTHWISE:
        sets = pixel_sets(row[WINDOW_ROWS], row[PIXELS]) * row[WINDOW_COLUMNS]
    cycles = sets * row[INTERVAL]
    if op == ExecuteOp.DEPTHWISE:
        cycles += ceil_div(row[WINDOW_ROWS], row[BAND_ROWS]) * row[ROW_LEAD]
    drain = constants[DRAINS[op]]
    if op == ExecuteOp.POOL:
        columns = 0 if row[SPREAD] else hw.pes_x - 1
        cycles += constants[Constant.POOL_HOP] * (columns + hw.pes_y - 1)
    elif op == ExecuteOp.CONV:
        drain += row[PIXELS] - 1
    return cycles + row[HOLD], cycles + drain + last_stores(row) + row[STORE_SLACK]


@in_place
def _dispatch(queue, constants, clock):
    """Fetch the next descriptor; returns the cycle in which it is in its queue."""
    fetch, own = clock.fetch, clock.queues[queue]
    place = fetch[FETCH_PLACE]
    reuse = fetch[DISPATCHED + place] + constants[Constant.FETCH_REUSE]
    request = max(fetch[REQUEST] + 1, reuse)
    arrivals, depth = DISPATCHED + constants[Constant.FETCH_DEPTH], constants[Constant.FETCH_DEPTH]
    if fetch[LIMIT] > 0:
        request = max(request, fetch[arrivals + (place - fetch[LIMIT]) % depth] + 1)
    arrive = _arrival(fetch, constants, request)
    fetch[arrivals + place] = arrive
    oldest = own[STARTS + own[START_PLACE]]
    ready = max(arrive, fetch[READY] + 1, oldest + constants[Constant.QUEUE_REUSE])
    fetch[REQUEST], fetch[ARRIVE], fetch[READY] = request, arrive, ready
    fetch[DISPATCHED + place] = ready
    fetch[FETCH_PLACE] = place + 1 if place + 1 < depth else 0
    return ready


@in_place
def _execute_begin(row, ready, constants, clock):
    """Earliest start of an EXECUTE descriptor as far as EXECUTE goes; counts its waits."""
    last = clock.queues[Queue.EXECUTE, LAST]
    head = max(ready, last)
    for after, wait in ((AFTER_LOAD, WAIT_LOAD), (AFTER_STORE, WAIT_STORE)):
        if row[after] >= 0:
            token = clock.done[row[after]] + constants[Constant.TOKEN]
            clock.fetch[wait] += max(0, token - head)
            head = max(head, token)
    if row[WAIT_DRAIN]:
        return max(ready, last + constants[Constant.EXECUTE_AFTER_DRAIN])
    return ready


@inlined
def step(row, index, hw, constants, clock):
    """Walk over one descriptor.

    Parameters
    ----------
    row : int64[len(COLUMNS)]
    index : int
        Its place in the program: 1 more than at the step before.
    hw : Hw
        The accelerator, of :func:`sim.arrays.tables.accelerator_row`.
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.
    clock : Clock
        Changed.

    Returns
    -------
    start, issued, done : int
        As of :func:`walk`.
    """
    queue = row[QUEUE]
    own = clock.queues[queue]
    ready = _dispatch(queue, constants, clock)
    begin = max(ready, own[FREE])
    if queue == Queue.EXECUTE:
        begin = max(begin, _execute_begin(row, ready, constants, clock))
    for after in AFTER:
        if row[after] >= 0:
            begin = max(begin, clock.done[row[after]] + constants[Constant.TOKEN])
    if queue == Queue.EXECUTE:
        issue, drain = execute_durations(row, hw, constants)
        issued, done = begin + issue, begin + drain
        own[FREE] = issued + constants[Constant.EXECUTE_NEXT]
    else:
        if queue == Queue.LOAD:
            own[FREE], done = load(row, hw, constants, clock.loads, begin)
        else:
            own[FREE], done = store(row, hw, constants, clock.stores, begin)
        issued = done
    place = own[START_PLACE]
    own[STARTS + place] = begin
    own[START_PLACE] = place + 1 if place + 1 < constants[Constant.QUEUE_DEPTH] else 0
    own[LAST] = done
    _count(own, begin, done - 1 if queue == Queue.EXECUTE else done)
    clock.done[index] = done
    clock.fetch[FINISH] = max(clock.fetch[FINISH], done)
    return begin, issued, done


@in_place
def _count(own, begin, end):
    """Count the cycles of a queue's next descriptor as busy, each cycle once."""
    own[ACTIVE] += max(0, end - max(begin, own[UNTIL]))
    own[UNTIL] = max(own[UNTIL], end)


@in_place
def totals(hw, constants, clock):
    """(cycles from doorbell to done, EXECUTE's busy cycles, bytes read, written, and from the store)."""
    bus = hw.bus_bytes
    return (
        clock.fetch[FINISH] + constants[Constant.FINISH],
        clock.queues[Queue.EXECUTE, ACTIVE],
        clock.loads[BEATS] * bus,
        clock.stores[BEATS] * bus,
        clock.loads[STORED] * DOT_WIDTH * hw.simd,
    )


@kernel
def walk(rows, hw, constants):
    """Start, end of issue and end of every descriptor.

    Parameters
    ----------
    rows : int64[n, len(COLUMNS)]
        The schedule.
    hw : Hw
        The accelerator, of :func:`sim.arrays.tables.accelerator_row`.
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.

    Returns
    -------
    start, issued, done : int64[n]
        Cycles after the doorbell; ``issued`` equals ``done`` for LOAD and STORE.
    waits : int64[2]
        Cycles in which EXECUTE was idle and its head lacked a token of LOAD; only one of STORE.
    total : int
        Cycles from doorbell to done.
    """
    n = rows.shape[0]
    start = np.zeros(n, np.int64)
    issued = np.zeros(n, np.int64)
    clock = clock_at_doorbell(hw, constants, n)
    for i in range(n):
        start[i], issued[i], _ = step(rows[i], i, hw, constants, clock)
    waits = np.empty(2, np.int64)
    waits[0], waits[1] = clock.fetch[WAIT_LOAD], clock.fetch[WAIT_STORE]
    return start, issued, clock.done, waits, totals(hw, constants, clock)[0]


@kernel
def summarize(rows, hw, start, done):
    """Totals over a walked schedule.

    Returns
    -------
    active : int64[3]
        Cycles in which each queue's engine is busy: LOAD and STORE up to the cycle of done,
        EXECUTE up to the cycle before it.
    traffic : int64[2]
        Bytes read and written on the data port.
    """
    queues = np.zeros((3, STARTS), np.int64)
    traffic = np.zeros(2, np.int64)
    for i in range(rows.shape[0]):
        queue = rows[i, QUEUE]
        _count(queues[queue], start[i], done[i] - 1 if queue == Queue.EXECUTE else done[i])
        if queue != Queue.EXECUTE:
            traffic[1 if queue == Queue.STORE else 0] += transfer_bytes(rows[i], hw)
    return queues[:, ACTIVE].copy(), traffic
