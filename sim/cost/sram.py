"""SRAM at 45 nm: area, time, energy and leakage of any memory of the accelerator.

A memory is made of *macros* of at most 64 bits × 1,024 rows. Its row is cut into slices of 64 bits, the last
into a macro of 32 bits where that is enough; behind each other lie full macros of 1,024 rows and a macro for
the rest, of 32 rows at least. docs/explanation/cost.md tells what other macros would cost. A memory of up to 16 rows is made of
flip-flops and is refused here.

The table of macros has powers of two of rows. Between them everything is interpolated on straight lines, and a macro
of the table has in no figure less than a shallower macro, so that no figure falls with the size.

An access reaches one macro of every slice. Between the macros run repeated wires: an access moves the row over
three quarters of the side of a square of the memory's area, the mean way from the middle of a side, and half of the
bits change. An address goes 1.5 sides to the farthest
macro, and its data as far back.

Not counted: multiplexers between macros, test and repair logic, power rings, address wires.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from itertools import accumulate

from sim.cost.sram_table import PORTS, ROWS, WIDTHS, Macro, MemoryCells, macro_table

__all__ = [
    "FLIP_FLOP_ROWS",
    "MACRO_BITS",
    "MACRO_ROWS",
    "Sram",
    "highest_mhz",
    "macro",
    "memory_cells",
    "sram",
]

FLIP_FLOP_ROWS = 16
"""Rows up to which the emitted memories are flip-flops, as in ``hwgen.memory_modules``."""

MACRO_BITS = WIDTHS[-1]
MACRO_ROWS = ROWS[-1]

_ACCESS_SHARE = 2 / 3
"""Share of a clock period that a macro may take; multiplexers, wires and a register's setup take the rest."""

_MEAN_SIDES, _LONGEST_SIDES = 0.75, 2 * 1.5
_CHANGES = 0.5 * 0.5
"""Share of C·V² that a bit of an access costs on a wire: it changes every other time, and a change costs half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sram:
    """A memory of macros.

    Parameters
    ----------
    slices : int
        Macros beside each other, all of which an access reaches.
    depth : int
        Macros behind each other, one of which an access reaches.
    area_um2, leakage_uw, hot_leakage_uw : float
        Sums over all macros; leakage at 300 K and at 360 K.
    access_ns, cycle_ns : float
        Of the slowest macro, without multiplexers and wires.
    wire_ns : float
        To the farthest macro and back; 0 for a memory of a single macro.
    read_pj, write_pj : float
        A whole row, with its way over the wires.
    """

    slices: int
    depth: int
    area_um2: float
    access_ns: float
    cycle_ns: float
    wire_ns: float
    read_pj: float
    write_pj: float
    leakage_uw: float
    hot_leakage_uw: float


@lru_cache(maxsize=4096, typed=True)
def sram(width: int, rows: int, *, ports: int = 2, cells: MemoryCells) -> Sram:
    """Figures of a memory.

    Parameters
    ----------
    width : int
        Bits of a row.
    rows : int
        More than 16.
    ports : int
        1 for reads and writes in turn, 2 for a read and a write in each cycle.
    cells : MemoryCells

    Raises
    ------
    TypeError, ValueError
        If there is no such memory, or it is better made of flip-flops.
    """
    _require_integer("width", width)
    _require_integer("rows", rows)
    if rows <= FLIP_FLOP_ROWS:
        raise ValueError(
            f"rows must be more than {FLIP_FLOP_ROWS}, below which memories are flip-flops, not {rows!r}"
        )
    whole, rest = divmod(width, MACRO_BITS)
    slices = [MACRO_BITS] * whole + [rest] * (rest > 0)
    full, last = divmod(rows, MACRO_ROWS)
    deepest = MACRO_ROWS if full else last
    reached = [macro(bits, deepest, ports=ports, cells=cells) for bits in slices]
    built = [figures for figures in reached for _ in range(full)]
    if last:
        built += [macro(bits, last, ports=ports, cells=cells) for bits in slices]
    area_um2 = math.fsum(figures.area_um2 for figures in built)
    side_mm = math.sqrt(area_um2) * 1e-3 if len(built) > 1 else 0.0
    wire = macro_table().wires[cells]
    moved_pj = width * _CHANGES * wire.pj_per_mm * _MEAN_SIDES * side_mm
    return Sram(
        slices=len(slices),
        depth=full + (last > 0),
        area_um2=area_um2,
        access_ns=max(figures.access_ns for figures in reached),
        cycle_ns=max(figures.cycle_ns for figures in reached),
        wire_ns=wire.ns_per_mm * _LONGEST_SIDES * side_mm,
        read_pj=math.fsum(figures.read_pj for figures in reached) + moved_pj,
        write_pj=math.fsum(figures.write_pj for figures in reached) + moved_pj,
        leakage_uw=math.fsum(figures.leakage_uw for figures in built),
        hot_leakage_uw=math.fsum(figures.hot_leakage_uw for figures in built),
    )


def macro(width: int, rows: int, *, ports: int, cells: MemoryCells) -> Macro:
    """Figures of a single macro: of the next larger width, between the rows of the table.

    Raises
    ------
    TypeError, ValueError
        If it is wider or deeper than a macro, or `ports` is neither 1 nor 2.
    """
    _require_integer("width", width)
    _require_integer("rows", rows)
    if width > MACRO_BITS:
        raise ValueError(f"width must be at most {MACRO_BITS} in a macro, not {width!r}")
    if rows > MACRO_ROWS:
        raise ValueError(f"rows must be at most {MACRO_ROWS} in a macro, not {rows!r}")
    if ports not in PORTS:
        raise ValueError(f"ports must be 1 or 2, not {ports!r}")
    column = _rising(WIDTHS[bisect_left(WIDTHS, width)], ports, cells)
    place = bisect_left(ROWS, rows)
    if place == 0 or rows == ROWS[place]:
        return column[place]
    low, high = ROWS[place - 1], ROWS[place]
    share = (rows - low) / (high - low)
    return Macro(
        **{
            field.name: (1 - share) * getattr(column[place - 1], field.name)
            + share * getattr(column[place], field.name)
            for field in fields(Macro)
        }
    )


@cache
def _rising(width: int, ports: int, cells: MemoryCells) -> tuple[Macro, ...]:
    """Macros of the table by their rows, none with less of anything than those before it."""
    table = macro_table().macros
    column = [table[cells, ports, width, rows] for rows in ROWS]
    names = [field.name for field in fields(Macro)]
    figures = [list(accumulate((getattr(m, name) for m in column), max)) for name in names]
    return tuple(Macro(**dict(zip(names, row, strict=True))) for row in zip(*figures, strict=True))


def memory_cells(clock_mhz: float) -> MemoryCells:
    """Cells that leak least among those of which every macro is read within two thirds of a period.

    Raises
    ------
    ValueError
        If no cells are that fast.
    """
    for cells in reversed(MemoryCells):
        if clock_mhz <= _limit_mhz(cells):
            return cells
    limit = highest_mhz(MemoryCells.HIGH_PERFORMANCE)
    raise ValueError(f"clock_mhz must be at most {limit} for the memories, not {clock_mhz!r}")


def highest_mhz(cells: MemoryCells) -> int:
    """Highest whole clock at which every macro of these cells is fast enough."""
    return math.floor(_limit_mhz(cells))


@cache
def _limit_mhz(cells: MemoryCells) -> float:
    """Clock at which the slowest macro takes its share of the period, or its whole cycle."""
    macros = [figures for key, figures in macro_table().macros.items() if key[0] is cells]
    return 1e3 / max(max(m.access_ns / _ACCESS_SHARE, m.cycle_ns) for m in macros)


def _require_integer(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be positive, not {value!r}")
