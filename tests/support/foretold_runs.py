"""Traced runs of random networks as the model itself foretells them."""

from dataclasses import replace

import numpy as np

from sim.arrays.schedule_columns import LAYER
from sim.arrays.tables import accelerator_row
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.queued_memory import QueuedMemory
from testbench.traces.foreign_systems import random_networks
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["foretold", "foretold_runs"]

SEED = 5


def foretold_runs(
    config: AcceleratorConfig, walker: Walker, memory: QueuedMemory, count: int
) -> list[TracedRun]:
    """Runs of ``count`` random networks, all of whose descriptors are chosen."""
    runs = []
    for network in random_networks(config, count, SEED):
        mapped = map_realizable(config, network)
        blank = np.full(len(mapped.rows), -1, np.int64)
        run = TracedRun(
            name=network.name,
            rows=mapped.rows,
            hw=accelerator_row(config),
            header=mapped.end,
            layers=mapped.rows[:, LAYER].copy(),
            start=blank,
            end=blank,
            total=-1,
            chosen=np.ones(len(blank), np.bool_),
        )
        runs.append(foretold(run, walker, memory))
    return runs


def foretold(run: TracedRun, walker: Walker, memory: QueuedMemory) -> TracedRun:
    """Return the run with the starts, ends and total that the model has for it."""
    ((start, end, total),) = walker.predict([run], memory)
    return replace(run, start=start, end=end, total=total)
