"""Two ways in which rewards teach a controller: proximal policy optimization, and REINFORCE."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from search.controller import RecurrentController
from search.moving_mean import MovingMean

__all__ = ["ProximalUpdates", "Reinforce", "reinforce"]


class ProximalUpdates:
    """Proximal policy optimization (Schulman et al., 2017, Equation 7) on batches of trials.

    The baseline is the mean reward of the batch. A gradient step maximizes the mean of
    min(r·g, clamp(r, 1 - clip, 1 + clip)·g) + entropy · H, where g is the gain over the baseline and
    r the ratio of a trial's probability to that when it was drawn.

    Parameters
    ----------
    controller : RecurrentController
    batch : int
        Trials of an update.
    step_size : float
        Adam's.
    clip : float
    passes : int
        Gradient steps for a batch.
    entropy : float
        Weight of the entropy.
    """

    def __init__(
        self,
        controller: RecurrentController,
        *,
        batch: int,
        step_size: float,
        clip: float,
        passes: int,
        entropy: float,
    ) -> None:
        self.controller = controller
        self.batch = batch
        self.clip, self.passes, self.entropy = clip, passes, entropy
        self.optimizer = torch.optim.Adam(controller.parameters(), lr=step_size)
        self._actions: list[list[int]] = []
        self._rewards: list[float] = []

    def observe(self, action: NDArray[np.int64], reward: float) -> None:
        """Take a trial int64[decisions] that the controller drew; learn when there is a batch."""
        self._actions.append(action.tolist())
        self._rewards.append(reward)
        if len(self._rewards) == self.batch:
            self.learn(np.array(self._actions), np.array(self._rewards))
            self._actions, self._rewards = [], []

    def learn(self, actions: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
        """Learn from trials int64[n, decisions] that the controller drew, and their rewards [n]."""
        if not self.controller.free:
            return
        gains = torch.from_numpy(rewards - rewards.mean()).float()
        with torch.no_grad():
            drawn, _ = self.controller.log_prob_and_entropy(actions)
        for _ in range(self.passes):
            log_prob, entropy = self.controller.log_prob_and_entropy(actions)
            ratio = torch.exp(log_prob - drawn)
            clipped = torch.clamp(ratio, 1 - self.clip, 1 + self.clip)
            gain = torch.min(ratio * gains, clipped * gains) + self.entropy * entropy
            self.optimizer.zero_grad()
            (-gain.mean()).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """All that decides what is drawn and learned from here on, but the generator."""
        trials = {"actions": self._actions, "rewards": self._rewards}
        return _state(self.controller, self.optimizer) | trials

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._actions, self._rewards = list(state["actions"]), list(state["rewards"])


def reinforce(
    controller: RecurrentController,
    optimizer: torch.optim.Optimizer,
    action: NDArray[np.int64],
    advantage: float,
) -> None:
    """Take a gradient step that maximizes advantage · log p(action) (REINFORCE, Williams, 1992).

    Nothing is done where the controller has nothing to choose.
    """
    if not controller.free:
        return
    log_prob, _ = controller.log_prob_and_entropy(action[None])
    optimizer.zero_grad()
    (-advantage * log_prob[0]).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    optimizer.step()


class Reinforce:
    """REINFORCE (Williams, 1992) on a trial at a time, with a moving baseline.

    A gradient step maximizes (reward - baseline) · log p(trial); the baseline is the first reward,
    and then moves by a twentieth towards each. Adam without momentum, as TuNAS (Bender et al., 2020)
    has it.

    Parameters
    ----------
    controller : RecurrentController
    step_size : float
        Adam's.
    """

    def __init__(self, controller: RecurrentController, *, step_size: float) -> None:
        self.controller = controller
        self.optimizer = torch.optim.Adam(controller.parameters(), lr=step_size, betas=(0.0, 0.999))
        self.baseline = MovingMean()

    def learn(self, action: NDArray[np.int64], reward: float) -> None:
        """Learn from a trial int64[decisions] and its reward."""
        reinforce(self.controller, self.optimizer, action, self.baseline.advantage(reward))

    def state_dict(self) -> dict[str, Any]:
        """All that decides what is drawn and learned from here on, but the generator."""
        return _state(self.controller, self.optimizer) | {"baseline": self.baseline.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline.mean = state["baseline"]


def _state(controller: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {"controller": controller.state_dict(), "optimizer": optimizer.state_dict()}
