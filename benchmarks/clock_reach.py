"""Delays of the template's modules in 45 nm: what decides which clock an accelerator reaches.

Both defaults are timed as a whole, and of the largest accelerator of any space what does not lie in its grid: PE with the deepest memories,
LOAD with the deepest weight store and the widest bus. `sim/timing/clock_reach.py` reads the table.

    python benchmarks/clock_reach.py [POINT...] [--liberty FILE] [--out sim/timing/clock_reach.json]

With names of points only these are timed again, and the others kept if the gateware is theirs. Mapped modules are in the cache.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

from cosilico.progress import progress_bar, within
from hwgen.emit import VerilogOptions, emit_modules
from hwgen.gateware_hash import gateware_hash
from hwgen.synthesis.liberty import Library, default_liberty, read_liberty
from hwgen.synthesis.mapping import map_modules
from hwgen.synthesis.report import time_modules
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.targets import StandardCellFlow
from hwgen.synthesis.timing import typical_delay
from module_delays import module_delays, sources_below
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.spaces import EDGE, TINY
from sim.timing.clock_reach import TABLE_FILE, ReachPoint, ReachTable

CLOCK_MHZ = EDGE.clock_mhz
REPORTS = Path(__file__).parent
OUT = Path(__file__).parents[1] / "sim" / "timing" / TABLE_FILE


class Case(NamedTuple):
    """Accelerator to time, and the modules of it that are mapped with all below them."""

    config: AcceleratorConfig
    modules: tuple[str, ...] = ("top",)


def largest(**changes: float) -> AcceleratorConfig:
    """Accelerator with the largest value of every field in `edge`, but for some."""
    values = {name: values[-1] for name, values in EDGE.values.items()} | changes
    return dataclasses.replace(EDGE.default, **values)  # type: ignore[arg-type]  # mixed types


CASES = {
    "tiny": Case(TINY.default),
    "edge": Case(EDGE.default),
    # Banks as deep as those of 4 MiB, register files of several macros
    "memories": Case(
        largest(pes_x=1, pes_y=1, local_memory_kb=65536, register_file_kb=1024), ("pe",)
    ),
    # Weight stores as deep as 8 MiB of the narrowest rows, and of rows of twice their width
    "deep_store": Case(dataclasses.replace(EDGE.default, weight_store_kb=32768)),
    "half_store": Case(dataclasses.replace(EDGE.default, weight_store_kb=16384)),
    # Its grid as a whole would need more than 24 GiB of memory
    "largest": Case(largest(weight_store_kb=65536), ("load", "store", "execute", "sequencer")),
}
"""Points of the table."""

WITH_PATHS = ("tiny", "edge")
"""Points whose table of paths is kept."""


def time_case(name: str, library: Library) -> ReachPoint:
    """Time a point's modules; of a whole accelerator the table of its paths is kept too."""
    case = CASES[name]
    flow = StandardCellFlow(library=library, clock_mhz=CLOCK_MHZ)
    emission = emit_modules(
        case.config, options=VerilogOptions(memories=flow.memories, trace=False)
    )
    sources = module_sources(emission, flow.memories)
    delays: dict[str, float] = {}
    for module in case.modules:
        with progress_bar() as bar:
            progress = within(f"{name}, {module}", bar)
            mapped = map_modules(sources_below(sources, module), flow, progress=progress)
            report = time_modules(mapped, flow, progress)
        delays |= module_delays(report)
        if name in WITH_PATHS:
            table = REPORTS / f"timing_{name}.json"
            content = {"gateware_hash": gateware_hash()} | report.to_json()
            write_atomic(table, json.dumps(content, indent=2) + "\n")
    return ReachPoint(case.config, {kind: round(delay, 4) for kind, delay in delays.items()})


def main() -> None:
    """Time the points and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", metavar="POINT", help=", ".join(CASES))
    parser.add_argument("--liberty", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    library = read_liberty(arguments.liberty or default_liberty())
    gateware = gateware_hash()
    known: dict[AcceleratorConfig, ReachPoint] = {}
    if arguments.out.exists():
        table = ReachTable.from_json(json.loads(arguments.out.read_text(encoding="utf-8")))
        if table.gateware_hash == gateware and table.library == library.name:
            known = {point.config: point for point in table.points}
    for name in arguments.points or CASES:
        point = time_case(name, library)
        known[point.config] = point
        table = ReachTable(
            gateware,
            library.name,
            CLOCK_MHZ,
            round(typical_delay(library.multiplexer), 4),
            list(known.values()),
        )
        write_atomic(arguments.out, json.dumps(table.to_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
