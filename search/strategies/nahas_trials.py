"""Trials of NAHAS: a pair is drawn, its network trained on a proxy, and its score teaches."""

from typing import Any

from search.controller import RecurrentController
from search.policy_gradient import ProximalUpdates
from search.score import Score
from search.strategies.nahas import Nahas
from search.strategies.nahas_settings import NahasTrialSettings
from search.strategies.protocol import CoSearchProblem, StageEnd
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["NahasTrials"]

_SETTLED = 5
"""Updates whose trials are all known after which a controller has settled."""


class NahasTrials(Nahas):
    """Base of the strategies that train every network that they draw.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : NahasTrialSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: NahasTrialSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self._known, self._repeats = 0, 0
        self.proxy = self.made_proxy(
            epochs=settings.proxy_epochs,
            batch=settings.proxy_batch,
            share=settings.proxy_share,
            learning_rate=settings.proxy_learning_rate,
        )

    def learner(self, sizes: tuple[int, ...]) -> ProximalUpdates:
        """Controller over decisions of these sizes, and its updates."""
        return ProximalUpdates(
            RecurrentController(sizes, seed=self.problem.seed),
            batch=self.settings.trials_per_update,
            step_size=self.settings.step_size,
            clip=self.settings.clip,
            passes=self.settings.passes,
            entropy=self.settings.entropy,
        )

    def accuracy(self, architecture: Any) -> float:
        """Validation accuracy on the proxy."""
        share = self.proxy.accuracy(architecture)
        self.children_images = self.proxy.trained_images
        return share

    @property
    def reward(self) -> Score:
        """Reward of a trial."""
        return self.score

    def trial(self, architecture: Any, config: AcceleratorConfig, phase: str) -> float:
        """Judge a pair; where it is not realizable, its network is not trained."""
        if check(config, self.network(architecture)):
            (row,) = self.evaluate(architecture, [config], phase)
            return self.reward(0.0, row)
        accuracy = self.accuracy(architecture)
        (row,) = self.evaluate(architecture, [config], phase, accuracy)
        return self.reward(accuracy, row)

    def end_if_settled(self) -> None:
        """Raise ``StageEnd`` where restarts are asked for, and only known pairs were drawn for some updates."""
        known = len(self.evaluator.records)
        self._repeats = self._repeats + 1 if known == self._known else 0
        self._known = known
        if self.settings.restarts and self._repeats >= _SETTLED * self.settings.trials_per_update:
            self._repeats = 0
            raise StageEnd

    def search_state(self) -> dict[str, Any]:
        """Accuracies of all networks that were trained."""
        return {
            "known": self._known,
            "repeats": self._repeats,
            "accuracies": self.proxy.accuracies,
            "trained_images": self.proxy.trained_images,
        }

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self._known, self._repeats = state["known"], state["repeats"]
        self.proxy.accuracies = dict(state["accuracies"])
        self.proxy.trained_images = state["trained_images"]

    def scored(self, form: str) -> Score:
        """Score of pairs with the soft or the hard exponents."""
        return Score(self.objective, self.target, "hard" if form == "hard" else "soft")
