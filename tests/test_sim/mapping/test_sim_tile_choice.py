"""The choice of tiles and strips against every combination of them, each weighed as documented."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sampled import sampled
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import (
    Hw,
    LayerColumn,
    TensorColumn,
    accelerator_row,
    layer_table,
    tensor_table,
)
from sim.mapping.bank_room import any_depth
from sim.mapping.execution import NO_HALO, SPREAD, choose_pixels, layer_work, weight_blocks
from sim.mapping.memo import own_memo
from sim.mapping.tile_choice import choose_tiles
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import TINY
from testbench.cases.layers import padded, pool, random_tensor

MOST_TILES, POWERS, STRIP_TILE = 16, 6, 8
SLOWER, LAYER = 64, 24
"""Weight of the slower of EXECUTE and the weights' transfer, against EXECUTE alone; a layer's cycles."""

Table = NDArray[np.int64]
Tile = tuple[int, int, bool]
"""Rows and columns, and whether it is a strip."""


def candidates(size: int, pes: int) -> list[int]:
    """Smallest multiples of 1, 2, 4 … 32 that cover a size, without repetition."""
    base = -(-size // pes)
    sizes = [base]
    for power in range(1, POWERS):
        step = 1 << power
        tile = -(-base // step) * step
        if tile <= size and tile != -(-base // (step // 2)) * (step // 2):
            sizes.append(tile)
    return sizes


def tiles(tensor: Table, hw: Hw) -> list[Tile]:
    heights = candidates(int(tensor[0]), int(hw.pes_y))
    pairs = list(itertools.product(heights, candidates(int(tensor[1]), int(hw.pes_x))))
    chosen = [(y, x, False) for y, x in pairs[:MOST_TILES]]
    if hw.pes_x > 1 and -(-int(tensor[1]) // int(hw.pes_x)) <= STRIP_TILE:
        chosen += [(y, int(tensor[1]), True) for y in heights]
    return chosen


def steps_together(
    window: tuple[int, int, int], n_in: int, tile_in: int, n_out: int, tile_out: int
) -> bool:
    """Whether a convolution's input tile serves its output tile, along one axis."""
    if n_out <= tile_out and n_in <= tile_in:
        return True
    kernel, stride, pad = window
    reach = min(tile_in, 7)
    after = max(0, kernel - stride - pad)
    return n_in > 1 and tile_in == stride * tile_out and pad <= reach and after <= reach


def own_columns(layer: Table, source: Table, target: Table, before: Tile) -> int:
    """Columns of a PE that computes its pixels of a strip from its tile."""
    if layer[LayerColumn.OP] == ExecuteOp.POOL or before[1] >= source[1]:
        return int(target[1])
    return before[1] // int(layer[LayerColumn.STRIDE_X])


def stays(layer: Table, source: Table, target: Table, before: Tile, tile: Tile, hw: Hw) -> bool:
    op = layer[LayerColumn.OP]
    vectors = 0
    for tensor, (rows, width, _) in ((source, before), (target, tile)):
        planes = -(-int(tensor[2]) // int(hw.simd * hw.lanes))
        vectors += planes * (rows + 2) * width
    if (before[2] or tile[2]) and vectors > hw.bank_depth:
        return False
    columns = tile[1]
    if tile[2] and not before[2]:
        columns = own_columns(layer, source, target, before)
        if columns * hw.pes_x < target[1]:
            return False
    if op == ExecuteOp.POOL:
        return True
    down = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    right = layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]
    rows = steps_together(down, int(source[0]), before[0], int(target[0]), tile[0])
    return rows and (
        before[2] or steps_together(right, int(source[1]), before[1], int(target[1]), columns)
    )


def bus_cycles(tensor: Table, hw: Hw, images: int) -> int:
    """Cycles that a tensor of all images takes on the bus."""
    height, width, channels = map(int, tensor[: TensorColumn.CHANNELS + 1])
    size = simd = int(hw.simd)
    while channels <= size // 2:
        size //= 2
    pixel = max(size, int(hw.bus_bytes))
    total = height * width * -(-channels // simd) * pixel * images
    return int(total * hw.cost // (hw.bus_bytes * hw.earn))


def share_of(hw: Hw, i: int, cut: int) -> Hw:
    own = 1 if i < cut else int(hw.images)
    return hw._replace(images=own, bank_depth=hw.bank_depth // own, store_rows=0)


def weigh_layer(
    layers: Table, tensors: Table, hw: Hw, cut: int, i: int, tile: Tile
) -> tuple[int, int]:
    """Cost of a layer alone whose PE columns split pixels, and channel groups."""
    layer, share = layers[i], share_of(hw, i, cut)
    source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
    in_y = -(-int(source[0]) // int(hw.pes_y))
    in_x = -(-int(source[1]) // int(hw.pes_x))
    groups = -(-int(target[2]) // int(hw.simd))
    rows, columns, strip = tile
    pool = layer[LayerColumn.OP] == ExecuteOp.POOL
    ways = [(columns, in_x, 0)]
    if strip:
        own = -(-columns // int(hw.pes_x))
        ways = [(own, in_x, 1 if pool else -(-columns // own)), (columns, int(source[1]), SPREAD)]
    costs, starts = [], []
    for own, reach, exchange in ways:
        work = layer_work(layer, int(source[2]), int(target[2]), share)
        pixels, cycles, transfer = choose_pixels(
            work, layer, rows, own, in_y, reach, NO_HALO, exchange, share
        )
        blocks = weight_blocks(work, layer, pixels, exchange, share)
        # of the first block either the transfer or the computation overlaps with nothing
        starts.append(min(int(cycles), int(transfer)) // int(blocks))
        if pool and not strip:
            hops = 4 * (int(hw.pes_x) + int(hw.pes_y) - 2)
            cycles += hops * -(-groups // int(hw.lanes)) * int(share.images)
        costs.append(SLOWER * max(int(cycles), int(transfer)) + int(cycles))
    costs[-1] += SLOWER * max(0, starts[-1] - starts[0])
    times = int(hw.images) // int(share.images)
    return times * costs[0], times * costs[-1]


def weigh(
    layers: Table,
    tensors: Table,
    hw: Hw,
    cut: int,
    chosen: tuple[Tile, ...],
    alone: list[dict[Tile, tuple[int, int]]],
) -> int:
    """Cost that a chain with these tiles is taken to have; chosen[i] is layer i's output tile."""
    total = 0
    images = int(hw.images)
    for i, layer in enumerate(layers):
        share = share_of(hw, i, cut)
        source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
        pixels, channels = alone[i][chosen[i]]
        if i == 0:
            total += min(pixels, channels)
            continue
        before = chosen[i - 1]
        total += min(pixels, channels) if before[2] else pixels
        if layer[LayerColumn.OP] == ExecuteOp.POOL:
            in_y = -(-int(source[0]) // int(hw.pes_y))
            in_x = -(-int(source[1]) // int(hw.pes_x))
            more = max(0, before[0] * (in_x if before[2] else before[1]) - in_y * in_x)
            total += SLOWER * images * -(-int(target[2]) // int(hw.simd)) * more
        chained = i in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2])
        if chained and (i == cut or not stays(layer, tensors[i], target, before, chosen[i], share)):
            there_and_back = 2 * (bus_cycles(tensors[i], hw, int(share.images)) + LAYER)
            total += SLOWER * images // int(share.images) * there_and_back
    return total


def draw_chain(rng: np.random.Generator, name: str) -> Network:
    """Two convolutions or depthwise layers of random kernels and strides, and at times a pool."""
    height, width = (int(rng.choice([7, 8, 12, 14, 20, 24, 32])) for _ in range(2))
    source = random_tensor("input", height, width, int(rng.choice([4, 8, 24])), rng)
    layers = []
    tensor = source
    for number in range(2):
        kernel = int(rng.choice([1, 3, 5]))
        kind = LayerKind.DEPTHWISE if number and rng.random() < 0.4 else LayerKind.CONV
        channels = tensor.channels if kind is LayerKind.DEPTHWISE else int(rng.choice([8, 16, 40]))
        stride = int(rng.choice([1, 2]))
        padding = Padding()
        if rng.random() < 0.5 or kernel > min(tensor.height, tensor.width):
            size = tensor.height, tensor.width
            padding = Padding.same(size, (kernel, kernel), (stride, stride))
        layer = padded(
            f"layer{number}",
            kind,
            tensor,
            (kernel, kernel),
            (stride, stride),
            padding,
            rng,
            channels,
        )
        layers.append(layer)
        tensor = layer.output
    if rng.random() < 0.6:
        layers.append(pool("pool", tensor))
    return Network(name=name, input=source, layers=tuple(layers))


def draw_wide_pool(rng: np.random.Generator, name: str) -> Network:
    """A small tensor, a convolution without padding to many channels, and a pool of them.

    Its weights take longer than its windows, so that larger tiles cost nothing but the pool's sum.
    """
    size = int(rng.integers(7, 13))
    source = random_tensor("input", size, size, 4, rng)
    kernel = int(rng.choice([3, 5]))
    narrow, wide = int(rng.choice([4, 8])), int(rng.choice([48, 96, 160]))
    first = padded("first", LayerKind.CONV, source, (1, 1), (1, 1), Padding(), rng, narrow)
    last = padded(
        "last", LayerKind.CONV, first.output, (kernel, kernel), (1, 1), Padding(), rng, wide
    )
    return Network(name=name, input=source, layers=(first, last, pool("pool", last.output)))


def draw_accelerator(rng: np.random.Generator) -> AcceleratorConfig:
    return TINY.config([int(rng.integers(size)) for size in TINY.sizes])


@pytest.mark.parametrize("images", sampled([1, 4, 16], lambda images: images == 4))
def test_no_combination_of_tiles_is_weighed_less_than_the_chosen_one(images: int) -> None:
    rng = np.random.default_rng(images)
    pooled = spilled = many = strips = 0
    for number in range(500):
        network = (draw_wide_pool if number % 3 == 0 else draw_chain)(rng, f"chain{number}")
        hw = accelerator_row(draw_accelerator(rng), images)
        cut = int(rng.integers(len(network.layers) + 1)) if images > 1 else 0
        layers, tensors = layer_table(network), tensor_table(network)
        choices = [tiles(tensor, hw) for tensor in tensors[1:]]
        tile = np.zeros((len(tensors), len(TensorPlan)), np.int64)
        plan = np.full((len(layers), len(LayerPlan)), -1, np.int64)
        plan[:, LayerPlan.STORED_ROWS] = 0
        choose_tiles(layers, tensors, hw, cut, plan, tile, own_memo(), any_depth())
        places = TensorPlan.TILE_Y, TensorPlan.TILE_X, TensorPlan.STRIPS
        chosen = tuple((int(row[0]), int(row[1]), bool(row[2])) for row in tile[1:, places])
        assert all(own in of for own, of in zip(chosen, choices, strict=True))
        alone = [
            {own: weigh_layer(layers, tensors, hw, cut, i, own) for own in choices[i]}
            for i in range(len(layers))
        ]
        costs = {
            combination: weigh(layers, tensors, hw, cut, combination, alone)
            for combination in itertools.product(*choices)
        }
        assert costs[chosen] == min(costs.values())
        pooled += network.layers[-1].kind is LayerKind.GLOBAL_AVERAGE_POOL
        many += max(map(len, choices)) > 4
        spilled += any(
            not stays(
                layers[i],
                tensors[i],
                tensors[i + 1],
                chosen[i - 1],
                chosen[i],
                share_of(hw, i, cut),
            )
            for i in range(1, len(layers))
        )
        strips += any(strip for _, _, strip in chosen)
    assert min(pooled, many, strips) > 50
    assert spilled > 10


def test_operands_of_a_sum_lie_alike() -> None:
    """A shortcut's own convolution is tiled as what it is added to: nothing else goes off the chip.

    With tiles of 8 x 4 beside 8 x 3, which take the same time, 128 KB were moved in 4,000 cycles.
    """
    config = AcceleratorConfig(
        pes_x=7,
        pes_y=2,
        simd_units=16,
        compute_lanes=4,
        local_memory_kb=512,
        register_file_kb=16,
        io_bandwidth_gbps=20.0,
        clock_mhz=800,
        weight_store_kb=4096,
    )
    prediction = predict(config, named_network("resnet8"))
    assert [layer.name for layer in prediction.layers if layer.write_bytes] == ["classifier"]
    assert [layer.name for layer in prediction.layers if layer.read_bytes] == ["stem"]
