"""Where the rows of a weight stream go: lane, parameter or register-file row."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import REQUANTIZER_PHASES, AcceleratorConfig

__all__ = ["RowWalker", "row_address_bits", "weights_layout"]


def row_address_bits(config: AcceleratorConfig) -> int:
    """Width of a row address: a register-file row or a parameter row of either half."""
    return address_bits(max(2 * config.weight_rows, 2 * REQUANTIZER_PHASES))


def weights_layout() -> data.StructLayout:
    """Layout of a weight block's shape; the fields are those of the descriptor."""
    return data.StructLayout(
        {"half": 1, "lanes": 4, "broadcast": 1, "parameter_rows": 3, "weight_rows": 16}
    )


class RowWalker(wiring.Component):
    """Destination of every row of a weight block, in the stream's order.

    Lane after lane: its parameter rows, then its register-file rows. With ``broadcast`` there is
    one such sequence, for all lanes.

    Latency: 1 cycle from ``start`` to the first row. Throughput: 1 row per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Lanes and rows per half.

    Members
    -------
    start : In(1)
        Strobe; starts over with the block.
    block : In(weights_layout())
        The block's shape; at least one row per lane. It must hold until the last row.
    advance : In(1)
        Go on to the next row at the end of this cycle.
    lanes : Out(L)
        Mask of the lanes that get the row.
    parameter : Out(1)
        The row is a parameter row.
    address : Out
        half * 4 + row for a parameter row, half * weight_rows + row for a register-file row.
    last : Out(1)
        This is the last row.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create an idle walker."""
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "block": In(weights_layout()),
                "advance": In(1),
                "lanes": Out(config.compute_lanes),
                "parameter": Out(1),
                "address": Out(row_address_bits(config)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build two nested counters and the address that follows them."""
        m = Module()
        block = self.block
        lanes_left = Signal(4)
        rows_left = Signal(16)
        last_row = Signal()
        parameter_start = Signal.like(self.address)
        weight_start = Signal.like(self.address)
        m.d.comb += last_row.eq((rows_left == 1) & ~(self.parameter & (block.weight_rows != 0)))
        m.d.comb += self.last.eq(last_row & ((lanes_left == 1) | block.broadcast))
        with m.If(block.half):
            m.d.comb += [
                parameter_start.eq(REQUANTIZER_PHASES),
                weight_start.eq(self.config.weight_rows),
            ]

        with m.If(self.advance):
            m.d.sync += [self.address.eq(self.address + 1), rows_left.eq(rows_left - 1)]
        with m.If(self.start | (self.advance & last_row)):
            # The first row of a lane
            with m.If(block.parameter_rows != 0):
                m.d.sync += [
                    self.parameter.eq(1),
                    self.address.eq(parameter_start),
                    rows_left.eq(block.parameter_rows),
                ]
            with m.Else():
                m.d.sync += [
                    self.parameter.eq(0),
                    self.address.eq(weight_start),
                    rows_left.eq(block.weight_rows),
                ]
            m.d.sync += [lanes_left.eq(lanes_left - 1), self.lanes.eq(self.lanes << 1)]
        with m.Elif(self.advance & (rows_left == 1)):
            # From the parameter rows to the register-file rows
            m.d.sync += [
                self.parameter.eq(0),
                self.address.eq(weight_start),
                rows_left.eq(block.weight_rows),
            ]
        with m.If(self.start):
            m.d.sync += [lanes_left.eq(block.lanes), self.lanes.eq(1)]
            with m.If(block.broadcast):
                m.d.sync += self.lanes.eq(Const(-1, self.config.compute_lanes))
        return m
