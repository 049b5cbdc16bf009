"""The objective: what is minimized, under an area budget."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

__all__ = ["METRICS", "Costs", "Metric", "Objective"]

Metric = Literal["latency", "edp"]

METRICS: Mapping[Metric, tuple[str, ...]] = {"latency": ("cycles",), "edp": ("cycles", "energy")}
"""Columns of the cost table whose product a metric is."""


class Costs(Protocol):
    """Costs of an accelerator (numbers), or of n of them (arrays [n])."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column of the cost table by its name."""
        ...

    @property
    def realizable(self) -> Any:
        """Whether no rule is broken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Latency or energy-delay product under an area budget.

    Every method takes an accelerator's costs, or a table of many and then returns arrays.

    Parameters
    ----------
    metric : "latency" or "edp"
        Cycles, or cycles · pJ.
    area_budget : float
        Largest area, in the area model's unit.
    """

    metric: Metric
    area_budget: float

    def cost(self, costs: Costs) -> Any:
        """Value to minimize, float64; meaningless where the design is not realizable."""
        return math.prod((costs[name] for name in METRICS[self.metric]), start=1.0)

    def rank(self, costs: Costs) -> tuple[Any, Any]:
        """Order of realizable designs: by cost, at equal cost by area."""
        return self.cost(costs), costs["area"]

    def feasible(self, costs: Costs) -> Any:
        """Whether the design is realizable and within the area budget."""
        return costs.realizable & (costs["area"] <= self.area_budget)

    def best(self, table: Costs) -> int | None:
        """Row of the first feasible design in the order of :meth:`rank`; None if none is."""
        rows = np.flatnonzero(self.feasible(table))
        if not len(rows):
            return None
        cost, area = self.rank(table)
        return int(rows[np.lexsort((area[rows], cost[rows]))[0]])
