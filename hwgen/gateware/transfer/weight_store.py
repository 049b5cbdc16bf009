"""Weight store: rows of weights that stay on the chip, for the LOADs that read them again."""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal
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

    Row r lies in row r div B of bank r mod B. B is a power of two, as many as PE columns or more: as many
    consecutive rows as there are columns are in different banks.

    Latency: 1 cycle from `read` to `data`. Throughput: a row written, or up to `pes_x` rows read, per cycle.

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
        Read the next rows; only while `granted`, from the cycle after `start` on.
    rows : In
        With `read`: how many, 1 … pes_x.
    last : Out(1)
        With `read`: the last row of the LOAD is among them.
    data : Out(8 * row_bytes).array(pes_x)
        The rows, in the cycle after `read`; all columns have a single row, else those beyond `rows` are any.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a store without grants."""
        self.config = config
        self.banks = 1 << (config.pes_x - 1).bit_length()
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
                "rows": In(range(config.pes_x + 1)),
                "last": Out(1),
                "data": Out(8 * config.row_bytes).array(config.pes_x),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory, its address and the line of grants."""
        m = Module()
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
            self.last.eq(address + self.rows - 1 == ends[oldest]),
            ended.eq(self.read & self.last),
        ]
        self._store(m, address)
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
            m.d.sync += address.eq(address + Mux(self.read, self.rows, 1))
        return m

    def _store(self, m: Module, address: Signal) -> None:
        """Build the banks, and the choice of each column's row among them."""
        bank_bits = (self.banks - 1).bit_length()
        depth = -(-self.config.store_rows // self.banks)
        read: list[Any] = []
        for index in range(self.banks):
            bank = SinglePortRam(8 * self.config.row_bytes, depth)
            m.submodules[f"bank_{index}"] = bank
            # of the B rows from `address` on, the row that lies in this bank, and how far it is
            place = Signal(range(self.config.store_rows + self.banks), name=f"place_{index}")
            distance = Signal(max(1, bank_bits), name=f"distance_{index}")
            m.d.comb += [
                place.eq(address + (self.banks - 1 - index)),
                distance.eq((index - address)[:bank_bits] if bank_bits else 0),
                bank.enable.eq(
                    (self.read & (distance < self.rows)) | (self.write & (distance == 0))
                ),
                bank.write.eq(self.write),
                bank.address.eq(place[bank_bits:]),
                bank.write_data.eq(self.write_data),
            ]
            read.append(bank.read_data)

        for x, port in enumerate(self.data):
            chosen = read
            if bank_bits:
                turn = Signal(bank_bits, name=f"turn_{x}", reset_less=True)
                with m.If(self.read):
                    m.d.sync += turn.eq(address + Mux(self.rows == 1, 0, x))
                for bit in turn:
                    pairs = zip(chosen[::2], chosen[1::2], strict=True)
                    chosen = [Mux(bit, odd, even) for even, odd in pairs]
            m.d.comb += port.eq(chosen[0])
