"""Weights that stay on chip: what LOAD's request side grants and its data side reads or fills."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from hwgen.gateware.transfer.rows import columns_with
from hwgen.gateware.transfer.weight_store import WeightStore
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, LoadStore

__all__ = ["grant_read", "use_store"]


def grant_read(
    m: Module,
    config: AcceleratorConfig,
    store: WeightStore,
    descriptor: Any,
    begin: Signal,
    stream_rows: Signal,
    legal: Signal,
) -> tuple[Signal, Signal, Signal]:
    """Ask whether a descriptor may use the weight store, on the request side of LOAD.

    Parameters
    ----------
    m : Module
    config : AcceleratorConfig
    store : WeightStore
        Told of what is granted.
    descriptor, begin
        Of :func:`~hwgen.gateware.transfer.tile_transfer.accept_commands`.
    stream_rows : Signal
        Cycle 1: rows of the descriptor.
    legal : Signal
        From cycle 2 on: the configuration has the descriptor's counts.

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
        stored.eq(~uses | (last_row < config.store_rows)),
        judging.eq(judged | denied),
    ]
    return stored, granted, denied


def use_store(
    m: Module,
    unit: Any,
    store: WeightStore,
    descriptor: Any,
    fresh: Signal,
    known: Signal,
    row: Signal,
) -> list[Any]:
    """Read or fill the weight store, on the data side of LOAD.

    Parameters
    ----------
    m : Module
    unit : LoadUnit
    store : WeightStore
    descriptor
        First in line.
    fresh, known : Signal
        It is first in line for the first cycle, and for longer.
    row : Signal
        Row of the bus, to write into the store.

    Returns
    -------
    list of Value
        Row to write of each PE column, of the store or of the bus.
    """
    fills, from_store = Signal(), Signal()
    # Rows of the present lane that are left to read, and blocks from this lane on
    rows_left, lane_blocks = Signal(17, reset_less=True), Signal(7, reset_less=True)
    lane_rows = descriptor.parameter_rows + descriptor.weight_rows
    split = descriptor.column_lanes != 0
    rows_at_a_time = Signal.like(store.rows, reset_less=True)
    next_blocks = Signal.like(lane_blocks)
    columns = columns_with(unit.config, descriptor, next_blocks)
    next_rows = Mux(split, sum(columns[x] for x in range(unit.config.pes_x)), 1)
    lane_end = rows_left == 1
    m.d.comb += next_blocks.eq(Mux(fresh, descriptor.lanes, lane_blocks - 1))
    with m.If(fresh | (store.read & lane_end)):
        m.d.sync += [
            rows_left.eq(lane_rows),
            lane_blocks.eq(next_blocks),
            rows_at_a_time.eq(next_rows),
        ]
    with m.Elif(store.read):
        m.d.sync += rows_left.eq(rows_left - 1)
    m.d.comb += [
        store.rows.eq(rows_at_a_time),
        store.start.eq(fresh),
        store.row.eq(descriptor.store_row),
        store.read.eq(known & store.granted & descriptor.reads_store),
        store.write.eq(unit.row_write.enable & fills),
        store.write_data.eq(row),
    ]
    m.d.sync += [
        fills.eq(descriptor.store == LoadStore.FILL),
        from_store.eq(store.read),
    ]
    return [Mux(from_store, value, row) for value in store.data]
