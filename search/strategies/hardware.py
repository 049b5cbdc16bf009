"""Search of the accelerator alone: the co-search's agent, for a network that is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.agent import Args, HardwareAgent
from search.neighbourhood import descend
from search.result import Outcome
from search.reward import reward
from search.strategies.hardware_settings import HardwareSettings
from search.strategies.protocol import HardwareProblem
from sim.spec.design import Design

__all__ = ["HardwareSearch"]

_CONTEXT = np.ones((1, 1), np.float32)
"""There is a single network: the agent is told nothing of it."""


class HardwareSearch:
    """Updates of the agent, then a descent from the best design.

    Parameters
    ----------
    problem : HardwareProblem
    settings : HardwareSettings
    """

    def __init__(self, problem: HardwareProblem, settings: HardwareSettings) -> None:
        self._problem = problem
        args = Args(batch=settings.designs_per_update, total_updates=settings.updates)
        self._agent = HardwareAgent(problem.hardware.sizes, 1, args, seed=problem.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage, in order."""
        return {"hardware": self._agent.args.total_updates, "polish": 1}

    def step(self, stage: str) -> None:
        """One update of the agent, or the whole descent."""
        if stage == "hardware":
            self._update()
        else:
            self._polish()

    def outcome(self) -> Outcome:
        """Return the best design of all that were evaluated."""
        problem = self._problem
        (default,) = problem.evaluator.evaluate(
            [problem.hardware.default], problem.network, phase="default"
        )
        feasible = filter(problem.objective.feasible, problem.evaluator.records)
        best = min(feasible, key=problem.objective.rank, default=default)
        return Outcome(
            design=Design(network=problem.network, accelerator=best.accelerator),
            default=default,
            best=best,
        )

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on."""
        return self._agent.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._agent.load_state_dict(state)

    def _update(self) -> None:
        """One PPO update, then its most probable design."""
        problem = self._problem

        def rewards(actions: NDArray[np.int64]) -> NDArray[np.float64]:
            configs = [problem.hardware.config(action) for action in actions.tolist()]
            reference, *proposed = problem.evaluator.evaluate(
                [problem.hardware.default, *configs], problem.network, phase="agent"
            )
            return np.array([reward(problem.objective, row, reference) for row in proposed])

        self._agent.learn(np.repeat(_CONTEXT, self._agent.args.batch, axis=0), rewards)
        guess = problem.hardware.config(self._agent.best_guess(_CONTEXT[0]).tolist())
        problem.evaluator.evaluate([guess], problem.network, phase="greedy")

    def _polish(self) -> None:
        """Change a field of the best design at a time until no change makes it better."""
        problem = self._problem
        descend(
            problem.hardware,
            problem.objective,
            self.outcome().best,
            lambda configs: problem.evaluator.evaluate(configs, problem.network, phase="polish"),
        )
