"""Border rows of a tile, in blocks of their own so that the inner rows do not wait for their stores."""

from typing import NamedTuple

from sim.arrays.geometry import most_served, pixel_log2, pixel_sets, served, set_shape
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn
from sim.mapping.bands import choose_band
from sim.mapping.bank_ports import (
    NO_PORTS,
    base_hold,
    drained_hold,
    port_variants,
    port_waits,
    set_reads,
    share_port,
)
from sim.spec.accelerator import REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "DESCRIPTOR_CYCLES",
    "Rows",
    "Times",
    "block_rows",
    "choose_borders",
    "descriptor_cycles",
    "descriptor_times",
    "fewest_stores",
    "least_interval",
    "product_times",
    "rows_of",
]

DESCRIPTOR_CYCLES = 4
"""Cycles that an EXECUTE descriptor is taken to cost beside its windows.

They weigh mappings; predictions do not use them.
"""


@in_place
def descriptor_cycles(op, pixels):
    """Cycles that an EXECUTE descriptor is taken to cost, with the skew of CONV's pixels."""
    return DESCRIPTOR_CYCLES + (pixels if op == ExecuteOp.CONV else 0)


class Rows(NamedTuple):
    """Windows of a tile that a descriptor computes, and what it stores of them.

    Parameters
    ----------
    first_row, first_column, rows, columns : int
    most, last : int
        Stores of the set with most of them, and of the last set.
    """

    first_row: int
    first_column: int
    rows: int
    columns: int
    most: int
    last: int


class Times(NamedTuple):
    """Times of a descriptor: fields of those names, and the cycles of its sets.

    Parameters
    ----------
    interval, band, lead, slack, hold : int
    cycles : int
    """

    interval: int
    band: int
    lead: int
    slack: int
    hold: int
    cycles: int


@in_place
def rows_of(op, pixels, rows, columns, first_row, first_column, tile_y, tile_x, halo, sources):
    """:class:`Rows` of a tile. With ``sources`` every PE stores the outputs of so many PEs of its row."""
    down, across = set_shape(op, pixels)
    times, log2 = max(1, sources), pixel_log2(pixels)
    most = most_served(tile_y, halo[0], halo[1], first_row, rows, down) * times
    most *= most_served(tile_x, halo[2], halo[3], first_column, columns, across)
    y, x = rows - 1, columns - 1
    if op == ExecuteOp.DEPTHWISE:
        y = y >> log2 << log2
    else:
        x = x >> log2 << log2
    last = served(tile_y, halo[0], halo[1], first_row + y, rows - y) * times
    last *= served(tile_x, halo[2], halo[3], first_column + x, columns - x)
    return Rows(first_row, first_column, rows, columns, most, last)


@in_place
def least_interval(slots, op, rows):
    """Least interval for other reasons than what shares a bank's port; reads of POOL give way to stores."""
    if op == ExecuteOp.POOL:
        slots += rows.most
    return max(slots, REQUANTIZER_PHASES)


@in_place
def descriptor_times(layer, op, slots, pixels, rows, fewest, apart, ports, variant):
    """:class:`Times` of a descriptor of a layer that is computed in one split.

    Parameters
    ----------
    layer : int64[len(LayerColumn)]
    op, slots, pixels : int
        Operation; issue slots of a set, but for DEPTHWISE; P.
    rows : Rows
    fewest : int
        Fewest stores that a set with most of them has, of the layer's descriptors.
    apart : bool
        Whether the layer has others than this.
    ports : Ports
    variant : int
        Of the round, of :func:`sim.mapping.bank_ports.port_variants`.
    """
    least = least_interval(slots, op, rows)
    if op == ExecuteOp.DEPTHWISE:
        band, interval, lead, cycles = choose_band(
            layer, pixels, rows.rows, rows.columns, least, rows.most
        )
        # others' stores are not as many, or not as seldom
        hold = drained_hold(op, pixels, rows.last) if apart else 0
        return Times(interval, band, lead, 0, hold, cycles)
    sets = rows.rows * pixel_sets(rows.columns, pixels)
    reads, base = set_reads(op, pixels, ports, variant), base_hold(op, pixels)
    gap = ports.quads - pixels if op == ExecuteOp.CONV else 0
    floor = max(least, fewest)
    if not apart and port_variants(op, pixels, ports) == 1:
        floor = max(least, rows.most + min(reads, port_waits(reads, rows.most, gap, pixels)))
    drained = drained_hold(op, pixels, rows.last)
    interval, slack, drains = share_port(
        least, rows.most, floor, reads, gap, pixels, sets, False, drained - base
    )
    hold = max(base, rows.last + slack - floor)
    if drains or hold >= drained:
        hold, slack = drained, 0
    return Times(interval, 1, 0, slack, hold, sets * interval)


@in_place
def product_times(layer, rows, halo):
    """:class:`Times` of a descriptor of a product: a row of a tile, of which rows that neighbours keep have more stores."""
    op = layer[LayerColumn.OP]
    apart = halo[0] + halo[1] + halo[2] + halo[3] > 0
    return descriptor_times(layer, op, 0, 1, rows, rows.most, apart, NO_PORTS, 0)


@in_place
def _part(layer, slots, pixels, rows, fewest, apart, ports, rounds):
    """Cycles of so many rounds of a part of a tile, with what its descriptors are taken to cost."""
    op = layer[LayerColumn.OP]
    own, base = descriptor_cycles(op, pixels), base_hold(op, pixels)
    variants, total = port_variants(op, pixels, ports), 0
    for variant in range(min(variants, rounds)):
        times = descriptor_times(layer, op, slots, pixels, rows, fewest, apart, ports, variant)
        count = (rounds + variants - 1 - variant) >> pixel_log2(variants)
        total += count * (times.cycles + times.hold - base + own)
    return total


@in_place
def choose_borders(layer, slots, pixels, tile_y, tile_x, halo, sources, ports, rounds):
    """(rows at the top, rows at the bottom, cycles) of a tile that is computed in one split.

    The rows that neighbours keep, where the others then take so much less time that it is worth the
    descriptors; else 0 and 0. Cycles are those of all rounds: of the sets and of what descriptors are taken to cost.

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
    ports : Ports
    rounds : int
    """
    op = layer[LayerColumn.OP]
    all_rows = rows_of(op, pixels, tile_y, tile_x, 0, 0, tile_y, tile_x, halo, sources)
    whole = _part(layer, slots, pixels, all_rows, all_rows.most, False, ports, rounds)
    # the neighbour to the north keeps the first rows
    top, bottom = halo[1], halo[0]
    if top + bottom == 0 or top + bottom >= tile_y:
        return 0, 0, whole
    fewest = fewest_stores(op, pixels, tile_y, tile_x, halo, sources, top, bottom)
    parts = 0
    for place in range(3):
        first, count = _third(tile_y, top, bottom, place)
        if count > 0:
            some = rows_of(op, pixels, count, tile_x, first, 0, tile_y, tile_x, halo, sources)
            parts += _part(layer, slots, pixels, some, fewest, True, ports, rounds)
    if parts < whole:
        return top, bottom, parts
    return 0, 0, whole


@in_place
def _third(tile_y, top, bottom, place):
    """(first row, rows) of the rows at the top, of the inner rows, or of those at the bottom."""
    if place == 0:
        return 0, top
    if place == 1:
        return top, tile_y - top - bottom
    return tile_y - bottom, bottom


@in_place
def fewest_stores(op, pixels, tile_y, tile_x, halo, sources, top, bottom):
    """Fewest stores of the set with most of them, of the inner rows and of those at top and bottom."""
    fewest = 1 << 30
    for place in range(3):
        first, count = _third(tile_y, top, bottom, place)
        if count > 0:
            some = rows_of(op, pixels, count, tile_x, first, 0, tile_y, tile_x, halo, sources)
            fewest = min(fewest, some.most)
    return fewest


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
