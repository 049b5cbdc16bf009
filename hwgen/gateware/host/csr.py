"""Control and status registers behind an AXI4-Lite subordinate port."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import lite_subordinate
from hwgen.gateware.bus.faults import CAUSE_BITS, RESPONSE_BITS
from hwgen.gateware.bus.pages import PAGE_SHIFT, pages_layout
from hwgen.gateware.host.life import PORT_BITS
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import ADDRESS_BITS, DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES
from sim.spec.header import HEADER_MAGIC, HEADER_VERSION
from sim.spec.stops import StopCause

__all__ = [
    "COUNTERS",
    "CSR_ADDRESS_BITS",
    "INTERRUPTS",
    "REGISTERS",
    "REGISTERS_VERSION",
    "STATUS_BITS",
    "CsrUnit",
    "Register",
    "capabilities",
]


CSR_ADDRESS_BITS = 8
"""Width of the AXI4-Lite byte address."""

REGISTERS_VERSION = 4
"""Version of the register map."""

STATUS_BITS = ("busy", "done", "refused", "hazard", "error", "unresponsive", "stopping")
"""Bits of STATUS, from bit 0 up."""

INTERRUPTS = ("done", "error", "refused")
"""Bits of IRQ_ENABLE and IRQ_PENDING, from bit 0 up."""


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

CAPABILITIES = (
    Register("VERSION", 0x5C, "R", "bits 15:0 of the program's header, 31:16 of the register map"),
    Register("GRID", 0x60, "R", "bytes from bit 0 up: pes_y, pes_x, compute_lanes, simd_units"),
    Register("REGISTER_FILE", 0x64, "R", "bits 23:0 weight rows of a half, 31:24 accumulator rows"),
    Register("BANK_DEPTH", 0x68, "R", "vectors of a bank of local memory"),
    Register(
        "BUS", 0x6C, "R", "bytes from bit 0 up: data port's and descriptor port's, address bits"
    ),
    Register("WEIGHT_STORE", 0x70, "R", "rows of the weight store, 0 without"),
)
"""Registers that tell what has been built; see :func:`capabilities`."""

REGISTERS = (
    Register("ID", 0x00, "R", "0x4C49534F"),
    Register("FINGERPRINT", 0x04, "R", "hash of the configuration"),
    Register("CONTROL", 0x08, "W", "bit 0: doorbell, 1: abort"),
    Register("STATUS", 0x0C, "R", "busy, done, refused, hazard, error, unresponsive, stopping"),
    Register("IRQ_ENABLE", 0x10, "RW", "interrupt when done, error, refused"),
    Register("IRQ_PENDING", 0x14, "W1C", "done, error, refused"),
    Register("PROGRAM", 0x18, "RW", "byte address of the header, 64-byte aligned"),
    Register("MEMORY_BASE", 0x1C, "RW", "added to every address, 4 KiB aligned"),
    Register("CYCLES", 0x20, "R", "cycles from doorbell to done or stop"),
    *COUNTERS,
    Register("ERROR", 0x48, "R", "bits 2:0 StopCause, 5:4 Port, 9:8 response of the bus"),
    Register("ERROR_ADDRESS", 0x4C, "R", "byte address of that burst, header or descriptor"),
    Register("TIMEOUT", 0x50, "RW", "cycles without progress that stop a program, 0 for any"),
    Register("WINDOW_BASE", 0x54, "RW", "first byte that may be accessed, 4 KiB aligned"),
    Register("WINDOW_LIMIT", 0x58, "RW", "first byte of the last 4 KiB that may be accessed"),
    *CAPABILITIES,
    Register("INPUT_OFFSET", 0x74, "RW", "added to every gathering LOAD's address, 4 KiB aligned"),
)
"""The register map; other offsets read 0 and ignore writes."""

_OFFSETS = {register.name: register.offset for register in REGISTERS}


def capabilities(config: AcceleratorConfig) -> dict[str, int]:
    """Value of every register of CAPABILITIES, by name."""
    grid = (config.pes_y, config.pes_x, config.compute_lanes, config.simd_units)
    bus = (config.bus_bytes, DESCRIPTOR_PORT_BYTES, ADDRESS_BITS)
    return {
        "VERSION": HEADER_VERSION | REGISTERS_VERSION << 16,
        "GRID": int.from_bytes(grid, "little"),
        "REGISTER_FILE": config.weight_rows | config.accumulator_rows << 24,
        "BANK_DEPTH": config.bank_depth,
        "BUS": int.from_bytes(bus, "little"),
        "WEIGHT_STORE": config.store_rows,
    }


class CsrUnit(wiring.Component):
    """The register map and the interrupts.

    CYCLES counts the cycles in which the program is `busy`. Status flags and counters are cleared when
    a program starts.

    Latency: reads 1 cycle, writes 1 cycle. Throughput: one access per 2 cycles in each direction.

    Parameters
    ----------
    config : AcceleratorConfig
        Whose fingerprint and capabilities can be read.

    Members
    -------
    awaddr … rready
        AXI4-Lite (:func:`lite_subordinate`); write strobes are honoured, responses are OKAY.
    doorbell, abort : Out(1)
        Pulses: the host asks for it. Whether they count is for :class:`~hwgen.gateware.host.life.Life` to say.
    program, memory_base, input_offset, timeout : Out(32)
        The registers.
    pages : Out(pages_layout())
        The window; reset to all addresses.
    start, busy, stop, finished, stopped, unresponsive, cause, port, response, address : In
        Of :class:`~hwgen.gateware.host.life.Life`.
    hazard : In(1)
        Sets the STATUS flag.
    execute_busy … write_stalls : In(1)
        Counted, see COUNTERS.
    irq : Out(1)
        Level: pending and enabled.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the registers at their reset values."""
        self.config = config
        counted: dict[str, Any] = {register.name.lower(): In(1) for register in COUNTERS}
        super().__init__(
            {
                **lite_subordinate(CSR_ADDRESS_BITS),
                "doorbell": Out(1),
                "abort": Out(1),
                "program": Out(32),
                "memory_base": Out(32),
                "input_offset": Out(32),
                "timeout": Out(32),
                "pages": Out(pages_layout()),
                "start": In(1),
                "busy": In(1),
                "stop": In(1),
                "finished": In(1),
                "stopped": In(1),
                "unresponsive": In(1),
                "cause": In(CAUSE_BITS),
                "port": In(PORT_BITS),
                "response": In(RESPONSE_BITS),
                "address": In(32),
                "hazard": In(1),
                **counted,
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
        order = Signal(2)
        m.d.comb += [
            order.eq(Mux(writing("CONTROL") & strobes[0], written[:2], 0)),
            self.doorbell.eq(order[0]),
            self.abort.eq(order[1]),
        ]
        refusal = self.cause == StopCause.REFUSED
        events = {
            "done": self.finished,
            "error": self.stopped & ~refusal,
            "refused": self.stopped & refusal,
        }
        flags = {name: Signal(name=f"{name}_flag") for name in ("hazard", *events)}
        for name, event in {**events, "hazard": self.hazard}.items():
            m.d.sync += flags[name].eq(~self.start & (flags[name] | event))

        # Interrupts: an event in the cycle of its clearing stays
        enable = Signal(len(INTERRUPTS))
        pending = Signal(len(INTERRUPTS))
        cleared = Signal(len(INTERRUPTS))
        raised = Cat(events[name] for name in INTERRUPTS)
        with m.If(writing("IRQ_ENABLE") & strobes[0]):
            m.d.sync += enable.eq(written)
        with m.If(writing("IRQ_PENDING") & strobes[0]):
            m.d.comb += cleared.eq(written)
        m.d.sync += pending.eq((pending & ~cleared) | raised)
        m.d.comb += self.irq.eq((enable & pending).any())

        # Values that the host sets
        first_page, last_page = Signal(32), Signal(32, init=-PAGE_BYTES & 0xFFFFFFFF)
        m.d.comb += [
            self.pages.first.eq(first_page[PAGE_SHIFT:]),
            self.pages.last.eq(last_page[PAGE_SHIFT:]),
        ]
        for name, register, alignment in (
            ("PROGRAM", self.program, DESCRIPTOR_BYTES),
            ("MEMORY_BASE", self.memory_base, PAGE_BYTES),
            ("INPUT_OFFSET", self.input_offset, PAGE_BYTES),
            ("TIMEOUT", self.timeout, 1),
            ("WINDOW_BASE", first_page, PAGE_BYTES),
            ("WINDOW_LIMIT", last_page, PAGE_BYTES),
        ):
            mask = Cat(strobe.replicate(8) for strobe in strobes) & Const(-alignment, 32)
            with m.If(writing(name)):
                m.d.sync += register.eq((register & ~mask) | (written & mask))

        status = {"busy": self.busy, "unresponsive": self.unresponsive, "stopping": self.stop}
        status |= flags
        values = {
            "ID": Const(HEADER_MAGIC, 32),
            "FINGERPRINT": Const(self.config.fingerprint, 32),
            "STATUS": Cat(status[name] for name in STATUS_BITS),
            "IRQ_ENABLE": enable,
            "IRQ_PENDING": pending,
            "PROGRAM": self.program,
            "MEMORY_BASE": self.memory_base,
            "INPUT_OFFSET": self.input_offset,
            "CYCLES": self._counter(m, "cycles", self.busy),
            "ERROR": Cat(
                self.cause,
                Const(0, 4 - CAUSE_BITS),
                self.port,
                Const(0, 4 - PORT_BITS),
                self.response,
            ),
            "ERROR_ADDRESS": self.address,
            "TIMEOUT": self.timeout,
            "WINDOW_BASE": first_page,
            "WINDOW_LIMIT": last_page,
            **{name: Const(value, 32) for name, value in capabilities(self.config).items()},
        }
        for register in COUNTERS:
            name = register.name.lower()
            values[register.name] = self._counter(m, name, getattr(self, name))
        self._reads(m, values)
        return m

    def _counter(self, m: Module, name: str, event: Signal) -> Signal:
        """Return a register that counts the cycles of `event` since the start."""
        count = Signal(32, name=f"{name}_count")
        m.d.sync += count.eq(Mux(self.start, 0, count + event))
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
