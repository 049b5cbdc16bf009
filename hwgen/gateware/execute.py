"""EXECUTE unit: runs descriptors on the PE grid."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.control import ExecuteControl
from hwgen.gateware.delay import delay
from hwgen.gateware.issue import IssueStage
from hwgen.gateware.layout import execute_layout
from hwgen.gateware.slots import SLOT_MEMBERS, SlotSequencer
from hwgen.gateware.stores import STORE_MEMBERS, StoreSequencer
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["ExecuteUnit"]


class ExecuteUnit(wiring.Component):
    """Issues descriptors and sends the grid each control field when the grid's pipeline needs it.

    A descriptor of N windows of II cycles, of which the last has P stores, that starts in cycle s
    has its `issue_end` in cycle s + N · II + F + max(0, P - 4) and its `done` in cycle
    s + N · II + F + ``DRAIN`` + P. F is ``ADD_HOLD`` for ADD (in `done`: 0), 4 · (`pes_x` + `pes_y` - 2) for POOL,
    else 0. Descriptors of all kinds may follow each other without ``wait_drain``, as far as they
    do not read what an earlier one writes.

    Latency and throughput: the next descriptor may start with `issue_end`, one with ``wait_drain`` with
    the last `done`.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    command : In(stream.Signature(execute_layout()))
        Descriptors, started in the cycle of their transfer. Not checked: see
        :mod:`sim.spec.descriptor` for ranges and ``docs/hardware.md`` for the least II.
    issue_end : Out(1)
        A descriptor is in its last cycle in the issue stage.
    done : Out(1)
        All vectors of a descriptor are written.
    done_post : Out(3)
        Its ``post`` bits, with `done`.
    busy : Out(1)
        A descriptor has started and is not done.
    half_busy : Out(2)
        Bit h: one that uses weight half h.
    control : Out(ExecuteControl(config))
        To the grid.
    """

    ADD_INTERVAL: ClassVar[int] = IssueStage.ADD_INTERVAL
    ADD_HOLD: ClassVar[int] = IssueStage.ADD_HOLD
    DRAIN: ClassVar[int] = 16
    """Cycles from the end of a window to the `done` that follows its stores, less their number."""

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the unit for `config`."""
        self.config = config
        super().__init__(
            {
                "command": In(stream.Signature(execute_layout())),
                "issue_end": Out(1),
                "done": Out(1),
                "done_post": Out(3),
                "busy": Out(1),
                "half_busy": Out(2),
                "control": Out(ExecuteControl(config)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        control = self.control
        m.submodules.issue = issue = IssueStage(self.config)
        m.submodules.slots = slots = SlotSequencer(self.config)
        m.submodules.stores = stores = StoreSequencer(self.config)
        m.d.comb += [
            issue.command.payload.eq(self.command.payload),
            issue.command.valid.eq(self.command.valid),
            self.command.ready.eq(issue.command.ready),
            issue.drained.eq(~self.busy),
            self.issue_end.eq(issue.issue_end),
            self.done.eq(stores.done),
            self.done_post.eq(stores.done_post),
        ]

        # Cycle 0 of a step: read the banks, locate the tap
        for name in ("read_enable", "read_address", "tap_y", "tap_x", "inject"):
            m.d.comb += getattr(control, name).eq(getattr(issue, name))
        for name in ("pitch_y", "pitch_x", "bound_y", "bound_x"):
            m.d.comb += getattr(control, name).eq(getattr(issue.descriptor, name))

        # Cycle 1: feed activations, read weights
        step = Signal.like(issue.step)
        m.d.sync += step.eq(issue.step)
        multiply = step.valid & ~step.operand
        m.d.comb += [
            control.feed.eq(step.valid),
            control.private.eq(step.private),
            control.bank.eq(step.bank),
            control.quad.eq(step.quad),
            control.pad_value.eq(step.pad_value),
            control.weight_enable.eq(multiply),
            control.weight_row.eq(step.row),
            # Cycles 2 and 3: multiply, accumulate
            control.multiply.eq(delay(m, multiply, 1, "multiply")),
            control.tap.eq(delay(m, step.tap, 1, "tap")),
            control.accumulate.eq(delay(m, multiply, 2, "accumulate")),
            control.restart.eq(delay(m, step.first, 2, "restart")),
        ]

        # Cycle 4 of a window's end, when its last step has been accumulated
        m.d.comb += [
            control.capture.eq(delay(m, issue.capture, 4, "capture")),
            control.reduce.eq(delay(m, issue.reduce, 4, "reduce")),
            control.vertical.eq(delay(m, issue.vertical, 4, "vertical")),
            control.reduce_index.eq(delay(m, issue.reduce_index, 4, "reduce_index")),
        ]

        # Cycles 5 to 8: requantize. The parameters are read one cycle before.
        accumulated = delay(m, issue.window, 3, "window")
        m.d.comb += [slots.step.eq(issue.step), slots.window.eq(accumulated)]
        for name in SLOT_MEMBERS:
            m.d.comb += getattr(control, name).eq(getattr(slots, name))

        # Cycle 14: store
        m.d.comb += stores.window.eq(delay(m, accumulated, 10, "requantized"))
        for name in STORE_MEMBERS:
            m.d.comb += getattr(control, name).eq(getattr(stores, name))

        self._count(m, issue, stores)
        return m

    def _count(self, m: Any, issue: Any, stores: Any) -> None:
        """Count the descriptors of each half that have started and are not done."""
        start = issue.command.valid & issue.command.ready
        # With the least II of 4 cycles no more than this many are between start and done.
        most = -(-(self.DRAIN + 9) // REQUANTIZER_PHASES) + 2
        for half in range(2):
            count = Signal(range(most + 1), name=f"in_flight_{half}")
            up = start & (issue.command.payload.half == half)
            down = stores.finishing & (stores.finishing_half == half)
            m.d.sync += count.eq(count + up - down)
            m.d.comb += self.half_busy[half].eq(count != 0)
        m.d.comb += self.busy.eq(self.half_busy.any())
