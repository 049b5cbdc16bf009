"""How one layer runs on its tile: pixel lanes, splits, blocks, initiation intervals.

Every function works on one output tile; what it returns is exact for the EXECUTE queue alone,
and the mapper chooses by it.
"""

from typing import NamedTuple

from sim.arrays.geometry import add_slots, ceil_div, groups_of, segment_slots
from sim.arrays.kernel import apart, in_place, kernel
from sim.arrays.network_input import windows_per_vector
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_beats
from sim.mapping.bands import fits_band
from sim.mapping.borders import choose_borders, descriptor_cycles, interval
from sim.mapping.splits import choose_block, choose_split, share_rows, split_count, split_cycles
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "NO_HALO",
    "SPREAD",
    "LayerWork",
    "choose_pixels",
    "exchanged",
    "hop_cycles",
    "issue_slots",
    "layer_cycles",
    "layer_work",
    "lets_pixels",
    "lets_spread",
    "most_rows",
    "pixels_of_tile",
    "spread_over",
    "stored_weight_rows",
    "weight_blocks",
    "weight_bytes",
    "weight_rows",
    "work_blocks",
]

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
def lets_pixels(layer, pixels, tile_y, tile_x):
    """Whether so many pixels can be computed at once, and more than half of them exist in a tile."""
    op = layer[LayerColumn.OP]
    if pixels == 1:
        return True
    if op == ExecuteOp.POOL:
        return False
    if op == ExecuteOp.DEPTHWISE:
        return pixels < 2 * tile_y and fits_band(
            layer[LayerColumn.KERNEL_Y],
            layer[LayerColumn.KERNEL_X],
            layer[LayerColumn.STRIDE_Y],
            layer[LayerColumn.STRIDE_X],
            pixels,
        )
    return pixels < 2 * tile_x


@in_place
def lets_spread(layer, pixels):
    """Whether PE columns can split the channel groups where so many pixels are computed at once.

    ADD's operands lie as its output does. DEPTHWISE's columns read the same banks, so each has whole planes.
    """
    op = layer[LayerColumn.OP]
    return op != ExecuteOp.ADD and (op != ExecuteOp.DEPTHWISE or pixels == 1)


@in_place
def issue_slots(layer, channels, in_y, in_x, pixels, simd):
    """Issue slots of a set of windows that are computed in one split; 0 of DEPTHWISE, see its bands."""
    op = layer[LayerColumn.OP]
    if op == ExecuteOp.CONV:
        taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
        return taps * segment_slots(0, ceil_div(channels, DOT_WIDTH), simd, pixels)
    if op == ExecuteOp.ADD:
        return add_slots(pixels)
    return in_y * in_x if op == ExecuteOp.POOL else 0


class LayerWork(NamedTuple):
    """A layer's splits and weights, which do not depend on its tile.

    Parameters
    ----------
    channels, groups : int
        Input channels; output channel groups.
    quads : int
        4-channel steps of the input.
    splits, tap_rows, tap_columns, steps : int
        Splits, and a split's taps and 4-channel steps.
    rows, size : int
        Rows that all weights and parameters have in the weight store; bytes in external memory.
    """

    channels: int
    groups: int
    quads: int
    splits: int
    tap_rows: int
    tap_columns: int
    steps: int
    rows: int
    size: int


@in_place
def layer_work(layer, channels, outputs, hw):
    """Work of a layer with so many input and output channels."""
    quads = ceil_div(channels, DOT_WIDTH)
    splits, tap_rows, tap_columns, steps = 1, 0, 0, 0
    if layer[LayerColumn.OP] == ExecuteOp.CONV:
        kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
        tap_rows, tap_columns, steps = choose_split(
            kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
        )
        splits = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, steps)
    return LayerWork(
        channels,
        groups_of(outputs, hw.simd),
        quads,
        splits,
        tap_rows,
        tap_columns,
        steps,
        stored_weight_rows(layer, channels, outputs, hw),
        weight_bytes(layer, channels, outputs, hw),
    )


@kernel
def most_rows(layers, tensors, hw):
    """(most register-file rows of a layer's weights, rows of all layers in the weight store or more)."""
    most, total = 0, 0
    for i in range(layers.shape[0]):
        channels = tensors[layers[i, LayerColumn.INPUT], TensorColumn.CHANNELS]
        outputs = tensors[i + 1, TensorColumn.CHANNELS]
        most = max(most, weight_rows(layers[i], channels))
        total += stored_weight_rows(layers[i], channels, outputs, hw)
    return most, total


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
    work = layer_work(layer, channels, groups * hw.simd, hw)
    return _work_cycles(layer, work, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw)


@in_place
def _work_cycles(layer, work, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw):
    """As :func:`layer_cycles`, of a layer whose work is known."""
    op, groups, splits = layer[LayerColumn.OP], work.groups, work.splits
    rounds = ceil_div(groups, hw.lanes // pixels * spread_over(groups, pixels, exchange, hw))
    sources = exchanged(groups, pixels, exchange, hw)
    if splits == 1:
        slots = issue_slots(layer, work.channels, in_y, in_x, pixels, hw.simd)
        _, _, total = choose_borders(layer, slots, pixels, tile_y, tile_x, halo, sources)
        if op == ExecuteOp.POOL and exchange != 0:
            total += hop_cycles(exchange, hw)
        return rounds * total, 1
    sets = ceil_div(tile_x, pixels)
    loads = 1
    together, own = share_rows(hw.images, hw.accumulator_rows)
    rows, columns = choose_block(tile_y, tile_x, pixels, own)
    blocks = ceil_div(tile_y, rows) * ceil_div(tile_x, columns)
    if splits > 2:
        loads = blocks * ceil_div(hw.images, together)
    saved, slots = split_cycles(
        layer[LayerColumn.KERNEL_Y],
        layer[LayerColumn.KERNEL_X],
        work.quads,
        work.tap_rows,
        work.tap_columns,
        work.steps,
        hw.simd // DOT_WIDTH,
        pixels,
    )
    cycles = interval(slots, op, pixels, tile_y, tile_x, 0, 0, tile_y, tile_x, halo, False, sources)
    total = tile_y * sets * (saved + cycles) + splits * blocks * descriptor_cycles(op, pixels)
    return rounds * total, loads


@in_place
def weight_bytes(layer, channels, outputs, hw):
    """Bytes of a layer's weights and parameters in external memory."""
    rows = weight_rows(layer, channels)
    return layer_beats(layer, outputs, REQUANTIZER_PHASES, rows, hw) * hw.bus_bytes


@in_place
def stored_weight_rows(layer, channels, outputs, hw):
    """Rows of a layer's weights and parameters in the weight store."""
    blocks = 1 if layer[LayerColumn.SHARED] else groups_of(outputs, hw.simd)
    return blocks * (REQUANTIZER_PHASES + weight_rows(layer, channels))


@in_place
def weight_blocks(layer, channels, groups, pixels, exchange, hw):
    """Different weight blocks that a layer's LOADs bring; two stay in the register files."""
    return work_blocks(
        layer, layer_work(layer, channels, groups * hw.simd, hw), pixels, exchange, hw
    )


@in_place
def work_blocks(layer, work, pixels, exchange, hw):
    """As :func:`weight_blocks`, of a layer whose work is known."""
    if layer[LayerColumn.SHARED]:
        return 1
    columns = spread_over(work.groups, pixels, exchange, hw)
    return ceil_div(work.groups, hw.lanes // pixels * columns) * work.splits


@in_place
def _weight_cycles(work, loads, columns, hw):
    """Cycles in which a layer's weights are loaded so many times.

    From the weight store a row per cycle for each of ``columns`` columns of PEs.
    """
    rows = min(hw.store_rows, work.rows)
    size = work.size
    if rows > 0:
        size = size * (work.rows - rows) // work.rows
    return loads * (ceil_div(rows, columns) + size * hw.cost // (hw.bus_bytes * hw.earn))


@in_place
def choose_pixels(layer, channels, outputs, tile_y, tile_x, in_y, in_x, halo, exchange, hw):
    """(pixels computed at once, EXECUTE cycles, transfer cycles of the weights) of all images.

    ``channels`` and ``outputs`` are the input and output channels.

    Least time in which weights stream behind the computation, one block ahead, and of the EXECUTE
    cycles where these are equal.
    """
    work = layer_work(layer, channels, outputs, hw)
    return pixels_of_tile(layer, work, tile_y, tile_x, in_y, in_x, halo, exchange, hw)


@apart
def pixels_of_tile(layer, work, tile_y, tile_x, in_y, in_x, halo, exchange, hw):
    """As :func:`choose_pixels`, of a layer whose work is known."""
    best, best_pixels, best_cycles, best_transfer = -1, 1, 0, 0
    pixels, most = 1, hw.lanes
    if layer[LayerColumn.WINDOW_PIXELS] > 0:  # a set's windows lie in a vector
        most = min(most, windows_per_vector(layer, hw.simd))
    while pixels <= most and lets_pixels(layer, pixels, tile_y, tile_x):
        if exchange == SPREAD and not lets_spread(layer, pixels):
            break
        cycles, loads = _work_cycles(
            layer, work, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw
        )
        cycles *= hw.images
        columns = spread_over(work.groups, pixels, exchange, hw)
        if layer[LayerColumn.SHARED]:
            columns = 1
        transfer = _weight_cycles(work, loads, columns, hw)
        blocks = work_blocks(layer, work, pixels, exchange, hw)
        total = max(cycles, transfer) + min(cycles, transfer) // blocks
        if best < 0 or total < best or (total == best and cycles < best_cycles):
            best, best_pixels, best_cycles, best_transfer = total, pixels, cycles, transfer
        pixels *= 2
    return best_pixels, best_cycles, best_transfer
