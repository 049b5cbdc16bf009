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
from sim.arrays.weight_stream import layer_beats
from sim.mapping.borders import choose_borders
from sim.mapping.depth_reach import any_depth
from sim.mapping.descriptor_counts import MAX_DESCRIPTORS, most_descriptors
from sim.mapping.execution import issue_slots, weight_rows
from sim.mapping.residency import allocate, mark_resident
from sim.mapping.splits import choose_block, choose_split, share_rows, split_count
from sim.mapping.stored_weights import choose_stored, pass_on_room
from sim.mapping.tile_choice import choose_tiles
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

__all__ = ["map_within", "plan_network"]

Array = NDArray[np.int64]
Plan = tuple[int, int, int, int, Array, Array, int]

ALIGNMENT_BYTES = 128
"""Weight blocks and tensors start at multiples of this in external memory."""

ADD_ROWS = 3
"""Parameter rows of ADD: operand a, operand b, sum."""

LAYER_COLUMNS, TENSOR_COLUMNS = len(LayerPlan), len(TensorPlan)


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
def _align(address):
    return ceil_div(address, ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def plan_network(
    layers: Array, tensors: Array, hw: Hw, cut: int, reach: Array | None = None
) -> Plan:
    """Map a network onto an accelerator.

    Parameters
    ----------
    layers : int64[n, len(LayerColumn)], tensors : int64[n + 1, len(TensorColumn)], hw : Hw
        Tables of :mod:`sim.arrays.tables`.
    cut : int
        With several images per program: the layers before run image after image, each with the
        whole local memory, the others with all images together.
    reach : int64[2], optional
        Written: depths of local memory with which a network that can be mapped is mapped alike
        (:mod:`sim.mapping.depth_reach`).

    Returns
    -------
    failure, layer, needed, available : int
        A :class:`Failure`, the layer and both numbers of the limit it broke.
    layer_plan : int64[n, len(LayerPlan)], tensor_plan : int64[n + 1, len(TensorPlan)]
    end : int
        First external address after weights and tensors.
    """
    planned: Plan = map_within(
        layers, tensors, hw, cut, np.empty(2, np.int64) if reach is None else reach
    )
    return planned


@kernel
def map_within(layers, tensors, hw, cut, reach):
    """As :func:`plan_network`, which Python calls."""
    any_depth(reach)
    n = layers.shape[0]
    lp = np.empty((n, LAYER_COLUMNS), np.int64)
    tp = np.empty((n + 1, TENSOR_COLUMNS), np.int64)
    for t in range(n + 1):
        for j in range(TENSOR_COLUMNS):
            tp[t, j] = 0
    for i in range(n):
        for j in range(LAYER_COLUMNS):
            lp[i, j] = 0
    address = 0
    for i in range(n):
        layer, op = layers[i], layers[i, LayerColumn.OP]
        channels = tensors[i + 1, TensorColumn.CHANNELS]
        rows = weight_rows(layer, tensors[layer[LayerColumn.INPUT], TensorColumn.CHANNELS])
        if op != ExecuteOp.CONV and rows > hw.weight_rows:
            return Failure.WEIGHTS, i, rows, hw.weight_rows, lp, tp, 0
        lp[i, LayerPlan.WEIGHT_ROWS] = rows
        lp[i, LayerPlan.PARAMETER_ROWS] = ADD_ROWS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
        address = _align(address)
        lp[i, LayerPlan.BLOCK_ADDRESS] = address
        beats = layer_beats(layer, channels, lp[i, LayerPlan.PARAMETER_ROWS], rows, hw)
        address += beats * hw.bus_bytes
    for t in range(n + 1):
        tp[t, TensorPlan.RESIDENT_UNTIL] = -1
    choose_stored(layers, tensors, hw, cut, lp)
    choose_tiles(layers, tensors, hw, cut, lp, tp, reach)
    mark_resident(layers, tensors, hw, cut, tp)
    failure, i, needed, available = allocate(layers, tensors, hw, cut, lp, tp, reach)
    if failure != Failure.NONE:
        return failure, i, needed, available, lp, tp, 0
    lp[0, LayerPlan.IN_BANK] = input_bank(layers, tensors, hw)
    for i in range(n):
        _split(layers[i], tensors[layers[i, LayerColumn.INPUT], TensorColumn.CHANNELS], hw, lp[i])
    pass_on_room(layers, tensors, hw, cut, lp)
    for t in range(n + 1):
        tp[t, TensorPlan.PIXEL_BYTES] = pixel_bytes(
            tensors[t, TensorColumn.CHANNELS], hw.simd, hw.bus_bytes
        )
        if t == 0:
            tp[t, TensorPlan.PIXEL_BYTES] = input_pixel_bytes(layers[0], tensors[0], hw)
        if tp[t, TensorPlan.STORED]:
            address = _align(address)
            tp[t, TensorPlan.EXTERNAL] = address
            size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
            size *= groups_of(tensors[t, TensorColumn.CHANNELS], hw.simd) * hw.images
            size *= tp[t, TensorPlan.PIXEL_BYTES]
            if t == 0:
                size = input_bytes(layers[0], tensors[0], hw) * hw.images
            address += size
    most = most_descriptors(lp, tp, hw.pes_y * hw.pes_x, hw.images)
    if most > MAX_DESCRIPTORS:
        return Failure.DESCRIPTORS, n - 1, most, MAX_DESCRIPTORS, lp, tp, 0
    return Failure.NONE, -1, 0, 0, lp, tp, _align(address)
