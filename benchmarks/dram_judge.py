"""Our DRAM against DRAMsim3: the same timing and requests, latencies of the reads.

Run as ``python benchmarks/dram_judge.py --dramsim3 PROGRAM [--json FILE]``, where the program is DRAMsim3's
``dramsim3main``, built by whoever runs this. Requests are single accesses; the accelerator runs at the
memory's clock, and controller and PHY take the single clock that DRAMsim3's queues take.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.spec.dram import DRAM_PRESETS, DramPolicy, DramSystem
from sim.spec.dram_timing import Interval
from sim.spec.spaces import TINY
from testbench.judges import dramsim3
from testbench.judges.dram_driver import Burst, build_driver, stepped
from testbench.rtl.dram_channel import dram_channel

REQUESTS = 4000

Requests = Callable[[DramSystem, np.random.Generator], list[Burst]]


def main() -> None:
    """Print a line per memory and kind of request."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dramsim3", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="cosilico-") as folder:
        driver = build_driver(Path(folder))
        for system in DRAM_PRESETS.values():
            if system.controller.policy is DramPolicy.FR_FCFS:
                rows += [
                    compared(driver, arguments.dramsim3.resolve(), system, kind) for kind in KINDS
                ]
    if arguments.json:
        document = {"requests": REQUESTS, "rows": rows}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


def compared(driver: Path, program: Path, system: DramSystem, kind: str) -> Mapping[str, Any]:
    """Compare the latencies of the reads of a kind of requests."""
    clock = Interval(clocks=1)
    own = replace(
        system, controller=replace(system.controller, front=clock, back=Interval(clocks=0))
    )
    requests = KINDS[kind](own, np.random.default_rng(REQUESTS))
    config = replace(TINY.default, clock_mhz=system.clock_mhz)
    channel = replace(dram_channel(TINY.default, own), clock_mhz=config.clock_mhz)
    cycles = stepped(driver, channel, requests)
    ours = sorted(
        there[-1] - request.arrival
        for there, request in zip(cycles, requests, strict=True)
        if not request.write
    )
    theirs = dramsim3.latencies(program, own, requests)
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    a, b = np.array(ours), np.array(theirs)
    row = {
        "memory": own.name,
        "kind": kind,
        "reads": len(ours),
        "mean_ours": round(float(a.mean()), 2),
        "mean_dramsim3": round(float(b.mean()), 2),
        "equal": round(float((a == b).mean()), 4),
        "median_ours": float(np.median(a)),
        "median_dramsim3": float(np.median(b)),
    }
    print(row, flush=True)
    return row


def _apart(system: DramSystem, rng: np.random.Generator) -> list[Burst]:
    """Reads of random rows that do not meet each other: hits, closed rows, conflicts, refreshes."""
    return _requests(system, rng, gap=300, writes=0.0, near=0.5)


def _stream(system: DramSystem, rng: np.random.Generator) -> list[Burst]:
    """Reads of consecutive addresses, a little slower than the data pins."""
    size, step = system.access_bytes, system.burst_length // 2 + 1
    return [_access(False, i * size, size, 50 + i * step) for i in range(REQUESTS)]


def _random(system: DramSystem, rng: np.random.Generator) -> list[Burst]:
    """Reads of random rows at a moderate load, which the controller may reorder."""
    return _requests(system, rng, gap=40, writes=0.0, near=0.5)


def _mixed(system: DramSystem, rng: np.random.Generator) -> list[Burst]:
    """Reads and writes, a third of them writes, at a moderate load."""
    return _requests(system, rng, gap=40, writes=1 / 3, near=0.5)


KINDS: Mapping[str, Requests] = {
    "reads apart": _apart,
    "stream of reads": _stream,
    "random reads": _random,
    "reads and writes": _mixed,
}


def _requests(
    system: DramSystem, rng: np.random.Generator, *, gap: int, writes: float, near: float
) -> list[Burst]:
    """Requests `gap` clocks apart on average, each address once; `near`: of the row before."""
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


if __name__ == "__main__":
    main()
