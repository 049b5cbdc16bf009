"""AXI4 subordinates in front of a shared memory: bursts become rows."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import read_manager, write_manager
from hwgen.soc.shared_ram import ram_port

__all__ = ["DECERR", "OKAY", "AxiRamReader", "AxiRamWriter"]

OKAY, DECERR = 0b00, 0b11
"""Responses: done, and an address where there is no memory."""

_BUFFERED = 4
"""Beats between the memory and its reader: the row on its way, and some to go on with after a pause."""


class _Window:
    """Place of a memory on the bus: whether an address lies in it, and which row and lane that is."""

    def __init__(self, data_bytes: int, row_bytes: int, rows: int, base: int) -> None:
        for name, value in (("data_bytes", data_bytes), ("row_bytes", row_bytes), ("rows", rows)):
            if value <= 0 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if data_bytes > row_bytes:
            raise ValueError(f"data_bytes must be at most a row's {row_bytes}, not {data_bytes!r}")
        if base % (row_bytes * rows):
            raise ValueError(f"base must be a multiple of the memory's size, not {base:#x}")
        self.data_bytes, self.row_bytes, self.base = data_bytes, row_bytes, base
        self.beat_bits = data_bytes.bit_length() - 1
        self.row_bits = row_bytes.bit_length() - 1
        self.size_bits = (row_bytes * rows).bit_length() - 1

    def outside(self, address: Value) -> Value:
        """Whether an address is none of the memory's."""
        return address[self.size_bits :] != self.base >> self.size_bits

    def row(self, address: Value) -> Value:
        """Return the row of an address."""
        return address[self.row_bits : self.size_bits]

    def lane(self, address: Value) -> Value:
        """Return which beat of its row an address is, 0 where a row is a beat."""
        lane = address[self.beat_bits : self.row_bits]
        return lane if len(lane) else Const(0, 1)

    def beat(self, row: Value, lane: Value) -> Value:
        """Return one beat of a row."""
        bits = 8 * self.data_bytes
        return Array(row[first : first + bits] for first in range(0, len(row), bits))[lane]


class AxiRamReader(wiring.Component):
    """Reads of bursts, one after another, from a memory.

    Bursts are INCR, of the bus's width, aligned, and do not cross 4 KiB, as the accelerator's are. A burst
    that begins outside of the memory is answered with DECERR.

    Latency: 3 cycles from the address to the first beat, if the memory grants at once. Throughput: 1 beat per cycle; a
    cycle is lost between bursts.

    Parameters
    ----------
    data_bytes : int
        Width of the bus.
    row_bytes, rows : int
        The memory.
    base : int
        Its address.

    Members
    -------
    ar*, r* : In
        Read channels, by AXI's names.
    ram : Out(ram_port(row_bytes, rows))
        The memory.
    """

    def __init__(self, data_bytes: int, row_bytes: int, rows: int, base: int) -> None:
        """Create an idle reader."""
        self._window = _Window(data_bytes, row_bytes, rows, base)
        super().__init__(
            {
                **{name: member.flip() for name, member in read_manager(data_bytes).items()},
                "ram": Out(ram_port(row_bytes, rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build address counter, the row on its way and the buffer behind it."""
        m = Module()
        window = self._window
        ram: Any = self.ram
        m.submodules.beats = beats = fifo.SyncFIFO(width=8 * window.data_bytes + 3, depth=_BUFFERED)
        active, wrong = Signal(), Signal()
        address, left = Signal(32), Signal(8)
        flying, flying_wrong, flying_last = Signal(), Signal(), Signal()
        flying_lane = Signal.like(window.lane(address))
        room, asked = Signal(), Signal()

        # Cycle 0: the address
        m.d.comb += self.arready.eq(~active)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [
                *(active.eq(1), address.eq(self.araddr), left.eq(self.arlen)),
                wrong.eq(window.outside(self.araddr)),
            ]
        # Cycle 1: a row is asked for
        m.d.comb += [
            room.eq(beats.level + flying < _BUFFERED),
            ram.valid.eq(active & room & ~wrong),
            ram.row.eq(window.row(address)),
            asked.eq(active & room & (wrong | ram.ready)),
        ]
        m.d.sync += flying.eq(asked)
        with m.If(asked):
            m.d.sync += [
                *(address.eq(address + window.data_bytes), left.eq(left - 1)),
                *(flying_wrong.eq(wrong), flying_last.eq(left == 0)),
                flying_lane.eq(window.lane(address)),
            ]
            with m.If(left == 0):
                m.d.sync += active.eq(0)
        # Cycle 2: it is there
        response = Mux(flying_wrong, DECERR, OKAY)
        m.d.comb += [
            beats.w_en.eq(flying),
            beats.w_data.eq(
                Cat(window.beat(ram.read_data, flying_lane), response[:2], flying_last)
            ),
        ]
        # Cycle 3: and leaves
        m.d.comb += [
            self.rvalid.eq(beats.r_rdy),
            beats.r_en.eq(self.rready),
            Cat(self.rdata, self.rresp, self.rlast).eq(beats.r_data),
        ]
        return m


class AxiRamWriter(wiring.Component):
    """Writes of bursts, one after another, into a memory.

    Bursts are those that :class:`AxiRamReader` takes. Nothing of a burst that begins outside of the memory is
    written, and its response is DECERR.

    Latency: 1 cycle from the last beat to the response. Throughput: 1 beat per cycle that the memory grants; two cycles are
    lost between bursts.

    Parameters
    ----------
    data_bytes, row_bytes, rows, base : int
        As those of :class:`AxiRamReader`.

    Members
    -------
    aw*, w*, b* : In
        Write channels, by AXI's names; ``wstrb`` as well.
    ram : Out(ram_port(row_bytes, rows))
        The memory.
    """

    def __init__(self, data_bytes: int, row_bytes: int, rows: int, base: int) -> None:
        """Create an idle writer."""
        self._window = _Window(data_bytes, row_bytes, rows, base)
        super().__init__(
            {
                **{name: member.flip() for name, member in write_manager(data_bytes).items()},
                "wstrb": In(data_bytes),
                "ram": Out(ram_port(row_bytes, rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the address counter and the response."""
        m = Module()
        window = self._window
        ram: Any = self.ram
        active, wrong = Signal(), Signal()
        address = Signal(32)
        lanes = window.row_bytes // window.data_bytes
        m.d.comb += [
            self.awready.eq(~active & ~self.bvalid),
            ram.valid.eq(active & self.wvalid & ~wrong),
            ram.row.eq(window.row(address)),
            ram.mask.eq(self.wstrb << (window.lane(address) * window.data_bytes)),
            ram.write_data.eq(Cat(*[self.wdata] * lanes)),
            self.wready.eq(active & (wrong | ram.ready)),
            self.bresp.eq(Mux(wrong, DECERR, OKAY)),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [
                *(active.eq(1), address.eq(self.awaddr)),
                wrong.eq(window.outside(self.awaddr)),
            ]
        with m.If(self.wvalid & self.wready):
            m.d.sync += address.eq(address + window.data_bytes)
            with m.If(self.wlast):
                m.d.sync += [active.eq(0), self.bvalid.eq(1)]
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)
        return m
