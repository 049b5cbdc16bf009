"""Exact gains of accelerators over the default's: of a network, and at equal accuracy over all networks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from claim import spread
from cosilico.joint.space import JointSpace
from cosilico.joint.truth import JointTruth
from sim.cost.columns import COST_COLUMNS
from sim.cost.objective import METRICS, Costs, Objective
from sim.cost.pareto import pareto_front
from sim.cost.table import CostTable
from sim.spec.spaces import HardwareSpace

__all__ = [
    "BANDWIDTHS",
    "ENTRIES",
    "Entry",
    "accelerators",
    "entries_of",
    "entry_column",
    "fixed_hardware_gains",
    "front_networks",
    "least_costs",
    "pinned",
]

BANDWIDTHS = ("free", "pinned")
"""Whether accelerators of any bandwidth are compared, or those with the default's."""

_COLD = {"cycles": "cold_cycles", "energy": "cold_energy"}

ENTRIES = ("warm", "cold")
"""Runs whose weights are on the chip, and runs that fetch them."""


class Entry:
    """Costs of warm or of cold runs, by the names of the warm columns: a :class:`sim.cost.objective.Costs`.

    Parameters
    ----------
    costs : Costs
        With the cold columns, if those are asked for.
    entry : "warm" or "cold"
    """

    def __init__(self, costs: Costs, entry: str) -> None:
        self._costs = costs
        self._names: Mapping[str, str] = _COLD if entry == "cold" else {}

    def __getitem__(self, column: str) -> Any:
        """Return a column of the entry."""
        return self._costs[self._names.get(column, column)]

    @property
    def realizable(self) -> Any:
        """Whether no rule is broken."""
        return self._costs.realizable


def entry_column(table: CostTable, column: str, entry: str) -> NDArray[Any]:
    """Values of an entry under a warm column's name: the warm values where the model has no others."""
    name = _COLD.get(column, column) if entry == "cold" else column
    return table[name if name in table.values else column]


def entries_of(metric: str) -> tuple[str, ...]:
    """Entries for which the cost model has a metric: cold runs are not assumed to have the energy of warm runs."""
    columns = METRICS[metric]  # type: ignore[index]  # any name of a metric
    cold = all(_COLD.get(column, column) in COST_COLUMNS for column in columns)
    return ENTRIES if cold else ENTRIES[:1]


def pinned(space: HardwareSpace) -> HardwareSpace:
    """Points of a space that have its default's bandwidth."""
    only = {"io_bandwidth_gbps": (space.default.io_bandwidth_gbps,)}
    return replace(space, values={**space.values, **only})


def accelerators(space: HardwareSpace, bandwidth: str) -> NDArray[np.int64]:
    """Flat indices of the points that are compared: int64[k]."""
    if bandwidth == "free":
        return np.arange(len(space))
    wanted = space.default.io_bandwidth_gbps
    return np.array(
        [i for i, config in enumerate(space) if config.io_bandwidth_gbps == wanted], np.int64
    )


def least_costs(
    truth: JointTruth, objective: Objective, points: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Least cost of every network on accelerators that keep the budgets: float64[n], infinite where none does.

    Parameters
    ----------
    truth : JointTruth
    objective : Objective
    points : int64[k], optional
        Accelerators to choose from; all if not given.
    """
    chosen = np.ones(len(truth.space), np.bool_)
    if points is not None:
        chosen[:] = False
        chosen[points] = True
    least = np.full(len(truth.names), np.inf)
    for number in range(len(truth.names)):
        costs = truth.of_network(number)
        allowed = np.asarray(objective.feasible(costs), np.bool_) & chosen
        if allowed.any():
            least[number] = np.asarray(objective.cost(costs))[allowed].min()
    return least


def fixed_hardware_gains(
    truth: JointTruth, objective: Objective, *, bandwidth: str
) -> dict[str, Any]:
    """Cost of the best network on the default accelerator, over the least of all pairs at the same accuracy.

    Both are exact optima of warm runs: of the networks on the default's front in accuracy and cost, each is compared
    with the cheapest pair of a network that is at least as accurate.

    Parameters
    ----------
    truth : JointTruth
    objective : Objective
    bandwidth : "free" or "pinned"
    """
    space = truth.space
    default = np.array([space.flat_index(space.default)], np.int64)
    fixed = least_costs(truth, objective, default)
    free = least_costs(truth, objective, accelerators(space, bandwidth))
    order = np.argsort(-truth.accuracies, kind="stable")
    gains: list[float] = []
    accuracies: list[float] = []
    best_fixed, best_free = np.inf, np.inf
    for number in order.tolist():
        best_free = min(best_free, free[number])
        if fixed[number] < best_fixed:
            best_fixed = fixed[number]
            # Networks of the same accuracy that come later count as well
            equal = truth.accuracies == truth.accuracies[number]
            cheapest = min(best_free, float(free[equal].min()))
            gains.append(float(best_fixed / cheapest))
            accuracies.append(float(truth.accuracies[number]))
    return {"gains": gains, "accuracies": accuracies, "spread": spread(gains)}


def front_networks(truth: JointSpace, objective: Objective) -> list[str]:
    """Networks of the pairs within the budgets that no other beats in accuracy and cost, by rising cost."""
    front = truth.front
    wrong = 1 - truth.accuracies[front.network]
    allowed = np.asarray(objective.feasible(front), np.bool_)
    rows = pareto_front(np.asarray(objective.cost(front), np.float64), wrong, allowed)
    return list(dict.fromkeys(truth.names[front.network[row]] for row in rows))
