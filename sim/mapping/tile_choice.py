"""Tile sizes: dynamic programming over the chain of layers.

A tensor stays on chip where tile_in = stride · tile_out, otherwise it pays a spill.
"""

import numpy as np

from sim.arrays.geometry import aligned, ceil_div, groups_of, pixel_bytes, tile_candidate
from sim.arrays.kernel import in_place, kernel
from sim.arrays.network_input import input_cycles, windows_per_vector
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.execution import NO_HALO, choose_pixels, stored_weight_rows, weight_rows
from sim.mapping.stored_weights import own_row
from sim.spec.descriptor import ExecuteOp

__all__ = ["axis", "choose_tiles", "first_layer_cycles", "fits_tile", "packs"]

POWERS = 6
"""Tile candidates per axis: the smallest covering multiples of 1, 2, 4 … 32."""

STATES = 16
"""Most tiles that are weighed for a tensor."""

LAYER_CYCLES = 24
"""Cycles that a layer is taken to cost beside its windows.

They weigh tiles; predictions do not use them.
"""

TIE = 64
"""Weight of the slower one of EXECUTE and LOAD against EXECUTE alone when tiles are weighed."""

_FAR = 1 << 60


@in_place
def axis(layer, vertical):
    """(kernel, stride, padding) of a layer along one axis."""
    if vertical:
        return layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    return layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]


@in_place
def fits_tile(layer, source, target, in_y, in_x, out_y, out_x):
    """Whether a resident input with tile (in_y, in_x) serves output tile (out_y, out_x)."""
    op = layer[LayerColumn.OP]
    k, s, p = axis(layer, True)
    if not aligned(
        op, k, s, p, source[TensorColumn.HEIGHT], in_y, target[TensorColumn.HEIGHT], out_y
    ):
        return False
    k, s, p = axis(layer, False)
    return aligned(op, k, s, p, source[TensorColumn.WIDTH], in_x, target[TensorColumn.WIDTH], out_x)


@in_place
def _list_tiles(tensor, hw, tiles):
    """Write a tensor's tile candidates to tiles[STATES, 2]; returns their number."""
    count = 0
    for power_y in range(POWERS):
        y = tile_candidate(tensor[TensorColumn.HEIGHT], hw.pes_y, power_y)
        for power_x in range(POWERS):
            x = tile_candidate(tensor[TensorColumn.WIDTH], hw.pes_x, power_x)
            if y > 0 and x > 0 and count < STATES:
                tiles[count, 0], tiles[count, 1] = y, x
                count += 1
    return count


@in_place
def _transfer_cycles(tensor, hw):
    """Cycles that a tensor takes on the bus, of all images that share the accelerator."""
    simd, bus = hw.simd, hw.bus_bytes
    size = (
        tensor[TensorColumn.HEIGHT]
        * tensor[TensorColumn.WIDTH]
        * groups_of(tensor[TensorColumn.CHANNELS], simd)
        * pixel_bytes(tensor[TensorColumn.CHANNELS], simd, bus)
    )
    size *= hw.images
    return size * hw.cost // (bus * hw.earn)


@in_place
def _weigh_tiles(i, layers, tensors, hw, share, like, tiles, counts, alone, cost, origin, cut):
    """Fill row i: the tiles of layer i's output, what they cost at least, and the tile before.

    ``share`` is what the layer has of the accelerator ``hw``, ``like`` whether its twin has as much.
    """
    layer = layers[i]
    op, twin = layer[LayerColumn.OP], layer[LayerColumn.TWIN]
    source = tensors[layer[LayerColumn.INPUT]]
    before, target = tensors[i], tensors[i + 1]
    groups = groups_of(target[TensorColumn.CHANNELS], hw.simd)
    # a layer before the cut costs so many times what it costs for one image, so tiles are the same
    times = hw.images // share.images
    spill = times * 2 * (_transfer_cycles(before, share) + LAYER_CYCLES)
    chained = layer[LayerColumn.INPUT] == i or layer[LayerColumn.INPUT2] == i
    in_y, in_x = (
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
    )
    counts[i] = _list_tiles(target, hw, tiles[i])
    for state in range(counts[i]):
        out_y, out_x = tiles[i, state, 0], tiles[i, state, 1]
        if twin == i or not like:
            _, cycles, transfer = choose_pixels(
                layer,
                source[TensorColumn.CHANNELS],
                target[TensorColumn.CHANNELS],
                out_y,
                out_x,
                in_y,
                in_x,
                NO_HALO,
                share,
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
                total += TIE * hw.images * groups * more
            if total >= cost[i, state]:
                continue
            if chained and (
                i == cut or not fits_tile(layer, before, target, tile_y, tile_x, out_y, out_x)
            ):
                total += TIE * spill
            if total < cost[i, state]:
                cost[i, state] = total
                origin[i, state] = last


@kernel
def choose_tiles(layers, tensors, hw, cut, lp, tile):
    """Fill the tensor plan ``tile`` with each tensor's tile by dynamic programming.

    Of the layer plan ``lp`` it reads which weights are in the weight store.
    """
    n = layers.shape[0]
    # numba compiles np.empty and loops sooner than np.zeros. Of the others only what is written is read.
    cost = np.empty((n, STATES), np.int64)
    origin = np.empty((n, STATES), np.int64)
    tiles = np.empty((n, STATES, 2), np.int64)
    counts = np.empty(n, np.int64)
    alone = np.empty((n, STATES), np.int64)
    for i in range(n):
        for state in range(STATES):
            cost[i, state], origin[i, state] = _FAR, 0
    for i in range(n):
        twin, kept = layers[i, LayerColumn.TWIN], lp[i, LayerPlan.STORED_ROWS]
        like = lp[twin, LayerPlan.STORED_ROWS] == kept and not twin < cut <= i
        share = own_row(hw, i, cut, kept)
        _weigh_tiles(i, layers, tensors, hw, share, like, tiles, counts, alone, cost, origin, cut)
    state = 0
    for other in range(counts[n - 1]):
        if cost[n - 1, other] < cost[n - 1, state]:
            state = other
    for i in range(n - 1, -1, -1):
        tile[i + 1, TensorPlan.TILE_Y] = tiles[i, state, 0]
        tile[i + 1, TensorPlan.TILE_X] = tiles[i, state, 1]
        state = origin[i, state]
    tile[0, TensorPlan.TILE_Y] = ceil_div(tensors[0, TensorColumn.HEIGHT], hw.pes_y)
    tile[0, TensorPlan.TILE_X] = ceil_div(tensors[0, TensorColumn.WIDTH], hw.pes_x)


@kernel
def packs(layers, tensors, hw):
    """Whether an accelerator can read a network's input as rows of windows.

    A vector holds that of a window, and a register-file half the layer's weights.
    """
    layer = layers[0]
    if windows_per_vector(layer, hw.simd) == 0:
        return False
    return weight_rows(layer, tensors[0, TensorColumn.CHANNELS]) <= hw.weight_rows


@kernel
def first_layer_cycles(layers, tensors, hw):
    """Cycles to load the inputs and compute the first layer, as mappings are weighed.

    Its weights come from the weight store if they fit.
    """
    layer, source, target = layers[0], tensors[0], tensors[1]
    channels, outputs = source[TensorColumn.CHANNELS], target[TensorColumn.CHANNELS]
    rows = stored_weight_rows(layer, channels, outputs, hw)
    kept = hw.store_rows if rows <= hw.store_rows else 0
    _, cycles, transfer = choose_pixels(
        layer,
        channels,
        outputs,
        ceil_div(target[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(target[TensorColumn.WIDTH], hw.pes_x),
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
        NO_HALO,
        own_row(hw, 0, 0, kept),
    )
    loads = hw.images * input_cycles(layer, source, source[TensorColumn.WIDTH], hw)
    return loads + max(cycles, transfer)
