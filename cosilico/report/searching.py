"""The course of a search: the best so far against the optimum, all evaluations, the whole space."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosilico.report.axes import LinearAxis, LogAxis
from cosilico.report.chosen import chosen_networks
from cosilico.report.plot import Plot
from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable
from cosilico.results import compared_cycles
from sim.cost.columns import COST_COLUMNS
from sim.cost.objective import METRICS, Metric

__all__ = ["Anytime", "anytime", "evaluation_table", "space_plot", "space_table"]

_UNITS = {"cycles": "cycles", "energy": "pJ", "area": "mm²"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anytime:
    """Best cost so far of the network that a search ended with.

    Parameters
    ----------
    metric, unit : str
    spent : list of int
        Evaluations after which the best cost fell; ``best`` are the costs from then on.
    best : list of float
    optimum, default : float or None
        Costs of the enumerated optimum and of the default.
    networks : set of str
        Names of the network in the log.
    evaluations : int
        Of the search; ``own`` of them are of this network.
    own : int
    plot : Plot
    """

    metric: str
    unit: str
    spent: list[int]
    best: list[float]
    optimum: float | None
    default: float | None
    networks: set[str]
    evaluations: int
    own: int
    plot: Plot


def _cost(row: dict[str, Any] | None, metric: Metric, *, titled: bool = False) -> float | None:
    """Cost of an evaluation, or of a section of the results, by a metric; None where it is not recorded."""
    columns = METRICS[metric]
    names = [COST_COLUMNS[name].title if titled else name for name in columns]
    if row is None or any(row.get(name) is None for name in names):
        return None
    return math.prod(float(row[name]) for name in names)


def anytime(records: RunRecords) -> Anytime:
    """Return the best feasible cost after every evaluation, of the final network alone.

    Evaluations of other networks are spent, but a cost of theirs is none of the answer's: a smaller network would
    lie below the optimum of the chosen network.
    """
    search, rows = records.search, records.evaluations
    objective = search.get("objective") or {
        "metric": "latency",
        "budgets": {"area": search["area_budget"]},
    }
    metric: Metric = objective["metric"]
    networks = chosen_networks(records)
    own = [row for row in rows if row.get("network", "") in networks or "network" not in row]
    spent: list[int] = []
    costs: list[float] = []
    points = []
    for row in own:
        cost = _cost(row, metric)
        if row["violations"] or cost is None:
            continue
        within = all(row.get(name, 0) <= limit for name, limit in objective["budgets"].items())
        points.append((row["index"] + 1, cost, within))
        if within and (not costs or cost < costs[-1]):
            spent.append(row["index"] + 1)
            costs.append(cost)
    optimum = _cost(search.get("optimum"), metric, titled=True)
    default = _cost(search.get("default"), metric, titled=True)
    unit = "·".join(_UNITS[name] for name in METRICS[metric])
    levels = [value for value in (optimum, default) if value is not None]
    plot = Plot(
        name="anytime",
        title=f"Best {metric} so far of the network that was chosen, by evaluations of the search",
        x=LinearAxis.over("evaluations", [0, len(rows)], from_zero=True),
        y=LogAxis.over(
            f"{metric}, {unit}, logarithmic", [*(cost for _, cost, _ in points), *levels]
        ),
    )
    large = [(index, cost) for index, cost, within in points if not within]
    good = [(index, cost) for index, cost, within in points if within]
    plot.cloud(*_columns(large), "over", "this network, over a budget")
    plot.cloud(*_columns(good), "muted", "this network, within the budgets")
    if costs:
        plot.line([*spent, len(rows)], [*costs, costs[-1]], "found", "best so far", step=True)
    if optimum is not None:
        plot.rule(optimum, "optimum", "optimum, by enumeration")
    if default is not None:
        plot.rule(default, "default", "default accelerator")
    return Anytime(
        metric=metric,
        unit=unit,
        spent=spent,
        best=costs,
        optimum=optimum,
        default=default,
        networks=networks,
        evaluations=len(rows),
        own=len(own),
        plot=plot,
    )


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def evaluation_table(records: RunRecords) -> DataTable:
    """Return all evaluations of a search, which only the CSV holds."""
    networks = chosen_networks(records)
    names = (
        "evaluation",
        "chosen_network",
        "cycles",
        "energy_pj",
        "area_mm2",
        "accuracy",
        "broken",
    )
    return DataTable(
        name="evaluations",
        caption="Evaluations of the search",
        columns=[DataColumn(name, name) for name in names],
        rows=[
            [
                row["index"],
                int("network" not in row or row["network"] in networks),
                row["cycles"],
                row.get("energy"),
                row["area"],
                row.get("accuracy"),
                " ".join(row["violations"]),
            ]
            for row in records.evaluations
        ],
    )


def _marks(records: RunRecords) -> list[tuple[str, float, int]]:
    default, searched = compared_cycles(records.results)
    sides, optimum = records.sides, records.search.get("optimum")
    marks = [
        ("default", float(sides["default"]["area"]), default),
        ("found", float(sides["found"]["area"]), searched),
    ]
    if optimum:
        marks.append(("optimum", float(optimum["area"]), optimum["predicted_cycles"]))
    return marks


def _front(records: RunRecords) -> tuple[list[float], list[int]]:
    space = records.space
    rows = space["front"]
    order = rows[np.argsort(space["area"][rows], kind="stable")]
    return space["area"][order].tolist(), space["predicted_cycles"][order].tolist()


def space_plot(records: RunRecords) -> Plot:
    """Return all realizable accelerators of the space in area and cycles, with the true front."""
    space = records.space
    chosen = space["realizable"]
    area, cycles = space["area"][chosen], space["predicted_cycles"][chosen]
    marks = _marks(records)
    plot = Plot(
        name="space",
        title="Every realizable accelerator of the space for this network, in area and predicted cycles",
        x=LogAxis.over("area, mm², logarithmic", [*area.tolist(), *(m[1] for m in marks)]),
        y=LogAxis.over("predicted cycles, logarithmic", [*cycles.tolist(), *(m[2] for m in marks)]),
        height_px=360,
    )
    plot.cloud(area, cycles, "muted", "realizable accelerators")
    plot.line(*_front(records), "ink", "true front of the space", step=True)
    plot.rule(records.search["area_budget"], "budget", "area budget", upright=True)
    for role, x, y in marks:
        text = {"optimum": "optimum within the budget"}.get(role, role)
        plot.points(
            [(x, y, f"{text}: {y:,} cycles, {x:.3f} mm²")],
            role,
            text,
            hollow=role == "optimum",
            radius=9 if role == "optimum" else 5,
        )
    return plot


def space_table(records: RunRecords) -> DataTable:
    """Return the true front of the space."""
    return DataTable(
        name="space-front",
        caption="True front of the space for this network: no accelerator has less area and fewer cycles",
        columns=[
            DataColumn("area_mm2", "area, mm²", "{:.4f}"),
            DataColumn("predicted_cycles", "predicted cycles", "{:,}"),
        ],
        rows=[list(row) for row in zip(*_front(records), strict=True)],
    )
