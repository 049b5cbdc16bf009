"""The mapper: tile sizes, on-chip residency, spills and addresses for a whole network.

Two passes over the layers. The first chooses tile sizes by dynamic programming over the
chain: a tensor stays on chip where tile_in = stride · tile_out, otherwise it pays a spill.
The second walks forward, allocates local memory first-fit and demotes what does not fit to
external memory, down to single layers that run tile by tile.
"""

from enum import IntEnum

import numpy as np

from sim.geometry import (
    aligned,
    ceil_div,
    initiation_interval,
    resident_halo,
    steps,
    tile_candidate,
    weight_rows,
)
from sim.kernel import kernel
from sim.spec.descriptor import ExecuteOp
from sim.tables import Hw, LayerColumn, TensorColumn

__all__ = ["Failure", "LayerPlan", "TensorPlan", "plan_network"]

POWERS = 3
"""Tile candidates per axis: the smallest covering multiples of 1, 2 and 4."""

STATES = POWERS * POWERS
ALIGNMENT_BYTES = 64
"""Weight blocks and tensors start at multiples of this in external memory."""

DESCRIPTOR_WEIGHT = 24
"""Cycles that a descriptor costs beside its windows when tiles are weighed; predictions do
not use it."""

_FAR = 1 << 60


class LayerPlan(IntEnum):
    """Columns of the layer plan; addresses and strides in vectors."""

    TILE_Y = 0
    TILE_X = 1
    PASSES_Y = 2
    PASSES_X = 3
    ROUNDS = 4
    CHUNK = 5
    LOADED = 6
    LOADED2 = 7
    IN_ADDRESS = 8
    IN_ROW = 9
    IN_PLANE = 10
    IN_TILE_Y = 11
    IN_TILE_X = 12
    IN2_ADDRESS = 13
    IN2_ROW = 14
    IN2_PLANE = 15
    OUT_ADDRESS = 16
    OUT_ROW = 17
    OUT_PLANE = 18
    INTERVAL = 19
    WEIGHT_ROWS = 20
    PARAMETER_ROWS = 21
    BLOCK_ADDRESS = 22
    HALO_TOP = 23
    HALO_BOTTOM = 24
    HALO_LEFT = 25
    HALO_RIGHT = 26


class TensorPlan(IntEnum):
    """Columns of the tensor plan; ``ADDRESS`` is the tile's first pixel in local memory."""

    TILE_Y = 0
    TILE_X = 1
    HALO_TOP = 2
    HALO_BOTTOM = 3
    HALO_LEFT = 4
    HALO_RIGHT = 5
    ADDRESS = 6
    ROW = 7
    PLANE = 8
    RESIDENT_UNTIL = 9
    STORED = 10
    EXTERNAL = 11


class Failure(IntEnum):
    """Why a network cannot be mapped."""

    NONE = 0
    WEIGHTS = 1
    TILE = 2
    FIELD = 3


@kernel
def _axis(layer, vertical):  # type: ignore[no-untyped-def]  # numba infers the types
    if vertical:
        return layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    return layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]


@kernel
def _fits_tile(layer, source, target, in_y, in_x, out_y, out_x):  # type: ignore[no-untyped-def]
    """Whether a resident input with tile (in_y, in_x) serves output tile (out_y, out_x)."""
    op = layer[LayerColumn.OP]
    k, s, p = _axis(layer, True)
    if not aligned(op, k, s, p, source[0], in_y, target[0], out_y):
        return False
    k, s, p = _axis(layer, False)
    return aligned(op, k, s, p, source[1], in_x, target[1], out_x)


@kernel
def _choose_tiles(layers, tensors, hw, tile):  # type: ignore[no-untyped-def]
    """Fill tile[n_tensors, 2] with each tensor's tile by dynamic programming."""
    n = layers.shape[0]
    cost = np.full((n, STATES), _FAR, np.int64)
    origin = np.zeros((n, STATES), np.int64)
    for i in range(n):
        layer = layers[i]
        source = tensors[layer[LayerColumn.INPUT]]
        before, target = tensors[i], tensors[i + 1]
        groups = ceil_div(target[2], hw[Hw.SIMD])
        rounds = ceil_div(groups, hw[Hw.LANES])
        moved = before[0] * before[1] * ceil_div(before[2], hw[Hw.SIMD]) * hw[Hw.SIMD]
        spill = 2 * (moved // hw[Hw.BUS_BYTES] + DESCRIPTOR_WEIGHT)
        chained = layer[LayerColumn.INPUT] == i or layer[LayerColumn.INPUT2] == i
        for state in range(STATES):
            out_y = tile_candidate(target[0], hw[Hw.PES_Y], state // POWERS)
            out_x = tile_candidate(target[1], hw[Hw.PES_X], state % POWERS)
            if out_y == 0 or out_x == 0:
                continue
            for last in range(STATES):
                in_y = tile_candidate(before[0], hw[Hw.PES_Y], last // POWERS)
                in_x = tile_candidate(before[1], hw[Hw.PES_X], last % POWERS)
                if in_y == 0 or in_x == 0 or (i == 0 and last > 0):
                    continue
                n_steps = steps(layer, source, in_y, in_x)
                interval = initiation_interval(
                    layer[LayerColumn.OP], n_steps, out_y, out_x, 0, 0, 0, 0
                )
                total = rounds * (out_y * out_x * interval + DESCRIPTOR_WEIGHT)
                if i > 0:
                    total += cost[i - 1, last]
                    if chained and not _fits_tile(layer, before, target, in_y, in_x, out_y, out_x):
                        total += spill
                if total < cost[i, state]:
                    cost[i, state] = total
                    origin[i, state] = last
    state = int(np.argmin(cost[n - 1]))
    for i in range(n - 1, -1, -1):
        tile[i + 1, 0] = tile_candidate(tensors[i + 1, 0], hw[Hw.PES_Y], state // POWERS)
        tile[i + 1, 1] = tile_candidate(tensors[i + 1, 1], hw[Hw.PES_X], state % POWERS)
        state = origin[i, state]
    tile[0, 0] = ceil_div(tensors[0, 0], hw[Hw.PES_Y])
    tile[0, 1] = ceil_div(tensors[0, 1], hw[Hw.PES_X])


@kernel
def _mark_resident(layers, tensors, tensor_plan):  # type: ignore[no-untyped-def]
    """Set halos and the last resident use of every tensor from its consumers' tiles."""
    for i in range(layers.shape[0]):
        layer = layers[i]
        target = tensors[i + 1]
        out_y = tensor_plan[i + 1, TensorPlan.TILE_Y]
        out_x = tensor_plan[i + 1, TensorPlan.TILE_X]
        op = layer[LayerColumn.OP]
        for t in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]):
            row = tensor_plan[t]
            in_y, in_x = row[TensorPlan.TILE_Y], row[TensorPlan.TILE_X]
            if t == 0 or not _fits_tile(layer, tensors[t], target, in_y, in_x, out_y, out_x):
                continue
            row[TensorPlan.RESIDENT_UNTIL] = max(row[TensorPlan.RESIDENT_UNTIL], i)
            k, s, p = _axis(layer, True)
            low, high = resident_halo(op, k, s, p, tensors[t, 0], in_y, target[0], out_y)
            row[TensorPlan.HALO_TOP] = max(row[TensorPlan.HALO_TOP], low)
            row[TensorPlan.HALO_BOTTOM] = max(row[TensorPlan.HALO_BOTTOM], high)
            k, s, p = _axis(layer, False)
            low, high = resident_halo(op, k, s, p, tensors[t, 1], in_x, target[1], out_x)
            row[TensorPlan.HALO_LEFT] = max(row[TensorPlan.HALO_LEFT], low)
            row[TensorPlan.HALO_RIGHT] = max(row[TensorPlan.HALO_RIGHT], high)


@kernel
def _place(live, n_live, size, depth):  # type: ignore[no-untyped-def]
    """Lowest free address for ``size`` vectors, or -1; live[i] = (address, size, until, tensor)."""
    best = -1
    for candidate in range(n_live + 1):
        address = 0 if candidate == n_live else live[candidate, 0] + live[candidate, 1]
        if address + size > depth or (best >= 0 and address >= best):
            continue
        free = True
        for j in range(n_live):
            if address < live[j, 0] + live[j, 1] and live[j, 0] < address + size:
                free = False
                break
        if free:
            best = address
    return best


@kernel
def _extent(layer, tile_y, tile_x):  # type: ignore[no-untyped-def]
    """Input rows and columns that one PE's output tile reads, padding included."""
    if layer[LayerColumn.OP] == ExecuteOp.ADD:
        return tile_y, tile_x
    rows = (tile_y - 1) * layer[LayerColumn.STRIDE_Y] + layer[LayerColumn.KERNEL_Y]
    return rows, (tile_x - 1) * layer[LayerColumn.STRIDE_X] + layer[LayerColumn.KERNEL_X]


@kernel
def _whole(i, layers, tensors, hw, lp, tp, live, n_live):  # type: ignore[no-untyped-def]
    """Try layer i in one pass with a resident output. Returns the new n_live, or -1."""
    layer = layers[i]
    depth, lanes, simd = hw[Hw.BANK_DEPTH], hw[Hw.LANES], hw[Hw.SIMD]
    out = tp[i + 1]
    tile_y, tile_x = out[TensorPlan.TILE_Y], out[TensorPlan.TILE_X]
    two = layer[LayerColumn.OP] == ExecuteOp.ADD
    for operand in range(2 if two else 1):
        t = layer[LayerColumn.INPUT2] if operand else layer[LayerColumn.INPUT]
        column = LayerPlan.IN2_ADDRESS if operand else LayerPlan.IN_ADDRESS
        loaded = LayerPlan.LOADED2 if operand else LayerPlan.LOADED
        source = tp[t]
        if source[TensorPlan.RESIDENT_UNTIL] >= i and _fits_tile(
            layer,
            tensors[t],
            tensors[i + 1],
            source[TensorPlan.TILE_Y],
            source[TensorPlan.TILE_X],
            tile_y,
            tile_x,
        ):
            lp[i, loaded] = 0
            lp[i, column + 1] = source[TensorPlan.ROW]
            lp[i, column + 2] = source[TensorPlan.PLANE]
            lp[i, column] = source[TensorPlan.ADDRESS]
            if layer[LayerColumn.OP] < ExecuteOp.ADD:
                lp[i, column] -= layer[LayerColumn.PAD_Y] * source[TensorPlan.ROW]
                lp[i, column] -= layer[LayerColumn.PAD_X]
            if operand == 0:
                lp[i, LayerPlan.IN_TILE_Y] = source[TensorPlan.TILE_Y]
                lp[i, LayerPlan.IN_TILE_X] = source[TensorPlan.TILE_X]
            continue
        if layer[LayerColumn.OP] == ExecuteOp.POOL:
            rows = ceil_div(tensors[t, 0], hw[Hw.PES_Y])
            columns = ceil_div(tensors[t, 1], hw[Hw.PES_X])
        else:
            rows, columns = _extent(layer, tile_y, tile_x)
        planes = ceil_div(ceil_div(tensors[t, 2], simd), lanes)
        size = planes * rows * columns
        address = _place(live, n_live, size, depth)
        if address < 0:
            return -1
        live[n_live, 0], live[n_live, 1], live[n_live, 2], live[n_live, 3] = address, size, i, -1
        n_live += 1
        lp[i, loaded] = 1
        lp[i, column] = address
        lp[i, column + 1] = columns
        lp[i, column + 2] = rows * columns
        if operand == 0:
            lp[i, LayerPlan.IN_TILE_Y] = rows
            lp[i, LayerPlan.IN_TILE_X] = columns
    rows = tile_y + out[TensorPlan.HALO_TOP] + out[TensorPlan.HALO_BOTTOM]
    columns = tile_x + out[TensorPlan.HALO_LEFT] + out[TensorPlan.HALO_RIGHT]
    size = ceil_div(ceil_div(tensors[i + 1, 2], simd), lanes) * rows * columns
    address = _place(live, n_live, size, depth)
    if address < 0:
        return -1
    live[n_live, 0], live[n_live, 1] = address, size
    live[n_live, 2], live[n_live, 3] = max(i, out[TensorPlan.RESIDENT_UNTIL]), i + 1
    out[TensorPlan.ROW] = columns
    out[TensorPlan.PLANE] = rows * columns
    out[TensorPlan.ADDRESS] = (
        address + out[TensorPlan.HALO_TOP] * columns + out[TensorPlan.HALO_LEFT]
    )
    for h in range(4):
        lp[i, LayerPlan.HALO_TOP + h] = out[TensorPlan.HALO_TOP + h]
    lp[i, LayerPlan.TILE_Y], lp[i, LayerPlan.TILE_X] = tile_y, tile_x
    lp[i, LayerPlan.PASSES_Y] = lp[i, LayerPlan.PASSES_X] = 1
    lp[i, LayerPlan.CHUNK] = lp[i, LayerPlan.ROUNDS]
    lp[i, LayerPlan.OUT_ADDRESS] = out[TensorPlan.ADDRESS]
    lp[i, LayerPlan.OUT_ROW] = columns
    lp[i, LayerPlan.OUT_PLANE] = rows * columns
    return n_live + 1


@kernel
def _tiled(i, layers, tensors, hw, lp):  # type: ignore[no-untyped-def]
    """Map layer i tile by tile through an empty local memory. Returns the vectors short, or 0."""
    layer = layers[i]
    source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
    op = layer[LayerColumn.OP]
    lanes, depth = hw[Hw.LANES], hw[Hw.BANK_DEPTH]
    tile_y = ceil_div(target[0], hw[Hw.PES_Y])
    tile_x = ceil_div(target[1], hw[Hw.PES_X])
    rounds = lp[i, LayerPlan.ROUNDS]
    while True:
        rows, columns = _extent(layer, tile_y, tile_x)
        if op == ExecuteOp.POOL:
            rows, columns = ceil_div(source[0], hw[Hw.PES_Y]), ceil_div(source[1], hw[Hw.PES_X])
        area = rows * columns
        operands = 2 if op == ExecuteOp.ADD else 1
        chunk = rounds
        planes = ceil_div(ceil_div(source[2], hw[Hw.SIMD]), lanes)
        need = operands * planes * area + chunk * tile_y * tile_x
        if need > depth:
            chunk = 1
            if op != ExecuteOp.CONV:
                planes = 1
            need = operands * planes * area + tile_y * tile_x
        if need <= depth:
            break
        if tile_y == 1 and tile_x == 1:
            return need - depth
        if tile_y >= tile_x:
            tile_y = ceil_div(tile_y, 2)
        else:
            tile_x = ceil_div(tile_x, 2)
    lp[i, LayerPlan.TILE_Y], lp[i, LayerPlan.TILE_X] = tile_y, tile_x
    lp[i, LayerPlan.PASSES_Y] = ceil_div(target[0], tile_y * hw[Hw.PES_Y])
    lp[i, LayerPlan.PASSES_X] = ceil_div(target[1], tile_x * hw[Hw.PES_X])
    lp[i, LayerPlan.CHUNK] = chunk
    lp[i, LayerPlan.LOADED] = 1
    lp[i, LayerPlan.LOADED2] = operands - 1
    lp[i, LayerPlan.IN_ADDRESS], lp[i, LayerPlan.IN2_ADDRESS] = 0, planes * area
    lp[i, LayerPlan.IN_ROW] = lp[i, LayerPlan.IN2_ROW] = columns
    lp[i, LayerPlan.IN_PLANE] = lp[i, LayerPlan.IN2_PLANE] = area
    lp[i, LayerPlan.IN_TILE_Y], lp[i, LayerPlan.IN_TILE_X] = rows, columns
    lp[i, LayerPlan.OUT_ADDRESS] = operands * planes * area
    lp[i, LayerPlan.OUT_ROW] = tile_x
    lp[i, LayerPlan.OUT_PLANE] = tile_y * tile_x
    for h in range(4):
        lp[i, LayerPlan.HALO_TOP + h] = 0
    return 0


@kernel
def _allocate(layers, tensors, hw, lp, tp):  # type: ignore[no-untyped-def]
    """Walk forward; returns (failure, layer, vectors short)."""
    n = layers.shape[0]
    live = np.zeros((n + 4, 4), np.int64)
    n_live = 0
    tp[0, TensorPlan.STORED] = 1
    tp[n, TensorPlan.STORED] = 1
    for i in range(n):
        mark = n_live
        grown = _whole(i, layers, tensors, hw, lp, tp, live, n_live)
        if grown < 0:
            kept = 0
            for j in range(mark):
                t = live[j, 3]
                if t == layers[i, LayerColumn.INPUT] or t == layers[i, LayerColumn.INPUT2]:
                    live[kept] = live[j]
                    kept += 1
                else:
                    tp[t, TensorPlan.STORED] = 1
                    tp[t, TensorPlan.RESIDENT_UNTIL] = -1
            grown = _whole(i, layers, tensors, hw, lp, tp, live, kept)
            mark = kept
        if grown < 0:
            for j in range(mark):
                tp[live[j, 3], TensorPlan.STORED] = 1
                tp[live[j, 3], TensorPlan.RESIDENT_UNTIL] = -1
            short = _tiled(i, layers, tensors, hw, lp)
            if short > 0:
                return Failure.TILE, i, short
            tp[i + 1, TensorPlan.STORED] = 1
            tp[i + 1, TensorPlan.RESIDENT_UNTIL] = -1
            grown = 0
        if lp[i, LayerPlan.LOADED]:
            tp[layers[i, LayerColumn.INPUT], TensorPlan.STORED] = 1
        if lp[i, LayerPlan.LOADED2]:
            tp[layers[i, LayerColumn.INPUT2], TensorPlan.STORED] = 1
        n_live = 0
        for j in range(grown):
            if live[j, 2] > i:
                live[n_live] = live[j]
                n_live += 1
    return Failure.NONE, -1, 0


@kernel
def _align(address):  # type: ignore[no-untyped-def]
    return ceil_div(address, ALIGNMENT_BYTES) * ALIGNMENT_BYTES


@kernel
def plan_network(layers, tensors, hw):  # type: ignore[no-untyped-def]
    """Map a network onto an accelerator.

    Parameters
    ----------
    layers : int64[n, 13], tensors : int64[n + 1, 3], hw : int64[7]
        Tables of :mod:`sim.tables`.

    Returns
    -------
    failure, layer, needed, available : int
        A :class:`Failure`, the layer and both numbers of the limit it broke.
    layer_plan : int64[n, 27], tensor_plan : int64[n + 1, 12]
    end : int
        First external address after weights and tensors.
    """
    n = layers.shape[0]
    lp = np.zeros((n, 27), np.int64)
    tp = np.zeros((n + 1, 12), np.int64)
    address = 0
    for i in range(n):
        layer, op = layers[i], layers[i, LayerColumn.OP]
        groups = ceil_div(tensors[i + 1, 2], hw[Hw.SIMD])
        lp[i, LayerPlan.ROUNDS] = ceil_div(groups, hw[Hw.LANES])
        rows = weight_rows(layer, tensors[layer[LayerColumn.INPUT], 2])
        if rows > hw[Hw.WEIGHT_ROWS]:
            return Failure.WEIGHTS, i, rows, hw[Hw.WEIGHT_ROWS], lp, tp, 0
        lp[i, LayerPlan.WEIGHT_ROWS] = rows
        lp[i, LayerPlan.PARAMETER_ROWS] = 3 if op == ExecuteOp.ADD else 4
        address = _align(address)
        lp[i, LayerPlan.BLOCK_ADDRESS] = address
        blocks = 1 if op >= ExecuteOp.ADD else groups
        address += blocks * (lp[i, LayerPlan.PARAMETER_ROWS] + rows) * 4 * hw[Hw.SIMD]
    for t in range(n + 1):
        tp[t, TensorPlan.RESIDENT_UNTIL] = -1
    _choose_tiles(layers, tensors, hw, tp)
    _mark_resident(layers, tensors, tp)
    failure, i, short = _allocate(layers, tensors, hw, lp, tp)
    if failure != Failure.NONE:
        return failure, i, hw[Hw.BANK_DEPTH] + short, hw[Hw.BANK_DEPTH], lp, tp, 0
    for i in range(n):
        source = tensors[layers[i, LayerColumn.INPUT]]
        row = lp[i]
        n_steps = steps(layers[i], source, row[LayerPlan.IN_TILE_Y], row[LayerPlan.IN_TILE_X])
        row[LayerPlan.INTERVAL] = initiation_interval(
            layers[i, LayerColumn.OP],
            n_steps,
            row[LayerPlan.TILE_Y],
            row[LayerPlan.TILE_X],
            row[LayerPlan.HALO_TOP],
            row[LayerPlan.HALO_BOTTOM],
            row[LayerPlan.HALO_LEFT],
            row[LayerPlan.HALO_RIGHT],
        )
    for t in range(n + 1):
        if tp[t, TensorPlan.STORED]:
            address = _align(address)
            tp[t, TensorPlan.EXTERNAL] = address
            size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
            address += size * ceil_div(tensors[t, 2], hw[Hw.SIMD]) * hw[Hw.SIMD]
    return Failure.NONE, -1, 0, 0, lp, tp, _align(address)
