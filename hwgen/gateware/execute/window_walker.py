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
    """Walks the sets of windows of a descriptor, band by band and in a band column by column.

    A set has P neighbouring windows, P being 1 for POOL. DEPTHWISE's lie one above the other: a band has
    `band_rows` rows, and in it the sets of a column follow one another. The others' lie in a row, and a
    band is one row. The last set of a row or column may have fewer windows.

    What follows a set is worked out while the set lasts: all that `advance` and what comes with it need are
    registers, but for the choice between them.

    Latency: 1 cycle from `start` or `advance` to the next set. Throughput: a set per 4 cycles.

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
    last, row_end, column_end : Out(1)
        The present set is the descriptor's last, the last in its band, or the last in its column. Valid
        from a set's second cycle.
    saved_row : Out
        Accumulator row of the present set: ``accumulator_row``, plus 1 with every set, modulo
        `accumulator_rows` or more.
    next_address, next_y, next_x, next_shift : Out
        With `start`, or with `advance` at a `column_end`: address and image coordinates of the first
        tap of the next column of sets, and its first byte in the vector.
    after_address, after_x : Out
        As `next_address` and `next_x` where neither a descriptor nor a band begins. Valid from a set's fourth cycle.
    address, second_address, out_address : Out
        First tap and operand b of the present column of sets; output of the present set's first window.
    last_row : Out
        1 less the rows between the first and the last windows of a column of sets, in rows of the image. Valid
        from a column's second cycle.
    pixels : Out(L)
        Windows of the present set. Valid from a set's second cycle.
    east, west, south, north : Out(L)
        Stores of these windows take that neighbour's vectors, too. Valid from the second cycle.
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
                "column_end": Out(1),
                "saved_row": Out(address_bits(config.accumulator_rows)),
                "next_address": Out(address),
                "next_y": Out(signed(16)),
                "next_x": Out(signed(16)),
                "next_shift": Out(address_bits(config.simd_units)),
                "after_address": Out(address),
                "after_x": Out(signed(16)),
                "address": Out(address),
                "second_address": Out(address),
                "out_address": Out(address),
                "last_row": Out(signed(9)),
                "pixels": Out(config.compute_lanes),
                "east": Out(config.compute_lanes),
                "west": Out(config.compute_lanes),
                "south": Out(config.compute_lanes),
                "north": Out(config.compute_lanes),
                "row_span": Out(address),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, following = self.descriptor, self.next_descriptor
        # What a set's windows are, from the descriptor's first cycle on
        upright = Signal()
        pixels, down, across = (Signal.like(d.pixels) for _ in range(3))
        band = Signal.like(d.band_rows)
        with m.If(self.start):
            stands = following.op == ExecuteOp.DEPTHWISE
            number = Mux(following.op == ExecuteOp.POOL, 1, following.pixels)
            m.d.sync += [
                upright.eq(stands),
                pixels.eq(number),
                down.eq(Mux(stands, number, 1)),
                across.eq(Mux(stands, 1, number)),
                band.eq(Mux(stands, following.band_rows, 1)),
            ]
        # Tile coordinates, and what is left of the row and, from the set or the band on, of the descriptor
        column, row, columns_left, rows_left = (Signal(10) for _ in range(4))
        band_row, band_rows_left = Signal(10), Signal(10)
        band_left = Signal.like(d.band_rows)
        rows_over = rows_left <= down
        column_end = ~upright | (band_left <= down) | rows_over
        row_end = column_end & (columns_left <= across)
        m.d.sync += [
            self.column_end.eq(column_end),
            self.row_end.eq(row_end),
            self.last.eq(row_end & rows_over),
        ]
        with m.If(self.start):
            m.d.sync += [
                column.eq(following.first_column),
                columns_left.eq(following.window_columns),
                row.eq(following.first_row),
                rows_left.eq(following.window_rows),
                band_row.eq(following.first_row),
                band_rows_left.eq(following.window_rows),
                band_left.eq(following.band_rows),
                self.saved_row.eq(following.accumulator_row),
            ]
        with m.Elif(self.advance):
            m.d.sync += self.saved_row.eq(self.saved_row + 1)
            with m.If(self.row_end):
                m.d.sync += [
                    column.eq(d.first_column),
                    columns_left.eq(d.window_columns),
                    row.eq(band_row + band),
                    rows_left.eq(band_rows_left - band),
                    band_row.eq(band_row + band),
                    band_rows_left.eq(band_rows_left - band),
                    band_left.eq(d.band_rows),
                ]
            with m.Elif(self.column_end):
                m.d.sync += [
                    column.eq(column + across),
                    columns_left.eq(columns_left - across),
                    row.eq(band_row),
                    rows_left.eq(band_rows_left),
                    band_left.eq(d.band_rows),
                ]
            with m.Else():
                m.d.sync += [
                    row.eq(row + down),
                    rows_left.eq(rows_left - down),
                    band_left.eq(band_left - down),
                ]
        band_stride = Signal(8)
        self._find_last_row(m, upright, band_rows_left, band_stride)
        self._walk(m, down, across, band, band_stride)
        self._find_stores(m, upright, pixels, column, row, Mux(upright, rows_left, columns_left))
        return m

    def _find_last_row(self, m: Any, upright: Any, band_rows_left: Any, band_stride: Any) -> None:
        """Let `last_row` follow the bands, of which the last may have fewer rows than a whole band.

        The products are worked out with `start`: with a comparison they are too much for one cycle of an FPGA.
        """
        d, following = self.descriptor, self.next_descriptor
        whole, rest = Signal(8), Signal(9)
        first_end = Signal(range(2 + (1 << len(d.stride_y))))
        with m.If(self.start):
            m.d.sync += [
                whole.eq(following.band_rows * following.stride_y),
                # Without its upper bits: in the last band there are none
                rest.eq(following.window_rows[: len(rest)] * following.stride_y),
                first_end.eq(following.stride_y + 1),
            ]
        with m.Elif(self.advance & self.row_end):
            m.d.sync += rest.eq(rest - band_stride)
        partial = band_rows_left < d.band_rows
        m.d.sync += self.last_row.eq(
            Mux(upright, first_end - Mux(partial, rest, whole), 1)
        )  # fmt: skip

    def _walk(self, m: Any, down: Any, across: Any, band: Any, band_stride: Any) -> None:
        """Let addresses and image coordinates follow the sets."""
        d, following = self.descriptor, self.next_descriptor
        # ADD has no strides. The products are first needed at the end of the first set.
        stride_y, stride_x = Signal.like(d.stride_y), Signal.like(d.stride_x)
        with m.If(self.start):
            is_add = following.op == ExecuteOp.ADD
            m.d.sync += [
                stride_y.eq(Mux(is_add, 1, following.stride_y)),
                stride_x.eq(Mux(is_add, 1, following.stride_x)),
            ]
        column_step = Signal(7)
        row_step, out_row_step, out_set_step = (Signal.like(self.address) for _ in range(3))
        m.d.sync += [
            band_stride.eq(band * stride_y),
            row_step.eq(band_stride * d.in_row),
            column_step.eq(across * stride_x),
            out_row_step.eq(band * d.out_row),
            out_set_step.eq(down * d.out_row),
        ]
        vector_end = self._walk_vector(m, across)
        next_address, after_address = self._walk_addresses(
            m, following.in_address, row_step, column_step + vector_end, self.address
        )
        self._walk_addresses(m, following.in2_address, d.in2_row, across, self.second_address)
        out_column = Signal.like(self.out_address)
        next_out, _ = self._walk_addresses(
            m, following.out_address, out_row_step, across, out_column
        )
        after_set = Signal.like(self.out_address)
        m.d.sync += after_set.eq(self.out_address + out_set_step)
        with m.If(self.start | (self.advance & self.column_end)):
            m.d.sync += self.out_address.eq(next_out)
        with m.Elif(self.advance):
            m.d.sync += self.out_address.eq(after_set)
        m.d.comb += [self.next_address.eq(next_address), self.after_address.eq(after_address)]

        y, x, after_y = (Signal(signed(16)) for _ in range(3))
        m.d.sync += [after_y.eq(y + band_stride), self.after_x.eq(x + column_step)]
        m.d.comb += [
            self.next_y.eq(Mux(self.start, following.origin_y, Mux(self.row_end, after_y, y))),
            self.next_x.eq(
                Mux(self.start, following.origin_x, Mux(self.row_end, d.origin_x, self.after_x))
            ),
        ]
        with m.If(self.start | (self.advance & self.column_end)):
            m.d.sync += [y.eq(self.next_y), x.eq(self.next_x)]

    def _walk_vector(self, m: Any, across: Any) -> Any:
        """Walk the windows of a vector; return whether the next set's input lies in the next vector."""
        d, following = self.descriptor, self.next_descriptor
        sets_left = Signal(7)
        vector_end = Signal()
        shift, set_bytes, after_shift = (Signal.like(self.next_shift) for _ in range(3))
        first = self.start | self.row_end | vector_end
        m.d.comb += self.next_shift.eq(Mux(first, 0, after_shift))
        m.d.sync += [
            vector_end.eq((d.vector_sets != 0) & (sets_left == 1)),
            set_bytes.eq(across * d.window_bytes),
            after_shift.eq(shift + set_bytes),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += shift.eq(self.next_shift)
        with m.If(self.start):
            m.d.sync += sets_left.eq(following.vector_sets)
        with m.Elif(self.advance):
            m.d.sync += sets_left.eq(Mux(self.row_end | vector_end, d.vector_sets, sets_left - 1))
        return vector_end

    def _walk_addresses(
        self, m: Any, first: Any, row_step: Any, column_step: Any, address: Any
    ) -> tuple[Any, Any]:
        """Let `address` walk from `first` on; return that of the next column of sets, also if it is of the same band."""
        line, after_line, next_line, after_address, next_address = (
            Signal.like(address, name_suffix=suffix)
            for suffix in ("_line", "_after_line", "_next_line", "_after", "_next")
        )
        m.d.sync += [after_line.eq(line + row_step), after_address.eq(address + column_step)]
        m.d.comb += [
            next_line.eq(Mux(self.start, first, Mux(self.row_end, after_line, line))),
            next_address.eq(Mux(self.start | self.row_end, next_line, after_address)),
        ]
        with m.If(self.start | (self.advance & self.column_end)):
            m.d.sync += [line.eq(next_line), address.eq(next_address)]
        return next_address, after_address

    def _find_stores(
        self, m: Any, upright: Any, pixels: Any, column: Any, row: Any, left: Any
    ) -> None:
        """Select the windows of the set and the neighbours that share their outputs.

        POOL's outputs have no halo, and a set that is saved takes one store cycle.
        """
        d = self.descriptor
        lanes = range(self.config.compute_lanes)
        halo = (d.op != ExecuteOp.POOL) & ~d.save
        rows = [row + Mux(upright, pixel, 0) for pixel in lanes]
        columns = [column + Mux(upright, 0, pixel) for pixel in lanes]
        m.d.sync += [
            self.pixels.eq(
                Cat((pixel < pixels) & (pixel < left) & (~d.save | (pixel == 0)) for pixel in lanes)
            ),
            self.east.eq(Cat(halo & (x < d.halo_right) for x in columns)),
            self.west.eq(Cat(halo & (x + d.halo_left >= d.tile_columns) for x in columns)),
            self.south.eq(Cat(halo & (y < d.halo_bottom) for y in rows)),
            self.north.eq(Cat(halo & (y + d.halo_top >= d.tile_rows) for y in rows)),
            self.row_span.eq(d.tile_rows * d.out_row),
        ]
