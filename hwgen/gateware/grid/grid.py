"""PE grid: the PEs, the wires between neighbours, and what brings them control and data."""

from typing import Any, ClassVar

from amaranth.lib.wiring import In, Out

from hwgen.gateware.grid.control import (
    ExecuteControl,
    PeControl,
    row_write_layout,
    rows_at_once,
    tile_read_layout,
    tile_write_layout,
)
from hwgen.gateware.grid.distributor import Distributor
from hwgen.gateware.grid.pe import Pe
from hwgen.gateware.primitives.structure import Structure, Wire
from hwgen.gateware.primitives.union import Union
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Grid"]

_DISTRIBUTOR = "distributor"
_OWN = ("pad", "receive")
"""Control that differs between PEs."""

_OF_COLUMN = ("read_address", "shares")
"""Control that differs between columns of PEs."""

_WRITES = ("weight_write", "parameter_write")
"""Lanes that take a row, of the PEs of a column."""

_ROWS = ("weight_write_data", "parameter_write_data")
"""Row of the PEs of a column, or of all."""

_ENABLES = ("tile_write_enable", "tile_read_enable")
"""External access to one PE."""

_SHARED = (
    "tile_write_address",
    "tile_write_data",
    "tile_read_address",
    "row_write_address",
)
"""Members of an external access that all PEs see."""


class Grid(Structure):
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
        Weights and parameters, multicast to all PEs, or those of a column.
    tile_write : In(tile_write_layout(config))
        One vector to one PE, or the PEs of a row.
    tile_read : In(tile_read_layout(config))
        One vector of one PE.
    tile_read_data : Out(8 * S)
        That vector.
    """

    READ_LATENCY: ClassVar[int] = 5
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

    def parts(self) -> dict[str, Any]:
        """Return the distributor, the PEs, and what joins the vectors that a row's PEs read or share."""
        config = self.config
        vector_bits = 8 * config.vector_bytes
        return {
            _DISTRIBUTOR: Distributor(config),
            **{name: Pe(config) for name in self._names().values()},
            **{f"row_{y}": Union(config.pes_x, vector_bits) for y in range(config.pes_y)},
            **{
                f"bus_{y}_{lane}": Union(config.pes_x, vector_bits)
                for y in range(config.pes_y)
                for lane in range(config.compute_lanes if config.pes_x > 1 else 0)
            },
        }

    def wires(self) -> list[Wire]:
        """Return the wires between the parts of the grid."""
        wires = [
            Wire(_DISTRIBUTOR, name, None, name)
            for name in (
                *(f"control__{field}" for field in ExecuteControl(self.config).members),
                *("row_write", "tile_write", "tile_read"),
            )
        ]
        wires.append(Wire(None, "tile_read_data", _DISTRIBUTOR, "tile_read_data"))
        for index, ((y, x), name) in enumerate(self._names().items()):
            wires += self._distribution(index, x, name)
            wires += self._neighbours(y, x, name)
            wires += self._row_bus(y, x, name)
            wires.append(Wire(f"row_{y}", f"vectors__{x}", name, "tile_read_data"))
        for y in range(self.config.pes_y):
            wires.append(Wire(_DISTRIBUTOR, f"row_read_data__{y}", f"row_{y}", "vector"))
        return wires

    def _names(self) -> dict[tuple[int, int], str]:
        """Names of the PEs by row and column."""
        rows, columns = range(self.config.pes_y), range(self.config.pes_x)
        return {(y, x): f"pe_{y}_{x}" for y in rows for x in columns}

    def _distribution(self, index: int, x: int, name: str) -> list[Wire]:
        """Wires between PE number `index`, in column `x`, and the distributor."""
        common = [
            field for field in PeControl(self.config).members if field not in _OWN + _OF_COLUMN
        ]
        wires = [
            Wire(name, f"control__{field}", _DISTRIBUTOR, f"pe_control__{field}")
            for field in common
        ]
        wires += [
            Wire(name, f"control__{field}", _DISTRIBUTOR, f"{field}__{index}") for field in _OWN
        ]
        wires += [
            Wire(name, f"control__{field}", _DISTRIBUTOR, f"{field}__{x}") for field in _OF_COLUMN
        ]
        wires += [Wire(name, port, _DISTRIBUTOR, f"{port}__{x}") for port in _WRITES]
        row = x if rows_at_once(self.config) > 1 else 0
        wires += [Wire(name, port, _DISTRIBUTOR, f"{port}__{row}") for port in _ROWS]
        wires += [Wire(name, port, _DISTRIBUTOR, f"{port}__{index}") for port in _ENABLES]
        shared = (*_SHARED, "fill") if self.config.activation_table else _SHARED
        wires += [Wire(name, port, _DISTRIBUTOR, port) for port in shared]
        return wires

    def _neighbours(self, y: int, x: int, name: str) -> list[Wire]:
        """Wires of the halo exchange and the POOL reduction; missing neighbours give zeros."""
        names = self._names()
        east, west = names.get((y, x + 1)), names.get((y, x - 1))
        south, north = names.get((y + 1, x)), names.get((y - 1, x))
        return [
            Wire(name, f"{port}__{lane}", neighbour, f"{source}__{lane}")
            for port, neighbour, source in (
                ("east_output", east, "output"),
                ("west_output", west, "output"),
                ("south_taken", south, "taken"),
                ("north_taken", north, "taken"),
                ("east_head", east, "head"),
                ("south_head", south, "head"),
            )
            if neighbour is not None
            for lane in range(self.config.compute_lanes)
        ]

    def _row_bus(self, y: int, x: int, name: str) -> list[Wire]:
        """Wires between a PE and the buses of its row, of which each bank has its own."""
        if self.config.pes_x == 1:
            return []
        lanes = range(self.config.compute_lanes)
        return [
            *(Wire(f"bus_{y}_{n}", f"vectors__{x}", name, f"shared__{n}") for n in lanes),
            *(Wire(name, f"row_output__{n}", f"bus_{y}_{n}", "vector") for n in lanes),
        ]
