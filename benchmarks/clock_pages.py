"""Tables of the pages on clocks: every module's slowest path, and what the largest accelerators reach."""

import re
from collections.abc import Mapping
from typing import Any

from page_tables import table_lines
from sim.timing.clock_reach import ReachTable

__all__ = ["clock_reach", "module_paths"]

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
