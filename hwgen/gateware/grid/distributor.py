"""Distributor: brings control, rows and vectors from outside to all PEs, and vectors back."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.control import (
    ExecuteControl,
    PeControl,
    row_address_bits,
    row_write_layout,
    rows_at_once,
    tile_read_layout,
    tile_write_layout,
)
from hwgen.gateware.grid.requantizer import RECORD_BITS, table_layout
from hwgen.gateware.primitives.ram import address_bits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Distributor"]


class Distributor(wiring.Component):
    """Registers all that enters the grid, and computes what differs between PEs.

    Latency: 1 cycle to the PEs; 1 cycle from `row_read_data` to `tile_read_data`. Throughput: one
    of everything per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    control, row_write, tile_write, tile_read, tile_read_data
        As for :class:`~hwgen.gateware.grid.grid.Grid`.
    pe_control : Out
        What is the same for all PEs: :class:`~hwgen.gateware.grid.control.PeControl` without what
        follows.
    pad, receive : Out(1).array(pes)
        Each PE's own control, row by row of the grid.
    read_address, shares : Out(…).array(pes_x)
        Control that PEs of a column have in common.
    weight_write, parameter_write : Out(L).array(pes_x)
        Lanes of a column that take a row.
    row_write_address : Out
        Where the row goes.
    weight_write_data, parameter_write_data : Out(…).array(1 or pes_x)
        The row, of all columns or of each.
    tile_write_enable, tile_read_enable : Out(L).array(pes)
        Bank, one-hot, of the PE that the access is for.
    tile_write_address, tile_write_data, tile_read_address : Out
        The access.
    row_read_data : In(8 * S).array(pes_y)
        What the rows of PEs read, all but one 0.

    Notes
    -----
    With activation tables there is `fill`, Out(table_layout()): a row of the table, for all PEs.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the distributor of a grid of `config`."""
        self.config = config
        lanes, pes, vector_bits = config.compute_lanes, config.pes, 8 * config.vector_bytes
        bank_address = address_bits(config.bank_depth)
        rows = rows_at_once(config)
        common = {
            name: Out(member.shape)
            for name, member in PeControl(config).members.items()
            if name not in ("pad", "receive", "read_address", "shares")
        }
        super().__init__(
            {
                "control": In(ExecuteControl(config)),
                "row_write": In(row_write_layout(config)),
                "tile_write": In(tile_write_layout(config)),
                "tile_read": In(tile_read_layout(config)),
                "tile_read_data": Out(vector_bits),
                "pe_control": Out(wiring.Signature(common)),
                "pad": Out(1).array(pes),
                "receive": Out(1).array(pes),
                "read_address": Out(bank_address).array(config.pes_x),
                "shares": Out(1).array(config.pes_x),
                "weight_write": Out(lanes).array(config.pes_x),
                "parameter_write": Out(lanes).array(config.pes_x),
                "row_write_address": Out(row_address_bits(config)),
                "weight_write_data": Out(8 * config.row_bytes).array(rows),
                "parameter_write_data": Out(RECORD_BITS * config.requantizer_width).array(rows),
                **({"fill": Out(table_layout())} if config.activation_table else {}),
                "tile_write_enable": Out(lanes).array(pes),
                "tile_write_address": Out(bank_address),
                "tile_write_data": Out(vector_bits),
                "tile_read_enable": Out(lanes).array(pes),
                "tile_read_address": Out(bank_address),
                "row_read_data": In(vector_bits).array(config.pes_y),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        config = self.config
        places = [(y, x) for y in range(config.pes_y) for x in range(config.pes_x)]
        self._distribute_control(m, places)
        self._pad(m, places)
        self._write_rows(m)
        self._write_tiles(m, places)
        self._read_tiles(m, places)
        return m

    def _distribute_control(self, m: Any, places: list[tuple[int, int]]) -> None:
        """Register what is the same for all PEs or a column, and compare the index of a POOL hop."""
        reduce_index = Signal.like(self.control.reduce_index)
        m.d.sync += reduce_index.eq(self.control.reduce_index)
        for name in self.pe_control.signature.members:
            m.d.sync += getattr(self.pe_control, name).eq(getattr(self.control, name))
        for index, (y, x) in enumerate(places):
            position = Mux(self.pe_control.vertical, y, x)
            m.d.comb += self.receive[index].eq(reduce_index == position)
        source = Signal.like(self.control.source)
        m.d.sync += source.eq(self.control.source)
        for x in range(self.config.pes_x):
            m.d.sync += self.read_address[x].eq(
                self.control.read_address + x * self.control.column_stride
            )
            m.d.comb += self.shares[x].eq(source == x)

    def _pad(self, m: Any, places: list[tuple[int, int]]) -> None:
        """Compute the PE rows and columns whose tap lies outside the image."""
        control = self.control
        inject = Signal()
        m.d.sync += inject.eq(control.inject)
        outside: dict[str, list[Any]] = {"y": [], "x": []}
        for axis, count in (("y", self.config.pes_y), ("x", self.config.pes_x)):
            bound = Signal(12, name=f"bound_{axis}")
            m.d.sync += bound.eq(getattr(control, f"bound_{axis}"))
            for index in range(count):
                # Cycle 1: this PE's coordinate
                coordinate = Signal(signed(18), name=f"coordinate_{axis}_{index}")
                tap, pitch = getattr(control, f"tap_{axis}"), getattr(control, f"pitch_{axis}")
                m.d.sync += coordinate.eq(tap + index * pitch)
                # Cycle 2: compare; as an unsigned number a negative coordinate is beyond any bound
                beyond = Signal(name=f"beyond_{axis}_{index}")
                m.d.sync += beyond.eq(inject & (coordinate.as_unsigned() >= bound))
                # Cycle 3: the bank's vector waits in its register
                flag = Signal(name=f"outside_{axis}_{index}")
                m.d.sync += flag.eq(beyond)
                outside[axis].append(flag)
        for index, (y, x) in enumerate(places):
            m.d.comb += self.pad[index].eq(outside["y"][y] | outside["x"][x])

    def _write_rows(self, m: Any) -> None:
        """Register a row; a parameter row begins with its records."""
        row = self.row_write
        address = Signal.like(row.address, reset_less=True)
        tables = bool(self.config.activation_table)
        for x in range(self.config.pes_x):
            enable = row.enable & row.columns[x]
            if tables:
                enable &= ~row.table
            m.d.sync += [
                self.weight_write[x].eq(Mux(enable & ~row.parameter, row.lanes, 0)),
                self.parameter_write[x].eq(Mux(enable & row.parameter, row.lanes, 0)),
            ]
        with m.If(row.enable):
            m.d.sync += address.eq(row.address)
        m.d.comb += self.row_write_address.eq(address)
        for x in range(rows_at_once(self.config)):
            record_bits = len(self.parameter_write_data[x])
            weights = Signal(len(self.weight_write_data[x]), name=f"weights_{x}", reset_less=True)
            with m.If(row.enable):
                m.d.sync += weights.eq(row.data[x])
            m.d.comb += [
                self.weight_write_data[x].eq(weights),
                self.parameter_write_data[x].eq(weights[:record_bits]),
            ]
        if tables:
            m.d.sync += self.fill.write.eq(row.enable & row.table)
            m.d.comb += [
                self.fill.row.eq(address),
                self.fill.entries.eq(self.weight_write_data[0]),
            ]

    def _write_tiles(self, m: Any, places: list[tuple[int, int]]) -> None:
        """Register a vector and offer it to its PE."""
        tile = self.tile_write
        address = Signal.like(tile.address, reset_less=True)
        vector = Signal.like(tile.data, reset_less=True)
        with m.If(tile.enable):
            m.d.sync += [address.eq(tile.address), vector.eq(tile.data)]
        m.d.comb += [self.tile_write_address.eq(address), self.tile_write_data.eq(vector)]
        for index, (y, x) in enumerate(places):
            chosen = tile.enable & (tile.pe_y == y) & (tile.all_columns | (tile.pe_x == x))
            m.d.sync += self.tile_write_enable[index].eq(chosen << tile.bank)

    def _read_tiles(self, m: Any, places: list[tuple[int, int]]) -> None:
        """Register an address for its PE, and what its row gives; the other rows give 0."""
        tile = self.tile_read
        m.d.sync += self.tile_read_address.eq(tile.address)
        for index, (y, x) in enumerate(places):
            chosen = tile.enable & (tile.pe_y == y) & (tile.pe_x == x)
            m.d.sync += self.tile_read_enable[index].eq(chosen << tile.bank)
        gathered: Any = 0
        for vector in self.row_read_data:
            gathered = gathered | vector
        m.d.sync += self.tile_read_data.eq(gathered)
