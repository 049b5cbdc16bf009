"""Weight blocks against plain loops over every row, unit and element."""

import dataclasses
from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from hwgen.program import compile_design
from hwgen.weights import RECORD, layer_stream
from sim import golden
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS, LayerColumn
from sim.plan import Mapped, map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.design import Design
from sim.spec.network import WINDOW_POOLS, Layer, LayerKind, Padding, TensorSpec
from sim.spec.spaces import EDGE, TINY
from stress_cases import draw_stress
from testbench.cases.layers import mean, pool, random_tensor, window_pool
from testbench.cases.random_networks import Case, draw_cases


@cache
def cases() -> list[Case]:
    return draw_cases(30, TINY, 41) + draw_cases(15, EDGE, 41, max_macs=8192) + draw_stress(90, 41)


def schedule_of(case: Case) -> Mapped:
    return map_network(case.config, case.network)


def stream_of(case: Case, mapped: Mapped, index: int) -> bytes:
    layer = mapped.network.layers[index]
    inputs = [mapped.network.tensors[name] for name in layer.inputs]
    return layer_stream(layer, inputs, case.config, mapped.layers[index], mapped.layer_plan[index])


def record(bias: int, multiplier: int, shift: int) -> bytes:
    """Parameter record of a channel, 10 bytes."""
    word = bias & 0xFFFFFFFF | multiplier << 32 | max(shift, 0) << 64 | max(-shift, 0) << 72
    return word.to_bytes(10, "little")


def in_beats(row: bytes, config: AcceleratorConfig) -> bytes:
    """Fill a row up to whole bus beats."""
    return row + bytes(-len(row) % config.bus_bytes)


def group_parameters(
    layer: Layer, source: TensorSpec, group: int, config: AcceleratorConfig
) -> list[bytes]:
    """Four rows of records; a row without a channel is a beat of zeros."""
    simd, whole = config.simd_units, 10 * (config.simd_units // 4)
    rows = []
    for first in range(group * simd, (group + 1) * simd, simd // 4):
        row = b""
        for k in range(first, min(first + simd // 4, layer.output.channels)):
            own = layer.weights[..., k] if layer.kind is LayerKind.DEPTHWISE else layer.weights[k]
            bias = int(layer.bias[k]) - source.zero_point * int(own.astype(int).sum())
            row += record(bias, int(layer.multiplier[k]), int(layer.shift[k]))
        rows.append(in_beats(row.ljust(whole if row else 1, b"\0"), config))
    return rows


def of_channels(rows: bytes, layer: Layer, group: int, config: AcceleratorConfig) -> list[bytes]:
    """Weight rows of a group without the channels that it does not have, in whole beats."""
    own = min(config.simd_units, layer.output.channels - group * config.simd_units)
    cut = [rows[at : at + 4 * own] for at in range(0, len(rows), config.row_bytes)]
    return [in_beats(row, config) for row in cut]


def conv_rows(
    layer: Layer, group: int, simd: int, taps: tuple[range, range], steps: range
) -> bytes:
    """Rows of a split in the order in which EXECUTE reads them."""
    channels = layer.weights.shape[3]
    blocks = []
    for vector in sorted({step // (simd // 4) for step in steps}):
        for ky in taps[0]:
            for kx in taps[1]:
                for step in steps:
                    if step // (simd // 4) != vector:
                        continue
                    for k in range(group * simd, (group + 1) * simd):
                        for c in range(4 * step, 4 * step + 4):
                            inside = k < layer.output.channels and c < channels
                            blocks.append(int(layer.weights[k, ky, kx, c]) if inside else 0)
    return np.array(blocks, np.int8).tobytes()


def depthwise_rows(layer: Layer, group: int, simd: int) -> bytes:
    kernel_y, kernel_x, channels = layer.weights.shape
    taps = [(ky, kx) for kx in range(kernel_x) for ky in range(kernel_y)]
    blocks = []
    for row in range(0, len(taps), 4):
        for k in range(group * simd, (group + 1) * simd):
            for t in range(row, row + 4):
                inside = k < channels and t < len(taps)
                blocks.append(int(layer.weights[(*taps[t], k)]) if inside else 0)
    return np.array(blocks, np.int8).tobytes()


def split_ranges(layer: Layer, plan: NDArray[np.int64], index: int) -> tuple[range, range, range]:
    """Taps and steps of split ``index``: rows of taps, then columns, then steps."""
    sizes = [
        int(plan[c])
        for c in (LayerPlan.SPLIT_TAP_ROWS, LayerPlan.SPLIT_TAP_COLUMNS, LayerPlan.SPLIT_STEPS)
    ]
    ends = [*layer.kernel, -(-layer.weights.shape[3] // 4)]
    ranges = [
        [range(low, min(end, low + size)) for low in range(0, end, size)]
        for size, end in zip(sizes, ends, strict=True)
    ]
    every = [
        (rows, columns, steps) for rows in ranges[0] for columns in ranges[1] for steps in ranges[2]
    ]
    assert len(every) == plan[LayerPlan.SPLITS]
    return every[index]


def expected_stream(case: Case, mapped: Mapped, index: int) -> bytes:
    config, layer, plan = case.config, mapped.network.layers[index], mapped.layer_plan[index]
    simd = config.simd_units
    source = mapped.network.tensors[layer.inputs[0]]
    lanes, spread = config.compute_lanes // int(plan[LayerPlan.PIXELS]), int(plan[LayerPlan.SPREAD])
    per_round = lanes * max(1, spread)
    groups = range(-(-layer.output.channels // simd))
    stream = b""
    for first in groups[::per_round]:
        for split in range(int(plan[LayerPlan.SPLITS])):
            blocks = []
            for group in groups[first : first + per_round]:
                block: list[bytes] = []
                if split == plan[LayerPlan.SPLITS] - 1:
                    block += group_parameters(layer, source, group, config)
                if layer.kind is LayerKind.DEPTHWISE:
                    own = depthwise_rows(layer, group, simd)
                else:
                    rows, columns, steps = split_ranges(layer, plan, split)
                    own = conv_rows(layer, group, simd, (rows, columns), steps)
                block += of_channels(own, layer, group, config)
                blocks.append(block)
            turns = [[block] for block in blocks]
            if spread:
                turns = [blocks[lane::lanes] for lane in range(lanes)]
            for column_blocks in turns:
                for at in range(max(map(len, column_blocks), default=0)):
                    stream += b"".join(b[at] for b in column_blocks)
    return stream


def test_streams_hold_rounds_splits_and_groups_in_the_order_of_the_loads() -> None:
    seen: Counter[str] = Counter()
    for case in cases():
        mapped = schedule_of(case)
        for index, layer in enumerate(mapped.network.layers):
            if layer.weights.size == 0:
                continue
            plan = mapped.layer_plan[index]
            if layer.weights.size * (plan[LayerPlan.SPLITS] + 1) > 300_000:
                continue
            assert stream_of(case, mapped, index) == expected_stream(case, mapped, index)
            seen[layer.kind] += 1
            seen["splits"] += plan[LayerPlan.SPLITS] > 1
            seen["pixels"] += plan[LayerPlan.PIXELS] > 1
            seen["rounds"] += plan[LayerPlan.ROUNDS] > 1
            seen["spread"] += plan[LayerPlan.SPREAD] > 1
    assert all(seen[kind] > 3 for kind in ("conv", "depthwise", "fully_connected"))
    assert all(seen[trait] > 10 for trait in ("splits", "pixels", "rounds", "spread"))


@pytest.mark.parametrize("config", [TINY.default, EDGE.default])
def test_add_scales_its_operands_and_their_sum(config: AcceleratorConfig) -> None:
    case = next(c for c in cases() if any(x.kind is LayerKind.ADD for x in c.network.layers))
    layer = next(x for x in case.network.layers if x.kind is LayerKind.ADD)
    inputs = [case.network.tensors[name] for name in layer.inputs]
    stream = layer_stream(layer, inputs, config, np.zeros(0, np.int64), np.zeros(0, np.int64))
    expected = b""
    for row, bias in enumerate([-inputs[0].zero_point, -inputs[1].zero_point, 0]):
        shift, left = int(layer.shift[row]), 20 if row < 2 else 0
        made = np.zeros(1, RECORD)
        made["bias"], made["multiplier"] = bias, layer.multiplier[row]
        made["left"], made["right"] = left + max(shift, 0), max(-shift, 0)
        expected += in_beats(made.tobytes() * (config.simd_units // 4), config)
    assert stream == expected


def shared_records(stream: bytes, config: AcceleratorConfig) -> tuple[NDArray[np.void], bytes]:
    """Records of a block for all lanes, and the bytes behind its four parameter rows."""
    size = 10 * (config.simd_units // 4)
    step = len(in_beats(bytes(size), config))
    rows = b"".join(stream[at : at + size] for at in range(0, 4 * step, step))
    return np.frombuffer(rows, RECORD), stream[4 * step :]


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (3, 5), (40, 40)])
def test_pool_weighs_its_first_element_by_one_and_divides(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    source = random_tensor("input", *size, 3, rng)
    config = TINY.default
    stream = layer_stream(
        pool("pool", source), [source], config, np.zeros(0, np.int64), np.zeros(0, np.int64)
    )
    simd = config.simd_units
    records, rows = shared_records(stream, config)
    assert len(set(records.tolist())) == 1
    count = size[0] * size[1]
    real = int(records["multiplier"][0]) * 2.0 ** (
        int(records["left"][0]) - int(records["right"][0]) - 31
    )
    assert real == pytest.approx(1 / count, rel=1e-6)
    assert rows == bytes([1, 0, 0, 0]) * simd


EMPTY = np.zeros(0, np.int64)


def pool_stream(
    layer: Layer, source: TensorSpec, config: AcceleratorConfig
) -> tuple[tuple[int, int, int, int], NDArray[np.int8]]:
    """Weight stream of a pool: (bias, multiplier, left, right) by channel, rows [row, unit, element]."""
    simd = config.simd_units
    stream = layer_stream(layer, [source], config, EMPTY, EMPTY)
    records, rows = shared_records(stream, config)
    (values,) = set(records.tolist())
    return values, np.frombuffer(rows, np.int8).reshape(-1, simd, 4)


@pytest.mark.parametrize("kind", WINDOW_POOLS)
@pytest.mark.parametrize("taps", [(1, 1), (2, 2), (3, 3), (5, 4), (8, 8), (1, 7)])
def test_pools_of_windows_weigh_their_taps_by_one(kind: LayerKind, taps: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    source = random_tensor("input", 9, 9, 130, rng)
    layer = window_pool("pool", kind, source, taps, (1, 1), Padding(), rng)
    (bias, multiplier, left, right), rows = pool_stream(layer, source, EDGE.default)
    count = taps[0] * taps[1]
    assert len(rows) == -(-count // 4)
    for unit in range(EDGE.default.simd_units):
        assert rows[:, unit].ravel().tolist() == [1] * count + [0] * (-count % 4)
    assert bias == 0
    if kind is LayerKind.MAX_POOL:
        assert (multiplier, left, right) == (1 << 30, 1, 0)
    else:
        assert (multiplier, left, right) == golden.pool_reciprocal(count)


@pytest.mark.parametrize("zero_point", [-128, -3, 127])
@pytest.mark.parametrize("shift", [-9, 0, 4])
def test_mean_subtracts_the_zero_points_and_requantizes(zero_point: int, shift: int) -> None:
    rng = np.random.default_rng(2)
    source = dataclasses.replace(random_tensor("input", 5, 7, 3, rng), zero_point=zero_point)
    layer = dataclasses.replace(mean("mean", source, rng), shift=np.array([shift], np.int32))
    values, rows = pool_stream(layer, source, TINY.default)
    assert values == (
        -35 * zero_point, int(layer.multiplier[0]), max(shift, 0), max(-shift, 0)
    )  # fmt: skip
    assert rows.tolist() == [[[1, 0, 0, 0]] * TINY.default.simd_units]


def loads(mapped: Mapped, index: int) -> list[dict[str, int]]:
    return [
        value
        for value in ({name: int(row[i]) for name, i in COLUMNS.items()} for row in mapped.rows)
        if (value["queue"], value["kind"], value["layer"]) == (Queue.LOAD, LoadKind.WEIGHTS, index)
    ]


def test_loads_tile_their_layers_stream_without_gap_or_overlap() -> None:
    for case in cases():
        mapped = schedule_of(case)
        program = compile_design(Design(network=case.network, accelerator=case.config))
        end = 0
        for index in range(len(mapped.network.layers)):
            plan = mapped.layer_plan[index]
            stream = stream_of(case, mapped, index)
            start = int(plan[LayerPlan.BLOCK_ADDRESS])
            assert start >= end
            assert start % 128 == 0
            end = start + len(stream)
            assert program.image[start:end] == stream
            parts = {(v["address"], v["stream_beats"]) for v in loads(mapped, index)}
            at = start
            for address, beats in sorted(parts):
                assert address == at
                at += beats * case.config.bus_bytes
            assert at == end


def test_a_load_fills_the_lanes_that_compute_its_groups() -> None:
    for case in cases():
        mapped = schedule_of(case)
        lanes = case.config.compute_lanes
        for index, layer in enumerate(mapped.layers):
            plan = mapped.layer_plan[index]
            per_round = lanes // int(plan[LayerPlan.PIXELS])
            for value in loads(mapped, index):
                assert 0 < value["weight_rows"] <= case.config.weight_rows or (
                    layer[LayerColumn.OP] == ExecuteOp.ADD and value["weight_rows"] == 0
                )
                for block in range(value["lanes"]):
                    taken = [x for x in range(lanes) if value["lane_mask"] << block >> x & 1]
                    if layer[LayerColumn.SHARED]:
                        assert taken == list(range(lanes))
                    else:
                        assert taken == list(range(block, lanes, per_round))
