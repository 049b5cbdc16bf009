"""Optuna's samplers as co-searches: TPE and NSGA-II over network and accelerator at once."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search.strategies.joint_baseline import JointBaseline
from search.strategies.joint_baseline_settings import (
    JointBaselineSettings,
    JointNsgaSettings,
    JointTpeSettings,
)
from search.strategies.optuna_search import ASKS, CONSTRAINT, made_study
from search.strategies.protocol import CoSearchProblem

__all__ = ["JointOptuna", "joint_nsga", "joint_tpe"]


class JointOptuna(JointBaseline):
    """A study of Optuna (Akiba et al., KDD 2019) over the decisions of the network and the fields of the accelerator.

    A decision is a category, a field the integer index of its value, since values are in order. What is minimized is the
    negative merit (:meth:`search.strategies.joint_baseline.JointBaseline.judged`), so that pairs that are not feasible are ranked, too; a
    sampler of several objectives gets error and cost, and the distance from being feasible as a constraint.

    Optuna's samplers cannot save all of their state. A search that goes on asks the sampler for the
    same pairs again, whose costs are known.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : JointBaselineSettings
    make : callable
        Makes the sampler.
    objectives : int
        1, or 2: error and cost.
    """

    def __init__(
        self,
        problem: CoSearchProblem,
        settings: JointBaselineSettings,
        make: Callable[[], Any],
        objectives: int = 1,
    ) -> None:
        super().__init__(problem, settings)
        import optuna

        self._objectives, self._asked = objectives, 0
        self._study = made_study(make(), objectives)
        self._choices: dict[str, optuna.distributions.BaseDistribution] = {
            f"network.{name}": optuna.distributions.CategoricalDistribution(range(len(values)))
            for name, values in self.networks.decisions.items()
        }
        self._fields: dict[str, optuna.distributions.BaseDistribution] = {
            f"accelerator.{name}": optuna.distributions.IntDistribution(0, size - 1)
            for name, size in zip(self.hardware.values, self.hardware.sizes, strict=True)
        }

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Epochs of the warm-up, and questions that are enough in any case; the budget ends them."""
        return {**super().search_stages, "pairs": ASKS * self.settings.budget}

    def pairs_step(self) -> None:
        """Ask for a pair, judge it, tell."""
        trial = self._study.ask(self._choices | self._fields)
        pair = self.pair(
            [trial.params[name] for name in self._choices],
            [trial.params[name] for name in self._fields],
        )
        row, merit = self.judged(pair, self.settings.strategy)
        if self._objectives == 1:
            self._study.tell(trial, -merit)
        else:
            trial.set_constraint(CONSTRAINT, max(0.0, -merit))
            cost = float(self.objective.cost(row)) if row.realizable else float(np.inf)
            self._study.tell(trial, [1 - self.measured[row.network][0], cost])
        self._asked += 1

    def search_state(self) -> dict[str, Any]:
        """State of the draws, and the number of pairs that were asked for."""
        return super().search_state() | {"asked": self._asked}

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Ask again for as many pairs as :meth:`search_state` says."""
        for _ in range(state["asked"]):
            self.pairs_step()
        super().load_search_state(state)


def joint_tpe(problem: CoSearchProblem, settings: JointTpeSettings) -> JointOptuna:
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), a density for each decision and field."""
    from optuna.samplers import TPESampler

    return JointOptuna(
        problem,
        settings,
        lambda: TPESampler(seed=problem.seed, n_startup_trials=settings.startup),
    )


def joint_nsga(problem: CoSearchProblem, settings: JointNsgaSettings) -> JointOptuna:
    """NSGA-II (Deb et al., 2002) of error and cost, with constrained domination."""
    from optuna.samplers import NSGAIISampler

    return JointOptuna(
        problem,
        settings,
        lambda: NSGAIISampler(seed=problem.seed, population_size=settings.population),
        objectives=2,
    )
