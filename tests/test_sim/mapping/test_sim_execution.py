"""Weights that the mapper chooses by, against counts of cycles and against the schedules it leads to."""

import dataclasses
import itertools
from functools import cache

import numpy as np
import pytest

from sim.arrays.geometry import depthwise_slots
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import COLUMNS, LayerColumn, accelerator_row
from sim.mapping.execution import (
    DESCRIPTOR_CYCLES,
    choose_pixels,
    interval,
    layer_cycles,
    row_lead,
    weight_blocks,
    weight_bytes,
    weight_rows,
)
from sim.mapping.stored_weights import own_row
from sim.plan import Mapped, map_network
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import EDGE, TINY
from stress_cases import draw_stress
from testbench.cases.layers import padded, random_tensor
from testbench.cases.random_networks import Case, draw_cases


@cache
def cases() -> list[Case]:
    return draw_cases(90, TINY, 31) + draw_cases(30, EDGE, 31) + draw_stress(180, 31)


Row = np.ndarray[tuple[int], np.dtype[np.int64]]


def layer_row(op: ExecuteOp, kernel_y: int, kernel_x: int, stride_x: int = 1) -> Row:
    row = np.zeros(len(LayerColumn), np.int64)
    row[LayerColumn.OP] = op
    row[LayerColumn.KERNEL_Y], row[LayerColumn.KERNEL_X] = kernel_y, kernel_x
    row[LayerColumn.STRIDE_Y], row[LayerColumn.STRIDE_X] = 1, stride_x
    return row


def schedule_of(case: Case) -> Mapped:
    mapped = map_network(case.config, case.network)
    assert mapped.failure is Failure.NONE
    return mapped


def planned(mapped: Mapped, case: Case, index: int, pixels: int) -> tuple[int, int]:
    """Cycles and loads that the mapper weighs for a layer on its planned tile."""
    plan, layer = mapped.layer_plan[index], mapped.layers[index]
    cycles, loads = layer_cycles(
        layer,
        mapped.tensors[layer[LayerColumn.INPUT], 2],
        -(-mapped.tensors[index + 1, 2] // case.config.simd_units),
        plan[LayerPlan.TILE_Y],
        plan[LayerPlan.TILE_X],
        plan[LayerPlan.IN_TILE_Y],
        plan[LayerPlan.IN_TILE_X],
        pixels,
        plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1],
        accelerator_row(case.config),
    )
    return int(cycles), int(loads)


def scheduled_cycles(mapped: Mapped, index: int) -> int:
    """Issue cycles of a layer's EXECUTEs in one pass, each with what a descriptor is taken to cost."""
    total = 0
    for row in mapped.rows:
        value = {name: int(row[i]) for name, i in COLUMNS.items()}
        if (value["queue"], value["layer"], value["pass"]) != (Queue.EXECUTE, index, 0):
            continue
        for _ in range(value["window_rows"]):
            total += value["row_lead"]
            for _ in range(0, value["window_columns"], value["pixels"]):
                total += value["initiation_interval"]
        total += DESCRIPTOR_CYCLES
        if value["op"] == ExecuteOp.CONV:
            total += value["pixels"]
    return total


def test_a_layer_is_weighed_by_the_cycles_that_its_schedule_takes() -> None:
    """Exact without halos; with them a block without border windows may be faster."""
    exact = splits = 0
    for case in cases():
        mapped = schedule_of(case)
        for index in range(len(mapped.layers)):
            plan = mapped.layer_plan[index]
            cycles, _ = planned(mapped, case, index, int(plan[LayerPlan.PIXELS]))
            splits += plan[LayerPlan.SPLITS] > 1
            if plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1].any():
                assert scheduled_cycles(mapped, index) <= cycles
                continue
            assert scheduled_cycles(mapped, index) == cycles
            exact += 1
    assert exact > 300
    assert splits > 50


def test_weights_are_weighed_by_the_bytes_that_their_loads_move() -> None:
    """One pass loads every split of every round once, or once for each block."""
    blocks = 0
    for case in cases():
        mapped = schedule_of(case)
        for index, layer in enumerate(mapped.layers):
            plan = mapped.layer_plan[index]
            if layer[LayerColumn.OP] == ExecuteOp.ADD:
                continue
            _, loads = planned(mapped, case, index, int(plan[LayerPlan.PIXELS]))
            rows = 0
            for row in mapped.rows:
                value = {name: int(row[i]) for name, i in COLUMNS.items()}
                if (value["queue"], value["kind"]) != (Queue.LOAD, LoadKind.WEIGHTS):
                    continue
                if value["layer"] == index:
                    rows += value["lanes"] * (value["parameter_rows"] + value["weight_rows"])
            size = weight_bytes(
                layer,
                mapped.tensors[layer[LayerColumn.INPUT], 2],
                -(-mapped.tensors[index + 1, 2] // case.config.simd_units),
                case.config.simd_units,
            )
            passes = plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]
            if passes > 1 or layer[LayerColumn.OP] == ExecuteOp.POOL:
                continue
            moved = rows * case.config.row_bytes
            if loads == 1:
                assert moved == size
            else:
                blocks += 1
                # a split whose half still holds it is not loaded again
                assert size < moved <= loads * size
    assert blocks > 10


def distinct_loads(mapped: Mapped, index: int) -> int:
    """Different weight blocks that a layer's LOADs name."""
    addresses = set()
    for row in mapped.rows:
        value = dict(zip(COLUMNS, row.tolist(), strict=True))
        if (value["queue"], value["kind"]) == (Queue.LOAD, LoadKind.WEIGHTS):
            addresses |= {value["address"]} if value["layer"] == index else set()
    return len(addresses)


def test_blocks_are_counted_as_the_schedule_loads_them() -> None:
    for case in cases():
        mapped = schedule_of(case)
        for index, layer in enumerate(mapped.layers):
            counted = weight_blocks(
                layer,
                mapped.tensors[layer[LayerColumn.INPUT], 2],
                -(-mapped.tensors[index + 1, 2] // case.config.simd_units),
                mapped.layer_plan[index, LayerPlan.PIXELS],
                accelerator_row(case.config),
            )
            assert counted == distinct_loads(mapped, index)


def test_pixels_are_those_of_the_least_time() -> None:
    """The first block's transfer, or the last block's computation, overlaps with nothing."""
    several = 0
    for case in cases():
        mapped = schedule_of(case)
        hw = accelerator_row(case.config)
        for index, layer in enumerate(mapped.layers):
            plan = mapped.layer_plan[index]
            channels = int(mapped.tensors[layer[LayerColumn.INPUT], 2])
            groups = -(-int(mapped.tensors[index + 1, 2]) // case.config.simd_units)
            pixels, cycles, transfer = choose_pixels(
                layer,
                channels,
                groups,
                plan[LayerPlan.TILE_Y],
                plan[LayerPlan.TILE_X],
                plan[LayerPlan.IN_TILE_Y],
                plan[LayerPlan.IN_TILE_X],
                plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1],
                own_row(hw, index, 0, plan[LayerPlan.STORED_ROWS]),
            )
            assert pixels == plan[LayerPlan.PIXELS]
            size = weight_bytes(layer, channels, groups, case.config.simd_units)
            choices = []
            for p in (1, 2, 4, 8):
                if p > case.config.compute_lanes or (p > 1 and p >= 2 * plan[LayerPlan.TILE_X]):
                    continue
                if p > 1 and layer[LayerColumn.OP] not in (ExecuteOp.CONV, ExecuteOp.ADD):
                    continue
                own, loads = planned(mapped, case, index, p)
                kept = int(plan[LayerPlan.STORED_ROWS])
                streamed = size - kept * case.config.row_bytes
                moved = loads * (kept + int(streamed / case.config.bytes_per_cycle))
                blocks = int(weight_blocks(layer, channels, groups, p, hw))
                whole = max(own, moved) + min(own, moved) // blocks
                choices.append((whole, own, p, moved))
            several += len(choices) > 1
            _, own, p, moved = min(choices)
            assert (cycles, pixels, transfer) == (own, p, moved)
    assert several > 100


def window_stores(tile: list[int], halo: list[int], y: int, x: int) -> int:
    """Times that the window at (y, x) is stored: for its PE and for neighbours that keep it."""
    top, bottom, left, right = halo
    rows = 1 + (y < bottom) + (y >= tile[0] - top)
    return rows * (1 + (x < right) + (x >= tile[1] - left))


@pytest.mark.parametrize("seed", range(40))
def test_the_interval_is_that_of_the_set_with_most_stores(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(25):
        tile = [int(x) for x in rng.integers(1, 10, 2)]
        halo = [int(rng.integers(0, min(7, tile[i // 2]) + 1)) for i in range(4)]
        first = [int(rng.integers(0, n)) for n in tile]
        count = [int(rng.integers(1, n - f + 1)) for n, f in zip(tile, first, strict=True)]
        pixels, slots = int(rng.choice([1, 2, 4, 8])), int(rng.integers(1, 12))
        most = max(
            sum(
                window_stores(tile, halo, y, x)
                for x in range(left, min(left + pixels, first[1] + count[1]))
            )
            for y in range(first[0], first[0] + count[0])
            for left in range(first[1], first[1] + count[1], pixels)
        )
        for saves in (False, True):
            cycles = interval(
                slots, pixels, count[0], count[1], first[0], first[1], tile[0], tile[1],
                tuple(halo), saves,
            )  # fmt: skip
            assert cycles == (max(4, slots) if saves else max(4, slots, most))


def test_only_a_depthwise_window_has_a_lead() -> None:
    for kernel_y, kernel_x, stride in itertools.product(range(1, 10), range(1, 10), (1, 2, 3)):
        layer = layer_row(ExecuteOp.DEPTHWISE, kernel_y, kernel_x, stride)
        vectors = {(y, x) for y in range(kernel_y) for x in range(kernel_x)}
        fresh = {(y, x + stride) for y, x in vectors} - vectors
        cycles = max(4, depthwise_slots(kernel_y, kernel_x, stride))
        in_ring = len(vectors) + len(fresh) <= 64
        # the first window of a row reads all its vectors, one per cycle
        assert row_lead(layer, cycles) == (max(0, len(vectors) - cycles) if in_ring else 0)
        for op in (ExecuteOp.CONV, ExecuteOp.ADD, ExecuteOp.POOL):
            assert row_lead(layer_row(op, kernel_y, kernel_x, stride), 4) == 0


def test_weight_rows_hold_four_products_of_every_output() -> None:
    for kernel, channels in itertools.product((1, 2, 3, 5, 7), (1, 3, 4, 5, 16, 33)):
        taps = kernel * kernel
        conv = layer_row(ExecuteOp.CONV, kernel, kernel)
        assert weight_rows(conv, channels) == taps * len(range(0, channels, 4))
        depthwise = layer_row(ExecuteOp.DEPTHWISE, kernel, kernel)
        assert weight_rows(depthwise, channels) == len(range(0, taps, 4))
        assert weight_rows(layer_row(ExecuteOp.POOL, 1, 1), channels) == 1
        assert weight_rows(layer_row(ExecuteOp.ADD, 1, 1), channels) == 0
        assert weight_bytes(conv, channels, 3, 8) == 3 * (4 + weight_rows(conv, channels)) * 32


def one_conv(channels: int, outputs: int, size: int) -> Network:
    rng = np.random.default_rng(0)
    source = random_tensor("input", size, size, channels, rng)
    first = padded("first", LayerKind.CONV, source, (1, 1), (1, 1), Padding(), rng, channels)
    layer = padded("layer", LayerKind.CONV, first.output, (1, 1), (1, 1), Padding(), rng, outputs)
    return Network(name="one", input=source, layers=(first, layer))


def test_lanes_take_pixels_where_output_groups_are_few() -> None:
    """Else most of 8 lanes would idle; more pixels than that only let weights come in parts."""
    config = dataclasses.replace(EDGE.default, pes_x=1, pes_y=1, compute_lanes=8, simd_units=32)
    for groups in (1, 2, 4, 8):
        mapped = map_network(config, one_conv(128, 32 * groups, 16))
        plan = mapped.layer_plan[1]
        assert plan[LayerPlan.PIXELS] * groups >= 8
        sets = -(-plan[LayerPlan.TILE_X] // plan[LayerPlan.PIXELS]) * plan[LayerPlan.TILE_Y]
        # 32 quads per pixel: 8 lanes work in every cycle
        assert plan[LayerPlan.ROUNDS] * sets * 32 == groups * 16 * 16 * 32 // 8
