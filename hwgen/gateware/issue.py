"""Issue stage: breaks an EXECUTE descriptor into windows and steps."""

from enum import Enum
from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.layout import execute_layout
from hwgen.gateware.ram import address_bits
from hwgen.gateware.taps import TapWalker
from hwgen.gateware.window import step_layout, window_layout
from hwgen.gateware.windows import WindowWalker
from sim.spec.accelerator import ADD_INTERVAL, REQUANTIZER_PHASES, AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["IssueStage"]


class _State(Enum):
    IDLE = 0
    RUN = 1
    REDUCE = 2
    HOLD = 3


class IssueStage(wiring.Component):
    """Issues the steps of one descriptor at a time, at a rate that no later stage can refuse.

    With N windows of II cycles, a descriptor that starts in cycle s occupies the stage until cycle
    s + N · II + R + H, its `issue_end`. R = 4 · (`pes_x` + `pes_y` - 2) for POOL, the reduction. H is
    ``ADD_HOLD`` for ADD, while its last operand waits in the feed, plus the stores of the last window
    beyond 4, as the next window can come after 4 cycles.

    Latency: 1 cycle from `command` to the first step. The next command may start with `issue_end`.

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
    issue_end : Out(1)
        Last cycle of a descriptor in this stage.
    read_enable, read_address, tap_y, tap_x, inject : Out
        See :class:`~hwgen.gateware.control.ExecuteControl`; for the step in this cycle.
    descriptor : Out(execute_layout())
        Descriptor of the step in this cycle.
    step : Out(step_layout(config))
        What else that step does.
    capture : Out(1)
        A window ends whose accumulators are wanted.
    reduce, vertical, reduce_index : Out
        See :class:`~hwgen.gateware.control.ExecuteControl`, as of the cycle after `capture`.
    window : Out(window_layout(config))
        A window that ends in this cycle, reduction included, if ``valid``.
    """

    ADD_INTERVAL: ClassVar[int] = ADD_INTERVAL
    """Least `initiation_interval` of ADD: two operands and a sum share the requantizer."""

    ADD_HOLD: ClassVar[int] = 2
    """Cycles between the last window of an ADD and the next descriptor."""

    OPERAND_CYCLES: ClassVar[tuple[int, int]] = (REQUANTIZER_PHASES + 1, 1)
    """Cycles before the end of a window in which ADD reads operand a and operand b."""

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the stage for `config`."""
        self.config = config
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "command": In(stream.Signature(execute_layout())),
                "drained": In(1),
                "issue_end": Out(1),
                "descriptor": Out(execute_layout()),
                "read_enable": Out(config.compute_lanes),
                "read_address": Out(address),
                "tap_y": Out(signed(16)),
                "tap_x": Out(signed(16)),
                "inject": Out(1),
                "step": Out(step_layout(config)),
                "capture": Out(1),
                "reduce": Out(1),
                "vertical": Out(1),
                "reduce_index": Out(address_bits(max(config.pes_x, config.pes_y))),
                "window": Out(window_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        m.submodules.windows = windows = WindowWalker(self.config)
        m.submodules.taps = taps = TapWalker(self.config)
        d, payload = self.descriptor, self.command.payload
        state = Signal(_State)
        start, last_cycle, tick = Signal(), Signal(), Signal()
        is_add, is_pool = d.op == ExecuteOp.ADD, d.op == ExecuteOp.POOL

        # Sequence: all windows, POOL's reduction, the hold
        remaining = Signal(20)
        hold_left = Signal(4)
        reduce_end = self._reduce(m, state)
        hold = Mux(is_add, self.ADD_HOLD, 0) + self._stores_beyond(windows)
        reduces = is_pool & (self.config.pes > 1)
        m.d.comb += [
            last_cycle.eq((state == _State.RUN) & (remaining == 0)),
            self.capture.eq(last_cycle & ~is_add),
            tick.eq(Mux(reduces, reduce_end, last_cycle)),
            self.issue_end.eq(
                (tick & windows.last & (hold == 0)) | ((state == _State.HOLD) & (hold_left == 0))
            ),
            self.command.ready.eq(
                ((state == _State.IDLE) | self.issue_end) & (~payload.wait_drain | self.drained)
            ),
            start.eq(self.command.valid & self.command.ready),
        ]
        m.d.sync += hold_left.eq(hold_left - 1)
        with m.If(start):
            m.d.sync += [
                state.eq(_State.RUN),
                d.eq(payload),
                remaining.eq(payload.initiation_interval - 1),
            ]
        with m.Elif(self.issue_end):
            m.d.sync += state.eq(_State.IDLE)
        with m.Elif(tick & windows.last):
            m.d.sync += [state.eq(_State.HOLD), hold_left.eq(hold - 1)]
        with m.Elif(last_cycle & reduces):
            m.d.sync += state.eq(_State.REDUCE)
        with m.Elif(last_cycle):
            m.d.sync += remaining.eq(d.initiation_interval - 1)
        with m.Else():
            m.d.sync += remaining.eq(remaining - 1)

        m.d.comb += [
            windows.start.eq(start),
            windows.advance.eq(last_cycle & ~windows.last),
            windows.descriptor.eq(d),
            windows.next_descriptor.eq(payload),
            taps.descriptor.eq(d),
            taps.restart.eq(windows.start | windows.advance),
            taps.start_address.eq(windows.next_address),
            taps.start_y.eq(windows.next_y),
            taps.start_x.eq(windows.next_x),
        ]
        self._finish_window(m, windows, tick)
        self._issue_step(m, taps, windows, state == _State.RUN, remaining)
        return m

    @staticmethod
    def _stores_beyond(windows: Any) -> Any:
        """Return the stores of the present window beyond 4: there are 1, 2 or 3 in each direction."""
        wide, high = windows.east & windows.west, windows.south & windows.north
        some_wide, some_high = windows.east | windows.west, windows.south | windows.north
        return Mux(wide & high, 5, Mux((wide & some_high) | (high & some_wide), 2, 0))

    def _reduce(self, m: Any, state: Any) -> Any:
        """Count POOL's hops: columns from the east, then rows from the south. Return its end."""
        config = self.config
        cycle = Signal(range(REQUANTIZER_PHASES))
        end, hop_end = Signal(), Signal()
        down = config.pes_x == 1
        m.d.comb += [
            self.reduce.eq(state == _State.REDUCE),
            hop_end.eq(self.reduce & (cycle == REQUANTIZER_PHASES - 1)),
            end.eq(hop_end & (self.reduce_index == 0) & (self.vertical | (config.pes_y == 1))),
        ]
        with m.If(~self.reduce):
            m.d.sync += [
                cycle.eq(0),
                self.vertical.eq(down),
                self.reduce_index.eq(max(0, (config.pes_y if down else config.pes_x) - 2)),
            ]
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)
            with m.If(hop_end & (self.reduce_index != 0)):
                m.d.sync += self.reduce_index.eq(self.reduce_index - 1)
            with m.Elif(hop_end):
                m.d.sync += [self.vertical.eq(1), self.reduce_index.eq(max(0, config.pes_y - 2))]
        return end

    def _finish_window(self, m: Any, windows: Any, tick: Any) -> None:
        """Describe the present window to the stages behind this one."""
        d, window = self.descriptor, self.window
        m.d.comb += [
            window.valid.eq(tick),
            window.last.eq(windows.last),
            window.sum.eq(d.op == ExecuteOp.ADD),
            window.post.eq(d.post),
            window.lanes.eq(Cat(d.lanes > lane for lane in range(self.config.compute_lanes))),
            window.address.eq(windows.out_address),
            window.row_span.eq(windows.row_span),
            window.column_span.eq(d.tile_columns),
            window.finish.half.eq(d.half),
            window.finish.zero_point.eq(d.zero_point),
            window.finish.clamp_low.eq(d.clamp_low),
            window.finish.clamp_high.eq(d.clamp_high),
        ]
        for side in ("east", "west", "south", "north"):
            m.d.comb += getattr(window, side).eq(getattr(windows, side))

    def _issue_step(self, m: Any, taps: Any, windows: Any, running: Any, remaining: Any) -> None:
        """Read for the present step and describe it to the lanes."""
        d, step = self.descriptor, self.step
        is_conv, is_add = d.op == ExecuteOp.CONV, d.op == ExecuteOp.ADD
        first, second = (remaining == cycles for cycles in self.OPERAND_CYCLES)
        half_row = Mux(d.half, self.config.weight_rows, 0)
        m.d.comb += [
            step.valid.eq(running & Mux(is_add, first | second, taps.valid)),
            step.operand.eq(is_add),
            step.second.eq(second),
            step.half.eq(d.half),
            step.first.eq(taps.first),
            step.private.eq(~is_conv),
            step.bank.eq(taps.bank),
            step.quad.eq(taps.quad),
            step.pad_value.eq(d.pad_value),
            self.read_enable.eq(
                Mux(step.valid, Mux(is_conv, taps.bank, ~0), 0),
            ),
            self.read_address.eq(
                Mux(is_add, Mux(second, windows.second_address, windows.address), taps.address)
            ),
            self.tap_y.eq(taps.y),
            self.tap_x.eq(taps.x),
            self.inject.eq(~is_add),
        ]
        with m.Switch(d.op):
            with m.Case(ExecuteOp.CONV):
                m.d.comb += step.row.eq(taps.count + half_row)
            with m.Case(ExecuteOp.DEPTHWISE):
                m.d.comb += [
                    step.row.eq((taps.count >> 2) + half_row),
                    step.tap.eq(1 << taps.count[:2]),
                ]
            with m.Case(ExecuteOp.POOL):
                m.d.comb += [step.row.eq(half_row), step.tap.eq(1)]
