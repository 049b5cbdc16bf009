"""Sequencer: queues, tokens, start cycles and the wait counters."""

import random
from typing import Any

import pytest

from gateware_simulation import kept_unit, simulate
from hwgen.gateware.host.sequencer import Sequencer
from sim.spec.descriptor import Queue

Step = tuple[Queue, int, int, int]
"""Queue, wait, post and the cycles from start to done."""


class Run:
    """Dispatches steps as fast as it can to engines that take one descriptor at a time."""

    def __init__(self, steps: list[Step], cycles: int = 400) -> None:
        self.dispatches: list[int] = []
        self.starts: dict[Queue, list[int]] = {queue: [] for queue in Queue}
        self.dones: dict[Queue, list[int]] = {queue: [] for queue in Queue}
        self.wait_load: list[int] = []
        self.wait_store: list[int] = []
        self.idle: list[bool] = []
        unit = kept_unit(Sequencer)
        inputs = {queue: getattr(unit, queue.name.lower()) for queue in Queue}
        commands = {queue: getattr(unit, f"{queue.name.lower()}_command") for queue in Queue}

        async def run(ctx: Any) -> None:
            pending = list(steps)
            durations: dict[Queue, list[int]] = {queue: [] for queue in Queue}
            running: dict[Queue, tuple[int, int] | None] = dict.fromkeys(Queue)
            for cycle in range(cycles):
                for queue in Queue:
                    job = running[queue]
                    ending = job is not None and job[0] == cycle
                    ctx.set(getattr(unit, f"{queue.name.lower()}_done"), ending)
                    ctx.set(getattr(unit, f"{queue.name.lower()}_post"), job[1] if job else 0)
                    ctx.set(commands[queue].ready, job is None)
                    ctx.set(inputs[queue].valid, 0)
                    if ending:
                        self.dones[queue].append(cycle)
                        running[queue] = None
                if pending:
                    queue, wait, post, _ = pending[0]
                    ctx.set(inputs[queue].payload, {"queue": queue, "wait": wait, "post": post})
                    ctx.set(inputs[queue].valid, 1)
                if ctx.get(unit.wait_load):
                    self.wait_load.append(cycle)
                if ctx.get(unit.wait_store):
                    self.wait_store.append(cycle)
                self.idle.append(bool(ctx.get(unit.idle)))
                for queue in Queue:
                    if ctx.get(commands[queue].valid & commands[queue].ready):
                        self.starts[queue].append(cycle)
                        post = ctx.get(commands[queue].payload.post)
                        running[queue] = (cycle + durations[queue].pop(0), post)
                if pending and ctx.get(inputs[pending[0][0]].ready):
                    queue, _, _, duration = pending.pop(0)
                    durations[queue].append(duration)
                    self.dispatches.append(cycle)
                await ctx.tick()

        simulate(unit, run)


def predicted(steps: list[Step]) -> tuple[list[int], dict[Queue, list[int]]]:
    """Dispatch and start cycles of the documented recurrence."""
    dispatches: list[int] = []
    starts: dict[Queue, list[int]] = {queue: [] for queue in Queue}
    dones: dict[Queue, list[int]] = {queue: [] for queue in Queue}
    given: dict[tuple[Queue, Queue], list[int]] = {}
    taken: dict[tuple[Queue, Queue], int] = {}
    for queue, wait, post, duration in steps:
        dispatch = dispatches[-1] + 1 if dispatches else 0
        index = len(starts[queue])
        if index >= Sequencer.QUEUE_DEPTH:
            dispatch = max(dispatch, starts[queue][index - Sequencer.QUEUE_DEPTH] + 1)
        dispatches.append(dispatch)
        start = dispatch + 2
        if index:
            start = max(start, dones[queue][-1] + 1)
        for giver in Queue:
            if wait >> giver & 1 and giver != queue:
                number = taken.get((giver, queue), 0)
                taken[giver, queue] = number + 1
                start = max(start, given[giver, queue][number] + 1)
        starts[queue].append(start)
        dones[queue].append(start + duration)
        for taker in Queue:
            if post >> taker & 1 and taker != queue:
                given.setdefault((queue, taker), []).append(start + duration)
    return dispatches, starts


LOAD, EXECUTE, STORE = Queue


def test_descriptor_without_tokens_starts_two_cycles_after_dispatch() -> None:
    run = Run([(EXECUTE, 0, 0, 5)])
    assert run.starts[EXECUTE] == [2]
    assert run.idle[:10] == [True, *[False] * 7, True, True]


@pytest.mark.parametrize("giver", Queue)
@pytest.mark.parametrize("taker", Queue)
def test_token_starts_its_taker_one_cycle_after_done(giver: Queue, taker: Queue) -> None:
    run = Run([(giver, 0, 1 << taker, 20), (taker, 1 << giver, 0, 3)])
    if giver == taker:
        assert run.starts[taker] == [2, run.dones[giver][0] + 1]
    else:
        assert run.starts[taker] == [run.dones[giver][0] + 1]


def test_tokens_are_counted() -> None:
    steps = [(LOAD, 0, 0b110, 4)] * 5 + [(EXECUTE, 0b001, 0b100, 9)] * 5
    steps += [(STORE, 0b011, 0, 2)] * 5
    run = Run(steps)
    assert (run.dispatches, run.starts) == predicted(steps)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_start_in_the_predicted_cycles(seed: int) -> None:
    generator = random.Random(seed)
    steps: list[Step] = []
    tokens: dict[tuple[Queue, Queue], int] = {}
    for _ in range(40):
        queue = generator.choice(list(Queue))
        wait = post = 0
        for other in Queue:
            if tokens.get((other, queue), 0) and generator.random() < 0.7:
                tokens[other, queue] -= 1
                wait |= 1 << other
        for other in Queue:
            if generator.random() < 0.4:
                post |= 1 << other
                tokens[queue, other] = tokens.get((queue, other), 0) + 1
        steps.append((queue, wait, post, generator.randrange(1, 12)))
    run = Run(steps)
    assert (run.dispatches, run.starts) == predicted(steps)
    assert run.idle[-1]


def test_wait_counters_name_what_execute_lacks() -> None:
    run = Run([(EXECUTE, 0b101, 0, 4), (LOAD, 0, 0b010, 10), (STORE, 0, 0b010, 30)])
    load_done, store_done = run.dones[LOAD][0], run.dones[STORE][0]
    assert run.wait_load == list(range(2, load_done + 1))
    assert run.wait_store == list(range(load_done + 1, store_done + 1))
    assert run.starts[EXECUTE] == [store_done + 1]
