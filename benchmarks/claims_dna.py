"""DNA's claims: search of accelerators by gradient against RL and evolution, and the time that it saves.

Accelerators are searched for networks of a joint enumeration, whose rows are the truth; then both are searched, with
look-ups of accuracies in the place of trainings.

    python benchmarks/claims_dna.py --joint DIR [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

from typing import Any

import numpy as np

from claim import Claim, Settings, settings_of, spread, write_claims
from cosilico.joint.truth import JointTruth, read_truth
from joint_searches import objective_of, run_searches
from search.in_memory import search_in_memory
from search.networks.cells import CellMember
from search.strategies import CO_SEARCHES, HARDWARE_SEARCHES
from sim.cost.objective import Objective

STRATEGIES = ("dna", "hardware", "evolution", "random")
CO_SEARCHED = ("dna", "nahas-joint", "evolution", "random")
NETWORKS = 5
BUDGETS = (50, 100, 200, 500, 1000)


def main() -> None:
    """Measure everything; write the results."""
    measure(settings_of(__doc__, __file__))


def measure(settings: Settings) -> dict[str, Any]:
    """Measure everything, write the claims, and return the figures."""
    truth = read_truth(settings.joint)
    objective = objective_of(truth, "latency")
    tasks: dict[str, Any] = {}
    for name in CO_SEARCHED:
        kind: Any = CO_SEARCHES[name].settings
        tasks[name] = (kind().spending(settings.budget), objective)
    searches = run_searches(settings, tasks)
    figures: dict[str, Any] = {
        "hardware": hardware_regrets(truth, objective, settings),
        "both": {
            name: {
                "regret": spread([1.0 if row["regret"] is None else row["regret"] for row in rows]),
                "trainings": spread([row["trainings"] for row in rows]),
            }
            for name, rows in searches.items()
        },
    }
    write_claims(settings, claims(figures), figures)
    return figures


def hardware_regrets(
    truth: JointTruth, objective: Objective, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Regret by strategy and evaluations, over networks that are spread over the accuracies and all seeds."""
    order = np.argsort(truth.accuracies, kind="stable")
    places = np.linspace(0, len(order) - 1, NETWORKS).round().astype(int)
    budgets = [count for count in BUDGETS if count < settings.budget] + [settings.budget]
    regrets: dict[str, dict[int, list[float]]] = {
        name: {count: [] for count in budgets} for name in STRATEGIES
    }
    numbers = dict.fromkeys(order[places].tolist())  # few networks may be drawn twice
    for number in list(numbers)[: 1 if settings.smoke else None]:
        network = truth.networks.network(CellMember(key=truth.names[number]))
        costs = truth.of_network(number)
        feasible = np.asarray(objective.feasible(costs), np.bool_)
        least = float(np.asarray(objective.cost(costs))[feasible].min())
        for name in STRATEGIES:
            kind: Any = HARDWARE_SEARCHES[name].settings
            chosen = kind(metric=objective.metric, budget=settings.budget, polish=False)
            for seed in range(settings.seeds):
                history = search_in_memory(
                    network, truth.space, objective, chosen, truth.costs, seed=seed
                )
                spent = [
                    float(objective.cost(row)) if objective.feasible(row) else np.inf
                    for row in history
                ]
                for count in budgets:
                    regrets[name][count].append(min(spent[:count]) / least - 1)
    return {
        name: {str(count): _bounded(values) for count, values in by_count.items()}
        for name, by_count in regrets.items()
    }


def _bounded(values: list[float]) -> dict[str, Any]:
    """Spread of the regrets that are finite, and how many are not."""
    known = [value for value in values if np.isfinite(value)]
    return (spread(known) if known else {"count": 0}) | {"infeasible": len(values) - len(known)}


def claims(figures: dict[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures."""
    last = {name: row[max(row, key=int)] for name, row in figures["hardware"].items()}
    medians = {name: row["median"] for name, row in last.items() if row["count"]}
    others = [value for name, value in medians.items() if name != "dna"]
    shown = ", ".join(f"{name} {100 * value:.2f} %" for name, value in medians.items())
    both = figures["both"]
    trained = {name: row["trainings"]["median"] for name, row in both.items()}
    ratio = trained["nahas-joint"] / max(1.0, trained["dna"])
    best = "dna" in medians and all(medians["dna"] <= value for value in others)
    return [
        Claim(
            claim="differentiable search of accelerators beats RL and evolution",
            theirs="FPGA and ASIC templates, cost by a predictor",
            ours="exact costs of networks of the joint enumeration, equal evaluations, median regret",
            figure=shown,
            reproduced="yes" if best else "no",
        ),
        Claim(
            claim="search takes a small part of the time of training every child",
            theirs="GPU hours of a supernet against children",
            ours="networks whose accuracy is looked up, in searches of equal evaluations",
            figure=f"{trained['dna']:.0f} against {trained['nahas-joint']:.0f} of nahas-joint ({ratio:.1f}×), "
            f"regret {100 * both['dna']['regret']['median']:.2f} % against "
            f"{100 * both['nahas-joint']['regret']['median']:.2f} %",
            reproduced="in part" if ratio > 1 else "no",
        ),
    ]


if __name__ == "__main__":
    main()
