"""Random deterministic memories: latencies, limits, widths and clocks such as the spaces have."""

from dataclasses import replace

import numpy as np

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.memories import FixedLatency
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["LATENCIES", "OUTSTANDING", "draw_memories", "draw_memory"]

LATENCIES = (4, 200)
"""Least and largest latency that is drawn."""

OUTSTANDING = (1, 16)
"""Least and largest number of outstanding bursts that is drawn."""

WIDTHS = tuple(
    sorted(
        {
            replace(space.default, io_bandwidth_gbps=bandwidth).bus_bytes
            for space in HARDWARE_SPACES.values()
            for bandwidth in space.values["io_bandwidth_gbps"]
        }
    )
)
"""Widths of the buses of all spaces, bytes."""

CLOCKS_MHZ = (100, 133, 200, 333, 400, 533, 667, 800, 1066, 1600)
"""Clocks of the memory: of both spaces, around them, and of usual memories."""


def draw_memories(config: AcceleratorConfig, count: int, seed: int) -> list[FixedLatency]:
    """Draw different memories for an accelerator; the seed decides them."""
    rng = np.random.default_rng([seed, config.fingerprint])
    memories: dict[FixedLatency, None] = {}
    while len(memories) < count:
        memories[draw_memory(config, rng)] = None
    return list(memories)


def draw_memory(config: AcceleratorConfig, rng: np.random.Generator) -> FixedLatency:
    """Draw a memory: each value is left out half of the time, but the latency.

    Latencies are drawn evenly in their logarithm. A clock is one of CLOCKS_MHZ, or the
    accelerator's times or by a small number.
    """

    def some(values: tuple[int, ...]) -> int | None:
        return int(rng.choice(values)) if rng.random() < 0.5 else None

    low, high = (float(np.log(limit)) for limit in LATENCIES)

    def latency() -> int:
        return int(np.clip(round(np.exp(rng.uniform(low, high))), *LATENCIES))

    factor = int(rng.integers(1, 9))
    related = (config.clock_mhz * factor, max(1, config.clock_mhz // factor))
    gap = some((1, 2, 5, 16))
    return FixedLatency(
        latency=latency(),
        write_latency=latency() if rng.random() < 0.5 else None,
        outstanding=some(tuple(range(OUTSTANDING[0], OUTSTANDING[1] + 1))),
        width_bytes=some(WIDTHS),
        clock_mhz=some((*CLOCKS_MHZ, *related)),
        burst_gap=gap if gap is not None and rng.random() < 0.5 else 0,
    )
