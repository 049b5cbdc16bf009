"""Tile sizes: dynamic programming over the chain of layers.

A tensor stays on chip where tile_in = stride · tile_out, otherwise it pays a spill. It is tiled, or it
lies in *strips*: then each PE of a row holds the image's whole width.
"""

import numpy as np

from sim.arrays.geometry import aligned, ceil_div, groups_of, pixel_bytes, tile_candidate
from sim.arrays.kernel import in_place, kernel
from sim.arrays.network_input import input_cycles, windows_per_vector
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bank_room import fits
from sim.mapping.execution import (
    NO_HALO,
    SPREAD,
    choose_pixels,
    hop_cycles,
    layer_work,
    lets_spread,
    read_channels,
    stored_weight_rows,
    weight_blocks,
    weight_rows,
)
from sim.mapping.known import OF_TILES, write_shapes, write_work
from sim.mapping.memo import keep, look_up
from sim.mapping.stored_weights import own_row
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "axis",
    "choose_tiles",
    "first_layer_cycles",
    "fits_tile",
    "lets_strips",
    "packs",
    "pixel_columns",
    "weighed",
]

POWERS = 6
"""Tile candidates per axis: the smallest covering multiples of 1, 2, 4 … 32."""

STATES = 16
"""Most tiles that are weighed for a tensor; there are up to POWERS strips more."""

STRIP_TILE = 8
"""Most columns of a tile whose tensor may lie in strips: PE columns are well used by wider tiles."""

LAYER_CYCLES = 24
"""Cycles that a layer is taken to cost beside its windows.

They weigh tiles; predictions do not use them.
"""

TIE = 64
"""Weight of the slower one of EXECUTE and LOAD against EXECUTE alone when tiles are weighed."""

_FAR = 1 << 60
"""Weight of what cannot be."""


@in_place
def axis(layer, vertical):
    """(kernel, stride, padding) of a layer along one axis."""
    if vertical:
        return layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    return layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]


@in_place
def pixel_columns(layer, source, target, in_x, in_strip, hw):
    """Output columns of a PE where PE columns split the pixels of an output in strips.

    The input's tiles have ``in_x`` columns; or it lies in strips, or is loaded as it is needed.
    """
    width = target[TensorColumn.WIDTH]
    if in_strip:
        return ceil_div(width, hw.pes_x)
    if layer[LayerColumn.OP] == ExecuteOp.POOL or in_x >= source[TensorColumn.WIDTH]:
        return width
    if layer[LayerColumn.OP] == ExecuteOp.ADD:
        return in_x
    return in_x // layer[LayerColumn.STRIDE_X]


@in_place
def fits_tile(layer, source, target, in_y, in_x, in_strip, out_y, out_x, out_strip, hw):
    """Whether a resident input with tile (in_y, in_x) serves output tile (out_y, out_x).

    In strips they have the image's width.
    """
    op = layer[LayerColumn.OP]
    k, s, p = axis(layer, True)
    if not aligned(
        op, k, s, p, source[TensorColumn.HEIGHT], in_y, target[TensorColumn.HEIGHT], out_y
    ):
        return False
    if in_strip:
        return True
    if out_strip:
        out_x = pixel_columns(layer, source, target, in_x, in_strip, hw)
        if out_x * hw.pes_x < target[TensorColumn.WIDTH]:
            return False
    k, s, p = axis(layer, False)
    return aligned(op, k, s, p, source[TensorColumn.WIDTH], in_x, target[TensorColumn.WIDTH], out_x)


@in_place
def lets_strips(tensor, hw):
    """Whether a tensor may lie in strips."""
    return hw.pes_x > 1 and ceil_div(tensor[TensorColumn.WIDTH], hw.pes_x) <= STRIP_TILE


@in_place
def _list_tiles(tensor, hw, tiles):
    """Write a tensor's candidates to tiles[STATES + POWERS, 3]; returns their number.

    Rows and columns of a tile, and whether it is a strip.
    """
    count = 0
    width = tensor[TensorColumn.WIDTH]
    for power_y in range(POWERS):
        y = tile_candidate(tensor[TensorColumn.HEIGHT], hw.pes_y, power_y)
        if y == 0:
            continue
        for power_x in range(POWERS):
            if count == STATES:
                break
            x = tile_candidate(tensor[TensorColumn.WIDTH], hw.pes_x, power_x)
            if x > 0:
                tiles[count, 0], tiles[count, 1], tiles[count, 2] = y, x, 0
                count += 1
    if lets_strips(tensor, hw):
        for power_y in range(POWERS):
            y = tile_candidate(tensor[TensorColumn.HEIGHT], hw.pes_y, power_y)
            if y > 0:
                tiles[count, 0], tiles[count, 1], tiles[count, 2] = y, width, 1
                count += 1
    return count


@in_place
def weighed(cycles, transfer):
    """Weight of a layer's cycles and of those in which its weights come, when mappings are weighed."""
    return TIE * max(cycles, transfer) + cycles


@in_place
def _weigh_alone(work, layer, source, target, out_y, strip, hw, out_x, weights):
    """Write to weights[2] what a layer weighs whose PE columns split pixels, and channel groups."""
    op, width = layer[LayerColumn.OP], target[TensorColumn.WIDTH]
    in_y = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
    in_x = ceil_div(source[TensorColumn.WIDTH], hw.pes_x)
    exchange = 0
    if strip:
        out_x = ceil_div(width, hw.pes_x)
        exchange = 1 if op == ExecuteOp.POOL else ceil_div(width, out_x)
    pixels, cycles, transfer = choose_pixels(
        work, layer, out_y, out_x, in_y, in_x, NO_HALO, exchange, hw
    )
    blocks = weight_blocks(work, layer, pixels, exchange, hw)
    first = min(cycles, transfer) // blocks
    if op == ExecuteOp.POOL and not strip:
        cycles += hw.images * ceil_div(work.groups, hw.lanes) * hop_cycles(0, hw)
    weights[0] = weighed(cycles, transfer)
    weights[1] = _FAR
    if strip and lets_spread(layer, 1):
        in_x = source[TensorColumn.WIDTH]
        pixels, cycles, transfer = choose_pixels(
            work, layer, out_y, width, in_y, in_x, NO_HALO, SPREAD, hw
        )
        blocks = weight_blocks(work, layer, pixels, SPREAD, hw)
        # fewer and larger blocks: more of the first comes while nothing is computed
        more = max(0, min(cycles, transfer) // blocks - first)
        weights[1] = weighed(cycles, transfer) + TIE * more


@in_place
def _weigh_states(layer, source, target, hw, times, tiles, count, weights, alone, memo):
    """Write to alone[count, 2] what a layer weighs ``times`` times on each of so many tiles, all that its output has."""
    outputs = target[TensorColumn.CHANNELS]
    work = layer_work(layer, read_channels(layer, source, hw), outputs, hw)
    length = write_shapes(memo, write_work(memo, OF_TILES, work, layer, hw), source, target)
    result = look_up(memo, length)
    if result == 0:
        result = keep(memo, length, 2 * count)
        for state in range(count):
            out_y, out_x, strip = tiles[state, 0], tiles[state, 1], tiles[state, 2] == 1
            _weigh_alone(work, layer, source, target, out_y, strip, hw, out_x, weights)
            memo[result + 2 * state], memo[result + 2 * state + 1] = weights[0], weights[1]
    for state in range(count):
        for way in range(2):
            weight = memo[result + 2 * state + way]
            alone[state, way] = _FAR if weight == _FAR else times * weight


@in_place
def _vectors(tensor, tile, hw):
    """Vectors of a bank that a tile takes, with a row of either neighbour."""
    planes = ceil_div(groups_of(tensor[TensorColumn.CHANNELS], hw.simd), hw.lanes)
    return planes * (tile[0] + 2) * tile[1]


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
def _weigh_tiles(
    i,
    layers,
    tensors,
    hw,
    share,
    like,
    held,
    summed,
    beside,
    weights,
    tiles,
    counts,
    alone,
    cost,
    origin,
    cut,
    memo,
    depths,
):
    """Fill row i: the tiles of layer i's output, what they cost at least, and the tile before.

    ``share`` is what the layer has of the accelerator ``hw``, ``like`` whether its twin has as much;
    ``held``, whether a later layer reads what was made before the layer, so that the layout stays;
    ``summed``, whether a later layer adds something to what the layer before made, of the size of the
    layer's output: what begins another branch here is to meet it.
    ``beside`` are the vectors of a bank that strips of earlier tensors take, which are read later or by the
    layer; ``weights`` is room for two numbers.
    """
    layer = layers[i]
    op, twin = layer[LayerColumn.OP], layer[LayerColumn.TWIN]
    source = tensors[layer[LayerColumn.INPUT]]
    before, target = tensors[i], tensors[i + 1]
    groups = groups_of(target[TensorColumn.CHANNELS], hw.simd)
    # a layer before the cut costs so many times what it costs for one image, so tiles are the same
    times = hw.images // share.images
    spill = times * 2 * (_transfer_cycles(before, share) + LAYER_CYCLES)
    chained = (
        tensors[layer[LayerColumn.INPUT], TensorColumn.MADE] + 1 == i
        or tensors[layer[LayerColumn.INPUT2], TensorColumn.MADE] + 1 == i
    )
    root = tensors[i + 1, TensorColumn.ROOT]
    # parts of a concatenation lie together if they lie alike; so do operands of a sum
    alike = (root >= 0 and tensors[i, TensorColumn.ROOT] == root) or (summed and not chained)
    in_y, in_x = (
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
    )
    counts[i] = _list_tiles(target, hw, tiles[i])
    if twin == i or not like:
        _weigh_states(
            layer, source, target, share, times, tiles[i], counts[i], weights, alone[i], memo
        )
    else:
        for state in range(counts[i]):
            for way in range(2):
                alone[i, state, way] = alone[twin, state, way]
    for state in range(counts[i]):
        out_y, out_x = tiles[i, state, 0], tiles[i, state, 1]
        strip = tiles[i, state, 2] == 1
        pixels, least = alone[i, state, 0], min(alone[i, state, 0], alone[i, state, 1])
        if i == 0:
            cost[i, state] = least
            continue
        for last in range(counts[i - 1]):
            tile_y, tile_x = tiles[i - 1, last, 0], tiles[i - 1, last, 1]
            in_strip = tiles[i - 1, last, 2] == 1
            if held and in_strip != strip:
                continue
            total = cost[i - 1, last] + (least if in_strip else pixels)
            if op == ExecuteOp.POOL:
                columns = in_x if in_strip else tile_x
                more = max(0, tile_y * columns - in_y * in_x)
                total += TIE * hw.images * groups * more
            if total >= cost[i, state]:
                continue
            if chained and (
                i == cut
                or not fits_tile(
                    layer, before, target, tile_y, tile_x, in_strip, out_y, out_x, strip, hw
                )
                or (
                    (strip or in_strip)
                    and not fits(
                        _vectors(before, tiles[i - 1, last], share)
                        + _vectors(target, tiles[i, state], share)
                        + beside,
                        share.bank_depth,
                        depths,
                    )
                )
            ):
                total += TIE * spill
            if alike and (tile_y != out_y or tile_x != out_x or in_strip != strip):
                total += TIE * spill
            if layer[LayerColumn.FACTORS] > 0 and not _meets(
                i, last, layers, tensors, hw, out_y, out_x, strip, tiles, origin
            ):
                total += TIE * times * 2 * (_transfer_cycles(source, share) + LAYER_CYCLES)
            if total < cost[i, state]:
                cost[i, state] = total
                origin[i, state] = last


@in_place
def _meets(i, state, layers, tensors, hw, out_y, out_x, strip, tiles, origin):
    """Whether a product's tile meets that of its first operand, in the chain to the layer before it with that state."""
    t = layers[i, LayerColumn.INPUT]
    if t == 0 or t > i:  # loaded, or a concatenation
        return True
    for j in range(i - 1, t - 1, -1):
        state = origin[j, state]
    in_y, in_x, in_strip = tiles[t - 1, state, 0], tiles[t - 1, state, 1], tiles[t - 1, state, 2]
    return fits_tile(
        layers[i],
        tensors[t],
        tensors[i + 1],
        in_y,
        in_x,
        in_strip == 1,
        out_y,
        out_x,
        strip,
        hw,
    )


@in_place
def _last_readers(layers, tensors, readers, adders, roots):
    """Write to readers[n] the last layer that reads each tensor, and to adders[n] the last that adds it to another.

    A layer reads the concatenations in which a tensor lies, too, which are read when they are made at the latest. -1 where no layer from that
    behind the tensor on does; the network's input does not count. ``roots`` is room for a number per tensor.
    """
    n = layers.shape[0]
    for t in range(n):
        readers[t] = adders[t] = -1
    for t in range(tensors.shape[0]):
        roots[t] = -1
    for j in range(n):
        for t in (layers[j, LayerColumn.INPUT], layers[j, LayerColumn.INPUT2]):
            if 0 < t <= j:
                readers[t] = j
                if layers[j, LayerColumn.OP] == ExecuteOp.ADD:
                    adders[t] = j
            root = tensors[t, TensorColumn.ROOT]
            if root >= 0:
                roots[root] = j
    for t in range(n):
        root = tensors[t, TensorColumn.ROOT]
        if root >= 0:
            if 0 < t <= roots[root]:
                readers[t] = max(readers[t], roots[root])
            readers[t] = max(readers[t], tensors[root, TensorColumn.MADE])


@kernel
def choose_tiles(layers, tensors, hw, cut, lp, tile, memo, depths):
    """Fill the tensor plan ``tile`` with each tensor's tile by dynamic programming.

    Of the layer plan ``lp`` it reads which weights are in the weight store. ``memo`` is of :mod:`sim.mapping.memo`,
    ``depths`` of :mod:`sim.mapping.bank_room`.
    """
    n = layers.shape[0]
    # numba compiles np.empty and loops sooner than np.zeros. Of the others only what is written is read.
    most = STATES + POWERS
    cost = np.empty((n, most), np.int64)
    origin = np.empty((n, most), np.int64)
    tiles = np.empty((n, most, 3), np.int64)
    counts = np.empty(n, np.int64)
    alone = np.empty((n, most, 2), np.int64)
    weights = np.empty(2, np.int64)
    last_reader = 0
    # the last layer that reads a tensor, or adds it to another
    readers = np.empty(n, np.int64)
    adders = np.empty(n, np.int64)
    _last_readers(layers, tensors, readers, adders, np.empty(tensors.shape[0], np.int64))
    # vectors of a bank that come to those of strips that are read later, and leave them, before a layer
    strips = np.empty(n + 1, np.int64)
    strip = np.empty(2, np.int64)
    for i in range(n + 1):
        strips[i] = 0
    for t in range(1, n):
        if readers[t] > t:
            strip[0] = ceil_div(tensors[t, TensorColumn.HEIGHT], hw.pes_y)
            strip[1] = tensors[t, TensorColumn.WIDTH]
            size = _vectors(tensors[t], strip, hw)
            strips[t + 1] += size
            strips[min(readers[t], n - 1) + 1] -= size
    beside = 0
    for i in range(n):
        for state in range(most):
            cost[i, state], origin[i, state] = _FAR, 0
    for i in range(n):
        twin, kept = layers[i, LayerColumn.TWIN], lp[i, LayerPlan.STORED_ROWS]
        like = lp[twin, LayerPlan.STORED_ROWS] == kept and not twin < cut <= i
        share = own_row(hw, i, cut, kept)
        last_reader = max(last_reader, readers[i])
        summed = adders[i] > i
        summed &= tensors[i, TensorColumn.HEIGHT] == tensors[i + 1, TensorColumn.HEIGHT]
        summed &= tensors[i, TensorColumn.WIDTH] == tensors[i + 1, TensorColumn.WIDTH]
        beside += strips[i]
        _weigh_tiles(
            i, layers, tensors, hw, share, like, last_reader > i, summed, beside, weights, tiles, counts, alone,
            cost, origin, cut, memo, depths,
        )  # fmt: skip
    state = 0
    for other in range(counts[n - 1]):
        if cost[n - 1, other] < cost[n - 1, state]:
            state = other
    for i in range(n - 1, -1, -1):
        tile[i + 1, TensorPlan.TILE_Y] = tiles[i, state, 0]
        tile[i + 1, TensorPlan.TILE_X] = tiles[i, state, 1]
        tile[i + 1, TensorPlan.STRIPS] = tiles[i, state, 2]
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
    channels, outputs = read_channels(layer, source, hw), target[TensorColumn.CHANNELS]
    rows = stored_weight_rows(layer, channels, outputs, hw)
    share = own_row(hw, 0, 0, hw.store_rows if rows <= hw.store_rows else 0)
    _, cycles, transfer = choose_pixels(
        layer_work(layer, channels, outputs, share),
        layer,
        ceil_div(target[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(target[TensorColumn.WIDTH], hw.pes_x),
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
        NO_HALO,
        0,
        share,
    )
    loads = hw.images * input_cycles(layer, source, source[TensorColumn.WIDTH], hw)
    return loads + max(cycles, transfer)
