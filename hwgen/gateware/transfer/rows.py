"""Where the rows of a weight stream go: lane, parameter or register-file row."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.control import row_address_bits
from hwgen.gateware.primitives.layout import field_shapes
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = ["RowWalker", "columns_with", "weights_layout"]


def weights_layout() -> data.StructLayout:
    """Layout of a weight stream's shape; the fields are those of the descriptor, and ``together``."""
    return data.StructLayout(
        {
            **field_shapes(Queue.LOAD, "half", "lanes", "lane_mask", "column_lanes"),
            "together": 1,
            **field_shapes(Queue.LOAD, "parameter_rows", "weight_rows"),
        }
    )


class RowWalker(wiring.Component):
    """Destination of every row of a weight stream, in the stream's order.

    The stream consists of equal blocks: parameter rows, then register-file rows. The lanes in
    ``lane_mask`` take block 0, every further block goes one lane further.

    With ``column_lanes`` = n block b is for column b div n of PEs, and for the lanes of block b mod n.
    Rows of blocks of equal lanes take turns, column by column; the last column may have fewer blocks. With
    ``together`` they come at once, and `advance` is for all of them.

    Latency: 1 cycle from ``start`` to the first row. Throughput: 1 row per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Lanes and rows per half.

    Members
    -------
    start : In(1)
        Strobe; starts over with block 0. The last row may be advanced over in the same cycle.
    block : In(weights_layout())
        The stream's shape; at least one row per block. It must hold from ``start`` to the cycle
        before the last row is advanced over.
    advance : In(1)
        Go on to the next row at the end of this cycle.
    lanes : Out(L)
        Mask of the lanes that get the row.
    columns : Out(pes_x)
        Mask of the columns of PEs that get the row.
    parameter : Out(1)
        The row is a parameter row.
    address : Out
        half * 4 + row for a parameter row, half * weight_rows + row for a register-file row.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle walker."""
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "block": In(weights_layout()),
                "advance": In(1),
                "lanes": Out(config.compute_lanes),
                "columns": Out(config.pes_x),
                "parameter": Out(1),
                "address": Out(row_address_bits(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counter of a block's rows and the address that follows it."""
        m = Module()
        block = self.block
        rows_left = Signal(16)
        last_row = Signal()
        parameter_start = Signal.like(self.address)
        weight_start = Signal.like(self.address)
        m.d.comb += last_row.eq((rows_left == 1) & ~(self.parameter & (block.weight_rows != 0)))
        with m.If(block.half):
            m.d.comb += [
                parameter_start.eq(REQUANTIZER_PHASES),
                weight_start.eq(self.config.weight_rows),
            ]

        # Blocks from the present lane's on, and from the present column's of these
        lane_blocks, column_blocks = Signal(7), Signal(7)
        split, last_column, advance = Signal(), Signal(), Signal()
        m.d.comb += [
            split.eq(block.column_lanes != 0),
            advance.eq(self.advance & last_column),
        ]
        with m.If(self.advance):
            m.d.sync += [
                self.columns.eq(self.columns << 1),
                column_blocks.eq(column_blocks - block.column_lanes),
                last_column.eq(self._ends(column_blocks - block.column_lanes)),
            ]
        with m.If(advance):
            m.d.sync += [
                self.columns.eq(Mux(split & block.together, self.columns, Mux(split, 1, ~0))),
                column_blocks.eq(lane_blocks),
                last_column.eq(self._ends(lane_blocks)),
                self.address.eq(self.address + 1),
                rows_left.eq(rows_left - 1),
            ]
        with m.If(self.start | (advance & last_row)):
            # The first row of a block
            with m.If(block.parameter_rows != 0):
                m.d.sync += [
                    self.parameter.eq(1),
                    self.address.eq(parameter_start),
                    rows_left.eq(block.parameter_rows),
                ]
            with m.Else():
                m.d.sync += [
                    self.parameter.eq(0),
                    self.address.eq(weight_start),
                    rows_left.eq(block.weight_rows),
                ]
            m.d.sync += [
                self.lanes.eq(self.lanes << 1),
                self.columns.eq(self._first_columns(lane_blocks - 1)),
                lane_blocks.eq(lane_blocks - 1),
                column_blocks.eq(lane_blocks - 1),
                last_column.eq(self._ends(lane_blocks - 1)),
            ]
        with m.Elif(advance & (rows_left == 1)):
            # From the parameter rows to the register-file rows
            m.d.sync += [
                self.parameter.eq(0),
                self.address.eq(weight_start),
                rows_left.eq(block.weight_rows),
            ]
        with m.If(self.start):
            m.d.sync += [
                self.lanes.eq(block.lane_mask),
                self.columns.eq(self._first_columns(block.lanes)),
                lane_blocks.eq(block.lanes),
                column_blocks.eq(block.lanes),
                last_column.eq(self._ends(block.lanes)),
            ]
        return m

    def _ends(self, blocks: Any) -> Any:
        """Whether a lane's row is over with a column, where so many blocks are left from that column's on."""
        block = self.block
        return (block.column_lanes == 0) | block.together | (blocks <= block.column_lanes)

    def _first_columns(self, blocks: Any) -> Any:
        """Columns that get a lane's first row, where so many blocks are left."""
        block = self.block
        split = block.column_lanes != 0
        return Mux(split, Mux(block.together, columns_with(self.config, block, blocks), 1), ~0)


def columns_with(config: AcceleratorConfig, block: Any, blocks: Any) -> Any:
    """Mask of the columns of PEs that have a block in a lane, where so many are left from it on."""
    return Cat(x * block.column_lanes < blocks for x in range(config.pes_x))
