"""Certified search against enumeration: the same optimum, and what its proof costs.

Run as ``python benchmarks/certified.py [--tables DIR] [--out FILE]``. For five networks, both spaces,
latency and energy-delay product, and the default's area and half of it. Every lower bound of every
point is compared with the exact cost, too. Tables of enumerated spaces are kept in the folder.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from search.driver import run_hardware_search
from search.evaluator import Evaluator
from search.result import SearchResult
from search.strategies.certified_settings import CertifiedSettings
from search.tabulated import TabulatedCosts
from sim.cost.bounds import lower_bounds
from sim.cost.table import CostTable
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import HARDWARE_SPACES, HardwareSpace
from tables import NETWORKS, Case, cases, enumerated

BOUNDED = (
    *("cycles", "execute_busy", "read_bytes", "write_bytes", "store_bytes", "energy"),
    *("cold_cycles", "cold_read_bytes"),
)
"""Columns whose bounds are compared; the area is exact."""


def main() -> None:
    """Certify all cases; write all results anew after each network and space."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=Path("build/tables"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    arguments = parser.parse_args()
    results: dict[str, Any] = {"cases": {}, "bounds": {}}
    for (space, name), group in groupby(
        cases(tuple(arguments.networks)), lambda case: (case.space, case.network)
    ):
        network, table = enumerated(name, space, arguments.tables)
        bounds = Bounds(HARDWARE_SPACES[space], network, table)
        results["bounds"][f"{name}:{space}"] = compared(bounds, table)
        results["cases"] |= {case.key: certified(case, network, table, bounds) for case in group}
        write_atomic(arguments.out, json.dumps(results, indent=1) + "\n")
        print(name, space, results["bounds"][f"{name}:{space}"], flush=True)


class Bounds:
    """Lower bounds of all points of a space that can be generated, made once and looked up by searches.

    Parameters
    ----------
    space : HardwareSpace
    network : Network
    costs : CostTable
        All points, in the order of the flat index.
    """

    def __init__(self, space: HardwareSpace, network: Network, costs: CostTable) -> None:
        started = time.perf_counter()
        self._space = space
        self.rows = [i for i, config in enumerate(costs.configs) if not check(config)]
        self.table = lower_bounds([costs.configs[i] for i in self.rows], network)
        self.seconds = time.perf_counter() - started
        self._places = {point: place for place, point in enumerate(self.rows)}

    def __call__(
        self, configs: Sequence[AcceleratorConfig], network: Network, *, columns: Sequence[str]
    ) -> CostTable:
        """Rows of the accelerators; all columns."""
        return self.table.select([self._places[self._space.flat_index(c)] for c in configs])


def compared(made: Bounds, table: CostTable) -> dict[str, Any]:
    """Number of pairs, of bounds above the exact figure, and the median of bound over exact cycles."""
    bounds, exact = made.table, table.select(made.rows)
    runs = exact.realizable
    above = sum(
        int(((bounds[column] > exact[column] * (1 + 1e-12)) & runs).sum()) for column in BOUNDED
    )
    above += int((runs & ~bounds.realizable).sum())
    ratio = float(np.median(bounds["cycles"][runs] / exact["cycles"][runs]))
    return {
        "pairs": int(runs.sum()),
        "above": above,
        "median_ratio": round(ratio, 4),
        "seconds": round(made.seconds, 1),
    }


def certified(case: Case, network: Network, table: CostTable, bounds: Bounds) -> dict[str, Any]:
    """Search a case with a proof, and compare with the enumerated optimum."""
    optimum = case.objective.best(table)
    assert optimum is not None
    costs = TabulatedCosts(case.hardware, network, table)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result: SearchResult = run_hardware_search(
            network,
            case.hardware,
            Path(folder),
            settings=CertifiedSettings(metric=case.metric),
            costs=costs,
            bounds=bounds,
            area_budget=case.objective.area_budget,
        )
    assert result.proof is not None
    (exact,) = Evaluator(costs).evaluate([table.configs[optimum]], network, phase="optimum")
    return {
        "evaluations": result.evaluations,
        "share": result.evaluations / len(table),
        "complete": result.proof.complete,
        "optimum": case.objective.rank(result.best) == case.objective.rank(exact),
        "cost": result.proof.cost,
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    main()
