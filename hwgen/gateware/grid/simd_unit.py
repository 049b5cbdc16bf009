"""SIMD unit: a 4-way int8 dot product, or maximum, and its accumulator."""

from typing import Any, ClassVar

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

    Latency: ``STEP_LATENCY`` cycles from operands to `accumulator`. Throughput: 4 products, or
    activations, per cycle.

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
    maximum, stages : In(3)
        Bit i: the step of stage i is part of a maximum, not of a sum; stage i has a step. Bit 0 comes with the
        operands.
    accumulate, restart, restore : In(1)
        In the cycle after bit 2 of `stages`: add the dot product to the accumulator; with `restart` to 0
        or, with `restore` too, to `saved`.
    compare : In(1)
        With `accumulate`: do not add, but take the larger of the two, each an int8 in its low byte.
        `restart` then starts from -128, not 0.
    saved : In(signed(32))
        With `restore`: an accumulator that was saved.
    accumulator : Out(signed(32))
        Wraps.
    """

    STEP_LATENCY: ClassVar[int] = 4
    """Cycles from a step's operands to `accumulator`."""

    def __init__(self) -> None:
        """Create a unit."""
        super().__init__(
            {
                "broadcast": In(8 * DOT_WIDTH),
                "private": In(8 * DOT_WIDTH),
                "weights": In(8 * DOT_WIDTH),
                "private_mode": In(1),
                "tap": In(DOT_WIDTH),
                "maximum": In(self.STEP_LATENCY - 1),
                "stages": In(self.STEP_LATENCY - 1),
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

        # Cycle 1: the operands. What does not count is the least, or 0
        activations, weights = [], []
        for j in range(DOT_WIDTH):
            activation = Signal(signed(8), name=f"activation_{j}", reset_less=True)
            weight = Signal(signed(8), name=f"weight_{j}", reset_less=True)
            ignored = Mux(self.maximum[0], _LEAST, 0)
            own = Mux(self.tap[j], self.private.word_select(j, 8).as_signed(), ignored)
            shared = self.broadcast.word_select(j, 8).as_signed()
            with m.If(self.stages[0]):
                m.d.sync += [
                    activation.eq(Mux(self.private_mode | self.maximum[0], own, shared)),
                    weight.eq(self.weights.word_select(j, 8)),
                ]
            activations.append(activation)
            weights.append(weight)

        # Cycle 2: multiply, or find the larger of each pair, which take the places of the first products
        pairs = [
            _larger(m, f"pair_{j}", activations[2 * j], activations[2 * j + 1]) for j in range(2)
        ]
        products = []
        for j, instead in enumerate((*pairs, 0, 0)):
            product = Signal(signed(16), name=f"product_{j}", reset_less=True)
            with m.If(self.stages[1]):
                m.d.sync += product.eq(Mux(self.maximum[1], instead, activations[j] * weights[j]))
            products.append(product)

        # Cycle 3: sum, or find the largest
        largest = _larger(m, "largest", *(pair[:8].as_signed() for pair in products[:2]))
        total = (products[0] + products[1]) + (products[2] + products[3])
        with m.If(self.stages[2]):
            m.d.sync += dot.eq(Mux(self.maximum[2], largest, total))

        # Cycle 4: accumulate
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
