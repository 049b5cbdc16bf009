"""Settings of co-searches, tuned on a joint space for comparisons on another: up to as many tries for each strategy.

    python benchmarks/tune_strategies.py --joint DIR [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]

The first settings that are tried are the defaults, and the others are drawn. Each are tried on every problem that co-searches are judged by,
with all seeds, and those with the least mean regret are chosen; the defaults, where none are better. `cosilico compare --tuned FILE` takes the file.
What was ended goes on with the same command.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from claim import Settings, settings_of
from cosilico.comparison_experiment import budgeted
from cosilico.joint.problems import JUDGED, named_problems
from cosilico.joint.source import read_joint
from cosilico.tuned_strategies import DECIDED, SCHEMA, networks_digest
from joint_searches import Searched, run_searches
from search.strategies.settings import PairBudgetSettings
from sim.spec.files import write_atomic

__all__ = ["CHOICES", "LEFT", "measure"]

TRIED, SMOKE_TRIED = 16, 3
"""Settings that are tried for each strategy."""

SMOKE_PROBLEMS = ("trade", "medium")

_TRIAL = {
    "trials_per_update": (5, 10, 20, 50),
    "step_size": (0.001, 0.005, 0.02, 0.05),
    "clip": (0.2, 1.0),
    "passes": (1, 4, 8),
    "entropy": (0.0, 0.003, 0.03),
}

CHOICES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "rhnas": {
        "latency_weight": (0.005, 0.02, 0.08, 0.3),
        "pretraining_updates": (5, 20),
        "networks_per_update": (2, 4, 8),
        "rounds": (5, 10, 20),
        "epochs_per_round": (1, 2),
        "updates_per_round": (1, 2, 4),
        "refine_updates": (10, 20),
        "designs_per_update": (8, 15, 30),
        "polish": (False, True),
    },
    "nahas-joint": {**_TRIAL, "reward": ("soft", "hard")},
    "nahas-phase": {**_TRIAL, "start": ("largest", "smallest")},
    "nahas-oneshot": {
        "cost_model": ("learned", "exact"),
        "labels": (100, 300, 4000),
        "cost_epochs": (30, 60),
        "epochs": (30, 60, 120),
        "cost_weight": (0.03, 0.1, 0.3, 1.0),
        "step_size": (0.001, 0.0048, 0.02),
        "candidates": (32, 100, 300),
    },
    "two-level": {
        "candidates": (2, 5, 10),
        "survivors": (1, 2, 4),
        "hardware_samples": (5, 10, 20),
        "units": (35, 70),
        "step_size": (0.002, 0.01, 0.03),
        "halving": (20, 50),
        "refine_samples": (100, 250),
    },
    "dna": {
        "latency_weight": (0.02, 0.1, 0.5),
        "rounds": (5, 10, 20),
        "refine_rounds": (2, 4, 8),
        "network_rate": (0.02, 0.05, 0.2),
        "hardware_rate": (0.01, 0.03, 0.1),
    },
    "random": {},
    "local-search": {},
    "evolution": {"population": (8, 16, 32, 64), "sample": (2, 4, 8, 16)},
    "tpe": {"startup": (5, 10, 20, 40, 80)},
    "nsga-ii": {"population": (8, 16, 24, 48, 96)},
}
"""Values that are tried of each strategy's settings; random and local search have none that would change them."""

LEFT = frozenset(
    {
        *DECIDED,
        # Train nothing where accuracies are known
        *("warmup_epochs", "proxy_epochs", "proxy_share", "proxy_batch", "proxy_learning_rate"),
        *("child_epochs", "child_share"),
    }
)
"""Settings that are not tuned."""


def main() -> None:
    """Search with all settings; write those that are chosen."""
    measure(settings_of(__doc__, __file__))


def measure(settings: Settings) -> dict[str, Any]:
    """Search with all settings, write those that are chosen, and return the file's content."""
    truth = read_joint(str(settings.joint))
    problems = named_problems(SMOKE_PROBLEMS if settings.smoke else JUDGED, truth)
    tried = {
        name: candidates(name, settings.budget, SMOKE_TRIED if settings.smoke else TRIED)
        for name in CHOICES
    }
    tasks = {
        f"{name}:{place}:{problem.name}": (made, problem)
        for name, listed in tried.items()
        for place, (_, made) in enumerate(listed)
        for problem in problems
    }
    searches = run_searches(settings, tasks)
    strategies = {}
    for name, listed in tried.items():
        by_problem = [
            {each.name: mean_regret(searches[f"{name}:{place}:{each.name}"]) for each in problems}
            for place in range(len(listed))
        ]
        regrets = [float(np.mean(list(means.values()))) for means in by_problem]
        # Of equal figures the first, that of the defaults before all
        best = int(np.argmin(regrets))
        strategies[name] = {
            "chosen": listed[best][0],
            "mean_regret": regrets[best],
            "default_mean_regret": regrets[0],
            "mean_regret_by_problem": by_problem[best],
            "default_mean_regret_by_problem": by_problem[0],
            "tried": len(listed),
        }
    content = {
        "schema": SCHEMA,
        "benchmark": truth.benchmark,
        "networks": networks_digest(truth),
        "space": truth.space.name,
        "problems": {each.name: each.to_json() for each in problems},
        "budget": settings.budget,
        "seeds": settings.seeds,
        "smoke": settings.smoke,
        "strategies": strategies,
    }
    write_atomic(settings.out, json.dumps(content, indent=1) + "\n")
    for name, entry in strategies.items():
        print(
            f"{name}: {entry['default_mean_regret']:.4f} to {entry['mean_regret']:.4f}", flush=True
        )
    return content


def candidates(
    name: str, budget: int, count: int
) -> list[tuple[dict[str, Any], PairBudgetSettings]]:
    """Settings of a strategy that are tried, each with what differs from the defaults, which are the first.

    Parameters
    ----------
    name : str
    budget : int
        Evaluations of a search.
    count : int
        Settings at most; fewer where there are no more.
    """
    default = budgeted(name, budget)
    choices = CHOICES[name]
    random = np.random.default_rng([len(choices), *name.encode()])
    made: dict[str, tuple[dict[str, Any], PairBudgetSettings]] = {repr(default): ({}, default)}
    most = prod(len(values) for values in choices.values())
    for _ in range(20 * min(count, most)):
        if len(made) >= count:
            break
        drawn = {
            field: values[int(random.integers(len(values)))] for field, values in choices.items()
        }
        try:
            settings = replace(default, **drawn)
        except ValueError:  # fields that do not go together
            continue
        changed = {
            field: value for field, value in drawn.items() if value != getattr(default, field)
        }
        made.setdefault(repr(settings), (changed, settings))
    return list(made.values())


def mean_regret(rows: Sequence[Searched]) -> float:
    """Mean over the seeds of a problem; 1 where a search has no design."""
    return float(np.mean([1.0 if row["regret"] is None else row["regret"] for row in rows]))


if __name__ == "__main__":
    main()
