"""The accelerator among cocotbext-axi bus models, and the program it is to run."""

import itertools
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiReadBus,
    AxiSlave,
    AxiSlaveRead,
    MemoryRegion,
)

from hwgen.gateware.host import csr
from testbench.cocotb_cases.write_memory import WriteMemory

__all__ = [
    "CASE_VARIABLE",
    "IRQ_DONE",
    "IRQ_ERROR",
    "IRQ_REFUSED",
    "REGISTERS",
    "Bench",
    "Case",
    "load_case",
]

CASE_VARIABLE = "COSILICO_CASE"
"""Environment variable that names the directory of ``case.json`` and ``memory.bin``."""

REGISTERS = {register.name: register.offset for register in csr.REGISTERS}
"""Offsets of all registers, by name."""

IRQ_DONE, IRQ_ERROR, IRQ_REFUSED = (
    1 << csr.INTERRUPTS.index(name) for name in ("done", "error", "refused")
)
"""Bits of IRQ_ENABLE and IRQ_PENDING."""

PERIOD_NS = 5
TIMEOUT_US = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One compiled layer with an input in place and the bytes it must leave.

    ``channels`` is 1 for every byte of ``expected`` that belongs to a channel; what the others, the
    rest of a last vector, hold is not specified. ``capabilities`` is the value of each register that
    tells what has been built.
    """

    memory: bytes
    header_address: int
    output_address: int
    expected: bytes
    channels: bytes
    fingerprint: int
    capabilities: dict[str, int]
    read_beats: int
    write_beats: int


def load_case() -> Case:
    """Read the case that the test that started the simulator has written."""
    directory = Path(os.environ[CASE_VARIABLE])
    values = json.loads((directory / "case.json").read_text())
    return Case(
        memory=(directory / "memory.bin").read_bytes(),
        expected=bytes.fromhex(values.pop("expected")),
        channels=bytes.fromhex(values.pop("channels")),
        **values,
    )


class Bench:
    """Clock, AXI4-Lite manager, and one memory behind both AXI4 ports.

    Parameters
    ----------
    dut
        ``cosilico_top``.
    case : Case
        Lies at address ``base``.
    base : int
        Address of the memory's first byte, 4 KiB aligned.
    size : int, optional
        Bytes of memory; accesses beyond get SLVERR. The case's size if not given.
    order : str, optional
        One of ``write_memory.ORDERS``, for writes in that order; cocotbext-axi's memory if not given.
    """

    def __init__(
        self,
        dut: Any,
        case: Case,
        *,
        base: int = 0,
        size: int | None = None,
        order: str | None = None,
    ) -> None:
        """Connect the bus models and start the clock."""
        self.dut, self.case, self.base = dut, case, base
        self.region = MemoryRegion(len(case.memory) if size is None else size)
        self.region.mem[:] = case.memory[: self.region.size]
        Clock(dut.clk, PERIOD_NS, unit="ns", impl="gpi").start()
        self.csr = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        space = _At(self.region, base)
        self.writes: WriteMemory | None = None
        if order is None:
            self.data = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=space)
        else:
            reads = AxiReadBus.from_prefix(dut, "m_axi")
            self.data = SimpleNamespace(
                read_if=AxiSlaveRead(reads, dut.clk, dut.rst, target=space), write_if=None
            )
            self.writes = WriteMemory(dut, self.region, base, order)
        self.descriptors = AxiSlaveRead(
            AxiReadBus.from_prefix(dut, "m_axi_desc"), dut.clk, dut.rst, target=space
        )

    async def reset(self) -> None:
        """Hold reset for a few cycles."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 4)

    async def write(self, register: str, value: int) -> None:
        """Write a register."""
        await self.csr.write_dword(REGISTERS[register], value)

    async def read(self, register: str) -> int:
        """Read a register."""
        return int(await self.csr.read_dword(REGISTERS[register]))

    async def start(self) -> None:
        """Program the addresses, enable the interrupt and ring the doorbell."""
        await self.write("PROGRAM", self.base + self.case.header_address)
        await self.write("MEMORY_BASE", self.base)
        await self.write("IRQ_ENABLE", IRQ_DONE | IRQ_ERROR | IRQ_REFUSED)
        await self.write("CONTROL", 1)

    async def interrupt(self) -> None:
        """Wait for the interrupt, no longer than ``TIMEOUT_US``."""
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), TIMEOUT_US, "us")

    def output(self) -> bytes:
        """Bytes of the output tensor, 0 where they belong to no channel."""
        first = self.case.output_address
        stored = self.region.mem[first : first + len(self.case.expected)]
        return bytes(a * b for a, b in zip(stored, self.case.channels, strict=True))

    def stall(self, seed: int) -> None:
        """Let every channel of both ports and of the register port pause at random."""
        channels = (
            self.data.write_if.aw_channel,
            self.data.write_if.w_channel,
            self.data.write_if.b_channel,
            self.data.read_if.ar_channel,
            self.data.read_if.r_channel,
            self.descriptors.ar_channel,
            self.descriptors.r_channel,
            self.csr.write_if.b_channel,
            self.csr.read_if.r_channel,
        )
        for number, channel in enumerate(channels):
            channel.set_pause_generator(_pauses(seed * len(channels) + number))

    def assert_quiet(self) -> None:
        """Assert that every channel is empty: nothing was asked for and not fetched, nothing is left."""
        channels = [
            self.data.read_if.ar_channel,
            self.data.read_if.r_channel,
            self.descriptors.ar_channel,
            self.descriptors.r_channel,
        ]
        if self.writes is None:
            writes = self.data.write_if
            channels += [writes.aw_channel, writes.w_channel, writes.b_channel]
        else:
            assert self.writes.empty()
        for channel in channels:
            assert channel.empty(), f"{channel} must be empty"


class _At:
    """A memory region at an address; what lies outside raises, which the slave answers SLVERR."""

    def __init__(self, region: MemoryRegion, base: int) -> None:
        self.region, self.base = region, base

    async def read(self, address: int, length: int, **extra: Any) -> bytes:
        """Read bytes."""
        self._check(address, length)
        return bytes(await self.region.read(address - self.base, length, **extra))

    async def write(self, address: int, data: bytes, **extra: Any) -> None:
        """Write bytes."""
        self._check(address, len(data))
        await self.region.write(address - self.base, data, **extra)

    def _check(self, address: int, length: int) -> None:
        if not self.base <= address <= self.base + self.region.size - length:
            raise ValueError(f"address must lie in the memory, not {address:#x}")


def _pauses(seed: int) -> Iterator[bool]:
    """Pause for a quarter of the cycles, in runs."""
    generator = random.Random(seed)
    while True:
        yield from itertools.repeat(False, generator.randint(0, 12))
        yield from itertools.repeat(True, generator.randint(0, 4))
