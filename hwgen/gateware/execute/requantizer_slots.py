"""Requantizer slots: what the lanes' requantizers do in every cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.execute.bundles import finish_layout, step_layout, window_layout
from hwgen.gateware.grid.control import LaneControl
from hwgen.gateware.grid.requantizer import Requantizer
from hwgen.gateware.primitives.delay import delay
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["SlotSequencer", "slot_members"]

_MEMBERS = (
    "parameter_enable",
    "parameter_row",
    "slot",
    "operand",
    "sum",
    "phase",
    "keep",
    "finish",
    "zero_point",
    "clamp_low",
    "clamp_high",
    "assemble",
    "commit",
)


def slot_members(config: AcceleratorConfig) -> tuple[str, ...]:
    """Members of :class:`~hwgen.gateware.grid.control.LaneControl` that the sequencer drives."""
    return (*_MEMBERS, "table") if config.activation_table else _MEMBERS


class SlotSequencer(wiring.Component):
    """Gives each trigger the next 4 slots of the requantizers, a slot per quarter of a vector.

    Triggers come at least 4 cycles apart.

    Latency: 1 cycle from a trigger to `slot` and `parameter_enable`, 7 to `keep` and `finish`, 8 to
    `assemble`. Throughput: one trigger per 4 cycles.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    step : In(step_layout(config))
        Trigger if it is of an ADD operand: requantize that.
    window : In(window_layout(config))
        Trigger if ``valid``: requantize and finish a window.
    parameter_enable … commit : Out
        See :class:`~hwgen.gateware.grid.control.LaneControl`.

    Notes
    -----
    With activation tables there is `table_halves`, In(2): results of half h's parameters go through the table if bit h is
    set.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the sequencer for `config`."""
        shapes = LaneControl(config).members
        self.tables = bool(config.activation_table)
        super().__init__(
            {"step": In(step_layout(config)), "window": In(window_layout(config))}
            | ({"table_halves": In(2)} if self.tables else {})
            | {name: Out(shapes[name].shape) for name in slot_members(config)}
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        step, window = self.step, self.window
        active, operand, second, addition = Signal(), Signal(), Signal(), Signal()
        phase = Signal(range(REQUANTIZER_PHASES))
        finish = Signal(finish_layout())

        # Cycle 1: the slot, and the address of its parameters
        with m.If(window.valid):
            m.d.sync += [
                active.eq(1),
                phase.eq(0),
                operand.eq(0),
                addition.eq(window.sum),
                finish.eq(window.finish),
            ]
        with m.Elif(step.valid & step.operand):
            m.d.sync += [
                active.eq(1),
                phase.eq(0),
                operand.eq(1),
                second.eq(step.second),
                addition.eq(0),
                finish.half.eq(step.half),
            ]
        with m.Elif(active):
            m.d.sync += [phase.eq(phase + 1), active.eq(phase != REQUANTIZER_PHASES - 1)]
        # ADD has one record for all channels: row 0 is operand a's, 1 operand b's, 2 the sum's
        row = Mux(operand, second, Mux(addition, 2, phase))
        m.d.comb += [
            self.parameter_enable.eq(active),
            self.parameter_row.eq(Cat(row[:2], finish.half)),
            self.slot.eq(active),
            self.operand.eq(active & operand),
            self.sum.eq(active & addition),
            self.phase.eq(phase),
        ]

        # Cycle 7: the result. Only operand a waits in the drain register: b is added on the fly.
        latency = Requantizer.RESULT_LATENCY
        keep, final = active & operand & ~second, active & ~operand
        finished = delay(m, finish, latency, "finish")
        m.d.comb += [
            self.keep.eq(delay(m, keep, latency, "keep")),
            self.finish.eq(delay(m, final, latency, "final")),
            self.zero_point.eq(finished.zero_point),
            self.clamp_low.eq(finished.clamp_low),
            self.clamp_high.eq(finished.clamp_high),
        ]
        if self.tables:
            m.d.comb += self.table.eq(self.table_halves.bit_select(finished.half, 1))

        # Cycle 8: the finished quarter
        last = delay(m, phase == REQUANTIZER_PHASES - 1, latency, "last")
        m.d.sync += [self.assemble.eq(self.finish), self.commit.eq(self.finish & last)]
        return m
