"""The anytime curves of a comparison by evaluations, a band of all but the extreme seeds."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cosilico.comparison_experiment_summary import CoSearchComparison
from cosilico.comparison_joint_summary import JointComparison, Spent
from cosilico.comparison_summary import Comparison

__all__ = ["co_search_curves", "curves", "joint_curves"]

_FLOOR_PERCENT = 0.01
"""Smallest regret that the logarithmic axis shows; an optimum lies on it."""

_BAND = (0.1, 0.9)

_PANEL, _PANEL_POINTS = (4.2, 2.8), 48
"""Size of a problem's panels in inches, and points of a line there."""

_STYLE: Any = {"svg.hashsalt": "cosilico", "svg.fonttype": "none"}


def curves(comparison: Comparison) -> str:
    """Draw the regret of every strategy, in percent; SVG.

    The median of the seeds is a line, from the 10th to the 90th percentile is a band. A strategy's line
    begins where its median search has a feasible design. The same comparison gives the same text.
    """
    spent = _spent(comparison.budget)
    percent = {}
    for strategy in comparison.strategies:
        regrets = np.array([comparison.regrets(strategy, int(n)) for n in spent])
        percent[strategy] = np.maximum(100 * regrets, _FLOOR_PERCENT)
    title = f"{comparison.network}, {comparison.space}, {comparison.objective.metric}"
    return _drawn(spent, percent, yscale="log", ylabel="regret, %", title=title)


def co_search_curves(comparison: CoSearchComparison) -> str:
    """Draw the best soft score of every strategy, by validation accuracy, as :func:`curves` does; SVG."""
    spent = _spent(comparison.budget)
    scores = {
        strategy: np.array([comparison.scores(strategy, int(n)) for n in spent])
        for strategy in comparison.strategies
    }
    title = f"{comparison.experiment}, {comparison.space}, {comparison.metric}"
    return _drawn(spent, scores, ylabel="soft score, validation accuracy", title=title)


def joint_curves(comparison: JointComparison) -> str:
    """Draw a row for each problem: regret by evaluations, regret by trainings, hypervolume by evaluations; SVG.

    Lines and bands are as in :func:`curves`. Regret is the share of the best score that the best known pair lacks, hypervolume the
    share of the true front's that is missed.
    """
    spent = _spent(comparison.budget, _PANEL_POINTS)
    counts: tuple[Spent, ...] = ("evaluations", "trainings")
    with mpl.rc_context(_STYLE):
        size = (_PANEL[0] * 3, _PANEL[1] * len(comparison.problems))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(comparison.problems), 3, squeeze=False)
        for row, judged in zip(panels, comparison.problems, strict=True):
            for axes, count in zip(row, counts, strict=False):
                regrets = {
                    strategy: np.array([judged.regrets(strategy, int(n), count) for n in spent])
                    for strategy in judged.strategies
                }
                _panel(axes, spent, regrets, count, f"{judged.problem.name}: regret, %")
            missed = {
                strategy: 1
                - np.array(
                    [[run.volume_after(int(n)) for run in judged.runs_of(strategy)] for n in spent]
                )
                for strategy in judged.strategies
            }
            label = f"{judged.problem.name}: hypervolume missed, %"
            _panel(row[2], spent, missed, "evaluations", label)
        panels[0, 0].legend(fontsize="small")
        return _text(figure)


def _panel(
    axes: Any,
    spent: NDArray[np.int64],
    shares: Mapping[str, NDArray[np.float64]],
    count: str,
    label: str,
) -> None:
    """Draw shares float64[points, seeds] of every strategy, in percent; nothing is missed at the foot."""
    percent = {name: np.maximum(100 * each, _FLOOR_PERCENT) for name, each in shares.items()}
    _lines(axes, spent, percent)
    axes.set(xscale="log", yscale="log", xlabel=count, ylabel=label)


def _spent(budget: int, points: int = 120) -> NDArray[np.int64]:
    return np.unique(np.geomspace(1, budget, points).astype(int))


def _drawn(
    spent: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]], **labels: Any
) -> str:
    """Draw float64[points, seeds] of every strategy."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        _lines(axes, spent, values)
        axes.set(xscale="log", xlabel="evaluations", **labels)
        axes.legend()
        return _text(figure)


def _lines(axes: Any, spent: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw median and band of float64[points, seeds] of every strategy."""
    points = 0
    for strategy, each in values.items():
        low, middle, high = (
            np.quantile(each, share, axis=1, method="nearest")
            for share in (_BAND[0], 0.5, _BAND[1])
        )
        shown = np.isfinite(middle)
        points += int(shown.sum())
        (line,) = axes.plot(spent[shown], middle[shown], label=strategy)
        banded = np.isfinite(low) & np.isfinite(high)
        axes.fill_between(
            spent[banded], low[banded], high[banded], color=line.get_color(), alpha=0.15
        )
    if points == 0:
        axes.set_xlim(spent[0], spent[-1] + 1)  # a logarithmic axis needs a range


def _text(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
