"""The choice of tiles against every combination of tiles, each weighed as documented."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import Hw, LayerColumn, accelerator_row, layer_table, tensor_table
from sim.mapping.execution import NO_HALO, choose_pixels
from sim.mapping.tile_choice import choose_tiles
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import TINY
from testbench.cases.layers import padded, pool, random_tensor

MOST_TILES, POWERS = 16, 6
SLOWER, LAYER = 64, 24
"""Weight of the slower of EXECUTE and the weights' transfer, against EXECUTE alone; a layer's cycles."""

Table = NDArray[np.int64]
Tile = tuple[int, int]


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
    pairs = itertools.product(
        candidates(int(tensor[0]), int(hw.pes_y)), candidates(int(tensor[1]), int(hw.pes_x))
    )
    return list(pairs)[:MOST_TILES]


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


def stays(layer: Table, source: Table, target: Table, before: Tile, tile: Tile) -> bool:
    op = layer[LayerColumn.OP]
    if op == ExecuteOp.POOL:
        return True
    if op == ExecuteOp.ADD:
        return before == tile
    down = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.STRIDE_Y], layer[LayerColumn.PAD_Y]
    right = layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X], layer[LayerColumn.PAD_X]
    return all(
        steps_together(window, int(source[axis]), before[axis], int(target[axis]), tile[axis])
        for axis, window in enumerate((down, right))
    )


def bus_cycles(tensor: Table, hw: Hw, images: int) -> int:
    """Cycles that a tensor of all images takes on the bus."""
    height, width, channels = map(int, tensor)
    size = simd = int(hw.simd)
    while channels <= size // 2:
        size //= 2
    pixel = max(size, int(hw.bus_bytes))
    total = height * width * -(-channels // simd) * pixel * images
    return int(total * hw.cost // (hw.bus_bytes * hw.earn))


def weigh(layers: Table, tensors: Table, hw: Hw, cut: int, chosen: tuple[Tile, ...]) -> int:
    """Cost that a chain with these tiles is taken to have; chosen[i] is layer i's output tile."""
    total = 0
    images = int(hw.images)
    for i, layer in enumerate(layers):
        own = 1 if i < cut else images
        share = hw._replace(images=own, bank_depth=hw.bank_depth // own, store_rows=0)
        times = images // int(share.images)
        source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
        in_y = -(-int(source[0]) // int(hw.pes_y))
        in_x = -(-int(source[1]) // int(hw.pes_x))
        groups = -(-int(target[2]) // int(hw.simd))
        _, cycles, transfer = choose_pixels(
            layer, int(source[2]), int(target[2]), *chosen[i], in_y, in_x, NO_HALO, share
        )
        total += times * (SLOWER * max(int(cycles), int(transfer)) + int(cycles))
        if i == 0:
            continue
        before = chosen[i - 1]
        if layer[LayerColumn.OP] == ExecuteOp.POOL:
            more = max(0, before[0] * before[1] - in_y * in_x)
            total += SLOWER * images * groups * more
        chained = i in (layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2])
        if chained and (i == cut or not stays(layer, tensors[i], target, before, chosen[i])):
            there_and_back = 2 * (bus_cycles(tensors[i], hw, int(share.images)) + LAYER)
            total += SLOWER * times * there_and_back
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


@pytest.mark.parametrize("images", [1, 4])
def test_no_combination_of_tiles_is_weighed_less_than_the_chosen_one(images: int) -> None:
    rng = np.random.default_rng(images)
    pooled = spilled = many = 0
    for number in range(500):
        network = (draw_wide_pool if number % 3 == 0 else draw_chain)(rng, f"chain{number}")
        hw = accelerator_row(draw_accelerator(rng), images)
        cut = int(rng.integers(len(network.layers) + 1)) if images > 1 else 0
        layers, tensors = layer_table(network), tensor_table(network)
        choices = [tiles(tensor, hw) for tensor in tensors[1:]]
        tile = np.zeros((len(tensors), 2), np.int64)
        plan = np.full((len(layers), len(LayerPlan)), -1, np.int64)
        plan[:, LayerPlan.STORED_ROWS] = 0
        choose_tiles(layers, tensors, hw, cut, plan, tile)
        chosen = tuple((int(y), int(x)) for y, x in tile[1:])
        assert all(own in of for own, of in zip(chosen, choices, strict=True))
        costs = {
            combination: weigh(layers, tensors, hw, cut, combination)
            for combination in itertools.product(*choices)
        }
        assert costs[chosen] == min(costs.values())
        pooled += network.layers[-1].kind is LayerKind.GLOBAL_AVERAGE_POOL
        many += max(map(len, choices)) > 4
        spilled += any(
            not stays(layers[i], tensors[i], tensors[i + 1], chosen[i - 1], chosen[i])
            for i in range(1, len(layers))
        )
    assert min(pooled, many) > 50
    assert spilled > 10
