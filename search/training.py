"""Training of a static child: augmented images, AdamW with a one-cycle step size."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from search.children import Child
from search.tasks.task import Split, chunked

__all__ = ["ChildTraining", "accuracy", "draw_batch", "logits_of"]

_SHIFTS = ((0, 0), (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Row and column shifts that augment; a third of the images stay."""

_LEAST_STEPS = 6
"""Least length of a one-cycle schedule: torch divides by zero where a fifth of it is a single step."""


def draw_batch(split: Split, part: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images ``part`` int64[n], each with a random augmentation, and their labels."""
    shift = torch.randint(len(_SHIFTS), part.shape, generator=generator)
    height, width = split.images.shape[2:]
    wide = pad(split.images[part], (1, 1, 1, 1))
    augmented = torch.stack(
        [wide[:, :, 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _SHIFTS]
    )  # [shifts, n, C, H, W]
    return augmented[shift, torch.arange(len(part))], split.labels[part]


def logits_of(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Logits float32[n, classes] of images [n, C, H, W], computed part by part without gradients."""
    with torch.no_grad():
        return torch.cat([network(part) for part in chunked(images)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of images whose largest logit is the label's."""
    return float((logits.argmax(1) == labels).double().mean())


class ChildTraining:
    """Trains a child epoch by epoch; can be stopped and continued between epochs.

    Parameters
    ----------
    child : Child
        Trained in place.
    split : Split
    epochs, batch : int
    learning_rate : float
        Largest step size.
    seed : int
        Of the order and the augmentation.

    Attributes
    ----------
    trained_images : int
        Images of all steps so far.
    """

    def __init__(
        self,
        child: Child,
        split: Split,
        *,
        epochs: int,
        batch: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.child = child
        self._split = split
        self._batch = batch
        self.trained_images = 0
        self._generator = torch.Generator().manual_seed(seed)
        self._optimizer = torch.optim.AdamW(child.parameters(), lr=learning_rate, weight_decay=0.02)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer,
            max_lr=learning_rate,
            total_steps=max(_LEAST_STEPS, epochs * (len(split) // batch) + 1),
            pct_start=0.2,
        )

    def epoch(self) -> None:
        """One pass over the data; a last partial batch is left out."""
        self.child.train()
        order = torch.randperm(len(self._split), generator=self._generator)
        for part in torch.split(order[: len(order) // self._batch * self._batch], self._batch):
            images, labels = draw_batch(self._split, part, self._generator)
            loss = cross_entropy(self.child(images), labels, label_smoothing=0.1)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            self._optimizer.step()
            self._schedule.step()
            self.trained_images += len(part)

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on."""
        return {
            "child": self.child.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "generator": self._generator.get_state(),
            "trained_images": self.trained_images,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.child.load_state_dict(state["child"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._generator.set_state(state["generator"])
        self.trained_images = state["trained_images"]
