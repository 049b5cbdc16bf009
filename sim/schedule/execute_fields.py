"""The fields of an EXECUTE descriptor: a layer's windows, with its interval, lead and hold."""

from sim.arrays.geometry import (
    add_slots,
    ceil_div,
    pixel_log2,
    segment_slots,
    uses_window,
)
from sim.arrays.kernel import in_place
from sim.arrays.network_input import windows_per_vector
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import (
    ACCUMULATOR_ROW,
    BAND_ROWS,
    BANK,
    BOUND_X,
    BOUND_Y,
    CLAMP_HIGH,
    CLAMP_LOW,
    COLUMN_STRIDE,
    FIRST_COLUMN,
    FIRST_QUAD,
    FIRST_ROW,
    GROUPS,
    HALO_BOTTOM,
    HALO_LEFT,
    HALO_RIGHT,
    HALO_TOP,
    HOLD,
    IN2_ADDRESS,
    IN2_ROW,
    IN_ADDRESS,
    IN_PLANE,
    IN_ROW,
    INTERVAL,
    KERNEL_COLUMNS,
    KERNEL_ROWS,
    LAST_QUADS,
    LOCAL_MASK,
    MAXIMUM,
    OP,
    ORIGIN_X,
    ORIGIN_Y,
    OUT_ADDRESS,
    OUT_BANK,
    OUT_ROW,
    PAD_VALUE,
    PITCH_X,
    PITCH_Y,
    PIXELS,
    RESTORE,
    RING_GAP,
    ROW_LEAD,
    SAVE,
    SOURCE_STRIDE,
    SOURCES,
    SPREAD,
    STORE_SLACK,
    STRIDE_X,
    STRIDE_Y,
    TILE_COLUMNS,
    TILE_ROWS,
    VECTOR_SETS,
    WINDOW,
    WINDOW_BYTES,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
    ZERO_POINT,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bands import ring_gap
from sim.mapping.bank_ports import base_hold, port_variants
from sim.mapping.borders import descriptor_times, fewest_stores, product_times, rows_of
from sim.mapping.execution import last_split_times, planned_ports, read_channels
from sim.mapping.splits import split_bounds
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.spec.network import FACTOR_BYTES

__all__ = [
    "execute_fields",
    "move_to_image",
    "move_to_pass",
    "move_to_round",
    "move_to_vector",
    "variants_of",
]


@in_place
def _walk_channels(row, layer, plan, channels, hw, k):
    """Fill the input channels and taps of split ``k``; returns the issue slots of a set."""
    y0, y1, x0, x1, first, end = split_bounds(
        layer[LayerColumn.KERNEL_Y],
        layer[LayerColumn.KERNEL_X],
        ceil_div(channels, DOT_WIDTH),
        plan[LayerPlan.SPLIT_TAP_ROWS],
        plan[LayerPlan.SPLIT_TAP_COLUMNS],
        plan[LayerPlan.SPLIT_STEPS],
        k,
    )
    per_group = hw.simd // DOT_WIDTH
    group, last = first // per_group, (end - 1) // per_group
    row[GROUPS] = last - group + 1
    row[FIRST_QUAD] = first - group * per_group
    row[LAST_QUADS] = end - last * per_group
    row[BANK] = (group + plan[LayerPlan.IN_BANK]) % hw.lanes
    row[KERNEL_ROWS], row[KERNEL_COLUMNS] = y1 - y0, x1 - x0
    row[IN_PLANE] = plan[LayerPlan.IN_PLANE]
    plane = (group + plan[LayerPlan.IN_BANK]) // hw.lanes
    row[IN_ADDRESS] += plane * plan[LayerPlan.IN_PLANE]
    row[IN_ADDRESS] += y0 * plan[LayerPlan.IN_ROW] + x0
    row[ORIGIN_Y] += y0
    row[ORIGIN_X] += x0
    row[RESTORE] = k > 0
    row[SAVE] = k < plan[LayerPlan.SPLITS] - 1
    return (y1 - y0) * (x1 - x0) * segment_slots(first, end, hw.simd, plan[LayerPlan.PIXELS])


@in_place
def _timing(row, layer, plan, channels, hw, slots, variant):
    """Fill the initiation interval, the hold and the stores' slack; of DEPTHWISE the band and its lead, too."""
    op, pixels = row[OP], row[PIXELS]
    row[BAND_ROWS] = 1
    if row[SAVE]:
        row[INTERVAL], row[HOLD] = max(slots, REQUANTIZER_PHASES), base_hold(op, pixels)
        return
    halo = (row[HALO_TOP], row[HALO_BOTTOM], row[HALO_LEFT], row[HALO_RIGHT])
    tile_y, tile_x, sources = row[TILE_ROWS], row[TILE_COLUMNS], row[SOURCES]
    spread = row[SPREAD] == 1
    if plan[LayerPlan.SPLITS] > 1:
        split = (
            plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS],
            plan[LayerPlan.SPLIT_STEPS], plan[LayerPlan.SPLITS],
        )  # fmt: skip
        times = last_split_times(
            layer, channels, split, pixels, tile_y, tile_x, plan[LayerPlan.BLOCK_ROWS],
            plan[LayerPlan.BLOCK_COLUMNS], halo, sources, spread, hw,
        )  # fmt: skip
    else:
        top, bottom = plan[LayerPlan.BORDER_TOP], plan[LayerPlan.BORDER_BOTTOM]
        apart = top + bottom > 0
        rows = rows_of(
            op, pixels, row[WINDOW_ROWS], row[WINDOW_COLUMNS], row[FIRST_ROW], row[FIRST_COLUMN],
            tile_y, tile_x, halo, sources,
        )  # fmt: skip
        if layer[LayerColumn.FACTORS] > 0:
            times = product_times(layer, rows, halo)
            row[INTERVAL], row[BAND_ROWS], row[ROW_LEAD] = times.interval, times.band, times.lead
            row[HOLD] = times.hold
            return
        fewest = rows.most
        if apart:
            fewest = fewest_stores(op, pixels, tile_y, tile_x, halo, sources, top, bottom)
        ports = planned_ports(layer, plan, channels, hw)
        times = descriptor_times(layer, op, slots, pixels, rows, fewest, apart, ports, variant)
    row[INTERVAL], row[BAND_ROWS], row[ROW_LEAD] = times.interval, times.band, times.lead
    row[HOLD], row[STORE_SLACK] = times.hold, times.slack
    if op == ExecuteOp.DEPTHWISE:
        row[RING_GAP] = ring_gap(row[STRIDE_Y], times.band)


@in_place
def variants_of(layer, plan, channels, hw):
    """Different times that the EXECUTEs of a layer's rounds have, which take turns."""
    if plan[LayerPlan.SPLITS] > 1:
        return 1
    ports = planned_ports(layer, plan, channels, hw)
    return port_variants(layer[LayerColumn.OP], plan[LayerPlan.PIXELS], ports)


@in_place
def execute_fields(row, layer, plan, source, hw, pass_y, pass_x, variant, k, r0, rows, c0):
    """Fill an EXECUTE descriptor of the first round of a chunk, with the times of a round of that variant.

    ``k`` is the split, (``r0``, ``c0``) the block's first window; it has ``rows`` rows of them.
    """
    op, channels = layer[LayerColumn.OP], read_channels(layer, source, hw)
    row[OP] = op
    row[PIXELS] = pixels = plan[LayerPlan.PIXELS]
    row[TILE_ROWS], row[TILE_COLUMNS] = plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X]
    row[FIRST_ROW], row[FIRST_COLUMN] = r0, c0
    row[WINDOW_ROWS] = rows
    row[WINDOW_COLUMNS] = min(plan[LayerPlan.BLOCK_COLUMNS], plan[LayerPlan.TILE_X] - c0)
    row[KERNEL_ROWS], row[KERNEL_COLUMNS] = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    row[STRIDE_Y], row[STRIDE_X] = layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X]
    row[IN_ROW] = plan[LayerPlan.IN_ROW]
    row[IN_ADDRESS] = plan[LayerPlan.IN_ADDRESS]
    row[OUT_ADDRESS] = plan[LayerPlan.OUT_ADDRESS] + r0 * plan[LayerPlan.OUT_ROW] + c0
    row[OUT_ROW] = plan[LayerPlan.OUT_ROW]
    row[HALO_TOP] = plan[LayerPlan.HALO_TOP]
    row[HALO_BOTTOM] = plan[LayerPlan.HALO_BOTTOM]
    row[HALO_LEFT] = plan[LayerPlan.HALO_LEFT]
    row[HALO_RIGHT] = plan[LayerPlan.HALO_RIGHT]
    spread = plan[LayerPlan.SPREAD] > 0
    row[SOURCES], row[SPREAD] = plan[LayerPlan.SOURCES], spread
    row[SOURCE_STRIDE] = plan[LayerPlan.OUT_PLANE] if spread else plan[LayerPlan.TILE_X]
    step = plan[LayerPlan.TILE_X] * row[STRIDE_X]  # input columns from a PE column to the next
    slots = 0
    if op == ExecuteOp.POOL:
        in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
        row[KERNEL_ROWS], row[KERNEL_COLUMNS] = in_y, in_x
        row[PITCH_Y], step = in_y, in_x
        row[PITCH_X] = 0 if spread else step
        slots = in_y * in_x
    elif op == ExecuteOp.ADD:
        row[IN2_ROW] = plan[LayerPlan.IN2_ROW]
        row[IN_ADDRESS] += r0 * row[IN_ROW] + c0
        row[IN2_ADDRESS] = plan[LayerPlan.IN2_ADDRESS] + r0 * row[IN2_ROW] + c0
        step = plan[LayerPlan.TILE_X]
        slots = add_slots(pixels)
    else:
        stride_y, stride_x = row[STRIDE_Y], row[STRIDE_X]
        row[PITCH_Y] = plan[LayerPlan.TILE_Y] * stride_y
        row[PITCH_X] = 0 if spread else step
        row[ORIGIN_Y] = pass_y * hw.pes_y * row[PITCH_Y] - layer[LayerColumn.PAD_Y]
        row[ORIGIN_X] = pass_x * hw.pes_x * row[PITCH_X] - layer[LayerColumn.PAD_X]
        row[ORIGIN_Y] += r0 * stride_y
        row[ORIGIN_X] += c0 * stride_x
        row[IN_ADDRESS] += r0 * stride_y * row[IN_ROW] + c0 * stride_x
        if op == ExecuteOp.CONV:
            slots = _walk_channels(row, layer, plan, channels, hw, k)
            if layer[LayerColumn.WINDOW_PIXELS] > 0:
                windows = windows_per_vector(layer, hw.simd)
                row[STRIDE_X], row[VECTOR_SETS] = 0, windows // pixels
                if windows > 1:
                    pitch = layer[LayerColumn.WINDOW_STRIDE]
                    row[WINDOW_BYTES] = pitch * layer[LayerColumn.IMAGE_CHANNELS]
        else:
            row[MAXIMUM] = layer[LayerColumn.MAXIMUM]
            row[WINDOW] = uses_window(row[KERNEL_ROWS], row[KERNEL_COLUMNS], stride_x)
    if not spread and plan[LayerPlan.IN_STRIPS]:
        row[COLUMN_STRIDE] = step
    elif spread and op != ExecuteOp.CONV:
        row[COLUMN_STRIDE] = plan[LayerPlan.IN_PLANE]
    row[IN_ADDRESS] &= LOCAL_MASK
    row[BOUND_Y], row[BOUND_X] = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
    row[PAD_VALUE] = layer[LayerColumn.PAD_VALUE]
    row[ZERO_POINT] = layer[LayerColumn.ZERO_POINT]
    row[CLAMP_LOW], row[CLAMP_HIGH] = layer[LayerColumn.CLAMP_LOW], layer[LayerColumn.CLAMP_HIGH]
    if layer[LayerColumn.FACTORS] > 0:
        # a window's taps are its pixel, and padding for the last factor
        row[KERNEL_ROWS], row[IN_ROW] = FACTOR_BYTES, 0
        row[ORIGIN_Y], row[PITCH_Y], row[BOUND_Y] = 0, 0, FACTOR_BYTES - 1
        row[WINDOW] = uses_window(row[KERNEL_ROWS], row[KERNEL_COLUMNS], row[STRIDE_X])
    _timing(row, layer, plan, channels, hw, slots, variant)


@in_place
def move_to_pass(row, hw, down, right):
    """Move an EXECUTE descriptor so many passes down and to the right; POOL and ADD have no place in the image."""
    if row[OP] < ExecuteOp.ADD:
        row[ORIGIN_Y] += down * hw.pes_y * row[PITCH_Y]
        row[ORIGIN_X] += right * hw.pes_x * row[PITCH_X]


@in_place
def move_to_round(row, plan, lanes, group):
    """Move an EXECUTE descriptor from its chunk's first output channel group to ``group``."""
    log2 = pixel_log2(lanes)  # lanes are powers of two up to 8 as pixels are
    plane, bank = group >> log2, group & (lanes - 1)
    place = plan[LayerPlan.OUT_BANK] + group
    row[OUT_BANK] = place & (lanes - 1)
    row[OUT_ADDRESS] += (place >> log2) * plan[LayerPlan.OUT_PLANE]
    if row[OP] != ExecuteOp.CONV:
        row[IN_ADDRESS] = (row[IN_ADDRESS] + plane * plan[LayerPlan.IN_PLANE]) & LOCAL_MASK
    if row[OP] == ExecuteOp.DEPTHWISE or row[OP] == ExecuteOp.ADD:
        row[BANK] = bank
    if row[OP] == ExecuteOp.ADD:
        row[IN2_ADDRESS] += plane * plan[LayerPlan.IN2_PLANE]


@in_place
def move_to_vector(row, plan, lanes, group):
    """Move an EXECUTE descriptor that makes factors to the input's channel group ``group``."""
    place = plan[LayerPlan.IN_BANK] + group
    row[BANK] = place % lanes
    row[IN_ADDRESS] = (row[IN_ADDRESS] + place // lanes * plan[LayerPlan.IN_PLANE]) & LOCAL_MASK


@in_place
def move_to_image(row, vectors, accumulators):
    """Move an EXECUTE descriptor to an image's own part of the banks and of accumulator rows."""
    row[IN_ADDRESS] = (row[IN_ADDRESS] + vectors) & LOCAL_MASK
    row[OUT_ADDRESS] += vectors
    if row[OP] == ExecuteOp.ADD:
        row[IN2_ADDRESS] += vectors
    if row[SAVE] or row[RESTORE]:
        row[ACCUMULATOR_ROW] = accumulators
