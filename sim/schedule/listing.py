"""The list of descriptors in the making: their rows, their tokens and what they wait for."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import apart, in_place, inlined, kernel
from sim.arrays.schedule_columns import (
    AFTER,
    FIELD_HIGH,
    FIELD_LOW,
    LAYER,
    POST,
    QUEUE,
    WAIT,
    WIDTH,
)

__all__ = [
    "ALL_ROWS",
    "COUNT",
    "EXECUTED",
    "FETCHED",
    "FILLED",
    "HALF",
    "HALF_COLUMNS",
    "HOLDS",
    "LAST_DURATION",
    "LOADED",
    "LOADED_BY",
    "PIECE",
    "SLACK",
    "STORED",
    "STORING",
    "TO_FETCH",
    "USED_BY",
    "Listing",
    "add",
    "begin",
    "empty_listing",
    "first_overflow",
    "overflows",
    "require",
]

# Numbers of a list: descriptors so far, the register-file half in use; the latest activation LOAD, STORE and
# EXECUTE (-1: none); rows of the weight store that are filled. Of the next image's input
# (sim.schedule.next_input): rows to load, 0 if there is no next image, and rows so far; the latest LOAD of them, and
# EXECUTE that keeps them away; cycles that LOAD has beside EXECUTE, and those of the latest EXECUTE.
COUNT, HALF, LOADED, STORED, EXECUTED, FILLED = range(6)
TO_FETCH, FETCHED, PIECE, STORING, SLACK, LAST_DURATION = range(6, 12)

ALL_ROWS = 1 << 40
"""FILLED of a warm run: the store has all rows that are read."""

# Of a register-file half: the latest EXECUTE that used it, the LOAD that filled it, the block it holds.
USED_BY, LOADED_BY, HOLDS = range(3)
HALF_COLUMNS = 3


class Listing(NamedTuple):
    """Arrays to which the making of descriptors writes.

    Parameters
    ----------
    rows : int64[n, len(COLUMNS)]
        The first COUNT are descriptors.
    templates : int64[m, len(COLUMNS)]
        EXECUTE of every split and block of a pass, as in round 0 of a chunk.
    numbers : int64[LAST_DURATION + 1]
        COUNT … LAST_DURATION.
    halves : int64[2, HALF_COLUMNS]
        USED_BY … HOLDS of both register-file halves; -1: none.
    waited : int64[len(Queue), len(Queue)]
        Latest descriptor of queue i that queue j has waited for.
    """

    rows: NDArray[np.int64]
    templates: NDArray[np.int64]
    numbers: NDArray[np.int64]
    halves: NDArray[np.int64]
    waited: NDArray[np.int64]


@kernel
def empty_listing(rows, templates, filled):
    """List with room for so many rows and EXECUTEs of a pass, for a store with so many rows filled."""
    numbers, halves = np.zeros(LAST_DURATION + 1, np.int64), np.empty((2, HALF_COLUMNS), np.int64)
    waited = np.empty((3, 3), np.int64)
    numbers[LOADED] = numbers[STORED] = numbers[EXECUTED] = -1
    numbers[PIECE] = numbers[STORING] = -1
    numbers[HALF] = 1
    numbers[FILLED] = filled
    for half in range(2):
        halves[half, USED_BY] = halves[half, LOADED_BY] = halves[half, HOLDS] = -1
    for queue in range(3):
        for other in range(3):
            waited[queue, other] = -1
    return Listing(
        np.empty((rows, WIDTH), np.int64),
        np.empty((templates, WIDTH), np.int64),
        numbers,
        halves,
        waited,
    )


@inlined
def begin(listing, queue, layer):
    """Empty the next descriptor's row and return its place; it counts from :func:`add` on."""
    place = listing.numbers[COUNT]
    row = listing.rows[place]
    for j in range(WIDTH):
        row[j] = 0
    row[QUEUE] = queue
    row[LAYER] = layer
    for source in range(3):
        row[AFTER[source]] = -1
    return place


@in_place
def add(listing):
    """Count the descriptor that was begun; returns its number."""
    number = listing.numbers[COUNT]
    listing.numbers[COUNT] = number + 1
    return number


@in_place
def require(listing, row, source, producer):
    """Make the descriptor in ``row`` start after descriptor ``producer``, of queue ``source``.

    By a token, if none implies it yet.
    """
    target = row[QUEUE]
    if producer < 0 or source == target or producer <= listing.waited[source, target]:
        return
    listing.rows[producer, POST] |= 1 << target
    row[WAIT] |= 1 << source
    row[AFTER[source]] = producer
    listing.waited[source, target] = producer


@apart
def overflows(row):
    """Whether a descriptor's field cannot hold its value; without branches, so it is vectorized."""
    beyond = False
    for j in range(WIDTH):
        beyond |= (row[j] < FIELD_LOW[j]) | (row[j] > FIELD_HIGH[j])
    return beyond


@in_place
def first_overflow(rows, low, high):
    """(row, column) of the first value that its descriptor field cannot hold, or (-1, -1)."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if rows[i, j] < low[j] or rows[i, j] > high[j]:
                return i, j
    return -1, -1
