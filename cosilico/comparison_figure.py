"""The anytime curves of a comparison: regret by evaluations, a band of all but the extreme seeds."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from cosilico.comparison_summary import Comparison

__all__ = ["curves"]

_FLOOR_PERCENT = 0.01
"""Smallest regret that the logarithmic axis shows; an optimum lies on it."""

_BAND = (0.1, 0.9)


def curves(comparison: Comparison) -> str:
    """Draw the median of the seeds as a line, from the 10th to the 90th percentile as a band; SVG.

    A strategy's line begins where its median search has a feasible design. The same comparison gives
    the same text.
    """
    with mpl.rc_context({"svg.hashsalt": "cosilico", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        spent = np.unique(np.geomspace(1, comparison.budget, 120).astype(int))
        for strategy in comparison.strategies:
            regrets = np.array([comparison.regrets(strategy, int(n)) for n in spent])
            percent = np.maximum(100 * regrets, _FLOOR_PERCENT)  # [points, seeds]
            low, middle, high = (
                np.quantile(percent, share, axis=1, method="nearest")
                for share in (_BAND[0], 0.5, _BAND[1])
            )
            shown = np.isfinite(middle)
            (line,) = axes.plot(spent[shown], middle[shown], label=strategy)
            banded = np.isfinite(high)
            axes.fill_between(
                spent[banded], low[banded], high[banded], color=line.get_color(), alpha=0.15
            )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="evaluations",
            ylabel="regret, %",
            title=f"{comparison.network}, {comparison.space}, {comparison.objective.metric}",
        )
        axes.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
