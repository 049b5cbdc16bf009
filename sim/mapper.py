"""The mapper: tile sizes, on-chip residency, spills and addresses for a whole network.

Two passes over the layers. The first chooses tile sizes by dynamic programming over the
chain: a tensor stays on chip where tile_in = stride · tile_out, otherwise it pays a spill.
The second walks forward, allocates local memory first-fit and demotes what does not fit to
external memory, down to single layers that run tile by tile.
"""

import numpy as np

from sim.execution import NO_HALO, choose_pixels, weight_rows
from sim.geometry import (
    aligned,
    ceil_div,
    groups_of,
    pixel_bytes,
    resident_halo,
    tile_candidate,
)
from sim.kernel import in_place, kernel
from sim.plans import Failure, LayerPlan, TensorPlan
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.splits import choose_block, choose_split, share_rows, split_count
from sim.tables import Hw, LayerColumn, TensorColumn
from sim.tiling import choose_tiling, extent

__all__ = ["first_layer_cycles", "plan_network"]

POWERS = 6
"""Tile candidates per axis: the smallest covering multiples of 1, 2, 4 … 32."""

STATES = 16
"""Most tiles that are weighed for a tensor."""

ALIGNMENT_BYTES = 128
"""Weight blocks and tensors start at multiples of this in external memory."""

LAYER_CYCLES = 24
"""What a layer is taken to cost beside its windows when tiles are weighed; predictions do not
use it."""

ADD_ROWS = 3
"""Parameter rows of ADD: operand a, operand b, sum."""

TIE = 64
"""Weight of the slower one of EXECUTE and LOAD against EXECUTE alone when tiles are weighed."""

LAYER_COLUMNS, TENSOR_COLUMNS = len(LayerPlan), len(TensorPlan)
_FAR = 1 << 60


@kernel
def _own_row(hw, layer, cut):  # type: ignore[no-untyped-def]  # numba infers the types
    """What a layer has of the accelerator: before ``cut`` one image all, then each an equal part."""
    own = hw.copy()
    if layer < cut:
        own[Hw.IMAGES] = 1
    own[Hw.BANK_DEPTH] //= own[Hw.IMAGES]
    return own


@in_place
def _axis(layer, vertical):  # type: ignore[no-untyped-def]
    if vertical:
        return layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    return layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]


@in_place
def _fits_tile(layer, source, target, in_y, in_x, out_y, out_x):  # type: ignore[no-untyped-def]
    """Whether a resident input with tile (in_y, in_x) serves output tile (out_y, out_x)."""
    op = layer[LayerColumn.OP]
    k, s, p = _axis(layer, True)
    if not aligned(op, k, s, p, source[0], in_y, target[0], out_y):
        return False
    k, s, p = _axis(layer, False)
    return aligned(op, k, s, p, source[1], in_x, target[1], out_x)


@in_place
def _list_tiles(tensor, hw, found):  # type: ignore[no-untyped-def]
    """Write a tensor's tile candidates to found[STATES, 2]; returns their number."""
    count = 0
    for power_y in range(POWERS):
        y = tile_candidate(tensor[0], hw[Hw.PES_Y], power_y)
        for power_x in range(POWERS):
            x = tile_candidate(tensor[1], hw[Hw.PES_X], power_x)
            if y > 0 and x > 0 and count < STATES:
                found[count, 0], found[count, 1] = y, x
                count += 1
    return count


@in_place
def _transfer_cycles(tensor, hw):  # type: ignore[no-untyped-def]
    """Cycles that a tensor takes on the bus, of all images that share the accelerator."""
    simd, bus = hw[Hw.SIMD], hw[Hw.BUS_BYTES]
    size = tensor[0] * tensor[1] * groups_of(tensor[2], simd) * pixel_bytes(tensor[2], simd, bus)
    size *= hw[Hw.IMAGES]
    return size * hw[Hw.COST] // (bus * hw[Hw.EARN])


@in_place
def _weigh_tiles(i, layers, tensors, hw, share, cut, tiles, counts, alone, cost, origin):  # type: ignore[no-untyped-def]
    """Fill row i: the tiles of layer i's output, what they cost at least, and the tile before.

    ``share`` is what the layer has of the accelerator ``hw``.
    """
    layer = layers[i]
    op, twin = layer[LayerColumn.OP], layer[LayerColumn.TWIN]
    source = tensors[layer[LayerColumn.INPUT]]
    before, target = tensors[i], tensors[i + 1]
    groups = groups_of(target[2], hw[Hw.SIMD])
    # a layer before the cut costs so many times what it costs for one image, so tiles are the same
    times = hw[Hw.IMAGES] // share[Hw.IMAGES]
    spill = times * 2 * (_transfer_cycles(before, share) + LAYER_CYCLES)
    chained = layer[LayerColumn.INPUT] == i or layer[LayerColumn.INPUT2] == i
    in_y, in_x = ceil_div(source[0], hw[Hw.PES_Y]), ceil_div(source[1], hw[Hw.PES_X])
    counts[i] = _list_tiles(target, hw, tiles[i])
    for state in range(counts[i]):
        out_y, out_x = tiles[i, state, 0], tiles[i, state, 1]
        if twin == i or twin < cut <= i:
            _, cycles, transfer = choose_pixels(
                layer, source[2], groups, out_y, out_x, in_y, in_x, NO_HALO, share
            )
            alone[i, state] = times * (TIE * max(cycles, transfer) + cycles)
        else:
            alone[i, state] = alone[twin, state]
        own = alone[i, state]
        if i == 0:
            cost[i, state] = own
            continue
        for last in range(counts[i - 1]):
            tile_y, tile_x = tiles[i - 1, last, 0], tiles[i - 1, last, 1]
            total = cost[i - 1, last] + own
            if op == ExecuteOp.POOL:
                more = max(0, tile_y * tile_x - in_y * in_x)
                total += TIE * hw[Hw.IMAGES] * groups * more
            if total >= cost[i, state]:
                continue
            if chained and (
                i == cut or not _fits_tile(layer, before, target, tile_y, tile_x, out_y, out_x)
            ):
                total += TIE * spill
            if total < cost[i, state]:
                cost[i, state] = total
                origin[i, state] = last


@kernel
def _choose_tiles(layers, tensors, hw, cut, tile):  # type: ignore[no-untyped-def]
    """Fill tile[n_tensors, 2] with each tensor's tile by dynamic programming."""
    n = layers.shape[0]
    cost = np.full((n, STATES), _FAR, np.int64)
    origin = np.zeros((n, STATES), np.int64)
    tiles = np.zeros((n, STATES, 2), np.int64)
    counts = np.zeros(n, np.int64)
    alone = np.zeros((n, STATES), np.int64)
    for i in range(n):
        share = _own_row(hw, i, cut)
        _weigh_tiles(i, layers, tensors, hw, share, cut, tiles, counts, alone, cost, origin)
    state = int(np.argmin(cost[n - 1]))
    for i in range(n - 1, -1, -1):
        tile[i + 1, :2] = tiles[i, state]
        state = origin[i, state]
    tile[0, 0] = ceil_div(tensors[0, 0], hw[Hw.PES_Y])
    tile[0, 1] = ceil_div(tensors[0, 1], hw[Hw.PES_X])


@in_place
def _mark_resident(layers, tensors, cut, tensor_plan):  # type: ignore[no-untyped-def]
    """Set halos and the last resident use of every tensor from its consumers' tiles.

    Nothing stays from before layer ``cut`` to behind it.
    """
    for i in range(layers.shape[0]):
        layer = layers[i]
        target = tensors[i + 1]
        out_y = tensor_plan[i + 1, TensorPlan.TILE_Y]
        out_x = tensor_plan[i + 1, TensorPlan.TILE_X]
        op = layer[LayerColumn.OP]
        for t in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]):
            row = tensor_plan[t]
            in_y, in_x = row[TensorPlan.TILE_Y], row[TensorPlan.TILE_X]
            if t == 0 or t <= cut <= i:
                continue
            if not _fits_tile(layer, tensors[t], target, in_y, in_x, out_y, out_x):
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


@in_place
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


@in_place
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
            rows, columns = extent(layer, tile_y, tile_x)
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
    lp[i, LayerPlan.PIXELS], _, _ = choose_pixels(
        layer,
        tensors[layer[LayerColumn.INPUT], 2],
        groups_of(tensors[i + 1, 2], simd),
        tile_y,
        tile_x,
        lp[i, LayerPlan.IN_TILE_Y],
        lp[i, LayerPlan.IN_TILE_X],
        lp[i, LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1],
        hw,
    )
    lp[i, LayerPlan.ROUNDS] = ceil_div(
        groups_of(tensors[i + 1, 2], simd), lanes // lp[i, LayerPlan.PIXELS]
    )
    lp[i, LayerPlan.CHUNK] = lp[i, LayerPlan.ROUNDS]
    lp[i, LayerPlan.OUT_ADDRESS] = out[TensorPlan.ADDRESS]
    lp[i, LayerPlan.OUT_ROW] = columns
    lp[i, LayerPlan.OUT_PLANE] = rows * columns
    return n_live + 1


@kernel
def _allocate(layers, tensors, hw, cut, lp, tp):  # type: ignore[no-untyped-def]
    """Walk forward; returns (failure, layer, vectors needed, vectors there)."""
    n = layers.shape[0]
    live = np.zeros((n + 4, 4), np.int64)
    n_live = 0
    tp[0, TensorPlan.STORED] = 1
    tp[n, TensorPlan.STORED] = 1
    for i in range(n):
        mark = n_live
        share = _own_row(hw, i, cut)
        lp[i, LayerPlan.IMAGES] = share[Hw.IMAGES]
        grown = -1
        alone = n_live == 0 and tp[i + 1, TensorPlan.RESIDENT_UNTIL] < 0
        if not alone:
            grown = _whole(i, layers, tensors, share, lp, tp, live, n_live)
        if grown < 0 and not alone:
            kept = 0
            for j in range(mark):
                t = live[j, 3]
                if t == layers[i, LayerColumn.INPUT] or t == layers[i, LayerColumn.INPUT2]:
                    live[kept] = live[j]
                    kept += 1
                else:
                    tp[t, TensorPlan.STORED] = 1
                    tp[t, TensorPlan.RESIDENT_UNTIL] = -1
            grown = _whole(i, layers, tensors, share, lp, tp, live, kept)
            mark = kept
        if grown < 0:
            for j in range(mark):
                tp[live[j, 3], TensorPlan.STORED] = 1
                tp[live[j, 3], TensorPlan.RESIDENT_UNTIL] = -1
            short = choose_tiling(
                layers[i], tensors[layers[i, LayerColumn.INPUT]], tensors[i + 1], share, lp[i]
            )
            if short > 0:
                return Failure.TILE, i, share[Hw.BANK_DEPTH] + short, share[Hw.BANK_DEPTH]
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
    return Failure.NONE, -1, 0, 0


@in_place
def _split(layer, channels, hw, plan):  # type: ignore[no-untyped-def]
    """Fill the splits and blocks of a layer's plan; only a convolution has more than one."""
    quads = ceil_div(channels, DOT_WIDTH)
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    plan[LayerPlan.SPLITS] = 1
    plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS] = kernel_y, kernel_x
    plan[LayerPlan.SPLIT_STEPS] = quads
    plan[LayerPlan.BLOCK_ROWS] = plan[LayerPlan.TILE_Y]
    plan[LayerPlan.BLOCK_COLUMNS] = plan[LayerPlan.TILE_X]
    if layer[LayerColumn.OP] != ExecuteOp.CONV:
        return
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw[Hw.WEIGHT_ROWS], hw[Hw.SIMD] // DOT_WIDTH
    )
    count = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)
    if count == 1:
        return
    plan[LayerPlan.SPLITS] = count
    plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS] = tap_rows, tap_columns
    plan[LayerPlan.SPLIT_STEPS] = size
    plan[LayerPlan.BLOCK_ROWS], plan[LayerPlan.BLOCK_COLUMNS] = choose_block(
        plan[LayerPlan.TILE_Y],
        plan[LayerPlan.TILE_X],
        plan[LayerPlan.PIXELS],
        share_rows(plan[LayerPlan.IMAGES], hw[Hw.ACCUMULATOR_ROWS])[1],
    )


@in_place
def _align(address):  # type: ignore[no-untyped-def]
    return ceil_div(address, ALIGNMENT_BYTES) * ALIGNMENT_BYTES


@kernel
def first_layer_cycles(layers, tensors, hw):  # type: ignore[no-untyped-def]
    """Cycles to load the inputs and compute the first layer, as mappings are weighed."""
    layer, source, target = layers[0], tensors[0], tensors[1]
    _, cycles, transfer = choose_pixels(
        layer,
        source[2],
        groups_of(target[2], hw[Hw.SIMD]),
        ceil_div(target[0], hw[Hw.PES_Y]),
        ceil_div(target[1], hw[Hw.PES_X]),
        ceil_div(source[0], hw[Hw.PES_Y]),
        ceil_div(source[1], hw[Hw.PES_X]),
        NO_HALO,
        hw,
    )
    return _transfer_cycles(source, hw) + max(cycles, transfer)


@kernel
def plan_network(layers, tensors, hw, cut=0):  # type: ignore[no-untyped-def]
    """Map a network onto an accelerator.

    Parameters
    ----------
    layers : int64[n, 16], tensors : int64[n + 1, 3], hw : int64[11]
        Tables of :mod:`sim.tables`.
    cut : int
        With several images per program: the layers before run image after image, each with the
        whole local memory, the others with all images together.

    Returns
    -------
    failure, layer, needed, available : int
        A :class:`Failure`, the layer and both numbers of the limit it broke.
    layer_plan : int64[n, 34], tensor_plan : int64[n + 1, 13]
    end : int
        First external address after weights and tensors.
    """
    n = layers.shape[0]
    lp = np.zeros((n, LAYER_COLUMNS), np.int64)
    tp = np.zeros((n + 1, TENSOR_COLUMNS), np.int64)
    address = 0
    for i in range(n):
        layer, op = layers[i], layers[i, LayerColumn.OP]
        groups = groups_of(tensors[i + 1, 2], hw[Hw.SIMD])
        rows = weight_rows(layer, tensors[layer[LayerColumn.INPUT], 2])
        if op != ExecuteOp.CONV and rows > hw[Hw.WEIGHT_ROWS]:
            return Failure.WEIGHTS, i, rows, hw[Hw.WEIGHT_ROWS], lp, tp, 0
        lp[i, LayerPlan.WEIGHT_ROWS] = rows
        lp[i, LayerPlan.PARAMETER_ROWS] = ADD_ROWS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
        address = _align(address)
        lp[i, LayerPlan.BLOCK_ADDRESS] = address
        blocks = 1 if layer[LayerColumn.SHARED] else groups
        address += blocks * (lp[i, LayerPlan.PARAMETER_ROWS] + rows) * DOT_WIDTH * hw[Hw.SIMD]
    for t in range(n + 1):
        tp[t, TensorPlan.RESIDENT_UNTIL] = -1
    _choose_tiles(layers, tensors, hw, cut, tp)
    _mark_resident(layers, tensors, cut, tp)
    failure, i, needed, available = _allocate(layers, tensors, hw, cut, lp, tp)
    if failure != Failure.NONE:
        return failure, i, needed, available, lp, tp, 0
    for i in range(n):
        _split(layers[i], tensors[layers[i, LayerColumn.INPUT], 2], hw, lp[i])
    for t in range(n + 1):
        tp[t, TensorPlan.PIXEL_BYTES] = pixel_bytes(tensors[t, 2], hw[Hw.SIMD], hw[Hw.BUS_BYTES])
        if tp[t, TensorPlan.STORED]:
            address = _align(address)
            tp[t, TensorPlan.EXTERNAL] = address
            size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
            size *= groups_of(tensors[t, 2], hw[Hw.SIMD]) * hw[Hw.IMAGES]
            address += size * tp[t, TensorPlan.PIXEL_BYTES]
    return Failure.NONE, -1, 0, 0, lp, tp, _align(address)
