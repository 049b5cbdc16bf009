"""Accelerators that are alike: figures of grids are those of separate calls, and plans are shared."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import sim.alike
from sim.arrays.tables import Hw
from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.random_graphs import random_graph

GRIDS = 3
"""Grids of PEs that are drawn, each with all its memories and buses."""


def grid(space: HardwareSpace, random: np.random.Generator, count: int) -> list[AcceleratorConfig]:
    """Draw points that differ in memories and buses only, in the space's order."""
    own = space.at(int(random.integers(len(space))))
    names = [name for name in space.values if name.endswith(("_kb", "_gbps"))]
    points: set[AcceleratorConfig] = set()
    for _ in range(count):
        chosen: dict[str, Any] = {
            name: space.values[name][int(random.integers(len(space.values[name])))]
            for name in names
        }
        points.add(replace(own, **chosen))
    return sorted(points, key=space.flat_index)


def networks(random: np.random.Generator) -> list[tuple[HardwareSpace, Network]]:
    """Networks whose weights fit a store or do not, with splits and without; a graph has concatenations."""
    return [
        (TINY, named_network("resnet8")),
        (TINY, named_network("autoencoder")),
        (EDGE, named_network("mobilenet_v1_025")),
        (TINY, random_graph(TINY.default, random, "graph")),
    ]


@pytest.mark.parametrize("images", [1, 2])
def test_a_grid_has_the_figures_of_separate_calls(images: int) -> None:
    random = np.random.default_rng(40)
    for space, network in networks(random):
        for _ in range(GRIDS if images == 1 else 1):
            configs = grid(space, random, 60 if images == 1 else 8)
            table = evaluate_many(configs, network, images=images)
            for row, config in enumerate(configs):
                alone = evaluate_many([config], network, images=images)
                assert alone.violations[0] == table.violations[row]
                for name, values in table.values.items():
                    assert values[row] == alone.values[name][0], (config, name)


def test_alike_accelerators_are_mapped_and_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"plan_network": 0, "time_schedule": 0}
    for name in asked:
        own: Callable[..., Any] = getattr(sim.alike, name)

        def counted(
            *arguments: Any, name: str = name, own: Callable[..., Any] = own, **more: Any
        ) -> Any:
            asked[name] += 1
            return own(*arguments, **more)

        monkeypatch.setattr(sim.alike, name, counted)
    # a store that holds all, and register files that need no split
    default = replace(TINY.default, local_memory_kb=64, weight_store_kb=128)
    configs = [
        replace(default, weight_store_kb=store, register_file_kb=files)
        for store in (128, 256)
        for files in (16, 32)
    ]
    table = evaluate_many(configs, named_network("resnet8"), columns=("cycles",))
    assert table.realizable.all()
    assert len(set(table.values["cycles"].tolist())) == 1
    assert asked == {"plan_network": 1, "time_schedule": 1}


def test_a_plan_is_not_for_smaller_memories() -> None:
    network = named_network("resnet8")
    base = replace(TINY.default, local_memory_kb=64)
    stores = [replace(base, weight_store_kb=size) for size in (0, 16, 32, 64, 128)]
    files = [replace(base, register_file_kb=size) for size in (1, 2, 4, 8)]
    for configs in (stores, files):
        cycles = evaluate_many(configs, network, columns=("cycles",)).values["cycles"].tolist()
        assert len(set(cycles)) > 1
        backwards = evaluate_many(configs[::-1], network, columns=("cycles",)).values["cycles"]
        assert backwards.tolist() == cycles[::-1]


def test_what_the_cycle_model_reads_is_no_memory() -> None:
    hw = Hw(*range(1, len(Hw._fields) + 1))
    differing = [
        name
        for name in Hw._fields
        if sim.alike._walked(hw) != sim.alike._walked(hw._replace(**{name: 99}))
    ]
    memories = {"bank_depth", "weight_rows", "accumulator_rows", "store_rows"}
    assert set(differing) == set(Hw._fields) - memories
