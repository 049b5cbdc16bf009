"""SIMD unit: a 4-way int8 dot product and its accumulator."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.spec.accelerator import DOT_WIDTH

__all__ = ["SimdUnit"]


class SimdUnit(wiring.Component):
    """Accumulates Σ x[j]·w[j] over j < 4, with x[j] = broadcast[j] + (tap[j] ? private : 0).

    The feed keeps one of the two addends at zero: `broadcast` while a `tap` bit is set.

    Latency: 2 cycles from operands to `accumulator`. Throughput: 4 products per cycle.

    Members
    -------
    broadcast : In(32)
        4 int8 activations that all units of the PE share.
    private : In(8)
        This unit's own int8 activation.
    weights : In(32)
        4 int8 weights.
    tap : In(4)
        Weight, one-hot, that multiplies `private`.
    multiply : In(1)
        The above hold a step's operands.
    accumulate, restart : In(1)
        One cycle after `multiply`: add the dot product to the accumulator, or to 0.
    accumulator : Out(signed(32))
        Wraps.
    """

    def __init__(self) -> None:
        """Create a unit."""
        super().__init__(
            {
                "broadcast": In(8 * DOT_WIDTH),
                "private": In(8),
                "weights": In(8 * DOT_WIDTH),
                "tap": In(DOT_WIDTH),
                "multiply": In(1),
                "accumulate": In(1),
                "restart": In(1),
                "accumulator": Out(signed(32)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        # The data path needs no reset: its enables say what is valid.
        dot = Signal(signed(18), reset_less=True)
        accumulator = Signal(signed(32), reset_less=True)
        m.d.comb += self.accumulator.eq(accumulator)

        # Cycle 1: multiply and sum
        products = []
        for j in range(DOT_WIDTH):
            private = Mux(self.tap[j], self.private, 0)
            activation = (self.broadcast.word_select(j, 8) | private)[:8].as_signed()
            products.append(activation * self.weights.word_select(j, 8).as_signed())
        with m.If(self.multiply):
            m.d.sync += dot.eq((products[0] + products[1]) + (products[2] + products[3]))

        # Cycle 2: accumulate
        with m.If(self.accumulate):
            m.d.sync += accumulator.eq(Mux(self.restart, 0, accumulator) + dot)
        return m
