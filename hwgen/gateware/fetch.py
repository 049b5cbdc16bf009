"""Fetch unit: reads a program's header and descriptors and hands them to the queues."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.axi import read_manager
from hwgen.gateware.fifo import Fifo, unique_fifo
from hwgen.gateware.layout import descriptor_layout
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import COMMON_FIELDS, DESCRIPTOR_BYTES, HEADER_MAGIC, Queue

__all__ = ["FetchUnit"]

_WORDS = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES
_QUEUE_BITS = COMMON_FIELDS[0].bits
_LAYOUTS = {queue: descriptor_layout(queue) for queue in Queue}
_STORED_WORDS = -(-max(layout.size for layout in _LAYOUTS.values()) // (8 * DESCRIPTOR_PORT_BYTES))


class FetchUnit(wiring.Component):
    """Prefetches descriptors, up to DEPTH of them, and dispatches them in order.

    The header and each descriptor are one burst of 8 beats of 64 bits. With `start` in cycle t
    the header is requested (AR handshake) in cycle ``t + 1``. With its last beat in cycle h,
    descriptors i = 0 … count - 1 are requested, arrive and are dispatched in cycles ::

        request[i] = max(h + 1 if i == 0 else request[i-1] + 1, dispatch[i-DEPTH] + 1)
        arrive[i] = cycle of the last beat of burst i
        dispatch[i] = max(arrive[i] + 2, dispatch[i-1] + 1, its queue takes it)

    A memory that gives the first beat ``latency`` cycles after the AR handshake and then a beat
    per cycle has ``arrive[i] = max(request[i] + latency, arrive[i-1] + 1) + 7``.

    A header without the magic word or with another fingerprint ends the program at once with
    `refused`; a descriptor that names no
    queue is dropped and sets it too.

    Latency: as above. Throughput: 1 descriptor per 8 cycles.

    Parameters
    ----------
    fingerprint : int
        The configuration's; a program for another one is refused.

    Members
    -------
    start : In(1)
        Pulse, only while not `busy`.
    program : In(32)
        Byte address of the header, a multiple of 64.
    load, execute, store : Out(stream.Signature(…_layout()))
        Descriptors for each queue.
    busy : Out(1)
        From the cycle after `start` to two cycles after the last dispatch.
    refused : Out(1)
        Pulse: the program is not for this accelerator.
    error : Out(1)
        Pulse: a beat came with an error response.
    araddr … rready
        AXI4 read channels of 64 bits (:func:`read_manager`).
    """

    DEPTH: ClassVar[int] = 8

    def __init__(self, fingerprint: int) -> None:
        """Create an idle unit."""
        self.fingerprint = fingerprint
        streams: dict[str, Any] = {
            queue.name.lower(): Out(stream.Signature(layout)) for queue, layout in _LAYOUTS.items()
        }
        super().__init__(
            {
                "start": In(1),
                "program": In(32),
                **streams,
                "busy": Out(1),
                "refused": Out(1),
                "error": Out(1),
                **read_manager(DESCRIPTOR_PORT_BYTES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the state machine, the request side and the dispatch side."""
        m = Module()
        running = Signal()
        count = Signal(32)
        requested = Signal(32)
        dispatched = Signal(32)
        reserved = Signal(range(self.DEPTH + 1))  # places in the buffer

        # Requests
        requesting = Signal()
        request = Signal()
        may_request = Signal()
        m.d.comb += [
            may_request.eq((requested != count) & (reserved != self.DEPTH)),
            self.arlen.eq(_WORDS - 1),
            requesting.eq(self.arvalid & self.arready),
            request.eq(requesting & running),
            self.busy.eq(1),
        ]
        with m.If(self.start):
            m.d.sync += self.araddr.eq(self.program)
        with m.Elif(requesting):
            m.d.sync += self.araddr.eq(self.araddr + DESCRIPTOR_BYTES)

        # Beats: the words that hold fields are kept
        index = Signal(range(_WORDS))
        words = [
            Signal(8 * DESCRIPTOR_PORT_BYTES, name=f"word_{number}", reset_less=True)
            for number in range(_STORED_WORDS)
        ]
        last_beat = Signal()
        m.d.comb += [
            self.rready.eq(self.busy),
            last_beat.eq(self.rvalid & self.rready & (index == _WORDS - 1)),
            self.error.eq(self.rvalid & self.rready & self.rresp[1]),
        ]
        with m.If(self.rvalid & self.rready):
            m.d.sync += index.eq(index + 1)
            for number, word in enumerate(words):
                with m.If(index == number):
                    m.d.sync += word.eq(self.rdata)

        # The last beats hold no fields, so all words are there when the last one comes
        buffer = Fifo(8 * DESCRIPTOR_PORT_BYTES * _STORED_WORDS, self.DEPTH)
        m.submodules.buffer = unique_fifo(buffer)
        m.d.comb += [
            buffer.enter.valid.eq(last_beat & running),
            buffer.enter.payload.eq(Cat(*words)),
        ]

        # Dispatch, two cycles after the last beat
        head = buffer.leave.payload
        named = head[:_QUEUE_BITS]
        dispatch = Signal()
        dropped = Signal()
        m.d.comb += dropped.eq(buffer.leave.valid & (named == len(Queue)))
        with m.If(dropped):
            m.d.comb += buffer.leave.ready.eq(1)
        for queue, layout in _LAYOUTS.items():
            target = getattr(self, queue.name.lower())
            m.d.comb += Value.cast(target.payload).eq(head[: layout.size])
            with m.If(named == queue):
                m.d.comb += [
                    target.valid.eq(buffer.leave.valid),
                    buffer.leave.ready.eq(target.ready),
                ]
        m.d.comb += dispatch.eq(buffer.leave.valid & buffer.leave.ready)

        # Header and state
        magic, fingerprint = words[0][:32], words[0][32:]
        refused = Signal()
        m.d.comb += self.refused.eq(refused | dropped)
        m.d.sync += reserved.eq(reserved + request - dispatch)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [requested.eq(0), dispatched.eq(0), index.eq(0)]
                with m.If(self.start):
                    m.next = "request header"
            with m.State("request header"):
                m.d.comb += self.arvalid.eq(1)
                with m.If(self.arready):
                    m.next = "read header"
            with m.State("read header"):
                m.d.sync += count.eq(words[1][:32])
                with m.If(last_beat):
                    m.next = "run"
                    with m.If((magic != HEADER_MAGIC) | (fingerprint != self.fingerprint)):
                        m.d.comb += refused.eq(1)
                        m.next = "idle"
            with m.State("run"):
                m.d.comb += [running.eq(1), self.arvalid.eq(may_request)]
                m.d.sync += [
                    requested.eq(requested + request),
                    dispatched.eq(dispatched + dispatch),
                ]
                with m.If(dispatched == count):
                    m.next = "idle"
        return m
