"""The results of a comparison: regret by budget, curves, hypervolume, as objects and files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from cosilico.console import Column, fitted_table
from sim.cost.hypervolume import hypervolume
from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.spec.spaces import HardwareSpace

__all__ = ["SCHEMA", "Comparison", "SearchRun", "csv_text", "results_table", "summary"]

SCHEMA = 1
MARKS = (50, 100, 300, 500, 1000, 3000, 10_000)
"""Evaluations at which regret is told, as far as the budget goes, and at the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRun:
    """A search of a comparison.

    Parameters
    ----------
    strategy : str
    seed : int
    evaluations : int
    curve : list of [int, float]
        Evaluations and cost, wherever the best cost fell.
    accelerator : dict or None
        The best, None if none was feasible.
    hypervolume : float
        Of cost and area, as a share of the whole space's; absolute where that is not enumerated.
    """

    strategy: str
    seed: int
    evaluations: int
    curve: Sequence[Sequence[float]]
    accelerator: Mapping[str, Any] | None
    hypervolume: float

    def cost_after(self, evaluations: int) -> float:
        """Best cost after so many evaluations; infinite where none was feasible."""
        costs = [cost for spent, cost in self.curve if spent <= evaluations]
        return costs[-1] if costs else np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All searches of a comparison, and what they are judged by.

    Parameters
    ----------
    network, space : str
    objective : Objective
    budget : int
    optimum : dict or None
        Accelerator and figures of the enumerated optimum, None where the space is too large.
    least : float
        Cost of the optimum, else the least of all searches.
    runs : tuple of SearchRun
    """

    network: str
    space: str
    objective: Objective
    budget: int
    optimum: Mapping[str, Any] | None
    least: float
    runs: tuple[SearchRun, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Labels in the order in which they were given."""
        return tuple(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def marks(self) -> tuple[int, ...]:
        """Evaluations at which regret is told."""
        return (*(mark for mark in MARKS if mark < self.budget), self.budget)

    def runs_of(self, strategy: str) -> list[SearchRun]:
        """Searches of a strategy, by seed."""
        return [run for run in self.runs if run.strategy == strategy]

    def regrets(self, strategy: str, evaluations: int) -> NDArray[np.float64]:
        """Regret of each seed after so many evaluations; infinite where none was feasible."""
        costs = [run.cost_after(evaluations) for run in self.runs_of(strategy)]
        return np.array(costs) / self.least - 1

    def to_json(self) -> dict[str, Any]:
        """Content of ``comparison.json``; regrets in percent, None where a search had no result."""
        return {
            "schema": SCHEMA,
            "network": self.network,
            "space": self.space,
            "metric": self.objective.metric,
            "area_budget": self.objective.area_budget,
            "budget": self.budget,
            "optimum": self.optimum,
            "least_cost": self.least,
            "strategies": {
                strategy: {
                    "regret": {
                        str(mark): quantiles(self.regrets(strategy, mark)) for mark in self.marks
                    },
                    "evaluations": [run.evaluations for run in self.runs_of(strategy)],
                    "hypervolume": [run.hypervolume for run in self.runs_of(strategy)],
                    "accelerators": [run.accelerator for run in self.runs_of(strategy)],
                }
                for strategy in self.strategies
            },
        }


def summary(
    network: str,
    space: HardwareSpace,
    objective: Objective,
    budget: int,
    table: CostTable | None,
    records: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    """Judge the records of all searches.

    Parameters
    ----------
    network : str
    space : HardwareSpace
    objective : Objective
    budget : int
    table : CostTable or None
        The enumerated space.
    records : mapping of ``strategy:seed`` to record
        Of :func:`cosilico.comparison_run.compare_run`.
    """
    row = None if table is None else objective.best(table)
    whole = 1.0
    if table is not None and row is not None:
        default = float(objective.cost(table)[space.flat_index(space.default)])
        reference = (default, float(np.nextafter(objective.area_budget, np.inf)))
        whole = hypervolume(
            objective.cost(table), table["area"], objective.feasible(table), reference
        )
    runs = []
    for key, record in records.items():
        strategy, _, seed = key.rpartition(":")
        fields = dict(record) | {"hypervolume": record["hypervolume"] / (whole or 1.0)}
        runs.append(SearchRun(strategy=strategy, seed=int(seed), **fields))
    order = list(dict.fromkeys(key.rpartition(":")[0] for key in records))
    runs.sort(key=lambda run: (order.index(run.strategy), run.seed))
    reached = [run.curve[-1][1] for run in runs if run.curve]
    least = min(reached, default=np.inf)
    if table is not None and row is not None:
        least = float(objective.cost(table)[row])
    return Comparison(
        network=network,
        space=space.name,
        objective=objective,
        budget=budget,
        optimum=None if table is None or row is None else table.figures(row),
        least=least,
        runs=tuple(runs),
    )


def quantiles(regrets: NDArray[np.float64]) -> dict[str, float | None]:
    """Median, 90th percentile and worst of regrets, in percent."""
    figures = {
        "median": np.median(regrets),
        "p90": np.quantile(regrets, 0.9, method="higher"),
        "worst": regrets.max(),
    }
    return {
        name: round(100 * float(value), 4) if np.isfinite(value) else None
        for name, value in figures.items()
    }


def csv_text(comparison: Comparison) -> str:
    """Curves as CSV: a row wherever the best cost of a search fell, and at its end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("strategy", "seed", "evaluations", "cost", "regret"))
    for run in comparison.runs:
        points = [(int(spent), cost) for spent, cost in run.curve]
        if points and points[-1][0] < run.evaluations:
            points.append((run.evaluations, points[-1][1]))
        for spent, cost in points:
            writer.writerow((run.strategy, run.seed, spent, cost, cost / comparison.least - 1))
    return text.getvalue()


def results_table(comparison: Comparison, width: int) -> Table:
    """Table of a row for each strategy: median and worst regret by evaluations, in percent."""
    columns = [
        Column("strategy"),
        Column("evaluations", right=True, rank=2),
        *(
            Column(f"{mark:,}", right=True, rank=0 if mark == comparison.budget else 1)
            for mark in comparison.marks
        ),
        Column("hypervolume", right=True, rank=3),
    ]
    rows = []
    for strategy in comparison.strategies:
        runs = comparison.runs_of(strategy)
        cells = [strategy, f"{int(np.median([run.evaluations for run in runs])):,}"]
        for mark in comparison.marks:
            figures = quantiles(comparison.regrets(strategy, mark))
            cells.append(f"{_percent(figures['median'])} / {_percent(figures['worst'])}")
        cells.append(f"{np.median([run.hypervolume for run in runs]):.3f}")
        rows.append(cells)
    against = "the optimum" if comparison.optimum else "the best of all"
    title = (
        f"{comparison.network} on {comparison.space}, {comparison.objective.metric}: regret against "
        f"{against} after so many evaluations, median / worst, %"
    )
    return fitted_table(width, columns, rows, title=title)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
