"""Weight store: rows of weights that stay on the chip, for the LOADs that read them again."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.single_port_ram import SinglePortRam
from hwgen.gateware.transfer.tile_transfer import HELD
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["WeightStore"]


class WeightStore(wiring.Component):
    """Single-port memory of register-file rows, walked over by the LOAD that is first in line.

    LOADs take their turns in order, so one port is enough: a LOAD that fills writes, a LOAD that reads
    reads. A read is granted by the request side, which knows its last row, before its turn comes.

    Latency: 1 cycle from `read` to `data`. Throughput: 1 row per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Width and number of rows; the store must have a row.

    Members
    -------
    grant : In(1)
        Strobe: the next LOAD that reads may do so. Up to HELD grants wait.
    last_row : In
        With `grant`: the last row that it reads.
    granted : Out(1)
        From the cycle after a `grant` until its last row is read.
    start : In(1)
        Strobe: `row` is the first row of the LOAD whose turn comes. A row of the LOAD before may be
        written in the same cycle.
    row : In
        Within the store.
    write : In(1)
        Write `write_data` to the next row; not in a cycle of `read`.
    write_data : In
        Row to write.
    read : In(1)
        Read the next row; only while `granted`, from the cycle after `start` on.
    last : Out(1)
        With `read`: it is the last row of the LOAD.
    data : Out
        The row, in the cycle after `read`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a store without grants."""
        self.config = config
        bits = address_bits(config.store_rows)
        super().__init__(
            {
                "grant": In(1),
                "last_row": In(bits),
                "granted": Out(1),
                "start": In(1),
                "row": In(bits),
                "write": In(1),
                "write_data": In(8 * config.row_bytes),
                "read": In(1),
                "last": Out(1),
                "data": Out(8 * config.row_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory, its address and the line of grants."""
        m = Module()
        m.submodules.storage = ram = SinglePortRam(
            8 * self.config.row_bytes, self.config.store_rows
        )
        address = Signal.like(self.row, reset_less=True)
        ends = Array(
            Signal.like(self.last_row, name=f"last_row_{place}", reset_less=True)
            for place in range(HELD)
        )
        newest, oldest = Signal(range(HELD)), Signal(range(HELD))
        waiting = Signal(range(HELD + 1))
        ended = Signal()
        m.d.comb += [
            self.granted.eq(waiting != 0),
            self.last.eq(address == ends[oldest]),
            ended.eq(self.read & self.last),
            ram.enable.eq(self.read | self.write),
            ram.write.eq(self.write),
            ram.address.eq(address),
            ram.write_data.eq(self.write_data),
            self.data.eq(ram.read_data),
        ]
        m.d.sync += [
            waiting.eq(waiting + self.grant - ended),
            newest.eq(newest + self.grant),
            oldest.eq(oldest + ended),
        ]
        with m.If(self.grant):
            m.d.sync += ends[newest].eq(self.last_row)
        with m.If(self.start):
            m.d.sync += address.eq(self.row)
        with m.Elif(self.read | self.write):
            m.d.sync += address.eq(address + 1)
        return m
