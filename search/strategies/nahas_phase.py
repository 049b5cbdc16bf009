"""NAHAS in two phases: the accelerator of a network that is given, then a network for it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from search.score import Score
from search.strategies.nahas_settings import NahasPhaseSettings
from search.strategies.nahas_trials import NahasTrials
from search.strategies.protocol import CoSearchProblem
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["NahasPhase"]


class NahasPhase(NahasTrials):
    """Phase-based search (Zhou et al., NAHAS, 2021; the comparison with the joint search).

    First the accelerator h is searched for a network α₀ that stays as it is: a controller over the
    fields is taught by the soft reward accuracy(α₀) · (T(α₀, h) / T₀)^-0.07. Then a second controller
    over the network's decisions is taught on the best h by the hard reward, which is the accuracy
    where T(α, h) is at most T₀, and accuracy · T₀ / T above; its children are trained on a proxy.
    Budgets are hard constraints in both.

    Choices of this project: half of the trials for each phase, and twice as many on request; α₀ is
    the largest network of the space, or the smallest. Controllers, children, target and pairs that are
    not realizable are as in :class:`search.strategies.nahas_joint.NahasJoint`. The accelerator of the first
    phase keeps the budget of area; the others are for the network of the second to keep. Where none
    runs α₀ within the area, the second takes the space's default. The result is the best pair of both phases by
    the soft score.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : NahasPhaseSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: NahasPhaseSettings) -> None:
        super().__init__(problem, settings)
        self._stages = {
            "hardware": settings.hardware_trials,
            "network": settings.network_trials,
        }
        end = -1 if settings.start == "largest" else 0
        self.start = self.member([range(size)[end] for size in self.network_sizes])
        self.controllers = {
            "hardware": self.learner(self.hardware.sizes),
            "network": self.learner(self.network_sizes),
        }
        self._accelerator: tuple[float, list[int]] | None = None

    @cached_property
    def reward(self) -> Score:
        """Reward of the second phase; that of the first is the score."""
        return self.scored("hard")

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Samples of each phase."""
        return self._stages

    @property
    def accelerator(self) -> AcceleratorConfig:
        """Best accelerator of the first phase within the area; the space's default if there is none."""
        if self._accelerator is None:
            return self.hardware.default
        return self.hardware.config(self._accelerator[1])

    @property
    def most_probable(self) -> Any:
        """Most probable network of the second phase."""
        return self.member(self.controllers["network"].controller.best_guess().tolist())

    def search_step(self, stage: str) -> None:
        """Draw an accelerator or a network, judge it, and learn when there are enough of them."""
        _ = self.target  # what it takes to know it is spent before the budget is
        learner = self.controllers[stage]
        action = learner.controller.draw(1, self.generator)[0]
        if stage == "hardware":
            reward = self._hardware_trial(action.tolist())
        else:
            reward = self.trial(self.member(action.tolist()), self.accelerator, stage)
        learner.observe(action, reward)
        self.end_if_settled()

    def _hardware_trial(self, indices: list[int]) -> float:
        share = self.accuracy(self.start)
        config = self.hardware.config(indices)
        (row,) = self.evaluate(self.start, [config], "hardware", share)
        score = self.score(share, row)
        # Other budgets are for the network to keep, which is not yet known.
        within = row.realizable and row["area"] <= self.objective.area_budget
        if within and (self._accelerator is None or score > self._accelerator[0]):
            self._accelerator = score, indices
        return score

    def search_state(self) -> dict[str, Any]:
        """Controllers, the accelerator so far, and accuracies of all networks that were trained."""
        learners = {name: learner.state_dict() for name, learner in self.controllers.items()}
        accelerator = None if self._accelerator is None else list(self._accelerator)
        return super().search_state() | {"controllers": learners, "accelerator": accelerator}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        super().load_search_state(state)
        for name, learner in self.controllers.items():
            learner.load_state_dict(state["controllers"][name])
        best = state["accelerator"]
        self._accelerator = None if best is None else (best[0], list(best[1]))
