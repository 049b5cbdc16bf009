"""The schedule: every descriptor of a mapped network, in program order, with its tokens.

The compiler encodes these rows, the cycle model walks them; there is no other list. Rules:

* Weights go alternately to the two register-file halves; a half is refilled once the last
  EXECUTE that used it is done.
* Activation LOADs and STOREs own the local memories' ports: they wait for all EXECUTEs before
  them, and EXECUTEs wait for them.
* A token is posted only where it is waited for, so a program ends with no token left.
"""

import numpy as np

from sim.geometry import ceil_div
from sim.kernel import kernel
from sim.mapper import LayerPlan, TensorPlan
from sim.spec.descriptor import FIELDS, ExecuteOp, LoadKind, Queue
from sim.tables import COLUMNS, Hw, LayerColumn, TensorColumn

__all__ = ["FIELD_HIGH", "FIELD_LOW", "build_schedule", "first_overflow"]

_LIMITS = {field.name: (field.low, field.high) for fields in FIELDS.values() for field in fields}
_ANY = (-(1 << 40), 1 << 40)
FIELD_LOW = np.array([_LIMITS.get(name, _ANY)[0] for name in COLUMNS], np.int64)
FIELD_HIGH = np.array([_LIMITS.get(name, _ANY)[1] for name in COLUMNS], np.int64)
"""Smallest and largest encodable value of every schedule column."""

WIDTH = len(COLUMNS)
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
HALF = COLUMNS["half"]
LANES = COLUMNS["lanes"]
BROADCAST = COLUMNS["broadcast"]
PARAMETER_ROWS = COLUMNS["parameter_rows"]
WEIGHT_ROWS = COLUMNS["weight_rows"]
OP = COLUMNS["op"]
WAIT_DRAIN = COLUMNS["wait_drain"]
INTERVAL = COLUMNS["initiation_interval"]
TILE_ROWS = COLUMNS["tile_rows"]
TILE_COLUMNS = COLUMNS["tile_columns"]
KERNEL_ROWS = COLUMNS["kernel_rows"]
KERNEL_COLUMNS = COLUMNS["kernel_columns"]
STRIDE_Y = COLUMNS["stride_y"]
STRIDE_X = COLUMNS["stride_x"]
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


@kernel
def _append(rows, n, queue, layer):  # type: ignore[no-untyped-def]  # numba infers the types
    """Add an empty row; returns (rows, its index)."""
    if n == rows.shape[0]:
        grown = np.zeros((2 * n, WIDTH), np.int64)
        grown[:n] = rows
        rows = grown
    rows[n, QUEUE] = queue
    rows[n, LAYER] = layer
    rows[n, AFTER : AFTER + 3] = -1
    return rows, n


@kernel
def _require(rows, consumer, producer, waited):  # type: ignore[no-untyped-def]
    """Make ``consumer`` start after ``producer`` is done, by a token if none implies it yet."""
    if producer < 0:
        return
    source, target = rows[producer, QUEUE], rows[consumer, QUEUE]
    if source == target or producer <= waited[source, target]:
        return
    rows[producer, POST] |= 1 << target
    rows[consumer, WAIT] |= 1 << source
    rows[consumer, AFTER + source] = producer
    waited[source, target] = producer


@kernel
def _transfer(  # type: ignore[no-untyped-def]
    row, tensor, external, simd, first_group, groups, y, x, n_y, n_x, local, local_row, local_plane
):
    """Fill a tile transfer of image rows y … y + n_y - 1; returns False if none is in the image."""
    height, width = tensor[TensorColumn.HEIGHT], tensor[TensorColumn.WIDTH]
    top, bottom = max(0, y), min(height, y + n_y)
    left, right = max(0, x), min(width, x + n_x)
    if top >= bottom or left >= right:
        return False
    row[ADDRESS] = external + ((first_group * height + top) * width + left) * simd
    row[LOCAL_ADDRESS] = (local + (top - y) * local_row + (left - x)) & LOCAL_MASK
    row[GROUPS] = groups
    row[ROWS] = bottom - top
    row[COLS] = right - left
    row[LOCAL_PLANE] = local_plane
    row[LOCAL_ROW] = local_row
    row[GROUP_STRIDE] = height * width * simd
    row[ROW_STRIDE] = width * simd
    return True


@kernel
def _execute(row, layer, plan, source, hw, pass_y, pass_x, index):  # type: ignore[no-untyped-def]
    """Fill an EXECUTE descriptor; ``index`` is the round's number within its chunk."""
    op = layer[LayerColumn.OP]
    row[OP] = op
    row[INTERVAL] = plan[LayerPlan.INTERVAL]
    row[TILE_ROWS], row[TILE_COLUMNS] = plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X]
    row[KERNEL_ROWS], row[KERNEL_COLUMNS] = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    row[STRIDE_Y], row[STRIDE_X] = layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X]
    plane = 0
    if op == ExecuteOp.CONV:
        groups = ceil_div(source[TensorColumn.CHANNELS], hw[Hw.SIMD])
        quads = ceil_div(source[TensorColumn.CHANNELS], 4)
        row[GROUPS] = groups
        row[LAST_QUADS] = quads - (groups - 1) * (hw[Hw.SIMD] // 4)
        row[IN_PLANE] = plan[LayerPlan.IN_PLANE]
    else:
        plane = index
    row[IN_ADDRESS] = (plan[LayerPlan.IN_ADDRESS] + plane * plan[LayerPlan.IN_PLANE]) & LOCAL_MASK
    row[IN_ROW] = plan[LayerPlan.IN_ROW]
    if op == ExecuteOp.ADD:
        row[IN2_ADDRESS] = plan[LayerPlan.IN2_ADDRESS] + plane * plan[LayerPlan.IN2_PLANE]
        row[IN2_ROW] = plan[LayerPlan.IN2_ROW]
    row[OUT_ADDRESS] = plan[LayerPlan.OUT_ADDRESS] + index * plan[LayerPlan.OUT_PLANE]
    row[OUT_ROW] = plan[LayerPlan.OUT_ROW]
    for h in range(4):
        row[HALO_TOP + h] = plan[LayerPlan.HALO_TOP + h]
    if op == ExecuteOp.POOL:
        row[KERNEL_ROWS], row[KERNEL_COLUMNS] = (
            plan[LayerPlan.IN_TILE_Y],
            plan[LayerPlan.IN_TILE_X],
        )
        row[PITCH_Y], row[PITCH_X] = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
    elif op != ExecuteOp.ADD:
        row[PITCH_Y] = plan[LayerPlan.TILE_Y] * layer[LayerColumn.STRIDE_Y]
        row[PITCH_X] = plan[LayerPlan.TILE_X] * layer[LayerColumn.STRIDE_X]
        row[ORIGIN_Y] = pass_y * hw[Hw.PES_Y] * row[PITCH_Y] - layer[LayerColumn.PAD_Y]
        row[ORIGIN_X] = pass_x * hw[Hw.PES_X] * row[PITCH_X] - layer[LayerColumn.PAD_X]
    row[BOUND_Y], row[BOUND_X] = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
    row[PAD_VALUE] = layer[LayerColumn.PAD_VALUE]
    row[ZERO_POINT] = layer[LayerColumn.ZERO_POINT]
    row[CLAMP_LOW], row[CLAMP_HIGH] = layer[LayerColumn.CLAMP_LOW], layer[LayerColumn.CLAMP_HIGH]


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
    rows = np.zeros((64, WIDTH), np.int64)
    n = 0
    waited = np.full((3, 3), -1, np.int64)
    last_tile_load = last_store = last_execute = weights_load = -1
    half_user = np.full(2, -1, np.int64)
    half = 1
    simd, lanes = hw[Hw.SIMD], hw[Hw.LANES]
    for i in range(layers.shape[0]):
        layer, plan, op = layers[i], lp[i], layers[i, LayerColumn.OP]
        source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
        shared = op >= ExecuteOp.ADD
        rounds, chunk = plan[LayerPlan.ROUNDS], plan[LayerPlan.CHUNK]
        out_groups = ceil_div(target[TensorColumn.CHANNELS], simd)
        in_groups = ceil_div(source[TensorColumn.CHANNELS], simd)
        stream = (plan[LayerPlan.PARAMETER_ROWS] + plan[LayerPlan.WEIGHT_ROWS]) * 4 * simd
        passes = plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]
        for p in range(passes):
            pass_y, pass_x = p // plan[LayerPlan.PASSES_X], p % plan[LayerPlan.PASSES_X]
            for r in range(rounds):
                first = r - r % chunk
                active = min(lanes, out_groups - r * lanes)
                if (p == 0 or rounds > 1) and (not shared or p + r == 0):
                    rows, w = _append(rows, n, Queue.LOAD, i)
                    n += 1
                    half ^= 1
                    rows[w, KIND] = LoadKind.WEIGHTS
                    rows[w, HALF] = half
                    rows[w, LANES] = active
                    rows[w, BROADCAST] = shared
                    rows[w, PARAMETER_ROWS] = plan[LayerPlan.PARAMETER_ROWS]
                    rows[w, WEIGHT_ROWS] = plan[LayerPlan.WEIGHT_ROWS]
                    block = 0 if shared else r * lanes
                    rows[w, ADDRESS] = plan[LayerPlan.BLOCK_ADDRESS] + block * stream
                    _require(rows, w, half_user[half], waited)
                    weights_load = w
                if r == (0 if op == ExecuteOp.CONV else first):
                    for operand in range(2):
                        if not plan[LayerPlan.LOADED + operand]:
                            continue
                        t = layer[LayerColumn.INPUT + operand]
                        base = plan[LayerPlan.IN2_ADDRESS if operand else LayerPlan.IN_ADDRESS]
                        row_step = plan[LayerPlan.IN2_ROW if operand else LayerPlan.IN_ROW]
                        plane = plan[LayerPlan.IN2_PLANE if operand else LayerPlan.IN_PLANE]
                        group = 0 if op == ExecuteOp.CONV else first * lanes
                        groups = in_groups
                        if op != ExecuteOp.CONV:
                            groups = min(chunk * lanes, in_groups - group)
                        in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
                        for pe in range(hw[Hw.PES_Y] * hw[Hw.PES_X]):
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
                            rows, d = _append(rows, n, Queue.LOAD, i)
                            if not _transfer(
                                rows[d], tensors[t], tp[t, TensorPlan.EXTERNAL], simd, group,
                                groups, y, x, in_y, in_x, base, row_step, plane,
                            ):  # fmt: skip
                                continue
                            n += 1
                            rows[d, KIND] = LoadKind.TILE
                            rows[d, PE_Y], rows[d, PE_X] = pe_y, pe_x
                            _require(rows, d, last_execute, waited)
                            _require(rows, d, last_store, waited)
                            last_tile_load = d
                rows, e = _append(rows, n, Queue.EXECUTE, i)
                n += 1
                _execute(rows[e], layer, plan, source, hw, pass_y, pass_x, r - first)
                rows[e, HALF], rows[e, LANES] = half, active
                rows[e, WAIT_DRAIN] = r == first
                rows[e, ROUND], rows[e, PASS] = r, p
                _require(rows, e, max(weights_load, last_tile_load), waited)
                _require(rows, e, last_store, waited)
                half_user[half] = last_execute = e
                if not tp[i + 1, TensorPlan.STORED] or r != min(first + chunk, rounds) - 1:
                    continue
                groups = min(chunk * lanes, out_groups - first * lanes)
                for pe in range(hw[Hw.PES_Y] * hw[Hw.PES_X]):
                    pe_y, pe_x = pe // hw[Hw.PES_X], pe % hw[Hw.PES_X]
                    y = (pass_y * hw[Hw.PES_Y] + pe_y) * plan[LayerPlan.TILE_Y]
                    x = (pass_x * hw[Hw.PES_X] + pe_x) * plan[LayerPlan.TILE_X]
                    rows, d = _append(rows, n, Queue.STORE, i)
                    if not _transfer(
                        rows[d], target, tp[i + 1, TensorPlan.EXTERNAL], simd, first * lanes,
                        groups, y, x, plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X],
                        plan[LayerPlan.OUT_ADDRESS], plan[LayerPlan.OUT_ROW],
                        plan[LayerPlan.OUT_PLANE],
                    ):  # fmt: skip
                        continue
                    n += 1
                    rows[d, PE_Y], rows[d, PE_X] = pe_y, pe_x
                    _require(rows, d, last_execute, waited)
                    last_store = d
    return rows[:n]


@kernel
def first_overflow(rows, low, high):  # type: ignore[no-untyped-def]
    """(row, column) of the first value that its descriptor field cannot hold, or (-1, -1)."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            if rows[i, j] < low[j] or rows[i, j] > high[j]:
                return i, j
    return -1, -1
