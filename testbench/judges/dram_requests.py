"""Requests of single accesses, for comparing DRAM models: what the harness's makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim.spec.dram import DramSystem
from sim.spec.dram_timing import Interval
from sim.spec.spaces import TINY
from testbench.judges.dram_driver import Burst, stepped
from testbench.rtl.dram_channel import dram_channel

__all__ = ["KINDS", "REQUESTS", "direct", "latencies"]

REQUESTS = 4000
SEED = 4000


def direct(system: DramSystem) -> DramSystem:
    """Return a memory whose controller adds a clock before the first command and nothing else."""
    controller = replace(system.controller, front=Interval(clocks=1), back=Interval(clocks=0))
    return replace(system, controller=controller)


def latencies(driver: Path, system: DramSystem, requests: Sequence[Burst]) -> list[int]:
    """Latency of every read in the harness's DRAM, in clocks of the memory, in ascending order.

    Parameters
    ----------
    driver : Path
        Of :func:`testbench.judges.dram_driver.build_driver`.
    system : DramSystem
    requests : sequence of Burst
        Their arrivals are clocks of the memory.
    """
    channel = replace(dram_channel(TINY.default, system), clock_mhz=system.clock_mhz)
    return sorted(
        there[-1] - request.arrival
        for there, request in zip(stepped(driver, channel, list(requests)), requests, strict=True)
        if not request.write
    )


def _apart(system: DramSystem) -> list[Burst]:
    """Reads of random rows that do not meet each other: hits, closed rows, conflicts, refreshes."""
    return _requests(system, gap=300, writes=0.0, near=0.5)


def _stream(system: DramSystem) -> list[Burst]:
    """Reads of consecutive addresses, a little slower than the data pins."""
    size, step = system.access_bytes, system.burst_length // 2 + 1
    return [_access(False, i * size, size, 50 + i * step) for i in range(REQUESTS)]


def _random(system: DramSystem) -> list[Burst]:
    """Reads of random rows at a moderate load, which the controller may reorder."""
    return _requests(system, gap=40, writes=0.0, near=0.5)


def _mixed(system: DramSystem) -> list[Burst]:
    """Reads and writes, a third of them writes, at a moderate load."""
    return _requests(system, gap=40, writes=1 / 3, near=0.5)


def _requests(system: DramSystem, *, gap: int, writes: float, near: float) -> list[Burst]:
    """Requests `gap` clocks apart on average, each address once; `near`: of the row before."""
    rng = np.random.default_rng(SEED)
    size, page = system.access_bytes, system.page_bytes * system.bank_groups
    most = page * (system.banks // system.bank_groups) * 16 // size
    used: set[int] = set()
    requests: list[Burst] = []
    arrival, last = 50, 0
    while len(requests) < REQUESTS:
        at = int(rng.integers(most))
        if rng.random() < near:
            at = last // (page // size) * (page // size) + at % (page // size)
        if at in used:
            continue
        used.add(at)
        last = at
        arrival += 1 + int(rng.integers(2 * gap))
        requests.append(_access(rng.random() < writes, at * size, size, arrival))
    return requests


def _access(write: bool, address: int, size: int, arrival: int) -> Burst:
    return Burst(int(write), address, 1, size, arrival)


KINDS: Mapping[str, Callable[[DramSystem], list[Burst]]] = {
    "reads apart": _apart,
    "stream of reads": _stream,
    "random reads": _random,
    "reads and writes": _mixed,
}
"""Kinds of requests, by their names."""
