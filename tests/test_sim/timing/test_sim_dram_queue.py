"""The model of a reordering controller against the harness's, which looks at every clock."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dram_parameters import true_parameters
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.dram import DRAM_PRESETS, DramSystem
from sim.spec.spaces import EDGE, TINY
from sim.timing import calibration
from sim.timing.dram import DramParameter, clock_of, cycle_of, initial_state
from sim.timing.dram_queue import (
    LATEST,
    LEFT,
    LOAD,
    NOTHING,
    STORE,
    Controller,
    access_clock,
    advance,
    enqueue,
    idle_controller,
)
from testbench.judges.dram_driver import Burst, build_driver, random_bursts, stepped
from testbench.rtl.dram_channel import DramChannel, dram_channel

REORDERING = [s for s in DRAM_PRESETS.values() if s.controller.policy == "fr-fcfs"]
FAR = 1 << 60


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(tmp_path_factory.mktemp("dram"))


def scheduled(dram: DramChannel, bursts: list[Burst]) -> list[list[int]]:
    """Cycles in which every beat or response is in the controller."""
    p = true_parameters(dram)
    state = initial_state(p)
    constants = calibration.default().array
    constants[[calibration.Constant.READ_BURSTS, calibration.Constant.WRITE_BURSTS]] = len(bursts)
    controller = idle_controller(constants, p)
    for number, burst in enumerate(bursts):
        enters = clock_of(p, burst.arrival) + p[DramParameter.FRONT]
        while advance(state, p, controller, enters) != NOTHING:
            pass
        port = STORE if burst.write else LOAD
        size = burst.beats * burst.beat_bytes
        enqueue(p, controller, port, number, burst.address, size, enters)
    while advance(state, p, controller, FAR) != NOTHING:
        pass
    return [cycles(p, controller, number, burst) for number, burst in enumerate(bursts)]


def cycles(p: NDArray[np.int64], controller: Controller, number: int, burst: Burst) -> list[int]:
    """Cycles of a burst that is complete."""
    port = STORE if burst.write else LOAD
    own = controller.bursts[port, number % controller.bursts.shape[1]]
    assert own[LEFT] == 0
    if burst.write:
        return [int(cycle_of(p, own[LATEST] + p[DramParameter.WRITE_LATENCY]))]
    size = p[DramParameter.ACCESS_BYTES]
    there = []
    for beat in range(burst.beats):
        at = burst.address + beat * burst.beat_bytes
        needed = range(at // size, (at + burst.beat_bytes - 1) // size + 1)
        first = burst.address // size
        last = max(access_clock(controller, port, number, access - first) for access in needed)
        there.append(int(cycle_of(p, last + p[DramParameter.READ_LATENCY])))
    return there


ACCELERATORS = [TINY.default, EDGE.default]


@pytest.mark.parametrize("gap", [2, 20, 300])
@pytest.mark.parametrize("accelerator", ACCELERATORS, ids=["tiny", "edge"])
@pytest.mark.parametrize("system", REORDERING, ids=str)
def test_every_beat_and_response_comes_when_every_clock_is_looked_at(
    driver: Path, system: DramSystem, accelerator: AcceleratorConfig, gap: int
) -> None:
    rng = np.random.default_rng([gap, system.clock_mhz])
    dram = dram_channel(accelerator, system)
    bursts = random_bursts(rng, accelerator.bus_bytes, 150, gap)
    assert scheduled(dram, bursts) == stepped(driver, dram, bursts)


def test_a_hit_overtakes_a_conflict() -> None:
    """Behind an access to another row of the bank, one to the open row is served first."""
    dram = dram_channel(TINY.default, DRAM_PRESETS["lpddr4-3200/fr-fcfs"])
    stripe = dram.page_bytes * dram.banks
    bursts = [Burst(0, at, 1, 4, 0) for at in (0, stripe, 64)]
    (first,), (conflict,), (hit,) = scheduled(dram, bursts)
    assert first < hit < conflict


def test_an_access_that_starves_goes_first() -> None:
    """A row that is hit again and again is closed for it after that time, and not before."""
    system = DRAM_PRESETS["lpddr4-3200/fr-fcfs"]
    late, early = (
        scheduled(
            replace(dram_channel(TINY.default, system), starvation=starvation),
            [
                Burst(0, at, 1, 4, 0)
                for at in (0, system.page_bytes * system.banks, *range(32, 2048, 32))
            ],
        )
        for starvation in (1000, 100)
    )
    assert early[1] < late[1]
    assert late[1] == max(late)
    assert early[1] < max(early)


def test_writes_wait_for_their_mark_while_there_are_reads() -> None:
    dram = dram_channel(TINY.default, DRAM_PRESETS["ddr4-2400/fr-fcfs"])
    reads = [Burst(0, 64 * i, 1, 4, 0) for i in range(200)]
    for count, waits in ((dram.write_high - 1, True), (dram.write_high, False)):
        writes = [Burst(1, 1 << 20 | 64 * i, 1, 4, 0) for i in range(count)]
        done = scheduled(dram, [*writes, *reads])
        last_read = max(there[0] for there in done[count:])
        assert (min(there[0] for there in done[:count]) > last_read) == waits
