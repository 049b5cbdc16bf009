"""Descriptors on a DRAM: what follows from the bursts that have come, until another burst is needed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.schedule_columns import AFTER_EXECUTE, AFTER_LOAD, AFTER_STORE, QUEUE, WAIT_DRAIN
from sim.spec.descriptor import Queue
from sim.timing.calibration import Constant
from sim.timing.cycles import execute_durations, fetch_delay
from sim.timing.dram import DramParameter
from sim.timing.dram_ports import (
    ANSWER,
    ANSWERED,
    END,
    LAST_BEAT,
    LAST_OF,
    LATEST_BEAT,
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
    take_turn,
    wait_for_turn,
)
from sim.timing.transfer_unit import reads_store

__all__ = [
    "DONE",
    "FETCHED",
    "FETCH_END",
    "ISSUED",
    "REQUESTED",
    "START",
    "WAIT_LOAD",
    "WAIT_STORE",
    "Walk",
    "answer_store",
    "at_doorbell",
    "fetch_arrival",
    "finish_fetch",
    "finish_load",
    "request_fetch",
    "request_load",
    "settle",
]

# Columns of a descriptor's times: start, end of issue, done, arrival in its queue, and from the fetch.
START, ISSUED, DONE, READY, ARRIVE = range(5)
# Of each queue: descriptors that entered and that started, and the cycle from which its engine is free.
COUNT, TAKEN, FREE = range(3)
# Of the fetch unit: descriptors that were requested and that came (burst -1 is the header), and that are in
# their queues, the earliest next request, the last beat; then EXECUTE's waits for LOAD and for STORE only.
REQUESTED, FETCHED, DISPATCHED, NEXT_REQUEST, FETCH_END, WAIT_LOAD, WAIT_STORE = range(7)


class Walk(NamedTuple):
    """A walk between two bursts.

    Parameters
    ----------
    times : int64[n, 5]
        Of every descriptor, UNKNOWN where they cannot be said yet.
    members : int64[3, n]
        Descriptors of each queue, in order.
    queues : int64[3, 3]
    fetch : int64[7]
    loads, stores : Port
    """

    times: NDArray[np.int64]
    members: NDArray[np.int64]
    queues: NDArray[np.int64]
    fetch: NDArray[np.int64]
    loads: Port
    stores: Port


@kernel
def at_doorbell(n, hw, constants, p):
    """Walk over `n` descriptors, at the doorbell."""
    times = np.full((n, 5), UNKNOWN, np.int64)
    queues = np.zeros((3, 3), np.int64)
    queues[:, FREE] = -UNKNOWN
    fetch = np.zeros(7, np.int64)
    fetch[REQUESTED] = fetch[FETCHED] = fetch[FETCH_END] = -1  # the header is requested in cycle 0
    held = max(constants[Constant.WRITE_BURSTS], p[DramParameter.WRITE_BURSTS])
    return Walk(
        times,
        np.zeros((3, n), np.int64),
        queues,
        fetch,
        port_at_doorbell(hw, constants, constants[Constant.READ_BURSTS]),
        port_at_doorbell(hw, constants, held),
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
def _take_turns(walk, constants):
    """Finish the LOADs from the weight store before which all data has come."""
    while True:
        i = take_turn(walk.loads, constants)
        if i < 0:
            break
        overhead = constants[Constant.LOAD_OVERHEAD] - constants[Constant.LOAD_REQUEST]
        walk.times[i, ISSUED] = walk.times[i, DONE] = walk.loads.unit[END] + overhead


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
        elif reads_store(rows[i]):
            own[FREE] = begin + constants[Constant.WEIGHT_STORE_NEXT]
            wait_for_turn(walk.loads, i, rows[i], begin)
            _take_turns(walk, constants)
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
def fetch_arrival(constants, times, fetch):
    """Cycle of the fetch unit's next request, or UNKNOWN; it waits for a place in its buffer."""
    requested, depth = fetch[REQUESTED], constants[Constant.FETCH_DEPTH]
    if requested >= len(times):
        return UNKNOWN
    if requested < depth:
        return fetch[NEXT_REQUEST]
    place = times[requested - depth, READY]
    if place == UNKNOWN:
        return UNKNOWN
    reuse = place + constants[Constant.FETCH_REUSE] - fetch_delay(constants)
    return max(fetch[NEXT_REQUEST], reuse)


@inlined
def request_load(walk, rows, hw, constants):
    """Request LOAD's next burst; returns its number on the port."""
    number = take_read(walk.loads, rows, hw)
    if walk.loads.ring[slot_of(walk.loads, number), LAST_OF] >= 0:
        following = constants[Constant.LOAD_NEXT] - constants[Constant.LOAD_REQUEST]
        walk.queues[Queue.LOAD, FREE] = walk.loads.unit[REQUEST] + following
    return number


@inlined
def finish_load(walk, constants):
    """Go on after a burst whose last beat has come to LOAD."""
    unit = walk.loads.unit
    burst = walk.loads.ring[slot_of(walk.loads, unit[MOVED])]
    burst[LAST_BEAT] = unit[LATEST_BEAT]
    unit[MOVED] += 1
    i = burst[LAST_OF]
    if i >= 0:
        overhead = constants[Constant.LOAD_OVERHEAD] - constants[Constant.LOAD_REQUEST]
        walk.times[i, ISSUED] = walk.times[i, DONE] = unit[END] + overhead
    _take_turns(walk, constants)
    request_read(walk.loads, constants)


@inlined
def answer_store(walk, number, there):
    """Go on after a burst of STORE whose response is at the port from cycle `there` on."""
    unit = walk.stores.unit
    burst = walk.stores.ring[slot_of(walk.stores, number)]
    unit[ANSWERED] = burst[ANSWER] = max(there, unit[ANSWERED] + 1)
    i = burst[LAST_OF]
    if i >= 0:
        walk.times[i, ISSUED] = walk.times[i, DONE] = burst[ANSWER] + 1


@inlined
def request_fetch(walk, arrival):
    """Request the fetch unit's next burst, the header's or a descriptor's."""
    fetch = walk.fetch
    fetch[NEXT_REQUEST] = UNKNOWN if fetch[REQUESTED] < 0 else arrival + 1
    fetch[REQUESTED] += 1


@inlined
def finish_fetch(walk, constants):
    """Go on after a burst whose last beat has come to the fetch unit."""
    fetch = walk.fetch
    if fetch[FETCHED] < 0:
        fetch[NEXT_REQUEST] = fetch[FETCH_END] + 1
    else:
        walk.times[fetch[FETCHED], ARRIVE] = fetch[FETCH_END] + fetch_delay(constants)
    fetch[FETCHED] += 1
