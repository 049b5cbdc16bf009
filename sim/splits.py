"""Splits and blocks of a convolution whose weights exceed a register-file half.

A *split* is a range of 4-channel steps and a rectangle of taps; the partial sums of all splits
but the last wait in the accumulator rows. These hold one set of windows each, so the tile is
computed in *blocks* of at most that many sets, each block split after split. With several images
per program, as many of them as have a row go through a block together and share the rows.
"""

from sim.geometry import ceil_div
from sim.kernel import kernel

__all__ = ["choose_block", "choose_split", "share_rows", "split_bounds", "split_count"]


@kernel
def choose_split(kernel_y, kernel_x, quads, rows, per_group):  # type: ignore[no-untyped-def]
    """(tap rows, tap columns, 4-channel steps) of a split, in at most ``rows`` weight rows.

    All taps if they fit, with as few splits as possible and of equal size, cut between channel
    groups where that costs no further split.
    """
    taps = kernel_y * kernel_x
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


@kernel
def split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size):  # type: ignore[no-untyped-def]
    """Splits of a layer."""
    return ceil_div(kernel_y, tap_rows) * ceil_div(kernel_x, tap_columns) * ceil_div(quads, size)


@kernel
def split_bounds(kernel_y, kernel_x, quads, tap_rows, tap_columns, size, index):  # type: ignore[no-untyped-def]
    """(first tap row, end, first tap column, end, first step, end) of split ``index``."""
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


@kernel
def choose_block(tile_y, tile_x, pixels, accumulators):  # type: ignore[no-untyped-def]
    """(rows, columns) of a block: of the shapes that the accumulator rows hold, the fewest."""
    sets = ceil_div(tile_x, pixels)
    best, best_rows, best_sets = -1, 1, 1
    for rows in range(1, min(tile_y, accumulators) + 1):
        wide = min(sets, accumulators // rows)
        down, across = ceil_div(tile_y, rows), ceil_div(sets, wide)
        if best < 0 or down * across < best:
            best = down * across
            best_rows, best_sets = ceil_div(tile_y, down), ceil_div(sets, across)
    return best_rows, min(tile_x, best_sets * pixels)


@kernel
def share_rows(images, accumulators):  # type: ignore[no-untyped-def]
    """(images that go through a block together, accumulator rows that each of them has)."""
    together = min(images, accumulators)
    return together, accumulators // together
