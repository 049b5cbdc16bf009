"""State of a LOAD or STORE unit: its pace, and what its descriptors move.

The data side moves bursts in order, one beat per cycle in which there is credit.
"""

import numpy as np

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, kernel
from sim.arrays.schedule_columns import (
    COLUMN_LANES,
    GROUPS,
    KIND,
    LANES,
    PARAMETER_ROWS,
    QUEUE,
    ROWS,
    STORE,
    WEIGHT_ROWS,
)
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.gathering import segment
from sim.timing.memory_channel import CHANNEL, NEVER, connect

__all__ = [
    "ANSWERS", "BEATS", "BURSTS", "CREDIT", "CREDIT_AT", "DESCRIPTORS", "END", "RECENT", "RECIPROCAL", "STORED",
    "idle", "last_stored_row", "pace", "paced", "reads_store", "segments", "stored_rows", "stored_turns",
    "transfer_bytes",
]  # fmt: skip


# State of a unit, behind its channel's: places in the three rings below, the last beat's cycle, the
# credit in a cycle, beats and rows from the weight store so far, the reciprocal of what a cycle earns; then rings of the last beats of the latest bursts, the dones of the latest
# descriptors, and the latest write responses as far as the memory's limit needs them.
(
    BURSTS, DESCRIPTORS, ANSWERS, END, CREDIT, CREDIT_AT, BEATS, STORED, RECIPROCAL, RECENT,
) = range(CHANNEL, CHANNEL + 10)  # fmt: skip

RECIPROCAL_BITS = 40
MOST_COST = 1 << 14
"""Up to this cost of a beat, what credit lacks is divided by what a cycle earns with a product, which is exact."""


@in_place
def reads_store(row):
    """Whether a descriptor is a LOAD of weights from the weight store."""
    # STORE and EXECUTE have 0 in LOAD's columns
    return row[STORE] == LoadStore.READ


@in_place
def stored_rows(row):
    """Rows that a LOAD reads from the weight store."""
    return row[LANES] * (row[PARAMETER_ROWS] + row[WEIGHT_ROWS])


@in_place
def stored_turns(row):
    """Cycles in which a LOAD reads the weight store: the rows of all PE columns' blocks at once."""
    blocks = row[LANES]
    if row[COLUMN_LANES] > 0:
        blocks = min(blocks, row[COLUMN_LANES])
    return blocks * (row[PARAMETER_ROWS] + row[WEIGHT_ROWS])


@in_place
def last_stored_row(rows, constants, begin, end):
    """Cycle in which a LOAD reads its last row from the weight store, in the accelerator's cycles.

    Parameters
    ----------
    rows : int
        Cycles that it reads, of :func:`stored_turns`.
    constants : int64[n]
    begin : int
        Cycle in which it starts.
    end : int
        Cycle of the last beat or row of the LOAD before it.
    """
    first = begin + constants[Constant.WEIGHT_STORE_FIRST]
    return max(first, end + constants[Constant.WEIGHT_STORE_TURN]) + rows - 1


@in_place
def segments(row):
    """(groups, rows) of a transfer; a weight stream is one row, or none from the store."""
    if reads_store(row):
        return 0, 0
    if row[QUEUE] == Queue.LOAD and row[KIND] == LoadKind.WEIGHTS:
        return 1, 1
    return row[GROUPS], row[ROWS]


@in_place
def transfer_bytes(row, hw):
    """Bytes that a LOAD or STORE moves over the data port."""
    groups, rows = segments(row)
    beats = 0
    for group in range(groups):
        for line in range(rows):
            beats += segment(row, hw, group, line)[1]
    return beats * hw.bus_bytes


@kernel
def idle(hw, constants):
    """State of a LOAD or STORE unit that has run nothing and has full credit : int64[n]."""
    bursts = max(constants[Constant.READ_BURSTS], constants[Constant.WRITE_BURSTS])
    answers = constants[MemoryColumn.OUTSTANDING]
    state = np.empty(RECENT + bursts + constants[Constant.TRANSFERS] + answers, np.int64)
    for j in range(len(state)):
        state[j] = NEVER
    connect(state, hw, constants, hw.bus_bytes, 0)
    state[BURSTS] = 0
    state[DESCRIPTORS] = 0
    state[ANSWERS] = 0
    state[BEATS] = state[STORED] = 0
    state[RECIPROCAL] = (1 << RECIPROCAL_BITS) // hw.earn + 1
    state[CREDIT] = 2 * hw.cost - 1
    state[CREDIT_AT] = 0
    return state


@in_place
def pace(earn, cost, reciprocal, credit, credit_at, available, beats):
    """Move one burst that could move a beat per cycle from ``available`` on.

    Beat j needs credit for j + 1 beats. Once credit lacks, it lacks for every further beat (a beat
    costs at least what a cycle earns), so the last beat decides alone.

    Returns
    -------
    end : int
        Cycle of the last beat.
    credit : int
        What is left in the cycle behind.
    """
    credit = min(2 * cost - 1, credit + earn * (available - credit_at))
    wait = beats - 1
    lack = cost * beats - credit
    if lack > earn * wait:
        if cost <= MOST_COST:
            wait = (lack + earn - 1) * reciprocal >> RECIPROCAL_BITS
        else:
            wait = ceil_div(lack, earn)
    return available + wait, credit + earn * (wait + 1) - cost * beats


@in_place
def paced(state, hw, available, beats):
    """Move one burst as :func:`pace`; returns the cycle of its last beat."""
    end, state[CREDIT] = pace(
        hw.earn, hw.cost, state[RECIPROCAL], state[CREDIT], state[CREDIT_AT], available, beats
    )
    state[CREDIT_AT] = end + 1
    return end
