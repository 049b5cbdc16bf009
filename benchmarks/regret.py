"""Regret of hardware searches against the enumerated optimum, with and without polish.

Run as ``python benchmarks/regret.py [--tables DIR] [--work DIR] [--strategies …] [--out FILE]``. For each
case of ``benchmarks/tables.py``, each strategy and each seed, a search spends its budget on the
enumerated table, so that it takes seconds. The regret after 50, 100, 300, 500 and 1,000 evaluations is
noted, and that of a search with half of them whose best is then polished with the other half, which is
what ``polish = true`` does. A run that was ended goes on with the same command.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cosilico.progress import progress_bar
from search.evaluator import BudgetSpent, CostModel, Evaluation, Evaluator
from search.in_memory import search_in_memory
from search.neighbourhood import descend
from search.strategies import HARDWARE_SEARCHES
from search.strategies.budget_settings import BudgetSettings
from search.strategies.hardware_settings import HardwareSettings
from search.tabulated import TabulatedCosts
from sim.cost.objective import Objective
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace
from tables import NETWORKS, Case, cases, enumerated
from testbench.validation.journal import Journal
from testbench.validation.workers import worker_pool

BUDGETS = (50, 100, 300, 500, 1000)
SEEDS = 10
SLOW = ("nsga-ii", "tpe", "cma-es")
"""Strategies whose every question takes milliseconds; they spend at most 300 evaluations."""

SLOW_BUDGET = 300
WITHIN = 0.01
"""Regret that counts as reaching the optimum."""


def settings_of(strategy: str, case: Case) -> BudgetSettings:
    """Return the settings that a strategy has in this benchmark: its own, but for the budget."""
    if strategy == "hardware, short":
        return HardwareSettings(
            metric=case.metric, budget=BUDGETS[-1], polish=False, updates=64, designs_per_update=16
        )
    budget = SLOW_BUDGET if strategy in SLOW else BUDGETS[-1]
    kind: Any = HARDWARE_SEARCHES[strategy].settings
    settings: BudgetSettings = kind(metric=case.metric, budget=budget, polish=False)
    return settings


STRATEGIES = (
    *("random", "local-search", "evolution", "hardware", "certified"),
    *("nsga-ii", "hardware, short", "tpe", "cma-es"),
)


def main() -> None:
    """Run what is not in the journal yet, and write the summary after each network and space."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=Path("build/tables"))
    parser.add_argument("--work", type=Path, default=Path("build/regret"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    journal = Journal(arguments.work / "runs.jsonl", {"benchmark": "regret", "schema": 1})
    for name in arguments.networks:  # enumerate once, not in each worker
        for space in ("tiny", "edge"):
            enumerated(name, space, arguments.tables)
    groups = [
        (strategy, list(group))
        for strategy in arguments.strategies
        for _, group in groupby(
            cases(tuple(arguments.networks)), lambda case: (case.space, case.network)
        )
    ]
    with progress_bar() as report, worker_pool(arguments.jobs) as workers:
        futures = {}
        for strategy, group in groups:
            left = {
                (case, seed): f"{strategy}|{case.key}|{seed}"
                for case in group
                for seed in range(1 if strategy == "certified" else arguments.seeds)
            }
            left = {pair: key for pair, key in left.items() if key not in journal.records}
            if left:
                futures[workers.submit(run_group, strategy, list(left), arguments.tables)] = left
        for done, future in enumerate(as_completed(futures)):
            for pair, record in future.result():
                journal.append(futures[future][pair], record)
            report("groups", done + 1, len(futures))
            write_atomic(arguments.out, json.dumps(summary(journal.records), indent=1) + "\n")
    write_atomic(arguments.out, json.dumps(summary(journal.records), indent=1) + "\n")


def run_group(
    strategy: str, pairs: Sequence[tuple[Case, int]], tables: Path
) -> list[tuple[tuple[Case, int], dict[str, Any]]]:
    """Run a strategy on cases that share a network and a space."""
    torch.set_num_threads(1)
    case = pairs[0][0]
    network, table = enumerated(case.network, case.space, tables)
    costs = TabulatedCosts(case.hardware, network, table)
    return [(pair, run(strategy, *pair, network, costs)) for pair in pairs]


def run(
    strategy: str, case: Case, seed: int, network: Network, costs: TabulatedCosts
) -> dict[str, Any]:
    """Regret of a search by evaluations, plain and polished."""
    settings = settings_of(strategy, case)
    history = search_in_memory(network, case.hardware, case.objective, settings, costs, seed=seed)
    objective = case.objective
    optimum = objective.best(costs.table)
    assert optimum is not None
    least = float(objective.cost(costs.table)[optimum])
    spent = costs_of(objective, history)
    budgets = [budget for budget in BUDGETS if budget <= settings.budget or not settings.budget]
    plain = {str(budget): regret(spent[:budget], least) for budget in budgets}
    polished = {}
    if settings.budget:  # else a proof ends it, and there is nothing to polish
        for budget in budgets:
            half = budget - budget // 2
            last = polish(case.hardware, objective, network, costs, history[:half], budget)
            polished[str(budget)] = regret([*spent[:half], *costs_of(objective, last)], least)
    return {"plain": plain, "polished": polished, "evaluations": len(history)}


def polish(
    hardware: HardwareSpace,
    objective: Objective,
    network: Network,
    costs: CostModel,
    history: Sequence[Evaluation],
    budget: int,
) -> Sequence[Evaluation]:
    """Evaluations of the descent from the best of a search, up to a budget for both."""
    evaluator = Evaluator(costs, history)
    evaluator.limit = budget
    feasible = filter(objective.feasible, history)
    with contextlib.suppress(BudgetSpent):
        descend(
            hardware,
            objective,
            min(feasible, key=objective.rank, default=history[0]),
            lambda configs: evaluator.evaluate(configs, network, phase="polish"),
        )
    return evaluator.records[len(history) :]


def costs_of(objective: Objective, history: Sequence[Evaluation]) -> list[float]:
    """Cost of each evaluation; infinite where it is not feasible."""
    return [
        float(objective.cost(row)) if objective.feasible(row) else float("inf") for row in history
    ]


def regret(costs: Sequence[float], least: float) -> float | None:
    """Relative distance of the least cost from the optimum; None where no design was feasible."""
    best = min(costs)
    return best / least - 1 if best < float("inf") else None


def summary(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Regret by strategy and budget: over all cases, and of each case, in percent."""
    runs: dict[str, dict[str, dict[str, list[float]]]] = {}
    evaluations: dict[str, list[int]] = {}
    for key, record in sorted(records.items()):
        strategy, case, _ = key.split("|")
        for form in ("plain", "polished"):
            for budget, value in record[form].items():
                name = strategy if form == "plain" else f"{strategy} + polish"
                of_case = runs.setdefault(name, {}).setdefault(budget, {}).setdefault(case, [])
                of_case.append(np.inf if value is None else 100 * value)
        evaluations.setdefault(strategy, []).append(record["evaluations"])
    return {
        "strategies": {
            name: {budget: quantiles(by_case) for budget, by_case in by_budget.items()}
            for name, by_budget in runs.items()
        },
        "evaluations": {
            name: {"median": float(np.median(counts)), "most": max(counts)}
            for name, counts in evaluations.items()
        },
    }


def quantiles(by_case: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Median, 90th percentile and worst of all runs, and the cases with 9 of 10 seeds within 1 %."""
    values = np.array([value for seeds in by_case.values() for value in seeds])
    reached = {case: float(np.mean(np.array(x) <= 100 * WITHIN)) for case, x in by_case.items()}
    return {
        "runs": len(values),
        "cases": len(by_case),
        "median": number(np.median(values)),
        "p90": number(np.quantile(values, 0.9, method="higher")),
        "worst": number(values.max()),
        "cases_within": sum(share >= 0.9 for share in reached.values()),
        "by_case": {
            case: {"median": number(np.median(x)), "worst": number(max(x))}
            for case, x in by_case.items()
        },
    }


def number(value: Any) -> float | None:
    """Percent with two digits; None where no feasible design was evaluated."""
    return round(float(value), 2) if np.isfinite(value) else None


if __name__ == "__main__":
    main()
