"""Column walker: the order in which a window of DEPTHWISE or POOL reads its inputs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS, AcceleratorConfig

__all__ = ["ColumnWalker"]


class ColumnWalker(wiring.Component):
    """Walks the taps of a column of windows: column by column from the top down, or row by row.

    Either all columns, or those that the windows to the left do not have: the last `stride_x`.

    Latency: 1 cycle from `restart` to the first tap. Throughput: one tap per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor : In(execute_layout())
        The descriptor of the present windows, from the cycle after `restart` on.
    restart : In(1)
        Go to the first tap of the windows that start at `start_address`.
    fresh : In(1)
        With `restart`: walk only the new columns. Not for a descriptor's first windows.
    start_address, start_y, start_x : In
        Address and image coordinates of the first window's tap (0, 0).
    fresh_address, fresh_x : In
        As `start_address` and `start_x`, with `fresh`.
    start_position : In
        Ring position for the first vector.
    start_rows, start_columns : In
        Size of the kernel of the descriptor that follows `restart`.
    by_rows : In(1)
        Walk row by row.
    wait : In(1)
        The present tap is not read in this cycle, but later.
    last_row : In
        With `by_rows`: 1 less the rows beyond the first window's. Used from the second cycle after `restart` on.
    valid : Out(1)
        There is a tap in this cycle.
    address, y, x : Out
        Its vector address, and image coordinates for PE (0, 0).
    position : Out
        Its ring position.
    first : Out(1)
        The tap is its window's first.
    count : Out
        Its number.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "descriptor": In(execute_layout()),
                "restart": In(1),
                "fresh": In(1),
                "start_address": In(address),
                "start_y": In(signed(16)),
                "start_x": In(signed(16)),
                "fresh_address": In(address),
                "fresh_x": In(signed(16)),
                "start_position": In(address_bits(WINDOW_VECTORS)),
                "start_rows": In(10),
                "start_columns": In(10),
                "by_rows": In(1),
                "wait": In(1),
                "last_row": In(signed(9)),
                "valid": Out(1),
                "address": Out(address),
                "y": Out(signed(16)),
                "x": Out(signed(16)),
                "position": Out(address_bits(WINDOW_VECTORS)),
                "first": Out(1),
                "count": Out(address_bits(4 * config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d = self.descriptor
        # Rows that the first window has left, negative beyond it, and columns; those that a line begins with
        rows_left, columns_left = Signal(signed(11)), Signal(10)
        all_columns, window_y, first_x = Signal(10), Signal(signed(16)), Signal(signed(16))
        # Where the present line began, a column or a row; from vector to vector and from line to line
        line_address, line_position = Signal.like(self.address), Signal.like(self.position)
        next_line, next_position = Signal.like(self.address), Signal.like(self.position)
        pitch = Signal.like(self.position)
        rows_end = rows_left == Mux(self.by_rows, self.last_row, 1)
        columns_end = columns_left == 1
        m.d.comb += [
            pitch.eq(d.kernel_rows + DOT_WIDTH * d.ring_gap),
            next_line.eq(line_address + Mux(self.by_rows, d.in_row, 1)),
            next_position.eq(line_position + Mux(self.by_rows, 1, pitch)),
        ]

        # Columns that the windows to the left have read; first needed at the end of the first set
        known, new_columns = Signal(10), Signal(10)
        m.d.sync += [
            known.eq(Mux(d.kernel_columns > d.stride_x, d.kernel_columns - d.stride_x, 0)),
            new_columns.eq(Mux(d.kernel_columns > d.stride_x, d.stride_x, d.kernel_columns)),
        ]
        start_address, start_x = Signal.like(self.address), Signal(signed(16))
        m.d.comb += [
            start_address.eq(Mux(self.fresh, self.fresh_address + known, self.start_address)),
            start_x.eq(Mux(self.fresh, self.fresh_x + known, self.start_x)),
        ]
        columns = Mux(self.fresh, new_columns, self.start_columns)

        with m.If(self.restart):
            m.d.sync += [
                self.valid.eq(1),
                self.first.eq(1),
                self.count.eq(0),
                self.address.eq(start_address),
                line_address.eq(start_address),
                self.position.eq(self.start_position),
                line_position.eq(self.start_position),
                self.y.eq(self.start_y),
                window_y.eq(self.start_y),
                self.x.eq(start_x),
                first_x.eq(start_x),
                columns_left.eq(columns),
                all_columns.eq(columns),
                rows_left.eq(self.start_rows),
            ]
        with m.Elif(self.valid & ~self.wait):
            m.d.sync += [
                self.first.eq(0),
                self.count.eq(self.count + 1),
                self.valid.eq(~(rows_end & columns_end)),
            ]
            with m.If(Mux(self.by_rows, columns_end, rows_end)):
                m.d.sync += [
                    self.address.eq(next_line),
                    line_address.eq(next_line),
                    self.position.eq(next_position),
                    line_position.eq(next_position),
                    columns_left.eq(Mux(self.by_rows, all_columns, columns_left - 1)),
                    self.x.eq(Mux(self.by_rows, first_x, self.x + 1)),
                    rows_left.eq(Mux(self.by_rows, rows_left - 1, d.kernel_rows)),
                    self.y.eq(Mux(self.by_rows, self.y + 1, window_y)),
                ]
            with m.Else():
                m.d.sync += [
                    self.address.eq(self.address + Mux(self.by_rows, 1, d.in_row)),
                    self.position.eq(self.position + Mux(self.by_rows, pitch, 1)),
                    columns_left.eq(columns_left - self.by_rows),
                    self.x.eq(self.x + self.by_rows),
                    rows_left.eq(rows_left - ~self.by_rows),
                    self.y.eq(self.y + ~self.by_rows),
                ]
        return m
