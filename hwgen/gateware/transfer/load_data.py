"""Data side of LOAD: beats become vectors and rows, and these go to local memories and register files."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from hwgen.gateware.grid.control import rows_at_once
from hwgen.gateware.primitives.fifo import Fifo
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.gather import Gather
from hwgen.gateware.transfer.row_beats import RowBeats
from hwgen.gateware.transfer.rows import RowWalker, weights_layout
from hwgen.gateware.transfer.stored_weights import use_store
from hwgen.gateware.transfer.tile_transfer import connect_tile, credit
from hwgen.gateware.transfer.tile_walker import TileWalker
from hwgen.gateware.transfer.weight_store import WeightStore
from sim.spec.descriptor import LoadKind, LoadStore, LoadTable

__all__ = ["take_beats"]


def take_beats(
    m: Module,
    unit: Any,
    store: WeightStore | None,
    descriptors: Fifo,
    beat: Signal,
    awaited: Signal,
    last_beat: Signal,
) -> None:
    """Build the data side of a LOAD unit: beats to vectors and rows, and these to their destinations.

    Parameters
    ----------
    m : Module
    unit : LoadUnit
        Whose RREADY, writes and `done` are driven.
    store : WeightStore or None
    descriptors : Fifo
        In line, of :func:`~hwgen.gateware.transfer.tile_transfer.accept_commands`.
    beat : Signal
        Driven: a beat is taken.
    awaited, last_beat : Signal
        Of :func:`~hwgen.gateware.transfer.load_requests.request_bursts`.
    """
    config = unit.config
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
    allowed = credit(m, config, beat)
    weights = Signal()
    index = Signal(10)
    complete = Signal()
    row = Signal(8 * config.row_bytes, reset_less=True)
    ready = Signal()
    stored, read, last = Signal(), Signal(), Signal()
    gathers, own_last = Signal(), Signal()
    stopping = Signal()
    m.d.sync += stopping.eq(unit.stop)
    m.d.comb += [
        # While a program is being stopped beats wait for nothing, as what they bring does not count any more
        ready.eq(
            awaited & (stopping | (descriptors.leave.valid & allowed & ~stored & ~gather.hold))
        ),
        unit.rready.eq(ready | unit.drop),
        beat.eq(unit.rvalid & ready),
        descriptors.leave.ready.eq(last),
        weights.eq(descriptor.kind == LoadKind.WEIGHTS),
        gathers.eq(descriptors.leave.valid & ~weights & descriptor.gather),
        complete.eq(
            beat & Mux(weights, rows.last, (index == descriptor.vector_beats - 1) & ~gathers)
        ),
        [rows.stream[name].eq(descriptor[name]) for name in rows.stream.shape().members],
        rows.index.eq(index),
        rows.advance.eq(complete),
        rows.restart.eq(last),
    ]
    with m.If(beat):
        m.d.sync += index.eq(Mux(complete, 0, index + 1))
    with m.If(unit.rvalid):
        # Whether the beat moves is known late, and matters to `index` alone
        for place in range(unit.row_beats):
            word = row.word_select(place, 8 * config.bus_bytes)
            with m.If(index == place):
                m.d.sync += word.eq(unit.rdata)
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
        gather.offered.eq(unit.rvalid),
        gather.beat.eq(beat & gathers),
        gather.last_beat.eq(last_beat & gathers),
        gather.data.eq(unit.rdata),
        own_last.eq(Mux(gathers, gather.last, last_beat)),
        unit.tile_write.enable.eq(tile_write | gather.valid),
    ]
    m.d.sync += [
        tile_write.eq(complete & ~weights),
        unit.row_write.enable.eq((complete & weights) | read),
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
        row_data = use_store(m, unit, store, descriptor, fresh, known, row)
        m.d.comb += [
            stored.eq(descriptor.reads_store),
            read.eq(store.read),
            last.eq(own_last | (store.read & store.last)),
        ]

    # Data cycle 1: write
    last_write = Signal()
    post = Signal(3, reset_less=True)
    m.d.sync += [
        last_write.eq(last),
        post.eq(descriptor.post),
        unit.row_half.eq(descriptor.half),
        unit.tile_write.pe_y.eq(descriptor.pe_y),
        unit.tile_write.all_columns.eq(descriptor.all_columns),
    ]
    m.d.comb += [
        unit.tile_write.pe_x.eq(tile_walker.pe_x),
        unit.tile_write.bank.eq(tile_walker.bank),
        unit.tile_write.address.eq(tile_walker.address),
        unit.tile_write.data.eq(Mux(gather.valid, gather.vector, row)),
        tile_walker.advance.eq(unit.tile_write.enable),
        unit.row_write.lanes.eq(row_walker.lanes),
        unit.row_write.columns.eq(row_walker.columns),
        unit.row_write.parameter.eq(row_walker.parameter),
        unit.row_write.address.eq(row_walker.address),
        [port.eq(value) for port, value in zip(unit.row_write.data, row_data, strict=True)],
        row_walker.advance.eq(unit.row_write.enable),
    ]

    if config.activation_table:
        # Parameters say of their half whether its results go through the table
        table = Signal.like(descriptor.table, reset_less=True)
        m.d.sync += table.eq(descriptor.table)
        m.d.comb += unit.row_write.table.eq(table == LoadTable.FILL)
        with m.If(unit.row_write.enable & row_walker.parameter):
            m.d.sync += unit.table_halves.bit_select(unit.row_half, 1).eq(table == LoadTable.USE)

    # Data cycle DONE_DELAY: what was written can be read
    for _ in range(unit.DONE_DELAY - 1):
        settled, settled_post = Signal(), Signal(3, reset_less=True)
        m.d.sync += [settled.eq(last_write), settled_post.eq(post)]
        last_write, post = settled, settled_post
    m.d.comb += [unit.done.eq(last_write), unit.done_post.eq(post)]
