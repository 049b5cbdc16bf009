"""Learned costs of pairs: labels from the exact model, and the network that is trained on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.cost_network import CostNetwork
from search.evaluator import Evaluation
from search.prediction_error import PredictionError, prediction_error
from sim.cost.objective import Objective

__all__ = ["LearnedCosts"]

_HELD_OUT = 10
"""Every tenth label is held out."""

_REFUSED = 2.0
"""Cost that stands for a pair that is not realizable, as a multiple of the largest label."""


class LearnedCosts:
    """Cost by the objective, and area, of pairs that are given by an index of each decision.

    Every pair is a label once. Every tenth is held out, and measures the error. A pair that is not
    realizable has no cost; so that a search keeps clear of it, it teaches twice the largest cost of
    all labels, and its area, which is known.

    Parameters
    ----------
    objective : Objective
    sizes : sequence of int
        Number of choices of each decision.
    seed : int
    """

    def __init__(self, objective: Objective, sizes: Sequence[int], *, seed: int) -> None:
        self._objective = objective
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._inputs = sum(sizes)
        self._network = CostNetwork(self._inputs, seed=seed)
        self._labels: dict[tuple[int, ...], tuple[float, float]] = {}
        self._begun = False

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self._labels)

    def add(self, indices: Sequence[int], evaluation: Evaluation) -> None:
        """Take the exact costs of a pair as a label."""
        cost = float(self._objective.cost(evaluation)) if evaluation.realizable else np.inf
        self._labels[tuple(map(int, indices))] = cost, float(evaluation["area"])

    def follow(self, earlier: "LearnedCosts") -> None:
        """Take the labels of another search."""
        self._labels.update(earlier._labels)

    @property
    def realizable(self) -> int:
        """Number of realizable labels that are not held out."""
        return int((self._split(held_out=False)[1][:, 0] < np.inf).sum())

    def epoch(self) -> float:
        """Learn from all labels that are not held out once; return the mean loss."""
        choices, costs = self._split(held_out=False)
        known = costs[:, 0] < np.inf
        costs[~known, 0] = _REFUSED * costs[known, 0].max()
        if not self._begun:
            self._network.standardize(costs)
            self._begun = True
        return self._network.epoch(choices, costs)

    def predict(self, indices: Sequence[int]) -> tuple[float, float]:
        """Learned cost and area of a pair."""
        cost, area = self._network.predict(self._one_hot(np.array([indices])))[0]
        return float(cost), float(area)

    def error(self) -> PredictionError | None:
        """Error on the pairs that were held out and are realizable; None if there are none."""
        choices, costs = self._split(held_out=True)
        known = costs[:, 0] < np.inf
        if not known.any():
            return None
        return prediction_error(self._network.predict(choices[known]), costs[known])

    def _split(self, *, held_out: bool) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Inputs float32[n, choices] and labels float64[n, 2] of one of the two parts."""
        rows = [i for i in range(len(self)) if (i % _HELD_OUT == _HELD_OUT - 1) == held_out]
        indices = np.array(list(self._labels), np.int64).reshape(len(self), len(self._offsets))
        costs = np.array(list(self._labels.values()), np.float64).reshape(-1, 2)
        return self._one_hot(indices[rows]), costs[rows]

    def _one_hot(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Choices float32[n, choices] of indices int64[n, decisions]."""
        choices = np.zeros((len(indices), self._inputs), np.float32)
        np.put_along_axis(choices, indices + self._offsets, 1.0, 1)
        return choices

    def state_dict(self) -> dict[str, Any]:
        """All that decides what is learned and predicted from here on."""
        return {
            "indices": torch.tensor(list(self._labels), dtype=torch.int64),
            "costs": torch.tensor(list(self._labels.values()), dtype=torch.float64),
            "network": self._network.training_state(),
            "begun": self._begun,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        pairs = zip(state["indices"].tolist(), state["costs"].tolist(), strict=True)
        self._labels = {tuple(indices): (costs[0], costs[1]) for indices, costs in pairs}
        self._network.load_training_state(state["network"])
        self._begun = state["begun"]
