"""Border rows of a tile, in blocks of their own so that the inner rows do not wait for their stores."""

from sim.arrays.geometry import ceil_div, most_served, set_shape
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn
from sim.mapping.bands import choose_band
from sim.spec.accelerator import REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

__all__ = ["DESCRIPTOR_CYCLES", "block_rows", "choose_borders", "descriptor_cycles", "interval"]

DESCRIPTOR_CYCLES = 4
"""Cycles that an EXECUTE descriptor is taken to cost beside its windows.

They weigh mappings; predictions do not use them.
"""


@in_place
def descriptor_cycles(op, pixels):
    """Cycles that an EXECUTE descriptor is taken to cost, with the skew of CONV's pixels."""
    return DESCRIPTOR_CYCLES + (pixels if op == ExecuteOp.CONV else 0)


@in_place
def interval(
    slots,
    op,
    pixels,
    rows,
    columns,
    first_row,
    first_column,
    tile_y,
    tile_x,
    halo,
    saves,
    sources,
):
    """Cycles per set of windows: the slowest of issue, requantizer and stores.

    ``slots`` are the issue slots of a set; the set's windows are those of ``rows`` × ``columns``
    windows from (``first_row``, ``first_column``) of the tile on. With ``sources`` every PE stores those
    of so many PEs of its row.
    """
    least = max(slots, REQUANTIZER_PHASES)
    if saves:
        return least
    down, across = set_shape(op, pixels)
    stores = most_served(tile_y, halo[0], halo[1], first_row, rows, down) * max(1, sources)
    return max(least, stores * most_served(tile_x, halo[2], halo[3], first_column, columns, across))


@in_place
def _row_cycles(layer, slots, pixels, first, rows, tile_y, tile_x, halo, sources):
    """Cycles of the sets of ``rows`` whole rows of a tile, from row ``first`` on."""
    op = layer[LayerColumn.OP]
    cycles = interval(
        slots, op, pixels, rows, tile_x, first, 0, tile_y, tile_x, halo, False, sources
    )
    if op == ExecuteOp.DEPTHWISE:
        _, _, _, total = choose_band(layer, pixels, rows, tile_x, cycles)
        return total
    return rows * ceil_div(tile_x, pixels) * cycles


@in_place
def choose_borders(layer, slots, pixels, tile_y, tile_x, halo, sources):
    """(rows at the top, rows at the bottom, cycles) of a tile that is computed in one split.

    The rows that neighbours keep, where the others then take so much less time that it is worth the
    descriptors; else 0 and 0. Cycles are those of the sets and of what descriptors are taken to cost.

    Parameters
    ----------
    layer : int64[len(LayerColumn)]
        Row of the layer table.
    slots : int
        Issue slots of a set, but for DEPTHWISE.
    pixels : int
        Pixels computed at once (P).
    tile_y, tile_x : int
        Output tile of a PE.
    halo : tuple of 4 ints
        Rows and columns that neighbours keep: top, bottom, left, right.
    sources : int
        PEs of a row whose outputs each of them stores; 0: only its own.
    """
    own = descriptor_cycles(layer[LayerColumn.OP], pixels)
    whole = _row_cycles(layer, slots, pixels, 0, tile_y, tile_y, tile_x, halo, sources) + own
    # the neighbour to the north keeps the first rows
    top, bottom = halo[1], halo[0]
    inner = tile_y - top - bottom
    if top + bottom == 0 or inner <= 0:
        return 0, 0, whole
    parts = _row_cycles(layer, slots, pixels, top, inner, tile_y, tile_x, halo, sources) + own
    if top > 0:
        parts += _row_cycles(layer, slots, pixels, 0, top, tile_y, tile_x, halo, sources) + own
    if bottom > 0:
        parts += (
            _row_cycles(layer, slots, pixels, top + inner, bottom, tile_y, tile_x, halo, sources)
            + own
        )
    if parts < whole:
        return top, bottom, parts
    return 0, 0, whole


@in_place
def block_rows(plan, index):
    """(first row, rows) of the ``index``-th block of a tile from the top."""
    tile, top, bottom = (
        plan[LayerPlan.TILE_Y],
        plan[LayerPlan.BORDER_TOP],
        plan[LayerPlan.BORDER_BOTTOM],
    )
    if top > 0:
        if index == 0:
            return 0, top
        index -= 1
    first = top + index * plan[LayerPlan.BLOCK_ROWS]
    if first >= tile - bottom:
        return tile - bottom, bottom
    return first, min(plan[LayerPlan.BLOCK_ROWS], tile - bottom - first)
