"""The results of a comparison of co-searches, as objects and files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from cosilico.console import Column, fitted_table

__all__ = [
    "BASELINE",
    "SCHEMA",
    "CoSearchComparison",
    "CoSearchRun",
    "csv_text",
    "results_table",
]

SCHEMA = 1

BASELINE = "random"
"""Strategy against which wins are counted."""

JUDGES = ("score", "hypervolume", "anytime_score")
"""Values by which a search is better than another; the higher, the better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearchRun:
    """A co-search of a comparison.

    Parameters
    ----------
    strategy : str
    seed : int
    evaluations : int
    curve : list of [int, float]
        Evaluations and soft score, by validation accuracy, wherever the best score rose.
    hypervolume : float
        Share in (1 - validation accuracy, cost) of the evaluated pairs.
    design : dict or None
        Figures of the result; None where no design was feasible.
    """

    strategy: str
    seed: int
    evaluations: int
    curve: Sequence[Sequence[float]]
    hypervolume: float
    design: Mapping[str, Any] | None

    def score_after(self, evaluations: int) -> float:
        """Best score after so many evaluations; minus infinity where no pair was feasible."""
        scores = [score for spent, score in self.curve if spent <= evaluations]
        return scores[-1] if scores else -np.inf

    def judged(self, judge: str) -> float:
        """Value by which a search is better than another: the final design's, or of its pairs."""
        if judge == "hypervolume":
            return self.hypervolume
        if judge == "anytime_score":
            return self.curve[-1][1] if self.curve else -np.inf
        return -np.inf if self.design is None else float(self.design["score"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearchComparison:
    """All co-searches of a comparison.

    Parameters
    ----------
    experiment, space, metric : str
    budget : int
    target : float
        Cost at which the soft score is the accuracy.
    runs : tuple of CoSearchRun
    """

    experiment: str
    space: str
    metric: str
    budget: int
    target: float
    runs: tuple[CoSearchRun, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names in the order in which they were given."""
        return tuple(dict.fromkeys(run.strategy for run in self.runs))

    def runs_of(self, strategy: str) -> list[CoSearchRun]:
        """Searches of a strategy, by seed."""
        return [run for run in self.runs if run.strategy == strategy]

    def scores(self, strategy: str, evaluations: int) -> NDArray[np.float64]:
        """Best score of each seed after so many evaluations."""
        return np.array([run.score_after(evaluations) for run in self.runs_of(strategy)])

    def wins(self, strategy: str, judge: str) -> dict[str, int] | None:
        """How many seeds are better than random's of the same seed, and equal; None without random."""
        base = {run.seed: run.judged(judge) for run in self.runs_of(BASELINE)}
        if not base or strategy == BASELINE:
            return None
        values = [(run.judged(judge), base[run.seed]) for run in self.runs_of(strategy)]
        return {
            "better": sum(mine > other for mine, other in values),
            "equal": sum(mine == other for mine, other in values),
            "seeds": len(values),
        }

    def figures(self, strategy: str, name: str) -> list[float]:
        """A figure of every design of a strategy."""
        return [run.design[name] for run in self.runs_of(strategy) if run.design is not None]

    def to_json(self) -> dict[str, Any]:
        """Content of ``comparison.json``."""
        return {
            "schema": SCHEMA,
            "experiment": self.experiment,
            "space": self.space,
            "metric": self.metric,
            "budget": self.budget,
            "target_cost": self.target,
            "strategies": {
                strategy: {
                    "wins_against_random": {judge: self.wins(strategy, judge) for judge in JUDGES},
                    "searches": [
                        {
                            "seed": run.seed,
                            "evaluations": run.evaluations,
                            "anytime_score": run.curve[-1][1] if run.curve else None,
                            "hypervolume": run.hypervolume,
                            "design": run.design,
                        }
                        for run in self.runs_of(strategy)
                    ],
                }
                for strategy in self.strategies
            },
        }


def csv_text(comparison: CoSearchComparison) -> str:
    """Curves as CSV: a row wherever the best score of a search rose, and at its end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("strategy", "seed", "evaluations", "soft_score"))
    for run in comparison.runs:
        points = [(int(spent), score) for spent, score in run.curve]
        if points and points[-1][0] < run.evaluations:
            points.append((run.evaluations, points[-1][1]))
        for spent, score in points:
            writer.writerow((run.strategy, run.seed, spent, score))
    return text.getvalue()


def results_table(comparison: CoSearchComparison, width: int) -> Table:
    """Table of a row for each strategy: medians over the seeds, and wins against random.

    Figures of designs are medians over the seeds that ended with a design; the column ``designs`` tells how
    many did. Where there are no designs, they are "none".
    """
    columns = [
        Column("strategy"),
        Column("designs", right=True, rank=2),
        Column("int8 accuracy", right=True),
        Column(f"{comparison.metric} / target", right=True),
        Column("soft score", right=True),
        Column("hypervolume", right=True, rank=1),
        Column("wins by score", right=True),
        Column("by hypervolume", right=True, rank=1),
        Column("evaluations", right=True, rank=2),
        Column("images", right=True, rank=3),
        Column("CPU s", right=True, rank=3),
    ]
    rows = []
    for strategy in comparison.strategies:
        runs = comparison.runs_of(strategy)

        def median(name: str, form: str, scale: float = 1.0, of: str = strategy) -> str:
            values = comparison.figures(of, name)
            return format(float(np.median(values)) / scale, form) if values else "none"

        rows.append(
            [
                strategy,
                f"{len(comparison.figures(strategy, 'score'))} of {len(runs)}",
                median("int8_accuracy", ".4f"),
                median("cost", ".3f", comparison.target),
                median("score", ".4f"),
                f"{np.median([run.hypervolume for run in runs]):.4f}",
                _wins(comparison.wins(strategy, "score")),
                _wins(comparison.wins(strategy, "hypervolume")),
                f"{int(np.median([run.evaluations for run in runs])):,}",
                median("trained_images", ",.0f"),
                median("cpu_s", ",.0f"),
            ]
        )
    seeds = max((len(comparison.runs_of(each)) for each in comparison.strategies), default=0)
    title = (
        f"{comparison.experiment} on {comparison.space}: medians of {seeds} seeds after at most "
        f"{comparison.budget:,} evaluations, and seeds that are better than {BASELINE}'s"
    )
    return fitted_table(width, columns, rows, title=title)


def _wins(wins: Mapping[str, int] | None) -> str:
    if wins is None:
        return "-"
    equal = f", {wins['equal']} equal" if wins["equal"] else ""
    return f"{wins['better']} of {wins['seeds']}{equal}"
