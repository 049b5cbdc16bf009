"""NAHAS with many trials: a controller draws network and accelerator together."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from search.score import Score
from search.strategies.nahas_settings import NahasJointSettings
from search.strategies.nahas_trials import NahasTrials
from search.strategies.protocol import CoSearchProblem

__all__ = ["NahasJoint"]


class NahasJoint(NahasTrials):
    """Joint search with many trials (Zhou et al., NAHAS, 2021; joint search, and the reward).

    The paper is *Rethinking Co-design of Neural Architectures and Hardware Accelerators*. A recurrent
    controller draws the network α and then the accelerator h. α is trained as a child on a proxy task.
    The reward is the weighted product

        accuracy(α) · (T(α, h) / T₀)^w · Π over budgets (cost / budget)^w',

    w = p where T is at most the target T₀ and q above it: soft with p = q = -0.07, hard with p = 0,
    q = -1; budgets are always hard. Proximal policy optimization, with a bound of 1 on the change of
    a probability and the mean of ten trials as baseline, makes better pairs more probable.

    Where the paper leaves a choice open, or its scale does not fit a processor: the controller is an
    LSTM of 64 units with four gradient steps for each ten trials; its step size is ten times that of
    the paper, which has 5,000 trials; a child is trained as this project trains networks (AdamW with
    a one-cycle step size, whose rise is the warm-up), not by RMSProp for ImageNet, in small
    batches, as a proxy is at chance before some dozens of steps; a network that is
    drawn again is not trained again. Where no budget limits T, T₀ is the cost of a reference
    (:attr:`search.strategies.co_search.CoSearch.target`). A pair that is not realizable is not
    trained, and teaches by how far from the rules it is (:class:`search.score.Score`).

    Parameters
    ----------
    problem : CoSearchProblem
    settings : NahasJointSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: NahasJointSettings) -> None:
        super().__init__(problem, settings)
        self._reward, self._trials = settings.reward, settings.trials
        self.controller = self.learner(self.pair_sizes)

    @cached_property
    def score(self) -> Score:
        """Score of pairs with the exponents of the settings."""
        return self.scored(self._reward)

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Samples."""
        return {"trials": self._trials}

    @property
    def most_probable(self) -> Any:
        """Network of the most probable pair."""
        return self.pair(self.controller.controller.best_guess().tolist())[0]

    def search_step(self, stage: str) -> None:
        """Draw a pair, judge it, and learn when there are enough of them."""
        action = self.controller.controller.draw(1, self.generator)[0]
        architecture, config = self.pair(action.tolist())
        self.controller.observe(action, self.trial(architecture, config, stage))
        self.end_if_settled()

    def search_state(self) -> dict[str, Any]:
        """Controller, and accuracies of all networks that were trained."""
        return super().search_state() | {"controller": self.controller.state_dict()}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        super().load_search_state(state)
        self.controller.load_state_dict(state["controller"])
