"""Training of shared weights: a supernet, a drawn member in each step."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from search.networks.family import NetworkFamily
from search.tasks.task import Task
from search.training import accuracy, draw_batch, logits_of

__all__ = ["SharedTraining"]

_STEP_SIZE = 0.004


class SharedTraining:
    """A supernet and its optimizer; every step trains the member that a caller draws.

    Parameters
    ----------
    networks : NetworkFamily
    task : Task
    batch : int
    generator : torch.Generator
        Of the order and the augmentation of the images.
    seed : int
        Of the weights.

    Attributes
    ----------
    supernet : torch.nn.Module
        A :class:`search.networks.family.SharedNetwork`.
    trained_images : int
        Images of all steps so far.
    """

    def __init__(
        self,
        networks: NetworkFamily,
        task: Task,
        *,
        batch: int,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        self._task, self._batch, self._generator = task, batch, generator
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.supernet = networks.supernet()
        self._optimizer = torch.optim.AdamW(
            self.supernet.parameters(), lr=_STEP_SIZE, weight_decay=1e-4
        )
        self.trained_images = 0

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self._task.train) // self._batch

    def batches(self) -> Iterator[Tensor]:
        """Batches of an epoch, int64[batch] each, in random order, without a last partial batch."""
        order = torch.randperm(len(self._task.train), generator=self._generator)
        yield from torch.split(order[: len(order) // self._batch * self._batch], self._batch)

    def epoch(self, draw: Callable[[], Any]) -> None:
        """Train on all images once; ``draw`` gives each batch its member."""
        for part in self.batches():
            self.step(part, draw)

    def step(self, part: Tensor, draw: Callable[[], Any]) -> None:
        """One gradient step of a drawn member on the images ``part``."""
        images, labels = draw_batch(self._task.train, part, self._generator)
        loss = cross_entropy(self.supernet.forward_architecture(images, draw()), labels)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._optimizer.step()
        self.trained_images += len(part)

    def accuracy(self, architecture: Any) -> float:
        """Validation accuracy of a member with the shared weights."""
        split = self._task.validation
        logits = logits_of(
            lambda images: self.supernet.forward_architecture(images, architecture), split.images
        )
        return accuracy(logits, split.labels)

    def validation_batch(self, count: int) -> Tensor:
        """Places of validation images that are drawn, each at most once: int64[count]."""
        drawn = torch.randperm(len(self._task.validation), generator=self._generator)
        return drawn[:count]

    def loss(self, part: Tensor, gates: Mapping[str, Tensor]) -> Tensor:
        """Cross entropy of validation images, whose gradient teaches what the gates choose."""
        split = self._task.validation
        logits: Tensor = self.supernet(split.images[part], gates)
        return cross_entropy(logits, split.labels[part])

    def part_accuracy(self, part: Tensor, architecture: Any) -> float:
        """Accuracy of a member on validation images, with the shared weights."""
        split = self._task.validation
        with torch.no_grad():
            logits = self.supernet.forward_architecture(split.images[part], architecture)
        return accuracy(logits, split.labels[part])

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on, but the generator."""
        return {
            "supernet": self.supernet.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "trained_images": self.trained_images,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.supernet.load_state_dict(state["supernet"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.trained_images = state["trained_images"]
