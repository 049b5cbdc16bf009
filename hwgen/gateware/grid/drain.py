"""Drain register: finished accumulators on their way to the requantizer."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.spec.accelerator import REQUANTIZER_PHASES

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Shift register of 4 quarters of `width` int32 values each.

    It holds a window's accumulators while the SIMD units run the next window; ADD keeps its first
    operand in it, POOL sums those of all PEs through it: in a hop of 4 shifts every PE rotates its
    own values, and the receiving PE adds what its neighbour shifts out.

    Latency: 1 cycle. Throughput: one quarter per cycle.

    Parameters
    ----------
    width : int
        Values per quarter (R).

    Members
    -------
    capture : In(1)
        Take `accumulator`.
    accumulator : In(signed(32)).array(4 * width)
        Values of the window that has just ended.
    shift : In(1)
        Drop the head; the tail becomes the old head, which `receive` adds `neighbour` to.
    keep : In(1)
        Shift, but the tail becomes `result`.
    receive : In(1)
        See `shift`.
    neighbour : In(32 * width)
        Another PE's head.
    result : In(signed(32)).array(width)
        Results of the requantizer.
    head : Out(32 * width)
        First quarter.
    """

    def __init__(self, width: int) -> None:
        """Create a drain register with quarters of `width` values."""
        self.width = width
        super().__init__(
            {
                "capture": In(1),
                "accumulator": In(signed(32)).array(REQUANTIZER_PHASES * width),
                "shift": In(1),
                "keep": In(1),
                "receive": In(1),
                "neighbour": In(32 * width),
                "result": In(signed(32)).array(width),
                "head": Out(32 * width),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        width = self.width
        quarters = [
            Signal(32 * width, name=f"quarter_{phase}", reset_less=True)
            for phase in range(REQUANTIZER_PHASES)
        ]
        m.d.comb += self.head.eq(quarters[0])
        sums = Cat(
            (self.head.word_select(index, 32) + self.neighbour.word_select(index, 32))[:32]
            for index in range(width)
        )
        with m.If(self.capture):
            for phase, quarter in enumerate(quarters):
                values = [self.accumulator[phase * width + index] for index in range(width)]
                m.d.sync += quarter.eq(Cat(values))
        with m.Elif(self.shift | self.keep):
            m.d.sync += [quarter.eq(successor) for quarter, successor in pairwise(quarters)]
            with m.If(self.keep):
                m.d.sync += quarters[-1].eq(Cat(self.result))
            with m.Else():
                m.d.sync += quarters[-1].eq(Mux(self.receive, sums, self.head))
        return m
