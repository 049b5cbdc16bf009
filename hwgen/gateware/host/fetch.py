"""Fetch unit: reads a program's header and descriptors and hands them to the queues."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import read_manager
from hwgen.gateware.bus.faults import fault_layout
from hwgen.gateware.bus.pages import outside, pages_layout
from hwgen.gateware.primitives.crc import CRC_BITS, CRC_RESIDUE, CRC_START, crc_step
from hwgen.gateware.primitives.fifo import Fifo, unique_fifo
from hwgen.gateware.primitives.layout import descriptor_layout
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import COMMON_FIELDS, DESCRIPTOR_BYTES, Queue
from sim.spec.header import HEADER_MAGIC, HEADER_VERSION
from sim.spec.stops import StopCause

__all__ = ["FetchUnit"]

_WORDS = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES
_QUEUE_BITS = COMMON_FIELDS[0].bits
_STORED_WORDS = -(
    -max(descriptor_layout(queue, tables=True).size for queue in Queue)
    // (8 * DESCRIPTOR_PORT_BYTES)
)


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

    `fault` comes with the beat that has an error response, with the last beat of a header that is not
    for this accelerator, and one cycle after the last beat of a header or descriptor whose check word
    does not fit (:mod:`sim.spec.header`) or that names no queue. With `stop` one cycle after that the
    descriptor, and those behind it, are not dispatched.

    Latency: as above. Throughput: 1 descriptor per 8 cycles.

    Parameters
    ----------
    fingerprint : int
        The configuration's; a program for another configuration is refused.
    tables : bool
        Whether descriptors have the fields of activation tables.

    Members
    -------
    start : In(1)
        Pulse, only while not `busy`.
    program : In(32)
        Byte address of the header, a multiple of 64.
    pages : In(pages_layout())
        The window; an address outside of it is a fault and not requested.
    stop : In(1)
        Nothing more is dispatched or requested; a request that is offered already still is.
    drop : In(1)
        No program runs: beats are taken and have no effect.
    load, execute, store : Out(stream.Signature(…_layout()))
        Descriptors for each queue.
    busy : Out(1)
        From the cycle after `start` to two cycles after the last dispatch; after a fault until reset.
    quiet : Out(1)
        No request is offered or unanswered.
    fault : Out(fault_layout())
        The cause, and the address of the header or descriptor.
    araddr … rready
        AXI4 read channels of 64 bits (:func:`read_manager`).
    """

    DEPTH: ClassVar[int] = 8

    def __init__(self, fingerprint: int, *, tables: bool = False) -> None:
        """Create an idle unit."""
        self.fingerprint = fingerprint
        self._layouts = {queue: descriptor_layout(queue, tables=tables) for queue in Queue}
        streams: dict[str, Any] = {
            queue.name.lower(): Out(stream.Signature(layout))
            for queue, layout in self._layouts.items()
        }
        super().__init__(
            {
                "start": In(1),
                "program": In(32),
                "pages": In(pages_layout()),
                "stop": In(1),
                "drop": In(1),
                **streams,
                "busy": Out(1),
                "quiet": Out(1),
                "fault": Out(fault_layout()),
                **read_manager(DESCRIPTOR_PORT_BYTES),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the state machine, the request side, the checks and the dispatch side."""
        m = Module()
        running = Signal()
        count = Signal(32)
        requested = Signal(32)  # the next request included
        more = Signal()  # descriptors to request
        dispatched = Signal(32)

        # Requests
        reserved = Signal(range(self.DEPTH + 1))  # places in the buffer
        wanted = Signal()
        requesting = Signal()
        beyond = self._request(m, wanted, requesting)
        request = requesting & running

        # Beats: the words that hold fields are kept
        outstanding = Signal(range(self.DEPTH + 1))  # bursts
        awaited = Signal()  # any of them
        index = Signal(range(_WORDS))
        words = [
            Signal(8 * DESCRIPTOR_PORT_BYTES, name=f"word_{number}", reset_less=True)
            for number in range(_STORED_WORDS)
        ]
        beat, last_beat = Signal(), Signal()
        m.d.comb += [
            self.rready.eq(self.drop | awaited),
            beat.eq(self.rvalid & awaited),
            last_beat.eq(beat & (index == _WORDS - 1)),
            self.quiet.eq(~self.arvalid & ~awaited),
        ]
        m.d.sync += [
            outstanding.eq(outstanding + requesting - last_beat),
            awaited.eq(requesting | ~((outstanding == 0) | ((outstanding == 1) & last_beat))),
        ]
        with m.If(beat):
            m.d.sync += index.eq(index + 1)
            for number, word in enumerate(words):
                with m.If(index == number):
                    m.d.sync += word.eq(self.rdata)

        # With the last beat the words before it are there; if it holds fields, it is kept as it comes
        kept = [*words[:-1], self.rdata] if _STORED_WORDS == _WORDS else words
        buffer = Fifo(8 * DESCRIPTOR_PORT_BYTES * _STORED_WORDS, self.DEPTH)
        m.submodules.buffer = unique_fifo(buffer)
        m.d.comb += [
            buffer.enter.valid.eq(last_beat & running),
            buffer.enter.payload.eq(Cat(*kept)),
        ]

        # Dispatch, two cycles after the last beat
        head = buffer.leave.payload
        dispatch = Signal()
        for queue, layout in self._layouts.items():
            target = getattr(self, queue.name.lower())
            m.d.comb += Value.cast(target.payload).eq(head[: layout.size])
            with m.If((head[:_QUEUE_BITS] == queue) & ~self.stop):
                m.d.comb += [
                    target.valid.eq(buffer.leave.valid),
                    buffer.leave.ready.eq(target.ready),
                ]
        m.d.comb += dispatch.eq(buffer.leave.valid & buffer.leave.ready)

        # State
        refused = Signal()
        magic, fingerprint, version = words[0][:32], words[0][32:], words[1][32:]
        foreign = (
            (magic != HEADER_MAGIC)
            | (fingerprint != self.fingerprint)
            | (version != HEADER_VERSION)
        )
        m.d.comb += self.busy.eq(1)
        m.d.sync += reserved.eq(reserved + request - dispatch)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [requested.eq(1), dispatched.eq(0), index.eq(0)]
                with m.If(self.start):
                    m.next = "request header"
            with m.State("request header"):
                m.d.comb += wanted.eq(1)
                with m.If(requesting):
                    m.next = "read header"
            with m.State("read header"):
                m.d.sync += [count.eq(words[1][:32]), more.eq(words[1][:32] != 0)]
                with m.If(last_beat):
                    m.d.comb += refused.eq(foreign)
                    m.next = "run"
                    with m.If(foreign):
                        m.next = "refused"
            with m.State("run"):
                m.d.comb += [
                    running.eq(1),
                    wanted.eq(more & (reserved != self.DEPTH)),
                ]
                m.d.sync += [
                    requested.eq(requested + request),
                    dispatched.eq(dispatched + dispatch),
                ]
                with m.If(request):
                    m.d.sync += more.eq(requested != count)
                with m.If(dispatched == count):
                    m.next = "idle"
            with m.State("refused"):
                pass

        # Faults; of those in one cycle the oldest, which stands last here
        arriving = Signal(32)  # address of the oldest burst that is outstanding
        with m.If(self.start):
            m.d.sync += arriving.eq(self.program)
        with m.Elif(last_beat):
            m.d.sync += arriving.eq(arriving + DESCRIPTOR_BYTES)
        response = beat & self.rresp[1]
        self._report(m, wanted & beyond, StopCause.WINDOW, self.araddr)
        self._report(m, refused, StopCause.REFUSED, arriving)
        self._report(m, response, StopCause.RESPONSE, arriving, self.rresp)
        self._check(m, words, index, beat, last_beat, ~running, arriving)
        return m

    def _request(self, m: Module, wanted: Signal, requesting: Signal) -> Signal:
        """Build the address channel; return whether the next address is outside of the window."""
        following = Signal(32)
        beyond = Signal()
        waits = Signal()
        m.d.comb += [
            following.eq(Mux(self.start, self.program, self.araddr + DESCRIPTOR_BYTES)),
            self.arlen.eq(_WORDS - 1),
            self.arvalid.eq(waits | (wanted & ~beyond & ~self.stop)),
            requesting.eq(self.arvalid & self.arready),
        ]
        m.d.sync += waits.eq(self.arvalid & ~self.arready)
        with m.If(self.start | requesting):
            m.d.sync += [self.araddr.eq(following), beyond.eq(outside(self.pages, following))]
        return beyond

    def _check(
        self,
        m: Module,
        words: list[Signal],
        index: Signal,
        beat: Signal,
        last_beat: Signal,
        of_header: Any,
        arriving: Signal,
    ) -> None:
        """Check each burst by its check word, one cycle after its last beat."""
        register = Signal(CRC_BITS)
        crc = Signal(CRC_BITS)
        with m.If(index == 0):
            m.d.comb += register.eq(CRC_START)
        with m.Else():
            m.d.comb += register.eq(crc)
        with m.If(beat):
            m.d.sync += crc.eq(crc_step(register, self.rdata))

        checking, header, nameless = Signal(), Signal(), Signal()
        address = Signal(32)
        announced = Signal(CRC_BITS)  # what the next descriptor's CRC is to be
        expected = Signal(CRC_BITS)
        m.d.sync += checking.eq(last_beat)
        with m.If(last_beat):
            m.d.sync += [
                header.eq(of_header),
                nameless.eq(words[0][:_QUEUE_BITS] == len(Queue)),
                address.eq(arriving),
                announced.eq(self.rdata[-CRC_BITS:]),
            ]
        with m.If(checking):
            m.d.sync += expected.eq(Mux(header, words[2][:CRC_BITS], announced))
        self._report(m, checking & ~header & nameless, StopCause.DESCRIPTOR, address)
        self._report(m, checking & ~header & (~crc != expected), StopCause.CHECK, address)
        self._report(m, checking & header & (crc != CRC_RESIDUE), StopCause.REFUSED, address)

    def _report(
        self, m: Module, condition: Any, cause: StopCause, address: Any, response: Any = 0
    ) -> None:
        """Report a fault, in place of those that were reported before."""
        with m.If(condition):
            m.d.comb += [
                self.fault.valid.eq(1),
                self.fault.cause.eq(cause),
                self.fault.address.eq(address),
                self.fault.response.eq(response),
            ]
