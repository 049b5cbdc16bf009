"""The area proxy: every field that costs silicon shows, and pinned breakdowns."""

from dataclasses import astuple, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.cost.area_parts import AreaBreakdown
from sim.cost.area_proxy import (
    FLIP_FLOP_UM2,
    MACRO_EXTRA_ROWS,
    MUX2_UM2,
    SINGLE_PORT_BIT_UM2,
    SRAM_BIT_UM2,
    memory_um2,
    proxy_area,
)
from sim.cost.area_totals import proxy_area_total
from sim.cost.ram_shapes import RamShape, memories
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES

EDGE = small_accelerator(
    4,
    4,
    simd_units=64,
    compute_lanes=4,
    local_memory_kb=2048,
    register_file_kb=32,
    io_bandwidth_gbps=20,
    clock_mhz=800,
)
TINY = small_accelerator(
    2, 2, simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=4
)
VALUES: dict[str, tuple[Any, ...]] = {
    "pes_x": (1, 2, 3, 4, 6, 8),
    "pes_y": (1, 2, 3, 4, 6, 8),
    "simd_units": (4, 8, 16, 32, 64, 128),
    "compute_lanes": (1, 2, 4, 8),
    "local_memory_kb": (4, 16, 64, 512, 4096),
    "register_file_kb": (1, 2, 8, 32, 128),
    "weight_store_kb": (0, 1, 2, 64, 4096),
    "io_bandwidth_gbps": (0.2, 0.4, 0.8, 1.6, 3.2, 25.6),  # each doubles the bus at 200 MHz
}


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize("config", [EDGE, TINY], ids=["edge", "tiny"])
def test_area_grows_with_every_field_that_costs_silicon(
    config: AcceleratorConfig, field: str
) -> None:
    slow = replace(config, clock_mhz=200)
    totals = [proxy_area(replace(slow, **{field: value})).total for value in VALUES[field]]
    assert all(less < more for less, more in pairwise(totals))


def test_bandwidth_costs_only_through_the_bus_width() -> None:
    narrow, wide = replace(EDGE, io_bandwidth_gbps=15), replace(EDGE, io_bandwidth_gbps=25)
    assert narrow.bus_bytes == wide.bus_bytes == 32
    assert proxy_area(narrow) == proxy_area(wide)
    assert proxy_area(replace(EDGE, io_bandwidth_gbps=10)).bus < proxy_area(narrow).bus


def test_area_is_symmetric_in_the_grid_but_for_the_rows_buses() -> None:
    """Per bank and byte of a vector: onto the bus, from PE to PE, and from the bus."""
    tall, wide = replace(TINY, pes_x=1, pes_y=4), replace(TINY, pes_x=4, pes_y=1)
    buses = 4 * TINY.compute_lanes * 8 * TINY.simd_units * 3 * MUX2_UM2 * 1e-6
    assert proxy_area(wide).interconnect == pytest.approx(proxy_area(tall).interconnect + buses)
    assert replace(proxy_area(tall), interconnect=0) == replace(proxy_area(wide), interconnect=0)


def test_one_pe_has_no_links_to_neighbours() -> None:
    alone = proxy_area(replace(TINY, pes_x=1, pes_y=1)).interconnect
    assert proxy_area(replace(TINY, pes_x=2, pes_y=1)).interconnect > 2 * alone
    assert (
        proxy_area(TINY).interconnect > 2 * proxy_area(replace(TINY, pes_x=2, pes_y=1)).interconnect
    )


def test_lanes_share_local_memory_but_not_register_files() -> None:
    single, double = proxy_area(replace(TINY, compute_lanes=1)), proxy_area(TINY)
    assert double.register_files == 2 * single.register_files
    assert double.window_rings == 2 * single.window_rings
    assert double.requantizers == 2 * single.requantizers
    # The same bits in twice as many banks: only what each bank has besides its rows is twice
    extra_mm2 = 4 * 64 * MACRO_EXTRA_ROWS * SINGLE_PORT_BIT_UM2 * 1e-6
    assert double.local_memory - single.local_memory == pytest.approx(extra_mm2)


def test_a_lane_for_every_bank_takes_a_multiplexer_per_index_bit() -> None:
    alone = replace(EDGE, pes_x=1, pes_y=1)
    shift_mm2 = 6 * 8 * EDGE.vector_bytes * MUX2_UM2 * 1e-6  # one of 64 bytes first, in each PE
    per_lane = [
        (proxy_area(replace(alone, compute_lanes=lanes)).interconnect - shift_mm2) / lanes
        for lanes in (1, 2, 4, 8)
    ]
    stage_mm2 = 2 * 8 * EDGE.vector_bytes * MUX2_UM2 * 1e-6  # to the lane, and to the bank
    steps = [more - less for less, more in pairwise(per_lane)]
    assert steps == pytest.approx([stage_mm2] * 3)


def test_only_a_paced_bus_has_pacers() -> None:
    full, paced = replace(TINY, io_bandwidth_gbps=1.6), replace(TINY, io_bandwidth_gbps=1.4)
    assert full.bus_bytes == paced.bus_bytes
    assert (full.pacing, paced.pacing) == ((1, 1), (7, 8))
    buckets_um2 = 2 * 5 * FLIP_FLOP_UM2  # one each way
    assert proxy_area(paced).bus - proxy_area(full).bus == pytest.approx(buckets_um2 * 1e-6)


def test_parts_add_up() -> None:
    for config in (EDGE, TINY):
        parts = proxy_area(config)
        assert parts.total == pytest.approx(sum(astuple(parts)), rel=1e-12)
        assert parts.weight_store == 0
        stored = proxy_area(replace(config, weight_store_kb=64))
        assert stored.total == pytest.approx(parts.total + stored.weight_store)
        *counted, interface = astuple(stored)
        assert all(part > 0 for part in counted)
        assert interface == 0  # the proxy leaves it out


@pytest.mark.parametrize("config", [EDGE, TINY], ids=["edge", "tiny"])
def test_memories_hold_the_bits_that_were_asked_for(config: AcceleratorConfig) -> None:
    lanes = config.pes * config.compute_lanes
    bits = {
        part: sum(memory.count * memory.rows * memory.width for memory in macros)
        for part, macros in memories(config).items()
    }
    assert bits["local_memory"] == config.pes * config.local_memory_kb * 8192
    assert bits["register_files"] == lanes * config.register_file_kb * 8192
    assert bits["window_rings"] == lanes * 64 * 8 * config.simd_units
    assert bits["weight_store"] == 0
    (store,) = memories(replace(config, weight_store_kb=32))["weight_store"]
    assert store.count * store.width * store.rows == 32 * 8192
    assert store.count == config.pes_x
    assert bits["parameter_memory"] == lanes * 2 * 80 * config.simd_units


def test_deep_memories_are_macros_and_shallow_ones_flip_flops() -> None:
    cost = {rows: memory_um2(RamShape(width=10, rows=rows, count=3)) for rows in range(1, 4096)}
    assert cost[8] == pytest.approx(30 * (8 * FLIP_FLOP_UM2 + 7 * MUX2_UM2))
    assert cost[16] == pytest.approx(30 * (16 + MACRO_EXTRA_ROWS) * SRAM_BIT_UM2)
    assert cost[9] < 30 * (9 + MACRO_EXTRA_ROWS) * SRAM_BIT_UM2
    assert all(less < more for less, more in pairwise(cost.values()))


@pytest.mark.parametrize("part", [field.name for field in fields(AreaBreakdown)])
def test_every_memory_is_in_its_part(part: str) -> None:
    stored_mm2 = sum(memory_um2(memory) for memory in memories(EDGE).get(part, ())) * 1e-6
    assert getattr(proxy_area(EDGE), part) >= stored_mm2 * (1 - 1e-12)
    assert set(memories(EDGE)) <= {field.name for field in fields(AreaBreakdown)}


def test_baselines_are_pinned() -> None:
    """A change of a constant or a count must be seen: search results depend on it."""
    assert astuple(proxy_area(EDGE)) == pytest.approx(
        (
            8.041464,
            1.185415,
            5.469790,
            4.031283,
            25.735131,
            8.536855,
            156.007137,
            0,
            1.474970,
            0.160992,
            0.098616,
            0,
        ),
        abs=1e-6,
    )
    assert proxy_area(TINY).total == pytest.approx(1.290182, abs=1e-6)


def test_totals_by_parts_are_those_of_the_breakdown() -> None:
    """Equal to the last bit, whatever the order in which parts were worked out."""
    random = np.random.default_rng(8)
    for space in SPACE_NAMES.values():
        configs = [space.at(int(i)) for i in random.integers(len(space), size=300)]
        configs += [replace(space.default, clock_mhz=mhz) for mhz in (50, 100, 173, 400)]
        configs += [replace(config, activation_table=1) for config in configs[:50]]
        assert [proxy_area_total(c) for c in configs] == [proxy_area(c).total for c in configs]
