"""Tensors that stay on chip, and where: residency and addresses in local memory.

A walk forward over the layers allocates local memory first-fit and demotes what does not fit to
external memory, down to single layers that run tile by tile.
"""

import numpy as np

from sim.arrays.geometry import ceil_div, groups_of, resident_halo
from sim.arrays.kernel import in_place, kernel
from sim.arrays.plan_columns import Failure, LayerPlan, TensorPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bank_room import fits
from sim.mapping.execution import (
    SPREAD,
    exchanged,
    layer_work,
    lets_spread,
    read_channels,
    spread_over,
)
from sim.mapping.joined import (
    is_joined,
    last_use,
    loads_before_made,
    place_parts,
    share_halos,
    store_parts,
)
from sim.mapping.known import known_pixels
from sim.mapping.stored_weights import own_row
from sim.mapping.tile_choice import axis, fits_tile, pixel_columns, weighed
from sim.mapping.tiling import choose_tiling, extent
from sim.spec.descriptor import ExecuteOp

__all__ = ["allocate", "mark_resident"]

# Of what is in local memory: its first vector, its vectors, the last layer that reads it, and its
# tensor (-1: it was loaded for a layer).
START, SIZE, UNTIL, TENSOR = range(4)
LIVE_COLUMNS = 4


@in_place
def mark_resident(layers, tensors, hw, cut, tensor_plan):
    """Set halos and the last resident use of every tensor from its consumers' tiles.

    Nothing stays from before layer ``cut`` to behind it.
    """
    for i in range(layers.shape[0]):
        layer = layers[i]
        target = tensors[i + 1]
        out_y = tensor_plan[i + 1, TensorPlan.TILE_Y]
        out_x = tensor_plan[i + 1, TensorPlan.TILE_X]
        out_strip = tensor_plan[i + 1, TensorPlan.STRIPS] == 1
        op = layer[LayerColumn.OP]
        for t in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]):
            row = tensor_plan[t]
            in_y, in_x = row[TensorPlan.TILE_Y], row[TensorPlan.TILE_X]
            if t == 0 or tensors[t, TensorColumn.MADE] < cut <= i:
                continue
            if t > layers.shape[0] and not is_joined(t, tensors, tensor_plan):
                continue
            in_strip = row[TensorPlan.STRIPS] == 1
            if not fits_tile(
                layer, tensors[t], target, in_y, in_x, in_strip, out_y, out_x, out_strip, hw
            ):
                continue
            row[TensorPlan.RESIDENT_UNTIL] = max(row[TensorPlan.RESIDENT_UNTIL], i)
            k, s, p = axis(layer, True)
            low, high = resident_halo(
                op,
                k,
                s,
                p,
                tensors[t, TensorColumn.HEIGHT],
                in_y,
                target[TensorColumn.HEIGHT],
                out_y,
            )
            row[TensorPlan.HALO_TOP] = max(row[TensorPlan.HALO_TOP], low)
            row[TensorPlan.HALO_BOTTOM] = max(row[TensorPlan.HALO_BOTTOM], high)
            if in_strip:
                continue
            tile_x = out_x
            if out_strip:
                tile_x = pixel_columns(layer, tensors[t], target, in_x, in_strip, hw)
            k, s, p = axis(layer, False)
            low, high = resident_halo(
                op,
                k,
                s,
                p,
                tensors[t, TensorColumn.WIDTH],
                in_x,
                target[TensorColumn.WIDTH],
                tile_x,
            )
            row[TensorPlan.HALO_LEFT] = max(row[TensorPlan.HALO_LEFT], low)
            row[TensorPlan.HALO_RIGHT] = max(row[TensorPlan.HALO_RIGHT], high)
    share_halos(tensors, layers.shape[0], tensor_plan)


@in_place
def _place(live, n_live, size, depth, depths):
    """Lowest free address for ``size`` vectors, or -1."""
    best = -1
    for candidate in range(n_live + 1):
        address = 0 if candidate == n_live else live[candidate, START] + live[candidate, SIZE]
        if best >= 0 and address >= best:
            continue
        if not fits(address + size, depth, depths):
            continue
        free = True
        for j in range(n_live):
            start = live[j, START]
            if address < start + live[j, SIZE] and start < address + size:
                free = False
                break
        if free:
            best = address
    return best


@in_place
def _keep(live, n_live, t, until, area, tensors, hw, depths):
    """Note tensor ``t`` among what is in local memory until a layer; returns its address, or -1.

    A plane of it takes ``area`` vectors.
    """
    size = ceil_div(groups_of(tensors[t, TensorColumn.CHANNELS], hw.simd), hw.lanes) * area
    address = _place(live, n_live, size, hw.bank_depth, depths)
    live[n_live, START], live[n_live, SIZE] = address, size
    live[n_live, UNTIL], live[n_live, TENSOR] = until, t
    return address


@in_place
def _reads(layer, t, tensors):
    """Whether a layer reads tensor ``t`` or a part of it."""
    for operand in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]):
        if operand == t or tensors[operand, TensorColumn.ROOT] == t:
            return True
    return False


@in_place
def _demote(t, i, tensors, tp):
    """Store a tensor that leaves local memory at layer ``i``; returns it if it is not made yet, else -1."""
    tp[t, TensorPlan.STORED] = 1
    tp[t, TensorPlan.RESIDENT_UNTIL] = -1
    if tensors[t, TensorColumn.ROOT] != t:
        return -1
    for part in range(tensors.shape[0]):
        if tensors[part, TensorColumn.ROOT] == t:
            tp[part, TensorPlan.RESIDENT_UNTIL] = -1
    return t if i <= tensors[t, TensorColumn.MADE] else -1


@in_place
def _move(live, source, target):
    """Copy an entry of the list of what is in local memory."""
    for j in range(live.shape[1]):
        live[target, j] = live[source, j]


@in_place
def _serves(i, t, layers, tensors, hw, tp):
    """Whether layer i reads tensor t where it was made."""
    source, out = tp[t], tp[i + 1]
    return source[TensorPlan.RESIDENT_UNTIL] >= i and fits_tile(
        layers[i],
        tensors[t],
        tensors[i + 1],
        source[TensorPlan.TILE_Y],
        source[TensorPlan.TILE_X],
        source[TensorPlan.STRIPS] == 1,
        out[TensorPlan.TILE_Y],
        out[TensorPlan.TILE_X],
        out[TensorPlan.STRIPS] == 1,
        hw,
    )


@in_place
def _weigh_exchange(i, work, layers, tensors, hw, lp, tp, tile_x, exchange, memo):
    """Weight of layer i, of that work, with such tiles and such an exchange, and its pixels computed at once."""
    layer, out = layers[i], tp[i + 1]
    source = tensors[layer[LayerColumn.INPUT]]
    in_x = lp[i, LayerPlan.IN_TILE_X]
    if exchange == SPREAD:
        in_x = source[TensorColumn.WIDTH]
    pixels, cycles, transfer = known_pixels(
        work,
        layer,
        out[TensorPlan.TILE_Y],
        tile_x,
        lp[i, LayerPlan.IN_TILE_Y],
        in_x,
        (
            out[TensorPlan.HALO_TOP],
            out[TensorPlan.HALO_BOTTOM],
            out[TensorPlan.HALO_LEFT],
            out[TensorPlan.HALO_RIGHT],
        ),
        exchange,
        hw,
        memo,
    )
    return weighed(cycles, transfer), pixels


@in_place
def _exchange(i, layers, tensors, hw, lp, tp, memo):
    """Choose what the PE columns of layer i split, by the layouts of its tensors; fill its plan."""
    layer, out, plan = layers[i], tp[i + 1], lp[i]
    op, t = layer[LayerColumn.OP], layer[LayerColumn.INPUT]
    first = _serves(i, t, layers, tensors, hw, tp)
    if not first and op == ExecuteOp.ADD:
        t = layer[LayerColumn.INPUT2]
    loaded = not (first or (op == ExecuteOp.ADD and _serves(i, t, layers, tensors, hw, tp)))
    source, width = tp[t], tensors[i + 1, TensorColumn.WIDTH]
    in_strip = not loaded and source[TensorPlan.STRIPS] == 1
    plan[LayerPlan.IN_TILE_Y] = ceil_div(tensors[t, TensorColumn.HEIGHT], hw.pes_y)
    if not loaded:
        plan[LayerPlan.IN_TILE_Y] = source[TensorPlan.TILE_Y]
    plan[LayerPlan.IN_TILE_X] = ceil_div(tensors[t, TensorColumn.WIDTH], hw.pes_x)
    if not loaded and not in_strip:
        plan[LayerPlan.IN_TILE_X] = source[TensorPlan.TILE_X]
    tile_x, exchange = out[TensorPlan.TILE_X], 0
    if out[TensorPlan.STRIPS]:
        tile_x = ceil_div(width, hw.pes_x)
        if not loaded:
            tile_x = pixel_columns(
                layer, tensors[t], tensors[i + 1], source[TensorPlan.TILE_X], in_strip, hw
            )
        exchange = ceil_div(width, tile_x)
    operand = tensors[layer[LayerColumn.INPUT]]
    outputs = tensors[i + 1, TensorColumn.CHANNELS]
    work = layer_work(layer, read_channels(layer, operand, hw), outputs, hw)
    best, pixels = _weigh_exchange(i, work, layers, tensors, hw, lp, tp, tile_x, exchange, memo)
    # a loaded POOL reads tiles
    free = in_strip or (loaded and op != ExecuteOp.POOL)
    if out[TensorPlan.STRIPS] and free and lets_spread(layer, 1):
        weight, other = _weigh_exchange(i, work, layers, tensors, hw, lp, tp, width, SPREAD, memo)
        if weight < best:
            tile_x, exchange, pixels, in_strip = width, SPREAD, other, True
    groups = groups_of(tensors[i + 1, TensorColumn.CHANNELS], hw.simd)
    plan[LayerPlan.TILE_Y], plan[LayerPlan.TILE_X] = out[TensorPlan.TILE_Y], tile_x
    plan[LayerPlan.PIXELS] = pixels
    plan[LayerPlan.IN_STRIPS] = in_strip
    plan[LayerPlan.SOURCES] = exchanged(groups, pixels, exchange, hw)
    plan[LayerPlan.SPREAD] = 0
    if exchange == SPREAD:
        plan[LayerPlan.SPREAD] = spread_over(groups, pixels, exchange, hw)
        plan[LayerPlan.IN_TILE_X] = tensors[t, TensorColumn.WIDTH]


@in_place
def _whole(i, layers, tensors, hw, lp, tp, live, n_live, memo, depths):
    """Try layer i in one pass with a resident output. Returns the new n_live, or -1."""
    layer = layers[i]
    depth, lanes, simd = hw.bank_depth, hw.lanes, hw.simd
    out = tp[i + 1]
    _exchange(i, layers, tensors, hw, lp, tp, memo)
    tile_y, tile_x = lp[i, LayerPlan.TILE_Y], lp[i, LayerPlan.TILE_X]
    in_strip = lp[i, LayerPlan.IN_STRIPS] == 1
    lp[i, LayerPlan.IN_BANK] = lp[i, LayerPlan.OUT_BANK] = 0
    # what one PE reads, or all PEs of a row
    reach = tensors[i + 1, TensorColumn.WIDTH] if in_strip else tile_x
    two = layer[LayerColumn.OP] == ExecuteOp.ADD
    for operand in range(2 if two else 1):
        t = layer[LayerColumn.INPUT2] if operand else layer[LayerColumn.INPUT]
        loaded = LayerPlan.LOADED2 if operand else LayerPlan.LOADED
        local = LayerPlan.IN2_ADDRESS if operand else LayerPlan.IN_ADDRESS
        local_row = LayerPlan.IN2_ROW if operand else LayerPlan.IN_ROW
        plane = LayerPlan.IN2_PLANE if operand else LayerPlan.IN_PLANE
        source = tp[t]
        if _serves(i, t, layers, tensors, hw, tp) and in_strip == (source[TensorPlan.STRIPS] == 1):
            lp[i, loaded] = 0
            lp[i, local] = source[TensorPlan.ADDRESS]
            lp[i, local_row] = source[TensorPlan.ROW]
            lp[i, plane] = source[TensorPlan.PLANE]
            lp[i, LayerPlan.IN_BANK] = source[TensorPlan.BANK]
            if layer[LayerColumn.OP] < ExecuteOp.ADD:
                lp[i, local] -= layer[LayerColumn.PAD_Y] * source[TensorPlan.ROW]
                lp[i, local] -= layer[LayerColumn.PAD_X]
            continue
        if layer[LayerColumn.OP] == ExecuteOp.POOL:
            rows = ceil_div(tensors[t, TensorColumn.HEIGHT], hw.pes_y)
            columns = ceil_div(tensors[t, TensorColumn.WIDTH], hw.pes_x)
        else:
            rows, columns = extent(layer, tile_y, reach, simd)
        planes = ceil_div(ceil_div(tensors[t, TensorColumn.CHANNELS], simd), lanes)
        size = planes * rows * columns
        address = _place(live, n_live, size, depth, depths)
        if address < 0:
            return -1
        live[n_live, START], live[n_live, SIZE] = address, size
        live[n_live, UNTIL], live[n_live, TENSOR] = i, -1
        n_live += 1
        lp[i, loaded] = 1
        lp[i, local] = address
        lp[i, local_row] = columns
        lp[i, plane] = rows * columns
        # both operands of ADD have the output's tile
        lp[i, LayerPlan.IN_TILE_Y] = rows
        lp[i, LayerPlan.IN_TILE_X] = columns
    rows = tile_y + out[TensorPlan.HALO_TOP] + out[TensorPlan.HALO_BOTTOM]
    columns = out[TensorPlan.TILE_X] + out[TensorPlan.HALO_LEFT] + out[TensorPlan.HALO_RIGHT]
    if out[TensorPlan.STRIPS] and not lp[i, LayerPlan.SPREAD]:
        columns = max(columns, lp[i, LayerPlan.SOURCES] * tile_x)
    if is_joined(i + 1, tensors, tp):
        root = tensors[i + 1, TensorColumn.ROOT]
        if tp[root, TensorPlan.ROW] == 0:  # the first of its parts
            if out[TensorPlan.STRIPS]:
                columns = max(columns, hw.pes_x * ceil_div(out[TensorPlan.TILE_X], hw.pes_x))
            address = _keep(
                live, n_live, root, last_use(root, tensors, tp), rows * columns, tensors, hw, depths
            )
            if address < 0:
                return -1
            n_live += 1
            place_parts(root, address, rows, columns, tensors, hw, tp)
        if columns > out[TensorPlan.ROW]:
            return -1
        lp[i, LayerPlan.OUT_BANK] = out[TensorPlan.BANK]
    else:
        until = max(i, out[TensorPlan.RESIDENT_UNTIL])
        address = _keep(live, n_live, i + 1, until, rows * columns, tensors, hw, depths)
        if address < 0:
            return -1
        n_live += 1
        out[TensorPlan.ROW] = columns
        out[TensorPlan.PLANE] = rows * columns
        out[TensorPlan.ADDRESS] = (
            address + out[TensorPlan.HALO_TOP] * columns + out[TensorPlan.HALO_LEFT]
        )
        out[TensorPlan.BANK] = 0
    lp[i, LayerPlan.HALO_TOP] = out[TensorPlan.HALO_TOP]
    lp[i, LayerPlan.HALO_BOTTOM] = out[TensorPlan.HALO_BOTTOM]
    lp[i, LayerPlan.HALO_LEFT] = out[TensorPlan.HALO_LEFT]
    lp[i, LayerPlan.HALO_RIGHT] = out[TensorPlan.HALO_RIGHT]
    lp[i, LayerPlan.PASSES_Y] = lp[i, LayerPlan.PASSES_X] = 1
    per_round = lanes // lp[i, LayerPlan.PIXELS] * max(1, lp[i, LayerPlan.SPREAD])
    lp[i, LayerPlan.ROUNDS] = ceil_div(
        groups_of(tensors[i + 1, TensorColumn.CHANNELS], simd), per_round
    )
    lp[i, LayerPlan.CHUNK] = lp[i, LayerPlan.ROUNDS]
    lp[i, LayerPlan.OUT_ADDRESS] = out[TensorPlan.ADDRESS]
    lp[i, LayerPlan.OUT_ROW] = out[TensorPlan.ROW]
    lp[i, LayerPlan.OUT_PLANE] = out[TensorPlan.PLANE]
    return n_live


@kernel
def allocate(layers, tensors, hw, cut, lp, tp, memo, depths):
    """Walk forward; returns (failure, layer, vectors needed, vectors there).

    With :attr:`Failure.APART` the second number is the concatenation whose parts must lie apart. ``memo`` is of
    :mod:`sim.mapping.memo`, ``depths`` of :mod:`sim.mapping.bank_room`.
    """
    n = layers.shape[0]
    live = np.empty((n + 4, LIVE_COLUMNS), np.int64)
    n_live = 0
    tp[0, TensorPlan.STORED] = 1
    for t in range(1, tensors.shape[0]):
        given = tensors[t, TensorColumn.MADE] < 0
        tp[t, TensorPlan.STORED] = given or tensors[t, TensorColumn.OUTPUT] == 1
    for i in range(n):
        if layers[i, LayerColumn.FACTORS] > 0:
            tp[layers[i, LayerColumn.FACTORS], TensorPlan.STORED] = 1
    for i in range(n):
        mark = n_live
        share = own_row(hw, i, cut, lp[i, LayerPlan.STORED_ROWS])
        lp[i, LayerPlan.IMAGES] = share.images
        grown = -1
        joined = is_joined(i + 1, tensors, tp)
        alone = n_live == 0 and tp[i + 1, TensorPlan.RESIDENT_UNTIL] < 0 and not joined
        if not alone:
            grown = _whole(i, layers, tensors, share, lp, tp, live, n_live, memo, depths)
        if grown < 0 and not alone:
            held = 0
            for j in range(mark):
                if _reads(layers[i], live[j, TENSOR], tensors):
                    _move(live, j, held)
                    held += 1
                else:
                    root = _demote(live[j, TENSOR], i, tensors, tp)
                    if root >= 0:
                        return Failure.APART, root, 0, 0
            grown = _whole(i, layers, tensors, share, lp, tp, live, held, memo, depths)
            mark = held
        if grown < 0 and joined:
            return Failure.APART, tensors[i + 1, TensorColumn.ROOT], 0, 0
        if grown < 0:
            for j in range(mark):
                root = _demote(live[j, TENSOR], i, tensors, tp)
                if root >= 0:
                    return Failure.APART, root, 0, 0
            short = choose_tiling(
                layers[i],
                tensors[layers[i, LayerColumn.INPUT]],
                tensors[i + 1],
                share,
                lp[i],
                memo,
                depths,
            )
            if short > 0:
                return Failure.TILE, i, share.bank_depth + short, share.bank_depth
            tp[i + 1, TensorPlan.STORED] = 1
            tp[i + 1, TensorPlan.RESIDENT_UNTIL] = -1
            tp[i + 1, TensorPlan.STRIPS] = 0
            grown = 0
        for operand in range(2):
            if lp[i, LayerPlan.LOADED2 if operand else LayerPlan.LOADED]:
                t = layers[i, LayerColumn.INPUT2 if operand else LayerColumn.INPUT]
                if loads_before_made(t, i, tensors, tp):
                    return Failure.APART, tensors[t, TensorColumn.ROOT], 0, 0
                tp[t, TensorPlan.STORED] = 1
        n_live = 0
        for j in range(grown):
            if live[j, UNTIL] > i:
                _move(live, j, n_live)
                n_live += 1
    store_parts(tensors, n, tp)
    return Failure.NONE, -1, 0, 0
