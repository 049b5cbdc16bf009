"""EXECUTE unit: runs descriptors on the PE grid."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.execute.bundles import used_banks
from hwgen.gateware.execute.issue import IssueStage
from hwgen.gateware.execute.requantizer_slots import SlotSequencer, slot_members
from hwgen.gateware.execute.store_sequencer import STORE_MEMBERS, StoreSequencer
from hwgen.gateware.grid.control import ExecuteControl
from hwgen.gateware.primitives.delay import delay
from hwgen.gateware.primitives.layout import execute_layout
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["ExecuteUnit"]


class ExecuteUnit(wiring.Component):
    """Issues descriptors and sends the grid each control field when the grid's pipeline needs it.

    A descriptor of N sets of II cycles, of which the last has k stores, that starts in cycle s has its
    `issue_end` in cycle s + T + `hold` and its `done` in cycle s + T + D + ``DRAIN`` + k + `store_slack`.
    T = N · II + B · `row_lead` with B bands of `band_rows` rows, for POOL plus its hops; D is P - 1 for CONV,
    else 0. Descriptors of all kinds may follow each other without ``wait_drain``, as far as they do
    not read what an earlier one writes to the banks.

    Latency and throughput: the next descriptor may start with `issue_end`, or with the last `done` if
    it has ``wait_drain``.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    command : In(stream.Signature(execute_layout()))
        Descriptors, started in the cycle of their transfer. Not checked: see
        :mod:`sim.spec.descriptor` for ranges and ``docs/explanation/hardware.md`` for the least II.
    issue_end : Out(1)
        A descriptor is in its last cycle in the issue stage.
    done : Out(1)
        All vectors of a descriptor are written.
    done_post : Out(3)
        Its ``post`` bits, with `done`.
    busy : Out(1)
        A descriptor has started and is not done.
    half_busy : Out(2)
        Bit h: such a descriptor uses weight half h.
    bank_busy : Out(L)
        Bit b: such a descriptor may read bank b or store to it.
    control : Out(ExecuteControl(config))
        To the grid.

    Notes
    -----
    With activation tables there is `table_halves`, In(2), as of
    :class:`~hwgen.gateware.execute.requantizer_slots.SlotSequencer`.
    """

    DRAIN: ClassVar[int] = 24
    """Cycles from the end of a set to the `done` that follows its stores, less their number and their slack."""

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
                "bank_busy": Out(config.compute_lanes),
                "control": Out(ExecuteControl(config)),
                **({"table_halves": In(2)} if config.activation_table else {}),
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
            issue.storing.eq(stores.storing),
            self.issue_end.eq(issue.issue_end),
            self.done.eq(stores.done),
            self.done_post.eq(stores.done_post),
        ]

        self._read(m, issue)
        step = delay(m, issue.step, 2, "step")
        fed = delay(m, step, 2, "fed_step")
        self._step(m, delay(m, fed, 1, "read_step"), fed.valid & fed.advance)

        # Cycle 10 of a set's end, when its last step has been accumulated
        for name in ("capture", "save", "save_row", "reduce", "vertical", "reduce_index"):
            m.d.comb += getattr(control, name).eq(delay(m, getattr(issue, name), 10, name))

        # Cycles 11 to 14: requantize; of an operand's step, 5 to 8
        accumulated = delay(m, issue.window, 10, "window")
        m.d.comb += [slots.step.eq(fed), slots.window.eq(accumulated)]
        if self.config.activation_table:
            m.d.comb += slots.table_halves.eq(self.table_halves)
        for name in slot_members(self.config):
            m.d.comb += getattr(control, name).eq(getattr(slots, name))

        # Cycle 22: store, unless a read has the port. It has it a cycle after it is issued: so its banks are a register here
        m.d.comb += [
            stores.window.eq(delay(m, accumulated, 11, "requantized")),
            stores.reading.eq(delay(m, issue.claims, 1, "claims")),
        ]
        for name in STORE_MEMBERS:
            m.d.comb += getattr(control, name).eq(getattr(stores, name))

        self._count(m, issue, stores)
        return m

    def _read(self, m: Any, issue: Any) -> None:
        """Read the banks and bring the vectors to the lanes."""
        control, read = self.control, issue.read

        # Cycle 1 of a read: address the banks, locate the tap
        fields = {
            "read_enable": read.enable,
            "read_address": read.address,
            "tap_y": read.y,
            "tap_x": read.x,
            "inject": read.inject,
        }
        for name in ("pitch_y", "pitch_x", "bound_y", "bound_x", "column_stride"):
            fields[name] = getattr(issue.descriptor, name)
        for name, value in fields.items():
            m.d.comb += getattr(control, name).eq(delay(m, value, 1, name))

        # Cycle 3: the lanes' incoming registers; cycle 4: the ring
        m.d.comb += [
            control.incoming.eq(delay(m, read.lanes, 3, "incoming")),
            control.source_mask.eq(delay(m, read.source_mask, 3, "source_mask")),
            control.source_base.eq(delay(m, read.source_base, 3, "source_base")),
            control.shift.eq(delay(m, read.shift, 3, "shift")),
            control.pad_value.eq(delay(m, read.pad_value, 3, "pad_value")),
            control.ring_write.eq(delay(m, read.ring, 4, "ring_write")),
            control.ring_write_position.eq(delay(m, read.position, 4, "ring_write_position")),
        ]

    def _step(self, m: Any, step: Any, advance: Any) -> None:
        """Compute; `step` left the issue stage 5 cycles ago, `advance` is of the step 4 cycles ago."""
        control = self.control
        multiply = step.valid & ~step.operand
        m.d.comb += [
            # Cycle 4: the vector. Cycle 5: activations and weights
            control.advance.eq(advance),
            control.quad.eq(step.quad),
            control.ring_read.eq(multiply & step.private),
            control.ring_read_positions.eq(step.positions),
            control.ring_beyond.eq(step.beyond),
            control.ring_gap.eq(step.gap),
            control.weight_enable.eq(multiply),
            control.weight_row.eq(step.row),
            control.weight_mask.eq(step.lane_mask),
        ]
        # Cycle 6: take the operands. Cycle 8: read what was saved
        m.d.comb += [
            control.multiply.eq(delay(m, multiply, 1, "multiply")),
            control.private.eq(delay(m, step.private, 1, "private")),
            control.tap.eq(delay(m, step.tap, 1, "tap")),
            control.maximum.eq(delay(m, step.maximum, 1, "maximum")),
            control.restore_enable.eq(delay(m, multiply & step.restore, 3, "restore_enable")),
            control.restore_row.eq(delay(m, step.saved_row, 3, "restore_row")),
        ]
        # Cycle 9: accumulate
        m.d.comb += [
            control.accumulate.eq(delay(m, multiply, 4, "accumulate")),
            control.restart.eq(delay(m, step.first, 4, "restart")),
            control.restore.eq(delay(m, step.restore, 4, "restore")),
            control.compare.eq(delay(m, step.maximum, 4, "compare")),
        ]

    def _count(self, m: Any, issue: Any, stores: Any) -> None:
        """Count the descriptors of each half, and of each bank, that have started and are not done."""
        start = issue.command.valid & issue.command.ready
        # With the least II of 4 cycles no more than this many are between start and done: each pixel
        # of a set has up to 9 stores, or 3 from each PE of its row, and its skew.
        written = max(9, 3 * self.config.pes_x)
        most = (
            -(-(self.DRAIN + (written + 1) * self.config.compute_lanes) // REQUANTIZER_PHASES) + 2
        )
        for half in range(2):
            count = Signal(range(most + 1), name=f"in_flight_{half}")
            up = start & (issue.command.payload.half == half)
            down = stores.finishing & (stores.finishing_half == half)
            m.d.sync += count.eq(count + up - down)
            m.d.comb += self.half_busy[half].eq(count != 0)
        for bank in range(self.config.compute_lanes):
            count = Signal(range(most + 1), name=f"using_{bank}")
            up = start & used_banks(self.config, issue.command.payload)[bank]
            down = stores.finishing & stores.finishing_banks[bank]
            m.d.sync += count.eq(count + up - down)
            m.d.comb += self.bank_busy[bank].eq(count != 0)
        m.d.comb += self.busy.eq(self.half_busy.any())
