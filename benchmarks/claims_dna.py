"""DNA's claims: search of accelerators by gradient against RL and evolution, and the time that it saves.

Accelerators are searched for networks of a joint enumeration, whose rows are the truth. The time of training is that of
the joint space that the project trains itself (``benchmarks/trained_space.py``), where it has been trained.

    python benchmarks/claims_dna.py --joint DIR [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from claim import Claim, Record, Settings, begin, run_tasks, spread, write_claims
from claim_searches import JointTask, run_searches
from claim_verdicts import NOT_MEASURED, times
from claims_rhnas import agent_settings
from cosilico.comparison_experiment import budgeted
from cosilico.joint.source import joint_digests, resolved
from cosilico.joint.trained import FASHION, table_file
from cosilico.joint.truth import JointTruth, read_truth
from joint_searches import objective_of
from search.in_memory import search_in_memory
from search.networks.cells import CellMember
from search.strategies import HARDWARE_SEARCHES
from sim.cost.objective import Objective
from sim.spec.documents import read_json

STRATEGIES = ("dna", "hardware", "evolution", "random")
CO_SEARCHED = ("dna", "nahas-joint", "evolution", "random")
NETWORKS = 5
BUDGETS = (50, 100, 200, 500, 1000)

THEIR_SPEED = 1234.3
"""Largest ratio of search times, of the paper."""


def main() -> None:
    """Measure everything; write the results."""
    begin(__doc__, __file__, measure)


def measure(settings: Settings) -> dict[str, Any]:
    """Measure everything, write the claims, and return the figures."""
    truth = read_truth(settings.joint)
    objective = objective_of(truth, "latency")
    tasks: dict[str, JointTask] = {}
    for name in CO_SEARCHED:
        tasks[name] = JointTask(settings=budgeted(name, settings.budget), objective=objective)
    searches = run_searches(settings, tasks)
    table = read_json(table_file(FASHION), "table of accuracies")
    figures: dict[str, Any] = {
        "hardware": hardware_regrets(truth, objective, settings),
        "both": {
            name: {
                "regret": spread([1.0 if row["regret"] is None else row["regret"] for row in rows]),
                "trainings": spread([row["trainings"] for row in rows]),
                "cpu_s": spread([row["cpu_s"] for row in rows]),
            }
            for name, rows in searches.items()
        },
        "training": training(table),
    }
    write_claims(settings, claims(figures), figures)
    return figures


def training(table: Any) -> dict[str, float] | None:
    """CPU seconds of the trained space's supernet, and of all its networks alone; None where it was not trained."""
    seconds = table.get("training", {}).get("cpu_s", {})
    if not table.get("children") or "children" not in seconds:
        return None
    return {
        "supernet_s": table["training"]["supernet"]["cpu_s"],
        "children_s": seconds["children"],
        "children": len(table["children"]),
    }


def hardware_regrets(
    truth: JointTruth, objective: Objective, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Regret by strategy and evaluations, over networks that are spread over the accuracies and all seeds."""
    order = np.argsort(truth.accuracies, kind="stable")
    places = np.linspace(0, len(order) - 1, NETWORKS).round().astype(int)
    numbers = dict.fromkeys(order[places].tolist())  # few networks may be drawn twice
    names = [truth.names[number] for number in numbers][: 1 if settings.smoke else None]
    tasks = {
        f"{strategy}:{name}:{seed}": (strategy, name, objective, settings.budget, seed)
        for name in names
        for strategy in STRATEGIES
        for seed in range(settings.seeds)
    }
    records = run_tasks(
        settings,
        "searches of accelerators",
        {**joint_digests(str(settings.joint)), "objective": repr(objective)}
        | {"budget": settings.budget},
        tasks,
        searched,
        keep,
        (resolved(str(settings.joint)),),
    )
    regrets: dict[str, dict[str, list[float | None]]] = {}
    for key, record in records.items():
        of_strategy = regrets.setdefault(key.partition(":")[0], {})
        for count, regret in record["regrets"].items():
            of_strategy.setdefault(count, []).append(regret)
    return {
        name: {count: _bounded(values) for count, values in by_count.items()}
        for name, by_count in regrets.items()
    }


_truth: list[JointTruth] = []
"""Enumeration of a process."""


def keep(subject: str) -> None:
    """Prepare a process."""
    torch.set_num_threads(1)
    _truth[:] = [read_truth(Path(subject))]


def searched(
    strategy: str, name: str, objective: Objective, budget: int, seed: int
) -> dict[str, Any]:
    """Search the accelerator of a network.

    Returns
    -------
    dict
        ``regrets`` : dict of evaluations, as text, to regret, None where no accelerator was within the budgets; ``cpu_s`` :
        float.
    """
    truth = _truth[0]
    number = truth.numbers[name]
    costs = truth.of_network(number)
    feasible = np.asarray(objective.feasible(costs), np.bool_)
    least = float(np.asarray(objective.cost(costs))[feasible].min())
    kind: Any = HARDWARE_SEARCHES[strategy].settings
    chosen = kind(metric=objective.metric, budget=budget, polish=False)
    if strategy == "hardware":
        chosen = agent_settings(objective.metric, budget)
    started = time.process_time()
    history = search_in_memory(
        truth.networks.network(CellMember(key=name)),
        truth.space,
        objective,
        chosen,
        truth.costs,
        seed=seed,
    )
    cpu_s = time.process_time() - started
    spent = [float(objective.cost(row)) if objective.feasible(row) else np.inf for row in history]
    counts = [count for count in BUDGETS if count < budget] + [budget]
    best = {str(count): min(spent[:count]) for count in counts}
    return {
        "regrets": {
            count: cost / least - 1 if np.isfinite(cost) else None for count, cost in best.items()
        },
        "cpu_s": round(cpu_s, 2),
    }


def _bounded(values: list[float | None]) -> dict[str, Any]:
    """Spread of the regrets that are known, and how many are not."""
    known = [value for value in values if value is not None]
    return (spread(known) if known else {"count": 0}) | {"infeasible": len(values) - len(known)}


def claims(figures: Mapping[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures."""
    regrets: Mapping[str, Mapping[str, Record]] = figures["hardware"]
    rivals = ("hardware", "evolution")
    best = {
        count: spread_of["count"] > 0
        and all(spread_of["median"] < regrets[name][count].get("median", np.inf) for name in rivals)
        for count, spread_of in regrets["dna"].items()
    }
    last = max(best, key=int)
    shown = ", ".join(
        f"{name} {times(row[last], 100, ' %')}"
        for name, row in regrets.items()
        if row[last]["count"]
    )
    where = ", ".join(count for count, won in best.items() if won) or "no budget"
    made = [
        Claim(
            claim="differentiable search of accelerators beats RL and evolution",
            theirs="FPGA and ASIC templates, cost by a predictor",
            ours=f"exact costs of {NETWORKS} networks of the joint enumeration, equal evaluations, warm latency within the "
            "default's area; range over networks and seeds",
            figure=f"least median with {where} evaluations; regret after {last}: {shown}",
            rule="yes if its median regret is below that of RL (PPO) and of evolution with each budget, in part with some",
            reproduced="yes" if all(best.values()) else "in part" if any(best.values()) else "no",
        )
    ]
    return [*made, _time_claim(figures)]


def _time_claim(figures: Mapping[str, Any]) -> Claim:
    both, trained = figures["both"], figures["training"]
    counted = (
        f"networks whose accuracy the searches ask for: dna {times(both['dna']['trainings'], unit='', digits=0)}, nahas-joint "
        f"{times(both['nahas-joint']['trainings'], unit='', digits=0)}"
    )
    ratio = None
    if trained is not None:
        spent = trained["supernet_s"] + both["dna"]["cpu_s"]["median"]
        ratio = trained["children_s"] / spent
        counted = (
            f"{trained['supernet_s']:,.0f} s of CPU for the supernet and {both['dna']['cpu_s']['median']:.1f} s for the search, "
            f"{trained['children_s']:,.0f} s for {trained['children']:,.0f} networks, each trained alone: {ratio:.1f}×; {counted}"
        )
    return Claim(
        claim="up to 1234.3× less search time than co-exploration that trains children",
        theirs="GPU hours of a supernet against children",
        ours="measured CPU seconds of the joint space `fashion`, supernet and search against all networks trained alone; "
        "the search's are those on the joint enumeration",
        figure=counted,
        rule="yes if the ratio of CPU seconds reaches the figure, in part if it is above 1",
        reproduced=NOT_MEASURED
        if ratio is None
        else "yes"
        if ratio >= THEIR_SPEED
        else "in part"
        if ratio > 1
        else "no",
    )


if __name__ == "__main__":
    main()
