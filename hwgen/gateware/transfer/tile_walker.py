"""Local-memory addresses of a tile transfer, one vector after the other."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import field_shapes
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.descriptor import BANK_ADDRESS_BITS, Queue

__all__ = ["TileWalker", "tile_layout"]


def tile_layout() -> data.StructLayout:
    """Layout of a tile's extent; the fields are those of the descriptor.

    Counts are at least 1; `pe_vectors` is 0 where all vectors are for one PE.
    """
    return data.StructLayout(
        field_shapes(
            Queue.LOAD,
            *("local_address", "bank", "groups", "rows", "columns"),
            *("local_plane", "local_row", "pe_x", "pe_vectors"),
        )
    )


class TileWalker(wiring.Component):
    """Bank and address of every vector of a tile: columns innermost, then rows, then groups.

    With g' = g + ``bank``, group g lies in bank g' mod L at ``local_address + (g' div L) * local_plane + row * local_row +
    column``. With ``pe_vectors`` a row's first ``pe_vectors`` columns are for PE ``pe_x``, the next columns for the PE to its right, and so
    on; in each PE they are counted from 0.

    Latency: 1 cycle from ``start`` to the first vector. Throughput: 1 vector per cycle.

    Parameters
    ----------
    banks : int
        Banks per PE (L).

    Members
    -------
    start : In(1)
        Strobe; starts over with the tile. The last vector may be advanced over in the same cycle.
    tile : In(tile_layout())
        The extent, with ``start``.
    advance : In(1)
        Go on to the next vector at the end of this cycle.
    valid : Out(1)
        High until the last vector was advanced over.
    pe_x, bank, address : Out
        Where the vector lies.
    last : Out(1)
        This is the last vector.
    """

    LATENCY = 1

    def __init__(self, banks: int) -> None:
        """Create an idle walker."""
        self.banks = banks
        super().__init__(
            {
                "start": In(1),
                "tile": In(tile_layout()),
                "advance": In(1),
                "valid": Out(1),
                "pe_x": Out(4),
                "bank": Out(address_bits(banks)),
                "address": Out(BANK_ADDRESS_BITS),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build three nested counters and the addresses that follow them."""
        m = Module()
        tile = Signal(tile_layout(), reset_less=True)
        columns_left = Signal(12)
        pe_left = Signal(12)
        rows_left = Signal(12)
        groups_left = Signal(12)
        row_address = Signal(BANK_ADDRESS_BITS)
        plane_address = Signal(BANK_ADDRESS_BITS)
        next_row_address = Signal(BANK_ADDRESS_BITS)
        next_group_address = Signal(BANK_ADDRESS_BITS)
        last_column = Signal()
        last_row = Signal()
        last_bank = Signal()
        m.d.comb += [
            last_column.eq(columns_left == 1),
            last_row.eq(rows_left == 1),
            last_bank.eq(self.bank == self.banks - 1),
            next_row_address.eq(row_address + tile.local_row),
            next_group_address.eq(plane_address),
            self.last.eq(last_column & last_row & (groups_left == 1)),
        ]
        with m.If(last_bank):
            m.d.comb += next_group_address.eq(plane_address + tile.local_plane)

        with m.If(self.start):
            m.d.sync += [
                tile.eq(self.tile),
                self.valid.eq(1),
                self.pe_x.eq(self.tile.pe_x),
                self.bank.eq(self.tile.bank),
                self.address.eq(self.tile.local_address),
                row_address.eq(self.tile.local_address),
                plane_address.eq(self.tile.local_address),
                columns_left.eq(self.tile.columns),
                # 0 becomes more than a row has
                pe_left.eq(self.tile.pe_vectors),
                rows_left.eq(self.tile.rows),
                groups_left.eq(self.tile.groups),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                columns_left.eq(tile.columns),
                pe_left.eq(tile.pe_vectors),
                self.pe_x.eq(tile.pe_x),
            ]
            with m.If(~last_column):
                m.d.sync += [
                    columns_left.eq(columns_left - 1),
                    pe_left.eq(pe_left - 1),
                    self.pe_x.eq(self.pe_x),
                    self.address.eq(self.address + 1),
                ]
                with m.If(pe_left == 1):
                    m.d.sync += [
                        pe_left.eq(tile.pe_vectors),
                        self.pe_x.eq(self.pe_x + 1),
                        self.address.eq(row_address),
                    ]
            with m.Elif(~last_row):
                m.d.sync += [
                    rows_left.eq(rows_left - 1),
                    self.address.eq(next_row_address),
                    row_address.eq(next_row_address),
                ]
            with m.Else():
                m.d.sync += [
                    self.valid.eq(groups_left != 1),
                    groups_left.eq(groups_left - 1),
                    rows_left.eq(tile.rows),
                    self.bank.eq(self.bank + 1),
                    self.address.eq(next_group_address),
                    row_address.eq(next_group_address),
                    plane_address.eq(next_group_address),
                ]
                with m.If(last_bank):
                    m.d.sync += self.bank.eq(0)
        return m
