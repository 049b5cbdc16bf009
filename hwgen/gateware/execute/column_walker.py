"""Column walker: the order in which a window of DEPTHWISE or POOL reads its inputs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["ColumnWalker"]


class ColumnWalker(wiring.Component):
    """Walks a window's taps column by column; of each column, from the top down.

    Either all columns, or those that the window to the left does not have: the last `stride_x`.

    Latency: 1 cycle from `restart` to the first tap. Throughput: one tap per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor : In(execute_layout())
        The descriptor of the present window, from the cycle after `restart` on.
    restart : In(1)
        Go to the first tap of the window that starts at `start_address`.
    fresh : In(1)
        With `restart`: walk only the new columns. Not for a descriptor's first window.
    start_address, start_y, start_x : In
        Address and image coordinates of the window's tap (0, 0).
    valid : Out(1)
        There is a tap in this cycle.
    address, y, x : Out
        Its vector address, and image coordinates for PE (0, 0).
    first : Out(1)
        The tap is its window's first.
    count : Out
        Its number.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "descriptor": In(execute_layout()),
                "restart": In(1),
                "fresh": In(1),
                "start_address": In(address),
                "start_y": In(signed(16)),
                "start_x": In(signed(16)),
                "valid": Out(1),
                "address": Out(address),
                "y": Out(signed(16)),
                "x": Out(signed(16)),
                "first": Out(1),
                "count": Out(address_bits(4 * config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d = self.descriptor
        kernel_y, kernel_x = Signal(10), Signal(10)
        column_address, next_column = Signal.like(self.address), Signal.like(self.address)
        window_y = Signal(signed(16))
        column_end = kernel_y == d.kernel_rows - 1

        # Columns that the window to the left has read; first needed at the end of the first window
        known, skipped = Signal(10), Signal(10)
        m.d.sync += known.eq(Mux(d.kernel_columns > d.stride_x, d.kernel_columns - d.stride_x, 0))
        start_address, start_x = Signal.like(self.address), Signal(signed(16))
        m.d.comb += [
            skipped.eq(Mux(self.fresh, known, 0)),
            start_address.eq(self.start_address + skipped),
            start_x.eq(self.start_x + skipped),
            next_column.eq(column_address + 1),
        ]

        with m.If(self.restart):
            m.d.sync += [
                self.valid.eq(1),
                self.first.eq(1),
                self.count.eq(0),
                self.address.eq(start_address),
                column_address.eq(start_address),
                self.y.eq(self.start_y),
                window_y.eq(self.start_y),
                self.x.eq(start_x),
                kernel_x.eq(skipped),
                kernel_y.eq(0),
            ]
        with m.Elif(self.valid):
            m.d.sync += [self.first.eq(0), self.count.eq(self.count + 1)]
            with m.If(column_end):
                m.d.sync += [
                    self.valid.eq(kernel_x != d.kernel_columns - 1),
                    kernel_x.eq(kernel_x + 1),
                    kernel_y.eq(0),
                    self.address.eq(next_column),
                    column_address.eq(next_column),
                    self.y.eq(window_y),
                    self.x.eq(self.x + 1),
                ]
            with m.Else():
                m.d.sync += [
                    kernel_y.eq(kernel_y + 1),
                    self.address.eq(self.address + d.in_row),
                    self.y.eq(self.y + 1),
                ]
        return m
