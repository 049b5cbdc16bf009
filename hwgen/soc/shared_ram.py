"""Memory of a system, which several units share row by row."""

from typing import Any

from amaranth.hdl import Array, ClockSignal, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.unique import EmitPlatform

__all__ = ["BYTE_RAM_MODULE", "ByteRam", "SharedRam", "ram_port"]

BYTE_RAM_MODULE = "cosilico_byte_ram"
"""Module of ``hwgen/soc/rtl/byte_ram.v``."""


def ram_port(row_bytes: int, rows: int) -> wiring.Signature:
    """Return the signature of a unit that reads and writes rows.

    A row is asked for while `valid` is high and taken in the cycle in which `ready` is high as well.
    What was read is there in the next cycle alone.

    Members
    -------
    valid : Out(1), ready : In(1)
        A row is asked for, and granted. `valid` must not wait for `ready`.
    row : Out
        Its number.
    mask : Out(row_bytes)
        Bytes to write; none to read.
    write_data : Out(8 * row_bytes), read_data : In(8 * row_bytes)
        The row.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "ready": In(1),
            "row": Out(address_bits(rows)),
            "mask": Out(row_bytes),
            "write_data": Out(8 * row_bytes),
            "read_data": In(8 * row_bytes),
        }
    )


class ByteRam(wiring.Component):
    """Memory with one port that writes bytes of a row, or reads a row.

    Emission instantiates the primitive of ``hwgen/soc/rtl/byte_ram.v``. Contents are undefined at power-up and are
    not reset.

    Latency: 1 cycle. Throughput: 1 row per cycle.

    Parameters
    ----------
    row_bytes : int
    rows : int

    Members
    -------
    enable : In(1)
        Something is to be done.
    address : In
        Row.
    mask : In(row_bytes)
        Bytes to write; none to read.
    write_data : In(8 * row_bytes)
    read_data : Out(8 * row_bytes)
        The row read last.
    """

    def __init__(self, row_bytes: int, rows: int) -> None:
        """Create a memory of `rows` rows."""
        if row_bytes <= 0 or rows <= 0:
            raise ValueError(f"row_bytes and rows must be positive, not {row_bytes!r} and {rows!r}")
        self.row_bytes, self.rows = row_bytes, rows
        super().__init__(
            {
                "enable": In(1),
                "address": In(address_bits(rows)),
                "mask": In(row_bytes),
                "write_data": In(8 * row_bytes),
                "read_data": Out(8 * row_bytes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the simulation model, or the primitive when emitting Verilog."""
        if isinstance(platform, EmitPlatform):
            return Instance(
                BYTE_RAM_MODULE,
                p_BYTES=self.row_bytes,
                p_DEPTH=self.rows,
                p_ADDRESS_BITS=address_bits(self.rows),
                i_clk=ClockSignal(),
                i_enable=self.enable,
                i_address=self.address,
                i_mask=self.mask,
                i_write_data=self.write_data,
                o_read_data=self.read_data,
            )
        m = Module()
        model = memory.Memory(shape=8 * self.row_bytes, depth=self.rows, init=[])
        m.submodules.model = model
        write, read = model.write_port(granularity=8), model.read_port()
        m.d.comb += [
            *(write.addr.eq(self.address), read.addr.eq(self.address)),
            write.data.eq(self.write_data),
            self.read_data.eq(read.data),
        ]
        with m.If(self.enable):
            m.d.comb += [write.en.eq(self.mask), read.en.eq(~self.mask.any())]
        with m.Else():
            m.d.comb += read.en.eq(0)
        return m


class SharedRam(wiring.Component):
    """Memory of rows that clients take turns at: after a grant a client is the last in line.

    Latency: 1 cycle from a grant to the row. Throughput: 1 row per cycle for all clients together.

    Parameters
    ----------
    row_bytes : int
    rows : int
    clients : int

    Members
    -------
    client_<i> : In(ram_port(row_bytes, rows))
        The port of a client.
    """

    def __init__(self, row_bytes: int, rows: int, clients: int) -> None:
        """Create a memory for `clients` clients."""
        if clients <= 0:
            raise ValueError(f"clients must be positive, not {clients!r}")
        self.row_bytes, self.rows, self.clients = row_bytes, rows, clients
        port = ram_port(row_bytes, rows)
        super().__init__({f"client_{index}": In(port) for index in range(clients)})

    def client(self, index: int) -> Any:
        """Return the port of a client."""
        return getattr(self, f"client_{index}")

    def elaborate(self, platform: object) -> Module:
        """Build the memory and the arbiter."""
        m = Module()
        m.submodules.memory = ram = ByteRam(self.row_bytes, self.rows)
        ports = [self.client(index) for index in range(self.clients)]
        chosen = Signal(range(self.clients))
        last = Signal(range(self.clients))
        asked = Signal(self.clients)
        m.d.comb += [asked[index].eq(port.valid) for index, port in enumerate(ports)]
        with m.Switch(last):
            for previous in range(self.clients):
                with m.Case(previous):
                    # The last assignment counts: who comes behind the previous client is first in line
                    for distance in range(self.clients, 0, -1):
                        candidate = (previous + distance) % self.clients
                        with m.If(asked[candidate]):
                            m.d.comb += chosen.eq(candidate)
        with m.If(asked.any()):
            m.d.sync += last.eq(chosen)
        m.d.comb += ram.enable.eq(asked.any())
        for name in ("address", "mask", "write_data"):
            member = "row" if name == "address" else name
            choices = Array(getattr(port, member) for port in ports)
            m.d.comb += getattr(ram, name).eq(choices[chosen])
        for index, port in enumerate(ports):
            m.d.comb += [
                port.ready.eq(asked[index] & (chosen == index)),
                port.read_data.eq(ram.read_data),
            ]
        return m
