"""Clocks that modules reach: which measured point counts, and what all of the spaces reach."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES, TINY, HardwareSpace
from sim.timing.clock_reach import (
    Delay,
    ReachPoint,
    ReachTable,
    shipped_table,
    slowest_module,
)

MULTIPLEXER_NS = 0.0625
SMALL = replace(TINY.default, clock_mhz=2, io_bandwidth_gbps=0.008)
LARGE = replace(SMALL, pes_x=4, pes_y=4, simd_units=16, compute_lanes=4, weight_store_kb=64)


def table(*points: tuple[AcceleratorConfig, dict[str, float]]) -> ReachTable:
    return ReachTable("0" * 64, "none", 800, MULTIPLEXER_NS, [ReachPoint(*p) for p in points])


def test_the_fastest_of_the_points_that_are_as_large_counts() -> None:
    made = table((SMALL, {"grid": 0.5}), (LARGE, {"grid": 1.0}))
    assert made.slowest(SMALL) == Delay(0.5, "grid")
    assert made.slowest(replace(SMALL, pes_x=1)) == Delay(0.5, "grid")
    assert made.slowest(replace(SMALL, pes_x=3)) == Delay(1.0, "grid")
    # Nothing as large was measured
    assert made.slowest(replace(LARGE, pes_x=8)) == Delay(1.0, "grid")


def test_the_slowest_module_is_named() -> None:
    made = table((LARGE, {"grid": 0.5, "load": 0.75, "simd_unit": 0.25}))
    assert made.slowest(SMALL) == Delay(0.75, "load")
    assert made.slowest(SMALL).reach_mhz == 1333


def test_a_module_depends_on_what_it_has_alone() -> None:
    narrow = replace(LARGE, pes_x=1, pes_y=1)
    made = table((narrow, {"pe": 0.5}), (LARGE, {"pe": 0.75, "grid": 0.25}))
    assert made.slowest(LARGE) == Delay(0.5, "pe")


@pytest.mark.parametrize(
    ("changes", "module", "levels"),
    [
        # Doublings of the memories; a row of more than 512 bits lies in several macros side by side
        ({"local_memory_kb": 64}, "pe", 0),
        ({"local_memory_kb": 65}, "pe", 1),
        ({"local_memory_kb": 512}, "pe", 3),
        ({"local_memory_kb": 512, "compute_lanes": 4}, "pe", 1),
        ({"local_memory_kb": 512, "simd_units": 128}, "pe", 2),
        ({"register_file_kb": 128}, "lane", 2),
        ({"register_file_kb": 128}, "pe", 2),
        ({"register_file_kb": 128}, "grid", 0),
        ({"weight_store_kb": 64}, "load", 0),
        ({"weight_store_kb": 8192}, "load", 7),
        ({"weight_store_kb": 8192, "pes_x": 8}, "load", 7),
        ({"weight_store_kb": 8192, "pes_x": 4, "simd_units": 64}, "top", 5),
        ({"weight_store_kb": 0}, "top", 0),
        ({"weight_store_kb": 8192}, "store", 0),
    ],
)
def test_larger_memories_than_were_measured_take_further_multiplexers(
    changes: dict[str, int], module: str, levels: int
) -> None:
    base = replace(
        SMALL, pes_x=1, simd_units=16, compute_lanes=1, local_memory_kb=64, register_file_kb=32,
        weight_store_kb=64,
    )  # fmt: skip
    made = table((base, {module: 1.0}))
    config = replace(base, **changes)
    assert made.slowest(config) == Delay(1.0 + levels * MULTIPLEXER_NS, module)


def test_more_of_anything_is_never_faster() -> None:
    """In steps from the smallest accelerator to beyond all that were measured, memories' depths kept."""
    rng = np.random.default_rng(5)
    values = {
        "pes_x": (1, 2, 4, 7, 8),
        "pes_y": (1, 3, 6, 8),
        "compute_lanes": (1, 2, 4, 8),
        "weight_store_kb": (0, 256, 1024, 8192, 262_144),
    }
    for _ in range(200):
        name = str(rng.choice(list(values)))
        base = replace(SMALL, **{key: int(rng.choice(own)) for key, own in values.items()})
        row = [replace(base, **{name: value}) for value in values[name]]
        # A bank keeps its depth
        row = [replace(c, local_memory_kb=4 * c.compute_lanes) for c in row]
        delays = [slowest_module(config).delay_ns for config in row]
        assert all(a <= b for a, b in pairwise(delays))


@pytest.mark.parametrize("space", SPACE_NAMES.values(), ids=list(SPACE_NAMES))
def test_every_point_of_the_spaces_reaches_its_clock(space: HardwareSpace) -> None:
    rng = np.random.default_rng(6)
    for index in rng.integers(len(space), size=3000):
        assert slowest_module(space.at(int(index))).reach_mhz >= space.clock_mhz


def test_what_is_looked_up_is_what_the_table_says() -> None:
    """Within the spaces and beyond them, several accelerators that are alike in some fields."""
    rng = np.random.default_rng(8)
    values = {
        "pes_x": (1, 2, 5, 8),
        "pes_y": (1, 4, 7),
        "simd_units": (4, 16, 64, 128),
        "compute_lanes": (1, 2, 8),
        "local_memory_kb": (16, 1024, 65_536),
        "register_file_kb": (8, 64, 1024),
        "io_bandwidth_gbps": (0.4, 5.0, 25.0),
        "clock_mhz": (200, 800),
        "weight_store_kb": (0, 64, 8192, 262_144),
    }
    modules = set()
    for _ in range(400):
        config = replace(SMALL, **{key: rng.choice(own).item() for key, own in values.items()})
        expected = shipped_table().slowest(config)
        assert slowest_module(config) == expected
        modules.add(expected.module)
    assert len(modules) > 2


def test_the_table_as_json_is_the_table() -> None:
    made = shipped_table()
    assert ReachTable.from_json(made.to_json()) == made
