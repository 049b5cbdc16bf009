"""PE grid: neighbour wiring, distribution of control, image bounds, external access."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.control import (
    ExecuteControl,
    PeControl,
    row_write_layout,
    tile_read_layout,
    tile_write_layout,
)
from hwgen.gateware.pe import Pe
from hwgen.gateware.requantizer import RECORD_BITS, RECORD_STRIDE_BITS
from hwgen.gateware.unique import unique
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Grid"]


class Grid(wiring.Component):
    """All PEs, in `pes_y` rows of `pes_x`.

    Everything that enters is registered once. Nothing checks that external accesses and EXECUTE
    stay apart: that is the compiler's duty.

    Latency: 1 cycle from `control` to the PEs; ``READ_LATENCY`` from `tile_read` to `tile_read_data`;
    ``WRITE_LATENCY`` from a write to the first cycle whose `control` may make use of it.
    Throughput: one step, one store, one row and one vector per cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes of the accelerator.

    Members
    -------
    control : In(ExecuteControl(config))
        Drives all PEs.
    row_write : In(row_write_layout(config))
        Weights and parameters, multicast to all PEs.
    tile_write : In(tile_write_layout(config))
        One vector to one PE.
    tile_read : In(tile_read_layout(config))
        One vector of one PE.
    tile_read_data : Out(8 * S)
        That vector.
    """

    READ_LATENCY: ClassVar[int] = 4
    WRITE_LATENCY: ClassVar[int] = 2

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the grid of `config`."""
        self.config = config
        super().__init__(
            {
                "control": In(ExecuteControl(config)),
                "row_write": In(row_write_layout(config)),
                "tile_write": In(tile_write_layout(config)),
                "tile_read": In(tile_read_layout(config)),
                "tile_read_data": Out(8 * config.vector_bytes),
            }
        )

    def elaborate(self, platform: object) -> Any:
        """Build the module."""
        m = Module()
        config = self.config
        pes: dict[tuple[int, int], Any] = {}
        for y in range(config.pes_y):
            for x in range(config.pes_x):
                pes[y, x] = pe = Pe(config)
                m.submodules[f"pe_{y}_{x}"] = unique(pe)

        self._distribute_control(m, pes)
        self._pad(m, pes)
        self._connect_neighbours(m, pes)
        self._write_rows(m, pes)
        self._write_tiles(m, pes)
        self._read_tiles(m, pes)
        return m

    def _distribute_control(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Register what is the same for all PEs, and compare the index of a POOL hop."""
        reduce_index = Signal.like(self.control.reduce_index)
        m.d.sync += reduce_index.eq(self.control.reduce_index)
        for name, member in PeControl(self.config).members.items():
            if name in ("pad", "receive"):
                continue
            register = Signal(member.shape, name=f"control_{name}")
            m.d.sync += register.eq(getattr(self.control, name))
            for pe in pes.values():
                m.d.comb += getattr(pe.control, name).eq(register)
        for (y, x), pe in pes.items():
            m.d.comb += pe.control.receive.eq(reduce_index == Mux(pe.control.vertical, y, x))

    def _pad(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Find the PE rows and columns whose tap lies outside the image."""
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
                flag = Signal(name=f"outside_{axis}_{index}")
                m.d.sync += flag.eq(inject & (coordinate.as_unsigned() >= bound))
                outside[axis].append(flag)
        for (y, x), pe in pes.items():
            m.d.comb += pe.control.pad.eq(outside["y"][y] | outside["x"][x])

    def _connect_neighbours(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Wire the halo exchange and the POOL reduction; missing neighbours give zeros."""
        lanes = range(self.config.compute_lanes)
        for (y, x), pe in pes.items():
            east, west = pes.get((y, x + 1)), pes.get((y, x - 1))
            south, north = pes.get((y + 1, x)), pes.get((y - 1, x))
            # POOL adds up the rows in the first column only
            south_sum = south if x == 0 else None
            for port, neighbour, source in (
                (pe.east_output, east, "output"),
                (pe.west_output, west, "output"),
                (pe.south_taken, south, "taken"),
                (pe.north_taken, north, "taken"),
                (pe.east_head, east, "head"),
                (pe.south_head, south_sum, "head"),
            ):
                if neighbour is not None:
                    m.d.comb += [port[lane].eq(getattr(neighbour, source)[lane]) for lane in lanes]

    def _write_rows(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Register a row and offer it to all lanes; of a parameter row only the used bits."""
        config, row = self.config, self.row_write
        weight_write = Signal(config.compute_lanes)
        parameter_write = Signal(config.compute_lanes)
        address = Signal.like(row.address, reset_less=True)
        weights = Signal(8 * config.row_bytes, reset_less=True)
        records = Signal(RECORD_BITS * config.requantizer_width, reset_less=True)
        used = Cat(
            row.data[start : start + RECORD_BITS]
            for start in range(0, 8 * config.row_bytes, RECORD_STRIDE_BITS)
        )
        m.d.sync += [
            weight_write.eq(Mux(row.enable & ~row.parameter, row.lanes, 0)),
            parameter_write.eq(Mux(row.enable & row.parameter, row.lanes, 0)),
        ]
        with m.If(row.enable):
            m.d.sync += [address.eq(row.address), weights.eq(row.data), records.eq(used)]
        for pe in pes.values():
            m.d.comb += [
                pe.weight_write.eq(weight_write),
                pe.parameter_write.eq(parameter_write),
                pe.row_write_address.eq(address),
                pe.weight_write_data.eq(weights),
                pe.parameter_write_data.eq(records),
            ]

    def _write_tiles(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Register a vector and offer it to its PE."""
        tile = self.tile_write
        address = Signal.like(tile.address, reset_less=True)
        vector = Signal.like(tile.data, reset_less=True)
        with m.If(tile.enable):
            m.d.sync += [address.eq(tile.address), vector.eq(tile.data)]
        for (y, x), pe in pes.items():
            enable = Signal(self.config.compute_lanes, name=f"tile_write_{y}_{x}")
            chosen = tile.enable & (tile.pe_y == y) & (tile.pe_x == x)
            m.d.sync += enable.eq(chosen << tile.bank)
            m.d.comb += [
                pe.tile_write_enable.eq(enable),
                pe.tile_write_address.eq(address),
                pe.tile_write_data.eq(vector),
            ]

    def _read_tiles(self, m: Any, pes: dict[tuple[int, int], Any]) -> None:
        """Register an address for its PE, and what the PE gives; the other PEs give 0."""
        tile = self.tile_read
        address = Signal.like(tile.address)
        m.d.sync += address.eq(tile.address)
        gathered: Any = 0
        for (y, x), pe in pes.items():
            enable = Signal(self.config.compute_lanes, name=f"tile_read_{y}_{x}")
            chosen = tile.enable & (tile.pe_y == y) & (tile.pe_x == x)
            m.d.sync += enable.eq(chosen << tile.bank)
            m.d.comb += [pe.tile_read_enable.eq(enable), pe.tile_read_address.eq(address)]
            gathered = gathered | pe.tile_read_data
        m.d.sync += self.tile_read_data.eq(gathered)
