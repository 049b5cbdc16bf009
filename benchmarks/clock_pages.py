"""Tables of the pages on clocks: slowest paths, what the largest accelerators reach, and routes on an FPGA."""

import re
from collections.abc import Mapping
from typing import Any

from hwgen.synthesis.routing import RESOURCES
from page_tables import table_lines
from sim.timing.clock_reach import ReachTable

__all__ = ["bitstream", "clock_reach", "module_paths", "routed_modules"]

Results = Mapping[str, Any]

_NAME = re.compile(r"^cosilico_(\w+?)(?:_[0-9a-f]{8})?$")
"""Module's own name between prefix and suffix."""


def module_paths(results: Results) -> str:
    """Slowest whole path of every kind in every module, the least slack first."""
    rows = [
        [
            _NAME.sub(r"\1", path["module"]),
            f"{path['from']} → {path['to']}",
            f"`{path['start']}` → `{path['end']}`",
            f"{path['delay_ns']:.3f}",
            f"{path['slack_ns']:.3f}",
            f"{1000 / path['delay_ns']:.0f}",
        ]
        for path in sorted(results["paths"], key=lambda path: path["slack_ns"])
        if path["judged"]
    ]
    titles = ("module", "path", "slowest", "delay, ns", "slack, ns", "MHz")
    return "\n".join(table_lines(titles, rows, text=3))


def clock_reach(results: Results) -> str:
    """Slowest module of every measured accelerator, and the clock that it reaches."""
    rows = []
    for point in ReachTable.from_json(results).points:
        config = point.config
        module, delay = max(point.delays_ns.items(), key=lambda item: item[1])
        rows.append(
            [
                f"{config.pes_x}×{config.pes_y}",
                f"{config.simd_units}",
                f"{config.compute_lanes}",
                f"{config.local_memory_kb:,}",
                f"{config.register_file_kb:,}",
                f"{config.bus_bytes}",
                f"{config.weight_store_kb:,}",
                f"{len(point.delays_ns)}",
                module,
                f"{delay:.3f}",
                f"{1000 / delay:.0f}",
            ]
        )
    titles = (
        "PEs", "units", "lanes", "local KiB", "file KiB", "bus bytes", "store KiB",
        "modules", "slowest", "delay, ns", "MHz",
    )  # fmt: skip
    return "\n".join(table_lines(titles, rows, text=1))


def routed_modules(results: Results) -> str:
    """Clock, resources and slowest path of every routed module over all seeds, the slowest first."""
    rows = []
    for module in results["modules"]:
        best = max(module["routes"].values(), key=lambda route: route["clock_mhz"])
        rows.append((best["clock_mhz"], module["module"], best))
    lines = [
        [
            module,
            f"`{route['path'][0]}` → `{route['path'][-1]}`",
            *(f"{route['used'].get(kind, 0):,}" for kind in RESOURCES),
            f"{route['delay_ns']:.2f}",
            f"{route['wires_ns'] / route['delay_ns']:.0%}".replace("%", " %"),
            f"{mhz:.1f}",
        ]
        for mhz, module, route in sorted(rows, key=lambda row: row[:2])
    ]
    names = [name for name, _ in RESOURCES.values()]
    titles = ("module", "slowest path", *names, "delay, ns", "wires", "MHz")
    return "\n".join(table_lines(titles, lines, text=2))


def bitstream(results: Results) -> str:
    """Table of a system's share of a board, and the clock that it reaches beside that of the board."""
    rows = [
        *(
            [name, f"{used:,} of {there:,}", f"{used / there:.0%}".replace("%", " %")]
            for name, (used, there) in results["used"].items()
        ),
        ["clock", f"{results['reached_mhz']:.1f} MHz", f"board: {results['clock_mhz']:g} MHz"],
    ]
    return "\n".join(table_lines((results["board"], "", ""), rows, text=1))
