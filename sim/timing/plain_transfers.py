"""Bursts of transfers on a memory that is as wide and as fast as its port and takes as many bursts as there are."""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, inlined
from sim.arrays.schedule_columns import (
    ADDRESS,
    COLS,
    GROUP_STRIDE,
    ROW_STRIDE,
    STREAM_BEATS,
    VECTOR_BEATS,
)
from sim.spec.bus import BURST_BEATS, PAGE_BYTES
from sim.timing.gathering import completed, held, segment
from sim.timing.transfer_unit import (
    BEATS,
    BURSTS,
    CREDIT,
    CREDIT_AT,
    END,
    RECENT,
    RECIPROCAL,
    pace,
    paced,
    segments,
)

__all__ = ["gathered_rows", "plain_gather", "plain_rows"]


@in_place
def _stretch(hw, begin, credit, beats):
    """Move so many beats from ``begin`` on, in which there is so much credit; answers as :func:`pace`.

    That is what bursts of so many beats together do, none of which waits for its request: credit that lacks, lacks for all that follow.
    """
    wait = max(beats - 1, ceil_div(max(0, hw.cost * beats - credit), hw.earn))
    return begin + wait, credit + hw.earn * (wait + 1) - hw.cost * beats


@in_place
def _followed(hw, beats, lag, outstanding, reuse):
    """Whether bursts of rows of so many beats follow one another without a wait for a request, as soon as a burst has not waited.

    A row has two bursts at most, as it is cut by the edge of a page only. A request waits for the burst ``outstanding`` before. The
    bursts between them have beats enough if those of the rows that lie between them as a whole are.
    """
    if beats > BURST_BEATS or beats * hw.bus_bytes > PAGE_BYTES:
        return False
    return (outstanding - 2) // 2 * beats >= reuse + lag - 1


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
        end, credit = pace(
            earn, cost, reciprocal, credit, credit_at, max(request + lag, end + 1), beats
        )
        credit_at = end + 1
        state[RECENT + place] = end
        place = place + 1 if place + 1 < outstanding else 0
        left -= beats
        room = room - beats if room > beats else page
    return request, end, place, credit, credit_at


@inlined
def plain_rows(row, hw, state, begin, lag, outstanding, reuse):
    """Answer as :func:`sim.timing.transfers.load` does of its bursts on a plain memory of a descriptor that gathers nothing.

    Once bursts follow one another (:func:`_followed`), requests decide no more, and rows in the middle are moved at once. The last rows
    leave their last beats in the ring; they have more bursts than it has places. All rows have more beats by then than there are
    requests, so that the last request waits for a burst, and not for the requests before it.
    """
    groups, rows = segments(row)
    beats = max(row[STREAM_BEATS], row[COLS] * row[VECTOR_BEATS])
    group_stride, row_stride = row[GROUP_STRIDE], row[ROW_STRIDE]
    last = begin - 1, state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT]
    count, number, line = groups * rows, 0, 0
    before = state[RECENT + (state[BURSTS] if state[BURSTS] > 0 else outstanding) - 1]
    follows = _followed(hw, beats, lag, outstanding, reuse)
    first = address = row[ADDRESS]
    keep = count - outstanding - 1
    if beats * (count - outstanding) + lag + reuse < 2 * count:
        keep = 0
    while number < count:
        last = _plain_row(hw, state, last, address, beats, lag, outstanding, reuse)
        number += 1
        line += 1
        address += row_stride
        if line == rows:
            line = 0
            first += group_stride
            address = first
        if number < keep and follows and before + reuse + lag <= last[1] + 1:
            request, end, place, credit, _ = last
            end, credit = _stretch(hw, end + 1, credit, (keep - number) * beats)
            last = request, end, place, credit, end + 1
            number, line = keep, keep % rows
            first = row[ADDRESS] + keep // rows * group_stride
            address = first + line * row_stride
    request, end, place, credit, credit_at = last
    state[END], state[BURSTS], state[CREDIT], state[CREDIT_AT] = end, place, credit, credit_at
    state[BEATS] += count * beats
    return request, end


@in_place
def plain_gather(row, hw, state, begin, lag, outstanding, reuse):
    """Answer as :func:`sim.timing.transfers.load` does of its bursts of a gathering LOAD on a plain memory, no beat of which but a row's last can complete several vectors."""
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
def _gathered(row, hw, state, first, beats, ahead):
    """(cycle of a burst's last beat, last cycle in which no other can move), whose beats may complete several vectors each.

    The first beat is there from cycle ``first`` on. ``ahead`` are bytes of the row before the burst, less those of its first beat that
    are not of the row.
    """
    end = state[END]
    moved = end
    for beat in range(beats):
        moved = paced(state, hw, max(first, end + 1), 1)
        end = moved + max(1, completed(row, hw, ahead + beat * hw.bus_bytes)) - 1
    return moved, end


@in_place
def gathered_rows(row, hw, state, begin, lag, outstanding, reuse):
    """Answer as :func:`sim.timing.transfers.load` does of its bursts of a gathering LOAD on a plain memory any beat of which may complete several vectors.

    Or the cycle before the last vector's. A row of a single burst that does not wait for its request, and begins as the latest such row
    did, in the same bytes of a beat and with the same credit, takes the same time.
    """
    page = PAGE_BYTES // hw.bus_bytes
    groups, rows = segments(row)
    request = begin - 1
    known_offset, known_credit, known_moved, known_end, known_left = -1, 0, 0, 0, 0
    for g in range(groups):
        for y in range(rows):
            address, left, offset = segment(row, hw, g, y)
            room = page - address % PAGE_BYTES // hw.bus_bytes
            ahead = -offset
            state[BEATS] += left
            while left > 0:
                place = state[BURSTS]
                beats = min(left, BURST_BEATS, room)
                request = max(request + 1, state[RECENT + place] + reuse)
                end = state[END]
                earned = hw.earn * (end + 1 - state[CREDIT_AT])
                credit = min(2 * hw.cost - 1, state[CREDIT] + earned)
                alike = offset == known_offset and credit == known_credit
                whole = ahead == -offset and beats == left and request + lag <= end + 1
                if whole and alike:
                    moved, state[END] = end + known_moved, end + known_end
                    state[CREDIT], state[CREDIT_AT] = known_left, moved + 1
                else:
                    moved, state[END] = _gathered(row, hw, state, request + lag, beats, ahead)
                    if whole:
                        known_offset, known_credit = offset, credit
                        known_moved, known_end = moved - end, state[END] - end
                        known_left = state[CREDIT]
                state[RECENT + place] = moved
                state[BURSTS] = place + 1 if place + 1 < outstanding else 0
                ahead += beats * hw.bus_bytes
                left -= beats
                room = room - beats if room > beats else page
    return request, state[END]
