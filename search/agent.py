"""PPO hardware agent: proposes accelerators for a network (RHNAS; one file, after CleanRL)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Args", "HardwareAgent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Args:
    """Hyperparameters of the PPO agent."""

    hidden: int = 64
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
    entropy: float = 0.5
    """Weight of the entropy bonus at the start; falls linearly to 0 at ``total_updates``."""
    value: float = 0.5
    """Weight of the value loss."""
    max_norm: float = 0.5
    """Bound on the gradient's norm."""
    total_updates: int = 60
    """Updates over which the step size and the entropy bonus fall."""


class HardwareAgent:
    """Policy over one choice per hardware field, given an encoding of the network.

    An episode is one step: all fields are chosen at once and the reward is the design's.

    Parameters
    ----------
    sizes : sequence of int
        Number of choices of each field.
    context_size : int
        Length of the network's encoding.
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
            self.actor = _mlp(context_size, args.hidden, sum(self.sizes), gain=0.01)
            self.critic = _mlp(context_size, args.hidden, 1, gain=1.0)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=args.learning_rate, eps=1e-5)
        self.updates = 0

    @torch.no_grad()
    def propose(self, contexts: NDArray[np.float32]) -> NDArray[np.int64]:
        """Draw one action int64[n, fields] for each context float32[n, context_size]."""
        logits = self.actor(torch.from_numpy(contexts))
        columns = [
            torch.multinomial(torch.softmax(part, 1), 1, generator=self.generator)
            for part in logits.split(self.sizes, 1)
        ]
        actions: NDArray[np.int64] = torch.cat(columns, 1).numpy()  # [n, fields]
        return actions

    @torch.no_grad()
    def best_guess(self, context: NDArray[np.float32]) -> NDArray[np.int64]:
        """Most probable action int64[fields] for one context float32[context_size]."""
        parts = self.actor(torch.from_numpy(context)).split(self.sizes)
        return np.array([int(part.argmax()) for part in parts])

    def learn(
        self,
        contexts: NDArray[np.float32],
        reward: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    ) -> float:
        """One PPO update on ``args.batch`` designs; return their mean reward.

        ``contexts`` float32[batch, context_size]; ``reward`` maps actions int64[batch, fields]
        to rewards float64[batch].
        """
        args = self.args
        progress = min(1.0, self.updates / args.total_updates)
        self.optimizer.param_groups[0]["lr"] = args.learning_rate * (1 - 0.9 * progress)
        entropy_weight = args.entropy * (1 - progress)

        chosen = self.propose(contexts)
        earned = reward(chosen)
        states, actions = torch.from_numpy(contexts), torch.from_numpy(chosen)
        rewards = torch.from_numpy(earned).float()
        with torch.no_grad():
            old_log_prob, _ = self._log_prob_and_entropy(states, actions)
            advantages = rewards - self.critic(states)[:, 0]  # one step: no bootstrap
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)

        for _ in range(args.epochs):
            order = torch.randperm(len(rewards), generator=self.generator)
            for part in order.chunk(args.minibatches):
                log_prob, entropy = self._log_prob_and_entropy(states[part], actions[part])
                ratio = torch.exp(log_prob - old_log_prob[part])
                gain = advantages[part]
                clipped = torch.clamp(ratio, 1 - args.clip, 1 + args.clip)
                policy_loss = -torch.min(gain * ratio, gain * clipped).mean()
                value_loss = (self.critic(states[part])[:, 0] - rewards[part]).square().mean()
                loss = policy_loss + args.value * value_loss - entropy_weight * entropy.mean()
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.parameters, args.max_norm)
                self.optimizer.step()
        self.updates += 1
        return float(earned.mean())

    def _log_prob_and_entropy(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        log_prob = torch.zeros(len(states))
        entropy = torch.zeros(len(states))
        for i, part in enumerate(self.actor(states).split(self.sizes, 1)):
            log_p = torch.log_softmax(part, 1)  # [n, choices]
            log_prob = log_prob + log_p.gather(1, actions[:, i : i + 1])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
        return log_prob, entropy

    def state_dict(self) -> dict[str, Any]:
        """All that decides what the agent does from here on."""
        return {
            "actor": self.actor.state_dict(),
            "critic": self.critic.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.actor.load_state_dict(state["actor"])
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.updates = state["updates"]


def _mlp(inputs: int, hidden: int, outputs: int, *, gain: float) -> nn.Sequential:
    layers = [nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)]
    for layer, scale in zip(layers, (2**0.5, 2**0.5, gain), strict=True):
        nn.init.orthogonal_(layer.weight, scale)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
