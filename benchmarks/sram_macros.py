"""Table of SRAM macros from CACTI: what ``sim/cost/sram.py`` reads, and macros that judge it.

    python benchmarks/sram_macros.py                    # compare with the table
    python benchmarks/sram_macros.py --write            # write it anew
    python benchmarks/sram_macros.py --beyond           # compare with macros that are not in the table
    python benchmarks/sram_macros.py --beyond --write   # write them anew
    python benchmarks/sram_macros.py --fastest          # compare with macros of fakeram45's sizes and the least delay

``sram_beyond.json`` has macros that are not in the table: between its rows, where they judge the interpolation, and wider
and deeper than its own. docs/explanation/cost.md shows them.

CACTI's sources are in the package ``hwcomponents-cacti`` (MIT licence), which the extra ``sram`` installs under
Python 3.12 and later. Elsewhere unpack the package and give ``--package FOLDER/hwcomponents_cacti``.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import track

from hwgen.synthesis.cacti import HOT_K, SETTINGS, TYPICAL_K, MacroRun, build_cacti, run_macro
from sim.cost.sram_table import PORTS, ROWS, TABLE_FILE, WIDTHS, MemoryCells
from sim.spec.files import write_atomic

TABLE = Path(__file__).parents[1] / "sim/cost" / TABLE_FILE
BEYOND = Path(__file__).parent / "sram_beyond.json"
FAKERAM = Path(__file__).parent / "fakeram45.json"

FASTEST = dict(SETTINGS) | {
    name: value.replace("60:", "0:", 1)
    for name, value in SETTINGS.items()
    if name.startswith("deviate")
}
"""Settings for the least delay, where ours allow some more for the sake of the area."""


class Shape(NamedTuple):
    """Macro to ask for."""

    cells: MemoryCells
    ports: int
    width: int
    rows: int


SHAPES = [Shape(*each) for each in product(MemoryCells, PORTS, WIDTHS, ROWS)]
"""Macros of the table."""

BETWEEN_ROWS = (48, 112, 240, 496, 1008)
"""Rows of register files between those of the table; their macros are all of the larger width."""

BETWEEN = [Shape(*each) for each in product(MemoryCells, PORTS, WIDTHS[-1:], BETWEEN_ROWS)]

OTHERS = [
    Shape(MemoryCells.LOW_OPERATING_POWER, 2, width, rows)
    for width, rows in (
        *((width, rows) for rows in (112, 1024) for width in (32, 64, 128, 256, 512, 1024)),
        *((64, rows) for rows in (2048, 4096, 8192)),
    )
]
"""Macros that a memory might be made of."""


def main() -> int:
    """Ask CACTI for every macro."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--package", type=Path, metavar="FOLDER", help="unpacked package")
    parser.add_argument("--beyond", action="store_true", help="macros that are not in the table")
    parser.add_argument("--fastest", action="store_true", help="macros of fakeram45's sizes")
    parser.add_argument("--write", action="store_true", help="write in place of comparing")
    arguments = parser.parse_args()
    program, origin = build_cacti(arguments.package)
    file, made = TABLE, table_text
    if arguments.fastest:
        file, made = FAKERAM, fastest_text
    elif arguments.beyond:
        file, made = BEYOND, beyond_text
    text = made(program, origin)
    if arguments.write:
        write_atomic(file, text)
        return 0
    equal = text == file.read_text(encoding="utf-8")
    print(f"{file.name} is {'what CACTI says' if equal else 'not what CACTI says'}")
    return 0 if equal else 1


def table_text(program: Path, origin: str) -> str:
    """Return the table as a file: a line for each macro."""
    runs = _asked(program, SHAPES)
    wires = {shape.cells: {"cells": shape.cells} | asdict(run.wire) for shape, run in runs}
    parts = {"wires": list(wires.values()), "macros": _records(runs)}
    return _text(_provenance(origin, ""), parts)


def beyond_text(program: Path, origin: str) -> str:
    """Return the macros that are not in the table as a file."""
    runs = _asked(program, [*BETWEEN, *OTHERS])
    between, others = runs[: len(BETWEEN)], runs[len(BETWEEN) :]
    parts = {"between": _records(between), "others": _records(others)}
    return _text(_provenance(origin, " --beyond"), parts)


def fastest_text(program: Path, origin: str) -> str:
    """Return the file of fakeram45's macros, each with the area of CACTI's fastest."""
    known = json.loads(FAKERAM.read_text(encoding="utf-8"))
    macros = []
    for each in known["macros"]:
        shape = Shape(MemoryCells.LOW_OPERATING_POWER, 1, each["width"], each["rows"])
        run = run_macro(program, **shape._asdict(), settings=FASTEST)
        macros.append(each | {"fastest_um2": run.macro.area_um2})
    fastest = _provenance(origin, " --fastest") | FASTEST
    return (
        json.dumps({"source": known["source"], "fastest": fastest, "macros": macros}, indent=1)
        + "\n"
    )


def _asked(program: Path, shapes: list[Shape]) -> list[tuple[Shape, MacroRun]]:
    return [
        (shape, run_macro(program, **shape._asdict()))
        for shape in track(shapes, "CACTI", transient=True)
    ]


def _records(runs: Iterable[tuple[Shape, MacroRun]]) -> list[dict[str, Any]]:
    return [shape._asdict() | asdict(run.macro) for shape, run in runs]


def _provenance(origin: str, option: str) -> dict[str, str]:
    return {
        "program": "CACTI 7",
        "package": origin,
        "command": f"python benchmarks/sram_macros.py{option} --write",
        "temperatures": f"{HOT_K} K; leakage_uw {TYPICAL_K} K",
        **SETTINGS,
    }


def _text(provenance: dict[str, str], parts: dict[str, list[dict[str, Any]]]) -> str:
    lines = ['{"provenance": ' + json.dumps(provenance, indent=1)]
    for name, rows in parts.items():
        lines.append(f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    return ",\n".join(lines) + "}\n"


if __name__ == "__main__":
    sys.exit(main())
