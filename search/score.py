"""The score of a network on an accelerator: one number from accuracy and costs, for learners."""

from typing import Literal

from search.evaluator import Evaluation
from sim.cost.objective import HARD, Objective

__all__ = ["Score"]

_RULE = 0.05
"""Blame for each broken rule, which no distance makes up for."""


class Score:
    """NAHAS's weighted product (Zhou et al., 2021), graded below zero where a design breaks a rule.

    Learners and comparisons need an order of pairs. It never stands in a report in the place of
    accuracy and cost.

    Parameters
    ----------
    objective : Objective
    target : float
        The objective's cost that leaves the accuracy as it is.
    form : "hard" or "soft"
        Whether a cost below the target is worth nothing, or trades against accuracy.
    """

    def __init__(
        self, objective: Objective, target: float, form: Literal["hard", "soft"] = "soft"
    ) -> None:
        self.objective, self.target = objective, target
        self.exponents = HARD if form == "hard" else objective.soft

    def __call__(self, accuracy: float, evaluation: Evaluation) -> float:
        """Score, at most about 1 near the target; in (-2, 0) where the design is not realizable."""
        if not evaluation.realizable:
            excess = max(0.0, evaluation.excess)
            return -_RULE * min(len(evaluation.violations), 10) - excess / (1 + excess)
        p, q = self.exponents
        product = self.objective.weighted_product(
            accuracy, evaluation, p=p, q=q, target=self.target
        )
        return float(product)
