"""How one layer runs on its tile: pixel lanes, splits, blocks, initiation intervals.

Every function works on one output tile; what it returns is exact for the EXECUTE queue alone,
and the mapper chooses by it.
"""

from sim.arrays.geometry import add_slots, ceil_div, depthwise_slots, most_served, uses_window
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn
from sim.mapping.splits import choose_block, choose_split, share_rows, split_count, split_cycles
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "NO_HALO",
    "SPREAD",
    "choose_pixels",
    "exchanged",
    "hop_cycles",
    "interval",
    "layer_cycles",
    "row_lead",
    "spread_over",
    "weight_blocks",
    "weight_bytes",
    "weight_rows",
]

DESCRIPTOR_CYCLES = 4
"""Cycles that an EXECUTE descriptor is taken to cost beside its windows.

They weigh mappings; predictions do not use them.
"""


NO_HALO = (0, 0, 0, 0)
"""Rows and columns that neighbours keep of a tile that no other layer reads on chip."""

SPREAD = -1
"""Exchange of a layer whose PE columns split its output channel groups.

An *exchange* n ≥ 0 is that of a layer whose PE columns split its pixels: every PE of a row stores the
outputs of n columns; 0: its own only.
"""


@in_place
def spread_over(groups, pixels, exchange, hw):
    """PE columns that split the output channel groups; 1 where they split pixels."""
    if exchange != SPREAD:
        return 1
    return min(hw.pes_x, ceil_div(groups, hw.lanes // pixels))


@in_place
def exchanged(groups, pixels, exchange, hw):
    """PE columns whose outputs every PE of their row stores; 0: none but its own."""
    if exchange != SPREAD:
        return exchange
    return spread_over(groups, pixels, exchange, hw)


@in_place
def hop_cycles(exchange, hw):
    """Cycles of POOL's reduction."""
    columns = 0 if exchange == SPREAD else hw.pes_x - 1
    return REQUANTIZER_PHASES * (columns + hw.pes_y - 1)


@in_place
def weight_rows(layer, channels):
    """Register-file rows per lane of one output group's weights."""
    op = layer[LayerColumn.OP]
    taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
    if op == ExecuteOp.CONV:
        return taps * ceil_div(channels, DOT_WIDTH)
    if op == ExecuteOp.DEPTHWISE:
        return ceil_div(taps, DOT_WIDTH)
    if op == ExecuteOp.POOL:
        return 1
    return 0


@in_place
def interval(
    slots, pixels, rows, columns, first_row, first_column, tile_y, tile_x, halo, saves, sources
):
    """Cycles per set of windows: the slowest of issue, requantizer and stores.

    ``slots`` are the issue slots of a set; the set's windows are those of ``rows`` × ``columns``
    windows from (``first_row``, ``first_column``) of the tile on. With ``sources`` every PE stores those
    of so many PEs of its row.
    """
    least = max(slots, REQUANTIZER_PHASES)
    if saves:
        return least
    stores = most_served(tile_y, halo[0], halo[1], first_row, rows, 1) * max(1, sources)
    return max(least, stores * most_served(tile_x, halo[2], halo[3], first_column, columns, pixels))


@in_place
def row_lead(layer, cycles):
    """Further cycles of the first window of a row: DEPTHWISE fills its window."""
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    if layer[LayerColumn.OP] != ExecuteOp.DEPTHWISE:
        return 0
    if not uses_window(kernel_y, kernel_x, layer[LayerColumn.STRIDE_X]):
        return 0
    return max(0, kernel_y * kernel_x - cycles)


@in_place
def layer_cycles(layer, channels, groups, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw):
    """(EXECUTE cycles of an image, times that the weights are loaded) of a layer's tile.

    Parameters
    ----------
    layer : int64[len(LayerColumn)]
        Row of the layer table.
    channels, groups : int
        Input channels; output channel groups.
    tile_y, tile_x, in_y, in_x : int
        Output and input tile of a PE.
    pixels : int
        Pixels computed at once (P).
    halo : tuple of 4 ints
        Rows and columns that neighbours keep: top, bottom, left, right.
    exchange : int
        See :data:`SPREAD`.
    hw : Hw
    """
    op = layer[LayerColumn.OP]
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    rounds = ceil_div(groups, hw.lanes // pixels * spread_over(groups, pixels, exchange, hw))
    sources = exchanged(groups, pixels, exchange, hw)
    sets = ceil_div(tile_x, pixels)
    if op != ExecuteOp.CONV:
        if op == ExecuteOp.DEPTHWISE:
            slots = depthwise_slots(kernel_y, kernel_x, layer[LayerColumn.STRIDE_X])
        elif op == ExecuteOp.ADD:
            slots = add_slots(pixels)
        else:
            slots = in_y * in_x
        cycles = interval(slots, pixels, tile_y, tile_x, 0, 0, tile_y, tile_x, halo, False, sources)
        lead = row_lead(layer, cycles)
        if op == ExecuteOp.POOL and exchange != 0:
            cycles += hop_cycles(exchange, hw)
        return rounds * (tile_y * (sets * cycles + lead) + DESCRIPTOR_CYCLES), 1
    quads = ceil_div(channels, DOT_WIDTH)
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
    )
    splits = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)
    blocks = loads = 1
    if splits > 1:
        together, own = share_rows(hw.images, hw.accumulator_rows)
        rows, columns = choose_block(tile_y, tile_x, pixels, own)
        blocks = ceil_div(tile_y, rows) * ceil_div(tile_x, columns)
        if splits > 2:
            loads = blocks * ceil_div(hw.images, together)
    saved, slots = split_cycles(
        kernel_y, kernel_x, quads, tap_rows, tap_columns, size, hw.simd // DOT_WIDTH, pixels
    )
    cycles = interval(slots, pixels, tile_y, tile_x, 0, 0, tile_y, tile_x, halo, False, sources)
    total = tile_y * sets * (saved + cycles) + splits * blocks * (DESCRIPTOR_CYCLES + pixels)
    return rounds * total, loads


@in_place
def weight_bytes(layer, channels, groups, simd):
    """Bytes of a layer's weights and parameters in external memory."""
    blocks = 1 if layer[LayerColumn.SHARED] else groups
    return blocks * (REQUANTIZER_PHASES + weight_rows(layer, channels)) * DOT_WIDTH * simd


@in_place
def weight_blocks(layer, channels, groups, pixels, exchange, hw):
    """Different weight blocks that a layer's LOADs bring; two stay in the register files."""
    if layer[LayerColumn.SHARED]:
        return 1
    rounds = ceil_div(groups, hw.lanes // pixels * spread_over(groups, pixels, exchange, hw))
    if layer[LayerColumn.OP] == ExecuteOp.DEPTHWISE:
        return rounds
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    quads = ceil_div(channels, DOT_WIDTH)
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
    )
    return rounds * split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)


@in_place
def _weight_cycles(size, columns, hw):
    """Cycles that so many bytes of weights take: from the weight store a row per cycle and column."""
    if hw.store_rows > 0:
        return ceil_div(size // (DOT_WIDTH * hw.simd), columns)
    return size * hw.cost // (hw.bus_bytes * hw.earn)


@in_place
def choose_pixels(layer, channels, groups, tile_y, tile_x, in_y, in_x, halo, exchange, hw):
    """(pixels computed at once, EXECUTE cycles, transfer cycles of the weights) of all images.

    Least time in which weights stream behind the computation, one block ahead, and of the EXECUTE
    cycles where these are equal.
    """
    op = layer[LayerColumn.OP]
    size = weight_bytes(layer, channels, groups, hw.simd)
    best, best_pixels, best_cycles, best_transfer = -1, 1, 0, 0
    pixels = 1
    while pixels <= hw.lanes and (pixels == 1 or pixels < 2 * tile_x):
        cycles, loads = layer_cycles(
            layer, channels, groups, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw
        )
        cycles *= hw.images
        columns = spread_over(groups, pixels, exchange, hw)
        if layer[LayerColumn.SHARED]:
            columns = 1
        transfer = loads * _weight_cycles(size, columns, hw)
        blocks = weight_blocks(layer, channels, groups, pixels, exchange, hw)
        total = max(cycles, transfer) + min(cycles, transfer) // blocks
        if best < 0 or total < best or (total == best and cycles < best_cycles):
            best, best_pixels, best_cycles, best_transfer = total, pixels, cycles, transfer
        if op != ExecuteOp.CONV and op != ExecuteOp.ADD:
            break
        pixels *= 2
    return best_pixels, best_cycles, best_transfer
