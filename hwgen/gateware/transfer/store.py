"""STORE unit: local memories to external memory."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import write_manager
from hwgen.gateware.bus.bursts import BurstGenerator
from hwgen.gateware.bus.faults import fault_layout
from hwgen.gateware.bus.locator import Locator
from hwgen.gateware.bus.pages import pages_layout
from hwgen.gateware.grid.control import tile_read_layout
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.primitives.fifo import Fifo, unique_fifo
from hwgen.gateware.primitives.layout import store_layout
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.tile_transfer import (
    HELD,
    MOST_COLUMNS,
    accept_commands,
    address_burst,
    connect_region,
    connect_tile,
    credit,
    legal_tile,
    most_vector_beats,
)
from hwgen.gateware.transfer.tile_walker import TileWalker
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.stops import StopCause

__all__ = ["StoreUnit"]


class StoreUnit(wiring.Component):
    """Runs STORE descriptors, up to HELD at a time, up to OUTSTANDING addresses ahead of the data.

    Vectors are read ahead into a small FIFO, so that data never lacks after a descriptor's first
    beat. The next command is taken once all bursts of the last command are addressed; its vectors
    follow the others without a gap. Descriptor i, whose command is transferred in cycle s[i], has its
    bursts k, numbered on over all descriptors, on an always ready memory in cycles ::

        aw[k] = max(s[i] + FIRST_ADDRESS if k is its first burst else aw[k-1] + 1,
                    last_beat[k-OUTSTANDING] + 1)
        first_beat[k] = max(s[i] + FIRST_BEAT if k is its first burst else 0, last_beat[k-1] + 1)
        last_beat[k] = first_beat[k] + beats[k] - 1

    or later as credit allows on a paced bus (:class:`Pacer`). The next command is transferred, and
    done given, in cycle ::

        s[i+1] >= max(aw[its last burst] + 1, done[i+1-HELD] + 1)
        done[i] = (cycle of its last write response) + 1

    so data follow each other without a gap if a descriptor has FIRST_BEAT - FIRST_ADDRESS - 1 beats
    more than bursts and its last OUTSTANDING bursts have FIRST_BEAT + 1 beats.

    A burst's data is sent whether or not its address has been taken, as AXI demands. Up to `responses`
    bursts may wait for their responses; with RESPONSES, a memory that answers within 4,096 cycles
    never makes a burst wait for that.

    A descriptor with counts that the configuration does not have is not begun, a burst that is not
    aligned or outside of the window not addressed: `fault` says so, and the unit waits for its reset.

    Latency: as above. Throughput: 1 beat per cycle, or the bus's pace.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator; the bus must not be wider than a register-file row.
    responses : int
        Most bursts that wait for their responses, a power of two less 1.

    Members
    -------
    command : In(stream.Signature(store_layout()))
        Descriptors.
    memory_base : In(32)
        Added to the descriptor's address.
    pages : In(pages_layout())
        The window.
    stop : In(1)
        No further burst is addressed; the data of those that were offered is still sent.
    tile_read : Out(tile_read_layout(config))
        Vector to read.
    tile_read_data : In(8 * S)
        The vector, ``Grid.READ_LATENCY`` cycles later.
    done : Out(1)
        Pulse: all write responses of the oldest descriptor have come.
    done_post : Out(3)
        The descriptor's ``post``, with `done`.
    busy : Out(1)
        From the cycle after a command's transfer to its `done`.
    quiet : Out(1)
        No address is offered, no data to be sent and no response awaited.
    fault : Out(fault_layout())
        Pulse: an error response has come, without an address. Until reset: a burst may not be
        addressed, with its address.
    located, error_address : Out
        Until reset: address of the burst of the first error response, if `located`.
    awaddr … bready
        AXI4 write channels (:func:`write_manager`). All byte lanes are written; those beyond a vector
        on a wider bus with 0.
    """

    OUTSTANDING: ClassVar[int] = 8
    HELD: ClassVar[int] = HELD
    FIRST_ADDRESS: ClassVar[int] = 1 + BurstGenerator.LATENCY
    FIRST_BEAT: ClassVar[int] = Fifo.LATENCY + TileWalker.LATENCY + Grid.READ_LATENCY + Fifo.LATENCY
    RESPONSES: ClassVar[int] = (1 << 13) - 1

    def __init__(self, config: AcceleratorConfig, responses: int = RESPONSES) -> None:
        """Create an idle unit."""
        if responses < 1 or responses & (responses + 1):
            raise ValueError(f"responses must be a power of two less one, not {responses!r}")
        self.config = config
        self.responses = responses
        self.vector_beats = most_vector_beats(config)
        super().__init__(
            {
                "command": In(stream.Signature(store_layout())),
                "memory_base": In(32),
                "pages": In(pages_layout()),
                "stop": In(1),
                "tile_read": Out(tile_read_layout(config)),
                "tile_read_data": In(8 * config.vector_bytes),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "quiet": Out(1),
                "fault": Out(fault_layout()),
                "located": Out(1),
                "error_address": Out(32),
                **write_manager(config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the command side, the vector reader, the addresses, the data and the responses."""
        m = Module()
        bursts = Fifo(data.StructLayout({"length": 8, "vector_beats": 8}), self.OUTSTANDING)
        ends = Fifo(
            data.StructLayout({"answered": range(self.responses + 1), "post": 3}), self.HELD
        )
        m.submodules.bursts = unique_fifo(bursts)
        m.submodules.ends = unique_fifo(ends)
        last_addressed = Signal()

        # Cycle 0: the command, to the addresses and in line for the vector reader
        descriptor, begin, descriptors = accept_commands(m, self, store_layout(), last_addressed)
        self._address(m, descriptor, begin, last_addressed, bursts, ends)
        vectors = self._read(m, descriptors)
        self._send(m, bursts, vectors)
        return m

    def _address(
        self,
        m: Module,
        descriptor: Any,
        begin: Signal,
        last_addressed: Signal,
        bursts: Fifo,
        ends: Fifo,
    ) -> None:
        """Build the address channel and the count of the responses."""
        longest = MOST_COLUMNS * self.vector_beats
        generator = BurstGenerator(self.config.bus_bytes, longest.bit_length())
        m.submodules.generator = unique(generator, "store_bursts")

        # Cycle 1: the external region; cycle 2: the beats of its rows, and whether they can be
        region = generator.region
        segment_beats = Signal.like(region.beats, reset_less=True)
        legal = Signal()
        m.d.sync += [
            segment_beats.eq(descriptor.columns * descriptor.vector_beats),
            legal.eq(legal_tile(self.config, descriptor)),
        ]
        m.d.comb += [
            connect_region(region, descriptor, self.memory_base),
            region.beats.eq(segment_beats),
            generator.start.eq(begin),
            generator.legal.eq(legal),
            generator.pages.eq(self.pages),
        ]

        # Cycle 4: addresses, and at once the place of the data. Bursts are numbered modulo
        # responses + 1
        burst = generator.bursts
        number = Signal(range(self.responses + 1))
        next_number = Signal.like(number)
        answered = Signal.like(number)
        waiting = Signal.like(number)
        room = Signal()
        valid, offered, refused, refusal = address_burst(m, burst, room, self.stop)
        m.d.comb += [
            next_number.eq(number + 1),
            waiting.eq(number - answered),
            room.eq(bursts.enter.ready & (waiting != self.responses)),
            self.awaddr.eq(burst.payload.address),
            self.awlen.eq(burst.payload.length),
            self.awvalid.eq(valid),
            burst.ready.eq(self.awvalid & self.awready),
            last_addressed.eq(burst.ready & burst.payload.final),
            bursts.enter.valid.eq(offered),
            bursts.enter.payload.length.eq(burst.payload.length),
            bursts.enter.payload.vector_beats.eq(descriptor.vector_beats),
            ends.enter.valid.eq(offered & burst.payload.final),
            ends.enter.payload.answered.eq(next_number),
            ends.enter.payload.post.eq(descriptor.post),
        ]
        with m.If(offered):
            m.d.sync += number.eq(next_number)

        # Responses; a descriptor is done when its last burst is answered. A response
        # that no burst waits for, as after a reset in mid-run, has no effect
        answer = Signal()
        m.d.comb += [
            self.bready.eq(1),
            self.quiet.eq((waiting == 0) & ~valid),
            answer.eq(self.bvalid & (waiting != 0)),
            self.done.eq(ends.leave.valid & (answered == ends.leave.payload.answered)),
            self.done_post.eq(ends.leave.payload.post),
            ends.leave.ready.eq(self.done),
        ]
        m.d.sync += answered.eq(answered + answer)
        failed = self._locate(m, region, begin, answer)

        m.d.comb += [
            self.fault.valid.eq(refused),
            self.fault.cause.eq(refusal),
            self.fault.address.eq(burst.payload.address),
        ]
        with m.If(failed):
            m.d.comb += [
                self.fault.valid.eq(1),
                self.fault.cause.eq(StopCause.RESPONSE),
                self.fault.response.eq(self.bresp),
                self.fault.address.eq(0),
            ]

    def _locate(self, m: Module, region: Any, begin: Signal, answer: Signal) -> Signal:
        """Build the search for an error response's burst; return whether a response is an error."""
        locator = Locator(self.config.bus_bytes, len(region.beats), self.HELD, self.responses)
        m.submodules.locator = unique(locator, "store_locator")
        failed = Signal()
        base = Signal(32, reset_less=True)
        m.d.sync += [base.eq(region.base), locator.enter.eq(begin)]
        m.d.comb += [
            failed.eq(answer & self.bresp[1]),
            locator.region.eq(region),
            locator.region.base.eq(base),
            locator.answered.eq(answer),
            locator.failed.eq(failed),
            self.located.eq(locator.located),
            self.error_address.eq(locator.address),
        ]
        return failed

    def _read(self, m: Module, descriptors: Fifo) -> Fifo:
        """Build the reader of vectors; return what was read."""
        walker = TileWalker(self.config.compute_lanes)
        m.submodules.walker = unique(walker, "tile_walker")
        descriptor = descriptors.leave.payload
        depth = 1 << (Grid.READ_LATENCY + Fifo.LATENCY).bit_length()
        vectors = Fifo(8 * self.config.vector_bytes, depth)
        m.submodules.vectors = unique_fifo(vectors)

        # Cycle 2: the local extent, as soon as the last vector before is being read
        start = Signal()
        m.d.comb += [
            start.eq(descriptors.leave.valid & (~walker.valid | (walker.last & walker.advance))),
            descriptors.leave.ready.eq(start),
            connect_tile(walker, descriptor),
            walker.start.eq(start),
        ]
        with m.If(start):
            m.d.sync += [
                self.tile_read.pe_y.eq(descriptor.pe_y),
                self.tile_read.pe_x.eq(descriptor.pe_x),
            ]

        # Cycle 3: read while the FIFO has room
        on_the_way = Signal(Grid.READ_LATENCY)
        inside = Signal(range(depth + 1))
        m.d.comb += [
            self.tile_read.enable.eq(walker.valid & (inside != depth)),
            self.tile_read.bank.eq(walker.bank),
            self.tile_read.address.eq(walker.address),
            walker.advance.eq(self.tile_read.enable),
            vectors.enter.valid.eq(on_the_way[-1]),
            vectors.enter.payload.eq(self.tile_read_data),
        ]
        m.d.sync += [
            on_the_way.eq(Cat(self.tile_read.enable, on_the_way)),
            inside.eq(inside + self.tile_read.enable - (vectors.leave.valid & vectors.leave.ready)),
        ]
        return vectors

    def _send(self, m: Module, bursts: Fifo, vectors: Fifo) -> None:
        """Build the data channel: the beats of the bursts that were addressed."""
        burst = bursts.leave
        position = Signal(8)  # beats of the burst that were sent
        index = Signal(range(self.vector_beats))  # beats of the vector that were sent
        vector_end = Signal()
        sent = Signal()
        allowed = credit(m, self.config, sent)
        beat_bits = 8 * min(self.config.bus_bytes, self.config.vector_bytes)
        m.d.comb += [
            self.wdata.eq(vectors.leave.payload.word_select(index, beat_bits)),
            self.wvalid.eq(burst.valid & vectors.leave.valid & allowed),
            self.wlast.eq(position == burst.payload.length),
            sent.eq(self.wvalid & self.wready),
            vector_end.eq(index == burst.payload.vector_beats - 1),
            vectors.leave.ready.eq(sent & vector_end),
            burst.ready.eq(sent & self.wlast),
        ]
        with m.If(sent):
            m.d.sync += [position.eq(position + 1), index.eq(index + 1)]
            with m.If(vector_end):
                m.d.sync += index.eq(0)
            with m.If(self.wlast):
                m.d.sync += position.eq(0)
