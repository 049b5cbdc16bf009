"""Window walker: the output pixels of a descriptor, row by row, and their addresses."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["WindowWalker"]


class WindowWalker(wiring.Component):
    """Walks the sets of windows of a descriptor: P neighbouring columns, then the next P.

    P is `pixels` for CONV and ADD, else 1. The last set of a row may have fewer windows.

    Latency: 1 cycle from `start` or `advance` to the next set. Throughput: a set per 3 cycles.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    start : In(1)
        Go to the first set of `next_descriptor`, which is `descriptor` from the next cycle on.
    advance : In(1)
        Go to the next set; not at the `last`.
    descriptor, next_descriptor : In(execute_layout())
        See `start`.
    last, row_end : Out(1)
        The present set is the descriptor's last, or the last in its row.
    saved_row : Out
        Accumulator row of the present set: ``accumulator_row``, plus 1 with every set, modulo
        `accumulator_rows` or more.
    next_address, next_y, next_x, next_shift : Out
        With `start` or `advance`: address and image coordinates of the first tap of that set, and its first byte
        in the vector.
    address, second_address, out_address : Out
        Of the present set's first window: first tap, operand b and output.
    pixels : Out(L)
        Windows of the present set. Valid from a set's second cycle.
    east, west : Out(L)
        Stores of these windows take that neighbour's vectors, too. Valid from the second cycle.
    south, north : Out(1)
        The same for all windows of the set.
    row_span : Out
        Vectors between a tile's output and that of the tile below. Valid from the second cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        self.config = config
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "start": In(1),
                "advance": In(1),
                "descriptor": In(execute_layout()),
                "next_descriptor": In(execute_layout()),
                "last": Out(1),
                "row_end": Out(1),
                "saved_row": Out(address_bits(config.accumulator_rows)),
                "next_address": Out(address),
                "next_y": Out(signed(16)),
                "next_x": Out(signed(16)),
                "next_shift": Out(address_bits(config.simd_units)),
                "address": Out(address),
                "second_address": Out(address),
                "out_address": Out(address),
                "pixels": Out(config.compute_lanes),
                "east": Out(config.compute_lanes),
                "west": Out(config.compute_lanes),
                "south": Out(1),
                "north": Out(1),
                "row_span": Out(address),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, following = self.descriptor, self.next_descriptor
        is_add = d.op == ExecuteOp.ADD
        pixels = Mux((d.op == ExecuteOp.CONV) | is_add, d.pixels, 1)
        # Tile coordinates, and what is left of the row and of the descriptor
        column, row, columns_left, rows_left = (Signal(10) for _ in range(4))
        m.d.comb += [
            self.row_end.eq(columns_left <= pixels),
            self.last.eq(self.row_end & (rows_left == 1)),
        ]
        with m.If(self.start):
            m.d.sync += [
                column.eq(following.first_column),
                columns_left.eq(following.window_columns),
                row.eq(following.first_row),
                rows_left.eq(following.window_rows),
                self.saved_row.eq(following.accumulator_row),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                column.eq(Mux(self.row_end, d.first_column, column + pixels)),
                columns_left.eq(Mux(self.row_end, d.window_columns, columns_left - pixels)),
                row.eq(row + self.row_end),
                rows_left.eq(rows_left - self.row_end),
                self.saved_row.eq(self.saved_row + 1),
            ]

        self._walk(m, pixels, is_add)
        self._find_stores(m, pixels, column, row, columns_left)
        return m

    def _walk(self, m: Any, pixels: Any, is_add: Any) -> None:
        """Let addresses and image coordinates follow the sets."""
        d, following = self.descriptor, self.next_descriptor
        # ADD has no strides. The products are first needed at the end of the first set.
        stride_y, stride_x = Mux(is_add, 1, d.stride_y), Mux(is_add, 1, d.stride_x)
        row_step = Signal.like(self.address)
        column_step = Signal(7)
        m.d.sync += [row_step.eq(stride_y * d.in_row), column_step.eq(pixels * stride_x)]
        vector_end = self._walk_vector(m, pixels)
        next_address = self._walk_addresses(
            m, following.in_address, row_step, column_step + vector_end, self.address
        )
        self._walk_addresses(m, following.in2_address, d.in2_row, pixels, self.second_address)
        self._walk_addresses(m, following.out_address, d.out_row, pixels, self.out_address)
        m.d.comb += self.next_address.eq(next_address)

        y, x = Signal(signed(16)), Signal(signed(16))
        m.d.comb += [
            self.next_y.eq(
                Mux(self.start, following.origin_y, y + Mux(self.row_end, d.stride_y, 0))
            ),
            self.next_x.eq(
                Mux(self.start, following.origin_x, Mux(self.row_end, d.origin_x, x + column_step))
            ),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += [y.eq(self.next_y), x.eq(self.next_x)]

    def _walk_vector(self, m: Any, pixels: Any) -> Any:
        """Walk the windows of a vector; return whether the next set's input lies in the next vector."""
        d, following = self.descriptor, self.next_descriptor
        sets_left = Signal(7)
        vector_end = Signal()
        shift, set_bytes = Signal.like(self.next_shift), Signal.like(self.next_shift)
        first = self.start | self.row_end | vector_end
        m.d.comb += [
            vector_end.eq((d.vector_sets != 0) & (sets_left == 1)),
            self.next_shift.eq(Mux(first, 0, shift + set_bytes)),
        ]
        m.d.sync += set_bytes.eq(pixels * d.window_bytes)
        with m.If(self.start | self.advance):
            m.d.sync += shift.eq(self.next_shift)
        with m.If(self.start):
            m.d.sync += sets_left.eq(following.vector_sets)
        with m.Elif(self.advance):
            m.d.sync += sets_left.eq(Mux(self.row_end | vector_end, d.vector_sets, sets_left - 1))
        return vector_end

    def _walk_addresses(
        self, m: Any, first: Any, row_step: Any, column_step: Any, address: Any
    ) -> Any:
        """Let `address` walk from `first` on; return the next set's address."""
        line = Signal.like(address, name_suffix="_line")
        next_line = Signal.like(address, name_suffix="_next_line")
        next_address = Signal.like(address, name_suffix="_next")
        m.d.comb += [
            next_line.eq(Mux(self.start, first, Mux(self.row_end, line + row_step, line))),
            next_address.eq(Mux(self.start | self.row_end, next_line, address + column_step)),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += [line.eq(next_line), address.eq(next_address)]
        return next_address

    def _find_stores(self, m: Any, pixels: Any, column: Any, row: Any, columns_left: Any) -> None:
        """Select the windows of the set and the neighbours that share their outputs.

        POOL's outputs have no halo, and a set that is saved takes one store cycle.
        """
        d = self.descriptor
        lanes = range(self.config.compute_lanes)
        halo = (d.op != ExecuteOp.POOL) & ~d.save
        m.d.sync += [
            self.pixels.eq(
                Cat(
                    (pixel < pixels) & (pixel < columns_left) & (~d.save | (pixel == 0))
                    for pixel in lanes
                )
            ),
            self.east.eq(Cat(halo & (column + pixel < d.halo_right) for pixel in lanes)),
            self.west.eq(
                Cat(halo & (column + pixel + d.halo_left >= d.tile_columns) for pixel in lanes)
            ),
            self.south.eq(halo & (row < d.halo_bottom)),
            self.north.eq(halo & (row + d.halo_top >= d.tile_rows)),
            self.row_span.eq(d.tile_rows * d.out_row),
        ]
