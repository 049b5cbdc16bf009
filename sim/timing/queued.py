"""A queued memory at the level of bursts: which is served next, and when its data is there.

Every port has at most one burst at the head of its queue. A server takes the next when it is free of the burst
before and fewer than ``in_flight`` are under way. Times of service are in ticks, 1/64 cycle.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.spec.queued_memory import TICKS, Arbitration, Forwarding, QueuedMemory, Servers
from sim.timing.dram_ports import UNKNOWN

__all__ = [
    "DESCRIPTORS",
    "PORTS",
    "READS",
    "WRITES",
    "QueuedParameter",
    "cycle_of",
    "parameters",
    "served_until",
    "servers_at_doorbell",
    "take_next",
    "taken",
]

READS, WRITES, DESCRIPTORS, OTHERS = range(4)
PORTS = 4

MOST_IN_FLIGHT = 64


class QueuedParameter(IntEnum):
    """Parameters of a queued memory: those of :class:`sim.spec.queued_memory.QueuedMemory`, in its order.

    ARBITRATION, SERVERS and FORWARDING are places in their enumerations.
    """

    ARBITRATION = 0
    SERVERS = 1
    FORWARDING = 2
    ACCESS_BYTES = 3
    READ_LATENCY = 4
    WRITE_LATENCY = 5
    DESCRIPTOR_LATENCY = 6
    READ_TICKS = 7
    WRITE_TICKS = 8
    DESCRIPTOR_TICKS = 9
    BURST_CYCLES = 10
    TURNAROUND_CYCLES = 11
    ROW_CYCLES = 12
    ROW_BYTES = 13
    BANKS = 14
    IN_FLIGHT = 15
    READ_QUEUE = 16
    WRITE_QUEUE = 17
    OTHER_PERIOD = 18
    OTHER_CYCLES = 19


Q = QueuedParameter
FIRST_COME, ROUND_ROBIN, READS_FIRST = range(3)
SHARED, BY_DIRECTION, BY_PORT = range(3)
_PLACES = {
    "arbitration": tuple(Arbitration),
    "servers": tuple(Servers),
    "forwarding": tuple(Forwarding),
}

# A server's state: ticks from which it is free, the port and the direction of its latest burst, bursts
# begun, the next burst of other masters; then a ring of the cycles in which the latest ended.
FREE, LAST_PORT, WRITING, COUNT, NEXT_OTHER, ENDS = range(6)
# A burst that is taken: its server, the ticks from which its accesses are served, and their number.
SERVER, FROM, ACCESSES = range(3)


def parameters(memory: QueuedMemory) -> NDArray[np.int64]:
    """Parameters of a queued memory: int64[len(QueuedParameter)]."""
    row = np.zeros(len(QueuedParameter), np.int64)
    for parameter in QueuedParameter:
        name = parameter.name.lower()
        value = getattr(memory, name)
        row[parameter] = _PLACES[name].index(value) if name in _PLACES else value
    return row


def servers_at_doorbell(q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Servers that have served nothing, and the rows that are open.

    Parameters
    ----------
    q : int64[len(QueuedParameter)]

    Returns
    -------
    servers : int64[3, ENDS + MOST_IN_FLIGHT]
    rows : int64[banks]
        -1: none.
    """
    servers = np.zeros((3, ENDS + MOST_IN_FLIGHT), np.int64)
    servers[:, LAST_PORT] = OTHERS
    servers[:, ENDS:] = -1
    servers[:, NEXT_OTHER] = UNKNOWN
    if q[Q.OTHER_PERIOD]:
        servers[0, NEXT_OTHER] = q[Q.OTHER_PERIOD] // 2
    return servers, np.full(q[Q.BANKS], -1, np.int64)


@in_place
def _server_of(q, port):
    if q[Q.SERVERS] == SHARED or port == OTHERS:
        return 0
    if q[Q.SERVERS] == BY_DIRECTION:
        return 1 if port == WRITES else 0
    return port


@in_place
def _earliest(q, servers, arrivals, s):
    """Ticks from which server `s` can begin a burst that waits, or UNKNOWN."""
    first = UNKNOWN
    for port in range(PORTS):
        if _server_of(q, port) == s:
            first = min(first, arrivals[port])
    if first == UNKNOWN:
        return UNKNOWN
    own = servers[s]
    begin = max(first * TICKS, own[FREE])
    if q[Q.IN_FLIGHT] < MOST_IN_FLIGHT:
        ended = own[ENDS + (own[COUNT] - q[Q.IN_FLIGHT]) % MOST_IN_FLIGHT]
        begin = max(begin, (ended + 1) * TICKS)
    return begin


@in_place
def take_next(q, servers, arrivals, burst):
    """Choose the burst that is begun next, of all servers.

    Parameters
    ----------
    q : int64[len(QueuedParameter)]
    servers : int64[3, …]
        Changed.
    arrivals : int64[PORTS]
        Cycle in which each port's next burst came, or UNKNOWN; that of other masters is set here.
    burst : int64[3]
        Receives SERVER and FROM.

    Returns
    -------
    int
        Its port, or -1 where no burst of the accelerator can come any more.
    """
    if min(arrivals[READS], arrivals[WRITES], arrivals[DESCRIPTORS]) == UNKNOWN:
        return -1
    arrivals[OTHERS] = servers[0, NEXT_OTHER]
    best, s = UNKNOWN, 0
    for candidate in range(3):
        begin = _earliest(q, servers, arrivals, candidate)
        if begin < best:
            best, s = begin, candidate
    chosen = -1
    for step in range(PORTS):
        port = step
        if q[Q.ARBITRATION] == ROUND_ROBIN:
            port = (servers[s, LAST_PORT] + 1 + step) % PORTS
        if _server_of(q, port) != s or arrivals[port] == UNKNOWN or arrivals[port] * TICKS > best:
            continue
        if chosen < 0 or (q[Q.ARBITRATION] == FIRST_COME and arrivals[port] < arrivals[chosen]):
            chosen = port
        elif q[Q.ARBITRATION] == READS_FIRST:
            writes = (1 if port == WRITES else 0) - (1 if chosen == WRITES else 0)
            if writes < 0 or (writes == 0 and arrivals[port] < arrivals[chosen]):
                chosen = port
    burst[SERVER], burst[FROM] = s, best
    return chosen


@in_place
def served_until(q, servers, open_rows, burst, port, address, size):
    """Begin the burst that was chosen; count its service from its first access on.

    Parameters
    ----------
    q, servers, burst
        Of :func:`take_next`.
    open_rows : int64[banks]
        Changed.
    port : int
    address, size : int
        Bytes.

    Returns
    -------
    int
        Ticks in which its service ends.
    """
    own = servers[burst[SERVER]]
    begin = burst[FROM]
    if port == OTHERS:
        own[FREE] = begin + q[Q.OTHER_CYCLES] * TICKS
        own[NEXT_OTHER] += q[Q.OTHER_PERIOD]
        own[LAST_PORT] = port
        return own[FREE]
    extra = q[Q.BURST_CYCLES]
    writing = 1 if port == WRITES else 0
    if writing != own[WRITING]:
        extra += q[Q.TURNAROUND_CYCLES]
    if q[Q.ROW_CYCLES]:
        for row in range(address // q[Q.ROW_BYTES], (address + size - 1) // q[Q.ROW_BYTES] + 1):
            bank = row % q[Q.BANKS]
            if open_rows[bank] != row:
                open_rows[bank] = row
                extra += q[Q.ROW_CYCLES]
    burst[FROM] = begin + extra * TICKS
    first = address // q[Q.ACCESS_BYTES]
    burst[ACCESSES] = (address + size - 1) // q[Q.ACCESS_BYTES] - first + 1
    if port == DESCRIPTORS:
        service = q[Q.DESCRIPTOR_TICKS]
    else:
        service = burst[ACCESSES] * (q[Q.WRITE_TICKS] if writing else q[Q.READ_TICKS])
    own[FREE] = burst[FROM] + service
    own[LAST_PORT] = port
    own[WRITING] = writing
    return own[FREE]


@in_place
def taken(servers, burst, cycle):
    """Note the cycle in which the burst's last data, or its response, was taken."""
    own = servers[burst[SERVER]]
    own[ENDS + own[COUNT] % MOST_IN_FLIGHT] = cycle
    own[COUNT] += 1


@in_place
def cycle_of(ticks):
    """First cycle that is not before a tick."""
    return ceil_div(ticks, TICKS)
