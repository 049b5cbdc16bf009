"""How one layer runs on its tile: pixel lanes, splits, blocks, initiation intervals.

Every function works on one output tile; what it returns is exact for the EXECUTE queue alone,
and the mapper chooses by it.
"""

from typing import NamedTuple

from sim.arrays.geometry import (
    add_slots,
    ceil_div,
    groups_of,
    pixel_lanes,
    pixel_log2,
    pixel_sets,
    segment_slots,
)
from sim.arrays.kernel import in_place
from sim.arrays.network_input import input_bank, windows_per_vector
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_beats, layer_blocks
from sim.mapping.bands import fits_band
from sim.mapping.bank_ports import Ports, base_hold, drained_hold, share_port
from sim.mapping.borders import (
    Times,
    choose_borders,
    descriptor_cycles,
    product_times,
    rows_of,
)
from sim.mapping.splits import (
    choose_block,
    choose_split,
    share_rows,
    split_bounds,
    split_count,
    split_cycles,
    split_quads,
)
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.spec.network import FACTOR_BYTES

__all__ = [
    "NO_HALO",
    "SPREAD",
    "LayerWork",
    "choose_pixels",
    "exchanged",
    "hop_cycles",
    "issue_slots",
    "last_split_times",
    "layer_cycles",
    "layer_ports",
    "layer_work",
    "lets_pixels",
    "lets_spread",
    "planned_ports",
    "read_channels",
    "spread_over",
    "stored_weight_rows",
    "weight_blocks",
    "weight_bytes",
    "weight_rows",
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
    return min(hw.pes_x, ceil_div(groups, pixel_lanes(hw.lanes, pixels)))


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
def read_channels(layer, source, hw):
    """Input channels of a window of a layer; factors are made of one vector at a time."""
    if layer[LayerColumn.INTERLEAVES]:
        return hw.simd
    return source[TensorColumn.CHANNELS]


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
    if pixels == 1 or layer[LayerColumn.INTERLEAVES]:
        return True
    if op == ExecuteOp.POOL or layer[LayerColumn.FACTORS] > 0:
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

    ADD's operands lie as its output does. DEPTHWISE's columns read the same banks, so each has whole planes. What the columns of a
    product split are its pixels, as their weights are the same; all of a product's factors lie in the order of their channels.
    """
    op = layer[LayerColumn.OP]
    if layer[LayerColumn.FACTORS] > 0 or layer[LayerColumn.INTERLEAVES]:
        return False
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
    """A layer's work on an accelerator, whatever its tile is.

    Parameters
    ----------
    channels, groups : int
        Input channels of a window; output channel groups.
    tap_rows, tap_columns, steps, splits : int
        Splits of its weights and their number; 1 for all but convolutions.
    last : int
        Number of a window's last input vector.
    saved : tuple of 4 ints
        Of several splits, least cycles of a set of windows in all but the last, for 1, 2, 4 and 8 pixels.
    ports : Ports
        Where PE columns split its pixels.
    stored : int
        Rows of weights that come from the weight store.
    streamed : int
        Cycles in which the others come from memory.
    """

    channels: int
    groups: int
    tap_rows: int
    tap_columns: int
    steps: int
    splits: int
    last: int
    saved: tuple[int, int, int, int]
    ports: Ports
    stored: int
    streamed: int


@in_place
def layer_work(layer, channels, outputs, hw):
    """:class:`LayerWork` of a layer with so many input channels of a window, and output channels."""
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    quads, per_group = ceil_div(channels, DOT_WIDTH), hw.simd // DOT_WIDTH
    tap_rows, tap_columns, steps, splits = kernel_y, kernel_x, quads, 1
    saved = (0, 0, 0, 0)
    if layer[LayerColumn.OP] == ExecuteOp.CONV:
        tap_rows, tap_columns, steps = choose_split(
            kernel_y, kernel_x, quads, hw.weight_rows, per_group
        )
        splits = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, steps)
        if splits > 1:
            split = (kernel_y, kernel_x, quads, tap_rows, tap_columns, steps, per_group)
            saved = (
                split_cycles(*split, 1)[0],
                split_cycles(*split, 2)[0],
                split_cycles(*split, 4)[0],
                split_cycles(*split, 8)[0],
            )
    total = stored_weight_rows(layer, channels, outputs, hw)
    stored = min(hw.store_rows, total)
    streamed = 0
    if stored < total:
        size = weight_bytes(layer, channels, outputs, hw) * (total - stored) // total
        streamed = size * hw.cost // (hw.bus_bytes * hw.earn)
    return LayerWork(
        channels,
        groups_of(outputs, hw.simd),
        tap_rows,
        tap_columns,
        steps,
        splits,
        (quads - 1) // per_group,
        saved,
        layer_ports(layer, channels, False, hw),
        stored,
        streamed,
    )


@in_place
def _rounds(work, pixels, exchange, hw):
    """(rounds, PE columns that split the output channel groups) of a layer."""
    spread = spread_over(work.groups, pixels, exchange, hw)
    return ceil_div(work.groups, pixel_lanes(hw.lanes, pixels) * spread), spread


@in_place
def _slots(work, layer, in_y, in_x, pixels, hw):
    """:func:`issue_slots` of a layer that is computed in one split."""
    if layer[LayerColumn.OP] == ExecuteOp.CONV:
        taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
        per_group = hw.simd // DOT_WIDTH
        rest = ceil_div(work.channels, DOT_WIDTH) - work.last * per_group
        return taps * (work.last * max(per_group, pixels) + max(rest, pixels))
    return issue_slots(layer, work.channels, in_y, in_x, pixels, hw.simd)


@in_place
def layer_cycles(work, layer, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw):
    """(EXECUTE cycles of an image, times that the weights are loaded) of a layer's tile.

    Parameters
    ----------
    work : LayerWork
    layer : int64[len(LayerColumn)]
        Row of the layer table.
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
    op, splits = layer[LayerColumn.OP], work.splits
    rounds, spread = _rounds(work, pixels, exchange, hw)
    sources = spread if exchange == SPREAD else exchange
    if layer[LayerColumn.FACTORS] > 0:
        row = rows_of(op, pixels, 1, tile_x, 0, 0, tile_y, tile_x, halo, sources)
        times = product_times(layer, row, halo)
        return rounds * tile_y * (times.cycles + times.hold + descriptor_cycles(op, pixels)), 1
    if splits == 1:
        slots = _slots(work, layer, in_y, in_x, pixels, hw)
        ports = work.ports
        if exchange == SPREAD and op == ExecuteOp.CONV:
            ports = Ports(ports.taps, ports.groups, ports.first, ports.quads, ports.lanes, 1)
        _, _, total = choose_borders(
            layer, slots, pixels, tile_y, tile_x, halo, sources, ports, rounds
        )
        if op == ExecuteOp.POOL and exchange != 0:
            total += rounds * hop_cycles(exchange, hw)
        return total, 1
    loads = 1
    together, own = share_rows(hw.images, hw.accumulator_rows)
    rows, columns = choose_block(tile_y, tile_x, pixels, own)
    blocks = ceil_div(tile_y, rows) * ceil_div(tile_x, columns)
    if splits > 2:
        loads = blocks * ceil_div(hw.images, together)
    split = (work.tap_rows, work.tap_columns, work.steps, splits)
    times = last_split_times(
        layer,
        work.channels,
        split,
        pixels,
        tile_y,
        tile_x,
        rows,
        columns,
        halo,
        sources,
        exchange == SPREAD,
        hw,
    )
    total = tile_y * pixel_sets(tile_x, pixels) * (work.saved[pixel_log2(pixels)] + times.interval)
    total += blocks * (splits * descriptor_cycles(op, pixels) + times.hold - base_hold(op, pixels))
    return rounds * total, loads


@in_place
def _least_cycles(work, layer, tile_y, tile_x, in_y, in_x, pixels, rounds, hw):
    """No more than the EXECUTE cycles of :func:`layer_cycles`: its sets, as if they shared no port."""
    op = layer[LayerColumn.OP]
    sets = tile_y * pixel_sets(tile_x, pixels)
    interval = REQUANTIZER_PHASES
    if op == ExecuteOp.DEPTHWISE:
        sets = pixel_sets(tile_y, pixels) * tile_x
        taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
        interval = max(interval, ceil_div(taps, DOT_WIDTH))
    elif work.splits == 1:
        interval = max(interval, _slots(work, layer, in_y, in_x, pixels, hw))
    else:
        interval += work.saved[pixel_log2(pixels)]
    return rounds * sets * interval


@in_place
def planned_ports(layer, plan, channels, hw):
    """:func:`layer_ports` of a layer whose tensors have their banks.

    Where they do not begin in the first bank, as parts of a concatenation may not, all groups are taken to be in banks that are
    stored to.
    """
    aside = plan[LayerPlan.OUT_BANK] > 0
    aside |= plan[LayerPlan.IN_BANK] != input_bank(layer, channels, hw)
    return layer_ports(layer, channels, aside or plan[LayerPlan.SPREAD] > 0, hw)


@in_place
def layer_ports(layer, channels, spread, hw):
    """:class:`sim.mapping.bank_ports.Ports` of a layer that is computed in one split."""
    if layer[LayerColumn.OP] != ExecuteOp.CONV:
        return Ports(0, 0, 0, 0, hw.lanes, 0)
    quads = ceil_div(channels, DOT_WIDTH)
    per_group = hw.simd // DOT_WIDTH
    return Ports(
        layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X],
        ceil_div(quads, per_group),
        input_bank(layer, channels, hw),
        split_quads(quads, quads, per_group),
        hw.lanes,
        1 if spread or layer[LayerColumn.INTERLEAVES] else 0,
    )


@in_place
def last_split_times(
    layer, channels, split, pixels, tile_y, tile_x, rows, columns, halo, sources, spread, hw
):
    """:class:`sim.mapping.borders.Times` of a convolution's last split, the same in all blocks.

    ``split`` has the tap rows, tap columns and 4-channel steps of a split, and the number of splits. Blocks have
    ``rows`` × ``columns`` windows, the last blocks fewer. Other splits read other banks in another order.
    """
    op = layer[LayerColumn.OP]
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    quads, per_group = ceil_div(channels, DOT_WIDTH), hw.simd // DOT_WIDTH
    tap_rows, tap_columns, size, count = split
    y0, y1, x0, x1, first, end = split_bounds(
        kernel_y, kernel_x, quads, tap_rows, tap_columns, size, count - 1
    )
    taps = (y1 - y0) * (x1 - x0)
    slots = taps * segment_slots(first, end, hw.simd, pixels)
    groups = (end - 1) // per_group - first // per_group + 1
    if not spread:  # of which a round's banks have so many at most
        groups = min(groups, ceil_div(groups, hw.lanes) * pixel_lanes(hw.lanes, pixels))
    tile = rows_of(op, pixels, tile_y, tile_x, 0, 0, tile_y, tile_x, halo, sources)
    sets, base = rows * pixel_sets(columns, pixels), base_hold(op, pixels)
    drained = drained_hold(op, pixels, tile.most)
    interval, slack, drains = share_port(
        max(slots, REQUANTIZER_PHASES),
        tile.most,
        0,
        taps * pixels * groups,
        split_quads(quads, size, per_group) - pixels,
        pixels,
        sets,
        True,
        drained - base,
    )
    hold = max(base, tile.most + slack - REQUANTIZER_PHASES)
    if drains or hold >= drained:
        hold, slack = drained, 0
    return Times(interval, 1, 0, slack, hold, sets * interval)


@in_place
def weight_bytes(layer, channels, outputs, hw):
    """Bytes of a layer's weights and parameters in external memory."""
    rows = weight_rows(layer, channels)
    return layer_beats(layer, outputs, REQUANTIZER_PHASES, rows, hw) * hw.bus_bytes


@in_place
def stored_weight_rows(layer, channels, outputs, hw):
    """Rows of a layer's weights and parameters in the weight store."""
    blocks = layer_blocks(layer, outputs, hw.simd)
    return blocks * (REQUANTIZER_PHASES + weight_rows(layer, channels))


@in_place
def weight_blocks(work, layer, pixels, exchange, hw):
    """Different weight blocks that a layer's LOADs bring; two stay in the register files."""
    if layer[LayerColumn.SHARED]:
        return 1
    return _rounds(work, pixels, exchange, hw)[0] * work.splits


@in_place
def _lets(layer, pixels, tile_y, tile_x, exchange):
    """Whether so many pixels can be computed at once on a tile with that exchange."""
    if exchange == SPREAD and not lets_spread(layer, pixels):
        return False
    return lets_pixels(layer, pixels, tile_y, tile_x)


@in_place
def choose_pixels(work, layer, tile_y, tile_x, in_y, in_x, halo, exchange, hw):
    """(pixels computed at once, EXECUTE cycles, transfer cycles of the weights) of all images.

    Least time in which weights stream behind the computation, one block ahead; of the EXECUTE
    cycles where these are equal; and of the pixels.
    """
    best, best_pixels, best_cycles, best_transfer = -1, 1, 0, 0
    first, most = 1, hw.lanes
    if layer[LayerColumn.INTERLEAVES]:  # a round's lanes have a vector's factors
        first = most = max(1, hw.lanes // FACTOR_BYTES)
    if layer[LayerColumn.WINDOW_PIXELS] > 0:  # a set's windows lie in a vector
        most = min(most, windows_per_vector(layer, hw.simd))
    pixels = first
    while pixels <= most and _lets(layer, pixels, tile_y, tile_x, exchange):
        pixels *= 2
    while pixels > first:  # most pixels are mostly the fastest, and spare others a closer look
        pixels //= 2
        rounds, columns = _rounds(work, pixels, exchange, hw)
        once = work.stored + work.streamed
        if layer[LayerColumn.SHARED]:
            columns = 1
        if columns > 1:
            once = ceil_div(work.stored, columns) + work.streamed
        if best >= 0:
            least = _least_cycles(work, layer, tile_y, tile_x, in_y, in_x, pixels, rounds, hw)
            if max(least * hw.images, once) > best:
                continue
        cycles, loads = layer_cycles(
            work, layer, tile_y, tile_x, in_y, in_x, pixels, halo, exchange, hw
        )
        cycles *= hw.images
        transfer = loads * once
        blocks = 1 if layer[LayerColumn.SHARED] else rounds * work.splits
        total = max(cycles, transfer) + min(cycles, transfer) // blocks
        if best < 0 or total < best or (total == best and cycles <= best_cycles):
            best, best_pixels, best_cycles, best_transfer = total, pixels, cycles, transfer
    return best_pixels, best_cycles, best_transfer
