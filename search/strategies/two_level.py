"""Two-level co-exploration: networks that cannot meet the specification are pruned before training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.controller import RecurrentController
from search.evaluator import Evaluation
from search.moving_mean import MovingMean
from search.policy_gradient import reinforce
from search.strategies.nahas import Nahas
from search.strategies.protocol import CoSearchProblem
from search.strategies.sampling import Dice
from search.strategies.two_level_settings import REFINEMENT, TwoLevelSettings

__all__ = ["TwoLevel"]

_SMOOTHING = 0.99
"""RMSProp's, of squared gradients."""

Point = tuple[int, ...]


class TwoLevel(Nahas):
    """Co-exploration (Jiang et al., *Hardware/Software Co-Exploration of Neural Architectures*, 2020).

    An episode has the paper's two levels, fast and slow exploration:

    * Fast level, without training. The controller draws networks. For each, accelerators are
      searched, and a network whose best misses the specification is pruned. The controller learns
      from the hardware alone: with o = Σ max(0, cost / limit - 1) over the budgets and the target, the
      reward is -o / (1 + o), so 0 within the specification; a design that breaks rules has below -1.
    * Slow level. Networks that survive are trained from scratch, and more accelerators are tried
      for them. The controller learns from accuracy(α) · (T(α, h) / T₀)^-0.07 of the best.

    The controller is an LSTM of 35 units and learns by REINFORCE, -(R - b) · log p(α), with RMSProp
    whose step size is halved every 50 episodes (the code of HotNAS, of the same group).

    Where the paper leaves a choice open, or was made for FPGAs: its fast level lays a network out on a
    pipeline of FPGAs by an algorithm of its own; here each accelerator is a mutant in one field of the
    best so far, and the first is the best of the candidate before. The limit of the objective's
    metric is its budget, else :attr:`search.strategies.co_search.CoSearch.target`. The paper mixes
    accuracy and efficiency linearly; here the slow reward is the score that all co-searches have
    (:class:`search.score.Score`). Each level has a moving baseline of its own, since their rewards
    have different scales. HotNAS's step size is 0.99; here, 0.02 made a network
    of the first few draws certain, and the default is 0.002. A network that is drawn again is not trained again.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : TwoLevelSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: TwoLevelSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self.proxy = self.made_proxy(
            epochs=settings.child_epochs,
            batch=problem.train.batch,
            share=settings.child_share,
            learning_rate=problem.train.learning_rate,
        )
        self.controller = RecurrentController(
            self.network_sizes, hidden=settings.units, seed=problem.seed
        )
        self._optimizer = torch.optim.RMSprop(
            self.controller.parameters(), lr=settings.step_size, alpha=_SMOOTHING
        )
        self._baselines: dict[str, MovingMean] = {}
        self._dice = Dice(self.hardware, problem.seed)
        self._point: Point = self.hardware.indices(self.hardware.default)
        self.episodes_done = 0

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Episodes, and the search of the final network's accelerator."""
        return {"episodes": self.settings.episodes, REFINEMENT: 1}

    @property
    def most_probable(self) -> Any:
        """Network that the controller thinks most of."""
        return self.member(self.controller.best_guess().tolist())

    def search_step(self, stage: str) -> None:
        """One episode, or the whole refinement."""
        if stage != REFINEMENT:
            self.episode()
            return
        best = self.best_accelerator(self.refined)
        if best is not None:
            self._point = self.hardware.indices(best.accelerator)
        accuracy = self.proxy.accuracies.get(self.refined.key)
        self._improved(self.refined, self.settings.refine_samples, stage, accuracy)

    def episode(self) -> None:
        """Draw and prune networks, then train those that survive."""
        for group in self._optimizer.param_groups:
            halvings = self.episodes_done // self.settings.halving
            group["lr"] = self.settings.step_size * 0.5**halvings
        survivors: list[NDArray[np.int64]] = []
        for _ in range(self.settings.candidates):
            action = self.controller.draw(1, self.generator)[0]
            best = self._improved(
                self.member(action.tolist()), self.settings.hardware_samples, "fast"
            )
            reward = self.fast_reward(best)
            self._learn("fast", action, reward)
            if reward == 0:
                survivors.append(action)
            if len(survivors) == self.settings.survivors:
                break
        for action in survivors:
            self._learn("slow", action, self._slow_reward(action))
        self.episodes_done += 1

    def fast_reward(self, evaluation: Evaluation) -> float:
        """Negative distance from the specification, 0 within it; in (-1, 0] where realizable."""
        if not evaluation.realizable:
            return -1 + self.score(0.0, evaluation)
        over = float(self.objective.overrun(evaluation))
        metric = self.objective.cost(evaluation) / self.target
        over = max(over, float(metric) - 1, 0.0)
        return -over / (1 + over)

    def _slow_reward(self, action: NDArray[np.int64]) -> float:
        """Score of a survivor on the best of its accelerators, which are searched further."""
        architecture = self.member(action.tolist())
        accuracy = self.proxy.accuracy(architecture)
        self.children_images = self.proxy.trained_images
        best = self.best_accelerator(architecture)
        if best is not None:
            self._point = self.hardware.indices(best.accelerator)
        better = self._improved(architecture, self.settings.hardware_samples, "slow", accuracy)
        (score,) = self.judge(architecture, [better.accelerator], "slow", accuracy)
        return score

    def _improved(
        self, architecture: Any, samples: int, phase: str, accuracy: float | None = None
    ) -> Evaluation:
        """Climb from the last point by mutants that are better; ``samples`` accelerators in all."""
        point = self._point
        (here,) = self.evaluate(architecture, [self.hardware.config(point)], phase, accuracy)
        for _ in range(samples - 1):
            other = self._dice.mutant(point)
            (there,) = self.evaluate(architecture, [self.hardware.config(other)], phase, accuracy)
            if self._merit(there) > self._merit(here):
                point, here = other, there
        self._point = point
        return here

    def _merit(self, evaluation: Evaluation) -> tuple[float, float, float]:
        """Order of accelerators: by distance from the specification, then cost, then area."""
        cost, area = self.objective.rank(evaluation)
        return self.fast_reward(evaluation), -float(cost), -float(area)

    def _learn(self, level: str, action: NDArray[np.int64], reward: float) -> None:
        """One step of REINFORCE from the baseline of the level, where the reward differs from it."""
        advantage = self._baselines.setdefault(level, MovingMean()).advantage(reward)
        if advantage:
            reinforce(self.controller, self._optimizer, action, advantage)

    def search_state(self) -> dict[str, Any]:
        """Controller and baselines, accuracies so far, and where the search of accelerators is."""
        return {
            "controller": self.controller.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "baselines": {level: mean.mean for level, mean in self._baselines.items()},
            "accuracies": self.proxy.accuracies,
            "trained_images": self.proxy.trained_images,
            "dice": self._dice.state(),
            "point": list(self._point),
            "episodes_done": self.episodes_done,
        }

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self.controller.load_state_dict(state["controller"])
        self._optimizer.load_state_dict(state["optimizer"])
        for level, mean in state["baselines"].items():
            self._baselines.setdefault(level, MovingMean()).mean = mean
        self.proxy.accuracies = dict(state["accuracies"])
        self.proxy.trained_images = state["trained_images"]
        self._dice.restore(state["dice"])
        self._point = tuple(state["point"])
        self.episodes_done = state["episodes_done"]
