"""Serial line: a transmitter of bytes."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FRAME_BITS", "SerialTransmitter"]

FRAME_BITS = 10
"""A start bit, eight of data from the lowest on, and a stop bit."""


class SerialTransmitter(wiring.Component):
    """Transmitter of frames 8N1; the line is high between them.

    Latency: the start bit begins a cycle after the byte is taken. Throughput: a byte every
    ``FRAME_BITS * bit_cycles + 1`` cycles.

    Parameters
    ----------
    bit_cycles : int
        Cycles of a bit, 2 or more.

    Members
    -------
    bytes : In(stream.Signature(8))
        What to send.
    line : Out(1)
        The line.
    """

    def __init__(self, bit_cycles: int) -> None:
        """Create an idle transmitter."""
        if bit_cycles < 2:
            raise ValueError(f"bit_cycles must be at least 2, not {bit_cycles!r}")
        self.bit_cycles = bit_cycles
        super().__init__({"bytes": In(stream.Signature(8)), "line": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Build a shift register and two counters."""
        m = Module()
        frame = Signal(FRAME_BITS, init=(1 << FRAME_BITS) - 1)
        bits = Signal(range(FRAME_BITS + 1))
        cycles = Signal(range(self.bit_cycles))
        m.d.comb += [self.bytes.ready.eq(bits == 0), self.line.eq(frame[0])]
        with m.If(~self.bytes.ready):
            m.d.sync += cycles.eq(Mux(cycles == 0, self.bit_cycles - 1, cycles - 1))
            with m.If(cycles == 0):
                m.d.sync += [frame.eq(Cat(frame[1:], Const(1, 1))), bits.eq(bits - 1)]
        with m.Elif(self.bytes.valid):
            m.d.sync += [
                frame.eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))),
                bits.eq(FRAME_BITS),
                cycles.eq(self.bit_cycles - 1),
            ]
        return m
