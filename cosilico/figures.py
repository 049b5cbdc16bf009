"""The report's plots, as SVG text whose colours follow the page's."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

__all__ = ["cycles_by_layer", "pareto", "trajectory", "utilization_by_layer"]

# Stand-ins that _svg replaces by the page's CSS variables.
_INK = "#010101"
_MUTED = "#020202"
_SEARCHED = "#030303"
_DEFAULT = "#040404"
_OPTIMUM = "#050505"
_PAPER = "#060606"
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _SEARCHED: "var(--searched)",
    _DEFAULT: "var(--default)",
    _OPTIMUM: "var(--optimum)",
    _PAPER: "var(--paper)",
}
_SPACE_GREY = "#8a93a3"
"""Colour of rasterized points, which no style sheet reaches; readable on light and dark."""

_LABEL_LIMIT = 40
"""Most characters of a layer's name at an axis."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "text.parse_math": False,  # names of layers may have dollars
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
}


def trajectory(
    history: Sequence[dict[str, Any]], default_cycles: int, searched_cycles: int, area_budget: float
) -> str:
    """Plot every evaluation of a search in order, and the fewest cycles so far."""
    order = np.array([row["index"] for row in history])
    cycles = np.array([row["cycles"] for row in history], np.float64)
    broken = np.array([bool(row["violations"]) for row in history])
    large = np.array([row["area"] > area_budget for row in history]) & ~broken
    good = ~broken & ~large
    with _figure("trajectory", 4.0) as (axes, output):
        axes.set_yscale("log")
        for chosen, color, label in (
            (large, "#b9a36a", "over the budget"),
            (good, _SPACE_GREY, "within the area budget"),
        ):
            axes.scatter(
                order[chosen],
                cycles[chosen],
                s=5,
                linewidths=0,
                rasterized=True,
                color=color,
                label=label,
            )
        if good.any():
            best = np.minimum.accumulate(np.where(good, cycles, np.inf))
            axes.step(
                order, best, where="post", color=_SEARCHED, label="fewest so far, any network"
            )
        low, high = axes.get_ylim()
        if broken.any():
            axes.plot(
                order[broken],
                np.full(broken.sum(), high * 1.15),
                "|",
                color="#c2603a",
                markersize=5,
                alpha=0.25,
                rasterized=True,
                label="not realizable",
            )
        axes.set_ylim(low, high * 1.35)
        axes.axhline(default_cycles, color=_DEFAULT, linestyle="--", linewidth=1.2)
        axes.axhline(searched_cycles, color=_SEARCHED, linestyle=":", linewidth=1.2)
        right = axes.get_xlim()[1]
        _note(axes, right, default_cycles, "final network, default hardware", _DEFAULT)
        _note(axes, right, searched_cycles, "final network, found hardware", _SEARCHED)
        axes.set_xlabel("evaluation")
        axes.set_ylabel("predicted cycles per image")
        _log_axis(axes.yaxis, _thousands)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, markerscale=2)
    return output[0]


def pareto(
    area: NDArray[np.float64],
    cycles: NDArray[np.int64],
    front: Sequence[int],
    marks: Sequence[tuple[str, float, int]],
) -> str:
    """Plot all realizable accelerators of a space for one network, in area and cycles.

    ``marks``: (role, area, cycles) of "default", "searched" and "optimum".
    """
    styles = {
        "default": ("s", _DEFAULT, "default"),
        "searched": ("o", _SEARCHED, "found by the search"),
        "optimum": ("D", _OPTIMUM, "best accelerator in the budget"),
    }
    with _figure("pareto", 4.4) as (axes, output):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.scatter(
            area, cycles, s=3, linewidths=0, color=_SPACE_GREY, alpha=0.35, rasterized=True
        )
        axes.step(
            area[list(front)], cycles[list(front)], where="pre", color=_MUTED, linewidth=1.2,
            label="Pareto front",
        )  # fmt: skip
        for role, x, y in marks:
            marker, color, label = styles[role]
            size = 11 if role == "optimum" else 7
            fill = "none" if role == "optimum" else color
            axes.plot(
                x, y, marker, color=color, markersize=size, markerfacecolor=fill,
                markeredgewidth=1.6, label=label, linestyle="none",
            )  # fmt: skip
        budget = next((x for role, x, _ in marks if role == "default"), None)
        if budget is not None:
            axes.axvline(budget, color=_DEFAULT, linestyle="--", linewidth=1, label="area budget")
        axes.set_xlabel("area figure, mm² of the 45 nm proxy")
        axes.set_ylabel("predicted cycles per image")
        _log_axis(axes.xaxis, _plain)
        _log_axis(axes.yaxis, _thousands)
        axes.legend(loc="upper right")
    return output[0]


def cycles_by_layer(layers: Sequence[dict[str, Any]], role: str) -> str:
    """Plot every layer's measured cycles as bars, and its predicted cycles as marks on them."""
    color = _SEARCHED if role == "searched" else _DEFAULT
    place = np.arange(len(layers))
    measured = [layer["measured_cycles"] for layer in layers]
    predicted = [layer["predicted_cycles"] for layer in layers]
    with _figure(f"cycles_{role}", 0.9 + 0.26 * len(layers)) as (axes, output):
        axes.barh(place, measured, color=color, alpha=0.55, height=0.72, label="measured in RTL")
        axes.plot(predicted, place, "|", color=_INK, markersize=13, markeredgewidth=2.2,
                  label="predicted")  # fmt: skip
        _layer_axis(axes, layers)
        axes.set_xlabel("cycles per image")
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        axes.legend(loc="lower right")
    return output[0]


def utilization_by_layer(
    searched: Sequence[dict[str, Any]], default: Sequence[dict[str, Any]]
) -> str:
    """Plot the share of the multipliers' cycles that each layer puts to work, on both accelerators."""
    rows = [i for i, layer in enumerate(searched) if layer["macs"]]
    layers = [searched[i] for i in rows]
    place = np.arange(len(rows))
    with _figure("utilization", 0.9 + 0.34 * len(rows)) as (axes, output):
        for offset, side, color, label in (
            (-0.19, searched, _SEARCHED, "found"),
            (0.19, default, _DEFAULT, "default"),
        ):
            share = [100 * side[i]["utilization"] for i in rows]
            axes.barh(place + offset, share, height=0.36, color=color, alpha=0.75, label=label)
        _layer_axis(axes, layers)
        axes.set_xlim(0, 100)
        axes.set_xlabel("utilization, %")
        axes.legend(loc="lower right")
    return output[0]


def _layer_axis(axes: Axes, layers: Sequence[dict[str, Any]]) -> None:
    axes.set_yticks(range(len(layers)), [_label(layer["name"]) for layer in layers])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.margins(y=0.01)


def _label(name: str) -> str:
    """A layer's name, short enough to leave room for the plot."""
    return name if len(name) <= _LABEL_LIMIT else f"{name[: _LABEL_LIMIT - 1]}…"


def _note(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    box = {"facecolor": _PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.annotate(
        text, (x, y), (0, 4), textcoords="offset points", ha="right", color=color, bbox=box
    )


def _log_axis(axis: Axis, label: Callable[[float, int], str]) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(label))
    axis.set_minor_formatter(NullFormatter())


def _thousands(value: float, _: int) -> str:
    return f"{value:,.0f}"


def _plain(value: float, _: int) -> str:
    return f"{value:g}"


@contextmanager
def _figure(name: str, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on; the SVG is appended to the list when the block ends."""
    output: list[str] = []
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(8.6, height), dpi=150, layout="constrained")
        yield figure.add_subplot(), output
        output.append(_svg(figure))


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():  # the reader's own fonts show the text
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return text
