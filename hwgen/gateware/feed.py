"""Activation feed: turns bank vectors into the operands of a PE's lanes."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Feed"]


class Feed(wiring.Component):
    """Selects, pads and registers the activations of one step.

    Latency: 1 cycle. Throughput: 1 step per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    feed : In(1)
        `bank_data` holds a step's vectors.
    private : In(1)
        Each bank's vector goes to its own lane, instead of 4 bytes of one bank to all.
    bank : In(L)
        Bank to broadcast from, one-hot.
    quad : In
        Which 4 bytes.
    pad, pad_value : In
        Replace all bytes by `pad_value`.
    bank_data : In(8 * S).array(L)
        What the banks read.
    broadcast : Out(32)
        4 activations for all lanes; 0 after a private step.
    vector : Out(8 * S).array(L)
        Each lane's last private vector; not changed by broadcast steps.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the feed of a PE of `config`."""
        self.config = config
        lanes, vector_bits = config.compute_lanes, 8 * config.vector_bytes
        super().__init__(
            {
                "feed": In(1),
                "private": In(1),
                "bank": In(lanes),
                "quad": In(address_bits(config.simd_units // 4)),
                "pad": In(1),
                "pad_value": In(signed(8)),
                "bank_data": In(vector_bits).array(lanes),
                "broadcast": Out(32),
                "vector": Out(vector_bits).array(lanes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        selected = Signal(32)
        quads: Any = 0
        for bank, vector in enumerate(self.bank_data):
            quads = quads | Mux(self.bank[bank], vector.word_select(self.quad, 32), 0)
        m.d.comb += selected.eq(quads)

        broadcast = Signal(32, reset_less=True)
        m.d.comb += self.broadcast.eq(broadcast)
        with m.If(self.feed & ~self.private):
            m.d.sync += broadcast.eq(
                Mux(self.pad, self.pad_value.as_unsigned().replicate(4), selected)
            )
        with m.If(self.feed & self.private):
            m.d.sync += broadcast.eq(0)
        padding = self.pad_value.as_unsigned().replicate(self.config.vector_bytes)
        for index, read in enumerate(self.bank_data):
            vector = Signal(len(read), name=f"vector_{index}", reset_less=True)
            m.d.comb += self.vector[index].eq(vector)
            with m.If(self.feed & self.private):
                m.d.sync += vector.eq(Mux(self.pad, padding, read))
        return m
