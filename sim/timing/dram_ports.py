"""Bursts of LOAD and STORE on a DRAM: which comes next, and when it reaches the memory."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, kernel
from sim.arrays.schedule_columns import ADDRESS, ROW_STRIDE
from sim.spec.bus import BURST_BEATS, PAGE_BYTES
from sim.timing.calibration import Constant
from sim.timing.dram import DramParameter
from sim.timing.gathering import completed, fills_beats, held, segment
from sim.timing.transfer_unit import idle, last_stored_row, paced, segments, stored_turns

__all__ = [
    "ADDRESSED",
    "ANSWER",
    "ANSWERED",
    "ARRIVAL",
    "BEATS",
    "BEGIN",
    "BURSTS",
    "BURST_AT",
    "END",
    "LAST_BEAT",
    "LAST_OF",
    "LATEST_BEAT",
    "MOVED",
    "REQUEST",
    "UNKNOWN",
    "Port",
    "address_writes",
    "open_transfer",
    "port_at_doorbell",
    "request_read",
    "send_write",
    "slot_of",
    "take_beats",
    "take_read",
    "take_turn",
    "wait_for_turn",
]

UNKNOWN = 1 << 60
"""A cycle that cannot be said yet."""

# A unit's request side: the schedule row whose bursts it asks for (-1: none), where it is in it, bursts
# asked for so far, the last request's cycle, the earliest cycle of the next, the row's start.
ROW, GROUP, LINE, AT, LEFT, BURSTS, REQUEST, EARLIEST, BEGIN = range(9)
# Its data side: bursts so far, the last beat's cycle, the last response's, and the cycle in which the
# next burst reaches the memory (UNKNOWN: it cannot be said yet).
MOVED, END, ANSWERED, ARRIVAL = range(9, 13)
# LOADs that read the weight store: how many have started, and had their turn.
WAITING, TURNED = range(13, 15)
# Cycle of LOAD's last beat; END is later where that completes several vectors of a gathering LOAD.
LATEST_BEAT = 15
UNIT = 16

# Columns of the ring of LOADs that read the weight store: schedule row, start, rows of the store, and the bursts
# of the LOADs before it.
TURN_OF, TURN_BEGIN, TURN_ROWS, TURN_AFTER = range(4)

# Columns of the ring of a unit's latest bursts. ADDRESSED is when the memory takes its address, LAST_OF
# the schedule row that ends with it, or -1; PART_OF is LOAD's row, and AHEAD are the bytes of that row's present
# line before the burst.
BURST_AT, BEATS, FIRST_BEAT, LAST_BEAT, ADDRESSED, ANSWER, LAST_OF, PART_OF, AHEAD = range(9)
BURST = 9


class Port(NamedTuple):
    """LOAD or STORE between two bursts.

    Parameters
    ----------
    unit : int64[UNIT]
    ring : int64[n, BURST]
        The latest bursts.
    credit : int64[…]
        State of the pacing, of :func:`sim.timing.transfer_unit.idle`.
    turns : int64[m, 4]
        LOADs that wait for their turn to read the weight store.
    """

    unit: NDArray[np.int64]
    ring: NDArray[np.int64]
    credit: NDArray[np.int64]
    turns: NDArray[np.int64]


@kernel
def port_at_doorbell(hw, constants, bursts):
    """Port that has moved nothing and remembers that many bursts."""
    unit = np.zeros(UNIT, np.int64)
    unit[ROW] = -1
    unit[REQUEST] = unit[END] = unit[ANSWERED] = -1
    unit[ARRIVAL] = UNKNOWN
    turns = np.zeros((constants[Constant.TRANSFERS], 4), np.int64)
    return Port(unit, np.zeros((bursts, BURST), np.int64), idle(hw, constants), turns)


@in_place
def slot_of(port, number):
    """Row of the ring for a burst, by its number on the port."""
    return number % len(port.ring)


@in_place
def open_transfer(port, i, row, hw, begin, delay):
    """Take schedule row `i`, begun in cycle `begin`, whose first request may come `delay` later."""
    unit = port.unit
    unit[ROW] = i
    unit[GROUP] = unit[LINE] = 0
    unit[AT], unit[LEFT], _ = segment(row, hw, 0, 0)
    unit[BEGIN] = begin
    unit[EARLIEST] = begin + delay


@in_place
def wait_for_turn(port, i, row, begin):
    """Put schedule row `i`, which reads the weight store and began in cycle `begin`, in line."""
    own = port.turns[port.unit[WAITING] % len(port.turns)]
    own[TURN_OF], own[TURN_BEGIN] = i, begin
    own[TURN_ROWS], own[TURN_AFTER] = stored_turns(row), port.unit[BURSTS]
    port.unit[WAITING] += 1


@in_place
def take_turn(port, constants):
    """Let the oldest LOAD in line read the weight store, if all data before it has come.

    Returns
    -------
    int
        Its schedule row, or -1. The last row is read in the cycle that END has then.
    """
    unit = port.unit
    if unit[TURNED] == unit[WAITING]:
        return -1
    own = port.turns[unit[TURNED] % len(port.turns)]
    if unit[MOVED] < own[TURN_AFTER]:
        return -1
    unit[END] = last_stored_row(own[TURN_ROWS], constants, own[TURN_BEGIN], unit[END])
    unit[TURNED] += 1
    return own[TURN_OF]


@in_place
def _next_beats(unit, bus):
    """Beats of the next burst: at most 256, not over a 4 KiB page."""
    return min(unit[LEFT], BURST_BEATS, (PAGE_BYTES - unit[AT] % PAGE_BYTES) // bus)


@in_place
def _pass(unit, row, hw, beats, request):
    """Go past a burst requested in cycle `request`; return whether the descriptor has no more."""
    unit[BURSTS] += 1
    unit[REQUEST] = request
    unit[EARLIEST] = request + 1
    unit[AT] += beats * hw.bus_bytes
    unit[LEFT] -= beats
    if unit[LEFT] > 0:
        return False
    groups, lines = segments(row)
    unit[LINE] += 1
    if unit[LINE] == lines:
        unit[LINE] = 0
        unit[GROUP] += 1
    unit[AT], unit[LEFT], _ = segment(row, hw, unit[GROUP], unit[LINE])
    if unit[GROUP] < groups:
        return False
    unit[ROW] = -1
    return True


@in_place
def request_read(port, constants):
    """Find the arrival of LOAD's next burst, which is its request."""
    unit = port.unit
    depth = constants[Constant.READ_BURSTS]
    if unit[ROW] < 0 or unit[MOVED] <= unit[BURSTS] - depth:
        unit[ARRIVAL] = UNKNOWN
        return
    unit[ARRIVAL] = unit[EARLIEST]
    if unit[BURSTS] >= depth:
        last = port.ring[slot_of(port, unit[BURSTS] - depth), LAST_BEAT]
        unit[ARRIVAL] = max(unit[ARRIVAL], last + constants[Constant.LOAD_REUSE])


@in_place
def take_read(port, rows, hw):
    """Request LOAD's next burst in the cycle of its arrival.

    Returns
    -------
    int
        Its number on the port.
    """
    unit = port.unit
    number, i = unit[BURSTS], unit[ROW]
    burst = port.ring[slot_of(port, number)]
    burst[BURST_AT] = unit[AT]
    burst[PART_OF] = i
    burst[AHEAD] = unit[AT] - rows[i, ADDRESS] - unit[LINE] * rows[i, ROW_STRIDE]
    burst[BEATS] = _next_beats(unit, hw.bus_bytes)
    burst[ADDRESSED] = unit[ARRIVAL]
    ended = _pass(unit, rows[i], hw, burst[BEATS], unit[ARRIVAL])
    burst[LAST_OF] = i if ended else -1
    return number


@in_place
def take_beats(port, rows, hw, burst, there, given, beats):
    """Let LOAD take beats ``given`` … of a burst, which are at the port from cycle ``there`` on, one per cycle."""
    unit, row = port.unit, rows[burst[PART_OF]]
    if fills_beats(row, hw):
        unit[LATEST_BEAT] = paced(port.credit, hw, max(there, unit[END] + 1), beats)
        unit[END] = unit[LATEST_BEAT] + held(row, hw, burst[AHEAD], given + beats)
        return
    for beat in range(given, given + beats):
        unit[LATEST_BEAT] = paced(port.credit, hw, max(there, unit[END] + 1), 1)
        vectors = completed(row, hw, burst[AHEAD] + beat * hw.bus_bytes)
        unit[END] = unit[LATEST_BEAT] + max(1, vectors) - 1


@in_place
def address_writes(port, rows, hw, constants, p):
    """Give STORE's addresses as far ahead of the data as they are known.

    Returns
    -------
    int
        Cycle of the descriptor's last address, or UNKNOWN.
    """
    unit = port.unit
    depth, queue = constants[Constant.WRITE_BURSTS], p[DramParameter.WRITE_BURSTS]
    ahead = constants[Constant.STORE_BEAT] - constants[Constant.STORE_ADDRESS]
    while unit[ROW] >= 0:
        k, i = unit[BURSTS], unit[ROW]
        request = unit[EARLIEST]
        if k >= depth:
            if unit[MOVED] <= k - depth:
                return UNKNOWN
            last = port.ring[slot_of(port, k - depth), LAST_BEAT]
            request = max(request, last + constants[Constant.STORE_REUSE] - ahead)
        # The data follows the address's offer, whether or not the memory takes it at once
        offer = request
        if k >= queue:
            answer = port.ring[slot_of(port, k - queue), ANSWER]
            if answer == UNKNOWN:
                return UNKNOWN
            request = max(request, answer + 1)
        burst = port.ring[slot_of(port, k)]
        first = unit[AT] == rows[i, ADDRESS] and unit[GROUP] == 0 and unit[LINE] == 0
        burst[BURST_AT] = unit[AT]
        burst[BEATS] = _next_beats(unit, hw.bus_bytes)
        burst[ADDRESSED] = request
        burst[FIRST_BEAT] = offer + constants[Constant.STORE_LAG]
        if first:
            burst[FIRST_BEAT] = max(burst[FIRST_BEAT], unit[BEGIN] + constants[Constant.STORE_BEAT])
        burst[ANSWER] = UNKNOWN
        ended = _pass(unit, rows[i], hw, burst[BEATS], request)
        burst[LAST_OF] = i if ended else -1
        if ended:
            return request
    return UNKNOWN


@in_place
def send_write(port, hw):
    """Find the arrival of STORE's next burst: its last beat, or its address where that comes later."""
    unit = port.unit
    if unit[ARRIVAL] != UNKNOWN or unit[MOVED] == unit[BURSTS]:
        return
    burst = port.ring[slot_of(port, unit[MOVED])]
    unit[END] = paced(port.credit, hw, max(burst[FIRST_BEAT], unit[END] + 1), burst[BEATS])
    burst[LAST_BEAT] = unit[END]
    unit[MOVED] += 1
    unit[ARRIVAL] = max(unit[END], burst[ADDRESSED])
