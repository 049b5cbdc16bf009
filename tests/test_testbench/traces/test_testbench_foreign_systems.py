"""Systems of others in RTL: outputs stay the same, and calibration by their traces foretells other networks."""

from dataclasses import replace

import numpy as np
import pytest

from hwgen.program import compile_mapped
from sim import golden
from sim.realizability import map_realizable
from sim.spec.queued_memory import QueuedMemory, Servers
from sim.spec.spaces import TINY
from sim.timing import calibration as calibrations
from testbench.rtl.harness import Harness, build
from testbench.rtl.interconnects import SlowBridge
from testbench.rtl.memory_model import MemoryModel
from testbench.traces.calibrate import calibrate_runs
from testbench.traces.evidence import errors_of
from testbench.traces.foreign_systems import FOREIGN_SYSTEMS, random_networks, run_on
from testbench.traces.proposals import MICROBENCHMARKS, microbenchmark_program
from testbench.traces.traced_run import TracedRun, Walker

CONFIG = TINY.default


@pytest.fixture(scope="module")
def harness() -> Harness:
    return build(CONFIG)


def traced(harness: Harness, system: str, count: int, seed: int) -> list[TracedRun]:
    return [
        run_on(system, harness, map_realizable(CONFIG, network), network.name, index)
        for index, network in enumerate(random_networks(CONFIG, count, seed))
    ]


@pytest.mark.rtl
@pytest.mark.parametrize("system", FOREIGN_SYSTEMS)
def test_outputs_are_the_references(harness: Harness, system: str) -> None:
    for index, network in enumerate(random_networks(CONFIG, 3, 2)):
        mapped = map_realizable(CONFIG, network)
        shape = (1, *network.input.shape)
        pixels = np.random.default_rng(index).integers(-128, 128, shape).astype(np.int8)
        memory = MemoryModel(interconnect=FOREIGN_SYSTEMS[system](CONFIG, index))
        outputs = harness.run(compile_mapped(mapped), pixels, memory=memory).outputs
        assert np.array_equal(outputs, golden.run(network, pixels)[network.output.name])


@pytest.mark.rtl
@pytest.mark.long
def test_a_slow_bridge_is_foretold_after_calibration(harness: Harness) -> None:
    runs = traced(harness, "slow bridge", 12, 5)
    fitted = calibrate_runs(CONFIG, runs[:8], calibrations.default())
    assert fitted.memory.servers is Servers.SHARED
    assert fitted.before.mean > 0.7
    after = errors_of(runs[8:], fitted.memory, Walker(calibrations.default()))
    assert after.mean < 0.02
    # As bursts are served alone, whatever the ports have: what is open has no effect
    assert fitted.memory.in_flight <= 2


@pytest.mark.rtl
@pytest.mark.parametrize("name", MICROBENCHMARKS)
def test_microbenchmarks_run_in_rtl_as_foretold(harness: Harness, name: str) -> None:
    """On a fixed latency, where the walk is exact."""
    from testbench.traces.proposals import microbenchmark_run

    result = harness.run(
        microbenchmark_program(name, CONFIG),
        np.zeros((1, 1, 1, 1), np.int8),
        memory=MemoryModel(latency=37),
    )
    memory = QueuedMemory(
        clock_mhz=CONFIG.clock_mhz,
        access_bytes=CONFIG.bus_bytes,
        read_latency=36,
        write_latency=37,
        descriptor_latency=36,
    )
    ((start, end, total),) = Walker(calibrations.default()).predict(
        [microbenchmark_run(name, CONFIG)], memory
    )
    assert result.start[0].tolist() == start.tolist()
    assert result.end[0].tolist() == end.tolist()
    assert result.cycles[0] == total


def test_interconnects_values_are_positive() -> None:
    with pytest.raises(ValueError, match=r"^latency must be positive, not 0$"):
        SlowBridge(clock_mhz=200, far_mhz=75, width_bytes=4, latency=0)


def test_an_interconnect_is_not_deterministic_and_excludes_other_tiers() -> None:
    bridge = FOREIGN_SYSTEMS["slow bridge"](CONFIG, 0)
    model = MemoryModel(interconnect=bridge)
    assert not model.deterministic
    line = "^interconnect must be given without stall_seed and dram$"
    with pytest.raises(ValueError, match=line):
        replace(model, stall_seed=1)
