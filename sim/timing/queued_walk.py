"""The cycle model on a queued memory: the walk of :mod:`sim.timing.dram_walk` with servers and arbitration.

The heads of LOAD's, STORE's and the fetch unit's queues are known whenever a server can begin a burst, because
what is unknown waits for a burst that is not served yet.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.tables import Hw
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES
from sim.spec.errors import CosilicoError
from sim.spec.queued_memory import TICKS, QueuedMemory
from sim.timing.calibration import Calibration
from sim.timing.cycles import FETCH_BEATS
from sim.timing.dram import DramParameter
from sim.timing.dram_ports import (
    ANSWER,
    ARRIVAL,
    BEATS,
    BURST_AT,
    BURSTS,
    LATEST_BEAT,
    MOVED,
    REQUEST,
    UNKNOWN,
    slot_of,
    take_beats,
)
from sim.timing.dram_progress import (
    FETCH_END,
    FETCHED,
    answer_store,
    at_doorbell,
    fetch_arrival,
    finish_fetch,
    finish_load,
    request_fetch,
    request_load,
    settle,
)
from sim.timing.dram_walk import result_of
from sim.timing.queued import (
    DESCRIPTORS,
    FROM,
    PORTS,
    READS,
    WRITES,
    QueuedParameter,
    cycle_of,
    parameters,
    served_until,
    servers_at_doorbell,
    take_next,
    taken,
)

__all__ = ["port_parameters", "require_clock", "walk_queued", "walk_queued_arrays"]

Q = QueuedParameter


def require_clock(memory: QueuedMemory, config: AcceleratorConfig) -> None:
    """Raise an error unless the accelerator's clock is that of the memory's cycles.

    Raises
    ------
    CosilicoError
    """
    if memory.clock_mhz != config.clock_mhz:
        raise CosilicoError(
            f"memory {memory.name!r} counts cycles of {memory.clock_mhz} MHz: clock_mhz of the "
            f"accelerator must be that, not {config.clock_mhz}"
        )


def port_parameters(write_queue: int) -> NDArray[np.int64]:
    """Limits of the accelerator's ports, as the walk on a DRAM has them: int64[len(DramParameter)]."""
    p = np.zeros(len(DramParameter), np.int64)
    p[DramParameter.WRITE_BURSTS] = write_queue
    return p


@inlined
def _serve_load(walk, rows, hw, constants, q, servers, banks, burst):
    """Serve LOAD's next burst."""
    unit = walk.loads.unit
    own = walk.loads.ring[slot_of(walk.loads, request_load(walk, rows, hw, constants))]
    at, beats, bus = own[BURST_AT], own[BEATS], hw.bus_bytes
    end = served_until(q, servers, banks, burst, READS, unit[REQUEST], at, beats * bus)
    own[ANSWER] = cycle_of(burst[FROM])
    step, size, latency = q[Q.READ_TICKS], q[Q.ACCESS_BYTES], q[Q.READ_LATENCY]
    offset = at % size
    if q[Q.FORWARDING]:
        take_beats(walk.loads, rows, hw, own, cycle_of(end) + latency, 0, beats)
    elif step * bus <= TICKS * size:
        # Accesses bring a beat per cycle at least: only the first beat is waited for
        early = cycle_of(burst[FROM] + ((offset + bus - 1) // size + 1) * step) + latency
        take_beats(walk.loads, rows, hw, own, early, 0, beats)
    else:
        for j in range(beats):
            there = (offset + (j + 1) * bus - 1) // size + 1
            at_port = cycle_of(burst[FROM] + there * step) + latency
            take_beats(walk.loads, rows, hw, own, at_port, j, 1)
    taken(servers, burst, unit[LATEST_BEAT])
    finish_load(walk, constants)
    _leave(walk.loads, q)


@in_place
def _leave(port, q):
    """Let LOAD's next request wait until the memory has room for it."""
    unit, room = port.unit, q[Q.READ_QUEUE]
    if unit[ARRIVAL] == UNKNOWN or unit[BURSTS] < room or room >= len(port.ring):
        return
    unit[ARRIVAL] = max(unit[ARRIVAL], port.ring[slot_of(port, unit[BURSTS] - room), ANSWER] + 1)


@inlined
def _serve_store(walk, hw, q, servers, banks, burst):
    """Serve STORE's next burst."""
    unit = walk.stores.unit
    number = unit[MOVED] - 1
    own = walk.stores.ring[slot_of(walk.stores, number)]
    size = own[BEATS] * hw.bus_bytes
    end = served_until(q, servers, banks, burst, WRITES, unit[ARRIVAL], own[BURST_AT], size)
    answer_store(walk, number, cycle_of(end) + q[Q.WRITE_LATENCY])
    taken(servers, burst, own[ANSWER])
    unit[ARRIVAL] = UNKNOWN


@inlined
def _serve_fetch(walk, constants, q, servers, banks, burst, header, arrival):
    """Serve the next burst of the fetch unit, the header's or a descriptor's."""
    fetch = walk.fetch
    address = header + DESCRIPTOR_BYTES * (fetch[FETCHED] + 1)
    request_fetch(walk, arrival)
    end = served_until(q, servers, banks, burst, DESCRIPTORS, arrival, address, DESCRIPTOR_BYTES)
    last = cycle_of(end) + q[Q.DESCRIPTOR_LATENCY]
    fetch[FETCH_END] = max(last, fetch[FETCH_END] + FETCH_BEATS)
    taken(servers, burst, fetch[FETCH_END])
    finish_fetch(walk, constants)


@kernel
def walk_queued_arrays(rows, hw, constants, p, q, servers, banks, header):
    """Start, end of issue and end of every descriptor on a queued memory.

    Parameters
    ----------
    rows, hw, constants
        As in :func:`sim.timing.cycles.walk`; the memory's latency is not used.
    p : int64[len(DramParameter)]
        Of :func:`port_parameters`.
    q : int64[len(QueuedParameter)]
    servers, banks
        Of :func:`sim.timing.queued.servers_at_doorbell`; changed.
    header : int
        Address of the program's header.

    Returns
    -------
    start, issued, done, waits, total
        As :func:`sim.timing.cycles.walk`.
    """
    walk = at_doorbell(rows.shape[0], hw, constants, p)
    arrivals, burst = np.full(PORTS, UNKNOWN, np.int64), np.zeros(FROM + 1, np.int64)
    while True:
        settle(walk, rows, hw, constants, p)
        arrivals[READS] = walk.loads.unit[ARRIVAL]
        arrivals[WRITES] = walk.stores.unit[ARRIVAL]
        arrivals[DESCRIPTORS] = fetch_arrival(constants, walk.times, walk.fetch)
        port = take_next(q, servers, arrivals, burst)
        if port < 0:
            break
        if port == READS:
            _serve_load(walk, rows, hw, constants, q, servers, banks, burst)
        elif port == WRITES:
            _serve_store(walk, hw, q, servers, banks, burst)
        elif port == DESCRIPTORS:
            _serve_fetch(walk, constants, q, servers, banks, burst, header, arrivals[DESCRIPTORS])
        else:
            served_until(q, servers, banks, burst, port, 0, 0, 0)
    return result_of(walk, constants)


def walk_queued(
    rows: NDArray[np.int64],
    hw: Hw,
    calibration: Calibration,
    memory: QueuedMemory,
    header: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Walk a schedule on a queued memory; the program lies at address 0.

    Returns as :func:`walk_queued_arrays`.
    """
    q = parameters(memory)
    p = port_parameters(memory.write_queue)
    servers, banks = servers_at_doorbell(q)
    start, issued, done, waits, total = walk_queued_arrays(
        rows, hw, calibration.array, p, q, servers, banks, header
    )
    return start, issued, done, waits, int(total)
