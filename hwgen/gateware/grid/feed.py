"""Activation feed: brings bank vectors to a PE's lanes."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.selection import select
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Feed"]


class Feed(wiring.Component):
    """Selects, pads and registers the vectors that come to the lanes.

    Latency: 1 cycle. Throughput: 1 vector per lane and cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    incoming : In(L)
        Bit l: lane l takes a vector.
    source_mask, source_base : In
        Lane l takes that of bank ``(l & source_mask) | source_base``.
    shift : In
        Bytes of the last bank's vector that are left out; zeros follow it.
    pad, pad_value : In
        Replace all bytes by `pad_value`.
    bank_data : In(8 * S).array(L)
        What the banks read.
    vector : Out(8 * S).array(L)
        The vector that each lane took last.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the feed of a PE of `config`."""
        self.config = config
        lanes, vector_bits = config.compute_lanes, 8 * config.vector_bytes
        super().__init__(
            {
                "incoming": In(lanes),
                "source_mask": In(address_bits(lanes)),
                "source_base": In(address_bits(lanes)),
                "shift": In(address_bits(self.config.simd_units)),
                "pad": In(1),
                "pad_value": In(signed(8)),
                "bank_data": In(vector_bits).array(lanes),
                "vector": Out(vector_bits).array(lanes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        padding = self.pad_value.as_unsigned().replicate(self.config.vector_bytes)
        shifted = Signal(8 * self.config.vector_bytes)
        *banks, last = (self.bank_data[bank] for bank in range(self.config.compute_lanes))
        m.d.comb += shifted.eq(last >> (self.shift << 3))
        banks.append(shifted)
        sources = select(m, "source", banks, self.source_mask, self.source_base)
        for index, source in enumerate(sources):
            vector = Signal(len(source), name=f"vector_{index}", reset_less=True)
            m.d.comb += self.vector[index].eq(vector)
            with m.If(self.incoming[index]):
                m.d.sync += vector.eq(Mux(self.pad, padding, source))
        return m
