"""Timing of LOAD and STORE on the deterministic memory: exact, a few operations per burst.

Both units have the same shape (docs/explanation/hardware.md). The request side asks for one burst per cycle,
up to OUTSTANDING bursts before their data; the data side moves the bursts in order, one beat per
cycle in which there is credit. A descriptor follows its predecessor as soon as the request
side is free, up to TRANSFERS descriptors before their done.

Only starts and dones can be observed, so request times are counted from the descriptor's start, and
all delays that a descriptor sees once are summed in the overhead. A memory with a clock of its own
sees the cycles themselves: LOAD_REQUEST and STORE_BEAT bring its times to those and back.
"""

import numpy as np

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.schedule_columns import (
    ADDRESS,
    COLS,
    COLUMN_LANES,
    GATHER,
    GROUP_STRIDE,
    GROUPS,
    KIND,
    LANES,
    PARAMETER_ROWS,
    QUEUE,
    ROW_STRIDE,
    ROWS,
    STORE,
    STREAM_BEATS,
    VECTOR_BEATS,
    WEIGHT_ROWS,
)
from sim.spec.bus import BURST_BEATS, PAGE_BYTES
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.gathering import completed, fills_beats, held, segment
from sim.timing.memory_channel import (
    ANSWERED,
    CHANNEL,
    LIMIT,
    NEVER,
    PLAIN,
    answer,
    beat_cycle,
    begin_read,
    connect,
    keeps_up,
    unpaced_end,
    write_words,
)

__all__ = [
    "BEATS",
    "NEVER",
    "STORED",
    "idle",
    "last_stored_row",
    "load",
    "paced",
    "reads_store",
    "segments",
    "store",
    "stored_rows",
    "stored_turns",
    "transfer_bytes",
]


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
def _pace(earn, cost, reciprocal, credit, credit_at, available, beats):
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
    """Move one burst as :func:`_pace`; returns the cycle of its last beat."""
    end, state[CREDIT] = _pace(
        hw.earn, hw.cost, state[RECIPROCAL], state[CREDIT], state[CREDIT_AT], available, beats
    )
    state[CREDIT_AT] = end + 1
    return end


@in_place
def _gathered(row, hw, state, first, start, beats, ahead):
    """Move a burst whose beats may complete several vectors each.

    Parameters
    ----------
    first : int
        On a plain memory, cycle from which the first beat is there; else what ``begin_read`` gave.
    ahead : int
        Bytes of the row before the burst, less those of its first beat that are not of the row.

    Returns
    -------
    moved, end : int
        Cycle of the last beat, and the last cycle in which no other can move.
    """
    end, plain = state[END], state[PLAIN]
    moved = end
    for beat in range(beats):
        there = first if plain else beat_cycle(state, first, beat) - start
        moved = paced(state, hw, max(there, end + 1), 1)
        end = moved + max(1, completed(row, hw, ahead + beat * hw.bus_bytes)) - 1
    return moved, end


@in_place
def _limited_read(row, hw, constants, state, request, beats, outstanding, ahead):
    """(cycle of a read burst's request, of its last beat, before the next) on a memory that is not plain."""
    if 0 < state[LIMIT] < outstanding:
        oldest = state[BURSTS] - state[LIMIT]
        request = max(request, state[RECENT + oldest % outstanding] + 1)
    start = constants[Constant.LOAD_REQUEST]
    first = begin_read(state, start + request + constants[Constant.MEMORY_LATENCY], beats)
    if not fills_beats(row, hw):
        moved, end = _gathered(row, hw, state, first, start, beats, ahead)
        return request, moved, end
    end = state[END]
    if keeps_up(state):
        end = paced(state, hw, max(beat_cycle(state, first, 0) - start, end + 1), beats)
    elif hw.earn == hw.cost:
        end = unpaced_end(state, first, beats, start + end) - start
    else:
        for beat in range(beats):
            end = paced(state, hw, max(beat_cycle(state, first, beat) - start, end + 1), 1)
    return request, end, end + held(row, hw, ahead, beats)


@in_place
def _limited_write(hw, constants, state, begin, request, beats, outstanding):
    """(cycle of a write burst's address, of its last beat) on a memory that is not plain.

    Its data follows the offer of its address, whether or not the memory takes that at once.
    """
    earn, cost = hw.earn, hw.cost
    address = constants[Constant.STORE_ADDRESS]
    data = constants[Constant.STORE_BEAT]
    behind = request + address + constants[Constant.STORE_LAG] - data
    available = max(begin, behind, state[END] + 1)
    answers = RECENT + outstanding + constants[Constant.TRANSFERS]
    if state[LIMIT] > 0:
        request = max(request, state[answers + state[ANSWERS]] + 1 - address)
    most, earned = 2 * cost - 1, earn * (available - state[CREDIT_AT])
    credit = min(most, state[CREDIT] + earned)
    end = paced(state, hw, available, beats)
    edge = write_words(state, request + address, available + data, beats, credit, hw)
    response = answer(state, edge, constants[MemoryColumn.WRITE_LATENCY])
    if state[LIMIT] > 0:
        state[answers + state[ANSWERS]] = response
        state[ANSWERS] = state[ANSWERS] + 1 if state[ANSWERS] + 1 < state[LIMIT] else 0
    return request, end


@inlined
def _plain_row(hw, state, last, address, left, lag, outstanding, reuse):
    """Move the bursts of a row on a plain memory.

    ``last`` and the answer are (cycle of the latest request, of the last beat, place of the next burst, credit, its cycle).
    """
    earn, cost, reciprocal, bus = hw.earn, hw.cost, state[RECIPROCAL], hw.bus_bytes
    request, end, place, credit, credit_at = last
    in_page = PAGE_BYTES - (address & (PAGE_BYTES - 1))
    page = room = left
    if left * bus > in_page:
        page = PAGE_BYTES // bus
        room = page - (PAGE_BYTES - in_page) // bus
    while left > 0:
        beats = min(left, BURST_BEATS, room)
        request = max(request + 1, state[RECENT + place] + reuse)
        end, credit = _pace(
            earn, cost, reciprocal, credit, credit_at, max(request + lag, end + 1), beats
        )
        credit_at = end + 1
        state[RECENT + place] = end
        place = place + 1 if place + 1 < outstanding else 0
        left -= beats
        room = room - beats if room > beats else page
    return request, end, place, credit, credit_at


@inlined
def _plain_rows(row, hw, state, begin, lag, outstanding, reuse):
    """Answer as :func:`_moved` on a plain memory of a descriptor that gathers nothing."""
    groups, rows = segments(row)
    beats = max(row[STREAM_BEATS], row[COLS] * row[VECTOR_BEATS])
    group_stride, row_stride = row[GROUP_STRIDE], row[ROW_STRIDE]
    last = begin - 1, state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT]
    first = row[ADDRESS]
    for _ in range(groups):
        address = first
        for _ in range(rows):
            last = _plain_row(hw, state, last, address, beats, lag, outstanding, reuse)
            address += row_stride
        first += group_stride
    request, state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT] = last
    state[BEATS] += groups * rows * beats
    return request, state[END]


@in_place
def _plain_gather(row, hw, state, begin, lag, outstanding, reuse):
    """Answer as :func:`_moved` of a gathering LOAD on a plain memory, no beat of which but a row's last can complete several vectors."""
    groups, rows = segments(row)
    last = begin - 1, state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT]
    known, kept = -1, 0
    for g in range(groups):
        for y in range(rows):
            address, beats, offset = segment(row, hw, g, y)
            if offset != known:  # rows that begin alike end alike
                known, kept = offset, held(row, hw, -offset, beats)
            request, end, place, credit, credit_at = _plain_row(
                hw, state, last, address, beats, lag, outstanding, reuse
            )
            last = request, end + kept, place, credit, credit_at
            state[BEATS] += beats
    request, state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT] = last
    return request, state[END]


@in_place
def _transfer(row, hw, constants, state, begin, lag, outstanding, reuse):
    """Answer as :func:`_moved` of what is not :func:`_plain_rows`.

    Or the cycle before the last vector's, where a gathering LOAD's last beat completes several.
    """
    plain, storing = state[PLAIN], row[QUEUE] == Queue.STORE
    if plain and fills_beats(row, hw):
        return _plain_gather(row, hw, state, begin, lag, outstanding, reuse)
    bus = hw.bus_bytes
    page = PAGE_BYTES // bus
    groups, rows = segments(row)
    request = begin - 1
    end = state[END]
    place = state[BURSTS]
    for g in range(groups):
        for y in range(rows):
            address, left, offset = segment(row, hw, g, y)
            room = page - address % PAGE_BYTES // bus
            ahead = -offset
            state[BEATS] += left
            while left > 0:
                beats = min(left, BURST_BEATS, room)
                request = max(request + 1, state[RECENT + place] + reuse)
                if plain:
                    state[END] = end
                    moved, end = _gathered(row, hw, state, request + lag, 0, beats, ahead)
                elif storing:
                    request, end = _limited_write(
                        hw, constants, state, begin, request, beats, outstanding
                    )
                    moved = end
                else:
                    request, moved, end = _limited_read(
                        row, hw, constants, state, request, beats, outstanding, ahead
                    )
                if not plain:
                    state[END] = end
                    state[BURSTS] = place + 1 if place + 1 < outstanding else 0
                state[RECENT + place] = moved
                ahead += beats * bus
                place = place + 1 if place + 1 < outstanding else 0
                left -= beats
                room = room - beats if room > beats else page
    state[BURSTS] = place
    state[END] = end
    return request, end


@inlined
def _moved(row, hw, constants, state, begin, lag, outstanding, reuse):
    """(cycle of the last request, cycle of the last beat); ``lag`` is from a request to its data."""
    if state[PLAIN] and row[GATHER] == 0:
        return _plain_rows(row, hw, state, begin, lag, outstanding, reuse)
    return _transfer(row, hw, constants, state, begin, lag, outstanding, reuse)


@in_place
def _finish(state, constants, done, outstanding, room):
    """Note a descriptor's done; return the earliest start of the next as far as places go."""
    first = RECENT + outstanding
    transfers = constants[Constant.TRANSFERS]
    place = state[DESCRIPTORS]
    state[first + place] = done
    state[DESCRIPTORS] = place + 1 if place + 1 < transfers else 0
    return state[first + state[DESCRIPTORS]] + room


@in_place
def load(row, hw, constants, state, begin):
    """Run one LOAD descriptor.

    Parameters
    ----------
    row : int64[len(COLUMNS)]
        The descriptor; it moves at least one beat, or reads a row of the weight store.
    hw : Hw
        The accelerator, of :func:`sim.arrays.tables.accelerator_row`.
    constants : int64[n]
        :meth:`sim.timing.calibration.Calibration.walked`.
    state : int64[n]
        :func:`idle` at first; changed.
    begin : int
        Cycle in which the descriptor starts; at least ``free`` of the descriptor before.

    Returns
    -------
    free, done : int
        Earliest start of the next descriptor; cycle of its own done.
    """
    outstanding = constants[Constant.READ_BURSTS]
    overhead = constants[Constant.LOAD_OVERHEAD]
    if reads_store(row):
        start = constants[Constant.LOAD_REQUEST]
        end = last_stored_row(stored_turns(row), constants, begin, state[END] + start) - start
        state[END] = end
        state[STORED] += stored_rows(row)
        room = _finish(state, constants, end + overhead, outstanding, constants[Constant.LOAD_ROOM])
        return max(begin + constants[Constant.WEIGHT_STORE_NEXT], room), end + overhead
    request, end = _moved(
        row,
        hw,
        constants,
        state,
        begin,
        constants[Constant.MEMORY_LATENCY],
        outstanding,
        constants[Constant.LOAD_REUSE],
    )
    done = end + overhead
    room = _finish(state, constants, done, outstanding, constants[Constant.LOAD_ROOM])
    return max(request + constants[Constant.LOAD_NEXT], room), done


@in_place
def store(row, hw, constants, state, begin):
    """Run one STORE descriptor; as :func:`load`, but done when the last response has come."""
    outstanding = constants[Constant.WRITE_BURSTS]
    reuse = constants[Constant.STORE_REUSE]
    request, end = _moved(row, hw, constants, state, begin, 0, outstanding, reuse)
    done = end + constants[MemoryColumn.WRITE_LATENCY] + constants[Constant.STORE_OVERHEAD]
    if not state[PLAIN]:
        done = state[ANSWERED] - constants[Constant.STORE_BEAT] + constants[Constant.STORE_OVERHEAD]
    room = _finish(state, constants, done, outstanding, constants[Constant.STORE_ROOM])
    return max(request + constants[Constant.STORE_NEXT], room), done
