"""Lower bounds of costs, against exact costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sim.cost.bounds import lower_bounds
from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.random_networks import Corner, random_network, strata
from testbench.cases.tflite_models import draw_imported

BOUNDED = (
    *("cycles", "execute_busy", "read_bytes", "write_bytes", "store_bytes", "energy"),
    *("cold_cycles", "cold_read_bytes"),
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


def ratios(configs: Sequence[AcceleratorConfig], network: Network) -> np.ndarray:
    """Check every bound of every realizable pair; return bounds over exact cycles."""
    exact, bounds = evaluate_many(configs, network), lower_bounds(configs, network)
    runs = exact.realizable
    assert not (runs & ~bounds.realizable).any()
    for column in BOUNDED:
        above = np.flatnonzero(runs & (bounds[column] > exact[column] * (1 + ROUNDING)))
        assert not len(above), (column, configs[above[0]], network.name)
    assert np.array_equal(bounds["area"], exact["area"])
    return np.asarray(bounds["cycles"][runs] / exact["cycles"][runs])


def drawn_networks(count: int) -> Iterator[Network]:
    """Small networks of every kind of layer, and imported networks."""
    random = np.random.default_rng(5)
    kinds = strata()
    for i in range(count):
        if i % 2:
            yield draw_imported(int(random.integers(1 << 30)))[0].network
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
    assert np.median(shares) > 0.6


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
