"""Vectors that a gathering LOAD completes with every beat, and the beats of its rows.

A beat that completes m vectors keeps the next one away for max(1, m) cycles (docs/explanation/hardware.md).
"""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.arrays.schedule_columns import (
    ADDRESS,
    COLS,
    GATHER,
    GROUP_STRIDE,
    LEAD,
    LENGTH,
    PE_STEP,
    PE_VECTORS,
    ROW_BYTES,
    ROW_STRIDE,
    STEP,
    STREAM_BEATS,
    VECTOR_BEATS,
)

__all__ = ["completed", "fills_beats", "held", "segment"]


@in_place
def segment(row, hw, group, line):
    """(address of the first beat, beats, bytes of it before the row) of a row of a transfer.

    ``row`` is a tile transfer, or with group and line 0 a weight stream.
    """
    address = row[ADDRESS] + group * row[GROUP_STRIDE] + line * row[ROW_STRIDE]
    if row[GATHER]:
        offset = address % hw.bus_bytes
        return address - offset, ceil_div(offset + row[ROW_BYTES], hw.bus_bytes), offset
    return address, max(row[STREAM_BEATS], row[COLS] * row[VECTOR_BEATS]), 0


@in_place
def _complete(row, count):
    """Vectors of a row that are complete when so many bytes of it have come; none before the first."""
    if count >= row[ROW_BYTES]:
        return row[COLS]
    reach, whole = count + row[LEAD] - row[LENGTH], 0
    if count <= 0 or reach < 0:
        return 0
    if row[PE_VECTORS] > 0:
        # vectors of PEs that have all of theirs come first, whatever the next PE could have
        last = (row[PE_VECTORS] - 1) * row[STEP]
        if reach >= last:
            pitch = last + row[PE_STEP]
            pes = (reach - last) // pitch + 1
            reach, whole = reach - pes * pitch, pes * row[PE_VECTORS]
            if reach < 0:
                return min(row[COLS], whole)
    return min(row[COLS], whole + reach // row[STEP] + 1)


@in_place
def completed(row, hw, ahead):
    """Vectors that a beat completes, with ``ahead`` bytes of the row before it, less than 0 in the first."""
    return _complete(row, ahead + hw.bus_bytes) - _complete(row, ahead)


@in_place
def fills_beats(row, hw):
    """Whether no beat but a row's last can complete several vectors."""
    if row[GATHER] == 0:
        return True
    # a first vector before the row comes with that of the first beat
    steps = row[STEP] >= hw.bus_bytes and row[LEAD] < row[LENGTH]
    return steps and (row[PE_VECTORS] == 0 or row[PE_STEP] >= hw.bus_bytes)


@in_place
def held(row, hw, ahead, beats):
    """Cycles for which no beat may follow a burst whose last beat alone can complete several vectors."""
    if row[GATHER] == 0:
        return 0
    return max(1, completed(row, hw, ahead + (beats - 1) * hw.bus_bytes)) - 1
