"""Tap walker: the order in which a set of CONV windows reads its inputs."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.primitives.layout import execute_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["TapWalker"]


class TapWalker(wiring.Component):
    """Walks a set's channel groups, kernel rows, kernel columns and slots, innermost last.

    A tap of a group has max(quads, P) slots: slots 0 … P - 1 read the vectors of the P pixels,
    slots 0 … quads - 1 are steps.

    Latency: 1 cycle from `restart` to the first slot. Throughput: one slot per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    descriptor : In(execute_layout())
        The descriptor of the present set, from the cycle after `restart` on.
    restart : In(1)
        Go to the first slot of the set that starts at `start_address`.
    start_address, start_y, start_x, start_shift, start_bank, start_quad : In
        Address and image coordinates of pixel 0's first tap, and its first byte in the vector; `bank` and
        `first_quad` of its descriptor.
    start_ends : In(3)
        Whether its descriptor has a single group, kernel column and kernel row: each is its last from the first tap on.
    start_end_quad : In
        Quads of its first group.
    read : Out(1)
        There is a read in this cycle.
    address, y, x : Out
        Its vector address, and image coordinates for PE (0, 0).
    shift : Out
        Byte of the vector that comes first.
    bank, pixel : Out
        Its bank and pixel.
    step : Out(1)
        There is a step in this cycle.
    first, advance : Out(1)
        It is the first of its set, or of its vectors.
    quad : Out
        Quad of the vectors.
    count : Out
        Number of the step in its set.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the walker for `config`."""
        self.config = config
        address = address_bits(config.bank_depth)
        bank = address_bits(config.compute_lanes)
        super().__init__(
            {
                "descriptor": In(execute_layout()),
                "restart": In(1),
                "start_address": In(address),
                "start_y": In(signed(16)),
                "start_x": In(signed(16)),
                "start_shift": In(address_bits(config.simd_units)),
                "start_bank": In(bank),
                "start_quad": In(address_bits(config.simd_units // 4)),
                "start_ends": In(3),
                "start_end_quad": In(range(config.simd_units // 4 + 1)),
                "read": Out(1),
                "address": Out(address),
                "y": Out(signed(16)),
                "x": Out(signed(16)),
                "shift": Out(address_bits(config.simd_units)),
                "bank": Out(bank),
                "pixel": Out(bank),
                "step": Out(1),
                "first": Out(1),
                "advance": Out(1),
                "quad": Out(address_bits(config.simd_units // 4)),
                "count": Out(address_bits(config.weight_rows)),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        d, config = self.descriptor, self.config
        quads = config.simd_units // 4
        kernel_y, kernel_x = Signal(10), Signal(10)
        group = Signal(12)
        valid = Signal()
        # Beyond the steps of a tap, `quad` counts on while pixels are read.
        slot, quad = (
            Signal(range(quads + config.compute_lanes)),
            Signal(range(quads + config.compute_lanes)),
        )
        # Pixel 0's vector, and where the present kernel row and the present plane start; rows of
        # all planes start at `set_y`, kernel rows at `set_x`.
        tap_address, row_address, plane_address = (Signal.like(self.address) for _ in range(3))
        tap_x, set_y, set_x = (Signal(signed(16)) for _ in range(3))
        set_shift = Signal.like(self.shift)

        # Whether the present group, kernel column and kernel row are the last, known with the tap
        last_group, last_column, last_row = Signal(), Signal(), Signal()
        end_quad = Signal(range(quads + 1))
        first_quad = Mux(group == 0, d.first_quad, 0)
        tap_end = (quad + 1 >= end_quad) & (slot + 1 >= d.pixels)
        column_end = tap_end & last_column
        row_end = column_end & last_row
        last_bank = self.bank == config.compute_lanes - 1
        next_row, next_plane = Signal.like(self.address), Signal.like(self.address)
        m.d.comb += [
            next_row.eq(row_address + d.in_row),
            next_plane.eq(plane_address + Mux(last_bank, d.in_plane, 0)),
            self.read.eq(valid & (slot < d.pixels)),
            self.pixel.eq(slot),
            self.step.eq(valid & (quad < end_quad)),
            self.advance.eq(slot == 0),
            self.quad.eq(quad),
        ]

        with m.If(self.restart):
            m.d.sync += [
                valid.eq(1),
                self.first.eq(1),
                self.address.eq(self.start_address),
                tap_address.eq(self.start_address),
                row_address.eq(self.start_address),
                plane_address.eq(self.start_address),
                self.y.eq(self.start_y),
                set_y.eq(self.start_y),
                self.x.eq(self.start_x),
                tap_x.eq(self.start_x),
                set_x.eq(self.start_x),
                self.shift.eq(self.start_shift),
                set_shift.eq(self.start_shift),
                self.bank.eq(self.start_bank),
                quad.eq(self.start_quad),
                slot.eq(0),
                self.count.eq(0),
                kernel_x.eq(0),
                kernel_y.eq(0),
                group.eq(0),
                Cat(last_group, last_column, last_row).eq(self.start_ends),
                end_quad.eq(self.start_end_quad),
            ]
        with m.Elif(valid):
            m.d.sync += [
                self.first.eq(0),
                self.count.eq(self.count + self.step),
                slot.eq(Mux(tap_end, 0, slot + 1)),
                quad.eq(Mux(tap_end, first_quad, quad + 1)),
                self.shift.eq(Mux(tap_end, set_shift, self.shift + d.window_bytes)),
            ]
            with m.If(row_end):
                m.d.sync += [
                    valid.eq(~last_group),
                    quad.eq(0),
                    kernel_x.eq(0),
                    kernel_y.eq(0),
                    group.eq(group + 1),
                    last_group.eq(group + 2 == d.groups),
                    end_quad.eq(Mux(group + 2 == d.groups, d.last_quads, quads)),
                    last_column.eq(d.kernel_columns == 1),
                    last_row.eq(d.kernel_rows == 1),
                    self.bank.eq(Mux(last_bank, 0, self.bank + 1)),
                    self.address.eq(next_plane),
                    tap_address.eq(next_plane),
                    row_address.eq(next_plane),
                    plane_address.eq(next_plane),
                    self.y.eq(set_y),
                    self.x.eq(set_x),
                    tap_x.eq(set_x),
                ]
            with m.Elif(column_end):
                m.d.sync += [
                    kernel_x.eq(0),
                    kernel_y.eq(kernel_y + 1),
                    last_column.eq(d.kernel_columns == 1),
                    last_row.eq(kernel_y + 2 == d.kernel_rows),
                    self.address.eq(next_row),
                    tap_address.eq(next_row),
                    row_address.eq(next_row),
                    self.y.eq(self.y + 1),
                    self.x.eq(set_x),
                    tap_x.eq(set_x),
                ]
            with m.Elif(tap_end):
                m.d.sync += [
                    kernel_x.eq(kernel_x + 1),
                    last_column.eq(kernel_x + 2 == d.kernel_columns),
                    self.address.eq(tap_address + 1),
                    tap_address.eq(tap_address + 1),
                    self.x.eq(tap_x + 1),
                    tap_x.eq(tap_x + 1),
                ]
            with m.Else():
                m.d.sync += [
                    self.address.eq(self.address + d.stride_x),
                    self.x.eq(self.x + d.stride_x),
                ]
        return m
