"""NAHAS with shared weights: a controller learns while the supernet is trained."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from search.controller import RecurrentController
from search.learned_costs import LearnedCosts
from search.policy_gradient import Reinforce
from search.result import Outcome
from search.strategies.co_search import CoSearch
from search.strategies.nahas import Nahas
from search.strategies.nahas_settings import NahasOneshotSettings
from search.strategies.protocol import CoSearchProblem
from sim.spec.errors import NotRealizableError

__all__ = ["NahasOneshot"]

_LABELS_PER_STEP = 64


class NahasOneshot(Nahas):
    """Search with shared weights (Zhou et al., NAHAS, 2021; one-shot search and cost model).

    In every step a controller draws a network α and an accelerator h; the supernet's weights take a
    gradient step for α on a batch of training images; the accuracy Q(α) on a batch of validation images
    gives the absolute reward of TuNAS (Bender et al., 2020, Section 3.1),

        Q(α) - b · abs(T(α, h) / T₀ - 1),

    and REINFORCE with a moving baseline (0.95) makes better pairs more probable. Before that, the
    supernet is trained with networks drawn by chance while the controller does not learn.

    T comes from a learned cost model: an MLP of three layers of 256 units with dropout of 0.1 and a
    head each for T and for the area, trained on pairs drawn by chance whose exact costs are labels
    and count as evaluations. With ``cost_model = "exact"`` the exact model answers in its place, and
    every pair counts.

    Choices of this project: a network is drawn anew for each label; the heads learn logarithms; a label
    that is not realizable is dear (:class:`search.learned_costs.LearnedCosts`). Budgets of other costs
    than T are hard: Q is multiplied by budget / cost where that is below 1. A pair that is not realizable
    by the exact model has its graded score as the reward (:class:`search.score.Score`). The controller
    is the LSTM of the joint search instead of independent logits, which cannot express that an area is
    shared by the fields. TuNAS's warm-up of operations and filters is left out: the supernet masks
    channels. At the end the most probable pair, pairs drawn from the controller, and the most probable
    network on the space's default are judged by the exact model and all validation images.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : NahasOneshotSettings
        With an objective that they accept (``require_objective``).
    """

    def __init__(self, problem: CoSearchProblem, settings: NahasOneshotSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self.controller = RecurrentController(self.pair_sizes, seed=problem.seed)
        self.reinforce = Reinforce(self.controller, step_size=settings.step_size)
        self.learned: LearnedCosts | None = None
        if settings.cost_model == "learned":
            self.learned = LearnedCosts(self.objective, self.pair_sizes, seed=problem.seed)
        self._label_draws = 0

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Batches of labels and epochs of the cost model; epochs of the supernet; the selection."""
        settings = self.settings
        stages = {"warm-up": settings.warmup_epochs, "one-shot": settings.epochs, "selection": 1}
        if self.learned is None:
            return stages
        labels = math.ceil(settings.labels / _LABELS_PER_STEP)
        return {"labels": labels, "cost model": settings.cost_epochs, **stages}

    @property
    def most_probable(self) -> Any:
        """Network of the most probable pair."""
        return self.pair(self.controller.best_guess().tolist())[0]

    def search_step(self, stage: str) -> None:
        """Some labels, an epoch of what is trained, or the whole selection."""
        _ = self.target  # what it takes to know it is spent before the budget is
        if stage == "labels":
            self._label()
        elif stage == "cost model":
            self._fit()
        elif stage == "warm-up":
            # The controller has not learned: all networks are equally probable.
            self.weights.epoch(lambda: self.pair(self._drawn())[0])
        elif stage == "one-shot":
            for part in self.weights.batches():
                self._reinforce(part)
        else:
            self._select()

    def _drawn(self) -> list[int]:
        indices: list[int] = self.controller.draw(1, self.generator)[0].tolist()
        return indices

    def _learned(self) -> LearnedCosts:
        if self.learned is None:
            raise RuntimeError("costs must be learned to be asked for")
        return self.learned

    def _label(self) -> None:
        learned = self._learned()
        count = min(_LABELS_PER_STEP, self.settings.labels - self._label_draws)
        self._label_draws += count
        for drawn in self.controller.draw(count, self.generator).tolist():
            indices = self.canonical(drawn)
            architecture, config = self.pair(indices)
            (row,) = self.evaluate(architecture, [config], "label")
            learned.add(indices, row)

    def _fit(self) -> None:
        learned = self._learned()
        if not learned.realizable:
            raise NotRealizableError(
                f"a pair of the {len(learned)} labels must be realizable and not held out, but none is"
            )
        learned.epoch()

    def _reinforce(self, part: Tensor) -> None:
        """One step of the drawn network's weights, and one of the controller."""
        action = self.controller.draw(1, self.generator)[0]
        indices = action.tolist()
        architecture, _ = self.pair(indices)
        self.weights.step(part, lambda: architecture)
        self.reinforce.learn(action, self.reward(indices, self._quality(architecture)))

    def _quality(self, architecture: Any) -> float:
        """Accuracy on a batch of validation images with the shared weights."""
        part = self.weights.validation_batch(self.problem.train.batch)
        return self.weights.part_accuracy(part, architecture)

    def reward(self, indices: list[int], quality: float) -> float:
        """Absolute reward of a pair whose network has this accuracy."""
        costs: Mapping[str, int | float]
        if self.learned is not None:
            cost, area = self.learned.predict(self.canonical(indices))
            costs = {"area": area}
        else:
            architecture, config = self.pair(indices)
            (row,) = self.evaluate(architecture, [config], "one-shot")
            if not row.realizable:
                return self.score(quality, row)
            cost, costs = float(self.objective.cost(row)), row.costs
        limits = self.objective.other_budgets
        within = math.prod(min(1.0, limit / costs[name]) for name, limit in limits.items())
        return quality * within - self.settings.cost_weight * abs(cost / self.target - 1)

    def _select(self) -> None:
        """Judge the most probable pair, its network on the default, and drawn pairs."""
        probable = self.controller.best_guess().tolist()
        drawn = self.controller.draw(self.settings.candidates, self.generator).tolist()
        pairs = [self.pair(probable), (self.most_probable, self.hardware.default)]
        pairs += [self.pair(indices) for indices in drawn]
        shares: dict[str, float] = {}
        for architecture, config in pairs:
            if architecture.key not in shares:
                shares[architecture.key] = self.weights.accuracy(architecture)
            self.judge(architecture, [config], "selection", shares[architecture.key])

    def follow(self, earlier: CoSearch) -> None:
        """Know what an earlier search has paid for, its labels as well."""
        super().follow(earlier)
        if self.learned is not None and isinstance(earlier, NahasOneshot):
            self.learned.follow(earlier._learned())

    def outcome(self) -> Outcome:
        """Quantize the trained network, choose its hardware, and tell the learned model's error."""
        error = None if self.learned is None else self.learned.error()
        return replace(super().outcome(), cost_model=error)

    def search_state(self) -> dict[str, Any]:
        """Controller and learned costs."""
        return {
            "controller": self.reinforce.state_dict(),
            "learned": None if self.learned is None else self.learned.state_dict(),
            "label_draws": self._label_draws,
        }

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self.reinforce.load_state_dict(state["controller"])
        self._label_draws = state["label_draws"]
        if self.learned is not None:
            self.learned.load_state_dict(state["learned"])
