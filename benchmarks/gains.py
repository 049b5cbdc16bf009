"""Gains of the best accelerator over the default, with bandwidth free and with bandwidth pinned.

Every named network is enumerated on the whole of its space with the exact model. Beside the best
accelerator within the default's area stand the best accelerator that has the default's bandwidth,
and the default with the best accelerator's bandwidth, so that what bandwidth alone buys shows.

    python benchmarks/gains.py [--out benchmarks/gains.json] [--networks NAME ...] [--jobs 2]

The file holds one object per network; `benchmarks/pages.py` makes tables of it. Nothing in it
depends on the machine.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from cosilico.enumeration import census, enumerate_network
from cosilico.pinning import bandwidth_shares
from cosilico.progress import progress_bar
from sim.cost.area import area
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.networks.mlperf_tiny import MLPERF_TINY_NETWORKS
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.spec.files import write_atomic
from sim.spec.spaces import EDGE, TINY, HardwareSpace

METRICS: tuple[Metric, ...] = ("latency", "edp")


def main() -> None:
    """Enumerate every network's space; write all results anew after each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--networks", nargs="+", choices=NAMED_NETWORKS, default=NAMED_NETWORKS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    gains: dict[str, Any] = {}
    for name in arguments.networks:
        space = TINY if name in MLPERF_TINY_NETWORKS else EDGE
        with progress_bar() as report:
            table = enumerate_network(named_network(name), space, report, jobs=arguments.jobs)
        gains[name] = gain(table, space)
        write_atomic(arguments.out, json.dumps(gains, indent=1) + "\n")
        print(name, {metric: ratios(gains[name], metric) for metric in METRICS}, flush=True)


def gain(table: CostTable, space: HardwareSpace) -> dict[str, Any]:
    """Return the space's census, the default's figures and, by metric, the best accelerators."""
    budget = area(space.default).total
    figures: dict[str, Any] = {
        "space": space.name,
        "points": len(table),
        "census": census(table),
        "default": table.figures(space.flat_index(space.default)),
    }
    for metric in METRICS:
        objective = Objective(metric=metric, area_budget=budget)
        row = objective.best(table)
        if row is not None:
            best = table.configs[row]
            figures[metric] = {"optimum": table.figures(row)}
            figures[metric] |= bandwidth_shares(table, space, best, objective)
    return figures


def cost(row: dict[str, Any], metric: str) -> float:
    """Return what a metric minimizes: cycles, or cycles times energy in pJ."""
    cycles, energy = float(row["predicted_cycles"]), float(row["energy"])
    return cycles * energy if metric == "edp" else cycles


def ratios(figures: dict[str, Any], metric: str) -> dict[str, float]:
    """Return how many times less each alternative costs than the default."""
    default = cost(figures["default"], metric)
    return {name: default / cost(row, metric) for name, row in figures[metric].items() if row}


if __name__ == "__main__":
    main()
