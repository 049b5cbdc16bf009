"""The page of several runs: a row for each, bands of their curves, and what they chose."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.report.axes import Axis, LinearAxis, LogAxis, compact
from cosilico.report.compared import ComparedRun, SideBySide, runs_of_comparison, runs_of_folders
from cosilico.report.plot import Legend, Plot, inner_svg
from cosilico.report.table import DataColumn, DataTable
from cosilico.report.templates import template
from sim.spec.files import write_atomic

__all__ = ["best_text", "write_comparison_report", "write_side_by_side"]

_FLOOR_PERCENT = 0.01
"""Smallest regret that the logarithmic axis shows; an optimum lies on it."""

_BAND = (0.1, 0.9)
_COLOURS = 8
_POINTS = 200

_PARAMETERS = {
    "pes_x": "PE columns",
    "pes_y": "PE rows",
    "compute_lanes": "lanes",
    "simd_units": "SIMD units",
    "local_memory_kb": "local, KiB",
    "register_file_kb": "registers, KiB",
    "weight_store_kb": "store, KiB",
    "io_bandwidth_gbps": "GB/s",
}
_FIGURES = {
    "cycles": DataColumn("cycles", "cycles", "{:,}"),
    "gain": DataColumn("gain", "gain over the default", "{:.3f}"),
    "energy_pj": DataColumn("energy_pj", "energy, µJ", "{:.3f}", 1e-6),
    "accuracy": DataColumn("accuracy", "accuracy in RTL", "{:.4f}"),
    "int8_accuracy": DataColumn("int8_accuracy", "int8 accuracy", "{:.4f}"),
    "cost": DataColumn("cost", "cost", "{:,.6g}"),
    "score": DataColumn("score", "soft score", "{:.4f}"),
    "design_regret": DataColumn("design_regret", "regret of the design, %", "{:.3f}", 100),
    "known_accuracy": DataColumn("accuracy", "accuracy", "{:.4f}"),
    "excess_cost": DataColumn("excess_cost", "cost above least, %", "{:.1f}", 100),
    "trainings": DataColumn("trainings", "trainings", "{:,}"),
    "violations": DataColumn("violations", "not realizable", "{:,}"),
    "over_budget": DataColumn("over_budget", "over a budget", "{:,}"),
    "hypervolume": DataColumn("hypervolume", "hypervolume", "{:.4f}"),
    "trained_images": DataColumn("trained_images", "images trained on", "{:,}"),
    "wall_s": DataColumn("wall_s", "seconds", "{:,.0f}"),
}


def write_side_by_side(folders: Sequence[Path], out: Path) -> Path:
    """Write the page of the runs of several folders; return its path.

    Raises
    ------
    DesignFileError, CosilicoError
        As :func:`cosilico.report.compared.runs_of_folders`.
    """
    write_atomic(out, _page((runs_of_folders(folders),)))
    return out


def write_comparison_report(folder: Path, out: Path) -> Path:
    """Write the page of a folder of ``cosilico compare``; return its path.

    Raises
    ------
    DesignFileError
        As :func:`cosilico.report.compared.runs_of_comparison`.
    """
    write_atomic(out, _page(runs_of_comparison(folder)))
    return out


def _page(parts: Sequence[SideBySide]) -> str:
    return template("side_by_side.html.j2").render(
        title=parts[0].title,
        parts=[
            _part(known, f"-{place}" if len(parts) > 1 else "") for place, known in enumerate(parts)
        ],
        count=sum(len(known.runs) for known in parts),
    )


def _part(known: SideBySide, suffix: str) -> dict[str, Any]:
    """All that the page shows of a problem; ``suffix`` ends the names of its tables and plots."""
    chosen = [run for run in known.runs if run.accelerator is not None]
    return {
        "problem": known.problem,
        "value": known.value,
        "best": best_text(known),
        "groups": _group_table(known, suffix),
        "curves": _curve_plot(known, suffix),
        "runs": _run_table(known, suffix),
        "parallel": _parallel(known, chosen, suffix) if chosen else "",
        "legend": [Legend(_css(known, group), "line", group) for group in known.groups],
        "points": _curve_table(known, suffix),
    }


def _css(known: SideBySide, group: str) -> str:
    return f"s{known.groups.index(group) % _COLOURS + 1}"


def _last(run: ComparedRun) -> float:
    if run.curve:
        return run.curve[-1][1]
    return float("nan")


def _median(known: SideBySide, group: str) -> float | None:
    values = [_last(run) for run in known.of(group) if run.curve]
    return float(np.median(values)) if values else None


def best_text(known: SideBySide) -> str:
    """Return a sentence without its period on the searches that end best, all that are alike."""
    medians = {group: _median(known, group) for group in known.groups}
    there = {group: value for group, value in medians.items() if value is not None}
    if not there:
        return "no search found a feasible design"
    value = (min if known.falling else max)(there.values())
    best = [group for group, own in there.items() if own == value]
    names = " and ".join([", ".join(best[:-1]), best[-1]] if len(best) > 1 else best)
    what = f"regret of {value:.4g} %" if known.falling else f"soft score of {value:.4g}"
    return f"{names} {'end' if len(best) > 1 else 'ends'} best, with a median {what}"


def _group_table(known: SideBySide, suffix: str) -> DataTable:
    rows = []
    for group in known.groups:
        runs = known.of(group)
        values = [_last(run) for run in runs if run.curve]
        ends = (min(values), max(values)) if values else (None, None)
        if not known.falling:
            ends = ends[::-1]
        evaluations = float(np.median([run.evaluations for run in runs]))
        rows.append(
            [group, len(runs), len(values), evaluations, *ends[:1], _median(known, group), ends[1]]
        )
    value = DataColumn("", "", "{:.4g}").form
    key = "regret_percent" if known.falling else "soft_score"
    return DataTable(
        name=f"groups{suffix}",
        caption=f"Ends of the searches: {known.value}",
        columns=[
            DataColumn("search", "search"),
            DataColumn("runs", "runs", "{:,}"),
            DataColumn("feasible", "with a design", "{:,}"),
            DataColumn("evaluations", "evaluations, median", "{:,.0f}"),
            DataColumn(f"best_{key}", "best", value),
            DataColumn(f"median_{key}", "median", value),
            DataColumn(f"worst_{key}", "worst", value),
        ],
        rows=rows,
    )


def _curve_plot(known: SideBySide, suffix: str) -> Plot:
    budget = max(run.evaluations for run in known.runs)
    spent = np.unique(np.geomspace(1, max(budget, 2), _POINTS).astype(int))
    values = [value for run in known.runs for _, value in run.curve]
    y: Axis
    if known.falling:
        y = LogAxis.over(
            f"{known.value}, logarithmic; {_FLOOR_PERCENT} and less at the foot",
            [_FLOOR_PERCENT, *(max(value, _FLOOR_PERCENT) for value in values)],
        )
    else:
        y = LinearAxis.over(known.value, values)
    plot = Plot(
        name=f"curves{suffix}",
        title=f"{known.value} by evaluations: medians of the runs of each search, with bands",
        x=LogAxis.over("evaluations, logarithmic", [1, budget]),
        y=y,
        height_px=380,
    )
    worst = np.inf if known.falling else -np.inf
    for group in known.groups:
        runs, css = known.of(group), _css(known, group)
        each = np.array([[_known(run.after(int(n)), worst) for run in runs] for n in spent])
        low, middle, high = (
            np.quantile(each, share, axis=1, method="nearest")
            for share in (_BAND[0], 0.5, _BAND[1])
        )
        if known.falling:
            low, middle, high = (np.maximum(v, _FLOOR_PERCENT) for v in (low, middle, high))
        shown = np.isfinite(middle)
        banded = np.isfinite(low) & np.isfinite(high)
        if len(runs) > 1:
            plot.band(spent[banded].tolist(), low[banded].tolist(), high[banded].tolist(), css)
        plot.line(spent[shown].tolist(), middle[shown].tolist(), css, group, step=True)
    return plot


def _known(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _curve_table(known: SideBySide, suffix: str) -> DataTable:
    key = "regret_percent" if known.falling else "soft_score"
    return DataTable(
        name=f"curves{suffix}",
        caption="Curves of all runs",
        columns=[DataColumn(n, n) for n in ("search", "seed", "evaluations", key)],
        rows=[
            [run.group, run.seed, spent, value] for run in known.runs for spent, value in run.curve
        ],
    )


def _run_table(known: SideBySide, suffix: str) -> DataTable:
    names = [n for n in _FIGURES if any(run.figures.get(n) is not None for run in known.runs)]
    key = "regret_percent" if known.falling else "soft_score"
    columns = [
        DataColumn("search", "search"),
        DataColumn("seed", "seed", "{:,}"),
        DataColumn("evaluations", "evaluations", "{:,}"),
        DataColumn(key, known.value, "{:.4g}"),
        *(_FIGURES[name] for name in names),
        DataColumn("area_mm2", "area, mm²", "{:.3f}"),
        *(DataColumn(name, title, "{:g}") for name, title in _PARAMETERS.items()),
    ]
    rows: list[list[Any]] = []
    for run in known.runs:
        chosen = run.accelerator
        rows.append(
            [
                run.group,
                run.seed,
                run.evaluations,
                run.curve[-1][1] if run.curve else None,
                *(run.figures.get(name) for name in names),
                run.area_mm2,
                *(None if chosen is None else chosen.get(name, 0) for name in _PARAMETERS),
            ]
        )
    return DataTable(
        name=f"runs{suffix}", caption="All runs and what they found", columns=columns, rows=rows
    )


def _parallel(known: SideBySide, runs: Sequence[ComparedRun], suffix: str) -> str:
    """Parallel coordinates of the searched accelerators: a line for each run."""
    names = [*_PARAMETERS.values(), "area, mm²"]
    values = [
        [*(float(_of(run).get(name, 0)) for name in _PARAMETERS), run.area_mm2 or 0.0]
        for run in runs
    ]
    axes = [_axis(title, [row[i] for row in values]) for i, title in enumerate(names)]
    across = [100 * i / (len(axes) - 1) for i in range(len(axes))]
    paths = []
    for run, row in zip(runs, values, strict=True):
        corners = "L".join(
            f"{10 * at:.4g} {1000 - 10 * axis.place(value):.4g}"
            for at, axis, value in zip(across, axes, row, strict=True)
        )
        paths.append(f'<path class="line {_css(known, run.group)}" d="M{corners}"/>')
    return (
        f'<svg role="img" aria-labelledby="parallel-title{suffix}" width="100%" height="300">'
        f'<title id="parallel-title{suffix}">Parallel coordinates of the accelerators that were found: a line for '
        f"each run, an axis for each parameter</title>{''.join(_axes(axes, across, values))}"
        f'<svg y="40" width="100%" height="230">{inner_svg(paths)}</svg></svg>'
    )


def _of(run: ComparedRun) -> dict[str, Any]:
    assert run.accelerator is not None
    return run.accelerator


def _axis(title: str, values: list[float]) -> Axis:
    low, high = min(values), max(values)
    if low > 0 and high / low >= 4:
        return LogAxis(title, low, high)
    return LinearAxis(title, low, high if high > low else low + (abs(low) or 1.0))


def _axes(
    axes: Sequence[Axis], across: Sequence[float], rows: Sequence[Sequence[float]]
) -> Iterator[str]:
    for axis, at, values in zip(axes, across, zip(*rows, strict=True), strict=True):
        low, high = min(values), max(values)
        upper = compact(high) if high > low else ""
        yield (
            f'<line class="gridline" x1="{at:.2f}%" x2="{at:.2f}%" y1="40" y2="270"/>'
            f'<text class="middle panel" x="{at:.2f}%" y="12">{escape(axis.title)}</text>'
            f'<text class="below" x="{at:.2f}%" y="32">{upper}</text>'
            f'<text class="below" x="{at:.2f}%" y="288">{compact(low)}</text>'
        )
