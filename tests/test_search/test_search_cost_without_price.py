"""The most accurate pair within a budget: an exponent of 0 leaves cost without a price, and learners the budget."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from known_cells import cell_costs, known_cells
from sampled import sampled
from search.evaluator import Evaluator
from search.in_memory import co_search_in_memory
from search.strategies import CO_SEARCHES
from search.strategies.dna_sampling import graded_cost, network_cost
from sim.cost.area import area_budget
from sim.cost.objective import Objective
from sim.networks.named import named_network
from sim.spec.spaces import TINY

BUDGET, SEEDS = 100, 6
SHARE = 0.02
"""All pairs of realizable accelerators within the area whose latency is within the budget."""


@cache
def objective_and_best() -> tuple[Objective, float]:
    """Objective, and the accuracy of its best pair, both by every network on 4,000 drawn accelerators."""
    networks, area = known_cells(), area_budget(TINY)
    drawn = np.random.default_rng(0).choice(len(TINY), 4000, replace=False)
    configs = [TINY.at(int(point)) for point in drawn]
    members = {
        member.key: member
        for choices in np.ndindex(*map(len, networks.decisions.values()))
        for member in [networks.architecture(dict(zip(networks.decisions, choices, strict=True)))]
    }
    tables = {key: cell_costs(configs, networks.network(each)) for key, each in members.items()}
    cycles = [
        np.where(table.realizable & (table["area"] <= area), table["cycles"], np.inf)
        for table in tables.values()
    ]
    objective = Objective(
        metric="latency",
        area_budget=area,
        cycles_budget=float(np.sort(np.concatenate(cycles))[int(SHARE * len(cycles) * 4000)]),
        cost_exponent=0.0,
    )
    return objective, max(
        networks.known_accuracy(members[key])
        for key, table in tables.items()
        if objective.feasible(table).any()
    )


@cache
def accuracies(strategy: str) -> tuple[float, ...]:
    """Accuracy of the design of every seed; 0 where there is none."""
    objective, _ = objective_and_best()
    networks = known_cells()
    kind: Any = CO_SEARCHES[strategy].settings
    settings = replace(kind().spending(BUDGET), restarts=True)
    designs = []
    for seed in range(SEEDS):
        made = co_search_in_memory(
            networks, TINY, objective, settings, cell_costs, seed=seed, steps=2
        )
        assert made.best is None or objective.feasible(made.best)
        designs.append(0.0 if made.best is None else networks.known_accuracy(made.architecture))
    return tuple(designs)


@pytest.mark.parametrize(
    "strategy",
    sampled(
        ("rhnas", "nahas-joint", "nahas-phase", "two-level", "dna", "evolution"),
        lambda name: name in ("dna", "evolution"),
    ),
)
def test_the_best_pair_within_a_budget_is_found_more_often_than_by_chance(strategy: str) -> None:
    _, best = objective_and_best()
    mine, chance = accuracies(strategy), accuracies("random")
    assert min(mine) > 0
    assert sum(each >= best for each in mine) > sum(each >= best for each in chance)
    assert np.mean(mine) > np.mean(chance)


def test_a_network_within_its_budgets_costs_nothing_where_cost_has_no_price() -> None:
    network = named_network("autoencoder")
    (row,) = Evaluator().evaluate([TINY.default], network, phase="all")
    priced = Objective(metric="latency", area_budget=row["area"])
    free = replace(priced, cost_exponent=0.0, cycles_budget=float(row["cycles"]))
    above = replace(free, cycles_budget=row["cycles"] / 2)
    assert network_cost(priced, row, 1000.0) == graded_cost(priced, row, 1000.0) > 0
    assert network_cost(free, row, 1000.0) == 0
    assert network_cost(above, row, 1000.0) == graded_cost(above, row, 1000.0) > 1
