"""Tile transfers of LOAD and STORE: the external and local extents of a tile transfer."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data

from hwgen.gateware.bus.faults import CAUSE_BITS
from hwgen.gateware.bus.pacer import Pacer
from hwgen.gateware.primitives.fifo import Fifo, unique_fifo
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.row_beats import parameter_beats, row_beats
from hwgen.gateware.transfer.tile_walker import TileWalker
from sim.spec.accelerator import (
    REQUANTIZER_PHASES,
    TABLE_ROW_ENTRIES,
    TABLE_ROWS,
    AcceleratorConfig,
)
from sim.spec.descriptor import LOAD_FIELDS, STORE_FIELDS, LoadStore, LoadTable
from sim.spec.stops import StopCause

__all__ = [
    "HELD",
    "MOST_COLUMNS",
    "MOST_ROW_BYTES",
    "accept_commands",
    "address_burst",
    "connect_region",
    "connect_tile",
    "credit",
    "legal_gather",
    "legal_tile",
    "legal_weights",
    "most_stream_beats",
    "most_vector_beats",
]


MOST_COLUMNS = next(field.high for field in STORE_FIELDS if field.name == "columns")
"""Vectors that a descriptor's row can have."""

MOST_ROW_BYTES = next(field.high for field in LOAD_FIELDS if field.name == "row_bytes")
"""Bytes that a row of a gathered tile can have."""

HELD = 4
"""Descriptors that a LOAD or STORE unit holds between start and done."""


def most_vector_beats(config: AcceleratorConfig) -> int:
    """Bus beats that carry one whole vector: S / B, or 1 on a wider bus.

    Raises
    ------
    ValueError
        If the bus is wider than a register-file row.
    """
    if config.row_bytes % config.bus_bytes:
        raise ValueError(
            f"bus_bytes must divide row_bytes {config.row_bytes}, not {config.bus_bytes}"
        )
    return max(1, config.vector_bytes // config.bus_bytes)


def most_stream_beats(config: AcceleratorConfig) -> int:
    """Bus beats of the longest weight stream."""
    rows = REQUANTIZER_PHASES * parameter_beats(config) + config.weight_rows * row_beats(config)
    table = config.activation_table * TABLE_ROWS * -(-TABLE_ROW_ENTRIES // config.bus_bytes)
    return max(config.pes_x * config.compute_lanes * rows, table)


def accept_commands(
    m: Module, unit: Any, layout: Any, last: Signal, sums: Mapping[str, Any] | None = None
) -> tuple[Any, Signal, Fifo]:
    """Take the next command once the bursts of the last command are requested.

    Parameters
    ----------
    unit
        Component with the members `command`, `busy` and `done`.
    layout
        Of a descriptor.
    last : Signal
        The descriptor's last burst is requested in this cycle.
    sums : mapping of str to Value, optional
        Fields that the descriptors in line have beside their own, worked out from the command.

    Returns
    -------
    descriptor : Signal(layout)
        From the cycle after the command's transfer on, whose bursts to request.
    begin : Signal
        Pulse in the first of these cycles.
    descriptors : Fifo
        HELD descriptors in line for the data.
    """
    sums = sums or {}
    shapes = {name: value.shape() for name, value in sums.items()}
    descriptors = Fifo(data.StructLayout({**layout.members, **shapes}), HELD)
    entry, payload = descriptors.enter.payload, unit.command.payload
    m.submodules.descriptors = unique_fifo(descriptors)
    descriptor = Signal(layout, reset_less=True)
    begin = Signal()
    requesting = Signal()
    held = Signal(range(HELD + 1))
    accepted = Signal()
    m.d.comb += [
        unit.command.ready.eq(~requesting & (held != HELD)),
        accepted.eq(unit.command.valid & unit.command.ready),
        descriptors.enter.valid.eq(accepted),
        [entry[name].eq(payload[name]) for name in layout.members],
        [entry[name].eq(value) for name, value in sums.items()],
        unit.busy.eq(held != 0),
    ]
    m.d.sync += [begin.eq(accepted), held.eq(held + accepted - unit.done)]
    with m.If(accepted):
        m.d.sync += [descriptor.eq(unit.command.payload), requesting.eq(1)]
    with m.Elif(last):
        m.d.sync += requesting.eq(0)
    return descriptor, begin, descriptors


def legal_tile(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return whether a tile's counts and place are such as the configuration has."""
    counts = [descriptor[name] for name in ("groups", "rows", "columns", "vector_beats")]
    return (
        Cat(count.any() for count in counts).all()
        & (descriptor.vector_beats <= most_vector_beats(config))
        & _legal_place(config, descriptor)
    )


def legal_gather(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return whether a gathered tile's counts and place are such as the configuration has."""
    names = ("groups", "rows", "columns", "row_bytes", "step", "length")
    counts = [descriptor[name] for name in names]
    return (
        Cat(count.any() for count in counts).all()
        & (descriptor.length <= config.vector_bytes)
        & _legal_place(config, descriptor)
    )


def _legal_place(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return whether there is the PE of a tile."""
    return (descriptor.pe_y < config.pes_y) & (descriptor.pe_x < config.pes_x)


def legal_weights(config: AcceleratorConfig, descriptor: Any) -> Any:
    """Return whether a weight stream's counts are such as the configuration has.

    Whether its rows lie in the weight store is not asked here, nor whether its beats are those of its rows.
    """
    most_store = LoadStore.READ if config.store_rows else LoadStore.NONE
    most_blocks = Mux(
        descriptor.column_lanes.any(),
        descriptor.column_lanes * config.pes_x,
        config.compute_lanes,
    )
    most_rows: Any = config.weight_rows
    if config.activation_table:
        most_rows = Mux(descriptor.table == LoadTable.FILL, TABLE_ROWS, config.weight_rows)
    legal = (
        descriptor.lanes.any()
        & (descriptor.lanes <= most_blocks)
        & (descriptor.column_lanes <= config.compute_lanes)
        & (descriptor.parameter_rows <= REQUANTIZER_PHASES)
        & (descriptor.weight_rows <= most_rows)
        & (descriptor.parameter_rows.any() | descriptor.weight_rows.any())
        & descriptor.stream_beats.any()
        & (descriptor.stream_beats <= most_stream_beats(config))
        & descriptor.tail_beats.any()
        & (descriptor.tail_beats <= row_beats(config))
        & (descriptor.tail_rows <= descriptor.parameter_rows)
        & (descriptor.store <= most_store)
    )
    return legal & (descriptor.table <= LoadTable.FILL) if config.activation_table else legal


def address_burst(
    m: Module, burst: Any, room: Any, stop: Any
) -> tuple[Signal, Signal, Signal, Signal]:
    """Build what lies between a burst and an address channel's VALID.

    Parameters
    ----------
    burst : stream of burst_layout()
        From a :class:`BurstGenerator`.
    room
        Whether another burst may be under way; must not fall but by `offered`.
    stop
        No burst that is not yet offered is to be.

    Returns
    -------
    valid : Signal
        The channel's VALID. It depends on registers only, and holds until the handshake.
    offered : Signal
        First cycle of `valid` for a burst.
    refused : Signal
        The burst may not be addressed.
    cause : Signal
        StopCause of that.
    """
    valid, offered, refused = (Signal(name=name) for name in ("valid", "offered", "refused"))
    waits = Signal(name="waits")
    cause = Signal(CAUSE_BITS, name="refusal")
    m.d.comb += [
        refused.eq(burst.valid & burst.payload.barred),
        cause.eq(Mux(burst.payload.illegal, StopCause.DESCRIPTOR, StopCause.WINDOW)),
        offered.eq(burst.valid & room & ~stop & ~waits & ~refused),
        valid.eq(offered | waits),
    ]
    m.d.sync += waits.eq(valid & ~burst.ready)
    return valid, offered, refused, cause


def credit(m: Module, config: AcceleratorConfig, beat: Signal) -> Any:
    """Return whether the bus's pace allows a beat; `beat` says that one moves."""
    earn, cost = config.pacing
    if earn == cost:
        return 1
    pacer = Pacer(earn, cost)
    m.submodules.pacer = unique(pacer)
    m.d.comb += pacer.beat.eq(beat)
    return pacer.ready


def connect_tile(walker: TileWalker, descriptor: Any) -> list[Any]:
    """Statements that show the descriptor's local extent to the walker, if it has any."""
    return [
        walker.tile[name].eq(descriptor[name])
        for name in walker.tile.shape().members
        if name in descriptor.shape().members
    ]


def connect_region(region: Any, descriptor: Any, memory_base: Signal) -> list[Any]:
    """Statements that put the descriptor's external extent, but for a row's beats, into a region."""
    return [
        region.base.eq(descriptor.address + memory_base),
        region.rows.eq(descriptor.rows),
        region.groups.eq(descriptor.groups),
        region.row_stride.eq(descriptor.row_stride),
        region.group_stride.eq(descriptor.group_stride),
    ]
