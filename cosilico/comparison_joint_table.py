"""The tables of a comparison on a joint enumeration, for each problem its own."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from cosilico.comparison_joint_summary import WITHIN, JointComparison, ProblemComparison
from cosilico.console import Column, fitted_table

__all__ = ["joint_table", "joint_tables"]


def joint_tables(comparison: JointComparison, width: int) -> list[Table]:
    """Tables of all problems, in their order."""
    return [joint_table(comparison, each, width) for each in comparison.problems]


def joint_table(comparison: JointComparison, judged: ProblemComparison, width: int) -> Table:
    """Table of a row for each strategy: regret of the designs, and medians over the seeds.

    Where the score is the accuracy, the regret is in points of accuracy. A search without a design has lost everything. *Cost above least*
    is of the designs, compared with the least cost of all networks that are at least as accurate.
    """
    columns = [
        Column("strategy"),
        Column("regret, median", right=True),
        Column("worst", right=True),
        Column(f"within {WITHIN:.0%}", right=True),
        Column("evaluations to it", right=True, rank=1),
        Column("cost above least", right=True),
        Column("hypervolume", right=True, rank=1),
        Column("evaluations", right=True, rank=2),
        Column("trainings", right=True, rank=1),
        Column("not realizable", right=True, rank=3),
        Column("over budget", right=True, rank=2),
        Column("CPU s", right=True, rank=3),
    ]
    best = judged.optimum
    rows = []
    for strategy in judged.strategies:
        runs = judged.runs_of(strategy)
        regrets = judged.final_regrets(strategy)
        reached = [judged.spent_within(run) for run in runs]
        excess = judged.figures(strategy, "excess_cost")
        rows.append(
            [
                strategy,
                _regret(judged, float(np.median(regrets))),
                _regret(judged, max(regrets)),
                f"{sum(regret <= WITHIN for regret in regrets)} of {len(runs)}",
                _evaluations(reached),
                f"{np.median(excess):.1%}" if excess else "none",
                f"{np.median([run.volume_after(run.evaluations) for run in runs]):.4f}",
                *(
                    f"{int(np.median([getattr(run, name) for run in runs])):,}"
                    for name in ("evaluations", "trainings", "violations", "over_budget")
                ),
                f"{np.median(judged.figures(strategy, 'cpu_s') or [0]):,.0f}",
            ]
        )
    title = (
        f"{judged.problem.name}: {comparison.benchmark} on {comparison.space}, {judged.problem.objective.metric}, "
        f"{comparison.pairs:,} pairs; the best is {best['network']} with accuracy {best['accuracy']:.4f}, score {best['score']:.4f}"
    )
    return fitted_table(width, columns, rows, title=title)


def _regret(judged: ProblemComparison, regret: float) -> str:
    """Regret in percent of the score; in points where that is an accuracy."""
    if judged.problem.is_accuracy:
        return f"{100 * regret * judged.optimum['score']:.2f} points"
    return f"{regret:.2%}"


def _evaluations(reached: Sequence[int | None]) -> str:
    """Median over the seeds; "-" if half of them never came so far."""
    counts = [np.inf if count is None else count for count in reached]
    middle = float(np.quantile(counts, 0.5, method="higher"))
    return "-" if middle == np.inf else f"{int(middle):,}"
