"""First-in first-out buffer on the RAM primitive."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import Ram
from hwgen.gateware.primitives.unique import Unique, unique

__all__ = ["Fifo", "unique_fifo"]


class Fifo(wiring.Component):
    """FIFO of `depth` entries whose head is the RAM's output register.

    An entry that enters in cycle t can leave in cycle t + LATENCY; a place that is given up in
    cycle t can be filled in cycle t + 1.

    Latency: 2 cycles. Throughput: 1 entry per cycle.

    Parameters
    ----------
    shape : ShapeLike
        Shape of an entry.
    depth : int
        Entries, a power of two.

    Members
    -------
    enter : In(stream.Signature(shape))
        Ready while fewer than `depth` entries are inside.
    leave : Out(stream.Signature(shape))
        The head.
    """

    LATENCY = 2

    def __init__(self, shape: Any, depth: int) -> None:
        """Create an empty FIFO."""
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two and at least 2, not {depth!r}")
        self._shape = shape
        self.depth = depth
        super().__init__(
            {"enter": In(stream.Signature(shape)), "leave": Out(stream.Signature(shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the pointers around one RAM."""
        m = Module()
        m.submodules.storage = ram = Ram(Shape.cast(self._shape).width, self.depth)
        write_pointer = Signal(range(self.depth))
        read_pointer = Signal(range(self.depth))
        inside = Signal(range(self.depth + 1))  # entries, the head included
        unread = Signal(range(self.depth + 1))  # entries not yet moved to the RAM's output

        entering = Signal()
        leaving = Signal()
        advancing = Signal()
        m.d.comb += [
            self.enter.ready.eq(inside != self.depth),
            entering.eq(self.enter.valid & self.enter.ready),
            leaving.eq(self.leave.valid & self.leave.ready),
            advancing.eq((unread != 0) & (~self.leave.valid | self.leave.ready)),
        ]

        # Cycle 0: write
        m.d.comb += [
            ram.write_enable.eq(entering),
            ram.write_address.eq(write_pointer),
            ram.write_data.eq(self.enter.payload),
        ]
        # Cycle 1: read
        m.d.comb += [ram.read_enable.eq(advancing), ram.read_address.eq(read_pointer)]
        # Cycle 2: the head is valid
        m.d.comb += Value.cast(self.leave.payload).eq(ram.read_data)
        m.d.sync += [
            write_pointer.eq(write_pointer + entering),
            read_pointer.eq(read_pointer + advancing),
            # Who takes the head is known last
            inside.eq(_counted(inside, entering, leaving)),
            unread.eq(_counted(unread, entering, advancing)),
            self.leave.valid.eq(Mux(advancing, 1, self.leave.valid & ~self.leave.ready)),
        ]
        return m


def _counted(count: Signal, more: Signal, less: Signal) -> Any:
    """Return `count` + `more` - `less`, with nothing but choices behind `more` and `less`."""
    return Mux(less, Mux(more, count, count - 1), Mux(more, count + 1, count))


def unique_fifo(fifo: Fifo) -> Unique:
    """Wrap a FIFO as a module named by its size."""
    width = Shape.cast(fifo.enter.payload.shape()).width
    return unique(fifo, f"fifo_{width}x{fifo.depth}")
