"""Issue stage: breaks an EXECUTE descriptor into sets of windows, reads and steps."""

from enum import Enum
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.execute.bundles import (
    read_layout,
    step_layout,
    stored_banks,
    used_banks,
    window_layout,
)
from hwgen.gateware.execute.column_walker import ColumnWalker
from hwgen.gateware.execute.reduction import ReductionSequencer
from hwgen.gateware.execute.ring_steps import RingSteps
from hwgen.gateware.execute.tap_walker import TapWalker
from hwgen.gateware.execute.window_walker import WindowWalker
from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.skew import Skew
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["IssueStage"]


class _State(Enum):
    IDLE = 0
    RUN = 1
    REDUCE = 2
    HOLD = 3


class IssueStage(wiring.Component):
    """Issues the reads and steps of one descriptor at a time.

    No later stage can refuse them, but reads of DEPTHWISE and POOL give way to stores: the compiler has left time for that.

    With N sets of II cycles, in B bands of `band_rows` rows, a descriptor that starts in cycle s occupies
    the stage until cycle s + N · II + B · `row_lead` + R + `hold`, its `issue_end`, with
    R = 4 · (`pes_x` + `pes_y` - 2), the reduction, for POOL (4 · (`pes_y` - 1) with `spread`) and 0 else. CONV's steps and ends of
    sets come P - 1 cycles after the reads of pixel 0; the others' with the reads.

    Latency: 1 cycle from `command` to the first read. The next command may start with `issue_end`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    command : In(stream.Signature(execute_layout()))
        Descriptors, not checked.
    drained : In(1)
        Nothing is in flight: a command with ``wait_drain`` may start.
    storing : In(1)
        A store may have a bank's port when a read of this cycle would have it.
    issue_end : Out(1)
        Last cycle of a descriptor in this stage.
    descriptor : Out(execute_layout())
        Descriptor of the read and the step in this cycle.
    read : Out(read_layout(config))
        Read in this cycle, if any bit of ``enable`` is set.
    claims : Out(L)
        Banks of a read in this cycle that does not give way: a store has to.
    step : Out(step_layout(config))
        Step in this cycle.
    capture : Out(1)
        A set ends whose accumulators are wanted.
    save, save_row : Out
        A set ends whose accumulators are to be saved in that row.
    reduce, vertical, reduce_index : Out
        See :class:`~hwgen.gateware.grid.control.ExecuteControl`, as of the cycle after `capture`.
    window : Out(window_layout(config))
        A set that ends in this cycle, reduction included, if ``valid``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the stage for `config`."""
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(execute_layout())),
                "drained": In(1),
                "storing": In(1),
                "issue_end": Out(1),
                "descriptor": Out(execute_layout()),
                "read": Out(read_layout(config)),
                "claims": Out(config.compute_lanes),
                "step": Out(step_layout(config)),
                "capture": Out(1),
                "save": Out(1),
                "save_row": Out(address_bits(config.accumulator_rows)),
                "reduce": Out(1),
                "vertical": Out(1),
                "reduce_index": Out(address_bits(max(config.pes_x, config.pes_y))),
                "window": Out(window_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        config, d, payload = self.config, self.descriptor, self.command.payload
        m.submodules.windows = windows = WindowWalker(config)
        state = Signal(_State)
        running, start, last_cycle, end = Signal(), Signal(), Signal(), Signal()
        remaining, final = Signal(21), Signal()
        hold_left, holds, hold_final = Signal(8), Signal(), Signal()
        reduces, reduced = Signal(), Signal()

        # Sequence: all sets, POOL's reduction, the hold
        m.d.comb += [
            running.eq(state == _State.RUN),
            last_cycle.eq(running & final),
            self.reduce.eq(state == _State.REDUCE),
            end.eq(Mux(reduces, reduced, last_cycle)),
            self.issue_end.eq(
                (end & windows.last & ~holds) | ((state == _State.HOLD) & hold_final)
            ),
            self.command.ready.eq(
                ((state == _State.IDLE) | self.issue_end) & (~payload.wait_drain | self.drained)
            ),
            start.eq(self.command.valid & self.command.ready),
        ]
        if config.pes > 1:
            m.submodules.reduction = reduction = ReductionSequencer(config)
            m.d.comb += [
                reduction.rows_only.eq(d.spread),
                reduced.eq(reduction.end),
                reduction.enable.eq(self.reduce),
                self.vertical.eq(reduction.vertical),
                self.reduce_index.eq(reduction.reduce_index),
            ]
        # A set has several cycles, and its last is known a cycle before; so is the hold's
        m.d.sync += [hold_left.eq(hold_left - 1), hold_final.eq(hold_left == 1), final.eq(0)]
        with m.If(start):
            m.d.sync += [
                state.eq(_State.RUN),
                d.eq(payload),
                holds.eq(payload.hold != 0),
                reduces.eq(self._reduces(payload)),
                remaining.eq(payload.initiation_interval + payload.row_lead - 1),
            ]
        with m.Elif(self.issue_end):
            m.d.sync += state.eq(_State.IDLE)
        with m.Elif(end & windows.last):
            m.d.sync += [
                state.eq(_State.HOLD),
                hold_left.eq(d.hold - 1),
                hold_final.eq(d.hold == 1),
            ]
        with m.Elif(last_cycle & reduces):
            m.d.sync += state.eq(_State.REDUCE)
        with m.Elif(last_cycle):
            lead = Mux(windows.row_end, d.row_lead, 0)
            m.d.sync += remaining.eq(d.initiation_interval + lead - 1)
        with m.Else():
            m.d.sync += [remaining.eq(remaining - 1), final.eq(remaining == 1)]

        m.d.comb += [
            windows.start.eq(start),
            windows.advance.eq(last_cycle & ~windows.last),
            windows.descriptor.eq(d),
            windows.next_descriptor.eq(payload),
        ]
        m.d.comb += [
            self.read.pad_value.eq(d.pad_value),
            self.read.inject.eq(d.op != ExecuteOp.ADD),
            self.step.half.eq(d.half),
            self.step.lane_mask.eq(self._lane_mask),
        ]
        skew = self._issue_conv(m, windows, last_cycle, start, running)
        self._issue_ring(m, windows, remaining, start, running)
        self._issue_add(m, windows, remaining, start, running)
        gives_way = (d.op == ExecuteOp.DEPTHWISE) | (d.op == ExecuteOp.POOL)
        m.d.comb += self.claims.eq(Mux(gives_way, 0, self.read.enable))
        self._finish_set(m, windows, skew, Mux(reduces, reduced, skew.exit.last))
        return m

    def _reduces(self, descriptor: Any) -> Any:
        """Whether a descriptor's sets end with a reduction over PEs."""
        across = ~descriptor.spread if self.config.pes_y == 1 else 1
        return (descriptor.op == ExecuteOp.POOL) & across if self.config.pes > 1 else 0

    def _issue_conv(self, m: Any, windows: Any, last_cycle: Any, start: Any, running: Any) -> Any:
        """Issue CONV's reads and, skewed with the end of the set, its steps; return the skew."""
        config, d = self.config, self.descriptor
        read, step = self.read, self.step
        following = Mux(start, self.command.payload.as_value(), d.as_value())
        following = data.View(execute_layout(), following)
        is_conv = d.op == ExecuteOp.CONV
        m.submodules.taps = taps = TapWalker(config)
        ends, end_quad = Signal(3), Signal(range(config.simd_units // 4 + 1))
        given = self.command.payload
        given_quads = Mux(given.groups == 1, given.last_quads, config.simd_units // 4)
        with m.If(start):
            m.d.sync += [ends.eq(_ends(given)), end_quad.eq(given_quads)]
        m.submodules.skew = skew = Skew(_skewed_layout(config), config.compute_lanes - 1)
        m.d.comb += [
            taps.descriptor.eq(d),
            taps.restart.eq(windows.start | windows.advance),
            taps.start_address.eq(windows.next_address),
            taps.start_y.eq(windows.next_y),
            taps.start_x.eq(windows.next_x),
            taps.start_shift.eq(windows.next_shift),
            taps.start_bank.eq(following.bank),
            taps.start_quad.eq(following.first_quad),
            taps.start_ends.eq(Mux(start, _ends(given), ends)),
            taps.start_end_quad.eq(Mux(start, given_quads, end_quad)),
            skew.cycles.eq(Mux(is_conv, d.pixels - 1, 0)),
            skew.entry.last.eq(last_cycle),
            skew.entry.step.eq(is_conv & running & taps.step),
            skew.entry.first.eq(taps.first),
            skew.entry.advance.eq(taps.advance),
            skew.entry.quad.eq(taps.quad),
            skew.entry.count.eq(taps.count),
            skew.entry.saved_row.eq(windows.saved_row),
        ]
        with m.If(is_conv):
            m.d.comb += [
                read.enable.eq(Mux(running & taps.read, 1 << taps.bank, 0)),
                read.address.eq(taps.address),
                read.y.eq(taps.y),
                read.x.eq(taps.x),
                read.lanes.eq(Mux(running & taps.read, self._lanes_of(taps.pixel), 0)),
                read.source_base.eq(taps.bank),
                read.shift.eq(taps.shift),
                step.valid.eq(skew.exit.step),
                step.first.eq(skew.exit.first),
                step.restore.eq(skew.exit.first & d.restore),
                step.saved_row.eq(skew.exit.saved_row),
                step.advance.eq(skew.exit.advance),
                step.quad.eq(skew.exit.quad),
                step.row.eq(self._half_row + skew.exit.count),
            ]
        return skew

    def _issue_ring(self, m: Any, windows: Any, remaining: Any, start: Any, running: Any) -> None:
        """Issue the reads and steps of DEPTHWISE and POOL."""
        config, d = self.config, self.descriptor
        read, step = self.read, self.step
        is_ring = (d.op == ExecuteOp.DEPTHWISE) | (d.op == ExecuteOp.POOL)
        restart = windows.start | windows.advance
        column_start = windows.start | (windows.advance & windows.column_end)
        row_start = windows.start | windows.row_end
        by_columns = d.op == ExecuteOp.DEPTHWISE
        m.submodules.columns = columns = ColumnWalker(config)
        m.submodules.ring = ring = RingSteps(config)
        m.d.comb += [
            columns.descriptor.eq(d),
            columns.restart.eq(column_start),
            columns.fresh.eq(d.window & by_columns & ~row_start),
            columns.start_address.eq(windows.next_address),
            columns.start_y.eq(windows.next_y),
            columns.start_x.eq(windows.next_x),
            columns.fresh_address.eq(windows.after_address),
            columns.fresh_x.eq(windows.after_x),
            columns.start_position.eq(ring.start_position),
            columns.start_rows.eq(Mux(start, self.command.payload.kernel_rows, d.kernel_rows)),
            columns.start_columns.eq(
                Mux(start, self.command.payload.kernel_columns, d.kernel_columns)
            ),
            columns.by_rows.eq(by_columns & (d.band_rows > 1)),
            columns.wait.eq(self.storing),
            columns.last_row.eq(windows.last_row),
            ring.descriptor.eq(d),
            ring.next_descriptor.eq(self.command.payload),
            ring.start.eq(start),
            ring.restart.eq(restart),
            ring.column_start.eq(column_start),
            ring.row_start.eq(row_start),
            ring.remaining.eq(remaining),
            ring.read.eq(is_ring & running & columns.valid & ~self.storing),
            ring.first.eq(columns.first),
            ring.count.eq(columns.count),
            ring.position.eq(columns.position),
        ]
        # The pixels' windows begin a stride apart
        following = self.command.payload
        places = Signal.like(step.positions)
        offsets = [
            Signal.like(ring.position, name=f"offset_{k}") for k in range(config.compute_lanes)
        ]
        for lane, offset in enumerate(offsets):
            pixel = self._pixel_of(following, lane)
            with m.If(start):
                m.d.sync += offset.eq(
                    Mux(following.op == ExecuteOp.DEPTHWISE, pixel * following.stride_y, 0)
                )
        m.d.comb += places.eq(
            Cat((ring.step_position + offset)[: len(ring.position)] for offset in offsets)
        )
        bank = Mux(by_columns, d.bank, 0)
        banks = Mux(by_columns, self._lanes_of(0), -1)
        with m.If(is_ring):
            m.d.comb += [
                read.enable.eq(Mux(ring.read, banks << bank, 0)),
                read.address.eq(columns.address),
                read.y.eq(columns.y),
                read.x.eq(columns.x),
                read.lanes.eq(ring.read.replicate(config.compute_lanes)),
                read.source_mask.eq(self._lane_mask),
                read.source_base.eq(bank),
                read.ring.eq(ring.read),
                read.position.eq(columns.position),
                step.valid.eq(running & ring.step),
                step.first.eq(ring.step_first),
                step.private.eq(1),
                step.positions.eq(places),
                step.beyond.eq(ring.beyond),
                step.gap.eq(d.ring_gap),
                step.tap.eq(ring.tap),
                step.maximum.eq(d.maximum & (d.op == ExecuteOp.DEPTHWISE)),
                step.row.eq(self._half_row + ring.row),
            ]

    def _issue_add(self, m: Any, windows: Any, remaining: Any, start: Any, running: Any) -> None:
        """Issue the reads and steps of ADD, at the end of a set: P of operand b, P of operand a.

        Operand a's step comes as much before operand b's as the reads or the requantizer take.
        """
        d, read, step = self.descriptor, self.read, self.step
        given = self.command.payload.pixels
        distance, reach = Signal(4), Signal(5)
        with m.If(start):
            wanted = Mux(given > REQUANTIZER_PHASES, given, REQUANTIZER_PHASES)
            m.d.sync += [distance.eq(wanted), reach.eq(wanted + given)]
        # All of it lies in a set's last cycles
        left, near = remaining[: len(reach)], remaining[len(reach) :] == 0
        second = near & (left < d.pixels)
        first = near & (left >= distance) & (left < reach)
        valid = running & (first | second)
        # `distance` is a multiple of P
        pixel = ~remaining[:3] & (d.pixels - 1)[:3]
        with m.If(d.op == ExecuteOp.ADD):
            m.d.comb += [
                read.enable.eq(Mux(valid, self._lanes_of(0) << d.bank, 0)),
                read.address.eq(Mux(second, windows.second_address, windows.address) + pixel),
                read.lanes.eq(Mux(valid, self._lanes_of(pixel), 0)),
                read.source_mask.eq(self._lane_mask),
                read.source_base.eq(d.bank),
                step.valid.eq(running & near & ((left == 0) | (left == distance))),
                step.operand.eq(1),
                step.second.eq(second),
                step.advance.eq(1),
            ]

    def _finish_set(self, m: Any, windows: Any, skew: Any, tick: Any) -> None:
        """Give the description of a set of windows that ends to the stages behind the issue stage.

        The walker may be at the next set when the end comes out of the skew.
        """
        config, d, window = self.config, self.descriptor, self.window
        present, kept, chosen = (Signal(_set_layout(config), name=f"set_{k}") for k in range(3))
        for name in _set_layout(config).members:
            m.d.comb += present[name].eq(getattr(windows, name))
        with m.If(skew.entry.last):
            m.d.sync += kept.eq(present)
        m.d.comb += [
            chosen.eq(Mux(skew.cycles == 0, present.as_value(), kept.as_value())),
            self.capture.eq(skew.exit.last & (d.op != ExecuteOp.ADD)),
            self.save.eq(skew.exit.last & d.save),
            self.save_row.eq(chosen.saved_row),
            window.valid.eq(tick),
            window.last.eq(chosen.last),
            window.sum.eq(d.op == ExecuteOp.ADD),
            window.post.eq(d.post),
            window.banks.eq(stored_banks(config, d)),
            window.used.eq(used_banks(config, d)),
            window.slack.eq(d.store_slack),
            window.broadcast.eq(d.sources.any() & ~d.save),
            window.last_source.eq(d.sources - 1),
            window.source_span.eq(d.source_stride),
            window.spread.eq(d.spread),
            window.groups.eq(d.lanes),
            window.bank.eq(d.out_bank),
            window.lane_mask.eq(self._lane_mask),
            window.pixels.eq(chosen.pixels),
            window.address.eq(chosen.out_address),
            window.row_span.eq(windows.row_span),
            window.column_span.eq(d.tile_columns),
            window.pixel_span.eq(Mux(d.op == ExecuteOp.DEPTHWISE, d.out_row, 1)),
            window.east.eq(chosen.east),
            window.west.eq(chosen.west),
            window.south.eq(chosen.south),
            window.north.eq(chosen.north),
            window.finish.half.eq(d.half),
            window.finish.zero_point.eq(d.zero_point),
            window.finish.clamp_low.eq(d.clamp_low),
            window.finish.clamp_high.eq(d.clamp_high),
        ]

    @property
    def _half_row(self) -> Any:
        """First weight row of the descriptor's half."""
        return Mux(self.descriptor.half, self.config.weight_rows, 0)

    @property
    def _has_pixels(self) -> Any:
        """Whether the lanes are split into pixels."""
        return self.descriptor.op != ExecuteOp.POOL

    @property
    def _lane_mask(self) -> Any:
        """Lanes per pixel, less 1: L / P - 1. All bits set if L is no power of two, where P must be 1."""
        lanes, d = self.config.compute_lanes, self.descriptor
        mask: Any = (1 << (lanes - 1).bit_length()) - 1
        for level in range(1, lanes.bit_length()):
            mask = Mux(self._has_pixels & d.pixels[level], (lanes >> level) - 1, mask)
        return mask

    def _lanes_of(self, pixel: Any) -> Any:
        """Lanes, as a mask, that work on a pixel, but for POOL."""
        lanes, d = self.config.compute_lanes, self.descriptor
        return Cat(
            Cat(
                d.pixels[level] & (pixel == lane // (lanes >> level))
                for level in range(lanes.bit_length())
            ).any()
            for lane in range(lanes)
        )

    def _pixel_of(self, descriptor: Any, lane: int) -> Any:
        """Pixel that a lane works on, but for POOL."""
        lanes, pixel = self.config.compute_lanes, 0
        for level in range(1, lanes.bit_length()):
            pixel = Mux(descriptor.pixels[level], lane // (lanes >> level), pixel)
        return pixel


def _skewed_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of what CONV delays: a set's end and, with ``step``, a step of the set of ``saved_row``."""
    return data.StructLayout(
        {
            "last": 1,
            "step": 1,
            "first": 1,
            "advance": 1,
            "quad": address_bits(config.simd_units // 4),
            "count": address_bits(config.weight_rows),
            "saved_row": address_bits(config.accumulator_rows),
        }
    )


def _set_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Layout of what the window walker says about a set."""
    return data.StructLayout(
        {
            "last": 1,
            "saved_row": address_bits(config.accumulator_rows),
            "out_address": address_bits(config.bank_depth),
            "pixels": config.compute_lanes,
            "east": config.compute_lanes,
            "west": config.compute_lanes,
            "south": config.compute_lanes,
            "north": config.compute_lanes,
        }
    )


def _ends(descriptor: Any) -> Any:
    """Whether a descriptor has a single group, kernel column and kernel row."""
    counts = (descriptor.groups, descriptor.kernel_columns, descriptor.kernel_rows)
    return Cat(count == 1 for count in counts)
