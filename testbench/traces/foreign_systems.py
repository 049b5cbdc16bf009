"""Systems that are not in the model's terms, and runs on them: what calibration by traces is tried on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from hwgen.program import compile_mapped
from sim.arrays.schedule_columns import LAYER
from sim.arrays.tables import accelerator_row
from sim.plan import Mapped
from sim.realizability import check, map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.network import Network
from sim.spec.spaces import TINY
from testbench.cases.random_networks import NETWORKS_PER_CONFIG, draw_group
from testbench.rtl.harness import Harness
from testbench.rtl.interconnects import Interconnect, ReorderingController, SharedBus, SlowBridge
from testbench.rtl.memory_model import MemoryModel
from testbench.traces.traced_run import TracedRun

__all__ = ["FOREIGN_SYSTEMS", "random_networks", "run_on"]

LEAST_DESCRIPTORS = 16
"""Descriptors of the smallest network that is drawn."""

TRIES = 100
"""Groups of networks that are drawn for each that is taken, at most."""


def _slow_bridge(config: AcceleratorConfig, seed: int) -> Interconnect:
    return SlowBridge(clock_mhz=config.clock_mhz, far_mhz=75, width_bytes=4, latency=9)


def _shared_bus(config: AcceleratorConfig, seed: int) -> Interconnect:
    return SharedBus(
        width_bytes=config.bus_bytes,
        latency=20,
        queue=4,
        gap_cycles=60,
        other_beats=12,
        traffic_seed=1 + seed,
    )


def _reordering_controller(config: AcceleratorConfig, seed: int) -> ReorderingController:
    return ReorderingController(
        width_bytes=config.bus_bytes,
        latency=22,
        banks=8,
        row_bytes=512,
        activate=5,
        precharge=5,
        turnaround=5,
        queue=8,
        high_watermark=32,
        low_watermark=8,
        patience=200,
    )


def _slow_rows(config: AcceleratorConfig, seed: int) -> Interconnect:
    rows = {"banks": 2, "row_bytes": 256, "activate": 14, "precharge": 14}
    return replace(_reordering_controller(config, seed), latency=25, turnaround=10, **rows)


FOREIGN_SYSTEMS: Mapping[str, Callable[[AcceleratorConfig, int], Interconnect]] = {
    "slow bridge": _slow_bridge,
    "shared bus": _shared_bus,
    "reordering controller": _reordering_controller,
    "reordering controller, two banks of slow rows": _slow_rows,
}
"""Systems by their names, made for an accelerator and the seed of a run, which only random traffic heeds."""


def random_networks(config: AcceleratorConfig, count: int, seed: int) -> Iterator[Network]:
    """Yield random networks that an accelerator runs, of all kinds of layers.

    Raises
    ------
    CosilicoError
        If too few of very many networks run on it in ``LEAST_DESCRIPTORS`` or more.
    """
    taken = 0
    for group in range(TRIES * count):
        first = group * NETWORKS_PER_CONFIG
        for case in draw_group(group, first, NETWORKS_PER_CONFIG, TINY, seed):
            if taken == count:
                return
            if check(config, case.network):
                continue
            if len(map_realizable(config, case.network).rows) < LEAST_DESCRIPTORS:
                continue
            taken += 1
            yield case.network
    if taken < count:
        raise CosilicoError(
            f"accelerator must run {count} random networks of {LEAST_DESCRIPTORS} descriptors or "
            f"more, not {taken}"
        )


def run_on(system: str, harness: Harness, mapped: Mapped, name: str, seed: int) -> TracedRun:
    """Run a network on random pixels, behind a system of :data:`FOREIGN_SYSTEMS`, and trace it."""
    config = harness.config
    program = compile_mapped(mapped)
    shape = (mapped.images, *mapped.source.image_shape)
    pixels = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    memory = MemoryModel(interconnect=FOREIGN_SYSTEMS[system](config, seed))
    result = harness.run(program, pixels, memory=memory)
    return TracedRun(
        name=name,
        rows=mapped.rows,
        hw=accelerator_row(config),
        header=mapped.end,
        layers=mapped.rows[:, LAYER].copy(),
        start=result.start[0],
        end=result.end[0],
        total=int(result.cycles[0]),
        chosen=np.ones(len(mapped.rows), np.bool_),
    )
