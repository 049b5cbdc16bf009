"""Layers that run tile by tile, against plain enumeration of every tile."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from chain_cases import draw_chains
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import Hw, LayerColumn, accelerator_row, layer_table, tensor_table
from sim.mapping.bank_room import any_depth
from sim.mapping.mapper import plan_network
from sim.mapping.memo import own_memo
from sim.mapping.tiling import choose_tiling, extent
from sim.plan import map_network
from sim.spec.descriptor import ExecuteOp
from sim.spec.spaces import TINY
from stress_cases import random_accelerator, random_windows

Row = NDArray[np.int64]


def input_area(layer: Row, source: Row, tile_y: int, tile_x: int, hw: Hw) -> int:
    """Input pixels that a tile of outputs reads, counted."""
    if layer[LayerColumn.OP] == ExecuteOp.POOL:
        return -(-int(source[0]) // int(hw.pes_y)) * -(-int(source[1]) // int(hw.pes_x))
    if layer[LayerColumn.OP] == ExecuteOp.ADD:
        return tile_y * tile_x
    rows = (tile_y - 1) * int(layer[LayerColumn.STRIDE_Y]) + int(layer[LayerColumn.KERNEL_Y])
    columns = (tile_x - 1) * int(layer[LayerColumn.STRIDE_X]) + int(layer[LayerColumn.KERNEL_X])
    return rows * columns


def vectors(
    layer: Row, source: Row, target: Row, tile_y: int, tile_x: int, whole: bool, hw: Hw
) -> int:
    """Vectors per bank of operands and outputs, group by group."""
    lanes, simd = int(hw.lanes), int(hw.simd)
    op = layer[LayerColumn.OP]
    groups_in, groups_out = -(-int(source[2]) // simd), -(-int(target[2]) // simd)
    if not whole:
        groups_out = min(groups_out, lanes)
        if op != ExecuteOp.CONV:
            groups_in = min(groups_in, lanes)
    banks = [0] * lanes
    for g in range(groups_in):
        area = input_area(layer, source, tile_y, tile_x, hw)
        banks[g % lanes] += area * (2 if op == ExecuteOp.ADD else 1)
    for g in range(groups_out):
        banks[g % lanes] += tile_y * tile_x
    # every bank keeps the room of the fullest
    return banks[0]


def random_layers() -> Iterator[tuple[Row, Row, Row, Hw]]:
    """(layer, source, target, hw) of random networks on random short memories."""
    rng = np.random.default_rng(7)
    for _ in range(250):
        config, network = random_accelerator(rng), random_windows(rng)
        layers, tensors = layer_table(network), tensor_table(network)
        for i, layer in enumerate(layers):
            source = tensors[layer[LayerColumn.INPUT]]
            yield layer, source, tensors[i + 1], accelerator_row(config)


def test_an_extent_is_what_the_windows_of_a_tile_cover() -> None:
    layer = np.zeros(len(LayerColumn), np.int64)
    for kernel, stride, tile in itertools.product(range(1, 6), range(1, 4), range(1, 6)):
        layer[LayerColumn.OP] = ExecuteOp.CONV
        layer[LayerColumn.KERNEL_Y] = layer[LayerColumn.KERNEL_X] = kernel
        layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X] = stride, 1
        rows = {y * stride + k for y in range(tile) for k in range(kernel)}
        columns = {x + k for x in range(3) for k in range(kernel)}
        assert extent(layer, tile, 3, 8) == (max(rows) + 1, max(columns) + 1)
        layer[LayerColumn.OP] = ExecuteOp.ADD
        assert extent(layer, tile, 3, 8) == (tile, 3)


def test_a_tiling_is_found_exactly_if_one_pixel_fits() -> None:
    refused = fits = 0
    for layer, source, target, hw in random_layers():
        plan = np.zeros(len(LayerPlan), np.int64)
        short = choose_tiling(layer, source, target, hw, plan, own_memo(), any_depth())
        need = vectors(layer, source, target, 1, 1, False, hw)
        assert short == max(0, need - hw.bank_depth)
        refused += short > 0
        fits += short == 0
    assert refused > 30
    assert fits > 300


def test_a_tiling_fits_covers_its_layer_and_has_few_passes() -> None:
    passes = chunks = 0
    for layer, source, target, hw in random_layers():
        plan = np.zeros(len(LayerPlan), np.int64)
        if choose_tiling(layer, source, target, hw, plan, own_memo(), any_depth()) > 0:
            continue
        tile_y, tile_x = int(plan[LayerPlan.TILE_Y]), int(plan[LayerPlan.TILE_X])
        whole = bool(plan[LayerPlan.CHUNK] == plan[LayerPlan.ROUNDS])
        if not whole:
            assert plan[LayerPlan.CHUNK] == plan[LayerPlan.PIXELS]
        depth = int(hw.bank_depth)
        assert vectors(layer, source, target, tile_y, tile_x, whole, hw) <= depth
        across = []
        for tile, size, pes, column in (
            (tile_y, int(target[0]), int(hw.pes_y), LayerPlan.PASSES_Y),
            (tile_x, int(target[1]), int(hw.pes_x), LayerPlan.PASSES_X),
        ):
            count = len(range(0, size, tile * pes))
            assert plan[column] == count
            # no larger than it must be for that number of passes
            assert tile == 1 or (tile - 1) * pes * count < size
            across.append(count)
        if across[1] > 1:
            most = -(-int(target[1]) // int(hw.pes_x))
            fewer = -(-most // (across[1] - 1))
            assert vectors(layer, source, target, tile_y, fewer, whole, hw) > depth
        passes += across[0] * across[1] > 1
        chunks += not whole
    assert passes > 50
    assert chunks > 20


def test_operands_and_outputs_of_a_tile_lie_apart() -> None:
    for layer, source, target, hw in random_layers():
        plan = np.zeros(len(LayerPlan), np.int64)
        if choose_tiling(layer, source, target, hw, plan, own_memo(), any_depth()) > 0:
            continue
        lanes, simd = int(hw.lanes), int(hw.simd)
        planes = len(range(0, len(range(0, int(source[2]), simd)), lanes))
        whole = plan[LayerPlan.CHUNK] == plan[LayerPlan.ROUNDS]
        if not whole and layer[LayerColumn.OP] != ExecuteOp.CONV:
            planes = 1
        area = int(plan[LayerPlan.IN_PLANE])
        assert area == plan[LayerPlan.IN_ROW] * plan[LayerPlan.IN_TILE_Y]
        assert area == input_area(
            layer, source, int(plan[LayerPlan.TILE_Y]), int(plan[LayerPlan.TILE_X]), hw
        )
        starts = [0, planes * area]
        if layer[LayerColumn.OP] == ExecuteOp.ADD:
            assert plan[LayerPlan.IN2_ADDRESS] == starts[1]
            starts.append(2 * planes * area)
        assert plan[LayerPlan.IN_ADDRESS] == 0
        assert plan[LayerPlan.OUT_ADDRESS] == starts[-1]
        assert plan[LayerPlan.OUT_PLANE] == plan[LayerPlan.TILE_Y] * plan[LayerPlan.TILE_X]
        assert plan[LayerPlan.OUT_ROW] == plan[LayerPlan.TILE_X]


def test_layers_alike_share_what_was_found_for_the_first() -> None:
    """TWIN only saves time: a table without twins leads to the same plan."""
    configs = [TINY.at(index) for index in range(0, len(TINY), 197)]
    chains = draw_chains(configs, 3)
    twins = 0
    for case in chains:
        mapped = map_network(case.config, case.network)
        alone = mapped.layers.copy()
        alone[:, LayerColumn.TWIN] = np.arange(len(alone))
        twins += int((mapped.layers[:, LayerColumn.TWIN] < alone[:, LayerColumn.TWIN]).sum())
        planned = plan_network(alone, mapped.tensors, accelerator_row(case.config), 0)
        np.testing.assert_array_equal(planned[4], mapped.layer_plan)
        np.testing.assert_array_equal(planned[5], mapped.tensor_plan)
    assert twins > 10
