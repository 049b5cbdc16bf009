"""Window walker: the output pixels of a descriptor, row by row, and their addresses."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.layout import execute_layout
from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["WindowWalker"]


class WindowWalker(wiring.Component):
    """Walks the windows of a descriptor.

    Latency: 1 cycle from `start` or `advance` to the next window. Throughput: a window per 3 cycles.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    start : In(1)
        Go to the first window of `next_descriptor`, which is `descriptor` from the next cycle on.
    advance : In(1)
        Go to the next window; not at the `last`.
    descriptor, next_descriptor : In(execute_layout())
        See `start`.
    last : Out(1)
        The present window is the descriptor's last.
    next_address, next_y, next_x : Out
        With `start` or `advance`: address and image coordinates of the first tap of that window.
    address, second_address, out_address : Out
        Of the present window: first tap, operand b and output.
    east, west, south, north : Out(1)
        Stores of the present window take these neighbours' vectors, too. Valid from a window's
        second cycle.
    row_span : Out
        Vectors between a tile's output and that of the tile below. Valid from the second cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "start": In(1),
                "advance": In(1),
                "descriptor": In(execute_layout()),
                "next_descriptor": In(execute_layout()),
                "last": Out(1),
                "next_address": Out(address),
                "next_y": Out(signed(16)),
                "next_x": Out(signed(16)),
                "address": Out(address),
                "second_address": Out(address),
                "out_address": Out(address),
                "east": Out(1),
                "west": Out(1),
                "south": Out(1),
                "north": Out(1),
                "row_span": Out(address),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, following = self.descriptor, self.next_descriptor
        is_add, is_pool = d.op == ExecuteOp.ADD, d.op == ExecuteOp.POOL
        column, row = Signal(10), Signal(10)
        row_end = Signal()
        m.d.comb += [
            row_end.eq(column == d.tile_columns - 1),
            self.last.eq(row_end & (row == d.tile_rows - 1)),
        ]
        with m.If(self.start):
            m.d.sync += [column.eq(0), row.eq(0)]
        with m.Elif(self.advance):
            m.d.sync += [column.eq(Mux(row_end, 0, column + 1)), row.eq(row + row_end)]

        # ADD has no strides. The product is first needed at the end of the first window.
        stride_y, stride_x = Mux(is_add, 1, d.stride_y), Mux(is_add, 1, d.stride_x)
        row_step = Signal.like(self.address)
        m.d.sync += [
            row_step.eq(stride_y * d.in_row),
            self.row_span.eq(d.tile_rows * d.out_row),
        ]
        next_address = self._walk_addresses(
            m, row_end, following.in_address, row_step, stride_x, self.address
        )
        self._walk_addresses(m, row_end, following.in2_address, d.in2_row, 1, self.second_address)
        self._walk_addresses(m, row_end, following.out_address, d.out_row, 1, self.out_address)
        m.d.comb += self.next_address.eq(next_address)

        y, x = Signal(signed(16)), Signal(signed(16))
        m.d.comb += [
            self.next_y.eq(Mux(self.start, following.origin_y, y + Mux(row_end, d.stride_y, 0))),
            self.next_x.eq(
                Mux(self.start, following.origin_x, Mux(row_end, d.origin_x, x + d.stride_x))
            ),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += [y.eq(self.next_y), x.eq(self.next_x)]

        m.d.sync += [
            self.east.eq((column < d.halo_right) & ~is_pool),
            self.west.eq((column + d.halo_left >= d.tile_columns) & ~is_pool),
            self.south.eq((row < d.halo_bottom) & ~is_pool),
            self.north.eq((row + d.halo_top >= d.tile_rows) & ~is_pool),
        ]
        return m

    def _walk_addresses(
        self, m: Any, row_end: Any, first: Any, row_step: Any, column_step: Any, address: Any
    ) -> Any:
        """Let `address` walk from `first` on; return the next window's address."""
        line = Signal.like(address, name_suffix="_line")
        next_line = Signal.like(address, name_suffix="_next_line")
        next_address = Signal.like(address, name_suffix="_next")
        m.d.comb += [
            next_line.eq(Mux(self.start, first, Mux(row_end, line + row_step, line))),
            next_address.eq(Mux(self.start | row_end, next_line, address + column_step)),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += [line.eq(next_line), address.eq(next_address)]
        return next_address
