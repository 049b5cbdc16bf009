"""Fit of a queued memory to traced runs: the exact walk, and a pattern search over its parameters.

The search begins with every kind of system (which ports wait for each other, how many bursts are in
flight, whether bursts are stored), with latency and pace read off the traces. Further effects (rows, other
masters, turnarounds) are added to the best only where they gain something: a system is not more
complicated than its traces.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays.schedule_columns import QUEUE
from sim.spec.descriptor import Queue
from sim.spec.queued_memory import (
    CHOICES,
    LIMITS,
    TICKS,
    Arbitration,
    Forwarding,
    QueuedMemory,
    Servers,
)
from sim.timing.calibration import Calibration
from sim.timing.cycles import FETCH_BEATS
from sim.timing.transfer_unit import transfer_bytes
from testbench.traces.effects import CORE, COUNTS, EFFECTS, Effect
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["Estimate", "Loss", "fit", "refine"]

SURVIVORS = 3
"""Kinds of systems whose further effects are searched."""

KICKS = 16
"""Random moves of the best memory from which the search descends again."""

GAIN = 0.03
"""Part of the loss that a further effect must take away."""

EXACT = 1e-9
"""Loss below which nothing is left to gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A fitted memory.

    Parameters
    ----------
    memory : QueuedMemory
    loss : float
        Of :class:`Loss`.
    effects : tuple of str
        Of :data:`EFFECTS`, those that it needs.
    walks : int
        Runs that the search predicted.
    """

    memory: QueuedMemory
    loss: float
    effects: tuple[str, ...]
    walks: int


class Loss:
    """Relative error of runs: of their transfers' durations, of all ends, and of the totals.

    Differences are absolute, so that a late burst does not outweigh all others. Values are kept.

    Parameters
    ----------
    runs : sequence of TracedRun
    calibration : Calibration
        The accelerator's constants.
    """

    def __init__(self, runs: Sequence[TracedRun], calibration: Calibration) -> None:
        self._runs = [_Measured.of(run) for run in runs]
        self._walker = Walker(calibration)
        self._known: dict[QueuedMemory, float] = {}
        self.walks = 0

    def __call__(self, memory: QueuedMemory) -> float:
        """Mean over the runs."""
        if memory not in self._known:
            self.walks += len(self._runs)
            predictions = self._walker.predict((own.run for own in self._runs), memory)
            values = [
                own.loss(start, end, total)
                for own, (start, end, total) in zip(self._runs, predictions, strict=True)
            ]
            self._known[memory] = float(np.mean(values))
        return self._known[memory]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Measured:
    """The part of a run that is compared."""

    run: TracedRun
    moved: NDArray[np.bool_]
    durations: NDArray[np.int64]
    ends: NDArray[np.bool_]
    cycles: int

    @classmethod
    def of(cls, run: TracedRun) -> "_Measured":
        ends = run.chosen & (run.end >= 0)
        moved = ends & (run.start >= 0) & (run.rows[:, QUEUE] != Queue.EXECUTE)
        return cls(
            run=run,
            moved=moved,
            durations=(run.end - run.start)[moved],
            ends=ends,
            cycles=run.cycles,
        )

    def loss(self, start: NDArray[np.int64], end: NDArray[np.int64], total: int) -> float:
        value = 0.0
        if self.durations.size:
            off = np.abs((end - start)[self.moved] - self.durations).sum()
            value += float(off) / max(1, int(self.durations.sum()))
        if self.ends.any():
            value += float(np.abs(end - self.run.end)[self.ends].mean()) / self.cycles
        if self.run.total > 0 and self.run.chosen.all():
            value += 2 * abs(total - self.run.total) / self.cycles
        return value


def fit(
    runs: Sequence[TracedRun],
    calibration: Calibration,
    first: QueuedMemory,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Estimate:
    """Memory that foretells the runs best.

    Parameters
    ----------
    runs : sequence of TracedRun
    calibration : Calibration
        The accelerator's constants, which stay.
    first : QueuedMemory
        Whose clock, name and ``access_bytes`` the search begins with.
    progress : callable
        Told what is tried, how much is done and how much there is.
    """
    loss = Loss(runs, calibration)
    begin = list(_beginnings(runs, calibration, first))
    steps = len(begin) + SURVIVORS + 1
    tried: list[tuple[float, QueuedMemory]] = []
    for number, memory in enumerate(begin):
        progress("kinds of systems", number, steps)
        tried.append(_descend(loss, memory, CORE))
        if tried[-1][0] < EXACT:
            break
    tried.sort(key=lambda pair: pair[0])
    tried[0] = _kicked(loss, *tried[0], CORE)
    results = []
    for number, (_, memory) in enumerate(tried[:SURVIVORS]):
        progress("further effects", len(begin) + number, steps)
        results.append(_with_effects(loss, memory))
        if results[-1][0] < EXACT:
            break
    value, memory, effects = min(results, key=lambda result: result[0])
    progress("other beginnings", steps - 1, steps)
    directions = [*(d for name in effects for d in EFFECTS[name].directions), *CORE]
    value, memory = _kicked(loss, value, memory, directions)
    value, memory = _pruned(loss, value, memory, first)
    effects = tuple(name for name in effects if _has(memory, first, EFFECTS[name]))
    progress("other beginnings", steps, steps)
    return Estimate(memory=memory, loss=value, effects=effects, walks=loss.walks)


def _kicked(
    loss: Loss, value: float, memory: QueuedMemory, directions: Sequence[Mapping[str, int]]
) -> tuple[float, QueuedMemory]:
    """Move the best memory at random and descend again: a search along axes ends in narrow valleys.

    Iterated local search (Lourenço, Martin and Stützle, 2003); the seed is fixed.
    """
    rng = np.random.default_rng(0)
    for _ in range(KICKS):
        if value < EXACT:
            break
        change = dict.fromkeys(COUNTS, 0)
        for name, choices in COUNTS.items():
            now = getattr(memory, name)
            change[name] = int(rng.choice(choices)) if rng.random() < 0.3 else now
        candidate = next(_changed(memory, [change]), memory)
        for k in rng.choice(len(directions), 3, replace=False):
            reach = 2 * _first_step(candidate, directions[k])
            moved = _moved(candidate, directions[k], int(rng.integers(-reach, reach + 1)))
            candidate = next(_changed(candidate, [moved]), candidate)
        trial, candidate = _descend(loss, candidate, directions)
        if trial < value:
            value, memory = trial, candidate
    return value, memory


def _pruned(
    loss: Loss, value: float, memory: QueuedMemory, first: QueuedMemory
) -> tuple[float, QueuedMemory]:
    """Put back what the loss does not need; of values that stand for each other the plainest stays.

    A latency that nothing shows is not put back to that of the memory the search begins with: see
    :func:`_as_reads`.
    """
    for name in (*CHOICES, *reversed(tuple(LIMITS))):
        if name in ("write_latency", "descriptor_latency"):
            changes = [_as_reads(memory, first, name)]
        elif name == "read_latency":
            continue  # Every run shows it
        else:
            plainer = {name: getattr(first, name)}
            changes = [plainer]
            if name.endswith("_ticks"):
                # Service and latency may stand for each other by a cycle or two
                latency = f"{name.removesuffix('_ticks')}_latency"
                seen = getattr(memory, latency)
                changes += [{latency: seen + d} | plainer for d in (-1, 1, -2, 2)]
        for plain in _changed(memory, changes):
            trial = loss(plain)
            if trial <= value + EXACT:
                value, memory = trial, plain
                break
    return value, memory


def _as_reads(memory: QueuedMemory, first: QueuedMemory, latency: str) -> dict[str, int]:
    """Latency as far from that of reads as it is where the search begins: on a memory of a fixed latency."""
    return {latency: memory.read_latency + getattr(first, latency) - first.read_latency}


def _has(memory: QueuedMemory, first: QueuedMemory, effect: Effect) -> bool:
    names = {name for change in effect.values for name in change}
    return any(getattr(memory, name) != getattr(first, name) for name in names)


def _with_effects(loss: Loss, memory: QueuedMemory) -> tuple[float, QueuedMemory, tuple[str, ...]]:
    """Add the effect that gains most, again and again, while it gains something."""
    directions = list(CORE)
    effects: list[str] = []
    value, memory = _best_word(loss, loss(memory), memory, directions)
    while value >= EXACT and len(effects) < len(EFFECTS):
        trials = []
        for name, effect in EFFECTS.items():
            if name in effects:
                continue
            own = [*effect.directions, *directions]
            starts = list(_changed(memory, effect.values))
            if not starts:
                continue
            nearest = min(starts, key=loss)
            trials.append((*_descend(loss, nearest, own), name))
        if not trials:
            break
        best, candidate, name = min(trials, key=lambda trial: trial[0])
        if best > value * (1 - GAIN):
            break
        directions = [*EFFECTS[name].directions, *directions]
        effects.append(name)
        value, memory = _best_word(loss, best, candidate, directions)
    return value, memory, tuple(effects)


def _best_word(
    loss: Loss, value: float, memory: QueuedMemory, directions: Sequence[Mapping[str, int]]
) -> tuple[float, QueuedMemory]:
    """Try the other words of arbitration, forwarding and servers."""
    if value < EXACT:
        return value, memory
    others: list[dict[str, Any]] = [
        *({"arbitration": word} for word in Arbitration),
        *({"forwarding": word} for word in Forwarding),
        *({"servers": word} for word in Servers),
    ]
    for change in others:
        candidate = replace(memory, **change)
        if candidate == memory or loss(candidate) > 2 * value:
            continue
        best, candidate = _descend(loss, candidate, directions)
        if best < value * (1 - GAIN / 3):
            value, memory = best, candidate
    return value, memory


def _changed(memory: QueuedMemory, changes: Sequence[Mapping[str, Any]]) -> Iterator[QueuedMemory]:
    for change in changes:
        try:
            yield replace(memory, **change)
        except ValueError:
            continue


def _descend(
    loss: Loss, memory: QueuedMemory, directions: Sequence[Mapping[str, int]]
) -> tuple[float, QueuedMemory]:
    """Pattern search (Hooke and Jeeves, 1961): steps double where they gain, halve where they do not."""
    value = loss(memory)
    steps = [_first_step(memory, direction) for direction in directions]
    while value >= EXACT:
        before = value
        for k, direction in enumerate(directions):
            gained = False
            for sign in (1, -1):
                change = _moved(memory, direction, sign * steps[k])
                for candidate in _changed(memory, [change]):
                    trial = loss(candidate)
                    if trial < value:
                        value, memory, gained = trial, candidate, True
                if gained:
                    break
            steps[k] = min(256, 2 * steps[k]) if gained else max(1, steps[k] // 2)
        for name, choices in COUNTS.items():
            for candidate in _changed(memory, [{name: choice} for choice in choices]):
                trial = loss(candidate)
                if trial < value:
                    value, memory = trial, candidate
        if value >= before and max(steps) == 1:
            break
    return value, memory


def _first_step(memory: QueuedMemory, direction: Mapping[str, int]) -> int:
    return max(4, min(int(getattr(memory, name)) // 4 for name in direction))


def _moved(memory: QueuedMemory, direction: Mapping[str, int], step: int) -> dict[str, int]:
    """Values a step further, none of them beyond its range."""
    values = {}
    for name, part in direction.items():
        low, high = LIMITS[name]
        values[name] = min(high, max(low, int(getattr(memory, name)) + part * step))
    return values


def refine(
    runs: Sequence[TracedRun], calibration: Calibration, first: QueuedMemory, estimate: Estimate
) -> Estimate:
    """Go on from a fit with more runs: no further effects, and numbers that suit all of them.

    Parameters
    ----------
    runs : sequence of TracedRun
    calibration : Calibration
    first : QueuedMemory
        As of :func:`fit`.
    estimate : Estimate
        Of :func:`fit`.
    """
    loss = Loss(runs, calibration)
    directions = [*(d for name in estimate.effects for d in EFFECTS[name].directions), *CORE]
    value, memory = _descend(loss, estimate.memory, directions)
    value, memory = _pruned(loss, value, memory, first)
    effects = tuple(name for name in estimate.effects if _has(memory, first, EFFECTS[name]))
    return Estimate(memory=memory, loss=value, effects=effects, walks=estimate.walks + loss.walks)


def _beginnings(
    runs: Sequence[TracedRun], calibration: Calibration, first: QueuedMemory
) -> Iterator[QueuedMemory]:
    """Kinds of systems, the plainest first, with latency and pace read off the traces."""
    latency, ticks = _first_latency(runs, calibration), _pace(runs)
    own_ports = replace(
        first,
        read_latency=latency,
        write_latency=latency,
        descriptor_latency=latency,
        read_ticks=ticks,
        descriptor_ticks=8 * TICKS,
    )
    yield replace(own_ports, read_ticks=TICKS)
    yield own_ports
    yield replace(own_ports, in_flight=1)
    shared = replace(own_ports, write_ticks=ticks, descriptor_ticks=0)
    serial: dict[str, Any] = {"read_latency": 2, "write_latency": 2, "descriptor_latency": 2}
    service = min(LIMITS["burst_cycles"][1], max(0, latency - 4))
    for servers, forwarding in product((Servers.SHARED, Servers.BY_DIRECTION), Forwarding):
        words: dict[str, Any] = {"servers": servers, "forwarding": forwarding}
        turns = replace(shared, arbitration=Arbitration.ROUND_ROBIN, **words)
        yield turns
        yield replace(turns, in_flight=2)
        yield replace(turns, in_flight=1, burst_cycles=service, **serial)
    yield replace(shared, servers=Servers.SHARED)


def _first_latency(runs: Sequence[TracedRun], calibration: Calibration) -> int:
    """Latency that the first descriptor's start shows: the header's and its own, one after the other."""
    arrival = calibration.constants["fetch_start"] + FETCH_BEATS - 1
    starts = [int(run.start[0]) for run in runs if run.start[0] >= 0]
    return min(LIMITS["read_latency"][1], max(1, (min(starts, default=0) - arrival) // 2))


def _pace(runs: Sequence[TracedRun]) -> int:
    """Ticks of a beat that the longest LOADs show."""
    paces = [TICKS]
    for run in runs:
        known = (run.rows[:, QUEUE] == Queue.LOAD) & (run.start >= 0) & (run.end >= 0)
        if known.any():
            durations = np.where(known, run.end - run.start, 0)
            longest = int(durations.argmax())
            beats = transfer_bytes(run.rows[longest], run.hw) // run.hw.bus_bytes
            paces.append(int(durations[longest]) * TICKS // max(1, beats))
    return min(LIMITS["read_ticks"][1], int(np.median(paces)))
