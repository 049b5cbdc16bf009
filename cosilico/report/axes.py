"""Axes of plots: where a value lies, in percent, and which values are marked."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Axis", "LinearAxis", "LogAxis", "compact"]

_TICKS = 5
"""Marks of an axis, about: their texts must lie apart on a telephone."""


def compact(value: float) -> str:
    """Return a number in few characters, exact where it has up to three digits: 1.5k, 20M."""
    if value == 0:
        return "0"
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.0e}"


class Axis(Protocol):
    """An axis of a plot."""

    @property
    def title(self) -> str:
        """Quantity that it shows, with its unit."""
        ...

    @property
    def low(self) -> float:
        """Value at its beginning."""
        ...

    @property
    def high(self) -> float:
        """Value at its end."""
        ...

    def place(self, value: float) -> float:
        """Return where a value lies, in percent of the axis' length, within it."""
        ...

    def ticks(self) -> list[float]:
        """Return the values that are marked."""
        ...


@dataclass(frozen=True, slots=True)
class LinearAxis:
    """Linear axis.

    Parameters
    ----------
    title : str
    low, high : float
        Its ends; ``high`` must be more than ``low``.
    """

    title: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the ends."""
        if not self.low < self.high:
            raise ValueError(f"high must be more than low {self.low!r}, not {self.high!r}")

    @classmethod
    def over(cls, title: str, values: Iterable[float], *, from_zero: bool = False) -> "LinearAxis":
        """Return an axis with room for all values."""
        known = [value for value in values if math.isfinite(value)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        low = min(0.0, low) if from_zero else low
        if high <= low:
            high = low + (abs(low) or 1.0)
        margin = 0.03 * (high - low)
        return cls(title, low if from_zero else low - margin, high + margin)

    def place(self, value: float) -> float:
        """Return where a value lies, in percent."""
        share = (value - self.low) / (self.high - self.low)
        return 100 * min(1.0, max(0.0, share))

    def ticks(self) -> list[float]:
        """Return round values, about five."""
        raw = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [step * index for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class LogAxis:
    """Logarithmic axis.

    Parameters
    ----------
    title : str
    low, high : float
        Its ends, both positive; ``high`` must be more than ``low``.
    """

    title: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the ends."""
        if not 0 < self.low < self.high:
            raise ValueError(f"ends must be positive and rise, not {self.low!r}, {self.high!r}")

    @classmethod
    def over(cls, title: str, values: Iterable[float]) -> "LogAxis":
        """Return an axis with room for all values that are positive."""
        known = [value for value in values if value > 0 and math.isfinite(value)]
        low, high = (min(known), max(known)) if known else (1.0, 10.0)
        margin = (high / low) ** 0.04 if high > low else 2.0
        return cls(title, low / margin, high * margin)

    def place(self, value: float) -> float:
        """Return where a value lies, in percent; what is not positive at the low end."""
        if value <= 0:
            return 0.0
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return 100 * min(1.0, max(0.0, share))

    def ticks(self) -> list[float]:
        """Return powers of ten, with 2 and 5 between them where there is room."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            marked = [f * 10.0**d for d in decades for f in factors]
            inside = [value for value in marked if self.low <= value <= self.high]
            if len(inside) <= _TICKS + 2:
                break
        step = -(-len(inside) // (_TICKS + 2)) or 1
        return inside[::step]
