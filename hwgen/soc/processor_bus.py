"""Bus of a system's processor: each access goes to one of four regions."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import lite_subordinate
from hwgen.gateware.host.csr import CSR_ADDRESS_BITS
from hwgen.gateware.primitives.ram import address_bits
from hwgen.soc.shared_ram import ram_port
from hwgen.soc.system_map import (
    RAM_BASE,
    REGION_BITS,
    REGISTERS_BASE,
    ROM_BASE,
    SERIAL_BASE,
    SystemConfig,
)

__all__ = ["ProcessorBus", "memory_access"]

_WORD_BYTES = 4


def memory_access() -> wiring.Signature:
    """Return PicoRV32's memory interface, as the processor sees it.

    Members
    -------
    valid : Out(1), ready : In(1)
        An access is asked for, and done. Until then nothing of it changes.
    address : Out(32)
        Of a byte; only the word counts.
    write_data : Out(32), mask : Out(4)
        Bytes to write; none to read.
    read_data : In(32)
        What was read, while `ready` is high.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "ready": In(1),
            "address": Out(32),
            "write_data": Out(32),
            "mask": Out(_WORD_BYTES),
            "read_data": In(32),
        }
    )


class ProcessorBus(wiring.Component):
    """Way from the processor to read-only memory, serial line, registers and shared memory.

    An access where nothing is, a store to read-only memory or a load from the serial line is never answered:
    `fault` rises and stays.

    Latency: 3 cycles to read-only memory, 3 or more to the shared memory, 2 or more to the serial line, 5 to the
    registers. Throughput: one access at a time.

    Parameters
    ----------
    config : SystemConfig

    Members
    -------
    processor : In(memory_access())
    rom_enable : Out(1), rom_address : Out, rom_data : In(32)
        Read-only memory, whose word is there a cycle later.
    serial : Out(stream.Signature(8))
        Bytes to send.
    ram : Out(ram_port(...))
        Shared memory.
    s_axil_* : Out
        The accelerator's registers, as a manager of AXI4-Lite.
    fault : Out(1)
        An access was to none of them.
    """

    def __init__(self, config: SystemConfig) -> None:
        """Create an idle bus."""
        self.config = config
        row_bytes = config.ram_row_bytes
        lite = lite_subordinate(CSR_ADDRESS_BITS)
        super().__init__(
            {
                "processor": In(memory_access()),
                "rom_enable": Out(1),
                "rom_address": Out(address_bits(config.rom_bytes // _WORD_BYTES)),
                "rom_data": In(32),
                "serial": Out(stream.Signature(8)),
                "ram": Out(ram_port(row_bytes, config.ram_bytes // row_bytes)),
                **{f"s_axil_{name}": member.flip() for name, member in lite.items()},
                "fault": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build a state machine with a state for each region."""
        m = Module()
        processor: Any = self.processor
        address, mask = processor.address, processor.mask
        writes = Signal()
        m.d.comb += writes.eq(mask.any())
        self._connect(m, address)

        def within(base: int, size: int) -> Any:
            bits = (size - 1).bit_length()
            return address[bits:] == base >> bits

        with m.FSM():
            with m.State("IDLE"), m.If(processor.valid):
                with m.If(within(ROM_BASE, self.config.rom_bytes) & ~writes):
                    m.d.comb += self.rom_enable.eq(1)
                    m.next = "ROM"
                with m.Elif(within(RAM_BASE, self.config.ram_bytes)):
                    m.next = "RAM"
                with m.Elif(within(SERIAL_BASE, 1 << REGION_BITS) & writes):
                    m.next = "SERIAL"
                with m.Elif(within(REGISTERS_BASE, 1 << CSR_ADDRESS_BITS)):
                    m.d.sync += [
                        self.s_axil_awvalid.eq(writes),
                        self.s_axil_wvalid.eq(writes),
                        self.s_axil_arvalid.eq(~writes),
                    ]
                    m.next = "REGISTERS"
                with m.Else():
                    m.d.sync += self.fault.eq(1)
                    m.next = "FAULT"
            with m.State("ROM"):
                m.d.comb += [processor.ready.eq(1), processor.read_data.eq(self.rom_data)]
                m.next = "IDLE"
            with m.State("RAM"):
                m.d.comb += self.ram.valid.eq(1)
                with m.If(self.ram.ready):
                    m.next = "ROW"
            with m.State("ROW"):
                m.d.comb += [processor.ready.eq(1), processor.read_data.eq(self._word(address))]
                m.next = "IDLE"
            with m.State("SERIAL"):
                m.d.comb += [self.serial.valid.eq(1), processor.ready.eq(self.serial.ready)]
                with m.If(self.serial.ready):
                    m.next = "IDLE"
            with m.State("REGISTERS"):
                for channel in ("aw", "w", "ar"):
                    valid = getattr(self, f"s_axil_{channel}valid")
                    with m.If(getattr(self, f"s_axil_{channel}ready")):
                        m.d.sync += valid.eq(0)
                m.d.comb += processor.read_data.eq(self.s_axil_rdata)
                with m.If(self.s_axil_bvalid | self.s_axil_rvalid):
                    m.d.comb += processor.ready.eq(1)
                    m.next = "IDLE"
            with m.State("FAULT"):
                pass
        return m

    def _connect(self, m: Module, address: Any) -> None:
        """Give every region the access, whichever it is for."""
        processor: Any = self.processor
        lanes = self.config.ram_row_bytes // _WORD_BYTES
        m.d.comb += [
            self.rom_address.eq(address[2:]),
            self.serial.payload.eq(processor.write_data[:8]),
            self.ram.row.eq(address[self._row_bits :]),
            self.ram.mask.eq(processor.mask << (self._lane(address) * _WORD_BYTES)),
            self.ram.write_data.eq(Cat(*[processor.write_data] * lanes)),
            *(self.s_axil_awaddr.eq(address), self.s_axil_araddr.eq(address)),
            *(self.s_axil_wdata.eq(processor.write_data), self.s_axil_wstrb.eq(processor.mask)),
            *(self.s_axil_bready.eq(1), self.s_axil_rready.eq(1)),
        ]

    @property
    def _row_bits(self) -> int:
        return self.config.ram_row_bytes.bit_length() - 1

    def _lane(self, address: Any) -> Any:
        """Return which word of its row an address is."""
        return address[2 : self._row_bits]

    def _word(self, address: Any) -> Any:
        row = self.ram.read_data
        words = Array(row[first : first + 32] for first in range(0, len(row), 32))
        return words[self._lane(address)]
