"""Tap walker: the order in which a window reads its inputs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.layout import execute_layout
from hwgen.gateware.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp

__all__ = ["TapWalker"]


class TapWalker(wiring.Component):
    """Walks a window's channel groups, kernel rows, kernel columns and quads, innermost last.

    Only CONV walks groups and quads.

    Latency: 1 cycle from `restart` to the first tap. Throughput: one tap per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor : In(execute_layout())
        The descriptor of the present window.
    restart : In(1)
        Go to the first tap of the window that starts at `start_address`.
    start_address, start_y, start_x : In
        Address and image coordinates of that tap.
    valid : Out(1)
        There is a tap in this cycle.
    first : Out(1)
        It is the window's first.
    address, y, x : Out
        Vector address, and image coordinates for PE (0, 0).
    bank : Out(L)
        Bank of the channel group, one-hot.
    quad : Out
        Quad of the vector.
    count : Out
        Number of the tap in its window, modulo 4 · `weight_rows` or more.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        self.config = config
        address = address_bits(config.bank_depth)
        super().__init__(
            {
                "descriptor": In(execute_layout()),
                "restart": In(1),
                "start_address": In(address),
                "start_y": In(signed(16)),
                "start_x": In(signed(16)),
                "valid": Out(1),
                "first": Out(1),
                "address": Out(address),
                "y": Out(signed(16)),
                "x": Out(signed(16)),
                "bank": Out(config.compute_lanes),
                "quad": Out(address_bits(config.simd_units // 4)),
                "count": Out(address_bits(4 * config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d = self.descriptor
        conv = d.op == ExecuteOp.CONV
        kernel_y, kernel_x = Signal(10), Signal(10)
        group = Signal(12)
        # Where the present kernel row and the present plane start; rows of all planes start at
        # `window_y`, kernel rows at `window_x`.
        row_address, plane_address = Signal.like(self.address), Signal.like(self.address)
        window_y, window_x = Signal(signed(16)), Signal(signed(16))

        last_group = ~conv | (group == d.groups - 1)
        last_quad = Mux(last_group, d.last_quads - 1, self.config.simd_units // 4 - 1)
        quad_end = ~conv | (self.quad == last_quad)
        column_end = quad_end & (kernel_x == d.kernel_columns - 1)
        row_end = column_end & (kernel_y == d.kernel_rows - 1)
        next_row, next_plane = Signal.like(self.address), Signal.like(self.address)
        m.d.comb += [
            next_row.eq(row_address + d.in_row),
            next_plane.eq(plane_address + Mux(self.bank[-1], d.in_plane, 0)),
        ]

        with m.If(self.restart):
            m.d.sync += [
                self.valid.eq(1),
                self.first.eq(1),
                self.address.eq(self.start_address),
                row_address.eq(self.start_address),
                plane_address.eq(self.start_address),
                self.y.eq(self.start_y),
                self.x.eq(self.start_x),
                window_y.eq(self.start_y),
                window_x.eq(self.start_x),
                self.bank.eq(1),
                self.quad.eq(0),
                self.count.eq(0),
                kernel_x.eq(0),
                kernel_y.eq(0),
                group.eq(0),
            ]
        with m.Elif(self.valid):
            m.d.sync += [self.first.eq(0), self.count.eq(self.count + 1)]
            with m.If(row_end):
                m.d.sync += [
                    self.valid.eq(~last_group),
                    self.quad.eq(0),
                    kernel_x.eq(0),
                    kernel_y.eq(0),
                    group.eq(group + 1),
                    self.bank.eq(self.bank.rotate_left(1)),
                    self.address.eq(next_plane),
                    row_address.eq(next_plane),
                    plane_address.eq(next_plane),
                    self.y.eq(window_y),
                    self.x.eq(window_x),
                ]
            with m.Elif(column_end):
                m.d.sync += [
                    self.quad.eq(0),
                    kernel_x.eq(0),
                    kernel_y.eq(kernel_y + 1),
                    self.address.eq(next_row),
                    row_address.eq(next_row),
                    self.y.eq(self.y + 1),
                    self.x.eq(window_x),
                ]
            with m.Elif(quad_end):
                m.d.sync += [
                    self.quad.eq(0),
                    kernel_x.eq(kernel_x + 1),
                    self.address.eq(self.address + 1),
                    self.x.eq(self.x + 1),
                ]
            with m.Else():
                m.d.sync += self.quad.eq(self.quad + 1)
        return m
