"""STORE unit: local memories to external memory."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.axi import write_manager
from hwgen.gateware.bursts import BurstGenerator
from hwgen.gateware.control import tile_read_layout
from hwgen.gateware.fifo import Fifo, unique_fifo
from hwgen.gateware.grid import Grid
from hwgen.gateware.layout import store_layout
from hwgen.gateware.transfer import (
    MOST_COLUMNS,
    beats_per_vector,
    connect_region,
    connect_tile,
    is_empty,
)
from hwgen.gateware.unique import unique
from hwgen.gateware.walker import TileWalker
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["StoreUnit"]


class StoreUnit(wiring.Component):
    """Runs STORE descriptors one at a time, burst after burst.

    Vectors are read ahead into a small FIFO, so that data never lacks after the first beat. A
    burst is its address and then, from the next cycle, its beats. With the command transferred in
    cycle s and a memory that is always ready, burst k of n and the end are at ::

        aw[0] = s + FIRST_ADDRESS
        w[0] = s + FIRST_BEAT                      # first beat of burst 0
        aw[k] = w[k-1] + beats[k-1]
        w[k] = aw[k] + 1
        done = (cycle of the last write response) + 1

    that is, the last beat is in cycle ``s + FIRST_BEAT + sum(beats) + (n - 1) - 1``. A descriptor
    without vectors is done in cycle s + 2. The next command is accepted from the cycle after
    done. Up to RESPONSES bursts may wait for their responses.

    Latency: as above. Throughput: 1 beat per cycle within a burst.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator; the bus must not be wider than a vector.

    Members
    -------
    command : In(stream.Signature(store_layout()))
        Descriptors.
    memory_base : In(32)
        Added to the descriptor's address.
    tile_read : Out(tile_read_layout(config))
        Vector to read.
    tile_read_data : In(8 * S)
        The vector, ``Grid.READ_LATENCY`` cycles later.
    done : Out(1)
        Pulse: all write responses have come.
    done_post : Out(3)
        The descriptor's ``post``, with `done`.
    busy : Out(1)
        From the cycle after the command's transfer to `done`.
    error : Out(1)
        Pulse: an error response has come.
    awaddr … bready
        AXI4 write channels (:func:`write_manager`); all byte lanes are written.
    """

    FIRST_ADDRESS: ClassVar[int] = 1 + BurstGenerator.LATENCY
    FIRST_BEAT: ClassVar[int] = max(
        1 + TileWalker.LATENCY + Grid.READ_LATENCY + Fifo.LATENCY, FIRST_ADDRESS + 1
    )
    RESPONSES: ClassVar[int] = 255

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle unit."""
        self.config = config
        self.beats = beats_per_vector(config)
        super().__init__(
            {
                "command": In(stream.Signature(store_layout())),
                "memory_base": In(32),
                "tile_read": Out(tile_read_layout(config)),
                "tile_read_data": In(8 * config.vector_bytes),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "error": Out(1),
                **write_manager(config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build control, the vector reader and the burst sequencer."""
        m = Module()
        descriptor = Signal(store_layout(), reset_less=True)
        begin = Signal()
        empty = Signal()
        generator = BurstGenerator(self.config.bus_bytes, (MOST_COLUMNS * self.beats).bit_length())
        walker = TileWalker(self.config.compute_lanes)
        m.submodules.generator = unique(generator, "store_bursts")
        m.submodules.walker = unique(walker, "tile_walker")

        # Cycle 0: the command
        m.d.comb += self.command.ready.eq(~self.busy)
        m.d.sync += begin.eq(self.command.valid & self.command.ready)
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [descriptor.eq(self.command.payload), self.busy.eq(1)]
        with m.If(self.done):
            m.d.sync += self.busy.eq(0)

        # Cycle 1: the external and the local extent
        m.d.comb += [
            empty.eq(is_empty(descriptor)),
            connect_region(generator, descriptor, self.memory_base, self.beats),
            connect_tile(walker, descriptor),
            generator.start.eq(begin & ~empty),
            walker.start.eq(begin & ~empty),
        ]

        # Cycle 2: read vectors while the FIFO has room for them
        depth = 1 << (Grid.READ_LATENCY + Fifo.LATENCY).bit_length()
        vectors = Fifo(8 * self.config.vector_bytes, depth)
        m.submodules.vectors = unique_fifo(vectors)
        on_the_way = Signal(Grid.READ_LATENCY)
        inside = Signal(range(depth + 1))
        vector_sent = Signal()
        m.d.comb += [
            self.tile_read.enable.eq(walker.valid & (inside != depth)),
            self.tile_read.pe_y.eq(descriptor.pe_y),
            self.tile_read.pe_x.eq(descriptor.pe_x),
            self.tile_read.bank.eq(walker.bank),
            self.tile_read.address.eq(walker.address),
            walker.advance.eq(self.tile_read.enable),
            vectors.enter.valid.eq(on_the_way[-1]),
            vectors.enter.payload.eq(self.tile_read_data),
        ]
        m.d.sync += [
            on_the_way.eq(Cat(self.tile_read.enable, on_the_way)),
            inside.eq(inside + self.tile_read.enable - vector_sent),
        ]

        # Cycle 4: a burst's address
        sending = Signal()
        responses = Signal(range(self.RESPONSES + 1))
        may_address = Signal()
        addressed = Signal()
        beats_left = Signal(8)
        final = Signal()
        burst = generator.bursts
        m.d.comb += [
            may_address.eq(~sending & (responses != self.RESPONSES)),
            self.awaddr.eq(burst.payload.address),
            self.awlen.eq(burst.payload.length),
            self.awvalid.eq(burst.valid & may_address),
            burst.ready.eq(self.awready & may_address),
            addressed.eq(self.awvalid & self.awready),
        ]

        # From the cycle after it: its beats
        index = Signal(range(self.beats))
        sent = Signal()
        m.d.comb += [
            self.wdata.eq(vectors.leave.payload.word_select(index, 8 * self.config.bus_bytes)),
            self.wvalid.eq(sending & vectors.leave.valid),
            self.wlast.eq(beats_left == 0),
            sent.eq(self.wvalid & self.wready),
            vector_sent.eq(sent & (index == self.beats - 1)),
            vectors.leave.ready.eq(vector_sent),
        ]
        with m.If(addressed):
            m.d.sync += [
                sending.eq(1),
                beats_left.eq(burst.payload.length),
                final.eq(burst.payload.final),
            ]
        with m.If(sent):
            m.d.sync += [index.eq(index + 1), beats_left.eq(beats_left - 1)]
            with m.If(self.wlast):
                m.d.sync += sending.eq(0)

        # Responses, and the end
        all_sent = Signal()
        m.d.comb += [
            self.bready.eq(1),
            self.error.eq(self.bvalid & self.bresp[1]),
            self.done.eq(all_sent & (responses == 0)),
            self.done_post.eq(descriptor.post),
        ]
        m.d.sync += responses.eq(responses + addressed - self.bvalid)
        with m.If((sent & self.wlast & final) | (begin & empty)):
            m.d.sync += all_sent.eq(1)
        with m.Elif(self.done):
            m.d.sync += all_sent.eq(0)
        return m
