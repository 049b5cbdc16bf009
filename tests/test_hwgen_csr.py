"""CSRs: register map, strobes, program life, interrupt and counters."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from amaranth.sim import Simulator

from hwgen.gateware.csr import COUNTERS, REGISTERS, CsrUnit

FINGERPRINT = 0x12345678
OFFSET = {register.name: register.offset for register in REGISTERS}

Case = Callable[[Any, "Bus"], Coroutine[Any, Any, None]]


class Bus:
    """AXI4-Lite accesses; with a seed, valid and ready come late and in any order."""

    def __init__(self, unit: CsrUnit, seed: int | None = None) -> None:
        self.unit = unit
        self.generator = None if seed is None else random.Random(seed)

    def _delay(self) -> int:
        return self.generator.randrange(4) if self.generator else 0

    async def write(self, ctx: Any, offset: int, value: int, strobes: int = 15) -> None:
        """Write one word and await its response."""
        unit = self.unit
        ctx.set(unit.awaddr, offset)
        ctx.set(unit.wdata, value)
        ctx.set(unit.wstrb, strobes)
        address_at, data_at, response_at = self._delay(), self._delay(), 4 + self._delay()
        address_done = data_done = False
        for cycle in range(20):
            ctx.set(unit.awvalid, cycle >= address_at and not address_done)
            ctx.set(unit.wvalid, cycle >= data_at and not data_done)
            ctx.set(unit.bready, cycle >= response_at)
            _, _, address, data, response, status = await ctx.tick().sample(
                unit.awvalid & unit.awready,
                unit.wvalid & unit.wready,
                unit.bvalid & unit.bready,
                unit.bresp,
            )
            address_done |= bool(address)
            data_done |= bool(data)
            if response:
                assert address_done
                assert data_done
                assert status == 0
                ctx.set(unit.bready, 0)
                return
        raise AssertionError("no write response")

    async def read(self, ctx: Any, offset: int) -> int:
        """Read one word."""
        unit = self.unit
        ctx.set(unit.araddr, offset)
        ctx.set(unit.arvalid, 1)
        await ctx.tick().until(unit.arready)
        ctx.set(unit.arvalid, 0)
        await ctx.tick().repeat(self._delay() + 1)
        ctx.set(unit.rready, 1)
        data, response = await ctx.tick().sample(unit.rdata, unit.rresp).until(unit.rvalid)
        ctx.set(unit.rready, 0)
        assert response == 0
        return int(data)


def simulate(case: Case, seed: int | None = None) -> None:
    unit = CsrUnit(FINGERPRINT)
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    bus = Bus(unit, seed)

    async def drive(ctx: Any) -> None:
        ctx.set(unit.idle, 1)
        await case(ctx, bus)

    simulator.add_testbench(drive)
    simulator.run()


async def ring(ctx: Any, bus: Bus, cycles: int) -> None:
    """Ring the doorbell; the program runs for `cycles` cycles."""
    process = bus.unit
    ctx.set(process.awaddr, OFFSET["CONTROL"])
    ctx.set(process.wdata, 1)
    ctx.set(process.wstrb, 15)
    ctx.set(process.awvalid, 1)
    ctx.set(process.wvalid, 1)
    await ctx.tick()
    ctx.set(process.awvalid, 0)
    ctx.set(process.wvalid, 0)
    assert ctx.get(process.doorbell)
    await ctx.tick()
    ctx.set(process.idle, 0)
    ctx.set(process.bready, 1)
    for _ in range(cycles - 1):
        assert ctx.get(process.busy)
        await ctx.tick()
    ctx.set(process.bready, 0)
    ctx.set(process.idle, 1)
    assert ctx.get(process.busy)
    await ctx.tick()
    assert not ctx.get(process.busy)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_registers_read_back(seed: int | None) -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        assert await bus.read(ctx, OFFSET["ID"]) == 0x4C49534F
        assert await bus.read(ctx, OFFSET["FINGERPRINT"]) == FINGERPRINT
        await bus.write(ctx, OFFSET["PROGRAM"], 0xFFFFFFFF)
        await bus.write(ctx, OFFSET["MEMORY_BASE"], 0x89ABCDEF)
        assert await bus.read(ctx, OFFSET["PROGRAM"]) == 0xFFFFFFC0
        assert await bus.read(ctx, OFFSET["MEMORY_BASE"]) == 0x89ABC000
        assert ctx.get(bus.unit.program) == 0xFFFFFFC0
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 0xFFFFFFFF)
        assert await bus.read(ctx, OFFSET["IRQ_ENABLE"]) == 1

    simulate(case, seed)


def test_write_strobes_select_bytes() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        await bus.write(ctx, OFFSET["PROGRAM"], 0x11223340)
        await bus.write(ctx, OFFSET["PROGRAM"], 0xAABBCCDD, strobes=0b0101)
        assert await bus.read(ctx, OFFSET["PROGRAM"]) == 0x11BB33C0
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 1, strobes=0b1110)
        assert await bus.read(ctx, OFFSET["IRQ_ENABLE"]) == 0

    simulate(case)


def test_unknown_and_read_only_registers_ignore_writes() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        for offset in (0x48, 0x7C, 0xFC, OFFSET["CONTROL"]):
            await bus.write(ctx, offset, 0xFFFFFFFE)
            assert await bus.read(ctx, offset) == 0
        await bus.write(ctx, OFFSET["ID"], 0)
        assert await bus.read(ctx, OFFSET["ID"]) == 0x4C49534F
        assert not ctx.get(bus.unit.busy)

    simulate(case)


def test_interrupt_is_raised_and_cleared() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        await ring(ctx, bus, 10)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b00010
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == 1
        assert not ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 1)
        assert ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_PENDING"], 0)
        assert ctx.get(bus.unit.irq)
        await bus.write(ctx, OFFSET["IRQ_PENDING"], 1)
        assert not ctx.get(bus.unit.irq)

    simulate(case)


@pytest.mark.parametrize("distance", range(-4, 5))
def test_an_interrupt_is_not_lost_to_a_write_of_one(distance: int) -> None:
    """Software acknowledges one program while the next finishes: in every cycle around it.

    What comes after the write, or in its very cycle, is pending.
    """

    async def case(ctx: Any, bus: Bus) -> None:
        unit = bus.unit
        await bus.write(ctx, OFFSET["IRQ_ENABLE"], 1)
        await ring(ctx, bus, 10)
        assert ctx.get(unit.irq)
        ctx.set(unit.idle, 0)
        await bus.write(ctx, OFFSET["CONTROL"], 1)
        ctx.set(unit.awaddr, OFFSET["IRQ_PENDING"])
        ctx.set(unit.wdata, 1)
        ctx.set(unit.wstrb, 15)
        ctx.set(unit.bready, 1)
        written = finished = -1
        for cycle in range(16):
            ctx.set(unit.awvalid, cycle == 6)
            ctx.set(unit.wvalid, cycle == 6)
            ctx.set(unit.idle, cycle >= 7 + distance)
            # the write takes place in the cycle after both handshakes
            if cycle == 7:
                written = cycle
            if finished < 0 and cycle >= 7 + distance:
                finished = cycle
            await ctx.tick()
        assert not ctx.get(unit.busy)
        assert (finished, written) == (7 + distance, 7)
        assert ctx.get(unit.irq) == (finished >= written)
        assert await bus.read(ctx, OFFSET["IRQ_PENDING"]) == int(finished >= written)

    simulate(case)


@pytest.mark.parametrize(("flag", "bit"), [("refused", 2), ("hazard", 3), ("error", 4)])
def test_flags_stay_until_the_next_doorbell(flag: str, bit: int) -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        await ring(ctx, bus, 5)
        ctx.set(getattr(bus.unit, flag), 1)
        await ctx.tick()
        ctx.set(getattr(bus.unit, flag), 0)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b00010 | 1 << bit
        await ring(ctx, bus, 5)
        assert await bus.read(ctx, OFFSET["STATUS"]) == 0b00010

    simulate(case)


def test_doorbell_is_ignored_while_a_program_runs() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        await ring(ctx, bus, 5)
        ctx.set(bus.unit.idle, 0)
        await bus.write(ctx, OFFSET["CONTROL"], 1)
        before = await bus.read(ctx, OFFSET["CYCLES"])
        await bus.write(ctx, OFFSET["CONTROL"], 1)
        assert await bus.read(ctx, OFFSET["CYCLES"]) > before
        assert await bus.read(ctx, OFFSET["STATUS"]) == 1

    simulate(case)


def test_counters_count_their_event_and_are_cleared() -> None:
    async def case(ctx: Any, bus: Bus) -> None:
        for number, register in enumerate(COUNTERS):
            ctx.set(getattr(bus.unit, register.name.lower()), 1)
            await ctx.tick().repeat(number + 1)
            ctx.set(getattr(bus.unit, register.name.lower()), 0)
        for number, register in enumerate(COUNTERS):
            assert await bus.read(ctx, register.offset) == number + 1
        await ring(ctx, bus, 37)
        assert await bus.read(ctx, OFFSET["CYCLES"]) == 37
        for register in COUNTERS:
            assert await bus.read(ctx, register.offset) == 0

    simulate(case)
