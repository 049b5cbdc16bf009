"""Where the optimum of `edge` lies, cold and warm, and what memory, store and bandwidth trade.

A network is enumerated on the whole space with the exact model. Under the default's area and under half of it
stand the accelerators of fewest warm cycles and of fewest cold cycles, and then the fewest cycles for each value of
`local_memory_kb`, `weight_store_kb` and `io_bandwidth_gbps`, all other fields free. The best of each number
of MACs under the default's area says how much of the multipliers works over a whole warm run. What the rest is lost to
says `benchmarks/layer_limits.py`, and `benchmarks/headline.py` runs these accelerators in RTL.

    python benchmarks/memory_trade.py [--out benchmarks/memory_trade.json] [--networks NAME ...] [--jobs 2]

Nothing in the file depends on the machine; `benchmarks/pages.py` makes tables of it.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.enumeration import census, enumerate_network
from cosilico.progress import progress_bar
from sim.cost.area import area
from sim.cost.table import CostTable
from sim.networks.imagenet import IMAGENET_NETWORKS
from sim.networks.named import named_network
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import EDGE, HardwareSpace

ENTRIES = {"warm": "cycles", "cold": "cold_cycles"}
"""Column of the cycles of each entry of a program."""

BUDGETS = {"default": 1.0, "half": 0.5}
"""Area budgets as shares of the default's area."""

FIELDS = ("local_memory_kb", "weight_store_kb", "io_bandwidth_gbps")

SIZES = (64, 1024, 4096, 16384)
"""MACs per cycle for which the utilization is told."""


def main() -> None:
    """Enumerate each network's accelerators; write all results anew after each network."""
    write_trades(__doc__ or "", Path(__file__), EDGE, trade)


def write_trades(
    text: str,
    script: Path,
    space: HardwareSpace,
    figures: Callable[[CostTable, str], dict[str, Any]],
) -> None:
    """Be a script that enumerates networks on a space and writes figures of each table."""
    parser = argparse.ArgumentParser(description=text.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=script.with_suffix(".json"))
    names = list(IMAGENET_NETWORKS)
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name in arguments.networks:
        with progress_bar() as report:
            table = enumerate_network(named_network(name), space, report, jobs=arguments.jobs)
        results[name] = figures(table, name)
        write_atomic(arguments.out, json.dumps(results, indent=1) + "\n")


def trade(table: CostTable, name: str) -> dict[str, Any]:
    """Census, the default, optima, pinned optima and utilizations of a named network on `edge`."""
    network = named_network(name)
    budget = area(EDGE.default).total
    macs = np.array([config.macs for config in table.configs])
    within = table.realizable & (table["area"] <= budget)
    return {
        "points": len(table),
        "census": census(table),
        "default": table.figures(EDGE.flat_index(EDGE.default)),
        "optima": {
            name: {
                entry: _figures(table, best_row(table, within_share(table, budget * share), column))
                for entry, column in ENTRIES.items()
            }
            for name, share in BUDGETS.items()
        },
        "pinned": {
            name: {
                field: [
                    {"value": value} | _fewest(table, budget * share, field, value)
                    for value in EDGE.values[field]
                ]
                for field in FIELDS
            }
            for name, share in BUDGETS.items()
        },
        "sizes": {
            str(size): _utilization(table, best_row(table, within & (macs == size)), network)
            for size in SIZES
        },
    }


def within_share(table: CostTable, budget: float) -> NDArray[np.bool_]:
    """Rows that are realizable and within an area in mm²: bool[n]."""
    return table.realizable & (table["area"] <= budget)


def best_row(table: CostTable, allowed: NDArray[np.bool_], column: str = "cycles") -> int | None:
    """Row of fewest cycles, then of least area, among those allowed; None where there is none."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return None
    order = np.lexsort((table["area"][rows], table[column][rows]))
    return int(rows[order[0]])


def _figures(table: CostTable, row: int | None) -> dict[str, Any] | None:
    return None if row is None else table.figures(row)


def _fewest(table: CostTable, budget: float, field: str, value: float) -> dict[str, int | None]:
    pinned = np.array([getattr(config, field) == value for config in table.configs])
    allowed = within_share(table, budget) & pinned
    fewest = {}
    for entry, column in ENTRIES.items():
        row = best_row(table, allowed, column)
        fewest[entry] = None if row is None else int(table[column][row])
    return fewest


def _utilization(table: CostTable, row: int | None, network: Network) -> dict[str, Any] | None:
    """Accelerator, warm cycles, area and the share of its MACs that the network needs over these cycles."""
    if row is None:
        return None
    config, cycles = table.configs[row], int(table["cycles"][row])
    return {
        "accelerator": config.to_json(),
        "cycles": cycles,
        "area": float(table["area"][row]),
        "utilization": network.macs / (cycles * config.macs),
    }


if __name__ == "__main__":
    main()
