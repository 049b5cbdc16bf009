"""The cycle model on a DRAM: the walk over a schedule in the order of time.

On the deterministic memory a descriptor's duration does not depend on what the other queues do, so
:func:`sim.timing.cycles.walk` takes descriptors in program order. Behind one DRAM channel every burst may
delay every later burst, and with a controller that reorders also earlier bursts. Here LOAD, STORE and the
descriptor fetch each have at most one next burst whose arrival is known. The earliest arrival is
taken, which may make further starts known. Nothing that is still unknown can arrive earlier,
because it waits for those bursts or for earlier bursts.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import inlined, kernel
from sim.arrays.tables import Hw
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES
from sim.timing.calibration import Constant
from sim.timing.cycles import FETCH_BEATS
from sim.timing.dram import (
    PIECES,
    DramParameter,
    clock_of,
    cycle_of,
    initial_state,
    read_burst,
    write_burst,
)
from sim.timing.dram_ports import (
    ARRIVAL,
    BEATS,
    BURST_AT,
    BURSTS,
    MOVED,
    REQUEST,
    UNKNOWN,
    request_read,
    slot_of,
    take_beats,
)
from sim.timing.dram_progress import (
    DONE,
    FETCH_END,
    FETCHED,
    ISSUED,
    REQUESTED,
    START,
    WAIT_LOAD,
    WAIT_STORE,
    answer_store,
    at_doorbell,
    fetch_arrival,
    finish_fetch,
    finish_load,
    request_fetch,
    request_load,
    settle,
)
from sim.timing.dram_queue import (
    ANSWERED_BURSTS,
    FETCH,
    LATEST,
    LEFT,
    LOAD,
    STORE,
    access_clock,
    advance,
    enqueue,
    idle_controller,
)

__all__ = ["result_of", "run_on_dram"]


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
    walk = _reordered if p[DramParameter.REORDER] else _in_order
    start, issued, done, waits, total = walk(rows, hw, constants, p, initial_state(p), header)
    return start, issued, done, waits, int(total)


@kernel
def _in_order(rows, hw, constants, p, state, header):
    """Walk with a controller that serves bursts in the order of their arrival."""
    walk = at_doorbell(rows.shape[0], hw, constants, p)
    pieces = np.empty((PIECES, 2), np.int64)
    while True:
        settle(walk, rows, hw, constants, p)
        fetch = fetch_arrival(constants, walk.times, walk.fetch)
        load, store = walk.loads.unit[ARRIVAL], walk.stores.unit[ARRIVAL]
        first = min(fetch, load, store)
        if first == UNKNOWN:
            break
        if load == first:
            _serve_load(walk, rows, hw, constants, p, state, pieces)
        elif store == first:
            _serve_store(walk, hw, p, state)
        else:
            _serve_fetch(walk, constants, p, state, pieces, header, fetch)
    return result_of(walk, constants)


@kernel
def result_of(walk, constants):
    """Times of all descriptors, and the cycle of the program's done."""
    times = walk.times
    waits = np.empty(2, np.int64)
    waits[0], waits[1] = walk.fetch[WAIT_LOAD], walk.fetch[WAIT_STORE]
    done = times[:, DONE].copy()
    total = done.max() + constants[Constant.FINISH]
    return times[:, START].copy(), times[:, ISSUED].copy(), done, waits, total


@inlined
def _serve_load(walk, rows, hw, constants, p, state, pieces):
    """Schedule LOAD's next burst."""
    burst = walk.loads.ring[slot_of(walk.loads, request_load(walk, rows, hw, constants))]
    unit, bus = walk.loads.unit, hw.bus_bytes
    given = 0
    for k in range(read_burst(state, p, burst[BURST_AT], burst[BEATS], bus, unit[REQUEST], pieces)):
        take_beats(walk.loads, rows, hw, burst, pieces[k, 0], given, pieces[k, 1])
        given += pieces[k, 1]
    finish_load(walk, constants)


@inlined
def _serve_store(walk, hw, p, state):
    """Schedule STORE's next burst."""
    unit = walk.stores.unit
    number = unit[MOVED] - 1
    burst = walk.stores.ring[slot_of(walk.stores, number)]
    there = write_burst(state, p, burst[BURST_AT], burst[BEATS], hw.bus_bytes, unit[ARRIVAL])
    unit[ARRIVAL] = UNKNOWN
    answer_store(walk, number, there)


@inlined
def _serve_fetch(walk, constants, p, state, pieces, header, arrival):
    """Schedule the next burst of the fetch unit."""
    fetch, address = walk.fetch, _descriptor(walk, header)
    parts = read_burst(state, p, address, FETCH_BEATS, DESCRIPTOR_PORT_BYTES, arrival, pieces)
    for k in range(parts):
        fetch[FETCH_END] = max(pieces[k, 0], fetch[FETCH_END] + 1) + pieces[k, 1] - 1
    request_fetch(walk, arrival)
    finish_fetch(walk, constants)


@inlined
def _descriptor(walk, header):
    """Address of the fetch unit's next burst."""
    return header + DESCRIPTOR_BYTES * (walk.fetch[REQUESTED] + 1)


@kernel
def _reordered(rows, hw, constants, p, state, header):
    """Walk with a controller that reorders: bursts arrive, accesses are made, bursts are complete."""
    walk = at_doorbell(rows.shape[0], hw, constants, p)
    controller = idle_controller(constants, p)
    while True:
        settle(walk, rows, hw, constants, p)
        fetch = fetch_arrival(constants, walk.times, walk.fetch)
        load, store = walk.loads.unit[ARRIVAL], walk.stores.unit[ARRIVAL]
        first = min(fetch, load, store)
        enters = UNKNOWN if first == UNKNOWN else clock_of(p, first) + p[DramParameter.FRONT]
        port = advance(state, p, controller, enters)
        if port == LOAD:
            _receive(walk, rows, hw, constants, p, controller)
        elif port == STORE:
            _answer(walk, p, controller)
        elif port == FETCH:
            _receive_descriptors(walk, constants, p, controller, header)
        elif first == UNKNOWN:
            break
        elif load == first:
            number = request_load(walk, rows, hw, constants)
            burst = walk.loads.ring[slot_of(walk.loads, number)]
            enqueue(
                p, controller, LOAD, number, burst[BURST_AT], burst[BEATS] * hw.bus_bytes, enters
            )
            request_read(walk.loads, constants)
        elif store == first:
            number = walk.stores.unit[MOVED] - 1
            burst = walk.stores.ring[slot_of(walk.stores, number)]
            walk.stores.unit[ARRIVAL] = UNKNOWN
            enqueue(
                p, controller, STORE, number, burst[BURST_AT], burst[BEATS] * hw.bus_bytes, enters
            )
        else:
            number, address = walk.fetch[REQUESTED] + 1, _descriptor(walk, header)
            request_fetch(walk, fetch)
            enqueue(p, controller, FETCH, number, address, DESCRIPTOR_BYTES, enters)
    return result_of(walk, constants)


@inlined
def _receive(walk, rows, hw, constants, p, controller):
    """Bring LOAD the bursts that are complete, in order."""
    unit, size = walk.loads.unit, p[DramParameter.ACCESS_BYTES]
    while unit[MOVED] < unit[BURSTS]:
        number = unit[MOVED]
        burst = walk.loads.ring[slot_of(walk.loads, number)]
        if controller.bursts[LOAD, number % controller.bursts.shape[1], LEFT] > 0:
            break
        address, first, given, there = burst[BURST_AT], burst[BURST_AT] // size, 0, 0
        for k in range((address + burst[BEATS] * hw.bus_bytes - 1) // size + 1 - first):
            there = max(there, access_clock(controller, LOAD, number, k))
            arrived = min(burst[BEATS], ((first + k + 1) * size - address) // hw.bus_bytes)
            if arrived > given:
                at = cycle_of(p, there + p[DramParameter.READ_LATENCY])
                take_beats(walk.loads, rows, hw, burst, at, given, arrived - given)
                given = arrived
        finish_load(walk, constants)


@inlined
def _receive_descriptors(walk, constants, p, controller, header):
    """Bring the fetch unit the bursts that are complete, in order."""
    fetch, size = walk.fetch, p[DramParameter.ACCESS_BYTES]
    while fetch[FETCHED] < fetch[REQUESTED]:
        number = fetch[FETCHED] + 1
        if controller.bursts[FETCH, number % controller.bursts.shape[1], LEFT] > 0:
            break
        address = header + DESCRIPTOR_BYTES * number
        first, given, there = address // size, 0, 0
        for k in range((address + DESCRIPTOR_BYTES - 1) // size + 1 - first):
            there = max(there, access_clock(controller, FETCH, number, k))
            arrived = min(FETCH_BEATS, ((first + k + 1) * size - address) // DESCRIPTOR_PORT_BYTES)
            at = cycle_of(p, there + p[DramParameter.READ_LATENCY])
            fetch[FETCH_END] = max(at, fetch[FETCH_END] + 1) + arrived - given - 1
            given = arrived
        finish_fetch(walk, constants)


@inlined
def _answer(walk, p, controller):
    """Answer STORE's bursts that are complete, in order."""
    counts, unit = controller.counts, walk.stores.unit
    # The last that was sent may not have arrived
    arrived = unit[MOVED] if unit[ARRIVAL] == UNKNOWN else unit[MOVED] - 1
    while counts[ANSWERED_BURSTS] < arrived:
        number = counts[ANSWERED_BURSTS]
        slot = number % controller.bursts.shape[1]
        if controller.bursts[STORE, slot, LEFT] > 0:
            break
        last = controller.bursts[STORE, slot, LATEST]
        answer_store(walk, number, cycle_of(p, last + p[DramParameter.WRITE_LATENCY]))
        counts[ANSWERED_BURSTS] += 1
