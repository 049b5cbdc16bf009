"""LOAD and STORE timing: the gateware on a memory of fixed latency, and a twin of single beats."""

import random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelerators import small_accelerator
from axi_memory import MemoryPort, read_side, write_side
from gateware_simulation import kept_unit, simulate
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from sampled import sampled
from sim.arrays.tables import accelerator_row
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import LoadKind, LoadStore, Queue
from sim.spec.memories import FixedLatency
from sim.timing.calibration import default
from sim.timing.transfer_unit import idle, paced, transfer_bytes
from sim.timing.transfers import load, store
from transfer_cases import (
    Sequence,
    cut,
    draw_config,
    draw_many_rows,
    draw_sequence,
    draw_tile,
    draw_weights,
    holds,
    row_of,
)
from weight_streams import with_beats


def constants_for(latency: int) -> NDArray[np.int64]:
    return default().walked(FixedLatency(latency=latency))


def predict(
    config: AcceleratorConfig, queue: Queue, sequence: Sequence, latency: int
) -> tuple[list[int], list[int]]:
    """Starts and dones of descriptors by the model."""
    hw, constants = accelerator_row(config), constants_for(latency)
    state = idle(hw, constants)
    run = load if queue == Queue.LOAD else store
    starts, dones = [], []
    free = 0
    for arrival, fields in sequence:
        starts.append(max(arrival, free))
        free, done = run(row_of(queue, fields), hw, constants, state, starts[-1])
        dones.append(done)
    return starts, dones


def measure(
    config: AcceleratorConfig, queue: Queue, sequence: Sequence, latency: int
) -> tuple[list[int], list[int], int]:
    """Starts, dones and data beats of descriptors in the gateware."""
    port = MemoryPort(bytearray(1 << 18), config.bus_bytes, latency=latency)
    unit = kept_unit(LoadUnit if queue == Queue.LOAD else StoreUnit, config)
    starts: list[int] = []
    dones: list[int] = []

    async def monitor(ctx: Any) -> None:
        cycle = -1
        strobe = unit.command.valid & unit.command.ready
        async for _, _, start, done in ctx.tick().sample(strobe, unit.done):
            cycle += 1
            if start:
                starts.append(cycle)
            if done:
                dones.append(cycle)

    async def drive(ctx: Any) -> None:
        ctx.set(unit.pages.last, -1)
        cycle = 0
        for arrival, fields in sequence:
            while cycle < arrival:
                await ctx.tick()
                cycle += 1
            ctx.set(unit.command.payload, fields)
            ctx.set(unit.command.valid, 1)
            accepted = False
            while not accepted:
                *_, accepted = await ctx.tick().sample(unit.command.ready)
                cycle += 1
            ctx.set(unit.command.valid, 0)
        for _ in range(100_000):
            if len(dones) == len(sequence):
                break
            await ctx.tick()

    simulate(unit, drive, (read_side if queue == Queue.LOAD else write_side)(port, unit), monitor)
    assert len(dones) == len(sequence)
    return starts, dones, sum(burst.beats for burst in port.reads + port.writes)


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("seed", sampled(range(24), lambda seed: seed % 4 == 0))
def test_gateware_takes_the_predicted_cycles(queue: Queue, seed: int) -> None:
    generator = random.Random(f"{queue} {seed}")
    config = draw_config(generator)
    latency = generator.choice([1, 2, 7, 24, 24, 61])
    sequence = draw_sequence(generator, config, queue, 14, generator.choice([6, 40]))
    starts, dones, beats = measure(config, queue, sequence, latency)
    assert predict(config, queue, sequence, latency) == (starts, dones)
    hw = accelerator_row(config)
    moved = sum(transfer_bytes(row_of(queue, fields), hw) for _, fields in sequence)
    assert moved == beats * config.bus_bytes


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("gbps", [0.2, 0.15])
def test_long_bursts_take_the_predicted_cycles(queue: Queue, gbps: float) -> None:
    generator = random.Random(5)
    config = small_accelerator(
        simd_units=8,
        compute_lanes=2,
        local_memory_kb=16,
        register_file_kb=4,
        io_bandwidth_gbps=gbps,
    )
    sequence = [(0, draw_tile(generator, config, 900)) for _ in range(3)]
    if queue == Queue.LOAD:
        sequence.insert(1, (0, draw_weights(generator, config, 700)))
    else:
        for _, fields in sequence:
            del fields["kind"]
    starts, dones, _ = measure(config, queue, sequence, 100)
    assert predict(config, queue, sequence, 100) == (starts, dones)


def stepped(
    config: AcceleratorConfig, queue: Queue, sequence: Sequence, latency: int
) -> tuple[list[int], list[int]]:
    """Starts and dones of descriptors, beat by beat, with credit counted cycle by cycle."""
    values = default().constants | {"memory_latency": latency}
    name = queue.name.lower()
    lag = latency if queue == Queue.LOAD else 0
    answer = 0 if queue == Queue.LOAD else latency
    depth = values["read_bursts" if queue == Queue.LOAD else "write_bursts"]
    earn, cost = config.pacing
    credit, now, request, last = 2 * cost - 1, 0, 0, -100
    starts: list[int] = []
    dones: list[int] = []
    ends: list[int] = []
    for arrival, fields in sequence:
        start = arrival
        if starts:
            start = max(start, request + values[f"{name}_next"])
        if len(dones) >= values["transfers"]:
            start = max(start, dones[-values["transfers"]] + values[f"{name}_room"])
        starts.append(start)
        if fields.get("store") == LoadStore.READ:
            # the rows of a lane's blocks in all columns of PEs come at once
            blocks = len(range(fields["lanes"])[: fields["column_lanes"] or None])
            rows = blocks * (fields["parameter_rows"] + fields["weight_rows"])
            first = start + values["weight_store_first"] - values["load_request"]
            last = max(first, last + values["weight_store_turn"]) + rows - 1
            dones.append(last + values["load_overhead"])
            request = start + values["weight_store_next"] - values["load_next"]
            continue
        request = start - 1
        held = iter(holds(config, fields))
        for beats in cut(config, fields):
            request += 1
            if len(ends) >= depth:
                request = max(request, ends[-depth] + values[f"{name}_reuse"])
            for _ in range(beats):
                while now < max(request + lag, last + 1) or credit < cost:
                    now, credit = now + 1, min(2 * cost - 1, credit + earn)
                moved = now
                now, credit, last = now + 1, credit + earn - cost, now + next(held) - 1
            ends.append(moved)
        dones.append(last + answer + values[f"{name}_overhead"])
    return starts, dones


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("seed", sampled(range(60), lambda seed: seed % 3 == 0))
def test_closed_forms_agree_with_single_beats(queue: Queue, seed: int) -> None:
    generator = random.Random(f"stepped {queue} {seed}")
    config = draw_config(generator)
    latency = generator.choice([1, 24, 300])
    sequence = draw_sequence(generator, config, queue, 12, generator.choice([8, 200, 1500]))
    assert predict(config, queue, sequence, latency) == stepped(config, queue, sequence, latency)


@pytest.mark.parametrize("queue", [Queue.LOAD, Queue.STORE])
@pytest.mark.parametrize("seed", sampled(range(60), lambda seed: seed % 3 == 0))
def test_rows_that_are_moved_at_once_agree_with_single_beats(queue: Queue, seed: int) -> None:
    generator = random.Random(f"rows {queue} {seed}")
    config = draw_config(generator)
    latency = generator.choice([1, 24, 24, 70])
    sequence, arrival = [], 0
    for _ in range(12):
        arrival += generator.choice([0, 0, 0, generator.randrange(3000)])
        fields = draw_many_rows(generator, config, queue)
        if queue == Queue.STORE:
            del fields["kind"]
        sequence.append((arrival, fields))
    assert predict(config, queue, sequence, latency) == stepped(config, queue, sequence, latency)


@pytest.mark.parametrize(("earn", "cost"), [(1, 1), (25, 32), (1, 3), (333, 1000), (999, 1000)])
def test_a_burst_takes_as_long_as_its_beats(earn: int, cost: int) -> None:
    config = small_accelerator(
        io_bandwidth_gbps=earn / 1000 * (1000 // cost if cost in (1, 1000) else 1),
        clock_mhz=1000 if cost in (1, 1000) else cost,
    )
    assert config.pacing == (earn, cost)
    hw = accelerator_row(config)
    generator = random.Random(cost)
    state = idle(hw, constants_for(24))
    credit, now = 2 * cost - 1, 0
    for _ in range(200):
        available = now + generator.choice([0, 0, 1, 2, 5, 40])
        beats = generator.choice([1, 1, 2, 3, 16, 256])
        moved = 0
        while moved < beats:
            beat = now >= available and credit >= cost
            moved += beat
            credit = min(2 * cost - 1, credit + earn - beat * cost)
            now += 1
        assert paced(state, hw, available, beats) == now - 1


def test_weight_bound_loads_keep_the_bus_busy() -> None:
    config = draw_config(random.Random(0))
    hw, constants = accelerator_row(config), constants_for(24)
    fields = {"kind": LoadKind.WEIGHTS, "lanes": 1, "lane_mask": 1, "weight_rows": 31}
    fields = with_beats(config, fields)
    state = idle(hw, constants)
    free, dones = 0, []
    for _ in range(40):
        free, done = load(row_of(Queue.LOAD, fields), hw, constants, state, free)
        dones.append(done)
    beats = fields["stream_beats"]
    earn, cost = config.pacing
    assert abs((dones[-1] - dones[0]) - 39 * beats * cost / earn) < 2
