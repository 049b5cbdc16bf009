"""Sample of what a validation runs, on fixed accelerators whose builds are instrumented."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwgen.program import compile_mapped
from sim import golden
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.bus import ADDRESS_BITS, DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError
from sim.spec.stops import StopCause
from testbench.cases.random_networks import Case, draw_cases_on
from testbench.faults.damage import draw_damaged
from testbench.faults.recovery import TIMEOUT_CYCLES, Subject
from testbench.rtl.harness import Harness, Step, check_run
from testbench.rtl.host import Host
from testbench.rtl.memory_model import (
    FREEDOMS,
    BusPort,
    Fault,
    MemoryModel,
    Response,
    Silence,
)
from testbench.validation.comparison import compare

__all__ = ["Sample", "run_sample"]

DAMAGED = 50
"""Damaged programs of one simulation, which share an address of the memory."""

NETWORKS = 8
"""Networks of one simulation: it takes longer to write all counts than to run them."""

WAYS = 7
"""Ways for a run to end early: an error on each port, abort, reset, window, silence.

A simulation has each once; behind a silence nothing can follow.
"""

MOST_CYCLES = 800
"""Cycles that a random network would take with all units busy: more are left to the validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Number of cases of each kind.

    Parameters
    ----------
    networks : int
        Random networks, each on the deterministic memory and behind a memory that uses a freedom of AXI,
        at random addresses.
    damaged : int
        Damaged programs, each followed by the good program.
    failures : int
        Programs behind a memory that fails or falls silent, or whose host aborts them, resets the
        accelerator or moves the window, each followed by the good program.
    seed : int
    """

    networks: int = 40
    damaged: int = 300
    failures: int = 84
    seed: int = 1


def run_sample(
    built: Harness, sample: Sample, progress: Callable[[str, int, int], None] = lambda *_: None
) -> None:
    """Run a sample; everything is compared as in a validation.

    Parameters
    ----------
    built : Harness
        Whose coverage gathers what the runs cover.
    sample : Sample
    progress : callable
        Told what runs, how many are done and how many there are.

    Raises
    ------
    CosilicoError
        If anything differs.
    """
    rng = np.random.default_rng(sample.seed)
    cases = [
        case
        for case in draw_cases_on(built.config, sample.networks, sample.seed)
        if case.network.macs * case.batch < MOST_CYCLES * built.config.macs
    ]
    for first in range(0, len(cases), NETWORKS):
        progress("networks", first, len(cases))
        _run_networks(built, cases[first : first + NETWORKS], rng)
    subject = Subject.of(built.config, built.view, built=built)
    drawn = draw_damaged(subject.program, sample.damaged, sample.seed)
    for first in range(0, len(drawn), DAMAGED):
        progress("damaged programs", first, len(drawn))
        moved = replace(subject, memory=replace(subject.memory, base=_base(rng)))
        for recovery in moved.run(drawn[first : first + DAMAGED]):
            if recovery.failure:
                raise CosilicoError(f"damaged program {recovery.damaged.index}: {recovery.failure}")
    for first in range(0, sample.failures, WAYS):
        progress("failures", first, sample.failures)
        _run_failures(subject, range(first, min(first + WAYS, sample.failures)), rng)


def _base(rng: np.random.Generator) -> int:
    """Draw where the memory lies: any page, but for the last mebibytes."""
    return int(rng.integers(0, (1 << ADDRESS_BITS) - (1 << 24), dtype=np.int64)) & -PAGE_BYTES


def _patient_host(base: int, size_bytes: int, rng: np.random.Generator) -> Host:
    """Draw a window around the memory, and a time-out that no good run comes to."""
    first = int(rng.integers(0, base + 1, dtype=np.int64)) & -PAGE_BYTES
    last = int(rng.integers(base + size_bytes, 1 << ADDRESS_BITS, dtype=np.int64)) & -PAGE_BYTES
    timeout = int(rng.integers(1 << 20, 1 << 32, dtype=np.int64))
    return Host(timeout=timeout, window_base=first, window_limit=last)


def _run_networks(built: Harness, cases: Sequence[Case], rng: np.random.Generator) -> None:
    mapped = [map_realizable(case.config, case.network, case.batch) for case in cases]
    steps: list[Step] = []
    runs: list[tuple[Case, Mapped, MemoryModel, bool]] = []
    for case, own in zip(cases, mapped, strict=True):
        program, freedom = compile_mapped(own), rng.choice(list(FREEDOMS))
        pair = [
            MemoryModel(base=_base(rng)),
            replace(FREEDOMS[freedom].with_seed(case.image_seed), base=_base(rng)),
        ]
        entries = [program, *([program.warm] if own.stored else [])]
        for memory in pair:
            host = _patient_host(memory.base, len(program.image), rng)
            steps += [
                Step(
                    program=entry,
                    inputs=case.images[: own.images] if entry is not entries[-1] else case.images,
                    network=case.network,
                    memory=memory if entry is program else None,
                    host=host,
                )
                for entry in entries
            ]
            runs += [(case, own, memory, entry is program) for entry in entries]
    for (case, own, memory, cold), run in zip(runs, built.run_sequence(steps), strict=True):
        check_run(run)
        expected = golden.run(case.network, case.images)
        differing = compare(
            case.config,
            case.network,
            predict_mapped(own, cold=cold),
            run,
            {name: values[: len(run.outputs)] for name, values in expected.items()},
            deterministic=memory.deterministic,
        )
        if differing.bit_differences or differing.timing_differences:
            raise CosilicoError(f"network {case.index}: {differing}")


def _bursts(subject: Subject, port: BusPort) -> int:
    """Return how many bursts the good program has on a port at least: each descriptor has a burst."""
    queues = subject.prediction.queues
    if port is BusPort.DESCRIPTORS:
        return len(queues)
    queue = Queue.LOAD if port is BusPort.READ else Queue.STORE
    return int(np.count_nonzero(queues == queue))


def _answers(subject: Subject, port: BusPort) -> int:
    """Return how many beats, or on the write port responses, it has at least."""
    prediction = subject.prediction
    if port is BusPort.READ:
        return prediction.read_bytes // subject.harness.config.bus_bytes
    if port is BusPort.DESCRIPTORS:
        return prediction.descriptor_bytes // DESCRIPTOR_PORT_BYTES
    return _bursts(subject, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A run of the good program that ends early, and why."""

    number: int
    memory: MemoryModel
    host: Host
    cause: StopCause | None

    @property
    def recovers(self) -> bool:
        """Whether the good program can follow: a silent memory leaves bursts without an answer."""
        return self.memory.silence is None


def _draw_failure(subject: Subject, number: int, rng: np.random.Generator) -> _Failure:
    """Draw a failure of one of the ways, which take turns."""
    base, length = _base(rng), len(subject.program.image)
    cycle = int(rng.integers(1, subject.prediction.total_cycles))
    memory, host = MemoryModel(base=base), Host()
    cause: StopCause | None = None
    way = number % WAYS
    if way < 3:
        port = list(BusPort)[way]
        index = int(rng.integers(0, _answers(subject, port)))
        fault = Fault(port=port, index=index, response=rng.choice(list(Response)))
        memory, cause = replace(memory, fault=fault), StopCause.RESPONSE
    elif way == 3:
        host, cause = Host(abort_at=cycle), StopCause.ABORT
    elif way == 4:
        host = Host(reset_at=cycle)
    elif way == 5:
        pages = length // PAGE_BYTES
        first = base + PAGE_BYTES * int(rng.integers(1, pages + 2))
        host, cause = Host(window_base=first), StopCause.WINDOW
    else:
        port = list(BusPort)[number // WAYS % len(BusPort)]
        silence = Silence(port=port, index=int(rng.integers(0, _bursts(subject, port))))
        memory, cause = replace(memory, silence=silence), StopCause.TIMEOUT
        host = Host(timeout=int(rng.integers(TIMEOUT_CYCLES, 4 * TIMEOUT_CYCLES)))
    return _Failure(number=number, memory=memory, host=host, cause=cause)


def _run_failures(subject: Subject, numbers: range, rng: np.random.Generator) -> None:
    """Let runs of the good program end early, each way once; behind each but a silence it runs to its end."""
    failures = [_draw_failure(subject, number, rng) for number in numbers]
    good = Step(program=subject.program, inputs=subject.inputs)
    warm = [] if subject.warm is None else [replace(good, program=subject.program.warm)]
    steps: list[Step] = []
    for failure in failures:
        steps.append(replace(good, host=failure.host, memory=failure.memory))
        if failure.recovers:
            steps += [replace(good, memory=MemoryModel(base=failure.memory.base)), *warm]
    results = iter(subject.harness.run_sequence(steps))
    for failure in failures:
        stop = next(results).stops[0]
        if (stop.cause if stop else None) is not failure.cause:
            raise CosilicoError(
                f"failure {failure.number}: {failure.cause} must stop the program, not {stop}"
            )
        if not failure.recovers:
            continue
        again = [next(results) for _ in range(1 + len(warm))]
        if differences := subject.differences(*again):
            raise CosilicoError(
                f"failure {failure.number}: the good program differs in {differences}"
            )
