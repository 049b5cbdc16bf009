"""Ring steps: what DEPTHWISE and POOL write to the lanes' window rings and read from them."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import DOT_WIDTH, WINDOW_VECTORS, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["RingSteps"]


class RingSteps(wiring.Component):
    """Gives every read its ring position and makes the steps.

    Read after read takes the next position, in all descriptors. With ``window`` the last
    ⌈taps / 4⌉ cycles of a window's time are steps of 4 taps, its newest among them. Otherwise every
    read is a step of its one tap, which is element t mod 4 of a weight row, or, for POOL, element 0.

    Latency: 0 cycles. Throughput: one read and one step per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor, next_descriptor : In(execute_layout())
        Descriptor of the present window; that of the next window, with `start`.
    start, restart, row_start : In(1)
        The next cycle is the first one of a descriptor, of a window, or of a row of windows.
    remaining : In(21)
        Cycles until the window's last cycle.
    read, first, count : In
        A vector is read; it is the window's first; its number t.
    position : Out
        Ring position that the vector goes to.
    step, step_first : Out(1)
        There is a step in this cycle; it is the window's first.
    step_position, tap, row : Out
        Ring position, taps and weight row of the step.
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
                "row_start": In(1),
                "remaining": In(21),
                "read": In(1),
                "first": In(1),
                "count": In(address_bits(DOT_WIDTH * config.weight_rows)),
                "position": Out(position),
                "step": Out(1),
                "step_first": Out(1),
                "step_position": Out(position),
                "tap": Out(DOT_WIDTH),
                "row": Out(address_bits(config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, following = self.descriptor, self.next_descriptor
        next_position = Signal.like(self.position)
        m.d.comb += next_position.eq(self.position + self.read)
        m.d.sync += self.position.eq(next_position)

        # A window of the ring has fewer than WINDOW_VECTORS taps
        taps, new_taps = Signal.like(self.position), Signal.like(self.position)
        columns_read = Mux(
            following.stride_x < following.kernel_columns,
            following.stride_x,
            following.kernel_columns,
        )
        with m.If(self.start):
            m.d.sync += [
                taps.eq(following.kernel_rows * following.kernel_columns),
                new_taps.eq(following.kernel_rows * columns_read),
            ]
        base = Signal.like(self.position)
        with m.If(self.restart):
            m.d.sync += base.eq(Mux(self.row_start, next_position, base + new_taps))

        # Steps of a window
        steps = (taps + (DOT_WIDTH - 1)) >> 2
        number = Signal(range(WINDOW_VECTORS // DOT_WIDTH))
        in_window = self.remaining < steps
        unused = Mux(self.remaining == 0, -taps, 0)[:2]
        with m.If(self.restart):
            m.d.sync += number.eq(0)
        with m.Elif(in_window):
            m.d.sync += number.eq(number + 1)

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
                self.step_position.eq(base + DOT_WIDTH * number),
                self.tap.eq(0b1111 >> unused),
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
