"""Cutting of rectangular external-memory accesses into AXI4 bursts."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.pages import PAGE_SHIFT, outside, pages_layout
from sim.spec.bus import BURST_BEATS

__all__ = ["BurstGenerator", "burst_layout", "excess_layout", "region_layout"]


def region_layout(length_bits: int) -> data.StructLayout:
    """Layout of the access: `groups` times `rows` segments of `beats` beats each.

    ``base`` is the byte address of the first segment, ``row_stride`` and ``group_stride`` the
    bytes between the starts of rows and groups. All counts are at least 1.
    """
    return data.StructLayout(
        {
            "base": 32,
            "beats": length_bits,
            "rows": 12,
            "groups": 12,
            "row_stride": 24,
            "group_stride": 28,
        }
    )


def excess_layout(bus_bytes: int) -> data.StructLayout:
    """Layout of what segments of bytes have beside a region of beats.

    With ``loose`` a segment starts at any byte and has ``bytes`` bytes more than its beats: what it touches is cut.
    """
    return data.StructLayout({"loose": 1, "bytes": max(1, bus_bytes.bit_length() - 1)})


def burst_layout() -> data.StructLayout:
    """Layout of one burst; ``length`` is its beats less 1, ``final`` marks a region's last.

    ``barred`` tells that it may not be addressed: it lies outside of the window or is ``illegal``, as its region is not
    legal, it has no beats or is not aligned.
    """
    return data.StructLayout({"address": 32, "length": 8, "final": 1, "barred": 1, "illegal": 1})


class BurstGenerator(wiring.Component):
    """Bursts of a region: row after row, group after group, each row cut on its own.

    A cut takes as many beats as it can: up to the row's end, 256 beats, or the next 4 KiB
    boundary. There is no gap between rows or groups. A burst that is not ``barred``
    lies in one page of the window, whatever the region says.

    Latency: 3 cycles from ``start`` to the first burst. Throughput: 1 burst per cycle.

    Parameters
    ----------
    bus_bytes : int
        Bytes per beat, a power of two.
    length_bits : int
        Width of a segment's length in beats.
    has_loose : bool
        Whether segments may be bytes.

    Members
    -------
    start : In(1)
        Strobe; only when all bursts of the region before were taken.
    region : In(region_layout(length_bits))
        What to cut. ``base``, ``rows`` and ``groups`` are sampled with ``start``; ``beats`` is to be
        there one cycle later. All but ``base`` are to hold until the last burst.
    excess : In(excess_layout(bus_bytes))
        As ``beats``; only with `has_loose`.
    legal : In(1)
        Whether the region is, in the cycle before its first burst and from then on.
    pages : In(pages_layout())
        The window.
    bursts : Out(stream.Signature(burst_layout()))
        The bursts in order.
    """

    LATENCY = 3

    def __init__(self, bus_bytes: int, length_bits: int, *, has_loose: bool = False) -> None:
        """Create an idle generator."""
        self.bus_bytes = bus_bytes
        self.length_bits = length_bits
        self.has_loose = has_loose
        super().__init__(
            {
                "start": In(1),
                "region": In(region_layout(length_bits)),
                **({"excess": In(excess_layout(bus_bytes))} if has_loose else {}),
                "legal": In(1),
                "pages": In(pages_layout()),
                "bursts": Out(stream.Signature(burst_layout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the three stages: segment, cut, burst."""
        m = Module()
        take_segment = Signal()
        cutting = Signal()

        # Cycle 1: the segment (one row) and how many follow it
        segment_valid = Signal()
        segment_address = Signal(32)
        group_address = Signal(32)
        rows_left = Signal(12)
        groups_left = Signal(12)
        last_row = Signal()
        last_group = Signal()
        next_group_address = Signal(32)
        m.d.comb += [
            last_row.eq(rows_left == 1),
            last_group.eq(groups_left == 1),
            next_group_address.eq(group_address + self.region.group_stride),
        ]
        with m.If(self.start):
            m.d.sync += [
                segment_valid.eq(1),
                segment_address.eq(self.region.base),
                group_address.eq(self.region.base),
                rows_left.eq(self.region.rows),
                groups_left.eq(self.region.groups),
            ]
        with m.Elif(take_segment):
            with m.If(~last_row):
                m.d.sync += [
                    segment_address.eq(segment_address + self.region.row_stride),
                    rows_left.eq(rows_left - 1),
                ]
            with m.Else():
                m.d.sync += [
                    segment_valid.eq(~last_group),
                    segment_address.eq(next_group_address),
                    group_address.eq(next_group_address),
                    rows_left.eq(self.region.rows),
                    groups_left.eq(groups_left - 1),
                ]

        # Cycle 2: what is left of the segment, and the next cut of it. Beats less 1 are compared and kept: those up to the
        # next 4 KiB boundary, less 1, are the address's complement, and nothing is to be worked out before the comparison
        cut_valid = Signal()
        cut_address = Signal(32)
        cut_less = Signal(self.length_bits)
        cut_empty = Signal()
        cut_final = Signal()
        ends = Signal()
        minus = Const((1 << self.length_bits) - 1, self.length_bits)
        shift = self.bus_bytes.bit_length() - 1
        cut_bits = min(BURST_BEATS.bit_length() - 1, PAGE_SHIFT - shift)
        place = cut_address[shift:][:cut_bits]
        far = ~cut_address[shift + cut_bits : PAGE_SHIFT].all()  # the boundary is no limit
        most_less = ~Mux(far, 0, place)
        m.d.comb += [
            ends.eq(
                cut_empty | (~cut_less[cut_bits:].any() & (far | (cut_less[:cut_bits] <= ~place)))
            ),
            cutting.eq(cut_valid & (~self.bursts.valid | self.bursts.ready)),
            take_segment.eq(segment_valid & (~cut_valid | (cutting & ends))),
        ]
        with m.If(take_segment):
            m.d.sync += [
                cut_valid.eq(1),
                *self._enter(segment_address, cut_address, cut_less, cut_empty),
                cut_final.eq(last_row & last_group),
            ]
        with m.Elif(cutting):
            # What is behind the cut, if anything
            m.d.sync += [
                cut_valid.eq(~ends),
                cut_address[shift:].eq(
                    Cat(Mux(far, place, 0), cut_address[shift + cut_bits :] + 1)
                ),
                # All bits but those of a cut are those of -1
                cut_less.eq(cut_less + Cat(~most_less, minus)),
            ]

        # Cycle 3: the burst
        illegal = ~self.legal | cut_empty | cut_address[:shift].any()
        with m.If(cutting):
            m.d.sync += [
                self.bursts.valid.eq(1),
                self.bursts.payload.address.eq(cut_address),
                self.bursts.payload.length.eq(
                    Mux(ends, cut_less[: len(self.bursts.payload.length)], most_less)
                ),
                self.bursts.payload.final.eq(cut_final & ends),
                self.bursts.payload.barred.eq(illegal | outside(self.pages, cut_address)),
                self.bursts.payload.illegal.eq(illegal),
            ]
        with m.Elif(self.bursts.ready):
            m.d.sync += self.bursts.valid.eq(0)
        return m

    def _enter(self, address: Signal, first: Signal, less: Signal, empty: Signal) -> list[Any]:
        """Statements that keep where the first beat of a segment begins, its beats less 1, and whether it has none."""
        bits = self.bus_bytes.bit_length() - 1
        beats = self.region.beats
        if not (self.has_loose and bits):
            return [first.eq(address), less.eq(beats - 1), empty.eq(beats == 0)]
        offset, excess = address[:bits], self.excess
        touched_less = (offset + excess.bytes - 1) >> bits  # of the bytes beside its beats, less 1
        return [
            first.eq(Cat(Mux(excess.loose, 0, offset), address[bits:])),
            less.eq(beats + Mux(excess.loose, touched_less, -1)),
            empty.eq((beats == 0) & ~(excess.loose & (offset | excess.bytes).any())),
        ]
