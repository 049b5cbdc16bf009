"""What a search minimizes, and the reward that teaches an agent to."""

from dataclasses import dataclass
from typing import Literal

from search.evaluator import Evaluation

__all__ = ["Metric", "Objective"]

Metric = Literal["latency", "edp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Latency or energy-delay product under an area budget.

    Parameters
    ----------
    metric : "latency" or "edp"
        Cycles, or cycles · pJ.
    area_budget : float
        Largest area, in the area model's unit.
    """

    metric: Metric
    area_budget: float

    def cost(self, evaluation: Evaluation) -> float:
        """Value to minimize; meaningless where the design is not realizable."""
        if self.metric == "latency":
            return float(evaluation.cycles)
        return evaluation.cycles * evaluation.energy

    def rank(self, evaluation: Evaluation) -> tuple[float, float]:
        """Order of realizable designs: by cost, equal ones by area."""
        return self.cost(evaluation), evaluation.area

    def feasible(self, evaluation: Evaluation) -> bool:
        """Whether the design is realizable and within the area budget."""
        return evaluation.realizable and evaluation.area <= self.area_budget

    def reward(self, evaluation: Evaluation, reference: Evaluation) -> float:
        """Relative gain over ``reference`` (> -1), or graded blame (< -1) if not feasible.

        The gain is 0 where the reference does not run the network.
        The blame grows with the number of broken rules and with the distances to them, so that
        an agent sees which way the realizable designs are.
        """
        if self.feasible(evaluation):
            if not reference.realizable:
                return 0.0
            return self.cost(reference) / self.cost(evaluation) - 1
        over = max(0.0, evaluation.area / self.area_budget - 1)
        excess = max(0.0, evaluation.excess) + over
        rules = len(evaluation.violations) + (over > 0)
        return -1 - 0.1 * min(rules, 5) - excess / (1 + excess)
