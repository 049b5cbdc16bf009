"""Reduction sequencer: the hops in which POOL sums up the grid."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["ReductionSequencer"]


class ReductionSequencer(wiring.Component):
    """Counts POOL's hops: columns from the east, then rows from the south; 4 cycles each.

    Latency: 0 cycles. Throughput: a reduction in 4 · (`pes_x` + `pes_y` - 2) cycles, or of rows only
    in 4 · (`pes_y` - 1).

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator, with more than one PE.

    Members
    -------
    enable : In(1)
        High during a reduction, low for at least one cycle before it.
    rows_only : In(1)
        With `enable` low: the next reduction leaves the columns out. Not with a single row.
    vertical, reduce_index : Out
        See :class:`~hwgen.gateware.grid.control.ExecuteControl`.
    end : Out(1)
        This is the last cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the sequencer for `config`."""
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "rows_only": In(1),
                "vertical": Out(1),
                "reduce_index": Out(address_bits(max(config.pes_x, config.pes_y))),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        config = self.config
        cycle = Signal(range(REQUANTIZER_PHASES))
        hop_end = Signal()
        down = Signal()
        m.d.comb += [
            down.eq(self.rows_only | (config.pes_x == 1)),
            hop_end.eq(self.enable & (cycle == REQUANTIZER_PHASES - 1)),
            self.end.eq(hop_end & (self.reduce_index == 0) & (self.vertical | (config.pes_y == 1))),
        ]
        with m.If(~self.enable):
            m.d.sync += [
                cycle.eq(0),
                self.vertical.eq(down),
                self.reduce_index.eq(Mux(down, max(0, config.pes_y - 2), max(0, config.pes_x - 2))),
            ]
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)
            with m.If(hop_end & (self.reduce_index != 0)):
                m.d.sync += self.reduce_index.eq(self.reduce_index - 1)
            with m.Elif(hop_end):
                m.d.sync += [self.vertical.eq(1), self.reduce_index.eq(max(0, config.pes_y - 2))]
        return m
