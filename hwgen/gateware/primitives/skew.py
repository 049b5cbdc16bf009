"""Skew: a delay that the descriptor selects."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skew"]


class Skew(wiring.Component):
    """Delays a bundle whose idle value is 0 in all its valid bits.

    What enters moves towards the exit from the stage that has its delay, so that the stages hold
    nothing else. `cycles` may only be lowered when all that has entered has left.

    Latency: `cycles` cycles. Throughput: one bundle per cycle.

    Parameters
    ----------
    layout : data.StructLayout
        The bundle.
    most : int
        Largest delay, 0 or more.

    Members
    -------
    cycles : In(range(most + 1))
        The delay.
    entry, exit : In(layout), Out(layout)
        The bundle.
    """

    def __init__(self, layout: data.StructLayout, most: int) -> None:
        """Create a delay of at most `most` cycles."""
        self.layout = layout
        self.most = most
        super().__init__({"cycles": In(range(most + 1)), "entry": In(layout), "exit": Out(layout)})

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        entry = self.entry.as_value()
        later: Any = 0
        for cycles in range(self.most, 0, -1):
            register = Signal(len(entry), name=f"stage_{cycles}")
            m.d.sync += register.eq(Mux(self.cycles == cycles, entry, later))
            later = register
        m.d.comb += self.exit.as_value().eq(Mux(self.cycles == 0, entry, later))
        return m
