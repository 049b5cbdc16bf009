"""Rules by which a claim counts as reproduced: each in words, and in code."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

__all__ = [
    "AS_GOOD",
    "BETTER",
    "NOT_MEASURED",
    "NOT_TESTED",
    "REACHED",
    "TREND",
    "as_good",
    "better",
    "medians",
    "percent",
    "reached",
    "times",
    "trend",
]

NOT_MEASURED, NOT_TESTED = "not measured", "not tested"

REACHED = "yes if all these medians reach the figure, in part if any does"

BETTER = "yes if better with nine seeds of ten, in part with more than half"

AS_GOOD = "yes if its median is no worse than the other's, in part if no worse than the other's worst seed"

TREND = (
    "yes if the ratio rises, or falls, with every step under both metrics (by chance: 1 in 288), in part under one metric "
    "(1 in 6)"
)


def reached(values: Iterable[float], claimed: float) -> str:
    """Verdict of :data:`REACHED` on medians; not measured where there are none."""
    known = [value >= claimed for value in values]
    if not known:
        return NOT_MEASURED
    return "yes" if all(known) else "in part" if any(known) else "no"


def better(first: Sequence[float], second: Sequence[float]) -> tuple[str, int]:
    """Verdict of :data:`BETTER`, and the number of seeds with which the first value is above the second."""
    won = sum(a > b for a, b in zip(first, second, strict=True))
    seeds = len(first)
    return "yes" if won >= 0.9 * seeds else "in part" if won > seeds / 2 else "no", won


def as_good(spread: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Verdict of :data:`AS_GOOD` on spreads of regrets, of which the least is best."""
    if spread["median"] <= other["median"]:
        return "yes"
    return "in part" if spread["median"] <= other["most"] else "no"


def trend(by_metric: Iterable[Sequence[float]]) -> str:
    """Verdict of :data:`TREND` on the ratios of four networks by rising work, for each of two metrics."""
    ways = [
        all(a < b for a, b in pairwise(ratios)) - all(a > b for a, b in pairwise(ratios))
        for ratios in by_metric
    ]
    if abs(sum(ways)) == len(ways):
        return "yes"
    return "in part" if any(ways) else "no"


def medians(spreads: Iterable[Mapping[str, Any]]) -> list[float]:
    """Medians of spreads that have values."""
    return [spread["median"] for spread in spreads if spread["count"]]


def times(spread: Mapping[str, Any], scale: float = 1.0, unit: str = "×", digits: int = 2) -> str:
    """Median with the range, in a unit: ``1.84 (1.70 … 1.92)×``."""
    if not spread["count"]:
        return "none"
    values = (scale * spread[name] for name in ("median", "least", "most"))
    median, least, most = (f"{value:.{digits}f}" for value in values)
    return f"{median} ({least} … {most}){unit}"


def percent(spread: Mapping[str, Any], digits: int = 2) -> str:
    """Median of shares with the range, in percent."""
    return times(spread, 100, " %", digits)
