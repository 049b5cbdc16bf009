"""The area proxy: every field that costs silicon shows, and pinned breakdowns."""

from dataclasses import astuple, replace
from itertools import pairwise
from typing import Any

import pytest

from sim.area import SRAM_BIT_UM2, area
from sim.spec.accelerator import AcceleratorConfig

EDGE = AcceleratorConfig(
    pes_x=4,
    pes_y=4,
    simd_units=64,
    compute_lanes=4,
    local_memory_kb=2048,
    register_file_kb=32,
    io_bandwidth_gbps=20,
    clock_mhz=800,
)
TINY = AcceleratorConfig(
    pes_x=2,
    pes_y=2,
    simd_units=8,
    compute_lanes=2,
    local_memory_kb=16,
    register_file_kb=4,
    io_bandwidth_gbps=0.8,
    clock_mhz=200,
)
VALUES: dict[str, tuple[Any, ...]] = {
    "pes_x": (1, 2, 3, 4, 6, 8),
    "pes_y": (1, 2, 3, 4, 6, 8),
    "simd_units": (4, 8, 16, 32, 64, 128),
    "compute_lanes": (1, 2, 4, 8),
    "local_memory_kb": (4, 16, 64, 512, 4096),
    "register_file_kb": (1, 2, 8, 32, 128),
    "io_bandwidth_gbps": (0.2, 0.4, 0.8, 1.6, 3.2, 25.6),  # each doubles the bus at 200 MHz
}


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize("config", [EDGE, TINY], ids=["edge", "tiny"])
def test_area_grows_with_every_field_that_costs_silicon(
    config: AcceleratorConfig, field: str
) -> None:
    slow = replace(config, clock_mhz=200)
    totals = [area(replace(slow, **{field: value})).total for value in VALUES[field]]
    assert all(less < more for less, more in pairwise(totals))


def test_bandwidth_costs_only_through_the_bus_width() -> None:
    narrow, wide = replace(EDGE, io_bandwidth_gbps=15), replace(EDGE, io_bandwidth_gbps=25)
    assert narrow.bus_bytes == wide.bus_bytes == 32
    assert area(narrow) == area(wide)
    assert area(replace(EDGE, io_bandwidth_gbps=10)).bus < area(narrow).bus


def test_area_is_symmetric_in_the_grid() -> None:
    one, other = replace(TINY, pes_x=1, pes_y=4), replace(TINY, pes_x=4, pes_y=1)
    assert area(one) == area(other)


def test_one_pe_has_no_links_to_neighbours() -> None:
    alone = area(replace(TINY, pes_x=1, pes_y=1)).interconnect
    assert area(replace(TINY, pes_x=2, pes_y=1)).interconnect > 2 * alone
    assert area(TINY).interconnect > 2 * area(replace(TINY, pes_x=2, pes_y=1)).interconnect


def test_lanes_share_local_memory_but_not_register_files() -> None:
    one, two = area(replace(TINY, compute_lanes=1)), area(TINY)
    assert two.local_memory == one.local_memory
    assert two.register_files == 2 * one.register_files
    assert two.requantizers == 2 * one.requantizers


def test_parts_add_up() -> None:
    for config in (EDGE, TINY):
        parts = area(config)
        assert parts.total == pytest.approx(sum(astuple(parts)), rel=1e-12)
        assert all(part > 0 for part in astuple(parts))


def test_memories_hold_the_bits_that_were_asked_for() -> None:
    parts = area(EDGE)
    mm2_per_kb = 1024 * 8 * SRAM_BIT_UM2 * 1e-6
    assert parts.local_memory == pytest.approx(16 * 2048 * mm2_per_kb)
    assert parts.register_files == pytest.approx(16 * 4 * 32 * mm2_per_kb)


def test_baselines_are_pinned() -> None:
    """A change of a constant or a count must be seen: search results depend on it."""
    assert astuple(area(EDGE)) == pytest.approx(
        (
            6.004736,
            1.185415,
            5.210481,
            4.741661,
            12.867565,
            205.881047,
            0.888935,
            0.114419,
            0.027783,
        ),
        abs=1e-6,
    )
    assert area(TINY).total == pytest.approx(0.929082, abs=1e-6)
