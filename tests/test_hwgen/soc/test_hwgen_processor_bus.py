"""Accesses of a processor: each region answers, and what is nowhere does not."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from accelerators import SMALLEST, small_accelerator
from gateware_simulation import simulate
from hwgen.gateware.host.csr import CSR_ADDRESS_BITS
from hwgen.soc.processor_bus import ProcessorBus, memory_access
from hwgen.soc.shared_ram import SharedRam
from hwgen.soc.system_map import (
    RAM_BASE,
    REGISTERS_BASE,
    ROM_BASE,
    SERIAL_BASE,
    SystemConfig,
    power_of_two,
)
from sim.spec.accelerator import AcceleratorConfig

BYTES = 4096
WIDE = small_accelerator(simd_units=8, io_bandwidth_gbps=3.2)
"""A bus of 16 bytes: four words in a row of the shared memory."""


def system(accelerator: AcceleratorConfig = SMALLEST) -> SystemConfig:
    return SystemConfig(
        accelerator=accelerator,
        rom_bytes=BYTES,
        ram_bytes=BYTES,
        clock_hz=25_000_000,
        baud=1_000_000,
    )


class Surroundings(wiring.Component):  # type: ignore[misc]  # amaranth has no types
    """The bus and the shared memory; everything else is the testbench's."""

    def __init__(self, accelerator: AcceleratorConfig) -> None:
        self.config = system(accelerator)
        self.bus = ProcessorBus(self.config)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        """Connect them."""
        m = Module()
        row_bytes = self.config.ram_row_bytes
        m.submodules.bus = self.bus
        m.submodules.ram = ram = SharedRam(row_bytes, BYTES // row_bytes, 1)
        wiring.connect(m, self.bus.ram, ram.client(0))
        return m


async def access(ctx: Any, bus: Any, address: int, data: int = 0, mask: int = 0) -> int | None:
    """Make an access; return what was read, or None where nothing answers."""
    ctx.set(bus.processor.address, address)
    ctx.set(bus.processor.write_data, data)
    ctx.set(bus.processor.mask, mask)
    ctx.set(bus.processor.valid, 1)
    for _ in range(60):
        _, _, ready, answer = await ctx.tick().sample(bus.processor.ready, bus.processor.read_data)
        if ready:
            ctx.set(bus.processor.valid, 0)
            return int(answer)
    return None


@pytest.mark.parametrize("accelerator", [SMALLEST, WIDE], ids=["8 bytes", "16 bytes"])
def test_bytes_of_the_shared_memory_are_kept(accelerator: AcceleratorConfig) -> None:
    unit = Surroundings(accelerator)
    generator = random.Random(3)
    expected = bytearray(256)

    async def testbench(ctx: Any) -> None:
        for word in range(64):
            assert await access(ctx, unit.bus, RAM_BASE + 4 * word, 0, 15) is not None
        for _ in range(200):
            word, mask = generator.randrange(64), generator.choice([0, 1, 2, 4, 8, 3, 12, 15])
            data = generator.getrandbits(32)
            answer = await access(ctx, unit.bus, RAM_BASE + 4 * word, data, mask)
            assert answer is not None
            if mask == 0:
                assert answer == int.from_bytes(expected[4 * word : 4 * word + 4], "little")
            for byte in range(4):
                if mask >> byte & 1:
                    expected[4 * word + byte] = data >> 8 * byte & 255
        assert ctx.get(unit.bus.fault) == 0

    simulate(unit, testbench)


def test_read_only_memory_answers_with_the_word_of_the_address() -> None:
    unit = Surroundings(SMALLEST)

    async def memory(ctx: Any) -> None:
        async for _, _, enable, address in ctx.tick().sample(
            unit.bus.rom_enable, unit.bus.rom_address
        ):
            ctx.set(unit.bus.rom_data, address * 0x01010101 if enable else 0)

    async def testbench(ctx: Any) -> None:
        for word in (0, 1, 77, BYTES // 4 - 1):
            answer = await access(ctx, unit.bus, ROM_BASE + 4 * word)
            assert answer == word * 0x01010101 & 0xFFFFFFFF

    simulate(unit, testbench, memory)


def test_a_store_waits_for_the_serial_line() -> None:
    unit = Surroundings(SMALLEST)
    taken: list[int] = []

    async def line(ctx: Any) -> None:
        cycle = 0
        async for _, _, valid, ready, byte in ctx.tick().sample(
            unit.bus.serial.valid, unit.bus.serial.ready, unit.bus.serial.payload
        ):
            cycle += 1
            if valid and ready:
                taken.append(byte)
            ctx.set(unit.bus.serial.ready, cycle % 9 == 0)

    async def testbench(ctx: Any) -> None:
        for byte in b"bytes":
            assert await access(ctx, unit.bus, SERIAL_BASE, byte, 15) is not None

    simulate(unit, testbench, line)
    assert bytes(taken) == b"bytes"


@pytest.mark.parametrize("seed", range(4))
def test_registers_are_accessed_once_whenever_their_channels_are_ready(seed: int) -> None:
    unit = Surroundings(SMALLEST)
    generator = random.Random(seed)
    registers = {4 * index: generator.getrandbits(32) for index in range(16)}
    accesses: list[tuple[str, int]] = []

    async def subordinate(ctx: Any) -> None:
        def port(name: str) -> Any:
            return getattr(unit.bus, f"s_axil_{name}")

        held: dict[str, Any] = {}
        ready = dict.fromkeys(("aw", "w", "ar"), False)
        async for _, _, aw, w, ar, awaddr, wdata, wstrb, araddr in ctx.tick().sample(
            *(port(name) for name in ("awvalid", "wvalid", "arvalid")),
            *(port(name) for name in ("awaddr", "wdata", "wstrb", "araddr")),
        ):
            # Responses are taken in the cycle in which they come
            ctx.set(port("bvalid"), 0)
            ctx.set(port("rvalid"), 0)
            for channel, valid, value in (
                ("aw", aw, awaddr), ("w", w, (wdata, wstrb)), ("ar", ar, araddr)
            ):  # fmt: skip
                if valid and ready[channel]:
                    assert channel not in held
                    held[channel] = value
            if {"aw", "w"} <= held.keys() and generator.random() < 0.5:
                data, strobes = held.pop("w")
                assert strobes == 15
                registers[held["aw"]] = data
                accesses.append(("write", held.pop("aw")))
                ctx.set(port("bvalid"), 1)
            elif "ar" in held and generator.random() < 0.5:
                accesses.append(("read", held["ar"]))
                ctx.set(port("rdata"), registers[held.pop("ar")])
                ctx.set(port("rvalid"), 1)
            for channel in ready:
                ready[channel] = channel not in held and generator.random() < 0.4
                ctx.set(port(f"{channel}ready"), ready[channel])

    async def testbench(ctx: Any) -> None:
        expected = dict(registers)
        asked = []
        for _ in range(40):
            address, write = 4 * generator.randrange(16), generator.random() < 0.5
            data = generator.getrandbits(32)
            asked.append(("write" if write else "read", address))
            mask = 15 if write else 0
            answer = await access(ctx, unit.bus, REGISTERS_BASE + address, data, mask)
            assert answer is not None
            if write:
                expected[address] = data
            else:
                assert answer == expected[address]
        assert accesses == asked
        assert registers == expected

    simulate(unit, testbench, subordinate)


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        (ROM_BASE, 15),
        (ROM_BASE + BYTES, 0),
        (SERIAL_BASE, 0),
        (REGISTERS_BASE + (1 << CSR_ADDRESS_BITS), 15),
        (RAM_BASE + BYTES, 0),
        (RAM_BASE - 4, 0),
        (0xFFFFFFFC, 15),
    ],
)
def test_an_access_to_nothing_is_a_fault_for_ever(address: int, mask: int) -> None:
    unit = Surroundings(SMALLEST)

    async def testbench(ctx: Any) -> None:
        assert await access(ctx, unit.bus, RAM_BASE, 0, 15) is not None
        assert ctx.get(unit.bus.fault) == 0
        assert await access(ctx, unit.bus, address, 0, mask) is None
        assert ctx.get(unit.bus.fault) == 1
        assert await access(ctx, unit.bus, RAM_BASE) is None

    simulate(unit, testbench)


def test_the_interface_is_the_processors() -> None:
    members = dict(memory_access().members.items())
    assert set(members) == {"valid", "ready", "address", "write_data", "mask", "read_data"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rom_bytes", 6000, "rom_bytes must be a power of two in 4096 … 268435456, not 6000"),
        ("ram_bytes", 2048, "ram_bytes must be a power of two in 4096 … 268435456, not 2048"),
        ("clock_hz", 0, "clock_hz must be positive, not 0"),
        ("baud", 7_000_000, "baud must be in 1 … 6250000, a quarter of the clock, not 7000000"),
        (
            "baud",
            5_500_000,
            "baud must be within 2 % of a whole division of the clock, 25000000 Hz, not 5500000",
        ),
    ],
)
def test_sizes_and_rates_that_cannot_be_are_refused(field: str, value: int, message: str) -> None:
    sizes = {
        "rom_bytes": BYTES,
        "ram_bytes": BYTES,
        "clock_hz": 25_000_000,
        "baud": 1_000_000,
        field: value,
    }
    with pytest.raises(ValueError, match=f"^{message}$"):
        SystemConfig(accelerator=SMALLEST, **sizes)


def test_sizes_are_powers_of_two_that_hold_what_is_asked() -> None:
    assert [power_of_two(size) for size in (1, 4096, 4097, 8192, 24_396)] == [
        *(4096, 4096, 8192, 8192, 32_768)
    ]
    assert (system(SMALLEST).ram_row_bytes, system(WIDE).ram_row_bytes) == (8, 16)
