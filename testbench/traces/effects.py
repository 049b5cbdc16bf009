"""Effects that a memory system may have, and the directions in which a fit moves their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from sim.spec.queued_memory import LIMITS, TICKS

__all__ = ["CORE", "COUNTS", "EFFECTS", "Effect"]

CORE: tuple[Mapping[str, int], ...] = (
    {"read_latency": 1, "write_latency": 1, "descriptor_latency": 1},
    {"read_ticks": 1, "write_ticks": 1},
    {"burst_cycles": 1},
    {"read_latency": 1, "write_latency": 1, "descriptor_latency": 1, "burst_cycles": -1},
    {"burst_cycles": 1, "read_ticks": -8, "write_ticks": -8},
    {"read_latency": 1},
    {"write_latency": 1},
    {"descriptor_latency": 1},
    {"read_ticks": 1},
    {"write_ticks": 1},
    {"read_ticks": 8, "read_latency": -1},
    {"write_ticks": 8, "write_latency": -1},
    {"descriptor_latency": 1, "burst_cycles": -1},
)
"""Directions of the search that every system has: parameters and their proportions."""

COUNTS: Mapping[str, tuple[int, ...]] = {
    "in_flight": (1, 2, 3, 4, 6, 8, 12, LIMITS["in_flight"][1]),
    "read_queue": (1, 2, 3, 4, 6, LIMITS["read_queue"][1]),
    "write_queue": (1, 2, 3, 4, 6, 8, 16, LIMITS["write_queue"][1]),
}
"""Values of parameters that count bursts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect that not every system has.

    Parameters
    ----------
    values : sequence of dict
        Parameters to begin with, each a trial of its own.
    directions : sequence of dict
        Directions of the search with it.
    """

    values: tuple[Mapping[str, Any], ...]
    directions: tuple[Mapping[str, int], ...] = ()


EFFECTS: Mapping[str, Effect] = {
    "descriptors of their own pace": Effect(
        values=tuple({"descriptor_ticks": beats * TICKS} for beats in (8, 16, 32)),
        directions=({"descriptor_ticks": 8}, {"descriptor_ticks": TICKS, "descriptor_latency": -1}),
    ),
    "wider accesses": Effect(values=tuple({"access_bytes": size} for size in (16, 32, 64))),
    "turnaround": Effect(
        values=({"turnaround_cycles": 4}, {"turnaround_cycles": 16}),
        directions=({"turnaround_cycles": 1},),
    ),
    "rows": Effect(
        values=tuple(
            {"row_cycles": cycles, "row_bytes": size, "banks": banks}
            for cycles, size, banks in product((12, 36), (256, 1024, 4096), (1, 2, 8))
        ),
        directions=({"row_cycles": 1}, {"row_cycles": 1, "read_latency": -1}),
    ),
    "other masters": Effect(
        values=tuple(
            {"other_period": period, "other_cycles": max(1, period // part)}
            for period, part in product((24, 48, 96, 192), (3, 6))
        ),
        directions=(
            {"other_period": 1},
            {"other_cycles": 1},
            {"other_period": 4, "other_cycles": 1},
            {"other_period": 8, "burst_cycles": 1},
        ),
    ),
}
"""Effects by their names; a field that no effect names is in :data:`CORE` or :data:`COUNTS`."""
