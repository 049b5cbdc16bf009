"""Restarts: a co-search that ends before its budget is spent is followed by others with other seeds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from search.evaluator import BudgetSpent
from search.known_training import KnownTraining
from search.result import Outcome
from search.strategies.co_search import CoSearch
from search.strategies.protocol import CoSearchProblem, StageEnd
from search.strategies.settings import RESTARTS, TRAINING, PairBudgetSettings

__all__ = ["Restarted"]

_LEFT = 20
"""Part of the budget, a twentieth, that no search is begun for."""

_IDLE = 10
"""Searches in a row without anything new after which there are no more."""

_STEPS = 10**9
"""Steps of the restarts, of which there are more than any budget pays."""

_PREPARATION = "warm-up"
"""Stage that is not repeated: the shared weights that it trained are there."""


class Restarted:
    """A co-search, and searches of the same strategy until at most a twentieth of the budget is left.

    Each has a seed of its own, which follows from the problem's, and what is left of the budget, which its stages share as they do
    a whole budget. It knows what those before it have paid for: costs of pairs, accuracies, and shared weights
    (:meth:`search.strategies.co_search.CoSearch.follow`). It has learned nothing from them. The result is the
    best pair of all.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : PairBudgetSettings
        With a budget.
    make : callable
        Makes a :class:`search.strategies.co_search.CoSearch` of a problem and settings.
    """

    def __init__(
        self,
        problem: CoSearchProblem,
        settings: PairBudgetSettings,
        make: Callable[[CoSearchProblem, PairBudgetSettings], CoSearch],
    ) -> None:
        self._problem, self._settings, self._make = problem, settings, make
        self._evaluator = problem.evaluator
        self._search = make(problem, settings)
        self._searched = dict(self._search.search_stages)
        self._number, self._spent, self._idle = 0, 0, 0
        self._before: list[int] = [0, 0]
        self._place: list[int] | None = None

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage of the first search, the others, and the training."""
        training = {
            stage: steps for stage, steps in self._search.stages.items() if stage == TRAINING
        }
        return {**self._searched, RESTARTS: _STEPS, **training}

    def step(self, stage: str) -> None:
        """Advance the first search, one of the others, or the training.

        Raises
        ------
        StageEnd, BudgetSpent, NotRealizableError
            As a strategy does; at the end of the restarts.
        """
        if stage != RESTARTS:
            self._search.step(stage)
        elif self._place is None:
            self._begin()
        else:
            self._advance(*self._place)

    def _begin(self) -> None:
        """Begin another search."""
        news = self._news()
        spent, budget = max(news), self._settings.budget
        self._idle = self._idle + 1 if self._number and news == self._before else 0
        pairs = self._problem.networks.size * len(self._problem.hardware)
        if budget - spent <= budget // _LEFT or self._idle == _IDLE or news[0] >= pairs:
            raise StageEnd
        self._number, self._spent, self._before = self._number + 1, spent, news
        earlier, self._search = self._search, self._made()
        self._search.follow(earlier)
        self._place = [0, 0]

    def _made(self) -> CoSearch:
        seeds = np.random.SeedSequence([self._problem.seed, self._number])
        problem = replace(
            self._problem,
            seed=int(seeds.generate_state(1)[0]),
            training_seed=self._problem.seed,
            spent=self._spent,
        )
        return self._make(problem, self._settings.restarted(self._settings.budget - self._spent))

    def _advance(self, place: int, done: int) -> None:
        """Do a step of the search that is under way."""
        stages = [
            (stage, steps)
            for stage, steps in self._search.search_stages.items()
            if stage != _PREPARATION
        ]
        stage, steps = stages[place]
        if done < steps:
            self._evaluator.limit = self._settings.limit(stage, self._spent)
            try:
                self._search.step(stage)
                done += 1
            except (BudgetSpent, StageEnd):
                done = steps
        if done < steps:
            self._place = [place, done]
        else:
            self._place = [place + 1, 0] if place + 1 < len(stages) else None
        if max(self._news()) >= self._settings.budget:
            self._place = None

    def _news(self) -> list[int]:
        """Numbers of pairs that were evaluated, and of networks whose known accuracy was looked up."""
        known = self._search.known_training
        return [len(self._evaluator.records), 0 if known is None else len(known.accuracies)]

    @property
    def known_training(self) -> KnownTraining | None:
        """Look-ups of accuracies by all searches."""
        return self._search.known_training

    def chosen(self) -> tuple[Any, Any]:
        """Network and accelerator of the best pair of all (:meth:`search.strategies.co_search.CoSearch.chosen`)."""
        return self._search.chosen()

    def outcome(self) -> Outcome:
        """Return the design of the best pair of all."""
        return self._search.outcome()

    def state_dict(self) -> dict[str, Any]:
        """State of the search that is under way, and which it is."""
        return {
            "number": self._number,
            "spent": self._spent,
            "idle": self._idle,
            "before": list(self._before),
            "place": None if self._place is None else list(self._place),
            "search": self._search.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._number, self._spent, self._idle = state["number"], state["spent"], state["idle"]
        self._before = list(state["before"])
        self._place = None if state["place"] is None else list(state["place"])
        if self._number:
            self._search = self._made()
        self._search.load_state_dict(state["search"])
