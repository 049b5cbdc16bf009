"""The cycle model on a DRAM: the walk over a schedule in the order of time.

On the deterministic memory a descriptor's duration does not depend on what the other queues do, so
:func:`sim.timing.cycles.walk` takes descriptors in program order. Behind one DRAM channel every burst may
delay every later burst. Here LOAD, STORE and the descriptor fetch each have at most one next burst
whose arrival is known. The earliest arrival is scheduled, which may make further starts known.
Nothing that is still unknown can arrive earlier, because it waits for one of those bursts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.schedule_columns import AFTER_EXECUTE, AFTER_LOAD, AFTER_STORE, QUEUE, WAIT_DRAIN
from sim.arrays.tables import Hw
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue
from sim.timing.calibration import Constant
from sim.timing.cycles import FETCH_BEATS, execute_durations
from sim.timing.dram import PIECES, DramParameter, initial_state, read_burst, write_burst
from sim.timing.dram_ports import (
    ANSWER,
    ANSWERED,
    ARRIVAL,
    BEATS,
    BURST_AT,
    END,
    LAST_BEAT,
    LAST_OF,
    MOVED,
    REQUEST,
    UNKNOWN,
    Port,
    address_writes,
    open_transfer,
    port_at_doorbell,
    request_read,
    send_write,
    slot_of,
    take_read,
)
from sim.timing.transfers import paced

__all__ = [
    "ARRIVE",
    "DONE",
    "FETCHED",
    "FETCH_END",
    "FREE",
    "ISSUED",
    "NEXT_REQUEST",
    "START",
    "WAIT_LOAD",
    "WAIT_STORE",
    "Walk",
    "fetch_arrival",
    "run_on_dram",
    "settle",
    "walk_at_doorbell",
]

# Columns of a descriptor's times: start, end of issue, done, arrival in its queue, and from the fetch.
START, ISSUED, DONE, READY, ARRIVE = range(5)
# Of each queue: descriptors that entered and that started, and the cycle from which its engine is free.
COUNT, TAKEN, FREE = range(3)
# Of the fetch unit: descriptors that came (burst -1 is the header) and that are in their queues, the
# earliest next request, the last beat; then EXECUTE's waits for LOAD and for STORE only.
FETCHED, DISPATCHED, NEXT_REQUEST, FETCH_END, WAIT_LOAD, WAIT_STORE = range(6)


class Walk(NamedTuple):
    """A walk between two bursts.

    Parameters
    ----------
    times : int64[n, 5]
        Of every descriptor, UNKNOWN where they cannot be said yet.
    members : int64[3, n]
        Descriptors of each queue, in order.
    queues : int64[3, 3]
    fetch : int64[6]
    loads, stores : Port
    pieces : int64[PIECES, 2]
        Of the latest read burst.
    """

    times: NDArray[np.int64]
    members: NDArray[np.int64]
    queues: NDArray[np.int64]
    fetch: NDArray[np.int64]
    loads: Port
    stores: Port
    pieces: NDArray[np.int64]


@kernel
def walk_at_doorbell(n, hw, constants, p):
    """Walk over `n` descriptors, at the doorbell."""
    times = np.full((n, 5), UNKNOWN, np.int64)
    queues = np.zeros((3, 3), np.int64)
    queues[:, FREE] = -UNKNOWN
    fetch = np.zeros(6, np.int64)
    fetch[FETCHED] = fetch[FETCH_END] = -1
    delay = p[DramParameter.FETCH_DELAY]
    fetch[NEXT_REQUEST] = constants[Constant.FETCH_START] - FETCH_BEATS - delay
    held = max(constants[Constant.WRITE_BURSTS], p[DramParameter.WRITE_BURSTS])
    return Walk(
        times,
        np.zeros((3, n), np.int64),
        queues,
        fetch,
        port_at_doorbell(hw, constants, constants[Constant.READ_BURSTS]),
        port_at_doorbell(hw, constants, held),
        np.zeros((PIECES, 2), np.int64),
    )


@in_place
def _dispatch(rows, constants, times, members, queues, fetch):
    """Bring fetched descriptors into their queues; return whether any came."""
    moved = False
    while fetch[DISPATCHED] < fetch[FETCHED]:
        i = fetch[DISPATCHED]
        queue = rows[i, QUEUE]
        at = times[i, ARRIVE]
        if i > 0:
            at = max(at, times[i - 1, READY] + 1)
        depth = constants[Constant.QUEUE_DEPTH]
        if queues[queue, COUNT] >= depth:
            oldest = times[members[queue, queues[queue, COUNT] - depth], START]
            if oldest == UNKNOWN:
                break
            at = max(at, oldest + constants[Constant.QUEUE_REUSE])
        times[i, READY] = at
        members[queue, queues[queue, COUNT]] = i
        queues[queue, COUNT] += 1
        fetch[DISPATCHED] += 1
        moved = True
    return moved


@in_place
def _begin(rows, i, constants, times, members, queues):
    """Start of descriptor `i`, the head of its queue, or UNKNOWN."""
    queue = rows[i, QUEUE]
    place = queues[queue, TAKEN]
    begin = max(times[i, READY], queues[queue, FREE])
    if queue == Queue.EXECUTE:
        if rows[i, WAIT_DRAIN] and place > 0:
            last = times[members[queue, place - 1], DONE]
            begin = max(begin, last + constants[Constant.EXECUTE_AFTER_DRAIN])
    elif place >= constants[Constant.TRANSFERS]:
        room = Constant.LOAD_ROOM if queue == Queue.LOAD else Constant.STORE_ROOM
        oldest = times[members[queue, place - constants[Constant.TRANSFERS]], DONE]
        if oldest == UNKNOWN:
            return UNKNOWN
        begin = max(begin, oldest + constants[room])
    for column in (AFTER_LOAD, AFTER_EXECUTE, AFTER_STORE):
        after = rows[i, column]
        if after >= 0:
            if times[after, DONE] == UNKNOWN:
                return UNKNOWN
            begin = max(begin, times[after, DONE] + constants[Constant.TOKEN])
    return begin


@in_place
def _token(row, column, constants, times):
    """Cycle from which a descriptor has the token of that column; long ago if it needs none."""
    return -UNKNOWN if row[column] < 0 else times[row[column], DONE] + constants[Constant.TOKEN]


@in_place
def _count_waits(rows, i, constants, times, members, queues, fetch):
    """Cycles in which EXECUTE is idle and its head, `i`, lacks a token."""
    head = times[i, READY]
    place = queues[Queue.EXECUTE, TAKEN]
    if place > 0:
        head = max(head, times[members[Queue.EXECUTE, place - 1], DONE])
    loaded = _token(rows[i], AFTER_LOAD, constants, times)
    fetch[WAIT_LOAD] += max(0, loaded - head)
    stored = _token(rows[i], AFTER_STORE, constants, times)
    fetch[WAIT_STORE] += max(0, stored - max(head, loaded))


@inlined
def _start_heads(walk, rows, hw, constants, p, queue):
    """Start all of a queue's descriptors whose start is known; return whether there was any."""
    times, own = walk.times, walk.queues[queue]
    moved = False
    while own[TAKEN] < own[COUNT] and own[FREE] != UNKNOWN:
        i = walk.members[queue, own[TAKEN]]
        begin = _begin(rows, i, constants, times, walk.members, walk.queues)
        if begin == UNKNOWN:
            break
        times[i, START] = begin
        if queue == Queue.EXECUTE:
            _count_waits(rows, i, constants, times, walk.members, walk.queues, walk.fetch)
            issue, drain = execute_durations(rows[i], hw, constants)
            times[i, ISSUED], times[i, DONE] = begin + issue, begin + drain
            own[FREE] = begin + issue + constants[Constant.EXECUTE_NEXT]
        elif queue == Queue.LOAD:
            own[FREE] = UNKNOWN
            open_transfer(walk.loads, i, rows[i], hw, begin, constants[Constant.LOAD_REQUEST])
            request_read(walk.loads, constants)
        else:
            own[FREE] = UNKNOWN
            open_transfer(walk.stores, i, rows[i], hw, begin, constants[Constant.STORE_ADDRESS])
        own[TAKEN] += 1
        moved = True
    return moved


@inlined
def settle(walk, rows, hw, constants, p):
    """Derive all that is known without another burst."""
    moved = True
    while moved:
        moved = _dispatch(rows, constants, walk.times, walk.members, walk.queues, walk.fetch)
        for queue in range(3):
            moved |= _start_heads(walk, rows, hw, constants, p, queue)
        last = address_writes(walk.stores, rows, hw, constants, p)
        if last != UNKNOWN:
            following = constants[Constant.STORE_NEXT] - constants[Constant.STORE_ADDRESS]
            walk.queues[Queue.STORE, FREE] = last + following
            moved = True
        send_write(walk.stores, hw)


@in_place
def fetch_arrival(constants, p, times, fetch):
    """Cycle of the fetch unit's next request, or UNKNOWN; it waits for a place in its buffer."""
    fetched, depth = fetch[FETCHED], constants[Constant.FETCH_DEPTH]
    if fetched >= len(times):
        return UNKNOWN
    if fetched < depth:
        return fetch[NEXT_REQUEST]
    place = times[fetched - depth, READY]
    if place == UNKNOWN:
        return UNKNOWN
    reuse = place + constants[Constant.FETCH_REUSE] - p[DramParameter.FETCH_DELAY]
    return max(fetch[NEXT_REQUEST], reuse)


@inlined
def _serve_load(walk, rows, hw, constants, p, state):
    """Schedule LOAD's next burst."""
    unit, lead = walk.loads.unit, constants[Constant.LOAD_REQUEST]
    burst = walk.loads.ring[slot_of(walk.loads, take_read(walk.loads, rows, hw))]
    request, bus = unit[REQUEST], hw.bus_bytes
    for k in range(read_burst(state, p, burst[BURST_AT], burst[BEATS], bus, request, walk.pieces)):
        available = max(walk.pieces[k, 0], unit[END] + 1)
        unit[END] = paced(walk.loads.credit, hw, available, walk.pieces[k, 1])
    burst[LAST_BEAT] = unit[END]
    unit[MOVED] += 1
    i = burst[LAST_OF]
    if i >= 0:
        done = unit[END] + constants[Constant.LOAD_OVERHEAD] - lead
        walk.times[i, ISSUED] = walk.times[i, DONE] = done
        walk.queues[Queue.LOAD, FREE] = request + constants[Constant.LOAD_NEXT] - lead
    request_read(walk.loads, constants)


@inlined
def _serve_store(walk, hw, p, state):
    """Schedule STORE's next burst."""
    unit = walk.stores.unit
    burst = walk.stores.ring[slot_of(walk.stores, unit[MOVED] - 1)]
    answer = write_burst(state, p, burst[BURST_AT], burst[BEATS], hw.bus_bytes, unit[ARRIVAL])
    unit[ANSWERED] = burst[ANSWER] = max(answer, unit[ANSWERED] + 1)
    i = burst[LAST_OF]
    if i >= 0:
        walk.times[i, ISSUED] = walk.times[i, DONE] = burst[ANSWER] + 1
    unit[ARRIVAL] = UNKNOWN


@inlined
def _serve_fetch(walk, p, state, address, arrival):
    """Schedule the next burst of the fetch unit, the header's or a descriptor's."""
    fetch, pieces = walk.fetch, walk.pieces
    parts = read_burst(state, p, address, FETCH_BEATS, DESCRIPTOR_PORT_BYTES, arrival, pieces)
    for k in range(parts):
        fetch[FETCH_END] = max(pieces[k, 0], fetch[FETCH_END] + 1) + pieces[k, 1] - 1
    fetched = fetch[FETCHED]
    fetch[NEXT_REQUEST] = fetch[FETCH_END] + 1 if fetched < 0 else arrival + 1
    if fetched >= 0:
        walk.times[fetched, ARRIVE] = fetch[FETCH_END] + p[DramParameter.FETCH_DELAY]
    fetch[FETCHED] += 1


def run_on_dram(
    rows: NDArray[np.int64],
    hw: Hw,
    constants: NDArray[np.int64],
    p: NDArray[np.int64],
    header: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Start, end of issue and end of every descriptor behind one DRAM channel.

    Parameters
    ----------
    rows, hw, constants
        As in :func:`sim.timing.cycles.walk`; the memory's latency is not used.
    p : int64[len(DramParameter)]
    header : int
        Address of the program's header, from its first address on.

    Returns
    -------
    start, issued, done, waits, total
        As :func:`sim.timing.cycles.walk`.
    """
    start, issued, done, waits, total = _in_order(rows, hw, constants, p, initial_state(p), header)
    return start, issued, done, waits, int(total)


@kernel
def _in_order(rows, hw, constants, p, state, header):
    """Walk with a controller that serves bursts in the order of their arrival."""
    walk = walk_at_doorbell(rows.shape[0], hw, constants, p)
    while True:
        settle(walk, rows, hw, constants, p)
        fetch = fetch_arrival(constants, p, walk.times, walk.fetch)
        load, store = walk.loads.unit[ARRIVAL], walk.stores.unit[ARRIVAL]
        first = min(fetch, load, store)
        if first == UNKNOWN:
            break
        if load == first:
            _serve_load(walk, rows, hw, constants, p, state)
        elif store == first:
            _serve_store(walk, hw, p, state)
        else:
            address = header + DESCRIPTOR_BYTES * (walk.fetch[FETCHED] + 1)
            _serve_fetch(walk, p, state, address, fetch)
    times = walk.times
    waits = np.empty(2, np.int64)
    waits[0], waits[1] = walk.fetch[WAIT_LOAD], walk.fetch[WAIT_STORE]
    done = times[:, DONE].copy()
    total = done.max() + constants[Constant.FINISH]
    return times[:, START].copy(), times[:, ISSUED].copy(), done, waits, total
