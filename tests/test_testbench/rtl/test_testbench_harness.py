"""The harness itself: faults it must notice, what it must not depend on."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from accelerators import NARROW_BUS, small_accelerator
from convolution_case import convolution, convolution_program, patched_program, random_images
from hwgen.program import Program
from sampled import sampled
from sim import golden
from sim.realizability import MAX_BUS_BYTES
from sim.spec.descriptor import Queue
from sim.spec.design import Design
from sim.spec.memories import DRAM
from sim.spec.views import View
from testbench.rtl import harness
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import Harness, HarnessError, Progress, Step
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel, WriteOrder
from testbench.validation.simulate import measured_durations, simulate

pytestmark = [pytest.mark.rtl, pytest.mark.slow]


@functools.cache
def built() -> Harness:
    """Built simulation, from the cache if it is there."""
    return harness.build(NARROW_BUS)


def changed(address: int, data: bytes) -> Program:
    """Return the program with other bytes at an address of its image."""
    image = convolution_program().image
    return dataclasses.replace(
        convolution_program(), image=image[:address] + data + image[address + len(data) :]
    )


def patched(queue: Queue, field: str, value: int) -> Program:
    """Return the program with another value in a field of a queue's first descriptor."""
    return patched_program(convolution_program(), queue, **{field: value})


def test_images_run_back_to_back() -> None:
    """Each image gives its own output in the same number of cycles."""
    result = built().run(convolution_program(), random_images(4), network=convolution())
    expected = golden.run(convolution(), random_images(4))["conv"]
    assert (result.outputs == expected).all()
    assert (result.activations[0] == expected).all()
    assert len(set(result.cycles.tolist())) == 1
    assert (result.status == 0b10).all()


def test_events_are_ordered() -> None:
    """Start before end, everything inside the program's cycles, issue ends for EXECUTE only."""
    result = built().run(convolution_program(), random_images(4)[:1])
    queues = np.array([queue for queue, _ in convolution_program().descriptors])
    assert (result.start[0] > 0).all()
    assert (result.end[0] > result.start[0]).all()
    assert result.end[0].max() < result.cycles[0]
    execute = queues == Queue.EXECUTE
    assert (result.issue_end[0][~execute] == -1).all()
    assert (result.issue_end[0][execute] > result.start[0][execute]).all()
    assert (result.issue_end[0][execute] <= result.end[0][execute]).all()
    for queue in Queue:
        assert (np.diff(result.start[0][queues == queue]) > 0).all()


def test_base_address_changes_nothing() -> None:
    """The program runs wherever it lies."""
    there = built().run(
        convolution_program(), random_images(4), memory=MemoryModel(base=0x4000_0000)
    )
    here = built().run(convolution_program(), random_images(4))
    assert (there.outputs == here.outputs).all()
    assert (there.cycles == here.cycles).all()


def test_latency_costs_cycles_and_no_bits() -> None:
    """Slower memory: later, the same, and as long in EXECUTE."""
    fast = built().run(convolution_program(), random_images(4), memory=MemoryModel(latency=4))
    slow = built().run(convolution_program(), random_images(4), memory=MemoryModel(latency=100))
    assert (fast.outputs == slow.outputs).all()
    assert (fast.cycles < slow.cycles).all()
    assert (
        measured_durations(convolution_program(), fast)
        == measured_durations(convolution_program(), slow)
    ).all()


def test_stall_seed_reproduces_a_run() -> None:
    """One seed, one timing; another seed, another timing."""
    runs = [
        built().run(convolution_program(), random_images(4), memory=MemoryModel(stall_seed=s))
        for s in (5, 5, 6)
    ]
    assert (runs[0].cycles == runs[1].cycles).all()
    assert (runs[0].cycles != runs[2].cycles).any()
    assert (runs[0].outputs == runs[2].outputs).all()


def test_wrong_weight_is_noticed() -> None:
    """A flipped weight bit shows in the activations: they come from the RTL, not from the reference."""
    first = min(i for i, byte in enumerate(convolution_program().image) if byte)
    address = first + 200
    flipped = changed(address, bytes([convolution_program().image[address] ^ 0x40]))
    result = built().run(flipped, random_images(4), network=convolution())
    expected = golden.run(convolution(), random_images(4))["conv"]
    assert (result.activations[0] != expected).any()
    assert (result.outputs == result.activations[0]).all()


def test_refused_program_raises() -> None:
    """Unless the caller wants to see STATUS."""
    header = convolution_program().header_address
    wrong = changed(header + 4, bytes([convolution_program().image[header + 4] ^ 1]))
    message = rf"^run 0 stopped: REFUSED on port DESCRIPTOR at address {header:#x}$"
    with pytest.raises(HarnessError, match=message):
        built().run(wrong, random_images(4)[:1])
    result = built().run(wrong, random_images(4)[:1], check=False)
    assert result.status.tolist() == [0b100]
    assert (result.start == -1).all()


def test_missing_token_is_named() -> None:
    """A STORE that waits for a token nobody gives stops the program; LOAD is asked for it."""
    stuck = patched(Queue.STORE, "wait", 1 << Queue.LOAD | 1 << Queue.EXECUTE)
    message = r"^run 0 stopped at cycle \d+: .*STORE descriptor 0 of \d+ lacks a token of LOAD$"
    with pytest.raises(HarnessError, match=message):
        built().run(stuck, random_images(4)[:1])


def test_missing_token_is_a_timeout_for_a_host_that_sets_one() -> None:
    stuck = patched(Queue.STORE, "wait", 1 << Queue.LOAD | 1 << Queue.EXECUTE)
    message = r"^run 0 stopped: TIMEOUT on port NONE at address 0x0$"
    with pytest.raises(HarnessError, match=message):
        built().run(stuck, random_images(4)[:1], host=Host(timeout=2000))


def test_load_outside_the_memory_is_an_error_response() -> None:
    """The memory answers DECERR; the run says where."""
    lost = patched(Queue.LOAD, "address", 1 << 20)
    message = r"^run 0 stopped: RESPONSE on port READ at address 0x40100000, response 3$"
    with pytest.raises(HarnessError, match=message):
        built().run(lost, random_images(4)[:1], memory=MemoryModel(base=0x4000_0000))


def test_steps_bring_memories_of_their_own() -> None:
    """Behind each, a run takes the cycles that it takes alone; a step without one keeps the last."""
    memories = [
        MemoryModel(latency=7),
        MemoryModel(latency=101, base=0x4000_0000),
        MemoryModel(write_order=WriteOrder.ADDRESS_AFTER_DATA),
        MemoryModel(stall_seed=3, reset_clears=True),  # its stalls begin elsewhere than alone
        MemoryModel(dram=dram_channel(NARROW_BUS, DRAM)),
    ]
    images = random_images(4)[:2]
    steps = [
        Step(program=convolution_program(), inputs=images, memory=memory) for memory in memories
    ]
    results = built().run_sequence([*steps, Step(program=convolution_program(), inputs=images)])
    alone = [built().run(convolution_program(), images, memory=memory) for memory in memories]
    stalled = memories.index(MemoryModel(stall_seed=3, reset_clears=True))
    for i, (result, expected) in enumerate(zip(results, [*alone, alone[-1]], strict=True)):
        assert (result.outputs == expected.outputs).all()
        assert (result.start == expected.start).all() == (i != stalled)
        assert (result.end == expected.end).all() == (i != stalled)
    assert (results[stalled].cycles > results[0].cycles).all()
    assert len({tuple(result.cycles) for result in results}) == len(memories)


@pytest.mark.parametrize(
    "flat_macs", sampled([4096, 0], lambda macs: macs == 0), ids=["flat", "PEs as libraries"]
)
def test_views_run_alike(flat_macs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs, activations, cycles and every event; results say which view ran."""
    monkeypatch.setattr(harness, "FLAT_MACS", flat_macs)
    other = harness.build(NARROW_BUS, view=View.SYNTHESIS)
    simulation = built().run(convolution_program(), random_images(4), network=convolution())
    synthesis = other.run(convolution_program(), random_images(4), network=convolution())
    assert (simulation.view, synthesis.view) == (View.SIMULATION, View.SYNTHESIS)
    assert (simulation.activations[0] == synthesis.activations[0]).all()
    for field in ("outputs", "cycles", "start", "end", "issue_end"):
        assert (getattr(simulation, field) == getattr(synthesis, field)).all()


@pytest.mark.long
def test_the_widest_bus_carries_a_register_file_row() -> None:
    """Strobes of 128 bytes are more than a machine word: each byte has its own."""
    widest = small_accelerator(
        simd_units=32, local_memory_kb=16, register_file_kb=8, io_bandwidth_gbps=25.6
    )
    assert widest.bus_bytes == MAX_BUS_BYTES
    network = convolution(channels=150)
    result = simulate(Design(network=network, accelerator=widest), inputs=random_images(3))
    assert (result.outputs == golden.run(network, random_images(3))["conv"]).all()
    assert result.measured_cycles == result.predicted_cycles
    assert (result.mismatched_cycles, result.mismatched_activations) == (0, 0)


VIEWS = pytest.mark.parametrize(
    ("view", "flat_macs"),
    sampled(
        [(View.SIMULATION, 4096), (View.SYNTHESIS, 4096), (View.SYNTHESIS, 0)],
        lambda case: case != (View.SYNTHESIS, 4096),
        fields=True,
    ),
    ids=["simulation", "synthesis", "PEs as libraries"],
)
NEVER_WRITTEN = NARROW_BUS.bank_depth - 40
"""Vectors from here on lie behind everything that the program stores."""


@VIEWS
def test_what_memories_hold_at_power_up_changes_nothing(
    view: View, flat_macs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A correct program reads nothing that was not written."""
    monkeypatch.setattr(harness, "FLAT_MACS", flat_macs)
    there = harness.build(NARROW_BUS, view=view)
    first, *others = (
        there.run(convolution_program(), random_images(4), network=convolution(), initial_seed=seed)
        for seed in (1, 2, 2**31 - 1)
    )
    assert (first.outputs == golden.run(convolution(), random_images(4))["conv"]).all()
    for other in others:
        assert (other.activations[0] == first.activations[0]).all()
        for field in ("outputs", "cycles", "start", "end", "issue_end"):
            assert (getattr(other, field) == getattr(first, field)).all()


@VIEWS
@pytest.mark.parametrize(
    ("queue", "field", "value"),
    [
        (Queue.EXECUTE, "in_address", NEVER_WRITTEN),
        (Queue.EXECUTE, "restore", 1),
        (Queue.EXECUTE, "half", 1),
        (Queue.STORE, "local_address", NEVER_WRITTEN),
    ],
    ids=["activations", "accumulators", "weights", "outputs"],
)
def test_a_read_of_what_was_never_written_is_noticed(
    queue: Queue,
    field: str,
    value: int,
    view: View,
    flat_macs: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It differs from seed to seed, and is the same whenever the seed is."""
    monkeypatch.setattr(harness, "FLAT_MACS", flat_macs)
    there = harness.build(NARROW_BUS, view=view)
    wrong = patched(queue, field, value)
    first, again, other = (
        # A half that is loaded and used at once is a hazard besides.
        there.run(wrong, random_images(4)[:1], check=False, initial_seed=seed).outputs
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


@VIEWS
def test_every_word_is_another_at_power_up(
    view: View, flat_macs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a read of the wrong word is noticed too."""
    monkeypatch.setattr(harness, "FLAT_MACS", flat_macs)
    there = harness.build(NARROW_BUS, view=view)
    stored = there.run(
        patched(Queue.STORE, "local_address", NEVER_WRITTEN), random_images(4)[:1]
    ).outputs
    pixels = stored.reshape(-1, NARROW_BUS.vector_bytes * 2 + 2)
    assert len(np.unique(stored)) > 64
    assert len(np.unique(pixels[:, : NARROW_BUS.vector_bytes], axis=0)) > len(pixels) // 3


@pytest.mark.parametrize("seed", [0, -1, 2**31])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"^initial_seed must be in 1 … 2\*\*31 - 1, not {seed}$"):
        built().run(convolution_program(), random_images(4)[:1], initial_seed=seed)


def test_refuses_an_unknown_view() -> None:
    """Before anything is built."""
    message = r"^view must be one of synthesis, simulation, not 'fast'$"
    with pytest.raises(ValueError, match=message):
        harness.build(NARROW_BUS, view="fast")  # type: ignore[arg-type]  # not a view


def test_progress_is_reported() -> None:
    """At least once, at the end."""
    seen: list[Progress] = []
    result = built().run(convolution_program(), random_images(4), progress=seen.append)
    assert seen[-1].runs_done == seen[-1].runs == 4
    assert seen[-1].cycles == result.simulated_cycles > result.cycles.sum()


def test_second_build_is_the_first(tmp_path: Path) -> None:
    """The cache is asked by content; a half-written build never takes the name."""
    assert harness.build(NARROW_BUS).directory == built().directory
    assert list(tmp_path.iterdir()) == []
