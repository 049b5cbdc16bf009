"""One accelerator for five networks: what it costs against an accelerator for each, and the designs on that front.

Every network is enumerated on the whole space. The price of a design is how much more a network costs on it than on
the network's own optimum within the same area; of five prices stand the geometric mean and the highest. All runs are
warm. With the bandwidth pinned, both have the default's.

    python benchmarks/one_for_many.py [--work DIR] [--out FILE] [--smoke]
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from claim import Settings, begin
from claim_gains import BANDWIDTHS, accelerators
from claims_rhnas import enumerated, smaller
from sim.cost.area import area
from sim.cost.objective import Metric, Objective
from sim.cost.pareto import pareto_front
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.files import write_atomic
from sim.spec.spaces import EDGE, TINY
from tables import NETWORKS

METRICS: tuple[Metric, ...] = ("latency", "edp")


def main() -> None:
    """Enumerate all networks on both spaces; write the results anew after each space."""
    begin(__doc__, __file__, measure)


def measure(settings: Settings) -> dict[str, Any]:
    """Measure both spaces, write the results, and return them."""
    results: dict[str, Any] = {
        "settings": settings.documented,
        "digests": settings.digests,
        "spaces": {},
    }
    for space in (TINY,) if settings.smoke else (TINY, EDGE):
        chosen = smaller(space) if settings.smoke else space
        names = NETWORKS[-2:] if settings.smoke else NETWORKS
        tables = {name: enumerated(named_network(name), chosen, settings) for name in names}
        budget = area(chosen.default).total
        results["spaces"][space.name] = {
            metric: {
                bandwidth: shared(
                    {
                        name: table.select(accelerators(chosen, bandwidth))
                        for name, table in tables.items()
                    }
                    if bandwidth == "pinned"
                    else tables,
                    Objective(metric=metric, area_budget=budget),
                )
                for bandwidth in BANDWIDTHS
            }
            for metric in METRICS
        }
        write_atomic(settings.out, json.dumps(results, indent=1) + "\n")
    return results


def shared(tables: Mapping[str, CostTable], objective: Objective) -> dict[str, Any]:
    """Best shared designs by mean and by highest price, and the front with the area."""
    first = next(iter(tables.values()))
    feasible = np.all([objective.feasible(table) for table in tables.values()], axis=0)
    rows = np.flatnonzero(feasible)
    optima = {name: objective.best(table) for name, table in tables.items()}
    if not len(rows):
        return {"networks": list(tables), "shared": None}
    prices = np.stack(
        [
            objective.cost(table)[rows] / float(objective.cost(table)[optima[name]])
            for name, table in tables.items()
        ]
    )
    mean: NDArray[np.float64] = np.exp(np.log(prices).mean(0))
    highest: NDArray[np.float64] = prices.max(0)
    sizes = first["area"][rows]
    front = pareto_front(mean, sizes, np.ones(len(rows), np.bool_))

    def row(place: int) -> dict[str, Any]:
        return figures(tables, first, int(rows[place]), prices[:, place], float(mean[place]))

    return {
        "networks": list(tables),
        "designs": len(rows),
        "best_mean": row(int(mean.argmin())),
        "best_highest": row(int(highest.argmin())),
        "front": [row(int(place)) for place in front],
    }


def figures(
    tables: Mapping[str, CostTable],
    table: CostTable,
    place: int,
    prices: Sequence[float] | NDArray[np.float64],
    mean: float,
) -> dict[str, Any]:
    """Accelerator with its area and its prices."""
    return {
        "accelerator": table.configs[place].to_json(),
        "area": float(table["area"][place]),
        "mean": mean,
        "highest": float(np.max(prices)),
        "prices": dict(zip(tables, map(float, prices), strict=True)),
    }


if __name__ == "__main__":
    main()
