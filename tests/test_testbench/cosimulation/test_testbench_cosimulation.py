"""Programs in the fast cocotb bench: what the C++ harness measures, to the last figure and word."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from accelerators import NARROW_BUS
from convolution_case import convolution, convolution_program, patched_program, random_images
from hwgen.program import Program
from sim import golden
from sim.spec.descriptor import Queue
from sim.spec.errors import MachineError
from sim.spec.memories import DRAM
from sim.spec.views import View
from testbench.cosimulation import simulation
from testbench.cosimulation.bench_top import SIZES, memory_size
from testbench.cosimulation.simulation import CocotbSimulation
from testbench.rtl import harness
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import Harness, HarnessError
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Progress, RunResult

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

STALLED = MemoryModel(stall_seed=5)


@functools.cache
def fast() -> CocotbSimulation:
    """Simulation with the memory in SystemVerilog."""
    return simulation.build(
        NARROW_BUS, memory=MemoryModel(), program_bytes=convolution_program().memory_bytes
    )


@functools.cache
def modelled() -> CocotbSimulation:
    """Simulation with the harness's memory."""
    return simulation.build(
        NARROW_BUS, memory=STALLED, program_bytes=convolution_program().memory_bytes
    )


@functools.cache
def reference() -> Harness:
    """The C++ harness."""
    return harness.build(NARROW_BUS)


def assert_same(measured: RunResult, expected: RunResult) -> None:
    """Assert that everything but wall time is the same."""
    for field in dataclasses.fields(RunResult):
        first, second = getattr(measured, field.name), getattr(expected, field.name)
        if isinstance(first, Mapping):
            assert first.keys() == second.keys()
            assert all((first[key] == second[key]).all() for key in first), field.name
        elif isinstance(first, np.ndarray):
            assert (first == second).all(), field.name
        elif field.name != "wall_s":
            assert first == second, field.name


@pytest.mark.parametrize("latency", [1, 2, 24, 101])
def test_a_latency_gives_the_harness_s_figures(latency: int) -> None:
    """Outputs, activations, events, counters and even the cycles between runs; and the reference's."""
    memory = MemoryModel(latency=latency)
    measured, expected = (
        built.run(convolution_program(), random_images(3), network=convolution(), memory=memory)
        for built in (fast(), reference())
    )
    assert_same(measured, expected)
    assert (measured.outputs == golden.run(convolution(), random_images(3))["conv"]).all()


@pytest.mark.parametrize(
    "memory",
    [
        STALLED,
        MemoryModel(stall_seed=1, stall_percent=40),
        MemoryModel(dram=dram_channel(NARROW_BUS, DRAM)),
        MemoryModel(latency=70, outstanding=2, width_bytes=4, clock_mhz=150, burst_gap=3),
        MemoryModel(),
    ],
    ids=["stalls", "many stalls", "DRAM", "slow", "latency"],
)
def test_the_harness_s_memory_gives_its_figures(memory: MemoryModel) -> None:
    """A second bench around the same memory: the same stalls in the same cycles."""
    measured, expected = (
        built.run(convolution_program(), random_images(3), network=convolution(), memory=memory)
        for built in (modelled(), reference())
    )
    assert_same(measured, expected)


@pytest.mark.long
def test_the_synthesis_view_runs_as_well() -> None:
    """Long: generated folders run it in the bench of the same parts."""
    built = simulation.build(
        NARROW_BUS,
        memory=MemoryModel(),
        program_bytes=convolution_program().memory_bytes,
        view=View.SYNTHESIS,
    )
    measured = built.run(convolution_program(), random_images(2), network=convolution())
    expected = reference().run(convolution_program(), random_images(2), network=convolution())
    assert measured.view is View.SYNTHESIS
    assert_same(dataclasses.replace(measured, view=View.SIMULATION), expected)


def stuck() -> Program:
    """Return a program whose STORE waits for a token that nobody gives."""
    return patched_program(
        convolution_program(), Queue.STORE, wait=1 << Queue.LOAD | 1 << Queue.EXECUTE
    )


def refused() -> Program:
    """Return a program whose header names another configuration."""
    program = convolution_program()
    image = bytearray(program.image)
    image[program.header_address + 4] ^= 1
    return dataclasses.replace(program, image=bytes(image))


@pytest.mark.parametrize("program", [stuck, refused], ids=["stuck", "refused"])
def test_what_goes_wrong_is_told_in_the_harness_s_words(program: Callable[[], Program]) -> None:
    """With the same run, cycle, queue and token."""
    words = []
    for built in (fast(), reference()):
        with pytest.raises(HarnessError) as raised:
            built.run(program(), random_images(1))
        words.append(str(raised.value))
    assert words[0] == words[1]
    assert words[0].startswith("run 0 stopped")


def test_a_wrong_weight_is_noticed() -> None:
    """Activations come from the RTL's local memories."""
    image = bytearray(convolution_program().image)
    image[200 + next(i for i, byte in enumerate(image) if byte)] ^= 0x40
    program = dataclasses.replace(convolution_program(), image=bytes(image))
    result = fast().run(program, random_images(2), network=convolution())
    expected = golden.run(convolution(), random_images(2))["conv"]
    assert (result.activations[0] != expected).any()
    assert (result.outputs == result.activations[0]).all()


def test_power_up_changes_nothing() -> None:
    first, other = (
        fast().run(convolution_program(), random_images(2), initial_seed=seed) for seed in (1, 77)
    )
    assert_same(first, other)


@pytest.mark.parametrize("seed", [0, 2**31])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"^initial_seed must be in 1 … 2\*\*31 - 1, not {seed}$"):
        fast().run(convolution_program(), random_images(1), initial_seed=seed)


def test_the_host_s_registers_are_written() -> None:
    """A window without the program's memory stops it, in both benches in the same cycle."""
    host = Host(window_base=1 << 20)
    program, images = convolution_program(), random_images(1)
    first, other = (
        built.run(program, images, host=host, check=False) for built in (fast(), reference())
    )
    assert first.stops[0] is not None
    assert_same(first, other)


def test_a_host_that_aborts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^host must not abort or reset in cocotb, not Host\("):
        fast().run(convolution_program(), random_images(1), host=Host(abort_at=9))


def test_a_memory_that_was_not_built_in_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^memory must be a latency alone in this build, not "):
        fast().run(convolution_program(), random_images(1), memory=STALLED)


def test_progress_is_reported() -> None:
    seen: list[Progress] = []
    result = fast().run(convolution_program(), random_images(3), progress=seen.append)
    assert seen[-1].runs_done == seen[-1].runs == 3
    assert seen[-1].cycles == result.simulated_cycles > result.cycles.sum()


def test_a_killed_simulation_is_a_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is what a simulation without results is."""
    executable = tmp_path / "harness"
    executable.write_text("#!/bin/sh\necho no space left\n")
    executable.chmod(0o755)
    other = dataclasses.replace(fast(), executable=executable)
    with pytest.raises(MachineError, match=r"^no space left$"):
        other.run(convolution_program(), random_images(1))


def test_sizes_of_the_memory() -> None:
    assert [memory_size(size) for size in (1, SIZES[0], SIZES[0] + 1)] == [*SIZES[:1] * 2, SIZES[1]]
    message = rf"^a program's memory must have at most {SIZES[-1]} bytes, not {SIZES[-1] + 1}$"
    with pytest.raises(ValueError, match=message):
        memory_size(SIZES[-1] + 1)
