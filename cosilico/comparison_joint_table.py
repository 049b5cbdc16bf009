"""The table of a comparison on a joint enumeration."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from cosilico.comparison_experiment_summary import WITHIN, CoSearchComparison
from cosilico.console import Column, fitted_table

__all__ = ["joint_table"]


def joint_table(comparison: CoSearchComparison, width: int) -> Table:
    """Table of a row for each strategy: regret of the designs, and medians over the seeds.

    A search without a design has the regret 1. *Cost above least* is of the designs, compared with the least cost of
    all networks that are at least as accurate.
    """
    assert comparison.joint is not None
    columns = [
        Column("strategy"),
        Column("regret, median", right=True),
        Column("worst", right=True),
        Column(f"within {WITHIN:.0%}", right=True),
        Column("evaluations to it", right=True, rank=1),
        Column("cost above least", right=True, rank=1),
        Column("hypervolume", right=True),
        Column("evaluations", right=True, rank=2),
        Column("trainings", right=True),
        Column("not realizable", right=True, rank=1),
        Column("over budget", right=True, rank=2),
        Column("CPU s", right=True, rank=3),
    ]
    rows = []
    for strategy in comparison.strategies:
        runs = comparison.runs_of(strategy)
        regrets = comparison.final_regrets(strategy)
        reached = comparison.evaluations_within(strategy)
        excess = comparison.figures(strategy, "excess_cost")
        rows.append(
            [
                strategy,
                f"{np.median(regrets):.2%}",
                f"{max(regrets):.2%}",
                f"{sum(regret <= WITHIN for regret in regrets)} of {len(runs)}",
                _evaluations(reached),
                f"{np.median(excess):.1%}" if excess else "none",
                f"{np.median([run.hypervolume for run in runs]):.4f}",
                *(
                    f"{int(np.median([getattr(run, name) for run in runs])):,}"
                    for name in ("evaluations", "trainings", "violations", "over_budget")
                ),
                f"{np.median(comparison.figures(strategy, 'cpu_s') or [0]):,.0f}",
            ]
        )
    joint = comparison.joint
    title = (
        f"{comparison.experiment} on {comparison.space}, {comparison.metric}: {joint.pairs:,} pairs; the best "
        f"is {joint.network} with accuracy {joint.best_accuracy:.4f}, score {joint.best_score:.4f}"
    )
    return fitted_table(width, columns, rows, title=title)


def _evaluations(reached: Sequence[int | None]) -> str:
    """Median over the seeds; "-" if half of them never came so far."""
    counts = [np.inf if count is None else count for count in reached]
    middle = float(np.quantile(counts, 0.5, method="higher"))
    return "-" if middle == np.inf else f"{int(middle):,}"
