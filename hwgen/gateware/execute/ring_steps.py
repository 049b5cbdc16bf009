"""Ring steps: what DEPTHWISE and POOL write to the lanes' window rings and read from them."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["RingSteps"]


class RingSteps(wiring.Component):
    """Places the windows in the ring and makes the steps.

    The windows of a descriptor begin where those before end, in the circle of all positions. With ``window``
    the last ⌈taps / 4⌉ cycles of a set's time are steps of 4 taps. Otherwise every read is a step of its one
    tap, which is element t mod 4 of a weight row, or, for POOL, element 0.

    Latency: 0 cycles. Throughput: one read and one step per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor, next_descriptor : In(execute_layout())
        Descriptor of the present set; that of the next set, with `start`.
    start, restart, column_start, row_start : In(1)
        The next cycle is the first one of a descriptor, of a set, of a column of sets, or of a band.
    remaining : In(21)
        Cycles until the set's last cycle.
    read, first, count, position : In
        A vector is read; it is the column of sets' first; its number t; its ring position.
    start_position : Out
        With `column_start`: ring position for the first vector that will be read.
    step, step_first : Out(1)
        There is a step in this cycle; it is the set's first.
    step_position, tap, row : Out
        Ring position, for pixel 0, taps and weight row of the step.
    beyond : Out(4)
        Taps of the step that are in the next column of the ring: ``ring_gap`` rows of banks further.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the unit for `config`."""
        position = address_bits(WINDOW_VECTORS)
        super().__init__(
            {
                "descriptor": In(execute_layout()),
                "next_descriptor": In(execute_layout()),
                "start": In(1),
                "restart": In(1),
                "column_start": In(1),
                "row_start": In(1),
                "remaining": In(21),
                "read": In(1),
                "first": In(1),
                "count": In(address_bits(DOT_WIDTH * config.weight_rows)),
                "position": In(position),
                "start_position": Out(position),
                "step": Out(1),
                "step_first": Out(1),
                "step_position": Out(position),
                "tap": Out(DOT_WIDTH),
                "beyond": Out(DOT_WIDTH),
                "row": Out(address_bits(config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, following = self.descriptor, self.next_descriptor
        # Positions of a window's columns and of the new columns, with what lies between them
        taps, span, fresh_span = (Signal.like(self.position) for _ in range(3))
        pitch, set_rows = Signal.like(self.position), Signal.like(self.position)
        is_ring = Signal()
        fresh = Signal.like(d.kernel_columns)
        with m.If(self.start):
            m.d.sync += [
                taps.eq(following.kernel_rows * following.kernel_columns),
                pitch.eq(following.kernel_rows + DOT_WIDTH * following.ring_gap),
                fresh.eq(
                    Mux(
                        following.stride_x < following.kernel_columns,
                        following.stride_x,
                        following.kernel_columns,
                    )
                ),
                is_ring.eq(
                    (following.op == ExecuteOp.DEPTHWISE) | (following.op == ExecuteOp.POOL)
                ),
            ]
        # First needed at the end of the first set
        m.d.sync += [
            span.eq(Mux(is_ring, pitch * d.kernel_columns, 0)),
            fresh_span.eq(pitch * fresh),
            set_rows.eq(d.pixels * d.stride_y),
        ]

        # First tap of the column of sets, and of the set
        base, next_base = Signal.like(self.position), Signal.like(self.position)
        set_base, next_set_base = Signal.like(self.position), Signal.like(self.position)
        m.d.comb += [
            self.start_position.eq(base + span),
            next_base.eq(Mux(self.row_start | ~d.window, self.start_position, base + fresh_span)),
            next_set_base.eq(Mux(self.column_start, next_base, set_base + set_rows)),
        ]
        with m.If(self.column_start):
            m.d.sync += base.eq(next_base)

        # Steps of a set. Four taps end up to two columns further.
        steps = (taps + (DOT_WIDTH - 1)) >> 2
        number = Signal(range(WINDOW_VECTORS // DOT_WIDTH))
        in_window = self.remaining < steps
        unused = Mux(self.remaining == 0, -taps, 0)[:2]
        position, kernel_y = Signal.like(self.position), Signal(6)
        reached, kernel_rows = kernel_y + DOT_WIDTH, d.kernel_rows[: len(kernel_y)]
        once, twice = reached >= kernel_rows, reached >= 2 * kernel_rows
        with m.If(self.restart):
            m.d.sync += [
                set_base.eq(next_set_base),
                position.eq(next_set_base),
                number.eq(0),
                kernel_y.eq(0),
            ]
        with m.Elif(in_window):
            m.d.sync += [
                number.eq(number + 1),
                position.eq(position + DOT_WIDTH * (1 + Mux(once, d.ring_gap << twice, 0))),
                kernel_y.eq(reached - Mux(once, kernel_rows << twice, 0)),
            ]

        with m.If(d.op == ExecuteOp.POOL):
            m.d.comb += [
                self.step.eq(self.read),
                self.step_first.eq(self.first),
                self.step_position.eq(self.position),
                self.tap.eq(1),
            ]
        with m.Elif(d.window):
            m.d.comb += [
                self.step.eq(in_window),
                self.step_first.eq(number == 0),
                self.step_position.eq(position),
                self.tap.eq(0b1111 >> unused),
                self.beyond.eq(Cat(kernel_y + tap >= kernel_rows for tap in range(DOT_WIDTH))),
                self.row.eq(number),
            ]
        with m.Else():
            m.d.comb += [
                self.step.eq(self.read),
                self.step_first.eq(self.first),
                self.step_position.eq(self.position - self.count[:2]),
                self.tap.eq(1 << self.count[:2]),
                self.row.eq(self.count >> 2),
            ]
        return m
