"""The objective: what is minimized, under an area budget and other constraints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

__all__ = ["COST_EXPONENT", "HARD", "METRICS", "Costs", "Metric", "Objective"]

Metric = Literal["latency", "energy", "area", "edp"]

METRICS: Mapping[Metric, tuple[str, ...]] = {
    "latency": ("cycles",),
    "edp": ("cycles", "energy"),
    "energy": ("energy",),
    "area": ("area",),
}
"""Columns of the cost table whose product a metric is."""

HARD = (0.0, -1.0)
"""Exponents p and q of NAHAS's hard reward: of a ratio to its target below 1, and above."""

COST_EXPONENT = -0.07
"""Both exponents of NAHAS's soft reward."""


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
    """Latency, energy, area or energy-delay product, under budgets.

    Every method takes an accelerator's costs, or a table of many and then returns arrays.

    Parameters
    ----------
    metric : "latency", "energy", "area" or "edp"
        Cycles, pJ, mm², or cycles · pJ.
    area_budget : float
        Largest area, in the area model's unit.
    cycles_budget, energy_budget : float
        Most cycles and pJ for an image; infinite for any.
    cost_exponent : float
        Power of cost / target by which the soft score multiplies an accuracy, at most 0.
    """

    metric: Metric
    area_budget: float
    cycles_budget: float = math.inf
    energy_budget: float = math.inf
    cost_exponent: float = COST_EXPONENT

    @property
    def soft(self) -> tuple[float, float]:
        """Exponents p and q of the soft score."""
        return self.cost_exponent, self.cost_exponent

    @property
    def budgets(self) -> dict[str, float]:
        """Largest value of each cost column that has a budget which is not infinite."""
        limits = {
            "area": self.area_budget,
            "cycles": self.cycles_budget,
            "energy": self.energy_budget,
        }
        return {name: limit for name, limit in limits.items() if limit < math.inf}

    @property
    def columns(self) -> tuple[str, ...]:
        """Cost columns that :meth:`cost` and :meth:`feasible` read."""
        return tuple(dict.fromkeys((*METRICS[self.metric], *self.budgets)))

    @property
    def other_budgets(self) -> dict[str, float]:
        """Budgets of cost columns that are not the metric itself."""
        own = METRICS[self.metric]
        return {name: limit for name, limit in self.budgets.items() if own != (name,)}

    def cost(self, costs: Costs) -> Any:
        """Value to minimize, float64; meaningless where the design is not realizable."""
        return math.prod((costs[name] for name in METRICS[self.metric]), start=1.0)

    def rank(self, costs: Costs) -> tuple[Any, Any]:
        """Order of realizable designs: by cost, at equal cost by area."""
        return self.cost(costs), costs["area"]

    def feasible(self, costs: Costs) -> Any:
        """Whether the design is realizable and within all budgets."""
        within = costs.realizable
        for name, limit in self.budgets.items():
            within = within & (costs[name] <= limit)
        return within

    def overrun(self, costs: Costs) -> Any:
        """Sum over the budgets of the share by which a cost is above: 0 where all are kept."""
        return sum(np.maximum(0.0, costs[name] / limit - 1) for name, limit in self.budgets.items())

    def weighted_product(
        self, accuracy: Any, costs: Costs, *, p: float, q: float, target: float | None = None
    ) -> Any:
        """NAHAS's reward of a network and its accelerator: accuracy times a power of each ratio.

        accuracy · Π (cost / budget)^w over the budgets, where w is ``p`` if the budget is kept and
        ``q`` if not (Zhou et al., 2021, the section on the objective). With the exponents :data:`HARD`,
        a constraint leaves the accuracy as it is within the budget (p = 0, q = -1), with
        those of :attr:`soft` accuracy is traded for cost everywhere (p = q = -0.07). With a
        ``target``, it is the ratio of :meth:`cost` to it that has these exponents, and all budgets
        are hard constraints. 0 where not realizable.
        """
        product = np.asarray(accuracy, np.float64)
        ratios = [(costs[name] / limit, p, q) for name, limit in self.budgets.items()]
        if target is not None:
            ratios = [(self.cost(costs) / target, p, q), *((x, *HARD) for x, _, _ in ratios)]
        for ratio, below, above in ratios:
            known = np.where(costs.realizable, ratio, 1.0)
            product = product * known ** np.where(known <= 1, below, above)
        return np.where(costs.realizable, product, 0.0)[()]

    def best(self, table: Costs) -> int | None:
        """Row of the first feasible design in the order of :meth:`rank`; None if none is."""
        rows = np.flatnonzero(self.feasible(table))
        if not len(rows):
            return None
        cost, area = self.rank(table)
        return int(rows[np.lexsort((area[rows], cost[rows]))[0]])
