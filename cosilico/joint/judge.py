"""The judge of co-searches: what the best of all pairs is, and how far a search's pairs are from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.joint.space import JointSpace
from search.evaluator import Evaluation
from search.score import Score
from sim.cost.hypervolume import hypervolume
from sim.cost.objective import Objective
from sim.spec.errors import NotRealizableError

__all__ = ["JointJudge", "JointOptimum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointOptimum:
    """The pair with the best soft score.

    Parameters
    ----------
    network : str
    accelerator : int
        Flat index of the space.
    accuracy, cost, score : float
    """

    network: str
    accelerator: int
    accuracy: float
    cost: float
    score: float


class JointJudge:
    """Judge of pairs by all pairs of a joint space that keep the budgets of an objective.

    It asks the front alone: the best of all pairs is there for every objective and all budgets of costs.

    Parameters
    ----------
    truth : JointSpace
    objective : Objective
    target : float
        Cost at which the soft score is the accuracy.

    Attributes
    ----------
    optimum : JointOptimum
    front_hypervolume : float
        Of (1 - accuracy, cost), within guessing one of the classes at the target's cost.

    Raises
    ------
    NotRealizableError
        If no pair keeps the budgets.
    """

    def __init__(self, truth: JointSpace, objective: Objective, target: float) -> None:
        self._objective = objective
        self._score = Score(objective, target)
        self._reference = (1 - 1 / truth.classes, target)
        self._accuracy_by_name = dict(zip(truth.names, truth.accuracies.tolist(), strict=True))
        p, q = self._score.exponents
        front = truth.front
        feasible = np.flatnonzero(objective.feasible(front))
        if not len(feasible):
            raise NotRealizableError(
                f"joint enumeration must have a pair that is realizable and within all budgets, but none "
                f"of {truth.pairs:,} is"
            )
        accuracies = truth.accuracies[front.network]
        scores = objective.weighted_product(accuracies, front, p=p, q=q, target=target)[feasible]
        costs, accuracies = objective.cost(front)[feasible], accuracies[feasible]
        best = int(scores.argmax())
        self.optimum = JointOptimum(
            network=truth.names[front.network[feasible[best]]],
            accelerator=int(front.accelerator[feasible[best]]),
            accuracy=float(accuracies[best]),
            cost=float(costs[best]),
            score=float(scores[best]),
        )
        self.front_hypervolume = self._volume(1 - accuracies, costs)
        order = np.argsort(accuracies, kind="stable")
        self._ranked = accuracies[order]
        self._least = np.minimum.accumulate(costs[order][::-1])[::-1]

    def accuracy(self, network: str) -> float:
        """Accuracy of a network by its name."""
        return float(self._accuracy_by_name[network])

    def score(self, row: Evaluation) -> float:
        """Soft score of a pair, by the network's true accuracy."""
        return self._score(self.accuracy(row.network), row)

    def regret(self, score: float) -> float:
        """Share of the optimum's score that a score lacks."""
        return 1 - score / self.optimum.score

    def excess(self, row: Evaluation) -> float:
        """Cost above the least cost of all networks that are at least as accurate, as a share of that."""
        place = int(np.searchsorted(self._ranked, self.accuracy(row.network)))
        return float(self._objective.cost(row)) / float(self._least[place]) - 1

    def hypervolume(self, rows: list[Evaluation]) -> float:
        """Hypervolume of feasible pairs as a share of the true front's."""
        wrong = np.array([1 - self.accuracy(row.network) for row in rows])
        costs = np.array([float(self._objective.cost(row)) for row in rows])
        return self._volume(wrong, costs) / self.front_hypervolume

    def _volume(self, wrong: NDArray[Any], costs: NDArray[Any]) -> float:
        return hypervolume(wrong, costs, np.isfinite(costs), self._reference)
