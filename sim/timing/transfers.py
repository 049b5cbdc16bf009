"""Timing of LOAD and STORE on the deterministic memory: exact, a few operations per burst.

Both units have the same shape (docs/explanation/hardware.md). The request side asks for one burst per cycle,
up to OUTSTANDING bursts before their data; the data side moves the bursts in order, one beat per
cycle in which there is credit. A descriptor follows its predecessor as soon as the request
side is free, up to TRANSFERS descriptors before their done.

Only starts and dones can be observed, so request times are counted from the descriptor's start, and
all delays that a descriptor sees once are summed in the overhead. A memory with a clock of its own
sees the cycles themselves: LOAD_REQUEST and STORE_BEAT bring its times to those and back.
"""

from sim.arrays.kernel import in_place, inlined
from sim.arrays.schedule_columns import (
    GATHER,
    QUEUE,
)
from sim.spec.bus import BURST_BEATS, PAGE_BYTES
from sim.spec.descriptor import Queue
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.gathering import completed, fills_beats, held, segment
from sim.timing.memory_channel import (
    ANSWERED,
    LIMIT,
    PLAIN,
    answer,
    beat_cycle,
    begin_read,
    keeps_up,
    unpaced_end,
    write_words,
)
from sim.timing.plain_transfers import gathered_rows, plain_gather, plain_rows
from sim.timing.transfer_unit import (
    ANSWERS,
    BEATS,
    BURSTS,
    CREDIT,
    CREDIT_AT,
    DESCRIPTORS,
    END,
    RECENT,
    STORED,
    last_stored_row,
    paced,
    reads_store,
    segments,
    stored_rows,
    stored_turns,
)

__all__ = ["load", "store"]


@in_place
def _gathered(row, hw, state, first, start, beats, ahead):
    """(cycle of a burst's last beat, last cycle in which no other can move), whose beats may complete several vectors each.

    Parameters
    ----------
    first : int
        What ``begin_read`` gave.
    ahead : int
        Bytes of the row before the burst, less those of its first beat that are not of the row.
    """
    end = state[END]
    moved = end
    for beat in range(beats):
        moved = paced(state, hw, max(beat_cycle(state, first, beat) - start, end + 1), 1)
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


@in_place
def _transfer(row, hw, constants, state, begin, lag, outstanding, reuse):
    """Answer as :func:`_moved` of what is not :func:`sim.timing.plain_transfers.plain_rows`.

    Or the cycle before the last vector's, where a gathering LOAD's last beat completes several.
    """
    if state[PLAIN]:
        if fills_beats(row, hw):
            return plain_gather(row, hw, state, begin, lag, outstanding, reuse)
        return gathered_rows(row, hw, state, begin, lag, outstanding, reuse)
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
                if row[QUEUE] == Queue.STORE:
                    request, end = _limited_write(
                        hw, constants, state, begin, request, beats, outstanding
                    )
                    moved = end
                else:
                    request, moved, end = _limited_read(
                        row, hw, constants, state, request, beats, outstanding, ahead
                    )
                state[END] = end
                state[RECENT + place] = moved
                place = place + 1 if place + 1 < outstanding else 0
                state[BURSTS] = place
                ahead += beats * bus
                left -= beats
                room = room - beats if room > beats else page
    return request, end


@inlined
def _moved(row, hw, constants, state, begin, lag, outstanding, reuse):
    """(cycle of the last request, cycle of the last beat); ``lag`` is from a request to its data."""
    if state[PLAIN] and row[GATHER] == 0:
        return plain_rows(row, hw, state, begin, lag, outstanding, reuse)
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
