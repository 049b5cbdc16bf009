"""Pacing of a data channel to a rational share of the bus's bandwidth."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Pacer"]


class Pacer(wiring.Component):
    """Token bucket: a cycle earns `earn` credits, a beat costs `cost`.

    The bucket starts full and holds less than two beats: ``2 * cost - 1`` credits. Over a long
    time ``earn / cost`` beats per cycle may move. With beats asked for from cycle t on, where
    there are c credits, beat j moves in cycle ::

        t + max(j, ceil((cost * (j + 1) - c) / earn))

    Latency: a beat's cost counts from the next cycle on. Throughput: `earn / cost` beats per cycle.

    Parameters
    ----------
    earn, cost : int
        Positive, ``earn <= cost``.

    Members
    -------
    beat : In(1)
        A beat moves in this cycle; only while `ready`.
    ready : Out(1)
        There is credit for a beat. It does not fall before a beat has moved.
    """

    def __init__(self, earn: int, cost: int) -> None:
        """Create a full bucket."""
        if not 0 < earn <= cost:
            raise ValueError(f"earn must be in 1 … cost = {cost}, not {earn!r}")
        self.earn = earn
        self.cost = cost
        super().__init__({"beat": In(1), "ready": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the bucket; it counts the credit beyond one beat's, so that the sign is ready."""
        m = Module()
        most = self.cost - 1
        beyond = Signal(signed(self.cost.bit_length() + 1), init=most)
        earned = Signal(signed(self.cost.bit_length() + 2))
        m.d.comb += [
            self.ready.eq(beyond >= 0),
            earned.eq(beyond + Mux(self.beat, self.earn - self.cost, self.earn)),
        ]
        m.d.sync += beyond.eq(Mux(earned > most, most, earned))
        return m
