"""The loop over a strategy's stages and steps, within a budget of evaluations."""

from collections.abc import Callable

from search.evaluator import BudgetSpent, Evaluator
from search.strategies.protocol import StageEnd, Strategy
from search.strategies.settings import CoSearchSettings

__all__ = ["Progress", "run_stages"]

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done and the steps there are; evaluations with a budget."""


def run_stages(
    strategy: Strategy,
    evaluator: Evaluator,
    settings: CoSearchSettings,
    *,
    done: int = 0,
    progress: Progress | None = None,
    save: Callable[[int], None] | None = None,
) -> None:
    """Advance a strategy through all steps that are left.

    Parameters
    ----------
    strategy : Strategy
    evaluator : Evaluator
        The strategy's; its limit is set for each stage, and none at the end.
    settings : CoSearchSettings
        The strategy's.
    done : int
        Steps that earlier runs did.
    progress : callable, optional
    save : callable, optional
        Called after each step with the number of steps done.
    """
    report = progress or (lambda stage, done, total: None)
    end = 0
    for stage, steps in strategy.stages.items():
        first, end = end, end + steps
        evaluator.limit = limit = settings.limit(stage)
        while done < end:
            if limit is None:
                report(stage, done - first, steps)
            else:
                report(stage, len(evaluator.records), limit)
            try:
                strategy.step(stage)
                done += 1
            except (BudgetSpent, StageEnd):
                done = end
            if save is not None:
                save(done)
        if limit is None:
            report(stage, steps, steps)
    evaluator.limit = None
