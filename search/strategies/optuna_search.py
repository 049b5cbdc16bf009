"""Optuna's samplers as strategies: TPE, CMA-ES and NSGA-II."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search.evaluator import Evaluation
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.baseline_settings import CmaesSettings, NsgaSettings, TpeSettings
from search.strategies.budget_settings import BudgetSettings
from search.strategies.protocol import HardwareProblem

__all__ = ["ASKS", "CONSTRAINT", "OptunaSearch", "cmaes", "made_study", "nsga", "tpe"]

CONSTRAINT = "constraint"
"""Name of a trial's constraint: its distance from being feasible."""

ASKS = 3
"""Times the budget that a sampler is asked at most: what it asks for again is free."""


def made_study(sampler: Any, objectives: int) -> Any:
    """Make a silent study that minimizes some objectives."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        sampler=sampler, directions=["minimize"] * objectives, study_name="search"
    )


class OptunaSearch(AcceleratorSearch):
    """A study of Optuna (Akiba et al., KDD 2019), whose parameters are the fields of the space.

    A field is the integer index of its value, since values are in order. What is minimized is the
    negative merit, so that designs that are not feasible are ranked, too; a sampler of several
    objectives gets cost and area, and the distance from being feasible as a constraint.

    Optuna's samplers cannot save all of their state. A search that goes on asks the sampler for the
    same points again, and the evaluator knows their costs.

    Parameters
    ----------
    problem : HardwareProblem
    settings : BudgetSettings
    make : callable
        Makes the sampler.
    objectives : int
        1, or 2: cost and area.
    """

    def __init__(
        self,
        problem: HardwareProblem,
        settings: BudgetSettings,
        make: Callable[[], Any],
        objectives: int = 1,
    ) -> None:
        super().__init__(problem)
        import optuna

        self._settings, self._objectives, self._asked = settings, objectives, 0
        self._study = made_study(make(), objectives)
        self._fields: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(0, size - 1)
            for name, size in zip(self.hardware.values, self.hardware.sizes, strict=True)
        }

    @property
    def stages(self) -> Mapping[str, int]:
        """Questions that are enough in any case; the budget ends them."""
        budget = self._settings.search_budget or len(self.hardware)
        return {self._settings.strategy: ASKS * budget}

    def step(self, stage: str) -> None:
        """Ask for a point, evaluate it, tell."""
        trial = self._study.ask(self._fields)
        (row,) = self.evaluate_points([tuple(trial.params.values())], stage)
        merit = self.merit(row)
        if self._objectives == 1:
            self._study.tell(trial, -merit)
        else:
            trial.set_constraint(CONSTRAINT, max(0.0, -1 - merit))
            self._study.tell(trial, self._costs(row))
        self._asked += 1

    def _costs(self, row: Evaluation) -> list[float]:
        cost = float(self.problem.objective.cost(row)) if row.realizable else float(np.inf)
        return [cost, float(row["area"])]

    def state_dict(self) -> dict[str, Any]:
        """Number of points that were asked for."""
        return {"asked": self._asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Ask again for as many points as :meth:`state_dict` says."""
        for _ in range(state["asked"]):
            self.step(self._settings.strategy)


def tpe(problem: HardwareProblem, settings: TpeSettings) -> OptunaSearch:
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), a density for each field."""
    from optuna.samplers import TPESampler

    return OptunaSearch(
        problem,
        settings,
        lambda: TPESampler(seed=problem.seed, n_startup_trials=settings.startup),
    )


def cmaes(problem: HardwareProblem, settings: CmaesSettings) -> OptunaSearch:
    """CMA-ES (Hansen, 2016) on the indices as real numbers, which are rounded."""
    from optuna.samplers import CmaEsSampler

    return OptunaSearch(problem, settings, lambda: CmaEsSampler(seed=problem.seed))


def nsga(problem: HardwareProblem, settings: NsgaSettings) -> OptunaSearch:
    """NSGA-II (Deb et al., 2002) of cost and area, with constrained domination."""
    from optuna.samplers import NSGAIISampler

    return OptunaSearch(
        problem,
        settings,
        lambda: NSGAIISampler(
            seed=problem.seed,
            population_size=settings.population,
        ),
        objectives=2,
    )
