"""A DRAM controller that reorders: FR-FCFS over the accesses that wait, from event to event.

Reads and writes wait in a queue each, in the order of arrival. In every clock of the memory the controller
makes the first of these that is possible, among the oldest accesses of the direction that it
serves: the column access of an open row, an activate, a precharge (docs/reference/dram.md). Here clocks in which
nothing is possible are not looked at: the next command is that whose clock comes first.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, kernel
from sim.timing.calibration import Constant
from sim.timing.dram import (
    ACTIVATE_AT,
    NEXT_REFRESH,
    OPEN,
    PIECES,
    PRECHARGE_AT,
    DramParameter,
    activate,
    activate_at,
    bank_of,
    column,
    column_at,
    refresh_until,
    row_of,
)

__all__ = [
    "ANSWERED_BURSTS",
    "FETCH",
    "LATEST",
    "LEFT",
    "LOAD",
    "NOTHING",
    "STORE",
    "Controller",
    "access_clock",
    "advance",
    "enqueue",
    "idle_controller",
]

FAR = 1 << 60

LOAD, STORE, FETCH, NOTHING = range(4)
"""Ports, and what :func:`advance` returns when no access was made."""

# Counts of the controller: the clock, whether it serves writes, begin and end of the reads and of the writes
# that wait, and STORE's bursts that are answered.
NOW, DRAINING, FIRST_READ, END_READ, FIRST_WRITE, END_WRITE, ANSWERED_BURSTS = range(7)
# Columns of an access that waits: its number in memory, the clock from which on it can be chosen, its
# port, its burst and its place in that.
ACCESS, ENTERS, PORT, BURST, INDEX = range(5)
# Columns of a burst: accesses that are not made, the latest column's clock, then every column's.
LEFT, LATEST, CLOCKS = range(3)

COLUMN_COMMAND, ACTIVATE_COMMAND, PRECHARGE_COMMAND = range(3)


class Controller(NamedTuple):
    """Controller between two commands.

    Parameters
    ----------
    counts : int64[7]
    waiting : int64[2, n, 5]
        Accesses that wait, reads and writes.
    bursts : int64[3, n, CLOCKS + PIECES]
        The latest bursts of every port, by their numbers modulo n.
    """

    counts: NDArray[np.int64]
    waiting: NDArray[np.int64]
    bursts: NDArray[np.int64]


@kernel
def idle_controller(constants, p):
    """Controller in which nothing waits."""
    held = max(
        constants[Constant.READ_BURSTS],
        constants[Constant.WRITE_BURSTS],
        p[DramParameter.WRITE_BURSTS],
        constants[Constant.FETCH_DEPTH] + 1,
    )
    # Twice as long as what can wait, so that it is seldom moved to the front.
    return Controller(
        np.zeros(7, np.int64),
        np.empty((2, 4 * held * PIECES, 5), np.int64),
        np.zeros((3, held, CLOCKS + PIECES), np.int64),
    )


@in_place
def access_clock(controller, port, burst, index):
    """Clock of a burst's column command for its access `index`."""
    return controller.bursts[port, burst % controller.bursts.shape[1], CLOCKS + index]


@in_place
def enqueue(p, controller, port, number, address, size_bytes, enters):
    """Let a burst's accesses wait, from clock `enters` on."""
    counts = controller.counts
    direction = 1 if port == STORE else 0
    waiting = controller.waiting[direction]
    begin, end = FIRST_READ + 2 * direction, END_READ + 2 * direction
    if counts[end] + PIECES > len(waiting):
        count = counts[end] - counts[begin]
        for i in range(count):
            for j in range(waiting.shape[1]):
                waiting[i, j] = waiting[counts[begin] + i, j]
        counts[begin], counts[end] = 0, count
    size = p[DramParameter.ACCESS_BYTES]
    first = address // size
    count = (address + size_bytes - 1) // size + 1 - first
    for i in range(count):
        access = waiting[counts[end] + i]
        access[ACCESS], access[ENTERS] = first + i, enters
        access[PORT], access[BURST], access[INDEX] = port, number, i
    counts[end] += count
    burst = controller.bursts[port, number % controller.bursts.shape[1]]
    burst[LEFT], burst[LATEST] = count, 0


@in_place
def _ready(p, counts, waiting, direction):
    """Accesses of a direction that can be chosen now."""
    begin = counts[FIRST_READ + 2 * direction]
    most = min(counts[END_READ + 2 * direction] - begin, p[DramParameter.QUEUE])
    count = 0
    while count < most and waiting[direction, begin + count, ENTERS] <= counts[NOW]:
        count += 1
    return count


@in_place
def _starves_at(p, counts, waiting, direction):
    """Clock from which on the oldest access of a direction has waited for too long."""
    oldest = waiting[direction, counts[FIRST_READ + 2 * direction], ENTERS]
    return oldest + p[DramParameter.STARVATION] + 1


@in_place
def _change(p, counts, waiting, direction, ready):
    """Clock in which another access of a direction can be chosen, or its oldest starves."""
    begin, end = counts[FIRST_READ + 2 * direction], counts[END_READ + 2 * direction]
    change = FAR
    if ready < min(end - begin, p[DramParameter.QUEUE]):
        change = waiting[direction, begin + ready, ENTERS]
    if ready > 0:
        starves = _starves_at(p, counts, waiting, direction)
        if starves > counts[NOW]:
            change = min(change, starves)
    return change


@in_place
def _choose(p, counts, waiting, reads, writes):
    """Choose the direction."""
    if reads == 0 or writes == 0:
        counts[DRAINING] = 1 if writes > 0 else 0
        return
    mark = DramParameter.WRITE_LOW if counts[DRAINING] else DramParameter.WRITE_HIGH
    drain = writes > p[mark] if counts[DRAINING] else writes >= p[mark]
    drain |= _starves_at(p, counts, waiting, 1) <= counts[NOW]
    counts[DRAINING] = 1 if drain else 0


@in_place
def _wanted(p, state, waiting, begin, candidates, bank):
    """Whether a candidate wants the open row of a bank."""
    for i in range(begin, begin + candidates):
        access = waiting[i, ACCESS]
        if bank_of(p, access) == bank and state[bank + OPEN] == row_of(p, access):
            return True
    return False


@in_place
def _next_command(state, p, waiting, begin, candidates, write, now):
    """Find the command that is possible first, from `now` on.

    Returns
    -------
    clock, kind, place : int
        `place` in `waiting`. Of those of a clock it is the first kind's oldest.
    """
    best, kind, place = FAR, COLUMN_COMMAND, begin
    for i in range(begin, begin + candidates):
        access = waiting[i, ACCESS]
        b = bank_of(p, access)
        if state[b + OPEN] == row_of(p, access):
            at, own = column_at(state, p, write, access), COLUMN_COMMAND
        elif state[b + OPEN] < 0:
            at, own = activate_at(state, p, access), ACTIVATE_COMMAND
        else:
            at, own = state[b + PRECHARGE_AT], PRECHARGE_COMMAND
        at = max(at, now)
        if at > best or (at == best and own >= kind):
            continue
        if own == PRECHARGE_COMMAND and _wanted(p, state, waiting, begin, candidates, b):
            continue
        best, kind, place = at, own, i
    return best, kind, place


@in_place
def _remove(counts, waiting, direction, place):
    """Take an access out of its queue; those before it move up."""
    begin = FIRST_READ + 2 * direction
    for i in range(place, counts[begin], -1):
        for j in range(waiting.shape[2]):
            waiting[direction, i, j] = waiting[direction, i - 1, j]
    counts[begin] += 1


@in_place
def advance(state, p, controller, limit):
    """Make commands before clock `limit`, up to the first column command.

    Returns
    -------
    int
        The port whose access was made, or NOTHING.
    """
    counts, waiting = controller.counts, controller.waiting
    while counts[NOW] < limit:
        if counts[FIRST_READ] == counts[END_READ] and counts[FIRST_WRITE] == counts[END_WRITE]:
            if limit < FAR:
                counts[NOW] = limit
            return NOTHING
        now = counts[NOW]
        refresh_until(state, p, now)
        reads, writes = _ready(p, counts, waiting, 0), _ready(p, counts, waiting, 1)
        horizon = min(limit, state[NEXT_REFRESH])
        horizon = min(horizon, _change(p, counts, waiting, 0, reads))
        horizon = min(horizon, _change(p, counts, waiting, 1, writes))
        if reads + writes == 0:
            counts[NOW] = horizon
            continue
        _choose(p, counts, waiting, reads, writes)
        direction = counts[DRAINING]
        candidates = writes if direction else reads
        if _starves_at(p, counts, waiting, direction) <= now:
            candidates = 1
        begin = counts[FIRST_READ + 2 * direction]
        at, kind, place = _next_command(
            state, p, waiting[direction], begin, candidates, direction == 1, now
        )
        if at >= horizon:
            counts[NOW] = horizon
            continue
        counts[NOW] = at + 1
        access = waiting[direction, place, ACCESS]
        if kind == COLUMN_COMMAND:
            column(state, p, direction == 1, access, at)
            port = waiting[direction, place, PORT]
            number = waiting[direction, place, BURST] % controller.bursts.shape[1]
            burst = controller.bursts[port, number]
            burst[LEFT] -= 1
            burst[LATEST] = max(burst[LATEST], at)
            burst[CLOCKS + waiting[direction, place, INDEX]] = at
            _remove(counts, waiting, direction, place)
            return port
        if kind == ACTIVATE_COMMAND:
            activate(state, p, access, at)
        else:
            b = bank_of(p, access)
            state[b + OPEN] = -1
            state[b + ACTIVATE_AT] = at + p[DramParameter.PRECHARGE]
    return NOTHING
