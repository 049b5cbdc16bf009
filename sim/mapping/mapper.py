"""The mapper: tile sizes, on-chip residency, spills and addresses for a whole network.

Two passes over the layers: the first chooses tile sizes, the second allocates local memory. Then
splits, and addresses in external memory.
"""

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, groups_of, pixel_bytes
from sim.arrays.kernel import in_place, kernel
from sim.arrays.network_input import input_bank, input_bytes, input_pixel_bytes
from sim.arrays.plan_columns import Failure, LayerPlan, TensorPlan
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_beats, table_row_beats
from sim.mapping.bank_room import any_depth
from sim.mapping.borders import choose_borders
from sim.mapping.descriptor_counts import (
    MAX_DESCRIPTORS,
    most_descriptors,
    stores_of_tile,
)
from sim.mapping.execution import issue_slots, planned_ports, read_channels, weight_rows
from sim.mapping.joined import join
from sim.mapping.known import OF_SPLITS, write_layer
from sim.mapping.memo import KEY, keep, look_up, own_memo
from sim.mapping.residency import allocate, mark_resident
from sim.mapping.splits import choose_block, choose_split, share_rows, split_count
from sim.mapping.stored_weights import choose_stored, pass_on_room
from sim.mapping.tile_choice import choose_tiles
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES, TABLE_ROWS
from sim.spec.descriptor import ExecuteOp

__all__ = ["plan_kernel", "plan_network"]

Array = NDArray[np.int64]

ALIGNMENT_BYTES = 128
"""Weight blocks and tensors start at multiples of this in external memory."""

ADD_ROWS = 3
"""Parameter rows of ADD: operand a, operand b, sum."""

LAYER_COLUMNS, TENSOR_COLUMNS = len(LayerPlan), len(TensorPlan)

_SPLIT_BY = np.array(
    [
        *(LayerPlan.TILE_Y, LayerPlan.TILE_X, LayerPlan.IN_TILE_Y, LayerPlan.IN_TILE_X),
        *(LayerPlan.HALO_TOP, LayerPlan.HALO_BOTTOM, LayerPlan.HALO_LEFT, LayerPlan.HALO_RIGHT),
        *(LayerPlan.PIXELS, LayerPlan.SOURCES, LayerPlan.SPREAD, LayerPlan.ROUNDS),
        *(LayerPlan.IMAGES, LayerPlan.IN_BANK, LayerPlan.OUT_BANK),
        # kept where nothing is split
        *(LayerPlan.BORDER_TOP, LayerPlan.BORDER_BOTTOM),
    ],
    np.int64,
)
"""Columns of a layer's plan that :func:`_split` reads."""

_SPLIT_COLUMNS = np.array(
    [
        *(LayerPlan.SPLITS, LayerPlan.SPLIT_TAP_ROWS, LayerPlan.SPLIT_TAP_COLUMNS),
        *(LayerPlan.SPLIT_STEPS, LayerPlan.BLOCK_ROWS, LayerPlan.BLOCK_COLUMNS),
        *(LayerPlan.BORDER_TOP, LayerPlan.BORDER_BOTTOM),
    ],
    np.int64,
)
"""Columns that it writes."""


@in_place
def _split(layer, channels, hw, plan):
    """Fill the splits and blocks of a layer's plan; only a convolution has several."""
    quads = ceil_div(channels, DOT_WIDTH)
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    plan[LayerPlan.SPLITS] = 1
    plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS] = kernel_y, kernel_x
    plan[LayerPlan.SPLIT_STEPS] = quads
    plan[LayerPlan.BLOCK_ROWS] = plan[LayerPlan.TILE_Y]
    plan[LayerPlan.BLOCK_COLUMNS] = plan[LayerPlan.TILE_X]
    halo = (
        plan[LayerPlan.HALO_TOP],
        plan[LayerPlan.HALO_BOTTOM],
        plan[LayerPlan.HALO_LEFT],
        plan[LayerPlan.HALO_RIGHT],
    )
    if layer[LayerColumn.FACTORS] > 0:  # its windows' rows are taps
        plan[LayerPlan.BLOCK_ROWS] = 1
        return
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
    )
    count = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)
    if layer[LayerColumn.OP] != ExecuteOp.CONV or count == 1:
        slots = issue_slots(
            layer,
            channels,
            plan[LayerPlan.IN_TILE_Y],
            plan[LayerPlan.IN_TILE_X],
            plan[LayerPlan.PIXELS],
            hw.simd,
        )
        plan[LayerPlan.BORDER_TOP], plan[LayerPlan.BORDER_BOTTOM], _ = choose_borders(
            layer,
            slots,
            plan[LayerPlan.PIXELS],
            plan[LayerPlan.TILE_Y],
            plan[LayerPlan.TILE_X],
            halo,
            plan[LayerPlan.SOURCES],
            planned_ports(layer, plan, channels, hw),
            plan[LayerPlan.ROUNDS],
        )
        plan[LayerPlan.BLOCK_ROWS] -= plan[LayerPlan.BORDER_TOP] + plan[LayerPlan.BORDER_BOTTOM]
        return
    plan[LayerPlan.SPLITS] = count
    plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS] = tap_rows, tap_columns
    plan[LayerPlan.SPLIT_STEPS] = size
    plan[LayerPlan.BLOCK_ROWS], plan[LayerPlan.BLOCK_COLUMNS] = choose_block(
        plan[LayerPlan.TILE_Y],
        plan[LayerPlan.TILE_X],
        plan[LayerPlan.PIXELS],
        share_rows(plan[LayerPlan.IMAGES], hw.accumulator_rows)[1],
    )


@in_place
def _known_split(layer, channels, hw, plan, memo):
    """Fill the splits and blocks of a layer's plan as :func:`_split`, of what is known or from then on."""
    place = KEY + write_layer(memo, OF_SPLITS, layer)
    memo[place], memo[place + 1] = channels, hw.simd
    memo[place + 2], memo[place + 3] = hw.lanes, hw.weight_rows
    memo[place + 4] = hw.accumulator_rows
    place += 5
    for column in _SPLIT_BY:
        memo[place] = plan[column]
        place += 1
    length = place - KEY
    result = look_up(memo, length)
    if result == 0:
        _split(layer, channels, hw, plan)
        result = keep(memo, length, len(_SPLIT_COLUMNS))
        for j in range(len(_SPLIT_COLUMNS)):
            memo[result + j] = plan[_SPLIT_COLUMNS[j]]
    for j in range(len(_SPLIT_COLUMNS)):
        plan[_SPLIT_COLUMNS[j]] = memo[result + j]


@in_place
def _align(address):
    return ceil_div(address, ALIGNMENT_BYTES) * ALIGNMENT_BYTES


@in_place
def _place_tensors(layers, tensors, hw, address, tp):
    """Place tensors in external memory from ``address`` on, inputs first, outputs last; returns the end.

    Parts of a concatenation lie in it.
    """
    count = tensors.shape[0]
    for t in range(count):
        root = tensors[t, TensorColumn.ROOT]
        channels = tensors[t if root < 0 else root, TensorColumn.CHANNELS]
        tp[t, TensorPlan.IMAGE_GROUPS] = groups_of(channels, hw.simd)
        tp[t, TensorPlan.PIXEL_BYTES] = pixel_bytes(channels, hw.simd, hw.bus_bytes)
    tp[0, TensorPlan.PIXEL_BYTES] = input_pixel_bytes(layers[0], tensors[0], hw)
    for place in range(3 * count):
        t, turn = place % count, place // count
        root = tensors[t, TensorColumn.ROOT]
        if not tp[t, TensorPlan.STORED] or _turn(t, tensors) != turn or 0 <= root != t:
            continue
        address = _align(address)
        tp[t, TensorPlan.EXTERNAL] = address
        size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
        size *= tp[t, TensorPlan.IMAGE_GROUPS] * tp[t, TensorPlan.PIXEL_BYTES]
        if t == 0:
            size = input_bytes(layers[0], tensors[0], hw)
        address += size * hw.images
    for t in range(count):
        root = tensors[t, TensorColumn.ROOT]
        if root >= 0 and tp[t, TensorPlan.STORED]:
            before = tensors[root, TensorColumn.HEIGHT] * tensors[root, TensorColumn.WIDTH]
            before *= tensors[t, TensorColumn.PLACE] * tp[t, TensorPlan.PIXEL_BYTES]
            tp[t, TensorPlan.EXTERNAL] = tp[root, TensorPlan.EXTERNAL] + before
    return address


@in_place
def _turn(t, tensors):
    """When a tensor is placed: 0 for inputs, 2 for what the host reads, 1 for all others."""
    if tensors[t, TensorColumn.MADE] < 0:
        return 0
    return 1 + _for_host(t, tensors)


@in_place
def _for_host(t, tensors):
    """Whether the host reads a tensor or a part of it: 1 or 0."""
    most = tensors[t, TensorColumn.OUTPUT]
    if tensors[t, TensorColumn.ROOT] == t:
        for part in range(tensors.shape[0]):
            if tensors[part, TensorColumn.ROOT] == t:
                most = max(most, tensors[part, TensorColumn.OUTPUT])
    return most


@kernel
def _reside(layers, tensors, hw, cut, lp, tp, memo, depths):
    """Choose what stays in local memory, and where; returns as :func:`sim.mapping.residency.allocate`.

    Concatenations whose parts turn out not to lie together are tried again with their parts apart.
    """
    count = tensors.shape[0]
    apart = np.zeros(count, np.int64)
    tiles = tp.copy()
    while True:
        for t in range(count):
            for j in range(TENSOR_COLUMNS):
                tp[t, j] = tiles[t, j]
            tp[t, TensorPlan.RESIDENT_UNTIL] = -1
        join(layers, tensors, hw, cut, apart, tp)
        mark_resident(layers, tensors, hw, cut, tp)
        failure, i, needed, available = allocate(layers, tensors, hw, cut, lp, tp, memo, depths)
        if failure != Failure.APART:
            return failure, i, needed, available
        apart[i] = 1


def plan_network(
    layers: Array, tensors: Array, hw: Hw, cut: int, depths: Array | None = None
) -> tuple[int, int, int, int, Array, Array, int]:
    """Map a network onto an accelerator.

    Parameters
    ----------
    layers : int64[n, len(LayerColumn)], tensors : int64[m, len(TensorColumn)], hw : Hw
        Tables of :mod:`sim.arrays.tables`.
    cut : int
        With several images per program: the layers before run image after image, each with the
        whole local memory, the others with all images together.
    depths : int64[2], optional
        Narrowed to the depths of banks that have the same plan (:mod:`sim.mapping.bank_room`), of each image's part of them.

    Returns
    -------
    failure, layer, needed, available : int
        A :class:`Failure`, the layer and both numbers of the limit it broke.
    layer_plan : int64[n, len(LayerPlan)], tensor_plan : int64[m, len(TensorPlan)]
    end : int
        First external address after weights and tensors.
    """
    made: tuple[int, int, int, int, Array, Array, int]
    same = any_depth() if depths is None else depths
    made = plan_kernel(layers, tensors, hw, cut, own_memo(), same)
    return made


@kernel
def plan_kernel(layers, tensors, hw, cut, memo, depths):
    """Answer as :func:`plan_network`, with a memo of :mod:`sim.mapping.memo`."""
    n = layers.shape[0]
    count = tensors.shape[0]
    lp = np.empty((n, LAYER_COLUMNS), np.int64)
    tp = np.empty((count, TENSOR_COLUMNS), np.int64)
    for t in range(count):
        for j in range(TENSOR_COLUMNS):
            tp[t, j] = 0
    for i in range(n):
        for j in range(LAYER_COLUMNS):
            lp[i, j] = 0
    address = 0
    for i in range(n):
        layer, op = layers[i], layers[i, LayerColumn.OP]
        channels = tensors[i + 1, TensorColumn.CHANNELS]
        rows = weight_rows(layer, read_channels(layer, tensors[layer[LayerColumn.INPUT]], hw))
        if layer[LayerColumn.FACTORS] > 0 and hw.bus_bytes > hw.simd:
            return Failure.BUS, i, hw.bus_bytes, hw.simd, lp, tp, 0
        lp[i, LayerPlan.FACTORS] = layer[LayerColumn.FACTORS] > 0
        if op != ExecuteOp.CONV and rows > hw.weight_rows:
            return Failure.WEIGHTS, i, rows, hw.weight_rows, lp, tp, 0
        lp[i, LayerPlan.WEIGHT_ROWS] = rows
        lp[i, LayerPlan.PARAMETER_ROWS] = ADD_ROWS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
        address = _align(address)
        lp[i, LayerPlan.BLOCK_ADDRESS] = address
        beats = layer_beats(layer, channels, lp[i, LayerPlan.PARAMETER_ROWS], rows, hw)
        address += beats * hw.bus_bytes
        if layer[LayerColumn.TABLE]:
            lp[i, LayerPlan.TABLE_ADDRESS] = address
            address += TABLE_ROWS * table_row_beats(hw) * hw.bus_bytes
    choose_stored(layers, tensors, hw, cut, lp, memo)
    choose_tiles(layers, tensors, hw, cut, lp, tp, memo, depths)
    failure, i, needed, available = _reside(layers, tensors, hw, cut, lp, tp, memo, depths)
    if failure != Failure.NONE:
        return failure, i, needed, available, lp, tp, 0
    lp[0, LayerPlan.IN_BANK] = input_bank(layers[0], tensors[0, TensorColumn.CHANNELS], hw)
    for i in range(n):
        source = tensors[layers[i, LayerColumn.INPUT]]
        _known_split(layers[i], read_channels(layers[i], source, hw), hw, lp[i], memo)
    pass_on_room(layers, tensors, hw, cut, lp, memo)
    address = _place_tensors(layers, tensors, hw, address, tp)
    for i in range(n):
        tp[i + 1, TensorPlan.PIECES] = stores_of_tile(tensors[i + 1], lp[i], tp[i + 1])
    most = most_descriptors(lp, tp, hw.pes_y * hw.pes_x, hw.images)
    if most > MAX_DESCRIPTORS:
        return Failure.DESCRIPTORS, n - 1, most, MAX_DESCRIPTORS, lp, tp, 0
    return Failure.NONE, -1, 0, 0, lp, tp, _align(address)
