"""Accuracy against cost: every evaluated pair, their front, the winner, and what is known of the true front."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cosilico.report.axes import LinearAxis, LogAxis
from cosilico.report.plot import Plot
from cosilico.report.records import RunRecords
from sim.cost.columns import COST_COLUMNS
from sim.cost.objective import METRICS, Metric
from sim.cost.pareto import pareto_front

__all__ = ["fronts"]

_COSTS = (("cycles", "predicted cycles", 1.0), ("energy", "energy, µJ", 1e-6))
"""Columns of the log, with title and factor of the axis."""

_LEAST = {
    "cycles": "the accelerator of the fewest cycles for",
    "energy": "the accelerator of the least energy for",
}


def fronts(records: RunRecords) -> list[Plot]:
    """Return accuracy against cycles and against energy, of all evaluations whose accuracy was known.

    The true front over all networks is not known, for every network would have to be trained. Of it is known how little the
    network of the winner costs on any accelerator of the space within the area budget.
    """
    rows = [
        row
        for row in records.evaluations
        if row.get("accuracy") is not None and not row["violations"]
    ]
    if not rows:
        return []
    return [
        _front(records, rows, column, title, scale)
        for column, title, scale in _COSTS
        if all(row.get(column) is not None for row in rows)
    ]


def _front(
    records: RunRecords, rows: Sequence[dict[str, Any]], column: str, title: str, scale: float
) -> Plot:
    costs = scale * np.array([row[column] for row in rows], np.float64)
    errors = 1 - np.array([row["accuracy"] for row in rows], np.float64)
    marks = _marks(records, column, scale)
    percents = [*(100 * (1 - errors)).tolist(), *(y for *_, y in marks)]
    plot = Plot(
        name=f"front-{column}",
        title=f"Accuracy of every evaluated pair against its {title}, with the pair that was found",
        x=LogAxis.over(f"{title}, logarithmic", [*costs.tolist(), *(x for _, x, _ in marks)]),
        y=LinearAxis.over("accuracy, %", percents),
        height_px=300,
    )
    plot.cloud(costs, 100 * (1 - errors), "muted", "evaluated, trained in part, validation images")
    front = pareto_front(costs, errors, np.ones(len(rows), np.bool_))
    plot.line(
        costs[front].tolist(),
        (100 * (1 - errors[front])).tolist(),
        "ink",
        "front of the evaluated",
        step=True,
    )
    for role, x, y in marks:
        text = {
            "found": "found, trained to the end, test images",
            "optimum": f"{_LEAST[column]} this network within the area budget",
        }[role]
        tip = f"{text}: {x:,.6g} {title.split(', ')[-1]}, {y:.2f} %"
        if role == "optimum" and not _minimized(records, column):
            plot.diamond(x, y, "s5", text, tip)
            continue
        plot.points(
            [(x, y, tip)],
            role,
            text,
            hollow=role == "optimum",
            radius=9 if role == "optimum" else 5,
        )
    return plot


def _minimized(records: RunRecords, column: str) -> bool:
    """Whether the search minimized a column alone, so that its least is the optimum."""
    metric: Metric = (records.search.get("objective") or {}).get("metric", "latency")
    return METRICS[metric] == (column,)


def _marks(records: RunRecords, column: str, scale: float) -> list[tuple[str, float, float]]:
    """(role, cost, accuracy in percent) of the winner, and of its network on the cheapest accelerator."""
    accuracy, name = records.sides["found"].get("accuracy"), COST_COLUMNS[column].title
    cost = (records.search.get("best") or {}).get(name)
    if accuracy is None or cost is None:
        return []
    percent = 100 * float(accuracy)
    marks = [("found", scale * float(cost), percent)]
    space = records.space
    if name in space:
        inside = space["realizable"] & (space["area"] <= records.search["area_budget"])
        if inside.any():
            marks.append(("optimum", scale * float(space[name][inside].min()), percent))
    return marks
