"""Request side of LOAD: a descriptor's bursts, while fewer than OUTSTANDING are in flight."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal

from hwgen.gateware.bus.bursts import BurstGenerator
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.stored_weights import grant_read
from hwgen.gateware.transfer.tile_transfer import (
    MOST_COLUMNS,
    MOST_ROW_BYTES,
    address_burst,
    connect_region,
    legal_gather,
    legal_tile,
    legal_weights,
    most_stream_beats,
)
from hwgen.gateware.transfer.weight_store import WeightStore
from sim.spec.descriptor import LoadKind, LoadStore
from sim.spec.stops import StopCause

__all__ = ["request_bursts"]


def request_bursts(
    m: Module,
    unit: Any,
    store: WeightStore | None,
    descriptor: Any,
    begin: Signal,
    last_requested: Signal,
    beat: Signal,
    awaited: Signal,
) -> Signal:
    """Build the request side of a LOAD unit.

    Parameters
    ----------
    m : Module
    unit : LoadUnit
        Whose AR channel, `waiting`, `quiet` and `fault` are driven.
    store : WeightStore or None
    descriptor, begin
        Of :func:`~hwgen.gateware.transfer.tile_transfer.accept_commands`.
    last_requested : Signal
        Driven: the descriptor's last burst is requested, or its read of the weight store granted.
    beat : Signal
        A beat is taken.
    awaited : Signal
        Driven: a burst is in flight.

    Returns
    -------
    last_beat : Signal
        The beat that is taken is its descriptor's last.
    """
    bus_bits = unit.config.bus_bytes.bit_length() - 1
    longest = max(
        most_stream_beats(unit.config),
        MOST_COLUMNS * unit.vector_beats,
        (MOST_ROW_BYTES >> bus_bits) + 2,
    )
    generator = BurstGenerator(unit.config.bus_bytes, longest.bit_length(), has_loose=True)
    m.submodules.generator = unique(generator, "load_bursts")

    # Cycle 1: the external region
    region = generator.region
    weights, loose = Signal(), Signal()
    lane_rows = Signal(17)
    gather_base, base = Signal(32), Signal(32)
    m.d.sync += gather_base.eq(unit.memory_base + unit.input_offset)
    m.d.comb += [
        weights.eq(descriptor.kind == LoadKind.WEIGHTS),
        loose.eq(~weights & descriptor.gather),
        lane_rows.eq(descriptor.parameter_rows + descriptor.weight_rows),
        base.eq(Mux(loose, gather_base, unit.memory_base)),
        connect_region(region, descriptor, base),
        generator.pages.eq(unit.pages),
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
            legal_weights(unit.config, descriptor),
            Mux(
                descriptor.gather,
                legal_gather(unit.config, descriptor),
                legal_tile(unit.config, descriptor),
            )
            & (descriptor.bank < unit.config.compute_lanes),
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
        stored, granted, denied = grant_read(
            m, unit.config, store, descriptor, begin, stream_rows, legal
        )

    # Cycle 4: requests, while fewer than OUTSTANDING bursts are in flight
    burst = generator.bursts
    m.d.comb += generator.legal.eq(legal & stored)
    in_flight = Signal(range(unit.OUTSTANDING + 1))
    finals = Signal(unit.OUTSTANDING)  # whether each burst in flight is its descriptor's last
    later = Signal.like(finals)
    addresses = Array(
        Signal(32, name=f"address_{place}", reset_less=True) for place in range(unit.OUTSTANDING)
    )
    newest = Signal(range(unit.OUTSTANDING))
    oldest = Signal(range(unit.OUTSTANDING))
    full = Signal()
    requested = Signal()
    burst_end = Signal()
    last_beat = Signal()
    valid, _, refused, refusal = address_burst(m, burst, ~full, unit.stop)
    m.d.comb += [
        unit.araddr.eq(burst.payload.address),
        unit.arlen.eq(burst.payload.length),
        unit.arvalid.eq(valid),
        requested.eq(unit.arvalid & unit.arready),
        burst.ready.eq(requested),
        last_requested.eq((requested & burst.payload.final) | granted),
        burst_end.eq(beat & unit.rlast),
        last_beat.eq(burst_end & finals[0]),
        later.eq(Mux(burst_end, finals >> 1, finals)),
        unit.waiting.eq(awaited & ~unit.rvalid),
        unit.quiet.eq(~unit.arvalid & ~awaited),
    ]
    m.d.sync += [
        in_flight.eq(in_flight + requested - burst_end),
        # Registers of their own, for which beats and bursts wait
        awaited.eq(requested | ~((in_flight == 0) | ((in_flight == 1) & burst_end))),
        full.eq(
            ~burst_end
            & ((in_flight == unit.OUTSTANDING) | ((in_flight == unit.OUTSTANDING - 1) & requested))
        ),
        finals.eq(
            Cat(
                Mux(
                    requested & (in_flight == Mux(burst_end, place + 1, place)),
                    burst.payload.final,
                    later[place],
                )
                for place in range(unit.OUTSTANDING)
            )
        ),
        newest.eq(newest + requested),
        oldest.eq(oldest + burst_end),
    ]
    with m.If(requested):
        m.d.sync += addresses[newest].eq(burst.payload.address)
    m.d.comb += [
        unit.fault.valid.eq(refused),
        unit.fault.cause.eq(refusal),
        unit.fault.address.eq(burst.payload.address),
    ]
    if store is not None:
        with m.If(denied):
            m.d.comb += [
                unit.fault.valid.eq(1),
                unit.fault.cause.eq(StopCause.DESCRIPTOR),
                unit.fault.address.eq(region.base),
            ]
    with m.If(beat & unit.rresp[1]):
        m.d.comb += [
            unit.fault.valid.eq(1),
            unit.fault.cause.eq(StopCause.RESPONSE),
            unit.fault.response.eq(unit.rresp),
            unit.fault.address.eq(addresses[oldest]),
        ]
    return last_beat
