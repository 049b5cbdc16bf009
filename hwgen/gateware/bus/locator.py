"""Address of the write burst to which an error response belongs."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.bursts import BurstGenerator, region_layout
from hwgen.gateware.primitives.unique import unique

__all__ = ["Locator"]


class Locator(wiring.Component):
    """Cuts the regions that are being written a second time, one burst for every response.

    Write responses bear no address, and thousands of bursts may wait for theirs. As responses come in
    the bursts' order, generating the bursts again costs less than keeping their addresses.

    Latency: usually 1 cycle from `failed` to `located`; more only where responses of several regions
    come at a burst per cycle.

    Parameters
    ----------
    bus_bytes, length_bits : int
        As for the :class:`BurstGenerator` that cuts the regions first.
    regions : int
        Most regions between entry and last response, a power of two.
    responses : int
        Most bursts without a response.

    Members
    -------
    enter : In(1)
        Strobe: `region` is the next to be written; no burst of it is answered yet.
    region : In(region_layout(length_bits))
        The region, with its ``beats``.
    answered : In(1)
        The oldest burst's response has come.
    failed : In(1)
        With `answered`: it is an error response. The first one counts.
    located : Out(1)
        From then on until reset: `address` is that burst's.
    address : Out(32)
        Its byte address.
    """

    def __init__(self, bus_bytes: int, length_bits: int, regions: int, responses: int) -> None:
        """Create an idle locator."""
        self.bus_bytes = bus_bytes
        self.length_bits = length_bits
        self.regions = regions
        self.responses = responses
        super().__init__(
            {
                "enter": In(1),
                "region": In(region_layout(length_bits)),
                "answered": In(1),
                "failed": In(1),
                "located": Out(1),
                "address": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the line of regions, the generator and the count of answers that are ahead of it."""
        m = Module()
        generator = BurstGenerator(self.bus_bytes, self.length_bits)
        m.submodules.generator = unique(generator, "store_bursts")
        layout = region_layout(self.length_bits)
        line = Array(
            Signal(layout, name=f"region_{place}", reset_less=True) for place in range(self.regions)
        )
        newest = Signal(range(self.regions))
        oldest = Signal(range(self.regions))
        inside = Signal(range(self.regions + 1))
        active = Signal()
        burst = generator.bursts
        over = Signal()
        with m.If(self.enter):
            m.d.sync += line[newest].eq(self.region)
        m.d.comb += [
            generator.region.eq(line[oldest]),
            generator.legal.eq(1),
            generator.start.eq((inside != 0) & ~active),
            over.eq(burst.valid & burst.ready & burst.payload.final),
        ]
        m.d.sync += [
            newest.eq(newest + self.enter),
            oldest.eq(oldest + over),
            inside.eq(inside + self.enter - over),
            active.eq((active | generator.start) & ~over),
        ]

        # Bursts follow the answers
        ahead = Signal(range(self.responses + 1))
        sought = Signal()
        distance = Signal.like(ahead)  # bursts to follow, the sought burst included
        m.d.comb += burst.ready.eq(ahead != 0)
        followed = burst.valid & burst.ready
        m.d.sync += ahead.eq(ahead + self.answered - followed)
        with m.If(sought):
            m.d.sync += distance.eq(distance - followed)
            with m.If(followed & (distance == 1)):
                m.d.sync += [self.located.eq(1), self.address.eq(burst.payload.address)]
        with m.Elif(self.answered & self.failed):
            m.d.sync += [sought.eq(1), distance.eq(ahead + 1 - followed)]
        return m
