"""Weights that the mapper chooses by, against counts of cycles and against the schedules it leads to."""

import dataclasses
import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from accelerators import small_accelerator
from execute_descriptors import bands, window_sets
from sim.arrays.network_input import windows_per_vector
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import COLUMNS, Hw, LayerColumn, accelerator_row
from sim.mapping.borders import DESCRIPTOR_CYCLES, least_interval, rows_of
from sim.mapping.execution import (
    SPREAD,
    LayerWork,
    choose_pixels,
    layer_cycles,
    layer_work,
    lets_pixels,
    stored_weight_rows,
    weight_blocks,
    weight_bytes,
    weight_rows,
)
from sim.mapping.stored_weights import own_row
from sim.plan import Mapped, map_network
from sim.spec.accelerator import ADD_HOLD
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


def exchange_of(plan: Row) -> int:
    """Exchange of a planned layer."""
    return SPREAD if plan[LayerPlan.SPREAD] else int(plan[LayerPlan.SOURCES])


def work_of(mapped: Mapped, index: int, hw: Hw) -> LayerWork:
    """Work of a mapped layer on such a share of the accelerator."""
    layer, tensors = mapped.layers[index], mapped.tensors
    channels, outputs = tensors[layer[LayerColumn.INPUT], 2], tensors[index + 1, 2]
    work: LayerWork = layer_work(layer, int(channels), int(outputs), hw)
    return work


def planned(mapped: Mapped, index: int, pixels: int) -> tuple[int, int]:
    """Cycles and loads that the mapper weighs for a layer on its planned tile."""
    plan, layer = mapped.layer_plan[index], mapped.layers[index]
    hw = accelerator_row(mapped.config)
    cycles, loads = layer_cycles(
        work_of(mapped, index, hw),
        layer,
        plan[LayerPlan.TILE_Y],
        plan[LayerPlan.TILE_X],
        plan[LayerPlan.IN_TILE_Y],
        plan[LayerPlan.IN_TILE_X],
        pixels,
        plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1],
        exchange_of(plan),
        hw,
    )
    return int(cycles), int(loads)


def rows_with(mapped: Mapped, **wanted: int) -> Iterator[dict[str, int]]:
    """Yield the descriptors of a schedule that have some values, by column."""
    own = np.ones(len(mapped.rows), np.bool_)
    for name, value in wanted.items():
        own &= mapped.rows[:, COLUMNS[name]] == value
    for row in mapped.rows[own].tolist():
        yield dict(zip(COLUMNS, row, strict=True))


def weight_loads(mapped: Mapped, index: int) -> Iterator[dict[str, int]]:
    """Yield the LOADs of a layer's weights."""
    return rows_with(mapped, queue=Queue.LOAD, kind=LoadKind.WEIGHTS, layer=index)


def scheduled_cycles(mapped: Mapped, index: int) -> int:
    """Issue cycles of a layer's EXECUTEs in one pass, each with what a descriptor is taken to cost."""
    total = 0
    for value in rows_with(mapped, queue=Queue.EXECUTE, layer=index, **{"pass": 0}):
        total += len(bands(value)) * value["row_lead"]
        total += len(list(window_sets(value))) * value["initiation_interval"]
        total += DESCRIPTOR_CYCLES + value["hold"]
        if value["op"] == ExecuteOp.CONV:
            total += 1  # the skew is in the hold
        if value["op"] == ExecuteOp.ADD:
            total -= ADD_HOLD
        if value["op"] == ExecuteOp.POOL and value["sources"]:
            across = 1 if value["spread"] else mapped.config.pes_x
            total += 4 * (across + mapped.config.pes_y - 2)
    return total


def test_a_layer_is_weighed_by_the_cycles_that_its_schedule_takes() -> None:
    exact = splits = 0
    for case in cases():
        mapped = schedule_of(case)
        for index in range(len(mapped.layers)):
            plan = mapped.layer_plan[index]
            cycles, _ = planned(mapped, index, int(plan[LayerPlan.PIXELS]))
            splits += plan[LayerPlan.SPLITS] > 1
            scheduled = scheduled_cycles(mapped, index)
            if plan[LayerPlan.SPREAD]:  # the last round may have fewer sources, and hold for less
                assert 0 <= cycles - scheduled <= 8 * plan[LayerPlan.PIXELS]
                continue
            assert scheduled == cycles
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
            _, loads = planned(mapped, index, int(plan[LayerPlan.PIXELS]))
            beats = sum(value["stream_beats"] for value in weight_loads(mapped, index))
            size = weight_bytes(
                layer,
                mapped.tensors[layer[LayerColumn.INPUT], 2],
                mapped.tensors[index + 1, 2],
                accelerator_row(case.config),
            )
            passes = plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]
            if passes > 1 or layer[LayerColumn.OP] == ExecuteOp.POOL:
                continue
            moved = beats * case.config.bus_bytes
            if loads == 1:
                assert moved == size
            else:
                blocks += 1
                # a split whose half still holds it is not loaded again
                assert size < moved <= loads * size
    assert blocks > 10


def distinct_loads(mapped: Mapped, index: int) -> int:
    """Different weight blocks that a layer's LOADs name."""
    return len({value["address"] for value in weight_loads(mapped, index)})


def test_blocks_are_counted_as_the_schedule_loads_them() -> None:
    for case in cases():
        mapped = schedule_of(case)
        for index, layer in enumerate(mapped.layers):
            hw = accelerator_row(case.config)
            counted = weight_blocks(
                work_of(mapped, index, hw),
                layer,
                mapped.layer_plan[index, LayerPlan.PIXELS],
                exchange_of(mapped.layer_plan[index]),
                hw,
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
            outputs = int(mapped.tensors[index + 1, 2])
            groups = -(-outputs // case.config.simd_units)
            share = own_row(hw, index, 0, plan[LayerPlan.STORED_ROWS])
            work = work_of(mapped, index, share)
            pixels, cycles, transfer = choose_pixels(
                work,
                layer,
                plan[LayerPlan.TILE_Y],
                plan[LayerPlan.TILE_X],
                plan[LayerPlan.IN_TILE_Y],
                plan[LayerPlan.IN_TILE_X],
                plan[LayerPlan.HALO_TOP : LayerPlan.HALO_RIGHT + 1],
                exchange_of(plan),
                share,
            )
            assert pixels == plan[LayerPlan.PIXELS]
            size = weight_bytes(layer, channels, outputs, hw)
            rows = stored_weight_rows(layer, channels, outputs, hw)
            kept = int(plan[LayerPlan.STORED_ROWS])
            streamed = size * (rows - kept) // rows
            choices = []
            for p in (1, 2, 4, 8):
                if p > case.config.compute_lanes:
                    continue
                if layer[LayerColumn.WINDOW_PIXELS] and p > windows_per_vector(layer, hw.simd):
                    continue
                if (
                    p > 1
                    and plan[LayerPlan.SPREAD]
                    and layer[LayerColumn.OP] == ExecuteOp.DEPTHWISE
                ):
                    continue
                if p > 1 and not lets_pixels(
                    layer, p, *plan[LayerPlan.TILE_Y : LayerPlan.TILE_X + 1]
                ):
                    continue
                own, loads = planned(mapped, index, p)
                columns = 1
                if plan[LayerPlan.SPREAD] and not layer[LayerColumn.SHARED]:
                    lanes = case.config.compute_lanes // p
                    columns = min(case.config.pes_x, -(-groups // lanes))
                moved = loads * (-(-kept // columns) + int(streamed / case.config.bytes_per_cycle))
                blocks = int(weight_blocks(work, layer, p, exchange_of(plan), hw))
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
def test_stores_are_those_of_the_set_with_most_and_of_the_last_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(25):
        tile = [int(x) for x in rng.integers(1, 10, 2)]
        halo = [int(rng.integers(0, min(7, tile[i // 2]) + 1)) for i in range(4)]
        first = [int(rng.integers(0, n)) for n in tile]
        count = [int(rng.integers(1, n - f + 1)) for n, f in zip(tile, first, strict=True)]
        pixels, slots = int(rng.choice([1, 2, 4, 8])), int(rng.integers(1, 12))
        op = ExecuteOp(int(rng.integers(0, 3)))
        down, across = (pixels, 1) if op == ExecuteOp.DEPTHWISE else (1, pixels)
        most = max(
            sum(
                window_stores(tile, halo, y, x)
                for y in range(top, min(top + down, first[0] + count[0]))
                for x in range(left, min(left + across, first[1] + count[1]))
            )
            for top in range(first[0], first[0] + count[0], down)
            for left in range(first[1], first[1] + count[1], across)
        )
        y = first[0] + (count[0] - 1) // down * down
        x = first[1] + (count[1] - 1) // across * across
        last = sum(
            window_stores(tile, halo, row, column)
            for row in range(y, first[0] + count[0])
            for column in range(x, first[1] + count[1])
        )
        for sources in (0, 1, 3):
            place = (count[0], count[1], first[0], first[1], tile[0], tile[1])
            rows = rows_of(op, pixels, *place, tuple(halo), sources)
            assert (rows.most, rows.last) == (most * max(1, sources), last * max(1, sources))
            assert least_interval(slots, op, rows) == max(4, slots)
        rows = rows_of(ExecuteOp.POOL, 1, 1, 1, 0, 0, 1, 1, (0, 0, 0, 0), 3)
        assert least_interval(slots, ExecuteOp.POOL, rows) == max(4, slots + 3)


def test_pixels_are_those_that_exist_and_that_the_ring_holds() -> None:
    for kernel, stride, pixels in itertools.product((1, 2, 3, 5, 7), (1, 2, 3), (1, 2, 4, 8)):
        layer = layer_row(ExecuteOp.DEPTHWISE, kernel, kernel, stride)
        layer[LayerColumn.STRIDE_Y] = stride
        column = kernel + 4 * -(-(pixels - 1) * stride // 4)
        in_ring = kernel * (kernel + min(kernel, stride)) <= 64
        in_ring &= pixels == 1 or (kernel > 1 and kernel * column < 64)
        assert lets_pixels(layer, pixels, 8, 1) == (pixels == 1 or in_ring)
        assert lets_pixels(layer, pixels, pixels // 2, 9) == (pixels == 1)
        for op in (ExecuteOp.CONV, ExecuteOp.ADD):
            assert lets_pixels(layer_row(op, kernel, kernel), pixels, 1, 5) == (pixels < 10)
            assert lets_pixels(layer_row(op, kernel, kernel), pixels, 9, 2) == (pixels < 4)
        assert lets_pixels(layer_row(ExecuteOp.POOL, kernel, kernel), pixels, 9, 9) == (pixels == 1)


def test_weight_rows_hold_four_products_of_every_output() -> None:
    for kernel, channels in itertools.product((1, 2, 3, 5, 7), (1, 3, 4, 5, 16, 33)):
        taps = kernel * kernel
        conv = layer_row(ExecuteOp.CONV, kernel, kernel)
        assert weight_rows(conv, channels) == taps * len(range(0, channels, 4))
        depthwise = layer_row(ExecuteOp.DEPTHWISE, kernel, kernel)
        assert weight_rows(depthwise, channels) == len(range(0, taps, 4))
        assert weight_rows(layer_row(ExecuteOp.POOL, 1, 1), channels) == 1
        assert weight_rows(layer_row(ExecuteOp.ADD, 1, 1), channels) == 0
        hw = accelerator_row(small_accelerator(simd_units=8))
        assert stored_weight_rows(conv, channels, 17, hw) == 3 * (4 + weight_rows(conv, channels))
        # two groups of 8 channels and their four rows of two records of 10 bytes; a channel of the third group
        whole, beat = 8 * 4 * weight_rows(conv, channels) + 4 * 20, hw.bus_bytes
        assert 20 % beat == 0
        last = beat * weight_rows(conv, channels) + 20 + 3 * beat
        assert weight_bytes(conv, channels, 17, hw) == 2 * whole + last


def test_rounds_that_store_where_inputs_lie_take_longer() -> None:
    """Of 6 cycles of a set 4 read the first bank, and its 4 stores need others; the others' banks are free."""
    mapped = map_network(dataclasses.replace(EDGE.default, pes_x=1, pes_y=1), one_conv(24, 192, 8))
    plan = mapped.layer_plan[1]
    assert (plan[LayerPlan.PIXELS], plan[LayerPlan.ROUNDS]) == (4, 3)
    rows = [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in mapped.rows]
    rows = [row for row in rows if (row["queue"], row["layer"]) == (Queue.EXECUTE, 1)]
    assert [row["out_bank"] for row in rows] == [0, 1, 2]
    assert [row["initiation_interval"] for row in rows] == [8, 6, 6]
    # beside the next round's reads stores would have no time, so they meet none
    assert [row["hold"] for row in rows] == [21 + 4 + 3, 3, 3]
    assert not any(row["store_slack"] for row in rows)
    assert scheduled_cycles(mapped, 1) == planned(mapped, 1, 4)[0]


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
