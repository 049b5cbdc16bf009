"""The anytime curves of a comparison by evaluations, a band of all but the extreme seeds."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cosilico.comparison_experiment_summary import CoSearchComparison
from cosilico.comparison_summary import Comparison

__all__ = ["co_search_curves", "curves"]

_FLOOR_PERCENT = 0.01
"""Smallest regret that the logarithmic axis shows; an optimum lies on it."""

_BAND = (0.1, 0.9)


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
    """Draw the best soft score of every strategy, by validation accuracy, as :func:`curves` does; SVG.

    Where the best of all pairs is known, the regret from it.
    """
    spent = _spent(comparison.budget)
    if comparison.joint is not None:
        percent = {}
        for strategy in comparison.strategies:
            regrets = np.array([comparison.regrets(strategy, int(n)) for n in spent])
            percent[strategy] = np.maximum(100 * regrets, _FLOOR_PERCENT)
        title = f"{comparison.experiment}, {comparison.space}, {comparison.metric}"
        return _drawn(spent, percent, yscale="log", ylabel="joint regret, %", title=title)
    scores = {
        strategy: np.array([comparison.scores(strategy, int(n)) for n in spent])
        for strategy in comparison.strategies
    }
    title = f"{comparison.experiment}, {comparison.space}, {comparison.metric}"
    return _drawn(spent, scores, ylabel="soft score, validation accuracy", title=title)


def _spent(budget: int) -> NDArray[np.int64]:
    return np.unique(np.geomspace(1, budget, 120).astype(int))


def _drawn(
    spent: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]], **labels: Any
) -> str:
    """Draw float64[points, seeds] of every strategy."""
    with mpl.rc_context({"svg.hashsalt": "cosilico", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
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
        axes.set(xscale="log", xlabel="evaluations", **labels)
        axes.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
