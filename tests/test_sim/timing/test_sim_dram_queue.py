"""The model of a reordering controller against the harness's, which looks at every clock."""

from pathlib import Path

import numpy as np
import pytest

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
    access_clock,
    advance,
    enqueue,
    idle_controller,
)
from testbench.calibration.dram_parameters import true_parameters
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


def cycles(p: np.ndarray, controller: object, number: int, burst: Burst) -> list[int]:
    """Cycles of a burst that is complete."""
    port = STORE if burst.write else LOAD
    own = controller.bursts[port, number % controller.bursts.shape[1]]  # type: ignore[attr-defined]
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
    driver: Path, system: DramSystem, accelerator: object, gap: int
) -> None:
    rng = np.random.default_rng([gap, system.clock_mhz])
    dram = dram_channel(accelerator, system)  # type: ignore[arg-type]
    bursts = random_bursts(rng, accelerator.bus_bytes, 150, gap)  # type: ignore[attr-defined]
    assert scheduled(dram, bursts) == stepped(driver, dram, bursts)
