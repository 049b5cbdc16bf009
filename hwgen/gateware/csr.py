"""Control and status registers behind an AXI4-Lite subordinate port."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.axi import lite_subordinate
from sim.spec.bus import PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, HEADER_MAGIC

__all__ = ["COUNTERS", "CSR_ADDRESS_BITS", "REGISTERS", "CsrUnit", "Register"]


CSR_ADDRESS_BITS = 8
"""Width of the AXI4-Lite byte address."""


@dataclass(frozen=True, slots=True)
class Register:
    """One 32-bit register; ``access`` is R, W, RW or W1C."""

    name: str
    offset: int
    access: str
    doc: str


COUNTERS = (
    Register("EXECUTE_BUSY", 0x24, "R", "cycles in which EXECUTE has a descriptor not done"),
    Register("EXECUTE_WAIT_LOAD", 0x28, "R", "cycles in which EXECUTE's head lacks a LOAD token"),
    Register("EXECUTE_WAIT_STORE", 0x2C, "R", "cycles in which it lacks only a STORE token"),
    Register("LOAD_ACTIVE", 0x30, "R", "cycles in which LOAD runs a descriptor"),
    Register("STORE_ACTIVE", 0x34, "R", "cycles in which STORE runs a descriptor"),
    Register("READ_BEATS", 0x38, "R", "data beats read, without descriptors"),
    Register("WRITE_BEATS", 0x3C, "R", "data beats written"),
    Register("READ_STALLS", 0x40, "R", "cycles with an outstanding read and no data"),
    Register("WRITE_STALLS", 0x44, "R", "cycles with W valid and not ready"),
)
"""Registers that count the cycles of an input of the same name in lower case."""

REGISTERS = (
    Register("ID", 0x00, "R", "0x4C49534F"),
    Register("FINGERPRINT", 0x04, "R", "hash of the configuration"),
    Register("CONTROL", 0x08, "W", "bit 0: doorbell"),
    Register("STATUS", 0x0C, "R", "busy, done, refused program, hazard, AXI error response"),
    Register("IRQ_ENABLE", 0x10, "RW", "bit 0: interrupt when done"),
    Register("IRQ_PENDING", 0x14, "W1C", "bit 0"),
    Register("PROGRAM", 0x18, "RW", "byte address of the header, 64-byte aligned"),
    Register("MEMORY_BASE", 0x1C, "RW", "added to every address, 4 KiB aligned"),
    Register("CYCLES", 0x20, "R", "cycles from doorbell to done"),
    *COUNTERS,
)
"""The register map; other offsets read 0 and ignore writes."""

_OFFSETS = {register.name: register.offset for register in REGISTERS}


class CsrUnit(wiring.Component):
    """The register map, the interrupt and the program's life.

    A doorbell while a program runs is ignored. `busy` rises in the cycle after `doorbell` and falls
    in the cycle after `idle` was seen; CYCLES counts the cycles between. Status flags and
    counters are cleared by the doorbell.

    Latency: reads 1 cycle, writes 1 cycle. Throughput: one access per 2 cycles in each direction.

    Parameters
    ----------
    fingerprint : int
        Content of FINGERPRINT.

    Members
    -------
    awaddr … rready
        AXI4-Lite (:func:`lite_subordinate`); write strobes are honoured, responses are OKAY.
    doorbell : Out(1)
        Pulse: start the program.
    program, memory_base : Out(32)
        The registers.
    idle : In(1)
        Everything is done; must be low from the cycle after `doorbell` until then.
    refused, hazard, error : In(1)
        Set the STATUS flags.
    execute_busy … write_stalls : In(1)
        Counted, see COUNTERS.
    busy : Out(1)
        A program runs.
    irq : Out(1)
        Level: pending and enabled.
    """

    def __init__(self, fingerprint: int) -> None:
        """Create the registers at their reset values, 0."""
        self.fingerprint = fingerprint
        counted: dict[str, Any] = {register.name.lower(): In(1) for register in COUNTERS}
        super().__init__(
            {
                **lite_subordinate(CSR_ADDRESS_BITS),
                "doorbell": Out(1),
                "program": Out(32),
                "memory_base": Out(32),
                "idle": In(1),
                "refused": In(1),
                "hazard": In(1),
                "error": In(1),
                **counted,
                "busy": Out(1),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the bus side, the registers and the counters."""
        m = Module()
        write, address, written, strobes = self._writes(m)

        def writing(name: str) -> Any:
            return write & (address == _OFFSETS[name] >> 2)

        # Program life
        finish = Signal()
        m.d.comb += [
            self.doorbell.eq(writing("CONTROL") & written[0] & strobes[0] & ~self.busy),
            finish.eq(self.busy & self.idle),
        ]
        done, refused, hazard, error = (
            Signal(name=name) for name in ("done", "refused_flag", "hazard_flag", "error_flag")
        )
        with m.If(self.doorbell):
            m.d.sync += [self.busy.eq(1), done.eq(0), Cat(refused, hazard, error).eq(0)]
        with m.Else():
            m.d.sync += [
                self.busy.eq(self.busy & ~self.idle),
                done.eq(done | finish),
                refused.eq(refused | self.refused),
                hazard.eq(hazard | self.hazard),
                error.eq(error | self.error),
            ]

        # Interrupt
        enable = Signal()
        pending = Signal()
        with m.If(writing("IRQ_ENABLE") & strobes[0]):
            m.d.sync += enable.eq(written[0])
        with m.If(finish):
            m.d.sync += pending.eq(1)
        with m.Elif(writing("IRQ_PENDING") & strobes[0] & written[0]):
            m.d.sync += pending.eq(0)
        m.d.comb += self.irq.eq(enable & pending)

        # Addresses
        for name, register, alignment in (
            ("PROGRAM", self.program, DESCRIPTOR_BYTES),
            ("MEMORY_BASE", self.memory_base, PAGE_BYTES),
        ):
            mask = Cat(strobe.replicate(8) for strobe in strobes) & Const(-alignment, 32)
            with m.If(writing(name)):
                m.d.sync += register.eq((register & ~mask) | (written & mask))

        values = {
            "ID": Const(HEADER_MAGIC, 32),
            "FINGERPRINT": Const(self.fingerprint, 32),
            "STATUS": Cat(self.busy, done, refused, hazard, error),
            "IRQ_ENABLE": enable,
            "IRQ_PENDING": pending,
            "PROGRAM": self.program,
            "MEMORY_BASE": self.memory_base,
            "CYCLES": self._counter(m, "cycles", self.busy),
        }
        for register in COUNTERS:
            name = register.name.lower()
            values[register.name] = self._counter(m, name, getattr(self, name))
        self._reads(m, values)
        return m

    def _counter(self, m: Module, name: str, event: Signal) -> Signal:
        """Return a register that counts the cycles of `event` since the doorbell."""
        count = Signal(32, name=f"{name}_count")
        m.d.sync += count.eq(Mux(self.doorbell, 0, count + event))
        return count

    def _writes(self, m: Module) -> tuple[Signal, Signal, Signal, Signal]:
        """Return strobe, word address, data and byte strobes of the write in progress."""
        held_address, held_data = Signal(), Signal()
        address, written, strobes = Signal(CSR_ADDRESS_BITS - 2), Signal(32), Signal(4)
        write = Signal()
        # Cycle 0: take address and data, in any order
        m.d.comb += [self.awready.eq(~held_address), self.wready.eq(~held_data)]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [held_address.eq(1), address.eq(self.awaddr[2:])]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [held_data.eq(1), written.eq(self.wdata), strobes.eq(self.wstrb)]
        # Cycle 1: write
        m.d.comb += write.eq(held_address & held_data & (~self.bvalid | self.bready))
        with m.If(write):
            m.d.sync += [held_address.eq(0), held_data.eq(0), self.bvalid.eq(1)]
        with m.Elif(self.bready):
            m.d.sync += self.bvalid.eq(0)
        return write, address, written, strobes

    def _reads(self, m: Module, values: dict[str, Any]) -> None:
        """Answer reads with `values`, by register name."""
        m.d.comb += self.arready.eq(~self.rvalid)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(0)]
            with m.Switch(self.araddr[2:]):
                for name, value in values.items():
                    with m.Case(_OFFSETS[name] >> 2):
                        m.d.sync += self.rdata.eq(value)
        with m.Elif(self.rready):
            m.d.sync += self.rvalid.eq(0)
