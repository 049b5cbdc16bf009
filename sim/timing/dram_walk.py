"""The cycle model on a DRAM: the walk over a schedule in the order of time.

On the deterministic memory a descriptor's duration does not depend on what the other queues do, so
:func:`sim.timing.cycles.walk` takes descriptors in program order. Behind one DRAM channel every burst may
delay every later burst. Here LOAD, STORE and the descriptor fetch each have at most one next burst
whose arrival is known. The earliest arrival is scheduled, which may make further starts known.
Nothing that is still unknown can arrive earlier, because it waits for one of those bursts.
"""

import numpy as np

from sim.arrays.kernel import kernel
from sim.arrays.schedule_columns import ADDRESS, AFTER, GROUP_STRIDE, QUEUE, ROW_STRIDE, WAIT_DRAIN
from sim.spec.bus import BURST_BEATS, DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue
from sim.timing.calibration import Constant
from sim.timing.cycles import FETCH_BEATS, execute_durations
from sim.timing.dram import PIECES, DramParameter, read_burst, write_burst
from sim.timing.transfers import idle, paced, segments

__all__ = ["walk_dram"]


UNKNOWN = 1 << 60

# State of LOAD's and STORE's request side: the schedule row whose bursts it asks for (-1: none), where
# it is in it, bursts asked for so far, the last request's cycle, the earliest cycle of the next.
ROW, GROUP, LINE, AT, LEFT, BURSTS, REQUEST, EARLIEST = range(8)
# Of the data side: bursts so far, the last beat's cycle, the last response's, and the cycle in
# which the next burst reaches the memory (UNKNOWN: it cannot be said yet).
MOVED, END, ANSWERED, ARRIVAL = range(8, 12)
UNIT = 12

# Columns of the ring of a unit's latest bursts. ADDRESSED is when the memory takes its address, LAST_OF
# the schedule row that ends with it, or -1.
BURST_AT, BEATS, FIRST_BEAT, LAST_BEAT, ADDRESSED, ANSWER, LAST_OF = range(7)
BURST = 7


@kernel
def _unit():
    unit = np.zeros(UNIT, np.int64)
    unit[ROW] = -1
    unit[REQUEST] = unit[END] = unit[ANSWERED] = -1
    unit[ARRIVAL] = UNKNOWN
    return unit


@kernel
def _open(unit, i, row, hw, earliest):
    """Take schedule row `i`, whose first request may come in cycle `earliest`."""
    unit[ROW] = i
    unit[GROUP] = unit[LINE] = 0
    unit[AT] = row[ADDRESS]
    unit[LEFT] = segments(row, hw)[2]
    unit[EARLIEST] = earliest


@kernel
def _next_beats(unit, bus):
    """Beats of the next burst: at most 256, not over a 4 KiB page."""
    return min(unit[LEFT], BURST_BEATS, (PAGE_BYTES - unit[AT] % PAGE_BYTES) // bus)


@kernel
def _pass(unit, row, hw, beats, request):
    """Go past a burst requested in cycle `request`; return whether the descriptor has no more."""
    unit[BURSTS] += 1
    unit[REQUEST] = request
    unit[EARLIEST] = request + 1
    unit[AT] += beats * hw.bus_bytes
    unit[LEFT] -= beats
    if unit[LEFT] > 0:
        return False
    groups, lines, line_beats = segments(row, hw)
    unit[LINE] += 1
    if unit[LINE] == lines:
        unit[LINE] = 0
        unit[GROUP] += 1
    unit[LEFT] = line_beats
    unit[AT] = row[ADDRESS] + unit[GROUP] * row[GROUP_STRIDE] + unit[LINE] * row[ROW_STRIDE]
    if unit[GROUP] < groups:
        return False
    unit[ROW] = -1
    return True


@kernel
def _request_read(unit, ring, constants):
    """Find the arrival of LOAD's next burst, which is its request."""
    if unit[ROW] < 0:
        unit[ARRIVAL] = UNKNOWN
        return
    depth = constants[Constant.READ_BURSTS]
    unit[ARRIVAL] = unit[EARLIEST]
    if unit[BURSTS] >= depth:
        last = ring[(unit[BURSTS] - depth) % len(ring), LAST_BEAT]
        unit[ARRIVAL] = max(unit[ARRIVAL], last + constants[Constant.LOAD_REUSE])


@kernel
def _address_writes(unit, ring, row, hw, constants, p, begin):
    """Give STORE's addresses as far ahead of the data as they are known.

    Returns
    -------
    int
        Cycle of the descriptor's last address, or UNKNOWN.
    """
    depth, queue = constants[Constant.WRITE_BURSTS], p[DramParameter.WRITE_QUEUE]
    ahead = p[DramParameter.STORE_BEAT] - p[DramParameter.STORE_ADDRESS]
    while unit[ROW] >= 0:
        k = unit[BURSTS]
        request = unit[EARLIEST]
        if k >= depth:
            if unit[MOVED] <= k - depth:
                return UNKNOWN
            last = ring[(k - depth) % len(ring), LAST_BEAT]
            request = max(request, last + constants[Constant.STORE_REUSE] - ahead)
        # The data follows the address's offer, whether or not the memory takes it at once
        offer = request
        if k >= queue:
            answer = ring[(k - queue) % len(ring), ANSWER]
            if answer == UNKNOWN:
                return UNKNOWN
            request = max(request, answer + 1)
        burst = ring[k % len(ring)]
        i, first = unit[ROW], unit[AT] == row[ADDRESS] and unit[GROUP] == 0 and unit[LINE] == 0
        burst[BURST_AT] = unit[AT]
        burst[BEATS] = _next_beats(unit, hw.bus_bytes)
        burst[ADDRESSED] = request
        burst[FIRST_BEAT] = offer + p[DramParameter.STORE_LAG]
        if first:
            burst[FIRST_BEAT] = max(burst[FIRST_BEAT], begin + p[DramParameter.STORE_BEAT])
        burst[ANSWER] = UNKNOWN
        ended = _pass(unit, row, hw, burst[BEATS], request)
        burst[LAST_OF] = i if ended else -1
        if ended:
            return request
    return UNKNOWN


@kernel
def _send_write(unit, ring, hw, credit):
    """Find the arrival of STORE's next burst: its last beat, or its address where that comes later."""
    if unit[ARRIVAL] != UNKNOWN or unit[MOVED] == unit[BURSTS]:
        return
    burst = ring[unit[MOVED] % len(ring)]
    unit[END] = paced(credit, hw, max(burst[FIRST_BEAT], unit[END] + 1), burst[BEATS])
    burst[LAST_BEAT] = unit[END]
    unit[MOVED] += 1
    unit[ARRIVAL] = max(unit[END], burst[ADDRESSED])


@kernel
def _begin(rows, i, queue, place, members, ready, done, free, constants):
    """Start of the head of a queue, its member number `place`, or UNKNOWN."""
    begin = max(ready[i], free[queue])
    if queue == Queue.EXECUTE:
        if rows[i, WAIT_DRAIN] and place > 0:
            last = members[queue, place - 1]
            begin = max(begin, done[last] + constants[Constant.EXECUTE_AFTER_DRAIN])
    elif place >= constants[Constant.TRANSFERS]:
        room = Constant.LOAD_ROOM if queue == Queue.LOAD else Constant.STORE_ROOM
        oldest = done[members[queue, place - constants[Constant.TRANSFERS]]]
        if oldest == UNKNOWN:
            return UNKNOWN
        begin = max(begin, oldest + constants[room])
    for source in range(3):
        after = rows[i, AFTER + source]
        if after >= 0:
            if done[after] == UNKNOWN:
                return UNKNOWN
            begin = max(begin, done[after] + constants[Constant.TOKEN])
    return begin


@kernel
def _count_waits(rows, i, place, members, ready, done, waits, constants):
    """Cycles in which EXECUTE is idle and its head lacks a token."""
    head = ready[i]
    if place > 0:
        head = max(head, done[members[Queue.EXECUTE, place - 1]])
    for source in (Queue.LOAD, Queue.STORE):
        after = rows[i, AFTER + source]
        if after >= 0:
            token = done[after] + constants[Constant.TOKEN]
            waits[source // 2] += max(0, token - head)
            head = max(head, token)


@kernel
def walk_dram(rows, hw, constants, p, state, base, header):
    """Start, end of issue and end of every descriptor behind one DRAM channel.

    Parameters
    ----------
    rows, hw, constants
        As in :func:`sim.timing.cycles.walk`; the memory's latency is not used.
    p : int64[len(DramParameter)]
    state : int64[…]
        :func:`sim.timing.dram.initial_state`; changed.
    base, header : int
        Address of the program, and of its header from there.

    Returns
    -------
    start, issued, done, waits, total
        As :func:`sim.timing.cycles.walk`.
    """
    n = rows.shape[0]
    bus = hw.bus_bytes
    start = np.full(n, UNKNOWN, np.int64)
    issued = np.zeros(n, np.int64)
    done = np.full(n, UNKNOWN, np.int64)
    ready = np.full(n, UNKNOWN, np.int64)
    arrive = np.zeros(n, np.int64)
    waits = np.zeros(2, np.int64)
    members = np.zeros((3, n), np.int64)
    count = np.zeros(3, np.int64)
    taken = np.zeros(3, np.int64)
    free = np.full(3, -UNKNOWN, np.int64)
    pieces = np.zeros((PIECES, 2), np.int64)
    loads, stores = _unit(), _unit()
    load_credit, store_credit = idle(hw, constants), idle(hw, constants)
    load_ring = np.zeros((constants[Constant.READ_BURSTS], BURST), np.int64)
    store_ring = np.zeros(
        (max(constants[Constant.WRITE_BURSTS], p[DramParameter.WRITE_QUEUE]), BURST), np.int64
    )
    store_begin = 0
    delay, lead = p[DramParameter.FETCH_DELAY], p[DramParameter.LOAD_REQUEST]
    queue_depth, fetch_depth = constants[Constant.QUEUE_DEPTH], constants[Constant.FETCH_DEPTH]

    # Burst -1 of the fetch unit is the header
    fetched, dispatched, fetch_end = -1, 0, -1
    fetch = constants[Constant.FETCH_START] - FETCH_BEATS - delay
    while True:
        moved = True
        while moved:
            moved = False
            while dispatched < fetched:
                i = dispatched
                queue = rows[i, QUEUE]
                at = arrive[i]
                if i > 0:
                    at = max(at, ready[i - 1] + 1)
                if count[queue] >= queue_depth:
                    oldest = members[queue, count[queue] - queue_depth]
                    if start[oldest] == UNKNOWN:
                        break
                    at = max(at, start[oldest] + constants[Constant.QUEUE_REUSE])
                ready[i] = at
                members[queue, count[queue]] = i
                count[queue] += 1
                dispatched += 1
                moved = True
            for queue in range(3):
                while taken[queue] < count[queue] and free[queue] != UNKNOWN:
                    place = taken[queue]
                    i = members[queue, place]
                    begin = _begin(rows, i, queue, place, members, ready, done, free, constants)
                    if begin == UNKNOWN:
                        break
                    start[i] = begin
                    taken[queue] += 1
                    moved = True
                    if queue == Queue.EXECUTE:
                        _count_waits(rows, i, place, members, ready, done, waits, constants)
                        issue, drain = execute_durations(rows[i], hw, constants)
                        issued[i], done[i] = begin + issue, begin + drain
                        free[queue] = issued[i] + constants[Constant.EXECUTE_NEXT]
                        continue
                    free[queue] = UNKNOWN
                    if queue == Queue.LOAD:
                        _open(loads, i, rows[i], hw, begin + lead)
                        _request_read(loads, load_ring, constants)
                    else:
                        store_begin = begin
                        _open(stores, i, rows[i], hw, begin + p[DramParameter.STORE_ADDRESS])
            if stores[ROW] >= 0:
                last = _address_writes(
                    stores, store_ring, rows[stores[ROW]], hw, constants, p, store_begin
                )
                if last != UNKNOWN:
                    next_store = constants[Constant.STORE_NEXT] - p[DramParameter.STORE_ADDRESS]
                    free[Queue.STORE] = last + next_store
                    moved = True
            _send_write(stores, store_ring, hw, store_credit)
        # The next request of the fetch unit waits for a place in its buffer
        arrival = UNKNOWN
        if fetched < n:
            arrival = fetch
            if fetched >= fetch_depth:
                place = ready[fetched - fetch_depth]
                reuse = place + constants[Constant.FETCH_REUSE] - delay
                arrival = UNKNOWN if place == UNKNOWN else max(fetch, reuse)
        if min(arrival, loads[ARRIVAL], stores[ARRIVAL]) == UNKNOWN:
            break
        if loads[ARRIVAL] <= min(arrival, stores[ARRIVAL]):
            i, at = loads[ROW], base + loads[AT]
            beats = _next_beats(loads, bus)
            request = loads[ARRIVAL]
            for k in range(read_burst(state, p, at, beats, bus, request, pieces)):
                available = max(pieces[k, 0], loads[END] + 1)
                loads[END] = paced(load_credit, hw, available, pieces[k, 1])
            load_ring[loads[BURSTS] % len(load_ring), LAST_BEAT] = loads[END]
            if _pass(loads, rows[i], hw, beats, request):
                issued[i] = done[i] = loads[END] + constants[Constant.LOAD_OVERHEAD] - lead
                free[Queue.LOAD] = request + constants[Constant.LOAD_NEXT] - lead
            _request_read(loads, load_ring, constants)
        elif stores[ARRIVAL] <= arrival:
            burst = store_ring[(stores[MOVED] - 1) % len(store_ring)]
            at, beats = base + burst[BURST_AT], burst[BEATS]
            answer = write_burst(state, p, at, beats, bus, stores[ARRIVAL])
            stores[ANSWERED] = burst[ANSWER] = max(answer, stores[ANSWERED] + 1)
            i = burst[LAST_OF]
            if i >= 0:
                issued[i] = done[i] = burst[ANSWER] + 1
            stores[ARRIVAL] = UNKNOWN
        else:
            at = base + header + DESCRIPTOR_BYTES * (fetched + 1)
            parts = read_burst(state, p, at, FETCH_BEATS, DESCRIPTOR_PORT_BYTES, arrival, pieces)
            for k in range(parts):
                fetch_end = max(pieces[k, 0], fetch_end + 1) + pieces[k, 1] - 1
            fetch = fetch_end + 1 if fetched < 0 else arrival + 1
            if fetched >= 0:
                arrive[fetched] = fetch_end + delay
            fetched += 1
    return start, issued, done, waits, done.max() + constants[Constant.FINISH]
