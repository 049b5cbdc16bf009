"""PE: banks of local memory, activation feed, lanes, and the halo exchange with neighbours."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.control import LaneControl, PeControl, row_address_bits
from hwgen.gateware.grid.feed import Feed
from hwgen.gateware.grid.lane import Lane
from hwgen.gateware.grid.requantizer import RECORD_BITS, table_layout
from hwgen.gateware.grid.selection import select
from hwgen.gateware.primitives.ram import address_bits
from hwgen.gateware.primitives.single_port_ram import SinglePortRam
from hwgen.gateware.primitives.unique import unique
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Pe"]


class Pe(wiring.Component):
    """Computes one tile; has no control of its own, all PEs run in lockstep.

    A store takes two cycles: first every PE *takes* the output vectors of itself or of a
    horizontal neighbour, each bank that of the lane chosen for it; then it writes those that it,
    or a vertical neighbour, has taken.

    Latency: see :class:`~hwgen.gateware.grid.control.PeControl`; 3 cycles from `tile_read_enable` to
    `tile_read_data`. Throughput: one step and one store per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    control : In(PeControl(config))
        What to do.
    tile_write_enable, tile_write_address, tile_write_data : In
        External write to the banks in the mask; never together with another access of the bank.
    tile_read_enable, tile_read_address : In
        External read of the bank in the one-hot mask; never together with another access of the bank.
    tile_read_data : Out(8 * S)
        The vector read, or 0 in cycles without a read.
    weight_write, parameter_write : In(L)
        Lanes that take a row.
    row_write_address, weight_write_data, parameter_write_data : In
        The row, see :class:`~hwgen.gateware.grid.lane.Lane`.
    output, taken : Out(8 * S).array(L)
        The output vector of the lane chosen for each bank; the vectors taken last.
    east_output, west_output, south_taken, north_taken : In(8 * S).array(L)
        The same of the neighbours; 0 where there is none.
    shared, row_output : Out(8 * S).array(L), In(8 * S).array(L)
        To the row's buses: `output` if the PE shares it, else 0; and from them.
    head : Out(32 * R).array(L)
        Heads of the lanes' drain registers.
    east_head, south_head : In(32 * R).array(L)
        The same of the neighbours.

    Notes
    -----
    With activation tables there is `fill`, In(table_layout()): a row of the table, for all lanes.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create a PE of `config`."""
        self.config = config
        lanes, vector_bits = config.compute_lanes, 8 * config.vector_bytes
        width = config.requantizer_width
        super().__init__(
            {
                "control": In(PeControl(config)),
                "tile_write_enable": In(lanes),
                "tile_write_address": In(address_bits(config.bank_depth)),
                "tile_write_data": In(vector_bits),
                "tile_read_enable": In(lanes),
                "tile_read_address": In(address_bits(config.bank_depth)),
                "tile_read_data": Out(vector_bits),
                "weight_write": In(lanes),
                "parameter_write": In(lanes),
                "row_write_address": In(row_address_bits(config)),
                "weight_write_data": In(8 * config.row_bytes),
                "parameter_write_data": In(RECORD_BITS * width),
                **({"fill": In(table_layout())} if config.activation_table else {}),
                "output": Out(vector_bits).array(lanes),
                "east_output": In(vector_bits).array(lanes),
                "west_output": In(vector_bits).array(lanes),
                "shared": Out(vector_bits).array(lanes),
                "row_output": In(vector_bits).array(lanes),
                "taken": Out(vector_bits).array(lanes),
                "north_taken": In(vector_bits).array(lanes),
                "south_taken": In(vector_bits).array(lanes),
                "head": Out(32 * width).array(lanes),
                "east_head": In(32 * width).array(lanes),
                "south_head": In(32 * width).array(lanes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        control = self.control
        m.submodules.feed = feed = Feed(self.config)
        for name in ("incoming", "source_mask", "source_base", "shift", "pad", "pad_value"):
            m.d.comb += getattr(feed, name).eq(getattr(control, name))
        lanes = [self._add_lane(m, feed, index) for index in range(self.config.compute_lanes)]
        for index in range(self.config.compute_lanes):
            self._add_bank(m, feed, index)
        self._share_rows(m, lanes)
        outputs = [lane.output for lane in lanes]
        chosen = select(m, "chosen", outputs, control.take_mask, control.take_base)
        m.d.comb += [port.eq(vector) for port, vector in zip(self.output, chosen, strict=True)]
        if self.config.pes_x > 1:
            for shared, vector in zip(self.shared, chosen, strict=True):
                m.d.comb += shared.eq(Mux(control.shares, vector, 0))
        return m

    def _add_lane(self, m: Any, feed: Any, index: int) -> Any:
        """Add a lane and what connects it to the feed, the neighbours and the loader.

        Returns
        -------
        Lane
        """
        control = self.control
        lane = Lane(self.config)
        m.submodules[f"lane_{index}"] = unique(lane)
        for name in LaneControl(self.config).members:
            if name == "ring_read_position":
                field = control.ring_read_positions
                value = field.word_select(index, len(field) // self.config.compute_lanes)
            else:
                value = getattr(control, name)
            m.d.comb += getattr(lane.control, name).eq(value)
        m.d.comb += [
            lane.incoming.eq(feed.vector[index]),
            lane.weight_write.eq(self.weight_write[index]),
            lane.parameter_write.eq(self.parameter_write[index]),
            lane.row_write_address.eq(self.row_write_address),
            lane.weight_write_data.eq(self.weight_write_data),
            lane.parameter_write_data.eq(self.parameter_write_data),
            lane.neighbour.eq(Mux(control.vertical, self.south_head[index], self.east_head[index])),
            self.head[index].eq(lane.head),
        ]
        if self.config.activation_table:
            m.d.comb += lane.fill.eq(self.fill)
        return lane

    def _share_rows(self, m: Any, lanes: list[Any]) -> None:
        """Read a register-file row once for all lanes that need it."""
        control = self.control
        mask = Signal.like(control.weight_mask, reset_less=True)
        with m.If(control.weight_enable):
            m.d.sync += mask.eq(control.weight_mask)
        rows = select(m, "row", [lane.row for lane in lanes], mask, Const(0, len(mask)))
        for index, (lane, row) in enumerate(zip(lanes, rows, strict=True)):
            m.d.comb += [
                lane.reads_row.eq((index & ~control.weight_mask)[: len(mask)] == 0),
                lane.shared_row.eq(row),
            ]

    def _add_bank(self, m: Any, feed: Any, index: int) -> None:
        """Add a bank, the stores into it and the loader's access."""
        control = self.control
        bank = SinglePortRam(8 * self.config.vector_bytes, self.config.bank_depth)
        m.submodules[f"bank_{index}"] = bank

        # Cycle 1: take the PE's own chosen output vector, a horizontal neighbour's or the row's
        taken = Signal(8 * self.config.vector_bytes, name=f"taken_{index}", reset_less=True)
        m.d.comb += self.taken[index].eq(taken)
        with m.If(control.push):
            with m.If(control.from_east):
                m.d.sync += taken.eq(self.east_output[index])
            with m.Elif(control.from_west):
                m.d.sync += taken.eq(self.west_output[index])
            if self.config.pes_x > 1:
                with m.Elif(control.from_row):
                    m.d.sync += taken.eq(self.row_output[index])
            with m.Else():
                m.d.sync += taken.eq(self.output[index])

        # Cycle 2: write it, or what a vertical neighbour has taken
        with m.If(self.tile_write_enable[index]):
            m.d.comb += bank.write_data.eq(self.tile_write_data)
        with m.Elif(control.from_south):
            m.d.comb += bank.write_data.eq(self.south_taken[index])
        with m.Elif(control.from_north):
            m.d.comb += bank.write_data.eq(self.north_taken[index])
        with m.Else():
            m.d.comb += bank.write_data.eq(taken)

        # A large memory needs the whole cycle: its output has a register of its own. It needs no enable, as the memory keeps what
        # was read last
        read = Signal(8 * self.config.vector_bytes, name=f"read_{index}", reset_less=True)
        selecting, selected = (Signal(name=f"{name}_{index}") for name in ("selecting", "selected"))
        external_write = self.tile_write_enable[index]
        external_read = self.tile_read_enable[index]
        m.d.sync += [
            read.eq(bank.read_data),
            selecting.eq(external_read),
            selected.eq(selecting),
        ]
        m.d.comb += [
            bank.enable.eq(bank.write | control.read_enable[index] | external_read),
            bank.write.eq(control.write_enable[index] | external_write),
            bank.address.eq(
                Mux(
                    control.write_enable[index],
                    control.write_address,
                    Mux(
                        external_write,
                        self.tile_write_address,
                        Mux(external_read, self.tile_read_address, control.read_address),
                    ),
                )
            ),
            feed.bank_data[index].eq(read),
        ]
        if index == 0:
            m.d.sync += self.tile_read_data.eq(0)
        with m.If(selected):
            m.d.sync += self.tile_read_data.eq(read)
