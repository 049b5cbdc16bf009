"""Searches of the accelerator that leave no files, for comparing many of them."""

from collections.abc import Sequence

from search.determinism import deterministic_torch
from search.evaluator import BoundModel, CostModel, Evaluation, Evaluator
from search.stages import run_stages
from search.strategies import HARDWARE_SEARCHES
from search.strategies.budget_settings import BudgetSettings
from search.strategies.polished import Polished
from search.strategies.protocol import HardwareProblem, Strategy
from search.strategies.settings import StrategySettings
from sim.cost.bounds import lower_bounds
from sim.cost.objective import Objective
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["make_search", "search_in_memory"]


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
    seed : int
    """
    evaluator = Evaluator(costs)
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
