"""PPO hardware agent: proposes accelerators for a network (RHNAS; one file, after CleanRL)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

__all__ = ["Args", "Examples", "HardwareAgent"]

Examples = Callable[[], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""Draws contexts float32[n, context_size] and actions int64[n, fields] that are good for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Args:
    """Hyperparameters of the PPO agent."""

    hidden: int = 128
    """Units of each of the two hidden layers."""
    learning_rate: float = 0.01
    """Adam's step size at the start; falls linearly to a tenth at ``total_updates``."""
    batch: int = 128
    """Designs that an update samples."""
    epochs: int = 6
    """Passes over the samples of an update."""
    minibatches: int = 2
    """Gradient steps in a pass."""
    clip: float = 0.2
    """PPO's bound on the probability ratio."""
    entropy: float = 0.1
    """Weight of the entropy bonus at the start; falls linearly to 0 at ``total_updates``."""
    imitation: float = 0.5
    """Weight of the log probability of examples, where there are any."""
    max_norm: float = 0.5
    """Bound on the gradient's norm."""
    total_updates: int = 60
    """Updates over which the step size and the entropy bonus fall."""
    beam: int = 64
    """Width of the beam that searches the most probable designs."""


class HardwareAgent:
    """Policy over the choices of the hardware fields, given features of the network.

    The policy is autoregressive: the logits of a field depend on the network and on what was chosen
    for the fields before it, so that a large array can make the memory small. An episode is one
    step, a whole design. The baseline of a design's reward is the mean reward of the update's
    designs for the same network, in the place of PPO's learned value.

    Parameters
    ----------
    sizes : sequence of int
        Number of choices of each field.
    context_size : int
        Length of the network's features.
    args : Args
    seed : int
        Of the weights and of every draw.
    """

    def __init__(self, sizes: Sequence[int], context_size: int, args: Args, *, seed: int) -> None:
        self.sizes = tuple(sizes)
        self.args = args
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.policy = _MaskedPolicy(self.sizes, context_size, args.hidden)
        self.parameters = list(self.policy.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=args.learning_rate, eps=1e-5)
        self.updates = 0

    @torch.no_grad()
    def propose(self, contexts: NDArray[np.float32]) -> NDArray[np.int64]:
        """Draw one action int64[n, fields] for each context float32[n, context_size]."""
        states = torch.from_numpy(contexts)
        actions = torch.zeros(len(states), len(self.sizes), dtype=torch.int64)
        for field in range(len(self.sizes)):
            logits = self.policy(states, actions)[field]
            drawn = torch.multinomial(logits.softmax(1), 1, generator=self.generator)
            actions[:, field] = drawn[:, 0]
        proposed: NDArray[np.int64] = actions.numpy()
        return proposed

    @torch.no_grad()
    def best_guesses(self, context: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Most probable actions int64[n <= count, fields] for a context, by falling probability.

        A beam search, ``args.beam`` or ``count`` wide; fewer where there are fewer actions.
        """
        width = max(self.args.beam, count)
        actions = torch.zeros(1, len(self.sizes), dtype=torch.int64)
        total = torch.zeros(1)
        for field, size in enumerate(self.sizes):
            states = torch.from_numpy(context).expand(len(actions), -1)
            log_p = self.policy(states, actions)[field].log_softmax(1)
            sums = (total[:, None] + log_p).flatten()  # [beam * size]
            total, kept = sums.topk(min(width, len(sums)))
            actions = actions[kept // size]
            actions[:, field] = kept % size
        guesses: NDArray[np.int64] = actions[:count].numpy()
        return guesses

    def best_guess(self, context: NDArray[np.float32]) -> NDArray[np.int64]:
        """Most probable action int64[fields] for one context float32[context_size]."""
        (guess,) = self.best_guesses(context, 1)
        action: NDArray[np.int64] = guess
        return action

    def learn(
        self,
        contexts: NDArray[np.float32],
        reward: Callable[[NDArray[np.int64]], NDArray[np.float64]],
        examples: Examples | None = None,
    ) -> float:
        """One PPO update on ``args.batch`` designs; return their mean reward.

        ``contexts`` float32[batch, context_size], the rows of a network equal; ``reward`` maps
        actions int64[batch, fields] to rewards float64[batch]. ``examples``, asked at each gradient
        step, gives contexts and good actions that become more probable as well (self-imitation,
        Oh et al., 2018, without its value function).
        """
        args = self.args
        progress = min(1.0, self.updates / args.total_updates)
        self.optimizer.param_groups[0]["lr"] = args.learning_rate * (1 - 0.9 * progress)
        entropy_weight = args.entropy * (1 - progress)

        chosen = self.propose(contexts)
        earned = reward(chosen)
        states, actions = torch.from_numpy(contexts), torch.from_numpy(chosen)
        advantages = torch.from_numpy(_advantages(contexts, earned)).float()
        with torch.no_grad():
            old_log_prob, _ = self._log_prob_and_entropy(states, actions)

        for _ in range(args.epochs):
            order = torch.randperm(len(advantages), generator=self.generator)
            for part in order.chunk(args.minibatches):
                log_prob, entropy = self._log_prob_and_entropy(states[part], actions[part])
                ratio = torch.exp(log_prob - old_log_prob[part])
                gain = advantages[part]
                clipped = torch.clamp(ratio, 1 - args.clip, 1 + args.clip)
                policy_loss = -torch.min(gain * ratio, gain * clipped).mean()
                loss = policy_loss - entropy_weight * entropy.mean()
                if examples is not None:
                    shown, _ = self._log_prob_and_entropy(*map(torch.from_numpy, examples()))
                    loss = loss - args.imitation * shown.mean()
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
                nn.utils.clip_grad_norm_(self.parameters, args.max_norm)
                self.optimizer.step()
        self.updates += 1
        return float(earned.mean())

    def _log_prob_and_entropy(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log probability of each action, and an estimate of the policy's entropy: both [n].

        The entropies of the fields are those behind the choices before them, which are drawn.
        """
        log_prob = torch.zeros(len(states))
        entropy = torch.zeros(len(states))
        for i, part in enumerate(self.policy(states, actions)):
            log_p = torch.log_softmax(part, 1)  # [n, choices]
            log_prob = log_prob + log_p.gather(1, actions[:, i : i + 1])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
        return log_prob, entropy

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the agent does from here on."""
        return {
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.updates = state["updates"]


def _advantages(contexts: NDArray[np.float32], rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rewards less their mean, over their spread, among the rows of equal context."""
    _, groups = np.unique(contexts, axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    counts = np.bincount(groups)
    centred = rewards - (np.bincount(groups, rewards) / counts)[groups]
    spread = np.sqrt(np.bincount(groups, centred**2) / counts)
    advantages: NDArray[np.float64] = centred / (spread[groups] + 1e-8)
    return advantages


class _MaskedPolicy(nn.Module):
    """Logits of all fields at once, each seeing the context and the choices of the fields before it.

    A masked autoencoder (MADE, Germain et al., 2015, section 4): a hidden unit of degree d sees
    choices of the first d fields, and field d sees units of degree d at most.
    """

    def __init__(self, sizes: Sequence[int], context_size: int, hidden: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        field = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        degree = torch.arange(hidden) % len(sizes)
        self.context = nn.Linear(context_size, hidden)
        self.chosen = nn.Linear(len(field), hidden, bias=False)
        self.inner = nn.Linear(hidden, hidden)
        self.outer = nn.Linear(hidden, len(field))
        for layer, gain in (
            (self.context, 2**0.5),
            (self.chosen, 2**0.5),
            (self.inner, 2**0.5),
            (self.outer, 0.01),
        ):
            nn.init.orthogonal_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.masks = (
            (field[None] < degree[:, None]).float(),  # [hidden, choices]
            (degree[None] <= degree[:, None]).float(),  # [hidden, hidden]
            (degree[None] <= field[:, None]).float(),  # [choices, hidden]
        )
        self.starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)  # first choice of each field

    def forward(self, states: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """Logits [n, choices] of each field, of contexts [n, context] and actions [n, fields]."""
        one_hot = torch.zeros(len(states), self.chosen.in_features)
        one_hot.scatter_(1, actions + self.starts, 1.0)
        chosen, inner, outer = self.masks
        seen = linear(one_hot, self.chosen.weight * chosen)
        x = torch.tanh(self.context(states) + seen)
        x = torch.tanh(linear(x, self.inner.weight * inner, self.inner.bias))
        logits = linear(x, self.outer.weight * outer, self.outer.bias)
        return torch.split(logits, list(self.sizes), 1)
