"""Table of SRAM macros from CACTI: what ``sim/cost/sram.py`` reads.

    python benchmarks/sram_macros.py            # compare with the table
    python benchmarks/sram_macros.py --write    # write it anew
    python benchmarks/sram_macros.py --between  # interpolated figures against CACTI's own
    python benchmarks/sram_macros.py --others   # macros that are wider or deeper

CACTI's sources are in the package ``hwcomponents-cacti`` (MIT licence), which the extra ``sram`` installs under
Python 3.12 and later. Elsewhere unpack the package and give ``--package FOLDER/hwcomponents_cacti``.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from rich.progress import track

from hwgen.synthesis.cacti import HOT_K, SETTINGS, TYPICAL_K, MacroRun, build_cacti, run_macro
from sim.cost.sram import macro
from sim.cost.sram_table import PORTS, ROWS, TABLE_FILE, WIDTHS, MemoryCells
from sim.spec.files import write_atomic

TABLE = Path(__file__).parents[1] / "sim/cost" / TABLE_FILE

BETWEEN = (48, 112, 240, 496, 1008)
"""Rows of register files between those of the table; their macros are all of the larger width."""

OTHERS = (
    *((width, rows) for rows in (112, 1024) for width in (32, 64, 128, 256, 512, 1024)),
    *((64, rows) for rows in (2048, 4096, 8192)),
)
"""Width and rows of macros that a memory might be made of; the first and second of each depth are the table's."""


def main() -> int:
    """Ask CACTI for every macro."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--package", type=Path, metavar="FOLDER", help="unpacked package")
    parser.add_argument("--write", action="store_true", help=f"write sim/cost/{TABLE_FILE}")
    parser.add_argument("--between", action="store_true", help="judge the interpolation")
    parser.add_argument("--others", action="store_true", help="print wider and deeper macros")
    arguments = parser.parse_args()
    program, origin = build_cacti(arguments.package)
    if arguments.between:
        return between(program)
    if arguments.others:
        return others(program)
    text = table_text(program, origin)
    if arguments.write:
        write_atomic(TABLE, text)
        return 0
    equal = text == TABLE.read_text(encoding="utf-8")
    print(f"{TABLE_FILE} is {'what CACTI says' if equal else 'not what CACTI says'}")
    return 0 if equal else 1


def table_text(program: Path, origin: str) -> str:
    """Return the table as a file: a line for each macro."""
    macros: list[dict[str, Any]] = []
    wires: dict[MemoryCells, dict[str, Any]] = {}
    shapes = list(product(MemoryCells, PORTS, WIDTHS, ROWS))
    for cells, ports, width, rows in track(shapes, "CACTI", transient=True):
        run = run_macro(program, width=width, rows=rows, ports=ports, cells=cells)
        shape = {"cells": cells, "ports": ports, "width": width, "rows": rows}
        macros.append(shape | asdict(run.macro))
        wires[cells] = {"cells": cells} | asdict(run.wire)
    provenance = {
        "program": "CACTI 7",
        "package": origin,
        "command": "python benchmarks/sram_macros.py --write",
        "temperatures": f"{HOT_K} K; leakage_uw {TYPICAL_K} K",
        **SETTINGS,
    }
    lines = [
        '{"provenance": ' + json.dumps(provenance, indent=1) + ",",
        '"wires": [\n' + ",\n".join(json.dumps(wire) for wire in wires.values()) + "\n],",
        '"macros": [\n' + ",\n".join(json.dumps(row) for row in macros) + "\n]}",
    ]
    return "\n".join(lines) + "\n"


def between(program: Path) -> int:
    """Print how far interpolated figures are from CACTI's, by figure: mean and largest."""
    errors: dict[str, list[tuple[float, str]]] = {}
    for name, own, asked in track(list(_pairs()), "CACTI", transient=True):
        run = asked(program)
        for figure, value in asdict(run.macro).items():
            error = asdict(own)[figure] / value - 1
            errors.setdefault(figure, []).append((error, name))
    print(f"{'figure':16} {'mean':>7} {'least':>7} {'most':>7}")
    for figure, values in errors.items():
        mean = sum(abs(error) for error, _ in values) / len(values)
        least, most = min(values), max(values)
        print(f"{figure:16} {mean:7.1%} {least[0]:+7.1%} {most[0]:+7.1%}  {least[1]}, {most[1]}")
    return 0


def others(program: Path) -> int:
    """Print density, time and energy of macros of other sizes, two ports, low operating power."""
    print("width   rows   um2/bit   access ns   read fJ/bit   write fJ/bit")
    for width, rows in OTHERS:
        cells = MemoryCells.LOW_OPERATING_POWER
        own = run_macro(program, width=width, rows=rows, ports=2, cells=cells).macro
        density, energies = own.area_um2 / (width * rows), (own.read_pj, own.write_pj)
        read, write = (1e3 * energy / width for energy in energies)
        print(
            f"{width:5} {rows:6} {density:9.3f} {own.access_ns:11.3f} {read:13.1f} {write:14.1f}",
            flush=True,
        )
    return 0


def _pairs() -> Iterator[tuple[str, Any, Any]]:
    """Name, interpolated macro and question of every macro between the table's."""
    for cells, ports, width, rows in product(MemoryCells, PORTS, WIDTHS[-1:], BETWEEN):

        def ask(
            program: Path,
            cells: MemoryCells = cells,
            ports: int = ports,
            width: int = width,
            rows: int = rows,
        ) -> MacroRun:
            return run_macro(program, width=width, rows=rows, ports=ports, cells=cells)

        own = macro(width, rows, ports=ports, cells=cells)
        yield f"{cells} {ports}p {width}x{rows}", own, ask


if __name__ == "__main__":
    sys.exit(main())
