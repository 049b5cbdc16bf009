"""Window ring: a lane's last vectors, four of which are read at once."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import Ram, address_bits
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS

__all__ = ["Ring"]


class Ring(wiring.Component):
    """Holds 64 vectors in a circle and reads any 4 that follow one another, the last of them farther on.

    Position p lies in row ⌊p / 4⌋ of bank p mod 4, so that 4 positions in a row are always in 4
    different banks, and so they are if some of them are whole rows farther on. Reading a position in the cycle that writes it gives either vector.

    Latency: 1 cycle. Throughput: 1 write of a vector and 1 read of 4 vectors per cycle.

    Parameters
    ----------
    vector_bits : int
        Bits of a vector.

    Members
    -------
    write_enable, write_position, write_data : In
        Written at the end of the cycle.
    read_enable, read_position : In
        First of the 4 positions to read.
    beyond, gap : In
        Those of the 4 positions, bit j for the j-th, that are so many rows farther on.
    vectors : Out(vector_bits).array(4)
        The vectors read last, that of `read_position` first; hold while `read_enable` is low.
    """

    def __init__(self, vector_bits: int) -> None:
        """Create a ring of vectors of `vector_bits`."""
        self.vector_bits = vector_bits
        position = address_bits(WINDOW_VECTORS)
        super().__init__(
            {
                "write_enable": In(1),
                "write_position": In(position),
                "write_data": In(vector_bits),
                "read_enable": In(1),
                "read_position": In(position),
                "beyond": In(DOT_WIDTH),
                "gap": In(address_bits(WINDOW_VECTORS // DOT_WIDTH)),
                "vectors": Out(vector_bits).array(DOT_WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        bank_bits = address_bits(DOT_WIDTH)
        rows = WINDOW_VECTORS // DOT_WIDTH

        # Cycle 1: read every bank; those below the first position's are one row further
        read: list[Any] = []
        for index in range(DOT_WIDTH):
            bank = Ram(self.vector_bits, rows)
            m.submodules[f"bank_{index}"] = bank
            position = Signal(address_bits(WINDOW_VECTORS), name=f"position_{index}")
            place = Signal(bank_bits, name=f"place_{index}")
            row = Signal(address_bits(rows), name=f"row_{index}")
            m.d.comb += [
                # in the row of the one of the 4 positions that lies in this bank
                position.eq(self.read_position + (DOT_WIDTH - 1 - index)),
                place.eq(index - self.read_position[:bank_bits]),
                row.eq(position[bank_bits:] + Mux(self.beyond.bit_select(place, 1), self.gap, 0)),
                bank.write_enable.eq(
                    self.write_enable & (self.write_position[:bank_bits] == index)
                ),
                bank.write_address.eq(self.write_position[bank_bits:]),
                bank.write_data.eq(self.write_data),
                bank.read_enable.eq(self.read_enable),
                bank.read_address.eq(row),
            ]
            read.append(bank.read_data)

        # Cycle 2: the first position's bank first
        rotation = Signal(bank_bits, reset_less=True)
        with m.If(self.read_enable):
            m.d.sync += rotation.eq(self.read_position[:bank_bits])
        for bit in range(bank_bits):
            rotated = []
            for index, vector in enumerate(read):
                signal = Signal(self.vector_bits, name=f"rotated_{bit}_{index}")
                following = read[(index + (1 << bit)) % DOT_WIDTH]
                m.d.comb += signal.eq(Mux(rotation[bit], following, vector))
                rotated.append(signal)
            read = rotated
        m.d.comb += [port.eq(vector) for port, vector in zip(self.vectors, read, strict=True)]
        return m
