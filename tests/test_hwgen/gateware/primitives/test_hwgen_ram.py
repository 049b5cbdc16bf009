# amaranth: UnusedElaboratable=no
"""RAM primitive, FIFO, and emission of unique modules."""

import random
from typing import Any

import pytest
from amaranth.hdl import Fragment, Module

from gateware_simulation import simulate
from hwgen.gateware.primitives.fifo import Fifo
from hwgen.gateware.primitives.ram import Ram
from hwgen.gateware.primitives.single_port_ram import SinglePortRam
from hwgen.gateware.primitives.unique import EmitPlatform, unique


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (8, 2), (33, 13), (64, 16)])
def test_ram_reads_one_cycle_later_and_holds(width: int, depth: int) -> None:
    ram = Ram(width, depth)

    async def drive(ctx: Any) -> None:
        generator = random.Random(depth)
        content = [generator.getrandbits(width) for _ in range(depth)]
        for address, value in enumerate(content):
            ctx.set(ram.write_enable, 1)
            ctx.set(ram.write_address, address)
            ctx.set(ram.write_data, value)
            await ctx.tick()
        ctx.set(ram.write_enable, 0)
        expected = None
        for _ in range(100):
            address, enable = generator.randrange(depth), generator.random() < 0.6
            ctx.set(ram.read_address, address)
            ctx.set(ram.read_enable, enable)
            await ctx.tick()
            if enable:
                expected = content[address]
            if expected is not None:
                assert ctx.get(ram.read_data) == expected

    simulate(ram, drive)


@pytest.mark.parametrize(("width", "depth"), [(0, 4), (4, 0), (-1, 4)])
def test_ram_refuses_sizes_that_are_not_positive(width: int, depth: int) -> None:
    with pytest.raises(ValueError, match=r"^width and depth must be positive, not .*$"):
        Ram(width, depth)


@pytest.mark.parametrize(("fill", "drain"), [(1.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.5, 0.5)])
def test_fifo_keeps_order_and_capacity(fill: float, drain: float) -> None:
    fifo = Fifo(16, 8)
    entered: list[tuple[int, int]] = []
    left: list[tuple[int, int]] = []

    async def drive(ctx: Any) -> None:
        generator = random.Random(4)
        for cycle in range(400):
            inside = len(entered) - len(left)
            ctx.set(fifo.enter.valid, cycle < 300 and generator.random() < fill)
            ctx.set(fifo.enter.payload, cycle)
            ctx.set(fifo.leave.ready, cycle >= 300 or generator.random() < drain)
            assert ctx.get(fifo.enter.ready) == (inside < 8)
            if ctx.get(fifo.enter.valid & fifo.enter.ready):
                entered.append((cycle, cycle))
            if ctx.get(fifo.leave.valid & fifo.leave.ready):
                left.append((cycle, ctx.get(fifo.leave.payload)))
            await ctx.tick()

    simulate(fifo, drive)
    assert [value for _, value in left] == [value for _, value in entered]
    fastest = min(out - into for (into, _), (out, _) in zip(entered, left, strict=True))
    assert fastest == Fifo.LATENCY if drain == 1.0 else fastest >= Fifo.LATENCY


def test_fifo_refuses_a_depth_that_is_no_power_of_two() -> None:
    with pytest.raises(ValueError, match=r"^depth must be a power of two and at least 2, not 6$"):
        Fifo(8, 6)


def _pair(first: Ram, second: Ram) -> Module:
    m = Module()
    m.submodules.first = unique(first, "store")
    m.submodules.second = unique(second, "store")
    return m


def test_unique_registers_one_module_for_equal_components() -> None:
    platform = EmitPlatform()
    first = Ram(8, 16)
    Fragment.get(_pair(first, Ram(8, 16)), platform)
    assert platform.modules == {"cosilico_store": first}


def test_unique_refuses_different_components_of_one_name() -> None:
    platform = EmitPlatform()
    components = Ram(8, 16), Ram(8, 15)
    platform.register("cosilico_store", components[0])
    with pytest.raises(ValueError, match=r"^module 'cosilico_store' must be built once, not .*$"):
        platform.register("cosilico_store", components[1])
    for component in components:
        Fragment.get(component, None)


def test_unique_is_the_component_itself_in_simulation() -> None:
    ram = Ram(8, 16)
    wrapped = unique(ram)
    assert wrapped.elaborate(None) is ram
    Fragment.get(wrapped, None)


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (33, 13), (64, 16)])
def test_single_port_ram_reads_or_writes(width: int, depth: int) -> None:
    ram = SinglePortRam(width, depth)

    async def drive(ctx: Any) -> None:
        generator = random.Random(width)
        content: dict[int, int] = {}
        expected = None
        for _ in range(300):
            address, enable = generator.randrange(depth), generator.random() < 0.8
            write = address not in content or generator.random() < 0.4
            value = generator.getrandbits(width)
            ctx.set(ram.enable, enable)
            ctx.set(ram.write, write)
            ctx.set(ram.address, address)
            ctx.set(ram.write_data, value)
            await ctx.tick()
            if enable and write:
                content[address] = value
            elif enable:
                expected = content[address]
            if expected is not None:
                assert ctx.get(ram.read_data) == expected

    simulate(ram, drive)


def test_single_port_ram_refuses_sizes_that_are_not_positive() -> None:
    with pytest.raises(ValueError, match=r"^width and depth must be positive, not 8 and 0$"):
        SinglePortRam(8, 0)
