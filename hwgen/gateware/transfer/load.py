"""LOAD unit: external memory to local memories, register files and parameters."""

from typing import Any, ClassVar

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import read_manager
from hwgen.gateware.bus.bursts import BurstGenerator
from hwgen.gateware.bus.faults import fault_layout
from hwgen.gateware.bus.pages import pages_layout
from hwgen.gateware.grid.control import row_write_layout, rows_at_once, tile_write_layout
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.primitives.fifo import Fifo
from hwgen.gateware.primitives.layout import load_layout
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.gather import Gather, gather_sums
from hwgen.gateware.transfer.row_beats import RowBeats, row_beats
from hwgen.gateware.transfer.rows import RowWalker, columns_with, weights_layout
from hwgen.gateware.transfer.tile_transfer import (
    HELD,
    MOST_COLUMNS,
    MOST_ROW_BYTES,
    accept_commands,
    address_burst,
    connect_region,
    connect_tile,
    credit,
    legal_gather,
    legal_tile,
    legal_weights,
    most_stream_beats,
    most_vector_beats,
)
from hwgen.gateware.transfer.tile_walker import TileWalker
from hwgen.gateware.transfer.weight_store import WeightStore
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, LoadStore
from sim.spec.stops import StopCause

__all__ = ["LoadUnit"]


class LoadUnit(wiring.Component):
    """Runs LOAD descriptors, up to HELD at a time, reading ahead by up to OUTSTANDING bursts.

    The request side asks for a descriptor's bursts, those of :class:`BurstGenerator` (weights are one
    segment), and then takes the next command; the data side follows in the same order. Data is
    taken whenever the memory gives it and, on a paced bus, there is credit (:class:`Pacer`).
    Descriptor i, whose command is transferred in cycle s[i], requests its bursts k, numbered on
    over all descriptors, (AR handshake, on an always ready memory) in cycle ::

        ar[k] = max(s[i] + FIRST_REQUEST if k is its first burst else ar[k-1] + 1,
                    last_beat[k-OUTSTANDING] + 1)

    The next command is transferred, and done given, in cycle ::

        s[i+1] >= max(ar[its last burst] + 1, done[i+1-HELD] + 1)
        done[i] = last_beat[its last burst] + DONE_DELAY

    A memory that gives the first beat ``latency`` cycles after the AR handshake and then a beat per
    cycle has, without pacing, ::

        last_beat[k] = max(ar[k] + latency, last_beat[k-1] + 1) + beats[k] - 1

    A sequence of descriptors keeps such a bus busy if any OUTSTANDING - 1 bursts in a row have at least
    ``latency`` beats, any HELD - 1 descriptors ``latency + FIRST_REQUEST + DONE_DELAY``, and any
    descriptor ``FIRST_REQUEST + 1``.

    With a weight store (:class:`WeightStore`) a weights descriptor may FILL it: every row that is written
    goes to the store as well, which takes no cycle. A descriptor that READs it requests no burst. Its r rows
    are read, a row per cycle, when the descriptor is first in line; with ``column_lanes`` a row of every PE
    column's block of a lane at once, which counts as a single row. With the last beat or row before them in cycle e ::

        s[i+1] >= s[i] + GRANT + 1
        last_row = max(s[i] + GRANT + 1, e + TURN) + r - 1
        done[i] = last_row + DONE_DELAY

    Bursts of later descriptors are requested meanwhile, and their beats wait; credit goes on to grow.

    A descriptor with counts that the configuration does not have, or rows beyond the store, is not begun, a burst that is not
    aligned or outside of the window not requested: `fault` says so, and the unit waits for its reset.

    Latency: as above. Throughput: 1 beat per cycle, or the bus's pace.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator; the bus must not be wider than a register-file row.

    Members
    -------
    command : In(stream.Signature(load_layout()))
        Descriptors.
    memory_base : In(32)
        Added to the descriptor's address.
    input_offset : In(32)
        Added as well to that of a descriptor that gathers; a multiple of a beat. Constant for two cycles before a command.
    pages : In(pages_layout())
        The window.
    stop : In(1)
        No further burst is requested, but for a burst that is offered already.
    drop : In(1)
        No program runs: beats are taken and have no effect.
    row_write : Out(row_write_layout(config))
        Weights and parameters; bytes that a row does not have in external memory are 0.
    row_half : Out(1)
        Half that `row_write` goes to.
    tile_write : Out(tile_write_layout(config))
        Activations; bytes that a vector does not have in external memory are 0.
    done : Out(1)
        Pulse: the oldest descriptor's last vector is written and can be read.
    done_post : Out(3)
        The descriptor's ``post``, with `done`.
    busy : Out(1)
        From the cycle after a command's transfer to its `done`.
    waiting : Out(1)
        A read is outstanding and there is no data.
    quiet : Out(1)
        No request is offered or unanswered.
    fault : Out(fault_layout())
        Pulse: a beat came with an error response, with the address of its burst. Until reset: a burst
        may not be requested, with its address.
    araddr … rready
        AXI4 read channels (:func:`read_manager`).
    """

    OUTSTANDING: ClassVar[int] = 8
    HELD: ClassVar[int] = HELD
    FIRST_REQUEST: ClassVar[int] = 1 + BurstGenerator.LATENCY
    DONE_DELAY: ClassVar[int] = 1 + Grid.WRITE_LATENCY
    GRANT: ClassVar[int] = 3
    TURN: ClassVar[int] = 2

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle unit."""
        self.config = config
        self.row_beats = row_beats(config)
        self.vector_beats = most_vector_beats(config)
        super().__init__(
            {
                "command": In(stream.Signature(load_layout())),
                "memory_base": In(32),
                "input_offset": In(32),
                "pages": In(pages_layout()),
                "stop": In(1),
                "drop": In(1),
                "row_write": Out(row_write_layout(config)),
                "row_half": Out(1),
                "tile_write": Out(tile_write_layout(config)),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "waiting": Out(1),
                "quiet": Out(1),
                "fault": Out(fault_layout()),
                **read_manager(config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the command side, the request side and the data side."""
        m = Module()
        last_requested = Signal()
        store = None
        if self.config.store_rows:
            store = WeightStore(self.config)
            m.submodules.weight_store = unique(store)

        # Cycle 0: the command, to the request side and in line for the data side
        descriptor, begin, descriptors = accept_commands(
            m,
            self,
            load_layout(),
            last_requested,
            gather_sums(self.command.payload, self.config.bus_bytes),
        )
        beat, awaited = Signal(), Signal()
        last_beat = self._request(m, store, descriptor, begin, last_requested, beat, awaited)
        self._take(m, store, descriptors, beat, awaited, last_beat)
        return m

    def _request(
        self,
        m: Module,
        store: WeightStore | None,
        descriptor: Any,
        begin: Signal,
        last_requested: Signal,
        beat: Signal,
        awaited: Signal,
    ) -> Signal:
        """Build the request side; return whether a beat is a descriptor's last.

        It drives `awaited`: a burst is in flight.
        """
        bus_bits = self.config.bus_bytes.bit_length() - 1
        longest = max(
            most_stream_beats(self.config),
            MOST_COLUMNS * self.vector_beats,
            (MOST_ROW_BYTES >> bus_bits) + 2,
        )
        generator = BurstGenerator(self.config.bus_bytes, longest.bit_length(), has_loose=True)
        m.submodules.generator = unique(generator, "load_bursts")

        # Cycle 1: the external region
        region = generator.region
        weights, loose = Signal(), Signal()
        lane_rows = Signal(17)
        gather_base, base = Signal(32), Signal(32)
        m.d.sync += gather_base.eq(self.memory_base + self.input_offset)
        m.d.comb += [
            weights.eq(descriptor.kind == LoadKind.WEIGHTS),
            loose.eq(~weights & descriptor.gather),
            lane_rows.eq(descriptor.parameter_rows + descriptor.weight_rows),
            base.eq(Mux(loose, gather_base, self.memory_base)),
            connect_region(region, descriptor, base),
            generator.pages.eq(self.pages),
        ]
        with m.If(weights):
            m.d.comb += [region.rows.eq(1), region.groups.eq(1)]
        # Cycle 2: the beats of its rows, and whether they can be
        legal = Signal()
        stream_rows = Signal(24)
        m.d.comb += stream_rows.eq(descriptor.lanes * lane_rows)
        m.d.sync += legal.eq(
            Mux(
                weights,
                legal_weights(self.config, descriptor),
                Mux(
                    descriptor.gather,
                    legal_gather(self.config, descriptor),
                    legal_tile(self.config, descriptor),
                )
                & (descriptor.bank < self.config.compute_lanes),
            )
        )
        m.d.sync += [
            generator.excess.loose.eq(loose),
            generator.excess.bytes.eq(descriptor.row_bytes[:bus_bits]),
        ]
        segment_beats = Signal.like(region.beats, reset_less=True)
        m.d.sync += segment_beats.eq(
            Mux(
                weights,
                descriptor.stream_beats,
                Mux(
                    descriptor.gather,
                    descriptor.row_bytes >> bus_bits,
                    descriptor.columns * descriptor.vector_beats,
                ),
            )
        )
        m.d.comb += region.beats.eq(segment_beats)
        # Cycle 3: whether the weight store has them
        stored, granted, denied = 1, 0, 0
        if store is None:
            m.d.comb += generator.start.eq(begin)
        else:
            reads = weights & (descriptor.store == LoadStore.READ)
            m.d.comb += generator.start.eq(begin & ~reads)
            stored, granted, denied = self._grant(m, store, descriptor, begin, stream_rows, legal)

        # Cycle 4: requests, while fewer than OUTSTANDING bursts are in flight
        burst = generator.bursts
        in_flight = Signal(range(self.OUTSTANDING + 1))
        finals = Signal(self.OUTSTANDING)  # whether each burst in flight is its descriptor's last
        addresses = Array(
            Signal(32, name=f"address_{place}", reset_less=True)
            for place in range(self.OUTSTANDING)
        )
        newest = Signal(range(self.OUTSTANDING))
        oldest = Signal(range(self.OUTSTANDING))
        room = Signal()
        requested = Signal()
        burst_end = Signal()
        last_beat = Signal()
        valid, _, refused, refusal = address_burst(m, burst, legal & stored, room, self.stop)
        m.d.comb += [
            room.eq(in_flight != self.OUTSTANDING),
            self.araddr.eq(burst.payload.address),
            self.arlen.eq(burst.payload.length),
            self.arvalid.eq(valid),
            requested.eq(self.arvalid & self.arready),
            burst.ready.eq(requested),
            last_requested.eq((requested & burst.payload.final) | granted),
            burst_end.eq(beat & self.rlast),
            last_beat.eq(burst_end & finals.bit_select(oldest, 1)),
            self.waiting.eq((in_flight != 0) & ~self.rvalid),
            self.quiet.eq(~self.arvalid & (in_flight == 0)),
        ]
        m.d.sync += [
            in_flight.eq(in_flight + requested - burst_end),
            newest.eq(newest + requested),
            oldest.eq(oldest + burst_end),
        ]
        with m.If(requested):
            m.d.sync += [
                finals.bit_select(newest, 1).eq(burst.payload.final),
                addresses[newest].eq(burst.payload.address),
            ]
        m.d.comb += [
            awaited.eq(in_flight != 0),
            self.fault.valid.eq(refused),
            self.fault.cause.eq(refusal),
            self.fault.address.eq(burst.payload.address),
        ]
        if store is not None:
            with m.If(denied):
                m.d.comb += [
                    self.fault.valid.eq(1),
                    self.fault.cause.eq(StopCause.DESCRIPTOR),
                    self.fault.address.eq(region.base),
                ]
        with m.If(beat & self.rresp[1]):
            m.d.comb += [
                self.fault.valid.eq(1),
                self.fault.cause.eq(StopCause.RESPONSE),
                self.fault.response.eq(self.rresp),
                self.fault.address.eq(addresses[oldest]),
            ]
        return last_beat

    def _grant(
        self,
        m: Module,
        store: WeightStore,
        descriptor: Any,
        begin: Signal,
        stream_rows: Signal,
        legal: Signal,
    ) -> tuple[Signal, Signal, Signal]:
        """Build the weight store's part of the request side.

        Returns
        -------
        stored : Signal
            From cycle 3 on: the descriptor's rows lie in the store, or it does not use it.
        granted : Signal
            Cycle 3: the descriptor reads the store, and may.
        denied : Signal
            From cycle 3 until reset: it may not.
        """
        stored, granted, denied = Signal(), Signal(), Signal()
        uses, reads = Signal(), Signal()
        first_row = Signal.like(descriptor.store_row, reset_less=True)
        rows = Signal.like(stream_rows, reset_less=True)
        last_row = Signal(25)
        last = Signal.like(last_row, reset_less=True)
        judged, judging = Signal(), Signal()
        m.d.comb += [
            uses.eq((descriptor.kind == LoadKind.WEIGHTS) & (descriptor.store != LoadStore.NONE)),
            reads.eq((descriptor.kind == LoadKind.WEIGHTS) & (descriptor.store == LoadStore.READ)),
            last_row.eq(first_row + rows - 1),
            granted.eq(judging & legal & stored),
            denied.eq(judging & ~(legal & stored)),
            store.grant.eq(granted),
            store.last_row.eq(last),
        ]
        m.d.sync += [
            # Cycle 2
            rows.eq(stream_rows),
            first_row.eq(descriptor.store_row),
            judged.eq(begin & reads),
            # Cycle 3
            last.eq(last_row),
            stored.eq(~uses | (last_row < self.config.store_rows)),
            judging.eq(judged | denied),
        ]
        return stored, granted, denied

    def _take(
        self,
        m: Module,
        store: WeightStore | None,
        descriptors: Fifo,
        beat: Signal,
        awaited: Signal,
        last_beat: Signal,
    ) -> None:
        """Build the data side: beats to vectors and rows, and these to their destinations."""
        config = self.config
        tile_walker = TileWalker(config.compute_lanes)
        row_walker = RowWalker(config)
        rows = RowBeats(config)
        gather = Gather(config)
        m.submodules.tile_walker = unique(tile_walker, "tile_walker")
        m.submodules.row_walker = unique(row_walker, "row_walker")
        m.submodules.row_beats = unique(rows, "row_beats")
        m.submodules.gather = unique(gather, "gather")
        descriptor = descriptors.leave.payload

        # Data cycle 0: beats of the descriptor that is first in line
        allowed = credit(m, self.config, beat)
        weights = Signal()
        index = Signal(10)
        last_index = Signal.like(index)
        complete = Signal()
        row = Signal(8 * config.row_bytes, reset_less=True)
        ready = Signal()
        stored, read, last = Signal(), Signal(), Signal()
        gathers, own_last = Signal(), Signal()
        m.d.comb += [
            ready.eq(descriptors.leave.valid & awaited & allowed & ~stored & ~gather.hold),
            self.rready.eq(ready | self.drop),
            beat.eq(self.rvalid & ready),
            descriptors.leave.ready.eq(last),
            weights.eq(descriptor.kind == LoadKind.WEIGHTS),
            last_index.eq(Mux(weights, rows.last, descriptor.vector_beats - 1)),
            gathers.eq(descriptors.leave.valid & ~weights & descriptor.gather),
            complete.eq(beat & (index == last_index) & ~gathers),
            [rows.stream[name].eq(descriptor[name]) for name in rows.stream.shape().members],
            rows.advance.eq(complete),
            rows.restart.eq(last),
        ]
        with m.If(beat):
            m.d.sync += index.eq(Mux(complete, 0, index + 1))
            for place in range(self.row_beats):
                word = row.word_select(place, 8 * config.bus_bytes)
                with m.If(index == place):
                    m.d.sync += word.eq(self.rdata)
                if place > 0:
                    # The vector or row may have less in external memory
                    with m.Elif(index == 0):
                        m.d.sync += word.eq(0)
        with m.If(last):
            # Whatever the descriptor says, the next one begins with a first beat
            m.d.sync += index.eq(0)
        tile_write = Signal()
        m.d.comb += [
            gather.enable.eq(gathers),
            [gather.shape[name].eq(descriptor[name]) for name in gather.shape.shape().members],
            gather.beat.eq(beat & gathers),
            gather.last_beat.eq(last_beat & gathers),
            gather.data.eq(self.rdata),
            own_last.eq(Mux(gathers, gather.last, last_beat)),
            self.tile_write.enable.eq(tile_write | gather.valid),
        ]
        m.d.sync += [
            tile_write.eq(complete & ~weights),
            self.row_write.enable.eq((complete & weights) | read),
        ]

        # The walkers start in the first cycle of a descriptor at the head of the line
        known = Signal()
        fresh = Signal()
        m.d.comb += [
            fresh.eq(descriptors.leave.valid & ~known),
            connect_tile(tile_walker, descriptor),
            [
                row_walker.block[name].eq(descriptor[name])
                for name in weights_layout().members
                if name != "together"
            ],
            row_walker.block.together.eq(descriptor.store == LoadStore.READ),
            tile_walker.start.eq(fresh),
            row_walker.start.eq(fresh),
        ]
        m.d.sync += known.eq(descriptors.leave.valid & ~last)
        row_data: list[Any] = [row] * rows_at_once(config)
        if store is None:
            m.d.comb += last.eq(own_last)
        else:
            row_data = self._turn(m, store, descriptor, weights, fresh, known, row)
            m.d.comb += [
                stored.eq(weights & (descriptor.store == LoadStore.READ)),
                read.eq(store.read),
                last.eq(own_last | (store.read & store.last)),
            ]

        # Data cycle 1: write
        last_write = Signal()
        post = Signal(3, reset_less=True)
        m.d.sync += [
            last_write.eq(last),
            post.eq(descriptor.post),
            self.row_half.eq(descriptor.half),
            self.tile_write.pe_y.eq(descriptor.pe_y),
            self.tile_write.all_columns.eq(descriptor.all_columns),
        ]
        m.d.comb += [
            self.tile_write.pe_x.eq(tile_walker.pe_x),
            self.tile_write.bank.eq(tile_walker.bank),
            self.tile_write.address.eq(tile_walker.address),
            self.tile_write.data.eq(Mux(gather.valid, gather.vector, row)),
            tile_walker.advance.eq(self.tile_write.enable),
            self.row_write.lanes.eq(row_walker.lanes),
            self.row_write.columns.eq(row_walker.columns),
            self.row_write.parameter.eq(row_walker.parameter),
            self.row_write.address.eq(row_walker.address),
            [port.eq(value) for port, value in zip(self.row_write.data, row_data, strict=True)],
            row_walker.advance.eq(self.row_write.enable),
        ]

        # Data cycle DONE_DELAY: what was written can be read
        for _ in range(self.DONE_DELAY - 1):
            settled, settled_post = Signal(), Signal(3, reset_less=True)
            m.d.sync += [settled.eq(last_write), settled_post.eq(post)]
            last_write, post = settled, settled_post
        m.d.comb += [self.done.eq(last_write), self.done_post.eq(post)]

    def _turn(
        self,
        m: Module,
        store: WeightStore,
        descriptor: Any,
        weights: Signal,
        fresh: Signal,
        known: Signal,
        row: Signal,
    ) -> list[Any]:
        """Build the weight store's part of the data side; return the row to write of each PE column."""
        fills, from_store, by_columns = Signal(), Signal(), Signal()
        # Rows of the present lane that are left to read, and blocks from this lane on
        rows_left, lane_blocks = Signal(17, reset_less=True), Signal(7, reset_less=True)
        lane_rows = descriptor.parameter_rows + descriptor.weight_rows
        split = descriptor.column_lanes != 0
        columns = columns_with(self.config, descriptor, lane_blocks)
        with m.If(fresh):
            m.d.sync += [rows_left.eq(lane_rows), lane_blocks.eq(descriptor.lanes)]
        with m.Elif(store.read):
            lane_end = rows_left == 1
            m.d.sync += [
                rows_left.eq(Mux(lane_end, lane_rows, rows_left - 1)),
                lane_blocks.eq(lane_blocks - lane_end),
            ]
        m.d.comb += [
            store.rows.eq(Mux(split, sum(columns[x] for x in range(self.config.pes_x)), 1)),
            store.start.eq(fresh),
            store.row.eq(descriptor.store_row),
            store.read.eq(known & store.granted & weights & (descriptor.store == LoadStore.READ)),
            store.write.eq(self.row_write.enable & fills),
            store.write_data.eq(row),
        ]
        m.d.sync += [
            fills.eq(descriptor.store == LoadStore.FILL),
            from_store.eq(store.read),
            by_columns.eq(split),
        ]
        return [Mux(from_store, Mux(by_columns, value, store.data[0]), row) for value in store.data]
