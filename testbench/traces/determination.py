"""Which parameters of a fitted memory its runs determine: those that cannot change without a prediction changing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.queued_memory import CHOICES, LIMITS, TICKS, QueuedMemory
from testbench.traces.effects import CORE, EFFECTS
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["Determination", "Range", "Trade", "alternatives", "determine"]

POWERS_OF_TWO = ("access_bytes", "row_bytes")
_STEPS = tuple(TICKS // divisor for divisor in (16, 8, 4, 2, 1))
CLOSE = 0.05
"""Width of a range, relative to its value, within which a parameter counts as determined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Values of a parameter between which no prediction changes, the others as they are.

    Parameters
    ----------
    parameter : str
    value, low, high : int
    """

    parameter: str
    value: int
    low: int
    high: int

    @property
    def determined(self) -> bool:
        """The runs fix the value, or all but fix it."""
        least, most = LIMITS[self.parameter]
        if self.low == self.high:
            return True
        if self.low == least or self.high == most:
            return False
        return self.high - self.low <= max(1.0, CLOSE * self.value)

    def __str__(self) -> str:
        """Return the range in words."""
        least, most = LIMITS[self.parameter]
        if self.low == self.high:
            return f"{self.parameter} = {self.value}"
        if (self.low, self.high) == (least, most):
            return f"{self.parameter}: any value"
        if self.high == most:
            return f"{self.parameter}: at least {self.low}"
        if self.low == least:
            return f"{self.parameter}: at most {self.high}"
        return f"{self.parameter}: {self.low} … {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Two parameters of which the runs fix only what they have in common.

    Parameters
    ----------
    parameters : tuple of str
    steps : tuple of int
        By which both may move together.
    """

    parameters: tuple[str, str]
    steps: tuple[int, int]

    def __str__(self) -> str:
        """Return the trade in words."""
        (a, b), (x, y) = self.parameters, self.steps
        return f"{a} {x:+} with {b} {y:+}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Determination:
    """A memory's parameters, as far as runs determine them.

    Parameters
    ----------
    ranges : tuple of Range
        Of every number.
    words : tuple of str
        Words that could be others, as ``arbitration``.
    trades : tuple of Trade
        Pairs of parameters that are determined alone and not together.
    """

    ranges: tuple[Range, ...]
    words: tuple[str, ...]
    trades: tuple[Trade, ...]

    @property
    def determined(self) -> tuple[str, ...]:
        """Parameters that the runs fix, alone and together."""
        traded = {name for trade in self.trades for name in trade.parameters}
        return tuple(r.parameter for r in self.ranges if r.determined and r.parameter not in traded)

    @property
    def open(self) -> tuple[str, ...]:
        """All others."""
        fixed = set(self.determined)
        return (*(r.parameter for r in self.ranges if r.parameter not in fixed), *self.words)

    def to_json(self) -> dict[str, Any]:
        """Return the ranges and trades as a JSON object."""
        return {
            "determined": list(self.determined),
            "open": list(self.open),
            "ranges": [asdict(r) for r in self.ranges],
            "trades": [asdict(trade) for trade in self.trades],
        }


Times = tuple[NDArray[np.int64], NDArray[np.int64], int]


class _Sameness:
    """Whether a memory is foretold to do what the fitted memory does."""

    def __init__(self, runs: Sequence[TracedRun], memory: QueuedMemory, walker: Walker) -> None:
        self._runs, self._walker = runs, walker
        self._expected = list(walker.predict(runs, memory))

    def __call__(self, memory: QueuedMemory) -> bool:
        given = self._walker.predict(self._runs, memory)
        return all(
            _same(run, mine, theirs)
            for run, mine, theirs in zip(self._runs, given, self._expected, strict=True)
        )


def _same(run: TracedRun, mine: Times, theirs: Times) -> bool:
    """Whether what the fit has seen of a run is foretold alike."""
    seen = run.chosen
    starts, ends = seen & (run.start >= 0), seen & (run.end >= 0)
    total = run.total > 0 and seen.all()
    return (
        (not total or mine[2] == theirs[2])
        and np.array_equal(mine[0][starts], theirs[0][starts])
        and np.array_equal(mine[1][ends], theirs[1][ends])
    )


def determine(runs: Sequence[TracedRun], memory: QueuedMemory, walker: Walker) -> Determination:
    """Change every parameter and every pair of them, and see which changes the runs would not show."""
    same = _Sameness(runs, memory, walker)
    ranges = tuple(_range(name, memory, same) for name in LIMITS)
    words = tuple(
        word
        for word, choices in CHOICES.items()
        if any(
            same(_with(memory, {word: choice}))
            for choice in choices
            if choice != getattr(memory, word)
        )
    )
    fixed = [r.parameter for r in ranges if r.determined and r.parameter not in POWERS_OF_TWO]
    trades = []
    for a, b in combinations(fixed, 2):
        for steps in _pair_steps(a, b):
            moved = _shifted(memory, {a: steps[0], b: steps[1]})
            if moved is not None and same(moved):
                trades.append(Trade(parameters=(a, b), steps=steps))
                break
    return Determination(ranges=ranges, words=words, trades=tuple(trades))


def alternatives(
    memory: QueuedMemory, determination: Determination
) -> dict[str, list[QueuedMemory]]:
    """Memories that the runs cannot tell from the fitted memory, by what is open.

    They are the nearest beyond doubt: a trade's step, and of a range a value at either end.
    """
    others: dict[str, list[QueuedMemory]] = {}
    fixed = set(determination.determined)
    for own in determination.ranges:
        if own.parameter in fixed or own.low == own.high:
            continue
        values = {own.low, own.high, min(own.high, 2 * own.value + 4)} - {own.value}
        moved = [_set(memory, own.parameter, value) for value in sorted(values)]
        others[own.parameter] = [m for m in moved if m is not None]
    for trade in determination.trades:
        moved_both = _shifted(memory, dict(zip(trade.parameters, trade.steps, strict=True)))
        others[str(trade)] = [] if moved_both is None else [moved_both]
    for word in determination.words:
        others[word] = [
            _with(memory, {word: choice})
            for choice in CHOICES[word]
            if choice != getattr(memory, word)
        ]
    return {name: memories for name, memories in others.items() if memories}


def _range(name: str, memory: QueuedMemory, same: Callable[[QueuedMemory], bool]) -> Range:
    low, high = LIMITS[name]
    value = int(getattr(memory, name))
    return Range(
        parameter=name,
        value=value,
        low=_reach(name, memory, same, value, low, -1),
        high=_reach(name, memory, same, value, high, 1),
    )


def _reach(
    name: str,
    memory: QueuedMemory,
    same: Callable[[QueuedMemory], bool],
    value: int,
    limit: int,
    sign: int,
) -> int:
    """Farthest value towards a limit up to which nothing changes, looked for in doubling steps."""

    def holds(candidate: int) -> bool:
        moved = _set(memory, name, candidate)
        return moved is not None and same(moved)

    if name in POWERS_OF_TWO:
        reached = value
        while reached != limit and holds(reached * 2 if sign > 0 else reached // 2):
            reached = reached * 2 if sign > 0 else reached // 2
        return reached
    if value == limit or holds(limit):
        return limit
    reached, step = value, 1
    while abs(limit - reached) > step and holds(reached + sign * step):
        reached += sign * step
        step *= 2
    while step > 1:
        step //= 2
        if abs(limit - reached) >= step and holds(reached + sign * step):
            reached += sign * step
    return reached


def _set(memory: QueuedMemory, name: str, value: int) -> QueuedMemory | None:
    try:
        return _with(memory, {name: value})
    except ValueError:
        return None


def _shifted(memory: QueuedMemory, steps: dict[str, int]) -> QueuedMemory | None:
    values = {name: int(getattr(memory, name)) + step for name, step in steps.items()}
    try:
        return _with(memory, values)
    except ValueError:
        return None


def _pair_steps(a: str, b: str) -> list[tuple[int, int]]:
    """Steps of a pair: as the fit's directions move it, and by 1 each in both senses."""
    directions = [*CORE, *(d for effect in EFFECTS.values() for d in effect.directions)]
    steps = [(d[a], d[b]) for d in directions if set(d) == {a, b}]
    # A tick per access against a cycle per burst: by how many accesses a burst has
    own, other = (_STEPS if name.endswith("_ticks") else (1,) for name in (a, b))
    steps += [(sign * x, -sign * y) for x in own for y in other for sign in (1, -1)]
    return [*dict.fromkeys([*steps, (1, 1), (-1, -1)])]


def _with(memory: QueuedMemory, values: Mapping[str, Any]) -> QueuedMemory:
    """Memory with other values of parameters that are named by text."""
    return replace(memory, **values)
