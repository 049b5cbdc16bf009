"""One search of a comparison, in a worker process."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from search.evaluator import CostModel
from search.in_memory import search_in_memory
from search.strategies.budget_settings import BudgetSettings
from search.tabulated import TabulatedCosts, table_of
from sim.cost.costs import evaluate_many
from sim.cost.hypervolume import hypervolume
from sim.cost.objective import Objective
from sim.spec.network import Network
from sim.spec.npz import read_arrays
from sim.spec.spaces import HardwareSpace

__all__ = ["compare_run", "keep_task"]

_task: list[tuple[Network, HardwareSpace, Objective, CostModel]] = []
"""Inputs that all searches of a worker share."""


def keep_task(
    network: Network, space: HardwareSpace, objective: Objective, table: Path | None
) -> None:
    """Prepare a worker: the network, and the cost model, a table where the space was enumerated."""
    costs: CostModel = partial(evaluate_many, limits=space.limits)
    if table is not None:
        rows = table_of(space, read_arrays(table, "cost table", finite=True))
        costs = TabulatedCosts(space, network, rows)
    _task[:] = [(network, space, objective, costs)]


def compare_run(settings: BudgetSettings, seed: int) -> dict[str, Any]:
    """Run a search; return its record for the journal.

    Returns
    -------
    dict
        ``evaluations`` : int; ``curve`` : list of [evaluations, cost], an entry for each that is better
        than all before; ``accelerator`` : the best, or None; ``hypervolume`` : of cost and area below
        those of the space's default and the area budget.
    """
    network, space, objective, costs = _task[0]
    history = search_in_memory(network, space, objective, settings, costs, seed=seed)
    curve: list[list[float]] = []
    best = None
    for spent, row in enumerate(history, 1):
        if not objective.feasible(row):
            continue
        cost = float(objective.cost(row))
        if not curve or cost < curve[-1][1]:
            curve.append([spent, cost])
        if best is None or objective.rank(row) < objective.rank(best):
            best = row
    volume = hypervolume(
        np.array([float(objective.cost(row)) for row in history]),
        np.array([float(row["area"]) for row in history]),
        np.array([bool(objective.feasible(row)) for row in history]),
        (float(objective.cost(history[0])), np.nextafter(objective.area_budget, np.inf)),
    )
    return {
        "evaluations": len(history),
        "curve": curve,
        "accelerator": None if best is None else best.accelerator.to_json(),
        "hypervolume": volume,
    }
