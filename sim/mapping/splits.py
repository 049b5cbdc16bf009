"""Splits and blocks of a convolution whose weights exceed a register-file half.

A *split* is a range of 4-channel steps and a rectangle of taps; the partial sums of all splits
but the last wait in the accumulator rows. These hold one set of windows each, so the tile is
computed in *blocks* of at most that many sets, each block split after split. With several images
per program, as many of them as have a row go through a block together and share the rows.
"""

from sim.arrays.geometry import ceil_div, segment_slots
from sim.arrays.kernel import in_place
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES

__all__ = [
    "choose_block",
    "choose_split",
    "share_rows",
    "split_bounds",
    "split_count",
    "split_cycles",
    "split_quads",
]


@in_place
def choose_split(kernel_y, kernel_x, quads, rows, per_group):
    """(tap rows, tap columns, 4-channel steps) of a split, in at most ``rows`` weight rows.

    All taps if they fit, with as few splits as possible and of equal size, cut between channel
    groups where that costs no further split.
    """
    taps = kernel_y * kernel_x
    if taps * quads <= rows:
        return kernel_y, kernel_x, quads
    if taps > rows:
        if kernel_x > rows:
            return 1, rows, 1
        return rows // kernel_x, kernel_x, 1
    most = rows // taps
    count = ceil_div(quads, most)
    size = ceil_div(quads, count)
    whole = ceil_div(ceil_div(quads, per_group), count) * per_group
    if whole <= most:
        size = whole
    return kernel_y, kernel_x, min(size, quads)


@in_place
def split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size):
    """Splits of a layer."""
    if size == quads and tap_rows == kernel_y and tap_columns == kernel_x:
        return 1
    return ceil_div(kernel_y, tap_rows) * ceil_div(kernel_x, tap_columns) * ceil_div(quads, size)


@in_place
def split_bounds(kernel_y, kernel_x, quads, tap_rows, tap_columns, size, index):
    """(first tap row, end, first tap column, end, first step, end) of split ``index``."""
    if size == quads and tap_rows == kernel_y and tap_columns == kernel_x:
        return 0, kernel_y, 0, kernel_x, 0, quads
    ranges = ceil_div(quads, size)
    columns = ceil_div(kernel_x, tap_columns)
    first = index % ranges * size
    x = index // ranges % columns * tap_columns
    y = index // ranges // columns * tap_rows
    return (
        y,
        min(kernel_y, y + tap_rows),
        x,
        min(kernel_x, x + tap_columns),
        first,
        min(quads, first + size),
    )


@in_place
def split_cycles(kernel_y, kernel_x, quads, tap_rows, tap_columns, size, per_group, pixels):
    """(least cycles of a set of windows in all splits but the last, issue slots of the last split)."""
    ranges = ceil_div(quads, size)
    last_steps = segment_slots((ranges - 1) * size, quads, DOT_WIDTH * per_group, pixels)
    # ranges that start alike in their channel groups take equally long
    period = 1 if size == 1 or size % per_group == 0 else ranges
    total = slots = 0
    for y in range(0, kernel_y, tap_rows):
        for x in range(0, kernel_x, tap_columns):
            taps = min(tap_rows, kernel_y - y) * min(tap_columns, kernel_x - x)
            for k in range(min(period, ranges - 1)):
                steps = segment_slots(k * size, (k + 1) * size, DOT_WIDTH * per_group, pixels)
                count = ranges - 1 if period == 1 else 1
                total += count * max(taps * steps, REQUANTIZER_PHASES)
            slots = taps * last_steps
            total += max(slots, REQUANTIZER_PHASES)
    return total - max(slots, REQUANTIZER_PHASES), slots


@in_place
def split_quads(quads, size, per_group):
    """Fewest steps of a vector in any split."""
    least = min(size, per_group)
    for first in range(0, quads, size):
        end = min(quads, first + size)
        group, last = first // per_group, (end - 1) // per_group
        if group == last:
            least = min(least, end - first)
        else:
            least = min(least, (group + 1) * per_group - first, end - last * per_group)
    return least


@in_place
def choose_block(tile_y, tile_x, pixels, accumulators):
    """(rows, columns) of a block: of the shapes that the accumulator rows hold, the fewest."""
    sets = ceil_div(tile_x, pixels)
    best_down, best_across = tile_y, sets
    for rows in range(1, min(tile_y, accumulators) + 1):
        wide = min(sets, accumulators // rows)
        down, across = ceil_div(tile_y, rows), ceil_div(sets, wide)
        if rows == 1 or down * across < best_down * best_across:
            best_down, best_across = down, across
    wide = ceil_div(sets, best_across)
    return ceil_div(tile_y, best_down), min(tile_x, wide * pixels)


@in_place
def share_rows(images, accumulators):
    """(images that go through a block together, accumulator rows that each of them has)."""
    together = min(images, accumulators)
    return together, accumulators // together
