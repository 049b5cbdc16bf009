"""The schedule: every descriptor of a mapped network, in program order, with its tokens.

The compiler encodes these rows, the cycle model walks them; there is no other list. Rules:

* Weights go alternately to the two register-file halves; a half is refilled once the last
  EXECUTE that used it is done. What a half still holds is not loaded again.
* Activation LOADs and STOREs own the local memories' ports: they wait for all EXECUTEs before
  them, and EXECUTEs wait for them.
* A token is posted only where it is waited for, so a program ends with no token left.
* Images of a program that go through a layer together take turns with every EXECUTE, so that they
  use the same weights; each has an equal part of every bank and of the accumulator rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.calibration import Constant
from sim.cycles import clock_at_doorbell, step, totals
from sim.execution import interval, row_lead
from sim.geometry import (
    add_slots,
    ceil_div,
    depthwise_slots,
    groups_of,
    hold_cycles,
    segment_slots,
    served,
    uses_window,
)
from sim.kernel import in_place, kernel
from sim.plans import LayerPlan, TensorPlan
from sim.spec.accelerator import DOT_WIDTH
from sim.spec.descriptor import FIELDS, ExecuteOp, LoadKind, Queue
from sim.splits import share_rows, split_bounds
from sim.tables import COLUMNS, Hw, LayerColumn, TensorColumn

__all__ = [
    "FIELD_HIGH",
    "FIELD_LOW",
    "build_schedule",
    "first_overflow",
    "split_rows",
    "time_schedule",
    "weigh_schedule",
]

DRAIN_CYCLES = 40
"""What waiting for the drain is taken to cost when schedules are compared."""

TRANSFER_BYTES = 512
"""The same for a tile transfer, beside its own bytes."""

_LIMITS = {field.name: (field.low, field.high) for fields in FIELDS.values() for field in fields}
_ANY = (-(1 << 40), 1 << 40)
FIELD_LOW = np.array([_LIMITS.get(name, _ANY)[0] for name in COLUMNS], np.int64)
FIELD_HIGH = np.array([_LIMITS.get(name, _ANY)[1] for name in COLUMNS], np.int64)
"""Smallest and largest encodable value of every schedule column."""

WIDTH, CONSTANTS = len(COLUMNS), len(Constant)
LOCAL_MASK = 0xFFFF

QUEUE = COLUMNS["queue"]
WAIT = COLUMNS["wait"]
POST = COLUMNS["post"]
KIND = COLUMNS["kind"]
ADDRESS = COLUMNS["address"]
PE_Y = COLUMNS["pe_y"]
PE_X = COLUMNS["pe_x"]
LOCAL_ADDRESS = COLUMNS["local_address"]
GROUPS = COLUMNS["groups"]
ROWS = COLUMNS["rows"]
COLS = COLUMNS["columns"]
LOCAL_PLANE = COLUMNS["local_plane"]
LOCAL_ROW = COLUMNS["local_row"]
GROUP_STRIDE = COLUMNS["group_stride"]
ROW_STRIDE = COLUMNS["row_stride"]
VECTOR_BEATS = COLUMNS["vector_beats"]
HALF = COLUMNS["half"]
LANES = COLUMNS["lanes"]
LANE_MASK = COLUMNS["lane_mask"]
PARAMETER_ROWS = COLUMNS["parameter_rows"]
WEIGHT_ROWS = COLUMNS["weight_rows"]
OP = COLUMNS["op"]
WAIT_DRAIN = COLUMNS["wait_drain"]
PIXELS = COLUMNS["pixels"]
ACCUMULATOR_ROW = COLUMNS["accumulator_row"]
BANK = COLUMNS["bank"]
OUT_BANK = COLUMNS["out_bank"]
RESTORE = COLUMNS["restore"]
SAVE = COLUMNS["save"]
MAXIMUM = COLUMNS["maximum"]
WINDOW = COLUMNS["window"]
HOLD = COLUMNS["hold"]
ROW_LEAD = COLUMNS["row_lead"]
INTERVAL = COLUMNS["initiation_interval"]
WINDOW_ROWS = COLUMNS["window_rows"]
WINDOW_COLUMNS = COLUMNS["window_columns"]
FIRST_ROW = COLUMNS["first_row"]
FIRST_COLUMN = COLUMNS["first_column"]
TILE_ROWS = COLUMNS["tile_rows"]
TILE_COLUMNS = COLUMNS["tile_columns"]
KERNEL_ROWS = COLUMNS["kernel_rows"]
KERNEL_COLUMNS = COLUMNS["kernel_columns"]
STRIDE_Y = COLUMNS["stride_y"]
STRIDE_X = COLUMNS["stride_x"]
FIRST_QUAD = COLUMNS["first_quad"]
LAST_QUADS = COLUMNS["last_quads"]
IN_ADDRESS = COLUMNS["in_address"]
IN_PLANE = COLUMNS["in_plane"]
IN_ROW = COLUMNS["in_row"]
IN2_ADDRESS = COLUMNS["in2_address"]
IN2_ROW = COLUMNS["in2_row"]
OUT_ADDRESS = COLUMNS["out_address"]
OUT_ROW = COLUMNS["out_row"]
HALO_TOP = COLUMNS["halo_top"]
ORIGIN_Y = COLUMNS["origin_y"]
ORIGIN_X = COLUMNS["origin_x"]
PITCH_Y = COLUMNS["pitch_y"]
PITCH_X = COLUMNS["pitch_x"]
BOUND_Y = COLUMNS["bound_y"]
BOUND_X = COLUMNS["bound_x"]
PAD_VALUE = COLUMNS["pad_value"]
ZERO_POINT = COLUMNS["zero_point"]
CLAMP_LOW = COLUMNS["clamp_low"]
CLAMP_HIGH = COLUMNS["clamp_high"]
LAYER = COLUMNS["layer"]
AFTER = COLUMNS["after_load"]
ROUND = COLUMNS["round"]
PASS = COLUMNS["pass"]
IMAGE = COLUMNS["image"]
FINAL = COLUMNS["final"]


@in_place
def _place(rows, n):  # type: ignore[no-untyped-def]  # numba infers the types
    """Row of descriptor ``n``: the only one, if rows are not kept."""
    return n if rows.shape[0] > 1 else 0


@in_place
def _append(rows, n, queue, layer):  # type: ignore[no-untyped-def]
    """Begin descriptor ``n``, empty; returns its row."""
    place = _place(rows, n)
    rows[place] = 0
    rows[place, QUEUE] = queue
    rows[place, LAYER] = layer
    rows[place, AFTER : AFTER + 3] = -1
    return place


@in_place
def _require(rows, consumer, source, producer, waited):  # type: ignore[no-untyped-def]
    """Make row ``consumer`` start after descriptor ``producer``, of queue ``source``, is done.

    By a token, if none implies it yet.
    """
    target = rows[consumer, QUEUE]
    if producer < 0 or source == target or producer <= waited[source, target]:
        return
    if rows.shape[0] > 1:
        rows[producer, POST] |= 1 << target
    rows[consumer, WAIT] |= 1 << source
    rows[consumer, AFTER + source] = producer
    waited[source, target] = producer


@in_place
def _walk_over(row, n, check, hw, constants, clock, fits):  # type: ignore[no-untyped-def]
    """Let descriptor ``n``, which is not kept, run; with ``check`` see whether its values fit."""
    if check and _overflows(row):
        fits[0] = 0
    step(row, n, hw, constants, clock)


@in_place
def _transfer(  # type: ignore[no-untyped-def]
    row, tensor, plan, bus, first_group, groups, y, x, n_y, n_x, local, local_row, local_plane
):
    """Fill a tile transfer of image rows y … y + n_y - 1; returns False if none is in the image."""
    height, width = tensor[TensorColumn.HEIGHT], tensor[TensorColumn.WIDTH]
    size = plan[TensorPlan.PIXEL_BYTES]
    top, bottom = max(0, y), min(height, y + n_y)
    left, right = max(0, x), min(width, x + n_x)
    if top >= bottom or left >= right:
        return False
    place = (first_group * height + top) * width + left
    row[ADDRESS] = plan[TensorPlan.EXTERNAL] + place * size
    row[LOCAL_ADDRESS] = (local + (top - y) * local_row + (left - x)) & LOCAL_MASK
    row[GROUPS] = groups
    row[ROWS] = bottom - top
    row[COLS] = right - left
    row[LOCAL_PLANE] = local_plane
    row[LOCAL_ROW] = local_row
    row[GROUP_STRIDE] = height * width * size
    row[ROW_STRIDE] = width * size
    row[VECTOR_BEATS] = size // bus
    return True


@in_place
def split_rows(layer, plan, channels, index):  # type: ignore[no-untyped-def]
    """(weight rows of the splits before ``index``, its own weight rows)."""
    if plan[LayerPlan.SPLITS] == 1:
        return 0, plan[LayerPlan.WEIGHT_ROWS]
    kernel_x, quads = layer[LayerColumn.KERNEL_X], ceil_div(channels, DOT_WIDTH)
    y0, y1, x0, x1, first, end = split_bounds(
        layer[LayerColumn.KERNEL_Y],
        kernel_x,
        quads,
        plan[LayerPlan.SPLIT_TAP_ROWS],
        plan[LayerPlan.SPLIT_TAP_COLUMNS],
        plan[LayerPlan.SPLIT_STEPS],
        index,
    )
    # taps above, taps to the left, steps before
    before = (y0 * kernel_x + (y1 - y0) * x0) * quads + (y1 - y0) * (x1 - x0) * first
    return before, (y1 - y0) * (x1 - x0) * (end - first)


@in_place
def _weights(row, layer, plan, channels, hw, r, k, active):  # type: ignore[no-untyped-def]
    """Fill a weights LOAD of split ``k`` of round ``r``; parameters come with the last split."""
    before, own = split_rows(layer, plan, channels, k)
    parameters = plan[LayerPlan.PARAMETER_ROWS]
    per_round = hw[Hw.LANES] // plan[LayerPlan.PIXELS]
    place = r * per_round * (parameters + plan[LayerPlan.WEIGHT_ROWS]) + active * before
    row[KIND] = LoadKind.WEIGHTS
    row[LANES] = active
    row[ADDRESS] = plan[LayerPlan.BLOCK_ADDRESS] + place * DOT_WIDTH * hw[Hw.SIMD]
    row[PARAMETER_ROWS] = parameters if k == plan[LayerPlan.SPLITS] - 1 else 0
    row[WEIGHT_ROWS] = own
    step = 1 if layer[LayerColumn.SHARED] else per_round
    for lane in range(0, hw[Hw.LANES], step):
        row[LANE_MASK] |= 1 << lane


@in_place
def _walk_channels(row, layer, plan, channels, hw, k):  # type: ignore[no-untyped-def]
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
    per_group = hw[Hw.SIMD] // DOT_WIDTH
    group, last = first // per_group, (end - 1) // per_group
    row[GROUPS] = last - group + 1
    row[FIRST_QUAD] = first - group * per_group
    row[LAST_QUADS] = end - last * per_group
    row[BANK] = group % hw[Hw.LANES]
    row[KERNEL_ROWS], row[KERNEL_COLUMNS] = y1 - y0, x1 - x0
    row[IN_PLANE] = plan[LayerPlan.IN_PLANE]
    row[IN_ADDRESS] += group // hw[Hw.LANES] * plan[LayerPlan.IN_PLANE]
    row[IN_ADDRESS] += y0 * plan[LayerPlan.IN_ROW] + x0
    row[ORIGIN_Y] += y0
    row[ORIGIN_X] += x0
    row[RESTORE] = k > 0
    row[SAVE] = k < plan[LayerPlan.SPLITS] - 1
    return (y1 - y0) * (x1 - x0) * segment_slots(first, end, hw[Hw.SIMD], plan[LayerPlan.PIXELS])


@in_place
def _timing(row, layer, plan, slots):  # type: ignore[no-untyped-def]
    """Fill the initiation interval, the lead and the hold."""
    pixels, saves = row[PIXELS], row[SAVE] == 1
    halo = plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1]
    rows, columns = row[WINDOW_ROWS], row[WINDOW_COLUMNS]
    tile_y, tile_x = row[TILE_ROWS], row[TILE_COLUMNS]
    cycles = interval(
        slots, pixels, rows, columns, row[FIRST_ROW], row[FIRST_COLUMN], tile_y, tile_x,
        halo, saves,
    )  # fmt: skip
    stores = 1
    if not saves:
        last = (columns - 1) // pixels * pixels
        stores = served(tile_y, halo[0], halo[1], row[FIRST_ROW] + rows - 1, 1)
        stores *= served(tile_x, halo[2], halo[3], row[FIRST_COLUMN] + last, columns - last)
    row[INTERVAL] = cycles
    row[ROW_LEAD] = row_lead(layer, cycles)
    row[HOLD] = hold_cycles(row[OP], pixels, stores)


@in_place
def _execute(row, layer, plan, source, hw, pass_y, pass_x, k, r0, c0):  # type: ignore[no-untyped-def]
    """Fill an EXECUTE descriptor of the first round of a chunk.

    ``k`` is the split, (``r0``, ``c0``) the block's first window.
    """
    op = layer[LayerColumn.OP]
    row[QUEUE] = Queue.EXECUTE
    row[AFTER : AFTER + 3] = -1
    row[OP] = op
    row[PIXELS] = pixels = plan[LayerPlan.PIXELS]
    row[TILE_ROWS], row[TILE_COLUMNS] = plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X]
    row[FIRST_ROW], row[FIRST_COLUMN] = r0, c0
    row[WINDOW_ROWS] = min(plan[LayerPlan.BLOCK_ROWS], plan[LayerPlan.TILE_Y] - r0)
    row[WINDOW_COLUMNS] = min(plan[LayerPlan.BLOCK_COLUMNS], plan[LayerPlan.TILE_X] - c0)
    row[KERNEL_ROWS], row[KERNEL_COLUMNS] = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    row[STRIDE_Y], row[STRIDE_X] = layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X]
    row[IN_ROW] = plan[LayerPlan.IN_ROW]
    row[IN_ADDRESS] = plan[LayerPlan.IN_ADDRESS]
    row[OUT_ADDRESS] = plan[LayerPlan.OUT_ADDRESS] + r0 * plan[LayerPlan.OUT_ROW] + c0
    row[OUT_ROW] = plan[LayerPlan.OUT_ROW]
    for h in range(4):
        row[HALO_TOP + h] = plan[LayerPlan.HALO_TOP + h]
    slots = 0
    if op == ExecuteOp.POOL:
        in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
        row[KERNEL_ROWS], row[KERNEL_COLUMNS] = in_y, in_x
        row[PITCH_Y], row[PITCH_X] = in_y, in_x
        slots = in_y * in_x
    elif op == ExecuteOp.ADD:
        row[IN2_ADDRESS] = plan[LayerPlan.IN2_ADDRESS]
        row[IN2_ROW] = plan[LayerPlan.IN2_ROW]
        slots = add_slots(pixels)
    else:
        stride_y, stride_x = row[STRIDE_Y], row[STRIDE_X]
        row[PITCH_Y] = plan[LayerPlan.TILE_Y] * stride_y
        row[PITCH_X] = plan[LayerPlan.TILE_X] * stride_x
        row[ORIGIN_Y] = pass_y * hw[Hw.PES_Y] * row[PITCH_Y] - layer[LayerColumn.PAD_Y]
        row[ORIGIN_X] = pass_x * hw[Hw.PES_X] * row[PITCH_X] - layer[LayerColumn.PAD_X]
        row[ORIGIN_Y] += r0 * stride_y
        row[ORIGIN_X] += c0 * stride_x
        row[IN_ADDRESS] += r0 * stride_y * row[IN_ROW] + c0 * stride_x
        if op == ExecuteOp.CONV:
            slots = _walk_channels(row, layer, plan, source[TensorColumn.CHANNELS], hw, k)
        else:
            row[MAXIMUM] = layer[LayerColumn.MAXIMUM]
            row[WINDOW] = uses_window(row[KERNEL_ROWS], row[KERNEL_COLUMNS], stride_x)
            slots = depthwise_slots(row[KERNEL_ROWS], row[KERNEL_COLUMNS], stride_x)
    row[IN_ADDRESS] &= LOCAL_MASK
    row[BOUND_Y], row[BOUND_X] = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
    row[PAD_VALUE] = layer[LayerColumn.PAD_VALUE]
    row[ZERO_POINT] = layer[LayerColumn.ZERO_POINT]
    row[CLAMP_LOW], row[CLAMP_HIGH] = layer[LayerColumn.CLAMP_LOW], layer[LayerColumn.CLAMP_HIGH]
    _timing(row, layer, plan, slots)


@in_place
def _next_round(row, plan, lanes, index):  # type: ignore[no-untyped-def]
    """Move an EXECUTE descriptor from round 0 of its chunk to round ``index``."""
    group = index * (lanes // plan[LayerPlan.PIXELS])
    plane, bank = group // lanes, group % lanes
    row[OUT_BANK] = bank
    row[OUT_ADDRESS] += plane * plan[LayerPlan.OUT_PLANE]
    if row[OP] != ExecuteOp.CONV:
        row[IN_ADDRESS] = (row[IN_ADDRESS] + plane * plan[LayerPlan.IN_PLANE]) & LOCAL_MASK
    if row[OP] == ExecuteOp.ADD:
        row[BANK] = bank
        row[IN2_ADDRESS] += plane * plan[LayerPlan.IN2_PLANE]


@in_place
def _place_image(row, vectors, accumulators):  # type: ignore[no-untyped-def]
    """Move an EXECUTE descriptor to an image's own part of the banks and of accumulator rows."""
    row[IN_ADDRESS] = (row[IN_ADDRESS] + vectors) & LOCAL_MASK
    row[OUT_ADDRESS] += vectors
    if row[OP] == ExecuteOp.ADD:
        row[IN2_ADDRESS] += vectors
    if row[SAVE] or row[RESTORE]:
        row[ACCUMULATOR_ROW] = accumulators


@in_place
def _blocks(plan):  # type: ignore[no-untyped-def]
    """Blocks of a tile."""
    down = ceil_div(plan[LayerPlan.TILE_Y], plan[LayerPlan.BLOCK_ROWS])
    return down * ceil_div(plan[LayerPlan.TILE_X], plan[LayerPlan.BLOCK_COLUMNS])


@in_place
def _most_rows(lp, tp, pes, images):  # type: ignore[no-untyped-def]
    """No fewer than the descriptors of a plan."""
    total = 0
    for i in range(lp.shape[0]):
        plan = lp[i]
        chunks = ceil_div(plan[LayerPlan.ROUNDS], plan[LayerPlan.CHUNK])
        moved = plan[LayerPlan.LOADED] + plan[LayerPlan.LOADED2] + tp[i + 1, TensorPlan.STORED]
        per_pass = 2 * plan[LayerPlan.ROUNDS] * _blocks(plan) * plan[LayerPlan.SPLITS]
        per_pass += chunks * pes * moved
        total += plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X] * per_pass
    return images * total


class Work(NamedTuple):
    """What the making of descriptors writes to.

    Parameters
    ----------
    rows : int64[n, len(COLUMNS)]
        All descriptors; with a single row, the present one.
    executes : int64[m, len(COLUMNS)]
        EXECUTE of every split and block of a pass, as in round 0 of a chunk.
    waited : int64[3, 3]
        Latest descriptor of queue i that queue j has waited for.
    halves : int64[3, 2]
        Of both register-file halves the latest EXECUTE, the latest LOAD and the block they hold.
    fits : int64[1]
        Becomes 0 where a value is out of its field's range, if rows are not kept.
    """

    rows: NDArray[np.int64]
    executes: NDArray[np.int64]
    waited: NDArray[np.int64]
    halves: NDArray[np.int64]
    fits: NDArray[np.int64]


@kernel
def _work(lp, most):  # type: ignore[no-untyped-def]
    """Room for ``most`` descriptors."""
    executes = 1
    for i in range(lp.shape[0]):
        executes = max(executes, _blocks(lp[i]) * lp[i, LayerPlan.SPLITS])
    return Work(
        np.empty((most, WIDTH), np.int64),
        np.empty((executes, WIDTH), np.int64),
        np.full((3, 3), -1, np.int64),
        np.full((3, 2), -1, np.int64),
        np.ones(1, np.int64),
    )


@in_place
def _descriptors(layers, tensors, hw, lp, tp, work, constants, clock):  # type: ignore[no-untyped-def]
    """Make all descriptors, in program order; returns their number.

    With more than one of ``work.rows`` they are kept there. With one, each is walked over and
    forgotten. Values of a layer's rounds rise or stay, so the first and the last are checked.
    """
    rows, executes, waited = work.rows, work.executes, work.waited
    keep = rows.shape[0] > 1
    half_user, half_load, holds = work.halves[0], work.halves[1], work.halves[2]
    n = 0
    last_tile_load = last_store = last_execute = -1
    half = 1
    simd, lanes, pes = hw[Hw.SIMD], hw[Hw.LANES], hw[Hw.PES_Y] * hw[Hw.PES_X]
    images, cut = hw[Hw.IMAGES], 0
    while lp[cut, LayerPlan.IMAGES] < images:
        cut += 1
        if cut == layers.shape[0]:
            break
    for turn in range(cut * images + layers.shape[0] - cut):
        i, low = turn - cut * (images - 1), 0
        if turn < cut * images:
            i, low = turn % cut, turn // cut
        layer, plan, op = layers[i], lp[i], layers[i, LayerColumn.OP]
        high = low + plan[LayerPlan.IMAGES]
        depth = hw[Hw.BANK_DEPTH] // plan[LayerPlan.IMAGES]
        source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
        rounds, chunk, splits = (
            plan[LayerPlan.ROUNDS],
            plan[LayerPlan.CHUNK],
            plan[LayerPlan.SPLITS],
        )
        per_round = lanes // plan[LayerPlan.PIXELS]
        out_groups = groups_of(target[TensorColumn.CHANNELS], simd)
        in_groups = groups_of(source[TensorColumn.CHANNELS], simd)
        blocks_x = ceil_div(plan[LayerPlan.TILE_X], plan[LayerPlan.BLOCK_COLUMNS])
        blocks = _blocks(plan)
        passes = plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]
        together, saved = high - low, 0
        if splits > 1:
            together, saved = share_rows(high - low, hw[Hw.ACCUMULATOR_ROWS])
        descriptors = blocks * splits * ceil_div(high - low, together)
        holds[:] = -1
        for p in range(passes):
            pass_y, pass_x = p // plan[LayerPlan.PASSES_X], p % plan[LayerPlan.PASSES_X]
            for b in range(blocks * splits):
                r0 = b // splits // blocks_x * plan[LayerPlan.BLOCK_ROWS]
                c0 = b // splits % blocks_x * plan[LayerPlan.BLOCK_COLUMNS]
                executes[b] = 0
                executes[b, LAYER], executes[b, PASS] = i, p
                _execute(executes[b], layer, plan, source, hw, pass_y, pass_x, b % splits, r0, c0)
            for r in range(rounds):
                first = r - r % chunk
                last = min(first + chunk, rounds) - 1
                active = min(per_round, out_groups - r * per_round)
                for b in range(descriptors):
                    k = b % splits
                    image = low + b // (blocks * splits) * together
                    end = min(high, image + together)
                    block = 0 if layer[LayerColumn.SHARED] else r * splits + k
                    if holds[half] != block and holds[half ^ 1] == block:
                        half ^= 1
                    elif holds[half] != block:
                        w = _append(rows, n, Queue.LOAD, i)
                        half ^= 1
                        holds[half] = block
                        rows[w, HALF] = half
                        shared = 1 if layer[LayerColumn.SHARED] else active
                        _weights(
                            rows[w], layer, plan, source[TensorColumn.CHANNELS], hw, r, k, shared
                        )
                        _require(rows, w, Queue.EXECUTE, half_user[half], waited)
                        if not keep:
                            ends = r == 0 or r == rounds - 1
                            _walk_over(rows[w], n, ends, hw, constants, clock, work.fits)
                        half_load[half] = n
                        n += 1
                    if b == 0 and r == (0 if op == ExecuteOp.CONV else first):
                        for operand in range(2):
                            if not plan[LayerPlan.LOADED + operand]:
                                continue
                            t = layer[LayerColumn.INPUT + operand]
                            base = plan[LayerPlan.IN2_ADDRESS if operand else LayerPlan.IN_ADDRESS]
                            row_step = plan[LayerPlan.IN2_ROW if operand else LayerPlan.IN_ROW]
                            plane = plan[LayerPlan.IN2_PLANE if operand else LayerPlan.IN_PLANE]
                            group = 0 if op == ExecuteOp.CONV else first * per_round
                            groups = in_groups
                            if op != ExecuteOp.CONV:
                                groups = min(chunk * per_round, in_groups - group)
                            in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
                            for copy in range(low * pes, high * pes):
                                other, pe = copy // pes, copy % pes
                                pe_y, pe_x = pe // hw[Hw.PES_X], pe % hw[Hw.PES_X]
                                y = (pass_y * hw[Hw.PES_Y] + pe_y) * plan[LayerPlan.TILE_Y]
                                x = (pass_x * hw[Hw.PES_X] + pe_x) * plan[LayerPlan.TILE_X]
                                if op == ExecuteOp.POOL:
                                    y, x = pe_y * in_y, pe_x * in_x
                                elif y >= target[0] or x >= target[1]:
                                    continue
                                if op < ExecuteOp.ADD:
                                    y = y * layer[LayerColumn.STRIDE_Y] - layer[LayerColumn.PAD_Y]
                                    x = x * layer[LayerColumn.STRIDE_X] - layer[LayerColumn.PAD_X]
                                d = _append(rows, n, Queue.LOAD, i)
                                if not _transfer(
                                    rows[d], tensors[t], tp[t], hw[Hw.BUS_BYTES],
                                    other * in_groups + group, groups, y, x, in_y, in_x,
                                    base + (other - low) * depth, row_step, plane,
                                ):  # fmt: skip
                                    continue
                                rows[d, IMAGE] = other
                                rows[d, KIND] = LoadKind.TILE
                                rows[d, PE_Y], rows[d, PE_X] = pe_y, pe_x
                                _require(rows, d, Queue.EXECUTE, last_execute, waited)
                                _require(rows, d, Queue.STORE, last_store, waited)
                                if not keep:
                                    _walk_over(rows[d], n, True, hw, constants, clock, work.fits)
                                last_tile_load = n
                                n += 1
                    place = b % (blocks * splits)
                    complete = r == last and place == blocks * splits - 1
                    alone = end - image == 1
                    loaded = max(half_load[half], last_tile_load)
                    for own in range(image, end):
                        e = _place(rows, n)
                        for j in range(WIDTH):
                            rows[e, j] = executes[place, j]
                        _next_round(rows[e], plan, lanes, r - first)
                        _place_image(rows[e], (own - low) * depth, (own - image) * saved)
                        rows[e, IMAGE] = own
                        rows[e, HALF] = half
                        if not rows[e, SAVE]:
                            rows[e, LANES] = active
                        # between two images' sets lies a whole interval, as between two of one
                        one_set = alone and rows[e, WINDOW_ROWS] == 1
                        one_set = one_set and rows[e, WINDOW_COLUMNS] <= rows[e, PIXELS]
                        begins = b == 0 and own == low and r == first
                        rows[e, WAIT_DRAIN] = begins or (k > 0 and one_set)
                        rows[e, ROUND] = r
                        rows[e, FINAL] = complete
                        _require(rows, e, Queue.LOAD, loaded, waited)
                        _require(rows, e, Queue.STORE, last_store, waited)
                        if not keep:
                            ends = r == 0 or r == last
                            _walk_over(rows[e], n, ends, hw, constants, clock, work.fits)
                        half_user[half] = last_execute = n
                        n += 1
                if r != last or not tp[i + 1, TensorPlan.STORED]:
                    continue
                groups = min(chunk * per_round, out_groups - first * per_round)
                for copy in range(low * pes, high * pes):
                    other, pe = copy // pes, copy % pes
                    pe_y, pe_x = pe // hw[Hw.PES_X], pe % hw[Hw.PES_X]
                    y = (pass_y * hw[Hw.PES_Y] + pe_y) * plan[LayerPlan.TILE_Y]
                    x = (pass_x * hw[Hw.PES_X] + pe_x) * plan[LayerPlan.TILE_X]
                    d = _append(rows, n, Queue.STORE, i)
                    if not _transfer(
                        rows[d], target, tp[i + 1], hw[Hw.BUS_BYTES],
                        other * out_groups + first * per_round, groups, y, x,
                        plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X],
                        plan[LayerPlan.OUT_ADDRESS] + (other - low) * depth,
                        plan[LayerPlan.OUT_ROW], plan[LayerPlan.OUT_PLANE],
                    ):  # fmt: skip
                        continue
                    rows[d, IMAGE] = other
                    rows[d, PE_Y], rows[d, PE_X] = pe_y, pe_x
                    _require(rows, d, Queue.EXECUTE, last_execute, waited)
                    if not keep:
                        _walk_over(rows[d], n, True, hw, constants, clock, work.fits)
                    last_store = n
                    n += 1
    return n


@kernel
def weigh_schedule(rows, count, hw):  # type: ignore[no-untyped-def]
    """Cycles that a schedule is taken to need, when schedules of a network are compared.

    In each of the ``count`` layers weights come while EXECUTE works, and tiles while it does not.
    Predictions do not use it.
    """
    computed = np.zeros(count, np.int64)
    weights = np.zeros(count, np.int64)
    moved = 0
    for row in rows:
        i = row[LAYER]
        if row[QUEUE] == Queue.EXECUTE:
            sets = ceil_div(row[WINDOW_COLUMNS], row[PIXELS])
            computed[i] += row[WINDOW_ROWS] * (sets * row[INTERVAL] + row[ROW_LEAD]) + row[HOLD]
            computed[i] += DRAIN_CYCLES * row[WAIT_DRAIN]
        elif row[QUEUE] == Queue.LOAD and row[KIND] == LoadKind.WEIGHTS:
            own = row[LANES] * (row[PARAMETER_ROWS] + row[WEIGHT_ROWS])
            weights[i] += own * DOT_WIDTH * hw[Hw.SIMD]
        else:
            vectors = row[GROUPS] * row[ROWS] * row[COLS]
            moved += vectors * row[VECTOR_BEATS] * hw[Hw.BUS_BYTES] + TRANSFER_BYTES
    per_cycle = hw[Hw.BUS_BYTES] * hw[Hw.EARN]
    total = moved * hw[Hw.COST] // per_cycle
    for i in range(count):
        total += max(computed[i], weights[i] * hw[Hw.COST] // per_cycle)
    return total


@kernel
def build_schedule(layers, tensors, hw, lp, tp):  # type: ignore[no-untyped-def]
    """All descriptors of a planned network.

    Parameters
    ----------
    layers, tensors, hw : tables of :mod:`sim.tables`
    lp, tp : plans of :func:`sim.mapper.plan_network`

    Returns
    -------
    rows : int64[n_descriptors, len(COLUMNS)]
        In program order; fields that a queue does not have are 0.
    """
    # one row more: a transfer without pixels is begun and dropped
    work = _work(lp, _most_rows(lp, tp, hw[Hw.PES_Y] * hw[Hw.PES_X], hw[Hw.IMAGES]) + 1)
    untimed = np.zeros(CONSTANTS, np.int64)
    clock = clock_at_doorbell(hw, untimed, 0)
    return work.rows[: _descriptors(layers, tensors, hw, lp, tp, work, untimed, clock)]


@kernel
def time_schedule(layers, tensors, hw, lp, tp, constants):  # type: ignore[no-untyped-def]
    """Walk over a planned network's schedule without keeping it.

    Parameters
    ----------
    layers, tensors, hw, lp, tp
        As of :func:`build_schedule`.
    constants : int64[n_constants]
        :attr:`sim.calibration.Calibration.array`.

    Returns
    -------
    fits : bool
        Whether every value is in the range of its field, as :func:`first_overflow` asks.
    cycles, execute_busy, read_bytes, write_bytes : int
        As of :func:`sim.cycles.totals`.
    """
    work = _work(lp, 1)
    clock = clock_at_doorbell(
        hw, constants, _most_rows(lp, tp, hw[Hw.PES_Y] * hw[Hw.PES_X], hw[Hw.IMAGES])
    )
    _descriptors(layers, tensors, hw, lp, tp, work, constants, clock)
    cycles, busy, read, written = totals(hw, constants, clock)
    return work.fits[0] == 1, cycles, busy, read, written


@in_place
def _overflows(row):  # type: ignore[no-untyped-def]
    """Whether a descriptor's field cannot hold its value; without branches, so it is vectorized."""
    found = False
    for j in range(WIDTH):
        found |= (row[j] < FIELD_LOW[j]) | (row[j] > FIELD_HIGH[j])
    return found


@in_place
def first_overflow(rows, low, high):  # type: ignore[no-untyped-def]
    """(row, column) of the first value that its descriptor field cannot hold, or (-1, -1)."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if rows[i, j] < low[j] or rows[i, j] > high[j]:
                return i, j
    return -1, -1
