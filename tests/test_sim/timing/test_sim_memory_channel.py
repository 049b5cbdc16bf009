"""LOAD, STORE and fetch on deterministic memories of every kind: closed forms and a twin of single words."""

import random
from collections.abc import Iterator
from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.arrays.tables import accelerator_row
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import PAGE_BYTES
from sim.spec.descriptor import LoadStore, Queue
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.spaces import TINY
from sim.timing.calibration import default
from sim.timing.transfer_unit import idle
from sim.timing.transfers import load, store
from testbench.cases.random_memories import draw_memory
from transfer_cases import Sequence, cut, draw_config, draw_sequence, holds, row_of

FIRST_REQUEST, FIRST_ADDRESS, FIRST_BEAT, LAG = 4, 4, 10, 2
"""Cycles from a start, as docs/explanation/hardware.md and the units' formulas state them."""


class Words:
    """The memory behind a port, a word at a time, in exact fractions of a cycle."""

    def __init__(self, memory: FixedLatency, config: AcceleratorConfig, beat_bytes: int) -> None:
        self.size = memory.width_bytes or beat_bytes
        self.beat_bytes = beat_bytes
        self.period = Fraction(config.clock_mhz, memory.clock_mhz or config.clock_mhz)
        self.gap = memory.burst_gap
        self.free = -(10**9)

    def move(self, cycle: int) -> int:
        """Move a word at the first free edge not before a cycle; the cycle in which it is seen."""
        edge = max(self.free, ceil(cycle / self.period))
        self.free = edge + 1
        return ceil(edge * self.period)

    def end_burst(self) -> None:
        """Leave the gap."""
        self.free += self.gap

    def of_burst(self, beats: int) -> Iterator[int]:
        """Yield for every word of a burst the number of its last beat."""
        total = beats * self.beat_bytes
        for end in range(self.size, total + self.size, self.size):
            yield ceil(min(end, total) / self.beat_bytes) - 1


class Pace:
    """The port's credit, counted cycle by cycle."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.earn, self.cost = config.pacing
        self.credit, self.now = 2 * self.cost - 1, -(10**4)

    def move(self, cycle: int) -> int:
        """Move a beat in the first cycle from ``cycle`` on that has credit."""
        while self.now < cycle or self.credit < self.cost:
            self.now += 1
            self.credit = min(2 * self.cost - 1, self.credit + self.earn)
        self.credit -= self.cost
        return self.now


def stepped(
    config: AcceleratorConfig, queue: Queue, sequence: Sequence, memory: FixedLatency
) -> tuple[list[int], list[int]]:
    """Starts and dones of descriptors, word by word and beat by beat."""
    values = default().constants
    latency = memory.latency or values["memory_latency"]
    answers = memory.write_latency or latency
    words, pace = Words(memory, config, config.bus_bytes), Pace(config)
    name, limit = queue.name.lower(), memory.outstanding
    first = FIRST_REQUEST if queue == Queue.LOAD else FIRST_ADDRESS
    starts: list[int] = []
    dones: list[int] = []
    ends: list[int] = []
    released: list[int] = []  # when a burst is outstanding no more
    address = beat = -(10**6)
    for arrival, fields in sequence:
        start = arrival
        if starts:
            start = max(start, address + 1)
        if len(dones) >= values["transfers"]:
            start = max(start, dones[-values["transfers"]] + 1)
        starts.append(start)
        if fields.get("store") == LoadStore.READ:
            # the rows of a lane's blocks in all columns of PEs come at once
            blocks = len(range(fields["lanes"])[: fields["column_lanes"] or None])
            rows = blocks * (fields["parameter_rows"] + fields["weight_rows"])
            beat = max(start + 4, beat + 2) + rows - 1
            address = start + 3
            dones.append(beat + 3)
            continue
        address = start + first - 1
        held = iter(holds(config, fields))
        for beats in cut(config, fields):
            offer = address + 1
            if len(ends) >= values[f"{'read' if queue == Queue.LOAD else 'write'}_bursts"]:
                offer = max(offer, ends[-8] + 1)
            address = offer
            if limit and len(released) >= limit:
                address = max(address, released[-limit] + 1)
            if queue == Queue.LOAD:
                there = [words.move(address + latency) for _ in words.of_burst(beats)]
                for end in range(1, beats + 1):
                    due = there[ceil(end * config.bus_bytes / words.size) - 1]
                    moved = pace.move(max(due, beat + 1))
                    beat = moved + next(held) - 1
                released.append(moved)
            else:
                beat = max(beat, start + FIRST_BEAT - 1, offer + LAG - 1)
                taken = []
                for _ in range(beats):
                    beat = pace.move(beat + 1)
                    taken.append(beat)
                for last in words.of_burst(beats):
                    written = words.move(max(taken[last], address))
                answer = written + answers
                released.append(max(answer, released[-1] + 1) if released else answer)
                moved = beat
            words.end_burst()
            ends.append(moved)
        done = beat + 3 if queue == Queue.LOAD else released[-1] + 1
        dones.append(done)
    assert values[f"{name}_next"] == first + 1
    return starts, dones


def predicted(
    config: AcceleratorConfig, queue: Queue, sequence: Sequence, memory: FixedLatency
) -> tuple[list[int], list[int]]:
    """Starts and dones of descriptors by the model."""
    hw, constants = accelerator_row(config), default().walked(memory)
    state = idle(hw, constants)
    run = load if queue == Queue.LOAD else store
    starts: list[int] = []
    dones: list[int] = []
    free = 0
    for arrival, fields in sequence:
        starts.append(max(arrival, free))
        free, done = run(row_of(queue, fields), hw, constants, state, starts[-1])
        dones.append(done)
    return starts, dones


def draw_wide(config: AcceleratorConfig, generator: random.Random) -> FixedLatency:
    """Draw a memory with words of several beats, about as fast as the port."""
    beats = 2 ** generator.randint(1, 3)
    mhz = Fraction(config.clock_mhz, beats) * generator.choice(
        [Fraction(x, 8) for x in range(5, 13)]
    )
    return FixedLatency(
        latency=generator.randint(1, 12),
        outstanding=generator.choice([None, 1, 2, 6]),
        width_bytes=beats * config.bus_bytes,
        clock_mhz=max(1, round(mhz)),
        burst_gap=generator.choice([0, 0, 1]),
    )


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("seed", range(150))
def test_words_of_several_beats_agree_with_single_words(queue: Queue, seed: int) -> None:
    generator = random.Random(f"wide {queue} {seed}")
    config = draw_config(generator)
    memory = draw_wide(config, generator)
    sequence = draw_sequence(generator, config, queue, 10, generator.choice([4, 20]))
    assert predicted(config, queue, sequence, memory) == stepped(config, queue, sequence, memory)


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("seed", range(150))
def test_closed_forms_agree_with_single_words(queue: Queue, seed: int) -> None:
    generator = random.Random(f"words {queue} {seed}")
    config = draw_config(generator)
    memory = draw_memory(config, np.random.default_rng(seed))
    sequence = draw_sequence(generator, config, queue, 10, generator.choice([8, 60, 600]))
    assert predicted(config, queue, sequence, memory) == stepped(config, queue, sequence, memory)


def test_responses_come_one_per_cycle() -> None:
    """A burst of 64 beats and one of a beat are written within a cycle, their address came so late."""
    config = small_accelerator(
        simd_units=4, local_memory_kb=16, register_file_kb=4, io_bandwidth_gbps=0.8
    )
    assert config.bus_bytes == config.vector_bytes == 4
    fields = {
        "address": PAGE_BYTES - 64 * config.bus_bytes,
        "columns": 65,
        "rows": 4,
        "groups": 1,
        "vector_beats": 1,
        "row_stride": PAGE_BYTES,
        "group_stride": 0,
    }
    memory = FixedLatency(latency=200, outstanding=2, clock_mhz=8 * config.clock_mhz)
    case = (config, Queue.STORE, [(0, fields)], memory)
    assert predicted(*case) == stepped(*case)


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
def test_a_memory_that_is_no_limit_is_the_one_of_the_calibration(queue: Queue) -> None:
    """A wide memory, and a limit that is never met, take the long way to the same cycles."""
    generator = random.Random(7)
    for _ in range(20):
        config = draw_config(generator)
        sequence = draw_sequence(generator, config, queue, 10, 40)
        plain = predicted(config, queue, sequence, DETERMINISTIC)
        for memory in (
            FixedLatency(width_bytes=4 * config.bus_bytes),
            FixedLatency(outstanding=256),
            FixedLatency(clock_mhz=config.clock_mhz, outstanding=256),
            FixedLatency(clock_mhz=4 * config.clock_mhz, outstanding=256),
        ):
            assert predicted(config, queue, sequence, memory) == plain


def test_each_limit_of_a_memory_costs_cycles() -> None:
    network = named_network("resnet8")
    cycles = predict(TINY.default, network).total_cycles
    for memory in (
        FixedLatency(latency=60),
        FixedLatency(write_latency=200),
        FixedLatency(outstanding=1),
        FixedLatency(width_bytes=1),
        FixedLatency(clock_mhz=50),
        FixedLatency(burst_gap=16),
    ):
        assert predict(TINY.default, network, memory=memory).total_cycles > cycles, memory
    assert predict(TINY.default, network, memory=FixedLatency(latency=24)).total_cycles == cycles
