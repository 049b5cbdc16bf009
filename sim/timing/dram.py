"""The DRAM of tier T3 at the level of bursts: closed forms of what the harness steps through.

A burst is cut at page boundaries and at refreshes into runs of column accesses that follow each
other without a gap; a run is reckoned in one step. Times are clocks of the memory.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import kernel

__all__ = [
    "BANK_COLUMNS",
    "MEASURED",
    "PIECES",
    "DramParameter",
    "DramState",
    "initial_state",
    "read_burst",
    "write_burst",
]

PIECES = 64
"""Most pieces of a burst: far more than its pages and the refreshes within it."""

NEVER = 1 << 30


class DramParameter(IntEnum):
    """Parameters of the memory and of the ports to it.

    First what the memory is made of. Then intervals in clocks of the memory. Latencies reach from the
    column command to the port, closing all rows is within REFRESH. From FETCH_DELAY on, and START,
    cycles of the accelerator: from the beginning of the refresh calendar to cycle 0; from a
    descriptor's last beat to its queue; from a start to LOAD's first request, to STORE's first
    address and to its first beat; from an address to its burst's first beat.
    """

    CLOCK_MHZ = 0
    MEMORY_MHZ = 1
    ACCESS_BYTES = 2
    PAGE_BYTES = 3
    BANKS = 4
    WRITE_QUEUE = 5
    START = 6
    FRONT = 7
    READ_LATENCY = 8
    WRITE_LATENCY = 9
    COLUMN = 10
    ROW_TO_COLUMN = 11
    PRECHARGE = 12
    ROW_ACTIVE = 13
    ROW_TO_ROW = 14
    FOUR_ROWS = 15
    READ_TO_PRECHARGE = 16
    WRITE_TO_PRECHARGE = 17
    READ_TO_WRITE = 18
    WRITE_TO_READ = 19
    REFRESH_INTERVAL = 20
    REFRESH = 21
    FETCH_DELAY = 22
    LOAD_REQUEST = 23
    STORE_ADDRESS = 24
    STORE_BEAT = 25
    STORE_LAG = 26


MEASURED = tuple(p for p in DramParameter if p >= DramParameter.START)
"""Parameters that calibration finds; the others say what the memory is made of."""


class DramState(IntEnum):
    """The channel's state; after BANKS come `BANK_COLUMNS` values for each bank."""

    LAST_COLUMN = 0
    LAST_WRITE = 1
    ROWS = 2
    NEXT_REFRESH = 6
    BANKS = 7


BANK_COLUMNS = 4
"""Columns of a bank's state: open row (-1: none), earliest column command, precharge and activate."""

OPEN, COLUMN_AT, PRECHARGE_AT, ACTIVATE_AT = range(BANK_COLUMNS)


def initial_state(parameters: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows closed, the refresh calendar at its beginning.

    Parameters
    ----------
    parameters : int64[len(DramParameter)]
    """
    state = np.zeros(
        DramState.BANKS + BANK_COLUMNS * int(parameters[DramParameter.BANKS]), np.int64
    )
    state[DramState.LAST_COLUMN] = -NEVER
    state[DramState.ROWS : DramState.ROWS + 4] = -NEVER
    state[DramState.NEXT_REFRESH] = parameters[DramParameter.REFRESH_INTERVAL]
    state[DramState.BANKS :: BANK_COLUMNS] = -1
    return state


@kernel
def _clock(p, cycle):
    """First memory clock that is not before a cycle."""
    ticks = (cycle + p[DramParameter.START]) * p[DramParameter.MEMORY_MHZ]
    return (ticks + p[DramParameter.CLOCK_MHZ] - 1) // p[DramParameter.CLOCK_MHZ]


@kernel
def _cycle(p, clock):
    """First cycle that is not before a memory clock."""
    ticks = clock * p[DramParameter.CLOCK_MHZ] + p[DramParameter.MEMORY_MHZ] - 1
    return ticks // p[DramParameter.MEMORY_MHZ] - p[DramParameter.START]


@kernel
def _refresh(state, p, now):
    """All refreshes that are due until `now`; those of an idle time in one step."""
    interval = p[DramParameter.REFRESH_INTERVAL]
    while state[DramState.NEXT_REFRESH] <= now:
        start = state[DramState.NEXT_REFRESH]
        for bank in range(p[DramParameter.BANKS]):
            b = DramState.BANKS + BANK_COLUMNS * bank
            ready = state[b + PRECHARGE_AT] if state[b + OPEN] >= 0 else state[b + ACTIVATE_AT]
            start = max(start, ready)
        end = start + p[DramParameter.REFRESH]
        for bank in range(p[DramParameter.BANKS]):
            b = DramState.BANKS + BANK_COLUMNS * bank
            state[b + OPEN] = -1
            state[b + ACTIVATE_AT] = end
        state[DramState.NEXT_REFRESH] += interval
        idle = (now - max(end, state[DramState.NEXT_REFRESH])) // interval
        if idle > 0:
            state[DramState.NEXT_REFRESH] += idle * interval


@kernel
def _activate(state, p, b, row, earliest):
    if state[b + OPEN] >= 0:
        closed = max(earliest, state[b + PRECHARGE_AT])
        state[b + ACTIVATE_AT] = closed + p[DramParameter.PRECHARGE]
    rows = DramState.ROWS
    now = max(earliest, state[b + ACTIVATE_AT])
    now = max(now, state[rows + 3] + p[DramParameter.ROW_TO_ROW])
    now = max(now, state[rows] + p[DramParameter.FOUR_ROWS])
    for i in range(3):
        state[rows + i] = state[rows + i + 1]
    state[rows + 3] = now
    state[b + OPEN] = row
    state[b + COLUMN_AT] = now + p[DramParameter.ROW_TO_COLUMN]
    state[b + PRECHARGE_AT] = now + p[DramParameter.ROW_ACTIVE]


@kernel
def _run(state, p, write, first, count, earliest):
    """Accesses in one page, from number `first` on, up to the next refresh.

    Returns
    -------
    column : int
        Clock of the first column command.
    done : int
        Accesses that were made, 1 to `count`.
    """
    step = p[DramParameter.COLUMN]
    _refresh(state, p, max(earliest, state[DramState.LAST_COLUMN] + step))
    page = first * p[DramParameter.ACCESS_BYTES] // p[DramParameter.PAGE_BYTES]
    b = DramState.BANKS + BANK_COLUMNS * (page % p[DramParameter.BANKS])
    row = page // p[DramParameter.BANKS]
    if state[b + OPEN] != row:
        _activate(state, p, b, row, earliest)
    gap = step
    if write and not state[DramState.LAST_WRITE]:
        gap = p[DramParameter.READ_TO_WRITE]
    if not write and state[DramState.LAST_WRITE]:
        gap = p[DramParameter.WRITE_TO_READ]
    column = max(earliest, max(state[b + COLUMN_AT], state[DramState.LAST_COLUMN] + gap))
    # Access i > 0 could be at column + i * step; it comes before the refresh if that is earlier.
    free = 1 + max(0, (state[DramState.NEXT_REFRESH] - 1 - column) // step)
    done = min(count, free)
    last = column + (done - 1) * step
    recovery = DramParameter.WRITE_TO_PRECHARGE if write else DramParameter.READ_TO_PRECHARGE
    state[b + PRECHARGE_AT] = max(state[b + PRECHARGE_AT], last + p[recovery])
    state[DramState.LAST_COLUMN] = last
    state[DramState.LAST_WRITE] = 1 if write else 0
    return column, done


@kernel
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
    size = p[DramParameter.ACCESS_BYTES]
    per_page = p[DramParameter.PAGE_BYTES] // size
    earliest = _clock(p, arrival) + p[DramParameter.FRONT]
    at = address // size
    end = (address + beats * beat_bytes - 1) // size + 1
    given, n = 0, 0
    while at < end:
        count = min(end - at, per_page - at % per_page)
        column, done = _run(state, p, False, at, count, earliest)
        there = column + p[DramParameter.READ_LATENCY]
        # A first access may hold less than the others: it is a piece of its own.
        for until in (at + 1, at + done):
            arrived = min(beats, (until * size - address) // beat_bytes)
            if arrived > given:
                access = (address + (given + 1) * beat_bytes - 1) // size
                pieces[n, 0] = _cycle(p, there + (access - at) * p[DramParameter.COLUMN])
                pieces[n, 1] = arrived - given
                given, n = arrived, n + 1
        at += done
    return n


@kernel
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
    size = p[DramParameter.ACCESS_BYTES]
    per_page = p[DramParameter.PAGE_BYTES] // size
    earliest = _clock(p, arrival) + p[DramParameter.FRONT]
    at = address // size
    end = (address + beats * beat_bytes - 1) // size + 1
    while at < end:
        count = min(end - at, per_page - at % per_page)
        _, done = _run(state, p, True, at, count, earliest)
        at += done
    return _cycle(p, state[DramState.LAST_COLUMN] + p[DramParameter.WRITE_LATENCY])
