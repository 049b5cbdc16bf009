"""Microbenchmarks that would determine what a fit leaves open, chosen by what the model says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.program import Program
from sim.arrays.tables import accelerator_row
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.queued_memory import QueuedMemory
from testbench.calibration.handmade_programs import (
    DATA_BYTES,
    Command,
    conv,
    handmade_program,
    load,
    schedule_rows,
    store,
)
from testbench.traces.determination import Determination, alternatives
from testbench.traces.traced_run import TracedRun, Walker

__all__ = ["MICROBENCHMARKS", "Proposal", "microbenchmark_program", "microbenchmark_run", "propose"]

PAGE = 4096
REPEATS = 12
"""Transfers of a microbenchmark that shows what several do to each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A microbenchmark, and what it would determine.

    Parameters
    ----------
    name : str
        Of :data:`MICROBENCHMARKS`.
    determines : tuple of str
        Parameters, pairs and words of :func:`testbench.traces.determination.alternatives`.
    """

    name: str
    determines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Sizes of an accelerator that microbenchmarks are made for."""

    bus_bytes: int
    vector_beats: int
    columns: int

    @classmethod
    def of(cls, config: AcceleratorConfig) -> "_Sizes":
        beats = max(1, config.vector_bytes // config.bus_bytes)
        depth = max(1, config.bank_depth - 1)
        # A row of a page at most, in the local memory twice
        columns = max(1, min(PAGE // (beats * config.bus_bytes), depth // 2))
        return cls(bus_bytes=config.bus_bytes, vector_beats=beats, columns=columns)

    def load(self, rows: int, columns: int, stride: int, **fields: int) -> Command:
        return load(rows, columns, stride, vector_beats=self.vector_beats, **fields)

    def store(self, rows: int, columns: int, stride: int, **fields: int) -> Command:
        return store(rows, columns, stride, vector_beats=self.vector_beats, **fields)


def _apart(commands: Sequence[Command]) -> list[Command]:
    """Transfers of a queue that each wait for the last, through an EXECUTE between them."""
    chain: list[Command] = []
    for i, command in enumerate(commands):
        last = i == len(commands) - 1
        tokens = {
            "wait": 1 << Queue.EXECUTE if i else 0,
            "post": 0 if last else 1 << Queue.EXECUTE,
        }
        chain.append(Command(command.queue, command.fields | tokens))
        if not last:
            mark = 1 << command.queue
            chain.append(conv(1, 16, wait=mark, post=mark))
    return chain


Make = Callable[[_Sizes], list[Command]]

MICROBENCHMARKS: Mapping[str, Make] = {
    "descriptors": lambda s: [conv(1, 16)] * 24,
    "short-reads-apart": lambda s: _apart([s.load(1, 1, 64)] * REPEATS),
    "long-reads-apart": lambda s: _apart([s.load(1, s.columns, PAGE)] * REPEATS),
    "reads-of-many-bursts": lambda s: [s.load(REPEATS, 1, PAGE), s.load(REPEATS, 1, PAGE)],
    "long-reads-in-a-row": lambda s: [s.load(3, s.columns, PAGE)] * 4,
    "short-writes-apart": lambda s: _apart([s.store(1, 1, 64)] * REPEATS),
    "long-writes-apart": lambda s: _apart([s.store(1, s.columns, PAGE)] * REPEATS),
    "writes-of-many-bursts": lambda s: [s.store(REPEATS, 1, PAGE), s.store(REPEATS, 1, PAGE)],
    "long-writes-in-a-row": lambda s: [s.store(3, s.columns, PAGE)] * 4,
    "reads-beside-writes": lambda s: [
        command
        for _ in range(4)
        for command in (
            s.load(6, 1, PAGE),
            s.store(6, 1, PAGE, address=8 * PAGE),
            s.load(1, s.columns, PAGE, address=2 * PAGE),
        )
    ],
    "reads-of-a-row": lambda s: _apart([s.load(1, 1, 64, address=8 * PAGE)] * REPEATS),
    "reads-of-rows-in-turn": lambda s: _apart(
        [s.load(1, 1, 64, address=(k % 2) * 8 * PAGE) for k in range(REPEATS)]
    ),
    "reads-of-distant-rows": lambda s: [
        s.load(REPEATS, 1, 256),
        s.load(REPEATS, 1, 1024),
        s.load(REPEATS, 1, 2048),
    ],
}
"""Programs by their names; each isolates what its name says."""


def microbenchmark_program(name: str, config: AcceleratorConfig) -> Program:
    """Return a microbenchmark as a program of an accelerator."""
    return handmade_program(config, MICROBENCHMARKS[name](_Sizes.of(config)), DATA_BYTES)


def microbenchmark_run(name: str, config: AcceleratorConfig) -> TracedRun:
    """Return the schedule of a microbenchmark, as a run of which nothing is measured."""
    rows = schedule_rows(MICROBENCHMARKS[name](_Sizes.of(config)))
    unknown = np.full(len(rows), -1, np.int64)
    return TracedRun(
        name=name,
        rows=rows,
        hw=accelerator_row(config),
        header=DATA_BYTES,
        layers=np.zeros(len(rows), np.int64),
        start=unknown,
        end=unknown,
        total=-1,
        chosen=np.ones(len(rows), np.bool_),
    )


def propose(
    config: AcceleratorConfig,
    memory: QueuedMemory,
    determination: Determination,
    walker: Walker,
) -> tuple[list[Proposal], tuple[str, ...]]:
    """Choose microbenchmarks whose predictions differ among the memories that the runs cannot tell apart.

    Returns
    -------
    proposals : list of Proposal
        Few that determine all that any would: each time the program that adds most.
    silent : tuple of str
        What none of them shows: it has no effect on this accelerator.
    """
    others = alternatives(memory, determination)
    shows: dict[str, set[str]] = {name: set() for name in MICROBENCHMARKS}
    for name in MICROBENCHMARKS:
        run = microbenchmark_run(name, config)
        ((start, end, total),) = walker.predict([run], memory)
        for what, memories in others.items():
            for other in memories:
                ((s, e, t),) = walker.predict([run], other)
                if t != total or not np.array_equal(s, start) or not np.array_equal(e, end):
                    shows[name].add(what)
                    break
    left = set().union(*shows.values())
    silent = tuple(what for what in others if what not in left)
    proposals = []
    while left:
        name = max(shows, key=lambda name: len(shows[name] & left))
        own = tuple(what for what in others if what in shows[name] & left)
        proposals.append(Proposal(name=name, determines=own))
        left -= set(own)
    return proposals, silent
