"""Single-port memory: a row is read or written in a cycle."""

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.unique import MODULE_PREFIX, EmitPlatform

__all__ = ["SINGLE_PORT_MODULE", "SinglePortRam"]

SINGLE_PORT_MODULE = f"{MODULE_PREFIX}single_port_ram"
"""Module of the primitive."""


class SinglePortRam(wiring.Component):
    """RAM of `depth` rows of `width` bits with one port that reads or writes.

    Half the area of :class:`~hwgen.gateware.primitives.ram.Ram`. Emission instantiates the primitive of
    ``hwgen/rtl/single_port_ram.v``, whose array is named ``memory``, so that a memory generator's macro
    can take its place. Contents are undefined at power-up and are not reset.

    Latency: 1 cycle. Throughput: 1 read or 1 write per cycle.

    Parameters
    ----------
    width : int
        Bits per row.
    depth : int
        Rows.

    Members
    -------
    enable : In(1)
        The port is used in this cycle.
    write : In(1)
        It writes `write_data` at the end of the cycle; else it reads.
    address : In
        Row.
    write_data : In
        Row to write.
    read_data : Out
        The row read last; holds while nothing is read.
    """

    def __init__(self, width: int, depth: int) -> None:
        """Create a memory of `depth` rows."""
        if width <= 0 or depth <= 0:
            raise ValueError(f"width and depth must be positive, not {width!r} and {depth!r}")
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "enable": In(1),
                "write": In(1),
                "address": In(address_bits(depth)),
                "write_data": In(width),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the simulation model, or the primitive when emitting Verilog."""
        if isinstance(platform, EmitPlatform):
            return Instance(
                SINGLE_PORT_MODULE,
                p_WIDTH=self.width,
                p_DEPTH=self.depth,
                p_ADDRESS_BITS=address_bits(self.depth),
                i_clk=ClockSignal(),
                i_enable=self.enable,
                i_write=self.write,
                i_address=self.address,
                i_write_data=self.write_data,
                o_read_data=self.read_data,
            )
        m = Module()
        m.submodules.model = model = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write, read = model.write_port(), model.read_port()
        m.d.comb += [
            write.en.eq(self.enable & self.write),
            write.addr.eq(self.address),
            write.data.eq(self.write_data),
            read.en.eq(self.enable & ~self.write),
            read.addr.eq(self.address),
            self.read_data.eq(read.data),
        ]
        return m
