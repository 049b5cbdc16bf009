"""A recurrent controller: decisions drawn one after the other, each seeing those before it."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.choice_logits import largest

__all__ = ["RecurrentController"]

_Choose = Callable[[int, Tensor], Tensor]
"""Choices int64[n] of a step, given its logits float32[n, choices]."""


class RecurrentController(nn.Module):
    """LSTM policy over a sequence of decisions, p(a) = Π p(a_i | a_1 … a_(i-1)).

    The state of the LSTM (Hochreiter & Schmidhuber, 1997) after the decisions before it gives a
    decision's logits; the embedding of what is chosen is the next input. All choices are equally
    probable at the start. A decision with a single choice takes no step. It stays on the CPU, where
    draws are.

    Parameters
    ----------
    sizes : sequence of int
        Number of choices of each decision.
    hidden : int
        Units of the LSTM, and length of an embedding.
    seed : int
        Of the weights, and of the order in which equally probable choices are preferred.

    Members
    -------
    start : nn.Parameter
        Input of the first step.
    cell : nn.LSTMCell
    embeddings, heads : nn.ModuleList
        Of the decisions that have several choices.
    """

    def __init__(self, sizes: Sequence[int], *, hidden: int = 64, seed: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.free = tuple(i for i, size in enumerate(self.sizes) if size > 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.start = nn.Parameter(torch.zeros(hidden))
            self.cell = nn.LSTMCell(hidden, hidden)
            self.embeddings = nn.ModuleList(nn.Embedding(self.sizes[i], hidden) for i in self.free)
            heads = [nn.Linear(hidden, self.sizes[i]) for i in self.free]
            self._orders = [torch.randperm(self.sizes[i]) for i in self.free]
        for head in heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.heads = nn.ModuleList(heads)

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> NDArray[np.int64]:
        """Draw sequences int64[count, decisions]."""
        return self._unrolled(
            count,
            lambda step, logits: torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0],
        )[0].numpy()

    @torch.no_grad()
    def best_guess(self) -> NDArray[np.int64]:
        """Sequence int64[decisions] of which each choice is the most probable after those before it.

        Of equally probable choices it is any, and always the same of a search.
        """
        return self._unrolled(
            1, lambda step, logits: torch.tensor([largest(logits[0], self._orders[step])])
        )[0][0].numpy()

    def log_prob_and_entropy(self, actions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies float32[n] of sequences int64[n, decisions].

        The entropy is the sum of those of the choices, given the choices before them.
        """
        chosen = torch.from_numpy(actions)
        _, log_prob, entropy = self._unrolled(
            len(actions), lambda step, logits: chosen[:, self.free[step]]
        )
        return log_prob, entropy

    def _unrolled(self, count: int, choose: _Choose) -> tuple[Tensor, Tensor, Tensor]:
        """Sequences int64[count, decisions], their log-probabilities and entropies float32[count]."""
        hidden = torch.zeros(count, self.cell.hidden_size)
        memory = torch.zeros_like(hidden)
        actions = torch.zeros(count, len(self.sizes), dtype=torch.int64)
        log_prob, entropy = torch.zeros(count), torch.zeros(count)
        x = self.start.expand(count, -1)  # [n, hidden]
        for step, decision in enumerate(self.free):
            hidden, memory = self.cell(x, (hidden, memory))
            logits = self.heads[step](hidden)  # [n, choices]
            chosen = choose(step, logits)  # [n]
            log_p = torch.log_softmax(logits, 1)
            log_prob = log_prob + log_p.gather(1, chosen[:, None])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
            actions[:, decision] = chosen
            x = self.embeddings[step](chosen)
        return actions, log_prob, entropy
