"""The list of descriptors in the making: their rows, their tokens and what they wait for.

Rows are either all kept, or run and forgotten from time to time: descriptor n is row n - FIRST.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.schedule_columns import (
    ACCUMULATOR_ROW,
    AFTER,
    BANK,
    FIELD_HIGH,
    FIELD_LOW,
    FIELDS_WIDTH,
    IN2_ADDRESS,
    LANES,
    LAYER,
    OUT_ADDRESS,
    OUT_BANK,
    POST,
    QUEUE,
    SOURCES,
    TRANSFER_WIDTH,
    WAIT,
    WIDTH,
)
from sim.spec.descriptor import Queue
from sim.timing.cycles import step

__all__ = [
    "ALL_ROWS",
    "COUNT",
    "EXECUTED",
    "FETCHED",
    "FILLED",
    "FIRST",
    "FITS",
    "HALF",
    "HALF_COLUMNS",
    "HOLDS",
    "LAST_BANK_STORE",
    "LAST_DURATION",
    "LOADED",
    "LOADED_BY",
    "PIECE",
    "SLACK",
    "STORED",
    "STORING",
    "TABLE_USED",
    "TO_FETCH",
    "USED_BY",
    "Listing",
    "add",
    "begin",
    "check_templates",
    "empty_listing",
    "first_overflow",
    "require",
    "run",
]

# Numbers of a list: descriptors so far, the number of the descriptor in the first row, the register-file half
# in use; the latest activation LOAD, STORE and EXECUTE (-1: none); whether all values fit so far; rows of the
# weight store that are filled. Of the next image's input (sim.schedule.next_input): rows to load, 0 if there is no next
# image, and rows so far; the latest LOAD of them, and EXECUTE and STORE that keep them away; cycles that LOAD has beside
# EXECUTE, and those of the latest EXECUTE. The latest EXECUTE whose results go through the activation table.
COUNT, FIRST, HALF, LOADED, STORED, EXECUTED, FITS, FILLED = range(8)
TO_FETCH, FETCHED, PIECE, STORING, LAST_BANK_STORE, SLACK, LAST_DURATION = range(8, 15)
TABLE_USED = 15

_MOVED = np.array(
    [OUT_BANK, OUT_ADDRESS, BANK, IN2_ADDRESS, ACCUMULATOR_ROW, LANES, SOURCES], np.int64
)
"""Columns of an EXECUTE descriptor in which another round or image may need more than the template.

Its hold and slack are never longer than the template's, and addresses in local memory that are read are taken modulo what their field holds.
"""

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
        Descriptors FIRST … COUNT - 1. A LOAD's or STORE's columns that only EXECUTE has are 0 if all rows are kept, else anything.
    templates : int64[m, len(COLUMNS)]
        EXECUTE of every split and block of a pass, as in round 0 of a chunk.
    numbers : int64[TABLE_USED + 1]
        COUNT … TABLE_USED.
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
def empty_listing(rows, templates, filled, kept):
    """List with room for so many rows and EXECUTEs of a pass, for a store with so many rows filled.

    ``kept`` says whether all rows are kept.
    """
    numbers, halves = np.zeros(TABLE_USED + 1, np.int64), np.empty((2, HALF_COLUMNS), np.int64)
    waited = np.empty((3, 3), np.int64)
    numbers[COUNT] = numbers[FIRST] = 0
    numbers[LOADED] = numbers[STORED] = numbers[EXECUTED] = -1
    numbers[PIECE] = numbers[STORING] = numbers[LAST_BANK_STORE] = numbers[TABLE_USED] = -1
    numbers[HALF] = numbers[FITS] = 1
    numbers[FILLED] = filled
    for half in range(2):
        halves[half, USED_BY] = halves[half, LOADED_BY] = halves[half, HOLDS] = -1
    for queue in range(3):
        for other in range(3):
            waited[queue, other] = -1
    listed = np.empty((rows, WIDTH), np.int64)
    for row in range(rows if kept else 0):
        for j in range(WIDTH):
            listed[row, j] = 0
    return Listing(
        listed,
        np.empty((templates, WIDTH), np.int64),
        numbers,
        halves,
        waited,
    )


@inlined
def begin(listing, queue, layer):
    """Empty the row of the next LOAD or STORE and return its place; it counts from :func:`add` on."""
    place = listing.numbers[COUNT] - listing.numbers[FIRST]
    row = listing.rows[place]
    for j in range(TRANSFER_WIDTH):
        row[j] = 0
    for j in range(FIELDS_WIDTH, WIDTH):
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
    place = producer - listing.numbers[FIRST]
    if place >= 0:
        listing.rows[place, POST] |= 1 << target
    row[WAIT] |= 1 << source
    row[AFTER[source]] = producer
    listing.waited[source, target] = producer


@inlined
def run(listing, check, hw, constants, clock):
    """Let the descriptors run and forget them; with ``check`` note whether their values fit.

    Of EXECUTE those that :func:`check_templates` does not look at.
    """
    numbers = listing.numbers
    first = numbers[FIRST]
    for place in range(numbers[COUNT] - first):
        row = listing.rows[place]
        if check and _overflows(row):
            numbers[FITS] = 0
        step(row, first + place, hw, constants, clock)
    numbers[FIRST] = numbers[COUNT]


@in_place
def check_templates(listing, count):
    """Note whether the values of so many EXECUTEs of a pass fit, as far as its rounds and images do not move them."""
    for place in range(count):
        if _overflow_before(listing.templates[place], FIELDS_WIDTH):
            listing.numbers[FITS] = 0


@in_place
def _overflow_before(row, end):
    """Whether a field in a column before ``end`` cannot hold its value; without branches, so it is vectorized."""
    overflows = False
    for j in range(end):
        overflows |= (row[j] < FIELD_LOW[j]) | (row[j] > FIELD_HIGH[j])
    return overflows


@in_place
def _overflows(row):
    """Whether a LOAD's or STORE's field cannot hold its value, or one of EXECUTE that rounds and images move."""
    if row[QUEUE] != Queue.EXECUTE:
        return _overflow_before(row, TRANSFER_WIDTH)
    overflows = False
    for j in _MOVED:
        overflows |= (row[j] < FIELD_LOW[j]) | (row[j] > FIELD_HIGH[j])
    return overflows


@in_place
def first_overflow(rows, low, high):
    """(row, column) of the first value that its descriptor field cannot hold, or (-1, -1)."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if rows[i, j] < low[j] or rows[i, j] > high[j]:
                return i, j
    return -1, -1
