"""The judge of co-searches: what the best of all pairs is, and how far a search's pairs are from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.joint.problem import JointProblem
from cosilico.joint.problems import no_pair
from cosilico.joint.space import JointSpace
from search.evaluator import Evaluation
from search.score import Score
from sim.cost.hypervolume import hypervolume
from sim.cost.pareto import pareto_front

__all__ = ["REFERENCE", "JointJudge", "JointOptimum"]

REFERENCE = 1.1
"""Both coordinates of the hypervolume's reference point, where the true front reaches from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointOptimum:
    """The pair with the best score; of equal scores the least cost, then area, then energy.

    Parameters
    ----------
    network : str
    accelerator : int
        Flat index in the space of the truth.
    accuracy, cost, score : float
    """

    network: str
    accelerator: int
    accuracy: float
    cost: float
    score: float


class JointJudge:
    """Judge of pairs by all pairs of a joint space that keep the budgets and pins of a problem.

    **Hypervolume** is of accuracy and the logarithm of cost, in which a score's trade is a straight line. Both are scaled so that the true front of
    the problem's feasible pairs reaches from 0, its ideal point, to 1, its nadir (as in COCO's bi-objective
    suites: Brockhoff et al., *Biobjective Performance Assessment with the COCO Platform*, 2016). The reference point lies a tenth
    of the range behind the nadir, so that the ends of the front count, too, and a large dominated region does not hide what is missed (Ishibuchi et al., *How to
    Specify a Reference Point in Hypervolume Calculation for Fair Performance Comparison*, 2018).

    Parameters
    ----------
    truth : JointSpace
    problem : JointProblem
    target : float
        Cost at which the score is the accuracy.

    Attributes
    ----------
    optimum : JointOptimum
    front : int
        Pairs of the true front of accuracy and cost.

    Raises
    ------
    NotRealizableError
        If no pair keeps the budgets.
    CosilicoError
        If fields are pinned and not all pairs are known.
    """

    def __init__(self, truth: JointSpace, problem: JointProblem, target: float) -> None:
        objective = problem.objective
        self._objective = objective
        self._score = Score(objective, target)
        self._accuracy_by_name = dict(zip(truth.names, truth.accuracies.tolist(), strict=True))
        p, q = self._score.exponents
        pairs = truth.least_pairs(objective, problem.points(truth))
        if not len(pairs.network):
            raise no_pair(truth)
        accuracies = truth.accuracies[pairs.network]
        costs = np.asarray(objective.cost(pairs), np.float64)
        scores = objective.weighted_product(accuracies, pairs, p=p, q=q, target=target)
        order = (pairs.accelerator, pairs.network, pairs["energy"], pairs["area"], costs, -scores)
        best = int(np.lexsort(order)[0])
        self.optimum = JointOptimum(
            network=truth.names[pairs.network[best]],
            accelerator=int(pairs.accelerator[best]),
            accuracy=float(accuracies[best]),
            cost=float(costs[best]),
            score=float(scores[best]),
        )
        front = pareto_front(costs, -accuracies, np.ones(len(costs), np.bool_))
        self.front = len(front)
        self._ranked, self._least = accuracies[front], costs[front]
        self._whole = self._volume(self._scaled(self._ranked, self._least))

    def accuracy(self, network: str) -> float:
        """Accuracy of a network by its name."""
        return float(self._accuracy_by_name[network])

    def score(self, row: Evaluation) -> float:
        """Score of a pair, by the network's true accuracy."""
        return self._score(self.accuracy(row.network), row)

    def regret(self, score: float) -> float:
        """Share of the optimum's score that a score lacks."""
        return 1 - score / self.optimum.score

    def excess(self, row: Evaluation) -> float:
        """Cost above the least cost of all networks that are at least as accurate, as a share of that."""
        place = int(np.searchsorted(self._ranked, self.accuracy(row.network)))
        return float(self._objective.cost(row)) / float(self._least[place]) - 1

    def volumes(self, rows: Iterable[Evaluation]) -> list[float]:
        """Hypervolume of feasible pairs up to each of them, as a share of the true front's."""
        front, volume = np.zeros((0, 2)), 0.0
        shares: list[float] = []
        for row in rows:
            accuracy, cost = self.accuracy(row.network), float(self._objective.cost(row))
            (point,) = self._scaled(np.array([accuracy]), np.array([cost]))
            if not (front <= point).all(axis=1).any():
                stay = (front < point).any(axis=1)
                front = np.concatenate([front[stay], [point]])
                volume = self._volume(front)
            shares.append(volume / self._whole)
        return shares

    def _scaled(
        self, accuracies: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distances from the front's ideal point, float64[n, 2], 1 at its nadir."""
        wrong = self._ranked[-1] - accuracies
        dear = np.log(costs / self._least[0])
        ranges = (self._ranked[-1] - self._ranked[0], np.log(self._least[-1] / self._least[0]))
        return np.stack(
            [axis / (range_ or 1.0) for axis, range_ in zip((wrong, dear), ranges, strict=True)],
            axis=1,
        )

    def _volume(self, points: NDArray[Any]) -> float:
        eligible = np.ones(len(points), np.bool_)
        return hypervolume(points[:, 0], points[:, 1], eligible, (REFERENCE, REFERENCE))
