"""The DRAM of tier T3 at the level of bursts: closed forms of what the harness steps through.

A burst is cut at page boundaries and at refreshes into runs of column accesses that follow each
other without a gap; a run is reckoned in one step. Times are clocks of the memory.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place

__all__ = [
    "MEASURED",
    "PIECES",
    "DramParameter",
    "activate",
    "bank_of",
    "clock_of",
    "column",
    "column_at",
    "cycle_of",
    "initial_state",
    "read_burst",
    "refresh_until",
    "row_of",
    "write_burst",
]

PIECES = 264
"""Most pieces of a burst: as many as its accesses, of 16 bytes at least."""

NEVER = 1 << 30


class DramParameter(IntEnum):
    """Parameters of the memory and of the ports to it.

    First what memory and controller are made of. Then intervals in clocks of the memory; those that end in
    LONG are within a bank group. Latencies reach from the column command to the port, closing all rows is
    within REFRESH. START is in cycles of the accelerator: from the beginning of the refresh calendar to
    cycle 0.
    """

    CLOCK_MHZ = 0
    MEMORY_MHZ = 1
    ACCESS_BYTES = 2
    PAGE_BYTES = 3
    BANKS = 4
    BANK_GROUPS = 5
    WRITE_BURSTS = 6
    REORDER = 7
    QUEUE = 8
    WRITE_HIGH = 9
    WRITE_LOW = 10
    STARVATION = 11
    START = 12
    FRONT = 13
    READ_LATENCY = 14
    WRITE_LATENCY = 15
    COLUMN = 16
    COLUMN_LONG = 17
    ROW_TO_READ = 18
    ROW_TO_WRITE = 19
    PRECHARGE = 20
    ROW_ACTIVE = 21
    ROW_TO_ROW = 22
    ROW_TO_ROW_LONG = 23
    FOUR_ROWS = 24
    READ_TO_PRECHARGE = 25
    WRITE_TO_PRECHARGE = 26
    READ_TO_WRITE = 27
    WRITE_TO_READ = 28
    WRITE_TO_READ_LONG = 29
    REFRESH_INTERVAL = 30
    REFRESH = 31


MEASURED = tuple(p for p in DramParameter if p >= DramParameter.START)
"""Parameters that calibration finds; the others say what the memory is made of."""

# State of the channel: the latest columns of either direction, the latest activates, oldest first, and
# the next refresh. Then of each group its latest columns and activate, then of each bank its open row
# (-1: none), when that was opened, and the earliest precharge and activate.
LAST_READ, LAST_WRITE, ROWS = range(3)
NEXT_REFRESH, GROUPS = 6, 7
GROUP_READ, GROUP_WRITE, GROUP_ROW, GROUP_COLUMNS = range(4)
OPEN, OPENED, PRECHARGE_AT, ACTIVATE_AT, BANK_COLUMNS = range(5)


def initial_state(parameters: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows closed, the refresh calendar at its beginning.

    Parameters
    ----------
    parameters : int64[len(DramParameter)]
    """
    banks = GROUPS + GROUP_COLUMNS * int(parameters[DramParameter.BANK_GROUPS])
    state = np.zeros(banks + BANK_COLUMNS * int(parameters[DramParameter.BANKS]), np.int64)
    state[:banks] = -NEVER
    state[NEXT_REFRESH] = parameters[DramParameter.REFRESH_INTERVAL]
    state[banks + OPEN :: BANK_COLUMNS] = -1
    return state


@in_place
def clock_of(p, cycle):
    """First memory clock that is not before a cycle."""
    ticks = (cycle + p[DramParameter.START]) * p[DramParameter.MEMORY_MHZ]
    return (ticks + p[DramParameter.CLOCK_MHZ] - 1) // p[DramParameter.CLOCK_MHZ]


@in_place
def cycle_of(p, clock):
    """First cycle that is not before a memory clock."""
    ticks = clock * p[DramParameter.CLOCK_MHZ] + p[DramParameter.MEMORY_MHZ] - 1
    return ticks // p[DramParameter.MEMORY_MHZ] - p[DramParameter.START]


@in_place
def _group(p, group):
    """Place of a group in the state."""
    return GROUPS + GROUP_COLUMNS * group


@in_place
def bank_of(p, access):
    """Place in the state of the bank that an access, by its number, lies in."""
    groups = p[DramParameter.BANK_GROUPS]
    in_group = p[DramParameter.BANKS] // groups
    stripe = access * p[DramParameter.ACCESS_BYTES] // (p[DramParameter.PAGE_BYTES] * groups)
    bank = stripe % in_group * groups + access % groups
    return GROUPS + GROUP_COLUMNS * groups + BANK_COLUMNS * bank


@in_place
def row_of(p, access):
    """Row of its bank that an access, by its number, lies in."""
    row_bytes = p[DramParameter.PAGE_BYTES] * p[DramParameter.BANKS]
    return access * p[DramParameter.ACCESS_BYTES] // row_bytes


@in_place
def refresh_until(state, p, now):
    """All refreshes that are due until `now`; those of an idle time in one step."""
    interval, banks = p[DramParameter.REFRESH_INTERVAL], _group(p, p[DramParameter.BANK_GROUPS])
    while state[NEXT_REFRESH] <= now:
        start = state[NEXT_REFRESH]
        for b in range(banks, len(state), BANK_COLUMNS):
            ready = state[b + PRECHARGE_AT] if state[b + OPEN] >= 0 else state[b + ACTIVATE_AT]
            start = max(start, ready)
        end = start + p[DramParameter.REFRESH]
        for b in range(banks, len(state), BANK_COLUMNS):
            state[b + OPEN] = -1
            state[b + ACTIVATE_AT] = end
        state[NEXT_REFRESH] += interval
        idle = (now - max(end, state[NEXT_REFRESH])) // interval
        if idle > 0:
            state[NEXT_REFRESH] += idle * interval


@in_place
def activate_at(state, p, access):
    """Earliest activate of a closed bank, by its own time and the channel's."""
    g = _group(p, access % p[DramParameter.BANK_GROUPS])
    return max(
        state[bank_of(p, access) + ACTIVATE_AT],
        state[ROWS + 3] + p[DramParameter.ROW_TO_ROW],
        state[g + GROUP_ROW] + p[DramParameter.ROW_TO_ROW_LONG],
        state[ROWS] + p[DramParameter.FOUR_ROWS],
    )


@in_place
def activate(state, p, access, now):
    """Open the row of an access in clock `now`."""
    b = bank_of(p, access)
    for i in range(ROWS, ROWS + 3):
        state[i] = state[i + 1]
    state[ROWS + 3] = now
    state[_group(p, access % p[DramParameter.BANK_GROUPS]) + GROUP_ROW] = now
    state[b + OPEN] = row_of(p, access)
    state[b + OPENED] = now
    state[b + PRECHARGE_AT] = now + p[DramParameter.ROW_ACTIVE]


@in_place
def column_at(state, p, write, access):
    """Earliest column command of an access whose row is open."""
    g = _group(p, access % p[DramParameter.BANK_GROUPS])
    opened = state[bank_of(p, access) + OPENED]
    if write:
        return max(
            opened + p[DramParameter.ROW_TO_WRITE],
            state[LAST_WRITE] + p[DramParameter.COLUMN],
            state[g + GROUP_WRITE] + p[DramParameter.COLUMN_LONG],
            state[LAST_READ] + p[DramParameter.READ_TO_WRITE],
        )
    return max(
        max(opened + p[DramParameter.ROW_TO_READ], state[LAST_READ] + p[DramParameter.COLUMN]),
        state[g + GROUP_READ] + p[DramParameter.COLUMN_LONG],
        state[LAST_WRITE] + p[DramParameter.WRITE_TO_READ],
        state[g + GROUP_WRITE] + p[DramParameter.WRITE_TO_READ_LONG],
    )


@in_place
def column(state, p, write, access, now):
    """Read or write the open row in clock `now`."""
    b = bank_of(p, access)
    g = _group(p, access % p[DramParameter.BANK_GROUPS])
    if write:
        recovery = p[DramParameter.WRITE_TO_PRECHARGE]
        state[LAST_WRITE] = state[g + GROUP_WRITE] = now
    else:
        recovery = p[DramParameter.READ_TO_PRECHARGE]
        state[LAST_READ] = state[g + GROUP_READ] = now
    state[b + PRECHARGE_AT] = max(state[b + PRECHARGE_AT], now + recovery)


@in_place
def _access(state, p, write, access, earliest):
    """Clock of an access's column command, with what has to come before it."""
    last = max(state[LAST_READ], state[LAST_WRITE])
    refresh_until(state, p, max(earliest, last + p[DramParameter.COLUMN]))
    b = bank_of(p, access)
    if state[b + OPEN] != row_of(p, access):
        if state[b + OPEN] >= 0:
            closed = max(earliest, state[b + PRECHARGE_AT])
            state[b + ACTIVATE_AT] = closed + p[DramParameter.PRECHARGE]
        activate(state, p, access, max(earliest, activate_at(state, p, access)))
    now = max(earliest, column_at(state, p, write, access))
    column(state, p, write, access, now)
    return now


@in_place
def _run(state, p, write, first, count, earliest, turn):
    """Accesses in one row of every group, from number `first` on, up to the next refresh.

    The groups take turns. Once each group has had an access, the next follow by COLUMN each, as
    COLUMN_LONG is no longer than a turn.

    Parameters
    ----------
    turn : int
        Accesses to these rows just before, by this burst.

    Returns
    -------
    column : int
        Clock of the first column command.
    done : int
        Accesses that were made, 1 to `count`.
    turn : int
    """
    groups, step = p[DramParameter.BANK_GROUPS], p[DramParameter.COLUMN]
    refresh = state[NEXT_REFRESH]
    begin = _access(state, p, write, first, earliest)
    turn = turn + 1 if state[NEXT_REFRESH] == refresh else 1
    if turn < groups:
        return begin, 1, turn
    # Access i > 0 could be at begin + i * step; it comes before the refresh if that is earlier.
    free = 1 + max(0, (state[NEXT_REFRESH] - 1 - begin) // step)
    done = min(count, free)
    for i in range(max(1, done - groups), done):
        column(state, p, write, first + i, begin + i * step)
    return begin, done, turn


@in_place
def _stripe(p):
    """Accesses to one row of every group."""
    return (
        p[DramParameter.PAGE_BYTES] * p[DramParameter.BANK_GROUPS] // p[DramParameter.ACCESS_BYTES]
    )


@in_place
def read_burst(state, p, address, beats, beat_bytes, arrival, pieces):
    """Schedule a read burst; bursts must be given in the order of their arrival.

    Parameters
    ----------
    state : int64[…]
        :func:`initial_state`, changed in place.
    p : int64[len(DramParameter)]
    address, beats, beat_bytes : int
    arrival : int
        Cycle of the address's handshake.
    pieces : int64[PIECES, 2]
        Receives (cycle, beats): that many beats, one per cycle at the earliest, are at the port
        from that cycle on.

    Returns
    -------
    int
        Number of pieces.
    """
    size, stripe = p[DramParameter.ACCESS_BYTES], _stripe(p)
    earliest = clock_of(p, arrival) + p[DramParameter.FRONT]
    at = address // size
    end = (address + beats * beat_bytes - 1) // size + 1
    given, n, turn = 0, 0, 0
    while at < end:
        count = min(end - at, stripe - at % stripe)
        begin, done, turn = _run(state, p, False, at, count, earliest, turn)
        there = begin + p[DramParameter.READ_LATENCY]
        # A first access may hold less than the others: it is a piece of its own.
        for until in (at + 1, at + done):
            arrived = min(beats, (until * size - address) // beat_bytes)
            if arrived > given:
                access = (address + (given + 1) * beat_bytes - 1) // size
                pieces[n, 0] = cycle_of(p, there + (access - at) * p[DramParameter.COLUMN])
                pieces[n, 1] = arrived - given
                given, n = arrived, n + 1
        at += done
        if done == count:
            turn = 0
    return n


@in_place
def write_burst(state, p, address, beats, beat_bytes, arrival):
    """Schedule a write burst; see :func:`read_burst`.

    Parameters
    ----------
    arrival : int
        Cycle of the last beat's handshake.

    Returns
    -------
    int
        Cycle in which the response is at the port.
    """
    size, stripe = p[DramParameter.ACCESS_BYTES], _stripe(p)
    earliest = clock_of(p, arrival) + p[DramParameter.FRONT]
    at = address // size
    end = (address + beats * beat_bytes - 1) // size + 1
    turn = 0
    while at < end:
        count = min(end - at, stripe - at % stripe)
        _, done, turn = _run(state, p, True, at, count, earliest, turn)
        at += done
        if done == count:
            turn = 0
    return cycle_of(p, state[LAST_WRITE] + p[DramParameter.WRITE_LATENCY])
