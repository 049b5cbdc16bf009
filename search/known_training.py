"""Training where accuracies are known: a network is trained by looking its accuracy up."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from search.choice_logits import sampled
from search.evaluator import BudgetSpent, Evaluator
from search.moving_mean import MovingMean
from search.networks.known import KnownNetworks

__all__ = ["KnownTraining"]


class KnownTraining:
    """Stands for shared weights and for trainings on a proxy; each network that is looked up counts once.

    There are no weights, so that an epoch trains nothing and costs nothing. The limit of the evaluator holds for
    trainings as well: a search may look up as many networks as it may evaluate pairs.

    Logits of decisions learn from the network that straight-through gates sample, as they learn costs in
    :mod:`search.strategies.dna`: -log(accuracy) above its moving mean, times the gates' factor. A supernet's gradient
    would tell of choices that were not sampled; a table of trained networks could tell it only by 24 more trainings.

    Parameters
    ----------
    networks : KnownNetworks
    evaluator : Evaluator
        That of the search.
    steps : int
        Steps of an epoch.
    measured : dict of str to (float, dict of str to int), optional
        Where accuracy and choices of each network that is looked up are left for others, by key.

    Attributes
    ----------
    accuracies : dict of str to float
        Networks that were looked up, by key.
    spent : dict of str to int
        Evaluations that had been spent before each.
    trained_images : int
        0: no image is used.
    """

    def __init__(
        self,
        networks: KnownNetworks,
        evaluator: Evaluator,
        steps: int,
        measured: dict[str, tuple[float, dict[str, int]]] | None = None,
    ) -> None:
        self._networks, self._evaluator, self.steps = networks, evaluator, steps
        self._measured = {} if measured is None else measured
        self._mean = MovingMean()
        self.accuracies: dict[str, float] = {}
        self.spent: dict[str, int] = {}
        self.trained_images = 0

    def batches(self) -> Iterator[Tensor]:
        """Give an epoch its steps; no batch has an image."""
        for _ in range(self.steps):
            yield torch.zeros(0, dtype=torch.int64)

    def epoch(self, draw: Callable[[], Any]) -> None:
        """Train nothing."""

    def step(self, part: Tensor, draw: Callable[[], Any]) -> None:
        """Train nothing."""

    def accuracy(self, architecture: Any) -> float:
        """Accuracy of a network.

        Raises
        ------
        BudgetSpent
            If it was not looked up before, and no more may be.
        """
        key = architecture.key
        if key not in self.accuracies:
            limit = self._evaluator.limit
            if limit is not None and len(self.accuracies) >= limit:
                raise BudgetSpent
            self.accuracies[key] = self._networks.known_accuracy(architecture)
            self.spent[key] = len(self._evaluator.records)
            self._measured[key] = self.accuracies[key], self._networks.choices(architecture)
        return self.accuracies[key]

    def validation_batch(self, count: int) -> Tensor:
        """Draw nothing: int64[0]."""
        return torch.zeros(0, dtype=torch.int64)

    def part_accuracy(self, part: Tensor, architecture: Any) -> float:
        """Accuracy of a network, on all images."""
        return self.accuracy(architecture)

    def loss(self, part: Tensor, gates: Mapping[str, Tensor]) -> Tensor:
        """Advantage of the sampled network's -log(accuracy), with the gates' gradient."""
        choices, factor = sampled(gates)
        wrong = -math.log(max(self.accuracy(self._networks.architecture(choices)), 1e-3))
        return self._mean.advantage(wrong) * factor

    def follow(self, earlier: "KnownTraining") -> None:
        """Know what another search has looked up; the moving mean begins anew."""
        self.accuracies.update(earlier.accuracies)
        self.spent.update(earlier.spent)

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on."""
        return {
            "accuracies": dict(self.accuracies),
            "spent": dict(self.spent),
            "mean": self._mean.mean,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.accuracies, self.spent = dict(state["accuracies"]), dict(state["spent"])
        self._mean.mean = state["mean"]
