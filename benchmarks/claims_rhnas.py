"""RHNAS's claims: gains over default hardware at equal area, and proposals that cannot be built.

Every network is enumerated on its space. The hardware agent searches the enumerated table, with the bandwidth free
and with the default's; its designs are compared with the default, in warm and in cold runs, beside the optimum.

    python benchmarks/claims_rhnas.py [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

from dataclasses import replace
from typing import Any

import numpy as np

from claim import Claim, Settings, settings_of, spread, write_claims
from cosilico.enumeration import enumerate_network
from cosilico.progress import progress_bar
from search.evaluator import Evaluation
from search.in_memory import search_in_memory
from search.strategies import HARDWARE_SEARCHES
from search.tabulated import TabulatedCosts, arrays_of, table_of
from sim.cost.area import area
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import EDGE, TINY, HardwareSpace

SIZES = {
    "ImageNet": (EDGE, ("mobilenet_v2", "efficientnet_lite0")),
    "CIFAR-10": (TINY, ("resnet8", "mobilenet_v1_025", "ds_cnn")),
}
"""Spaces and networks of each size; the last have images of 32 to 96 pixels."""

CLAIMED = {("ImageNet", "latency"): 1.84, ("ImageNet", "edp"): 1.86} | {
    ("CIFAR-10", "latency"): 2.81,
    ("CIFAR-10", "edp"): 3.30,
}
METRICS: tuple[Metric, ...] = ("latency", "edp")


def main() -> None:
    """Search all networks; write the results anew after each."""
    settings = settings_of(__doc__, __file__)
    measure(settings)


def measure(settings: Settings) -> dict[str, Any]:
    """Measure all networks, write the claims, and return the figures."""
    figures: dict[str, Any] = {}
    sizes = list(SIZES.items())[-1:] if settings.smoke else list(SIZES.items())
    for size, (space, names) in sizes:
        chosen = smaller(space) if settings.smoke else space
        for name in names[-1:] if settings.smoke else names:
            network = named_network(name)
            table = enumerated(network, chosen, settings)
            figures[name] = {
                "size": size,
                "space": chosen.name,
                "points": len(chosen),
                "metrics": {
                    metric: gains(network, chosen, table, metric, settings) for metric in METRICS
                },
            }
            write_claims(settings, claims(figures), figures)
    return figures


def smaller(space: HardwareSpace) -> HardwareSpace:
    """Space of the first and the last value of each field, and the default's."""
    values = {
        name: tuple(sorted({each[0], getattr(space.default, name)}))
        for name, each in space.values.items()
    }
    return replace(space, name=f"{space.name}_small", values=values)


def enumerated(network: Network, space: HardwareSpace, settings: Settings) -> CostTable:
    """All points of a space, kept in the folder."""
    path = settings.tables / f"{space.name}-{network.name}.npz"
    if not path.exists():
        with progress_bar() as report:
            table = enumerate_network(network, space, report, jobs=settings.jobs)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, npz_bytes(arrays_of(table)))
    return table_of(space, read_arrays(path, "table", finite=True))


def gains(
    network: Network, space: HardwareSpace, table: CostTable, metric: Metric, settings: Settings
) -> dict[str, Any]:
    """Default over the agent's designs and over the optimum; shares of proposals that cannot be built."""
    objective = Objective(metric=metric, area_budget=area(space.default).total)
    default = table.select([space.flat_index(space.default)])
    made: dict[str, Any] = {}
    for bandwidth in ("free", "pinned"):
        part, rows = space, np.arange(len(table))
        if bandwidth == "pinned":
            wanted = space.default.io_bandwidth_gbps
            part = replace(space, values={**space.values, "io_bandwidth_gbps": (wanted,)})
            rows = np.array(
                [i for i, config in enumerate(table.configs) if config.io_bandwidth_gbps == wanted]
            )
        costs = TabulatedCosts(part, network, table.select(rows))
        optimum = objective.best(costs.table)
        assert optimum is not None
        warm, cold, learned, drawn = [], [], [], []
        for seed in range(settings.seeds):
            history = searched("hardware", network, part, objective, costs, settings, seed)
            best = min(filter(objective.feasible, history), key=objective.rank)
            warm.append(float(objective.cost(default)[0]) / float(objective.cost(best)))
            cold.append(cold_cost(default.row(0), metric) / cold_cost(best.costs, metric))
            learned.append(not_built(history[len(history) // 2 :]))
            other = searched("random", network, part, objective, costs, settings, seed)
            drawn.append(not_built(other))
        best_row = costs.table.row(optimum)
        made[bandwidth] = {
            "warm": spread(warm),
            "cold": spread(cold),
            "optimum_warm": float(objective.cost(default)[0])
            / float(objective.cost(costs.table)[optimum]),
            "optimum_cold": cold_cost(default.row(0), metric) / cold_cost(best_row, metric),
            "not_realizable_learned": spread(learned),
            "not_realizable_drawn": spread(drawn),
        }
    return made


def searched(
    strategy: str,
    network: Network,
    space: HardwareSpace,
    objective: Objective,
    costs: TabulatedCosts,
    settings: Settings,
    seed: int,
) -> list[Evaluation]:
    """Evaluations of a search within the budget; without polish, so that all proposals are the strategy's."""
    kind: Any = HARDWARE_SEARCHES[strategy].settings
    chosen = kind(metric=objective.metric, budget=settings.budget, polish=False)
    if strategy == "hardware" and settings.smoke:
        chosen = replace(chosen, designs_per_update=8, updates=4)
    return list(search_in_memory(network, space, objective, chosen, costs, seed=seed))


def not_built(history: list[Evaluation]) -> float:
    """Share of evaluations that broke a rule of generator or compiler."""
    return sum(not row.realizable for row in history) / max(1, len(history))


def cold_cost(costs: Any, metric: Metric) -> float:
    """Cold cycles, or cold cycles times the energy of a warm run."""
    cycles = float(costs["cold_cycles"])
    return cycles * float(costs["energy"]) if metric == "edp" else cycles


def claims(figures: dict[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures of all networks of a size."""
    made = []
    for (size, metric), theirs in CLAIMED.items():
        rows = [row["metrics"][metric] for row in figures.values() if row["size"] == size]
        if not rows:
            continue
        parts = []
        for bandwidth in ("free", "pinned"):
            warm = [row[bandwidth]["warm"]["median"] for row in rows]
            cold = [row[bandwidth]["cold"]["median"] for row in rows]
            best = [row[bandwidth]["optimum_warm"] for row in rows]
            parts.append(
                f"{bandwidth}: warm {between(warm)}, cold {between(cold)}, optimum {between(best)}"
            )
        free = [row["free"]["warm"]["median"] >= theirs for row in rows]
        pinned = [row["pinned"]["warm"]["median"] >= theirs for row in rows]
        verdict = "yes" if all(free + pinned) else "in part" if any(free + pinned) else "no"
        made.append(
            Claim(
                claim=f"{theirs:.2f}× {metric} over default hardware, {size}",
                theirs="network and accelerator searched, area, no I/O limit",
                ours="accelerator searched for given networks at the default's area, bandwidth free and pinned",
                figure="; ".join(parts),
                reproduced=verdict,
            )
        )
    rows = [
        row["metrics"][metric][bandwidth]
        for row in figures.values()
        for metric in METRICS
        for bandwidth in ("free", "pinned")
    ]
    if rows:
        learned = [row["not_realizable_learned"]["median"] for row in rows]
        drawn = [row["not_realizable_drawn"]["median"] for row in rows]
        made.append(
            Claim(
                claim="the agent learns to propose what can be realized",
                theirs="share of proposals that cannot be realized falls with training",
                ours="second half of each search against designs that are drawn, same evaluations",
                figure=f"{100 * np.median(learned):.1f} % against {100 * np.median(drawn):.1f} % drawn",
                reproduced="yes" if np.median(learned) < np.median(drawn) else "no",
            )
        )
    return made


def between(values: list[float]) -> str:
    """Least and most of some ratios in words."""
    return f"{min(values):.2f} … {max(values):.2f}×"


if __name__ == "__main__":
    main()
