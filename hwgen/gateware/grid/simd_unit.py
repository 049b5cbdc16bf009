"""SIMD unit: a 4-way int8 dot product, or maximum, and its accumulator."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.spec.accelerator import DOT_WIDTH

__all__ = ["SimdUnit"]

_LEAST = -128
"""Smallest int8 activation."""


class SimdUnit(wiring.Component):
    """Accumulates Σ x[j]·w[j], or keeps the maximum of x[j], over j < 4.

    For a sum, x[j] is `broadcast[j]` or, in private mode, `private[j]` where `tap[j]` is set and 0
    elsewhere. For a maximum it is `private[j]` where `tap[j]` is set and -128 elsewhere; weights do
    not matter.

    Latency: 2 cycles from operands to `accumulator`. Throughput: 4 products, or activations, per
    cycle.

    Members
    -------
    broadcast : In(32)
        4 int8 activations that all units of the lane share.
    private : In(32)
        This unit's own 4 int8 activations, one of each vector that the window ring gives.
    weights : In(32)
        4 int8 weights.
    private_mode : In(1)
        Multiply `private`, not `broadcast`.
    tap : In(4)
        Private activations that count.
    maximum : In(1)
        The step is one of a maximum, not of a sum.
    multiply : In(1)
        The above hold a step's operands.
    accumulate, restart, restore : In(1)
        One cycle after `multiply`: add the dot product to the accumulator; with `restart` to 0 or,
        with `restore` too, to `saved`.
    compare : In(1)
        With `accumulate`: do not add, but take the larger of the two, each an int8 in its low byte.
        `restart` then starts from -128, not 0.
    saved : In(signed(32))
        With `restore`: an accumulator that was saved.
    accumulator : Out(signed(32))
        Wraps.
    """

    def __init__(self) -> None:
        """Create a unit."""
        super().__init__(
            {
                "broadcast": In(8 * DOT_WIDTH),
                "private": In(8 * DOT_WIDTH),
                "weights": In(8 * DOT_WIDTH),
                "private_mode": In(1),
                "tap": In(DOT_WIDTH),
                "maximum": In(1),
                "multiply": In(1),
                "accumulate": In(1),
                "restart": In(1),
                "restore": In(1),
                "compare": In(1),
                "saved": In(signed(32)),
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

        # Cycle 1: multiply and sum, or find the maximum
        products, taps = [], []
        for j in range(DOT_WIDTH):
            own = self.private.word_select(j, 8)
            private = Mux(self.tap[j], own, 0)
            activation = Signal(signed(8), name=f"activation_{j}")
            m.d.comb += activation.eq(
                Mux(self.private_mode, private, self.broadcast.word_select(j, 8))
            )
            products.append(activation * self.weights.word_select(j, 8).as_signed())
            taps.append(Mux(self.tap[j], own.as_signed(), _LEAST))
        total = (products[0] + products[1]) + (products[2] + products[3])
        pairs = [_larger(m, f"pair_{j}", taps[2 * j], taps[2 * j + 1]) for j in range(2)]
        largest = _larger(m, "largest", *pairs)
        with m.If(self.multiply):
            m.d.sync += dot.eq(Mux(self.maximum, largest, total))

        # Cycle 2: accumulate
        first = Signal(signed(32))
        start = Mux(self.restore, self.saved, Mux(self.compare, _LEAST, 0))
        m.d.comb += first.eq(Mux(self.restart, start, accumulator))
        kept = _larger(m, "kept", first[:8].as_signed(), dot[:8].as_signed())
        with m.If(self.accumulate):
            m.d.sync += accumulator.eq(Mux(self.compare, kept, first + dot))
        return m


def _larger(m: Any, name: str, left: Any, right: Any) -> Any:
    """Larger of two int8 values."""
    larger = Signal(signed(8), name=name)
    m.d.comb += larger.eq(Mux(left > right, left, right))
    return larger
