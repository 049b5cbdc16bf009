"""Area: parts that add up, what bandwidth and the weight store cost, and memories with the bits that were asked for."""

from dataclasses import astuple, fields, replace
from itertools import pairwise

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.cost.area import area, area_budget, areas
from sim.cost.area_parts import AreaBreakdown
from sim.cost.external_interface import interface_class, interface_price
from sim.cost.ram_shapes import memories
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import SPACE_NAMES, TINY, HardwareSpace

LARGE = small_accelerator(
    4,
    4,
    simd_units=64,
    compute_lanes=4,
    local_memory_kb=2048,
    register_file_kb=32,
    io_bandwidth_gbps=20,
    clock_mhz=800,
)
SMALL = small_accelerator(
    2, 2, simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=4
)


def test_parts_add_up() -> None:
    for config in (LARGE, SMALL):
        parts = area(config)
        assert parts.total == pytest.approx(sum(astuple(parts)), rel=1e-12)
        assert parts.weight_store == 0
        stored = area(replace(config, weight_store_kb=64))
        assert stored.total > parts.total + 0.9 * stored.weight_store
        assert all(part > 0 for part in astuple(stored))


def test_bandwidth_costs_its_interface_and_the_bus() -> None:
    for narrow, wide in pairwise(TINY.values["io_bandwidth_gbps"]):
        less, more = (area(replace(SMALL, io_bandwidth_gbps=value)) for value in (narrow, wide))
        price = interface_price(interface_class(wide), wide)
        assert more.external_interface == price.area_mm2 > less.external_interface
        assert more.bus > less.bus
    # 15 and 25 GB/s have the same bus, so that only the interface differs
    less, more = (area(replace(LARGE, io_bandwidth_gbps=value)) for value in (15, 25))
    assert replace(less, external_interface=0.0) == replace(more, external_interface=0.0)
    assert less.external_interface < more.external_interface


def test_pes_and_lanes_have_their_own_arithmetic() -> None:
    single = area(SMALL)
    for field in ("pes_x", "pes_y", "compute_lanes"):
        double = area(replace(SMALL, **{field: 2 * getattr(SMALL, field)}))
        for part in ("multiply_accumulate", "register_files", "window_rings", "requantizers"):
            assert getattr(double, part) == pytest.approx(2 * getattr(single, part))


def test_the_budget_is_the_spaces_or_its_defaults() -> None:
    assert area_budget(TINY) == area(TINY.default).total
    assert area_budget(replace(TINY, area_budget=1.5)) == 1.5


@pytest.mark.parametrize("space", SPACE_NAMES.values(), ids=SPACE_NAMES)
def test_areas_of_many_are_those_of_each(space: HardwareSpace) -> None:

    random = np.random.default_rng(8)
    configs = [space.at(int(i)) for i in random.integers(len(space), size=150)]
    configs += [replace(space.default, clock_mhz=mhz) for mhz in (50, 100, 173, 400)]
    configs += [replace(config, activation_table=1) for config in configs[:50]]
    assert areas(configs).tolist() == [area(config).total for config in configs]
    assert areas(configs[:3]).tolist() == [area(config).total for config in configs[:3]]


@pytest.mark.parametrize("config", [LARGE, SMALL], ids=["large", "small"])
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
    assert set(bits) <= {field.name for field in fields(AreaBreakdown)}
