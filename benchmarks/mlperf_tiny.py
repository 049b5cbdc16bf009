"""MLPerf Tiny's networks, each on the best accelerators of the tiny space for three area budgets.

For every network all accelerators of the space are enumerated with the exact model; the fastest accelerator within
each budget then runs one image in RTL, every activation and every descriptor's cycles compared.

    python benchmarks/mlperf_tiny.py --out FOLDER [--networks resnet8 ds_cnn] [--jobs 2]

Writes ``mlperf_tiny.json`` and ``mlperf_tiny.md``, anew after every row.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from cosilico.enumeration import enumerate_network
from cosilico.photographs import default_images
from cosilico.progress import progress_bar
from cosilico.summary import accelerator_text
from sim.cost.area import area
from sim.cost.table import CostTable
from sim.networks.mlperf_tiny import MLPERF_TINY_NETWORKS
from sim.networks.named import named_network
from sim.spec.design import Design
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import TINY
from testbench.validation.simulate import simulate

BUDGETS = (0.5, 1.0, 2.0)
"""Areas in multiples of the space's default."""

HEADER = (
    "| network | area budget | accelerator | cycles, predicted = measured | ms at 200 MHz "
    "| utilization | area, mm² | energy, µJ |\n|---|---|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Enumerate the spaces, run the best accelerators in RTL and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=MLPERF_TINY_NETWORKS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in arguments.networks or MLPERF_TINY_NETWORKS:
        network = named_network(name)
        with progress_bar() as report:
            table = enumerate_network(network, TINY, report, jobs=arguments.jobs)
        for budget in BUDGETS:
            rows.append(best(network, table, budget))
            write_atomic(arguments.out / "mlperf_tiny.json", json.dumps(rows, indent=1) + "\n")
            write_atomic(arguments.out / "mlperf_tiny.md", markdown(rows))
            print(line(rows[-1]))


def best(network: Network, table: CostTable, budget: float) -> dict[str, Any]:
    """Run a network on the fastest accelerator within a budget.

    Raises
    ------
    SystemExit
        If the RTL differs from the reference or the model in anything.
    """
    budget_mm2 = budget * area(TINY.default).total
    row: dict[str, Any] = {"network": network.name, "budget": budget, "budget_mm2": budget_mm2}
    index = table.optimum(budget_mm2)
    if index is None:
        return row | {"accelerator": None}
    config = table.configs[index]
    design = Design(network=network, accelerator=config)
    result = simulate(design, inputs=default_images(network.input).x)
    enumerated = int(table.cycles[index])
    if not result.exact or not enumerated == result.predicted_cycles == result.measured_cycles:
        raise SystemExit(
            f"{network.name} on {accelerator_text(config.to_json())}: enumeration says "
            f"{enumerated} cycles, the model {result.predicted_cycles}, RTL "
            f"{result.measured_cycles}; {result.mismatched_activations} activations and "
            f"{result.mismatched_cycles} durations differ"
        )
    return row | {
        "accelerator": config.to_json(),
        "cycles": result.measured_cycles,
        "ms": result.measured_cycles / (config.clock_mhz * 1000),
        "utilization": result.utilization,
        "area_mm2": float(table.area[index]),
        "energy_pj": float(table.energy[index]),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """Markdown table of all results."""
    return HEADER + "".join(line(row) + "\n" for row in rows)


def line(row: dict[str, Any]) -> str:
    """Line of the table for one result."""
    head = f"| {row['network']} | {row['budget']:g} × ({row['budget_mm2']:.3f} mm²) |"
    if row["accelerator"] is None:
        return f"{head} none fits | | | | | |"
    return (
        f"{head} {accelerator_text(row['accelerator'])} | {row['cycles']:,} | {row['ms']:.3f} "
        f"| {100 * row['utilization']:.1f} % | {row['area_mm2']:.3f} "
        f"| {row['energy_pj'] * 1e-6:.2f} |"
    )


if __name__ == "__main__":
    main()
