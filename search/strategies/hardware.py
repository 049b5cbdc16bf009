"""Search of the accelerator alone: the co-search's agent, for a network that is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.agent import Args, HardwareAgent
from search.reward import reward
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.hardware_settings import HardwareSettings
from search.strategies.protocol import HardwareProblem

__all__ = ["HardwareSearch"]

_CONTEXT = np.ones((1, 1), np.float32)
"""There is a single network: the agent is told nothing of it."""


class HardwareSearch(AcceleratorSearch):
    """Updates of the agent (proximal policy optimization, Schulman et al., 2017).

    Parameters
    ----------
    problem : HardwareProblem
    settings : HardwareSettings
    """

    def __init__(self, problem: HardwareProblem, settings: HardwareSettings) -> None:
        super().__init__(problem)
        args = Args(batch=settings.designs_per_update, total_updates=settings.updates)
        self._agent = HardwareAgent(problem.hardware.sizes, 1, args, seed=problem.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """Updates of the agent."""
        return {"hardware": self._agent.args.total_updates}

    def step(self, stage: str) -> None:
        """One PPO update, then its most probable design."""

        def rewards(actions: NDArray[np.int64]) -> NDArray[np.float64]:
            configs = [self.hardware.config(action) for action in actions.tolist()]
            reference, *proposed = self.evaluate([self.hardware.default, *configs], "agent")
            return np.array([reward(self.problem.objective, row, reference) for row in proposed])

        self._agent.learn(np.repeat(_CONTEXT, self._agent.args.batch, axis=0), rewards)
        guess = self.hardware.config(self._agent.best_guess(_CONTEXT[0]).tolist())
        self.evaluate([guess], "greedy")

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on."""
        return self._agent.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._agent.load_state_dict(state)
