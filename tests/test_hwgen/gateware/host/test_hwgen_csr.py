"""CSRs: register map, strobes, program life, interrupt and counters."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from accelerators import small_accelerator
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.host.csr import COUNTERS, INTERRUPTS, REGISTERS, STATUS_BITS, CsrUnit
from register_bus import Bus
from sim.spec.stops import Port, StopCause

CONFIG = small_accelerator(2, 3, simd_units=8, compute_lanes=4, weight_store_kb=16)
OFFSET = {register.name: register.offset for register in REGISTERS}

Case = Callable[[Any, Bus], Coroutine[Any, Any, None]]


def run_case(case: Case, seed: int | None = None) -> None:
    unit = kept_unit(CsrUnit, CONFIG)
    bus = Bus(unit, seed)

    async def drive(ctx: Any) -> None:
        await case(ctx, bus)

    simulate(unit, drive)


async def start(ctx: Any, bus: Bus) -> None:
    """Let a program begin."""
    ctx.set(bus.unit.start, 1)
    await ctx.tick()
    ctx.set(bus.unit.start, 0)
    ctx.set(bus.unit.busy, 1)


async def pulse(ctx: Any, bus: Bus, name: str) -> None:
    """Let the program end as `name` says."""
    ctx.set(getattr(bus.unit, name), 1)
    await ctx.tick()
    ctx.set(getattr(bus.unit, name), 0)
    ctx.set(bus.unit.busy, 0)


EVENTS = {
    "done": ("finished", StopCause.NONE),
    "error": ("stopped", StopCause.RESPONSE),
    "refused": ("stopped", StopCause.REFUSED),
}
"""Pulse and cause that raise each interrupt."""


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_registers_read_back(seed: int | None) -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        assert await bus.read(ctx, OFFSET["ID"]) == 0x4C49534F
        assert await bus.read(ctx, OFFSET["FINGERPRINT"]) == CONFIG.fingerprint
        await bus.write(ctx, OFFSET["PROGRAM"], 0xFFFFFFFF)
        await bus.write(ctx, OFFSET["MEMORY_BASE"], 0x89ABCDEF)
        assert await bus.read(ctx, OFFSET["PROGRAM"]) == 0xFFFFFFC0
        assert await bus.read(ctx, OFFSET["MEMORY_BASE"]) == 0x89ABC000
        assert ctx.get(bus.unit.program) == 0xFFFFFFC0
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 0xFFFFFFFF)
        assert await bus.read(ctx, OFFSET["IRQ_ENABLE"]) == 7
        await bus.write(ctx, OFFSET["TIMEOUT"], 0x12345678)
        assert await bus.read(ctx, OFFSET["TIMEOUT"]) == 0x12345678
        assert ctx.get(bus.unit.timeout) == 0x12345678

    run_case(case, seed)


def test_window_holds_all_addresses_until_it_is_set() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        pages = bus.unit.pages
        assert (ctx.get(pages.first), ctx.get(pages.last)) == (0, 0xFFFFF)
        assert await bus.read(ctx, OFFSET["WINDOW_LIMIT"]) == 0xFFFFF000
        await bus.write(ctx, OFFSET["WINDOW_BASE"], 0x12345FFF)
        await bus.write(ctx, OFFSET["WINDOW_LIMIT"], 0x23456FFF)
        assert (ctx.get(pages.first), ctx.get(pages.last)) == (0x12345, 0x23456)
        assert await bus.read(ctx, OFFSET["WINDOW_BASE"]) == 0x12345000
        assert await bus.read(ctx, OFFSET["WINDOW_LIMIT"]) == 0x23456000

    run_case(case)


def test_capabilities_tell_what_is_built() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        assert await bus.read(ctx, OFFSET["VERSION"]) == 0x00040005
        assert await bus.read(ctx, OFFSET["GRID"]) == 0x08_04_03_02
        rows = await bus.read(ctx, OFFSET["REGISTER_FILE"])
        assert (rows & 0xFFFFFF, rows >> 24) == (CONFIG.weight_rows, CONFIG.accumulator_rows)
        assert await bus.read(ctx, OFFSET["BANK_DEPTH"]) == CONFIG.bank_depth
        assert await bus.read(ctx, OFFSET["BUS"]) == CONFIG.bus_bytes | 8 << 8 | 32 << 16
        assert await bus.read(ctx, OFFSET["WEIGHT_STORE"]) == CONFIG.store_rows == 512

    run_case(case)


def test_registers_have_offsets_of_their_own() -> None:
    assert len({register.offset for register in REGISTERS}) == len(REGISTERS)
    assert len({register.name for register in REGISTERS}) == len(REGISTERS)
    assert all(register.offset % 4 == 0 and register.offset < 0x100 for register in REGISTERS)


def test_write_strobes_select_bytes() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        await bus.write(ctx, OFFSET["PROGRAM"], 0x11223340)
        await bus.write(ctx, OFFSET["PROGRAM"], 0xAABBCCDD, strobes=0b0101)
        assert await bus.read(ctx, OFFSET["PROGRAM"]) == 0x11BB33C0
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 1, strobes=0b1110)
        assert await bus.read(ctx, OFFSET["IRQ_ENABLE"]) == 0

    run_case(case)


def test_unknown_and_read_only_registers_ignore_writes() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        for offset in (0x78, 0x7C, 0xFC, OFFSET["CONTROL"]):
            await bus.write(ctx, offset, 0xFFFFFFFC)
            assert await bus.read(ctx, offset) == 0
        await bus.write(ctx, OFFSET["ID"], 0)
        assert await bus.read(ctx, OFFSET["ID"]) == 0x4C49534F
        await bus.write(ctx, OFFSET["GRID"], 0)
        assert await bus.read(ctx, OFFSET["GRID"]) == 0x08_04_03_02

    run_case(case)


@pytest.mark.parametrize("name", INTERRUPTS)
def test_each_interrupt_is_raised_masked_and_cleared_alone(name: str) -> None:
    bit = 1 << INTERRUPTS.index(name)

    async def case(ctx: Any, bus: Bus) -> None:
        event, cause = EVENTS[name]
        ctx.set(bus.unit.cause, cause)
        await start(ctx, bus)
        await pulse(ctx, bus, event)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 1 << STATUS_BITS.index(name)
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == bit
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 7 & ~bit)
        assert not ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], bit)
        assert ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_PENDING"], 7 & ~bit)
        assert ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_PENDING"], bit, strobes=0b1110)
        assert ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_PENDING"], bit)
        assert not ctx.get(bus.unit.irq)

    run_case(case)


@pytest.mark.parametrize("name", INTERRUPTS)
@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_event_in_the_cycle_of_its_clearing_stays(name: str, distance: int) -> None:
    """The write takes effect in the second cycle after its handshakes."""
    bit = 1 << INTERRUPTS.index(name)

    async def case(ctx: Any, bus: Bus) -> None:
        unit = bus.unit
        event, cause = EVENTS[name]
        ctx.set(unit.cause, cause)
        await pulse(ctx, bus, event)
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == bit
        ctx.set(unit.awaddr, OFFSET["IRQ_PENDING"])
        ctx.set(unit.wdata, 7)
        ctx.set(unit.wstrb, 15)
        ctx.set(unit.bready, 1)
        for cycle in range(5):
            ctx.set(unit.awvalid, cycle == 1)
            ctx.set(unit.wvalid, cycle == 1)
            ctx.set(getattr(unit, event), cycle == 2 + distance)
            await ctx.tick()
        ctx.set(unit.bready, 0)
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == (bit if distance >= 0 else 0)

    run_case(case)


def test_flags_stay_until_the_next_start() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        for event, cause in EVENTS.values():
            ctx.set(bus.unit.cause, cause)
            await pulse(ctx, bus, event)
        await pulse(ctx, bus, "hazard")
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b11110
        await start(ctx, bus)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b00001
        ctx.set(bus.unit.stop, 1)
        ctx.set(bus.unit.unresponsive, 1)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b1100001
        # Interrupts are the host's to clear
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == 7

    run_case(case)


def test_error_can_be_read() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        ctx.set(bus.unit.cause, StopCause.RESPONSE)
        ctx.set(bus.unit.port, Port.WRITE)
        ctx.set(bus.unit.response, 3)
        ctx.set(bus.unit.address, 0x89ABCDEF)
        assert await bus.read(ctx, OFFSET["ERROR"]) == 0x331
        assert await bus.read(ctx, OFFSET["ERROR_ADDRESS"]) == 0x89ABCDEF

    run_case(case)


@pytest.mark.parametrize(("written", "strobes"), [(1, 15), (2, 15), (3, 1), (3, 14), (0xFC, 15)])
def test_control_gives_orders_for_one_cycle(written: int, strobes: int) -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        unit = bus.unit
        ctx.set(unit.awaddr, OFFSET["CONTROL"])
        ctx.set(unit.wdata, written)
        ctx.set(unit.wstrb, strobes)
        ctx.set(unit.bready, 1)
        orders = []
        for cycle in range(5):
            ctx.set(unit.awvalid, cycle == 0)
            ctx.set(unit.wvalid, cycle == 0)
            orders.append(ctx.get(unit.doorbell) | ctx.get(unit.abort) << 1)
            await ctx.tick()
        wanted = written & 3 if strobes & 1 else 0
        assert orders == [0, wanted, 0, 0, 0]

    run_case(case)


def test_counters_count_their_event_and_are_cleared() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        for number, register in enumerate(COUNTERS):
            ctx.set(getattr(bus.unit, register.name.lower()), 1)
            await ctx.tick().repeat(number + 1)
            ctx.set(getattr(bus.unit, register.name.lower()), 0)
        for number, register in enumerate(COUNTERS):
            assert await bus.read(ctx, register.offset) == number + 1
        await start(ctx, bus)
        await ctx.tick().repeat(36)
        await pulse(ctx, bus, "finished")
        assert await bus.read(ctx, OFFSET["CYCLES"]) == 37
        for register in COUNTERS:
            assert await bus.read(ctx, register.offset) == 0

    run_case(case)
