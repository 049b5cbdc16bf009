"""Probabilities of named choices that are learned by gradient: of a network's decisions, or of an accelerator's fields."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from search.supernet import sample_gates

__all__ = ["ChoiceLogits", "largest", "sampled"]

_BETAS = (0.5, 0.999)


class ChoiceLogits:
    """Logits of each name's values, all alike at first, and the optimizer that teaches them.

    Adam with the betas of differentiable architecture search (0.5, 0.999).

    Parameters
    ----------
    values : mapping of name to sequence
        What may be chosen; only the number of values counts.
    rate : float
        Adam's step size.
    generator : torch.Generator
        Of all draws. The first are of the order in which equal values are preferred.

    Attributes
    ----------
    tensors : dict of name to Tensor
        Logits float32[values].
    """

    def __init__(
        self, values: Mapping[str, Sequence[Any]], rate: float, generator: torch.Generator
    ) -> None:
        self._generator = generator
        self.tensors = {
            name: torch.zeros(len(each), requires_grad=True) for name, each in values.items()
        }
        self._orders = {
            name: torch.randperm(len(each), generator=generator) for name, each in values.items()
        }
        self._optimizer = torch.optim.Adam(self.tensors.values(), lr=rate, betas=_BETAS)

    def draw(self) -> dict[str, int]:
        """Return an index for each name, as probable as its logits say."""
        return {
            name: int(torch.multinomial(logit.softmax(0), 1, generator=self._generator))
            for name, logit in self.tensors.items()
        }

    @property
    def most_probable(self) -> dict[str, int]:
        """Index of the largest logit of each name; among equals any, and always the same of a search."""
        return {name: largest(logit, self._orders[name]) for name, logit in self.tensors.items()}

    def gates(self, temperature: float) -> dict[str, Tensor]:
        """Straight-through Gumbel-softmax samples (:func:`search.supernet.sample_gates`)."""
        return sample_gates(self.tensors, temperature=temperature, generator=self._generator)

    def step(self, loss: Tensor) -> None:
        """Take a gradient step that makes the loss less."""
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """All that was learned."""
        return {
            "logits": {name: logit.detach() for name, logit in self.tensors.items()},
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        with torch.no_grad():
            for name, logit in self.tensors.items():
                logit.copy_(state["logits"][name])
        self._optimizer.load_state_dict(state["optimizer"])


def largest(logits: Tensor, order: Tensor) -> int:
    """Return the index of the largest of logits [n]; among equals, the first in an order of all n.

    An untrained model has no preference, but its first index stands for the smallest choice.
    """
    return int(order[logits[order] == logits.max()][0])


def sampled(gates: Mapping[str, Tensor]) -> tuple[dict[str, int], Tensor]:
    """Choices of straight-through gates, and the product through which a cost teaches them.

    Returns
    -------
    choices : dict of name to int
    factor : Tensor
        Π over the names of (1 - p) detached + p, where p is the soft value of the choice: it is 1, and
        its gradient is that of the soft values.
    """
    choices = {name: int(gate.argmax()) for name, gate in gates.items()}
    return choices, torch.stack([gates[name][index] for name, index in choices.items()]).prod()
