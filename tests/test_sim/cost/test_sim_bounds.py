"""Lower bounds of costs, against exact costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sim.arrays.plan_columns import LayerPlan
from sim.cost.bounds import lower_bounds
from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.plan import map_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.memories import DETERMINISTIC, DRAM, FixedLatency
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.layers import padded, random_tensor
from testbench.cases.random_memories import draw_memory
from testbench.cases.random_networks import Corner, random_network, strata
from testbench.cases.tflite_models import draw_imported

BOUNDED = (
    *("cycles", "execute_busy", "read_bytes", "write_bytes", "store_bytes", "energy"),
    *("descriptor_bytes", "cold_cycles", "cold_read_bytes", "cold_energy"),
)
ROUNDING = 1e-12


def generated(space: HardwareSpace, count: int, seed: int) -> list[AcceleratorConfig]:
    """Random points of a space that can be generated."""
    points = np.random.default_rng(seed).integers(len(space), size=2 * count)
    return [config for config in map(space.at, points.tolist()) if not check(config)][:count]


def awkward(count: int, seed: int) -> list[AcceleratorConfig]:
    """Accelerators of no space: odd grids, little memory, buses that are paced."""
    random = np.random.default_rng(seed)
    configs: list[AcceleratorConfig] = []
    while len(configs) < count:
        config = AcceleratorConfig(
            pes_x=int(random.integers(1, 9)),
            pes_y=int(random.integers(1, 9)),
            simd_units=int(random.choice([4, 8, 16, 32, 64])),
            compute_lanes=int(random.choice([1, 2, 4, 8])),
            local_memory_kb=int(random.choice([1, 2, 4, 16, 64])),
            register_file_kb=int(random.choice([1, 2, 4, 16])),
            io_bandwidth_gbps=float(random.choice([0.05, 0.1, 0.3, 1.3, 2.7, 5.0])),
            clock_mhz=int(random.choice([100, 200, 800])),
        )
        if not check(config):
            configs.append(config)
    return configs


def wide(count: int, seed: int) -> list[AcceleratorConfig]:
    """Accelerators of no space with several PE columns, most of them with a weight store."""
    random = np.random.default_rng(seed)
    configs: list[AcceleratorConfig] = []
    while len(configs) < count:
        config = AcceleratorConfig(
            pes_x=int(random.integers(2, 9)),
            pes_y=int(random.integers(1, 4)),
            simd_units=int(random.choice([4, 8, 16])),
            compute_lanes=int(random.choice([1, 2, 4])),
            local_memory_kb=int(random.choice([4, 16, 64])),
            register_file_kb=int(random.choice([1, 2, 4, 16])),
            io_bandwidth_gbps=float(random.choice([0.3, 1.3, 2.7, 5.0])),
            clock_mhz=int(random.choice([100, 200, 800])),
            weight_store_kb=int(random.choice([0, 1, 4, 16, 64])),
        )
        if not check(config):
            configs.append(config)
    return configs


def ratios(
    configs: Sequence[AcceleratorConfig], network: Network, memory: FixedLatency = DETERMINISTIC
) -> np.ndarray:
    """Check every bound of every realizable pair; return bounds over exact cycles."""
    exact = evaluate_many(configs, network, memory=memory)
    bounds = lower_bounds(configs, network, memory=memory)
    runs = exact.realizable
    assert not (runs & ~bounds.realizable).any()
    for column in BOUNDED:
        above = np.flatnonzero(runs & (bounds[column] > exact[column] * (1 + ROUNDING)))
        assert not len(above), (column, configs[above[0]], network.name, str(memory))
    assert np.array_equal(bounds["area"], exact["area"])
    return np.asarray(bounds["cycles"][runs] / exact["cycles"][runs])


def has_product(network: Network) -> bool:
    return any(layer.kind is LayerKind.MULTIPLY for layer in network.layers)


def drawn_networks(count: int) -> Iterator[Network]:
    """Small networks of every kind of layer, and imported networks."""
    random = np.random.default_rng(5)
    kinds = strata()
    for i in range(count):
        if i % 2:
            network = draw_imported(int(random.integers(1 << 30)))[0].network
            while network.concatenations or has_product(network):  # nothing is bounded
                network = draw_imported(int(random.integers(1 << 30)))[0].network
            yield network
        else:
            config = TINY.at(int(random.integers(len(TINY))))
            corner = list(Corner)[i // 2 % len(Corner)]
            yield random_network(kinds[i * 7 % len(kinds)], config, random, corner)


@pytest.mark.parametrize("name", ["ds_cnn", "resnet8", "mobilenet_v1_025", "mobilenet_v2"])
@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
def test_no_bound_of_a_named_network_is_above_its_cost(name: str, space: HardwareSpace) -> None:
    """All points of all five networks: benchmarks/certified.py."""
    shares = ratios(generated(space, 120, 3), named_network(name))
    assert len(shares) > 40
    assert np.median(shares) > 0.85  # else it would prove nothing; see benchmarks/certified.json


@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
def test_bounds_of_energy_are_as_near_as_those_of_cycles(space: HardwareSpace) -> None:
    """Searches for the least energy, and the least product with cycles, are proved by them."""
    seen: dict[str, list[np.ndarray]] = {}
    for name in ("ds_cnn", "resnet8", "mobilenet_v1_025"):
        configs, network = generated(space, 40, 4), named_network(name)
        exact, bounds = evaluate_many(configs, network), lower_bounds(configs, network)
        for column in ("energy", "cold_energy", "descriptor_bytes"):
            shares = bounds[column][exact.realizable] / exact[column][exact.realizable]
            seen.setdefault(column, []).append(shares)
    near = {column: float(np.median(np.concatenate(shares))) for column, shares in seen.items()}
    assert min(near["energy"], near["cold_energy"]) > 0.85
    assert near["descriptor_bytes"] > 0.5  # a tensor that is loaded counts as a single tile


@pytest.mark.parametrize(
    ("networks", "points"), [(60, 8), pytest.param(2500, 20, marks=pytest.mark.long)]
)
def test_no_bound_of_a_random_network_is_above_its_cost(networks: int, points: int) -> None:
    seen = [
        ratios(
            [*generated(TINY, 2 * points, i), *generated(EDGE, points, i), *awkward(3 * points, i)],
            network,
        )
        for i, network in enumerate(drawn_networks(networks))
    ]
    shares = np.concatenate(seen)
    assert len(shares) > 3 * networks * points  # over 100,000 pairs in the long run
    assert np.median(shares) > 0.85


@pytest.mark.parametrize("name", ["ds_cnn", "resnet8", "mobilenet_v1_025", "autoencoder"])
def test_no_bound_with_a_weight_store_is_above_its_cost(name: str) -> None:
    random = np.random.default_rng(11)
    points = [*generated(TINY, 60, 4), *generated(EDGE, 30, 4), *awkward(60, 4)]
    sizes = 2 ** random.integers(0, 11, len(points))
    configs = [
        replace(config, weight_store_kb=int(size))
        for config, size in zip(points, sizes, strict=True)
    ]
    shares = ratios(configs, named_network(name))
    assert len(shares) > 50
    assert np.median(shares) > 0.8


@pytest.mark.parametrize("networks", [50, pytest.param(1500, marks=pytest.mark.long)])
def test_no_bound_of_columns_that_split_channels_is_above_its_cost(networks: int) -> None:
    """Wide grids, with and without a weight store, on small images."""
    seen, spread = [], 0
    for i, network in enumerate(drawn_networks(networks)):
        configs = wide(16, i)
        shares = ratios(configs, network)
        plans = [map_network(config, network) for config in configs]
        runs = [plan.layer_plan for plan in plans if not plan.failure]
        splits = [bool((plan[:, LayerPlan.SPREAD] > 1).any()) for plan in runs]
        if len(splits) == len(shares):  # no other rule is broken
            seen.append(shares[splits])
        spread += sum(splits)
    assert spread > networks
    assert np.median(np.concatenate(seen)) > 0.85


def test_no_bound_counts_the_latency_of_a_pass_twice() -> None:
    """A first layer in passes: EXECUTE waits for each pass's loads, and these for descriptors before them."""
    rng = np.random.default_rng(0)
    image = random_tensor("image", 9, 7, 1, rng)
    layer = padded("layer", LayerKind.DEPTHWISE, image, (1, 1), (1, 1), Padding(), rng)
    config = AcceleratorConfig(
        pes_x=2,
        pes_y=1,
        simd_units=16,
        compute_lanes=2,
        local_memory_kb=1,
        register_file_kb=16,
        io_bandwidth_gbps=5.0,
        clock_mhz=200,
    )
    (share,) = ratios(
        [config], Network(name="passes", input=image, layers=(layer,)), FixedLatency(latency=86)
    )
    assert share > 0.8


NEAR = {
    FixedLatency(latency=4): 0.85,
    FixedLatency(latency=24): 0.85,
    FixedLatency(latency=1, write_latency=300): 0.85,
    FixedLatency(latency=200): 0.7,
    FixedLatency(latency=200, write_latency=1): 0.7,
}
"""Memories whose every value the bound knows, and what its median over the cost must exceed.

Where a read takes longer than LOAD's bursts that are under way, the bursts wait, which the bound leaves out.
"""

LIMITED = (
    FixedLatency(latency=4, outstanding=1),
    FixedLatency(latency=24, outstanding=2, burst_gap=5),
    FixedLatency(latency=200, outstanding=4),
    FixedLatency(latency=4, width_bytes=2),
    FixedLatency(latency=24, width_bytes=64, clock_mhz=133),
    FixedLatency(latency=200, outstanding=16, clock_mhz=1600),
)
"""Memories whose limits the bound leaves out."""


@pytest.mark.parametrize("memory", [*NEAR, *LIMITED], ids=str)
def test_no_bound_behind_a_memory_is_above_its_cost(memory: FixedLatency) -> None:
    networks = [named_network(name) for name in ("ds_cnn", "resnet8", "autoencoder")]
    seen = [
        ratios([*generated(TINY, 16, i), *generated(EDGE, 8, i), *awkward(12, i)], network, memory)
        for i, network in enumerate([*networks, *drawn_networks(12)])
    ]
    shares = np.concatenate(seen)
    assert len(shares) > 250
    assert np.median(shares) > NEAR.get(memory, 0.3)


@pytest.mark.parametrize("networks", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_no_bound_behind_a_random_memory_is_above_its_cost(networks: int) -> None:
    random = np.random.default_rng(8)
    pairs = 0
    for i, network in enumerate(drawn_networks(networks)):
        configs = [*generated(TINY, 8, i), *generated(EDGE, 4, i), *awkward(8, i)]
        memory = draw_memory(configs[int(random.integers(len(configs)))], random)
        pairs += len(ratios(configs, network, memory))
    assert pairs > 10 * networks


def test_a_dram_has_no_bound() -> None:
    line = f"^memory must have a fixed latency where many accelerators are compared, not {DRAM}$"
    with pytest.raises(CosilicoError, match=line):
        lower_bounds([TINY.default], named_network("autoencoder"), memory=DRAM)


def test_a_bound_of_weights_that_fit_nowhere_says_so() -> None:
    network = named_network("ds_cnn")  # its pool has 125 taps
    configs = generated(TINY, 200, 9)
    exact, bounds = evaluate_many(configs, network), lower_bounds(configs, network)
    without = [codes == ("MAP_WEIGHTS",) for codes in exact.violations]
    assert 50 < sum(without) < 150
    assert np.array_equal(bounds.realizable, ~np.array(without))
    assert not bounds["cycles"][without].any()


def test_bounds_may_be_of_some_columns_or_of_no_accelerator() -> None:
    network = named_network("autoencoder")
    table = lower_bounds([TINY.default], network, columns=("cycles", "area"))
    assert list(table.values) == ["cycles", "area"]
    assert len(lower_bounds([], network)) == 0
