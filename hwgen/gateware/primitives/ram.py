"""Simple dual-port memory: a row is read and a row is written in a cycle."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.unique import EmitPlatform

__all__ = ["Ram", "address_bits"]


def address_bits(depth: int) -> int:
    """Width of an address into `depth` rows, at least 1."""
    return max(1, (depth - 1).bit_length())


class Ram(wiring.Component):
    """RAM of `depth` rows of `width` bits with one write port and one registered read port.

    Emission instantiates the primitive of ``hwgen/rtl/ram.v``, whose array is named ``memory``, so
    that a memory generator's macro can take its place. Contents are undefined at power-up and
    are not reset. Reading a row in the cycle that writes it gives either value.

    Latency: 1 cycle. Throughput: 1 read and 1 write per cycle.

    Parameters
    ----------
    width : int
        Bits per row.
    depth : int
        Rows.

    Members
    -------
    write_enable, write_address, write_data : In
        Written at the end of the cycle.
    read_enable, read_address : In
        Row to read.
    read_data : Out
        The row read last; holds while ``read_enable`` is low.
    """

    def __init__(self, width: int, depth: int) -> None:
        """Create a memory of `depth` rows."""
        if width <= 0 or depth <= 0:
            raise ValueError(f"width and depth must be positive, not {width!r} and {depth!r}")
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(address_bits(depth)),
                "write_data": In(width),
                "read_enable": In(1),
                "read_address": In(address_bits(depth)),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the simulation model, or the primitive when emitting Verilog."""
        if isinstance(platform, EmitPlatform):
            return Instance(
                "cosilico_ram",
                p_WIDTH=self.width,
                p_DEPTH=self.depth,
                p_ADDRESS_BITS=address_bits(self.depth),
                i_clk=ClockSignal(),
                i_write_enable=self.write_enable,
                i_write_address=self.write_address,
                i_write_data=self.write_data,
                i_read_enable=self.read_enable,
                i_read_address=self.read_address,
                o_read_data=self.read_data,
            )
        m = Module()
        m.submodules.model = model = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write, read = model.write_port(), model.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
        ]
        return m
