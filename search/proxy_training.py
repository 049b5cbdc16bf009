"""A proxy of accuracy: each network is trained from scratch for a few epochs on a part of the data."""

import torch

from search.children import build_from_layers
from search.networks.family import Member, NetworkFamily
from search.tasks.task import Split, Task
from search.training import ChildTraining, accuracy, logits_of

__all__ = ["ProxyTraining"]


class ProxyTraining:
    """Validation accuracies of networks after a short training; each network is trained once.

    Weights, order and augmentation follow from the seed alone, so that accuracies do not depend on
    when a network is asked for.

    Parameters
    ----------
    networks : NetworkFamily
    task : Task
    epochs, batch : int
        Of each training.
    share : float
        Part of the training images that is used, drawn once; a batch at least, where there are as
        many.
    learning_rate : float
        AdamW's largest step size.
    seed : int

    Attributes
    ----------
    accuracies : dict of str to float
        Those of all networks so far, by key.
    trained_images : int
        Images of all trainings so far.
    """

    def __init__(
        self,
        networks: NetworkFamily,
        task: Task,
        *,
        epochs: int,
        batch: int,
        share: float,
        learning_rate: float,
        seed: int,
    ) -> None:
        self._networks, self._validation = networks, task.validation
        self._epochs, self._learning_rate = epochs, learning_rate
        self._batch = min(batch, len(task.train))
        self._seed = seed
        count = min(len(task.train), max(batch, round(share * len(task.train))))
        drawn = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(seed))
        part = drawn[:count].sort().values
        self._split = Split(task.train.images[part], task.train.labels[part])
        self.accuracies: dict[str, float] = {}
        self.trained_images = 0

    def accuracy(self, architecture: Member) -> float:
        """Validation accuracy of a network, which is trained if it was not before."""
        if architecture.key not in self.accuracies:
            self.accuracies[architecture.key] = self._trained(architecture)
        return self.accuracies[architecture.key]

    def follow(self, earlier: "ProxyTraining") -> None:
        """Know the networks that another search has trained."""
        self.accuracies.update(earlier.accuracies)
        self.trained_images = earlier.trained_images

    def _trained(self, architecture: Member) -> float:
        child = build_from_layers(self._networks.layers(architecture), self._seed)
        training = ChildTraining(
            child,
            self._split,
            epochs=self._epochs,
            batch=self._batch,
            learning_rate=self._learning_rate,
            seed=self._seed,
        )
        for _ in range(self._epochs):
            training.epoch()
        self.trained_images += training.trained_images
        child.eval()
        return accuracy(logits_of(child, self._validation.images), self._validation.labels)
