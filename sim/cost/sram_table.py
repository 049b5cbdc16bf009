"""The table of SRAM macros at 45 nm: what CACTI says of each, and how it was asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Annotated

from sim.spec.documents import Record, checked, parse_json
from sim.spec.rules import Choice, Integer, Name, Number

__all__ = [
    "PORTS",
    "ROWS",
    "TABLE_FILE",
    "WIDTHS",
    "Macro",
    "MacroTable",
    "MemoryCells",
    "Wire",
    "macro_table",
]

TABLE_FILE = "sram_macros.json"

WIDTHS = (32, 64)
ROWS = (32, 64, 128, 256, 512, 1024)
"""Rows of the table's macros; CACTI organizes none with fewer than 32."""

PORTS = (1, 2)
"""Ports of a macro: a port for reads and writes, or a port for each."""


class MemoryCells(StrEnum):
    """Transistors of a memory, from the fastest to those that leak least (ITRS, as in CACTI)."""

    HIGH_PERFORMANCE = "high_performance"
    """Cells and periphery of high-performance transistors."""
    LOW_OPERATING_POWER = "low_operating_power"
    """Cells of low-standby-power transistors, periphery of low-operating-power transistors on a supply of its own."""
    LOW_STANDBY_POWER = "low_standby_power"
    """Cells and periphery of low-standby-power transistors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """Figures of a macro.

    Parameters
    ----------
    area_um2 : float
    access_ns : float
        From the clock edge to the data, at 360 K.
    cycle_ns : float
        Least time between two accesses, at 360 K.
    read_pj, write_pj : float
        An access.
    leakage_uw, hot_leakage_uw : float
        At 300 K and at 360 K, through channels and gates.
    """

    area_um2: float
    access_ns: float
    cycle_ns: float
    read_pj: float
    write_pj: float
    leakage_uw: float
    hot_leakage_uw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A repeated wire.

    Parameters
    ----------
    ns_per_mm : float
    pj_per_mm : float
        C·V², of a bit.
    """

    ns_per_mm: float
    pj_per_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroTable:
    """CACTI's figures and where they are from.

    Parameters
    ----------
    provenance : dict of str to str
        Program, package, command, settings.
    wires : dict of MemoryCells to Wire
    macros : dict of (MemoryCells, ports, width, rows) to Macro
    """

    provenance: Mapping[str, str]
    wires: Mapping[MemoryCells, Wire]
    macros: Mapping[tuple[MemoryCells, int, int, int], Macro]


_Cells = Annotated[str, Choice(tuple(MemoryCells))]
_Figure = Annotated[float, Number(1e-9, 1e9)]
_Size = Annotated[int, Integer(1, 1 << 20)]


class _MacroRecord(Record):
    cells: _Cells
    ports: Annotated[int, Integer(1, 2)]
    width: _Size
    rows: _Size
    area_um2: _Figure
    access_ns: _Figure
    cycle_ns: _Figure
    read_pj: _Figure
    write_pj: _Figure
    leakage_uw: _Figure
    hot_leakage_uw: _Figure


class _WireRecord(Record):
    cells: _Cells
    ns_per_mm: _Figure
    pj_per_mm: _Figure


class _TableRecord(Record):
    provenance: dict[str, Annotated[str, Name(400)]]
    wires: list[_WireRecord]
    macros: list[_MacroRecord]


@lru_cache(maxsize=1)
def macro_table() -> MacroTable:
    """Read the table that comes with the package.

    Raises
    ------
    DesignFileError
        If it is not what ``benchmarks/sram_macros.py`` writes.
    """
    content = resources.files("sim.cost").joinpath(TABLE_FILE).read_bytes()
    record = checked(_TableRecord, parse_json(content, TABLE_FILE), TABLE_FILE)
    macros = {
        (MemoryCells(row.cells), row.ports, row.width, row.rows): Macro(
            **row.model_dump(exclude={"cells", "ports", "width", "rows"})
        )
        for row in record.macros
    }
    wires = {
        MemoryCells(row.cells): Wire(ns_per_mm=row.ns_per_mm, pj_per_mm=row.pj_per_mm)
        for row in record.wires
    }
    return MacroTable(
        provenance=MappingProxyType(record.provenance),
        wires=MappingProxyType(wires),
        macros=MappingProxyType(macros),
    )
