"""Searches that leave no files, for comparing many of them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.determinism import deterministic_torch
from search.evaluator import BoundModel, CostModel, Evaluation, Evaluator
from search.experiment import TrainSettings
from search.networks.known import KnownNetworks
from search.stages import run_stages
from search.strategies import CO_SEARCHES, FIXED_SEARCHES, HARDWARE_SEARCHES
from search.strategies.budget_settings import BudgetSettings
from search.strategies.polished import Polished
from search.strategies.protocol import CoSearchProblem, HardwareProblem, Strategy
from search.strategies.restarted import Restarted
from search.strategies.settings import CoSearchSettings, PairBudgetSettings, StrategySettings
from sim.cost.bounds import lower_bounds
from sim.cost.objective import Objective
from sim.spec.errors import NotRealizableError
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = [
    "CoSearched",
    "co_search_in_memory",
    "make_co_search",
    "make_search",
    "search_in_memory",
]


def make_co_search(problem: CoSearchProblem, settings: CoSearchSettings) -> Strategy:
    """Make the strategy of an experiment, with its restarts if they are asked for."""
    named = CO_SEARCHES if settings.strategy in CO_SEARCHES else FIXED_SEARCHES
    make: Any = named[settings.strategy].make
    if isinstance(settings, PairBudgetSettings) and settings.restarts:
        return Restarted(problem, settings, make)
    search: Strategy = make(problem, settings)
    return search


def make_search(problem: HardwareProblem, settings: StrategySettings) -> Strategy:
    """Evaluate the space's default, and make the strategy, with its polish if that is asked for."""
    problem.evaluator.evaluate([problem.hardware.default], problem.network, phase="default")
    search: Strategy = HARDWARE_SEARCHES[settings.strategy].make(problem, settings)
    polish = isinstance(settings, BudgetSettings) and settings.polish
    return Polished(search) if polish else search


def search_in_memory(
    network: Network,
    hardware: HardwareSpace,
    objective: Objective,
    settings: BudgetSettings,
    costs: CostModel,
    *,
    seed: int,
    bounds: BoundModel = lower_bounds,
    evaluator_of: Callable[[CostModel], Evaluator] = Evaluator,
) -> Sequence[Evaluation]:
    """Run a search to its end and return what was evaluated, in order.

    The same evaluations as those of :func:`search.driver.run_hardware_search`.

    Parameters
    ----------
    network : Network
    hardware : HardwareSpace
    objective : Objective
    settings : BudgetSettings
        Of a strategy in :data:`search.strategies.HARDWARE_SEARCHES`.
    costs : CostModel
    bounds : BoundModel
        Lower bounds of the costs.
    evaluator_of : callable
        Makes the search's evaluator from the costs.
    seed : int
    """
    evaluator = evaluator_of(costs)
    problem = HardwareProblem(
        hardware=hardware,
        objective=objective,
        evaluator=evaluator,
        seed=seed,
        network=network,
        bounds=bounds,
    )
    with deterministic_torch():
        run_stages(make_search(problem, settings), evaluator, settings)
    return evaluator.records


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearched:
    """A co-search of networks whose accuracies are known.

    Parameters
    ----------
    history : sequence of Evaluation
        In order.
    trainings : mapping of str to int
        Networks whose accuracy was asked for, by key, with the evaluations that had been spent before.
    architecture : member or None
        Network that was chosen; None where no pair was feasible.
    best : Evaluation or None
        It on the best of its accelerators.
    """

    history: Sequence[Evaluation]
    trainings: Mapping[str, int]
    architecture: Any
    best: Evaluation | None


def co_search_in_memory(
    networks: KnownNetworks,
    hardware: HardwareSpace,
    objective: Objective,
    settings: CoSearchSettings,
    costs: CostModel,
    *,
    seed: int,
    steps: int,
    evaluator_of: Callable[[CostModel], Evaluator] = Evaluator,
) -> CoSearched:
    """Run a co-search on networks whose accuracies are known, up to the training that it would end with.

    Parameters
    ----------
    networks : KnownNetworks
    hardware : HardwareSpace
    objective : Objective
    settings : CoSearchSettings
        Of a strategy in :data:`search.strategies.CO_SEARCHES`; its limits hold for evaluations and for trainings.
    costs : CostModel
    seed : int
    steps : int
        Steps of an epoch (:class:`search.known_training.KnownTraining`).
    evaluator_of : callable
        Makes the search's evaluator from the costs.
    """
    evaluator = evaluator_of(costs)
    problem = CoSearchProblem(
        hardware=hardware,
        objective=objective,
        evaluator=evaluator,
        seed=seed,
        name="search",
        task=None,
        networks=networks,
        train=TrainSettings(),
        known_steps=steps,
    )
    architecture, best = None, None
    with deterministic_torch():
        strategy: Any = make_co_search(problem, settings)
        run_stages(strategy, evaluator, settings)
        history = tuple(evaluator.records)
        with contextlib.suppress(NotRealizableError):
            architecture, best = strategy.chosen()
    return CoSearched(
        history=history,
        trainings=dict(strategy.known_training.spent),
        architecture=architecture,
        best=best,
    )
