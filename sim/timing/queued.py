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
# A burst that is begun: its server, and the ticks from which its accesses are served.
SERVER, FROM = range(2)
# A bank: its open row (-1: none), and the ticks in which its latest access ended.
OPEN, USED = range(2)


def parameters(memory: QueuedMemory) -> NDArray[np.int64]:
    """Parameters of a queued memory: int64[len(QueuedParameter)]."""
    row = np.zeros(len(QueuedParameter), np.int64)
    for parameter in QueuedParameter:
        name = parameter.name.lower()
        value = getattr(memory, name)
        row[parameter] = _PLACES[name].index(value) if name in _PLACES else value
    return row


def servers_at_doorbell(q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Servers that have served nothing, and banks with closed rows.

    Parameters
    ----------
    q : int64[len(QueuedParameter)]

    Returns
    -------
    servers : int64[3, ENDS + MOST_IN_FLIGHT]
    banks : int64[banks, 2]
    """
    servers = np.zeros((3, ENDS + MOST_IN_FLIGHT), np.int64)
    servers[:, LAST_PORT] = OTHERS
    servers[:, ENDS:] = -1
    servers[:, NEXT_OTHER] = UNKNOWN
    if q[Q.OTHER_PERIOD]:
        servers[0, NEXT_OTHER] = q[Q.OTHER_PERIOD] // 2
    banks = np.zeros((q[Q.BANKS], 2), np.int64)
    banks[:, OPEN] = -1
    return servers, banks


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
    burst : int64[2]
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
            late, before = port in (WRITES, OTHERS), chosen in (WRITES, OTHERS)
            if (before and not late) or (before == late and arrivals[port] < arrivals[chosen]):
                chosen = port
    burst[SERVER], burst[FROM] = s, best
    return chosen


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


@in_place
def served_until(q, servers, banks, burst, port, arrival, address, size):
    """Begin the burst that was chosen; count its service from its first access on.

    A row is opened as soon as the burst is there and its bank is free, whatever else is served then.

    Parameters
    ----------
    q, servers, burst
        Of :func:`take_next`.
    banks : int64[banks, 2]
        Changed.
    port : int
    arrival : int
        Cycle in which it came.
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
        # A master with a burst that waits asks for no other
        own[NEXT_OTHER] = max(own[NEXT_OTHER] + q[Q.OTHER_PERIOD], cycle_of(begin))
        own[LAST_PORT] = port
        taken(servers, burst, cycle_of(own[FREE]) + q[Q.READ_LATENCY])
        return own[FREE]
    writing = 1 if port == WRITES else 0
    begin += q[Q.BURST_CYCLES] * TICKS
    if writing != own[WRITING]:
        begin += q[Q.TURNAROUND_CYCLES] * TICKS
    width = q[Q.ACCESS_BYTES]
    step = q[Q.WRITE_TICKS] if writing else q[Q.READ_TICKS]
    accesses = (address + size - 1) // width - address // width + 1
    service = accesses * step
    if port == DESCRIPTORS and q[Q.DESCRIPTOR_TICKS]:
        service = q[Q.DESCRIPTOR_TICKS]
    end = begin + service
    if q[Q.ROW_CYCLES]:
        end = begin
        first, last = address // q[Q.ROW_BYTES], (address + size - 1) // q[Q.ROW_BYTES]
        for row in range(first, last + 1):
            bank = banks[row % q[Q.BANKS]]
            if bank[OPEN] != row:
                bank[OPEN] = row
                end = max(end, max(arrival * TICKS, bank[USED]) + q[Q.ROW_CYCLES] * TICKS)
            low, high = (
                max(address, row * q[Q.ROW_BYTES]),
                min(address + size, (row + 1) * q[Q.ROW_BYTES]),
            )
            end += service * (high - low) // size
            bank[USED] = end
    burst[FROM] = end - service
    own[FREE] = end
    own[LAST_PORT] = port
    own[WRITING] = writing
    return end
