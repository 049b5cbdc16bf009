"""The memo of kernels: what it knows is what would be computed, whatever was kept before."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import LayerColumn, accelerator_row, layer_table, tensor_table
from sim.mapping.bank_room import BEYOND, LEAST, any_depth
from sim.mapping.execution import SPREAD, choose_pixels, layer_work, read_channels
from sim.mapping.known import known_pixels
from sim.mapping.mapper import plan_kernel
from sim.mapping.memo import KEY, empty_memo, keep, look_up, own_memo
from sim.mapping.stored_weights import own_row
from sim.networks.named import named_network
from sim.plan import network_tables
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.products import product_network
from testbench.cases.random_graphs import random_graph


@in_place
def known_sum(memo: NDArray[np.int64], length: int) -> tuple[int, bool]:
    """Sum of a key's words, and whether it was known."""
    result = look_up(memo, length)
    if result > 0:
        return memo[result], True
    total = 0
    for j in range(length):
        total += memo[KEY + j]
    result = keep(memo, length, 2)
    memo[result] = memo[result + 1] = total
    return total, False


@pytest.mark.parametrize(("slots", "words"), [(64, 4000), (1024, 200), (1024, 1 << 16)])
def test_a_memo_knows_keys_until_it_is_full(slots: int, words: int) -> None:
    random = np.random.default_rng(slots + words)
    memo = empty_memo(slots, words)
    keys = [random.integers(-3, 3, int(random.integers(1, 9))) for _ in range(120)]
    kept: set[tuple[int, ...]] = set()
    taken = hits = forgotten = 0
    for _ in range(3000):
        key = keys[int(random.integers(len(keys)))]
        own = tuple(key.tolist())
        memo[KEY : KEY + len(key)] = key
        total, known = known_sum(memo, len(key))
        assert total == key.sum()
        assert known == (own in kept)
        if not known:
            size = 1 + len(key) + 2
            if 2 * len(kept) >= slots or taken + size > words:
                kept, taken = set(), 0
                forgotten += 1
            kept.add(own)
            taken += size
        hits += known
    assert hits > 100
    assert (forgotten > 0) == (words < 1 << 16)


def test_a_known_choice_of_pixels_is_that_of_the_layer_and_accelerator() -> None:
    """One memo for all networks and accelerators; the choice is also made without it."""
    random = np.random.default_rng(45)
    memo = empty_memo(1 << 12, 1 << 18)
    known = 0
    for space, network in networks(random):
        layers, tensors = layer_table(network), tensor_table(network)
        some = [accelerator_row(draw(space, random), images) for images in (1, 1, 1, 3)]
        places = random.integers(len(layers), size=4)
        for _ in range(400):
            i = int(random.choice(places))
            layer = layers[i]
            source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
            hw = some[int(random.integers(len(some)))]
            share = own_row(hw, i, 0, int(random.choice([0, 1 << 30])))
            channels = int(read_channels(layer, source, share))
            work = layer_work(layer, channels, int(target[2]), share)
            tile_y, tile_x = (int(size) for size in random.choice([3, 4, 8], 2))
            halo = tuple(int(rows) for rows in random.permutation([0, 0, 0, 1]))
            exchange = int(random.choice([SPREAD, 0, 2]))
            arguments = (work, layer, tile_y, tile_x, tile_y, tile_x, halo, exchange, share)
            before = int(memo[2])
            assert known_pixels(*arguments, memo) == choose_pixels(*arguments)
            known += int(memo[2]) == before
    assert known > 300


def test_a_plan_is_the_same_whatever_is_known() -> None:
    """With what other networks and accelerators left, with nothing, and with a memo that often forgets."""
    random = np.random.default_rng(46)
    cases = networks(random)
    own, small = own_memo(), empty_memo(256, 6000)
    stored = 0
    for _ in range(160):
        space, network = cases[int(random.integers(len(cases)))]
        images = int(random.choice([1, 1, 1, 3]))
        hw = accelerator_row(draw(space, random), images)
        for _, layers, tensors in network_tables(network, hw.simd, hw.lanes):
            cut = int(random.integers(len(layers) + 1)) if images > 1 else 0
            fresh = plan_kernel(layers, tensors, hw, cut, empty_memo(4096, 1 << 18), any_depth())
            for memo in (own, small, own):
                plan = plan_kernel(layers, tensors, hw, cut, memo, any_depth())
                assert plan[:4] == fresh[:4]
                assert plan[6] == fresh[6]
                assert np.array_equal(plan[4], fresh[4])
                assert np.array_equal(plan[5], fresh[5])
            stored += (fresh[4][:, LayerPlan.STORED_ROWS] > 0).any()
    assert stored > 10


def test_a_plan_is_the_same_for_banks_that_hold_what_was_asked_for() -> None:
    random = np.random.default_rng(47)
    cases = networks(random)
    narrow = spared = 0
    for _ in range(250):
        space, network = cases[int(random.integers(len(cases)))]
        hw = accelerator_row(draw(space, random))
        # banks in which something must leave
        hw = hw._replace(bank_depth=int(2 ** random.uniform(3, 13)))
        _, layers, tensors = network_tables(network, hw.simd, hw.lanes)[0]
        depths = any_depth()
        plan = plan_kernel(layers, tensors, hw, 0, own_memo(), depths)
        if plan[0] != Failure.NONE:
            continue
        least, beyond = max(2, int(depths[LEAST])), int(min(depths[BEYOND], 1 << 18))
        assert least <= hw.bank_depth < max(beyond, hw.bank_depth + 1)
        for depth in {least, beyond - 1, int(random.integers(least, beyond))}:
            other = hw._replace(bank_depth=depth)
            same = plan_kernel(layers, tensors, other, 0, empty_memo(4096, 1 << 18), any_depth())
            assert same[:4] == plan[:4]
            assert np.array_equal(same[4], plan[4])
            assert np.array_equal(same[5], plan[5])
        narrow += beyond < 1 << 18
        if beyond < 1 << 18:
            larger = hw._replace(bank_depth=beyond)
            changed = plan_kernel(layers, tensors, larger, 0, own_memo(), any_depth())
            spared += not np.array_equal(changed[4], plan[4])
    assert narrow > 50
    assert spared > 20


def networks(random: np.random.Generator) -> list[tuple[HardwareSpace, Network]]:
    """Named and random networks, with concatenations and products of activations."""
    cases = [
        (TINY, named_network("resnet8")),
        (EDGE, named_network("mobilenet_v1_025")),
        (TINY, named_network("autoencoder")),
    ]
    for index in range(6):
        space = (TINY, EDGE)[index % 2]
        cases.append((space, random_graph(space.default, random, f"graph{index}")))
        cases.append((space, product_network(space.default, random, f"product{index}")))
    return cases


def draw(space: HardwareSpace, random: np.random.Generator) -> AcceleratorConfig:
    """Draw an accelerator that can be generated."""
    while True:
        config = space.at(int(random.integers(len(space))))
        if not check(config):
            return config
