"""Sample of what a validation runs, on fixed accelerators whose builds are instrumented."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hwgen.program import compile_mapped
from sim import golden
from sim.model import predict_mapped
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

BATCH = 20
"""Damaged programs of one simulation, which share an address of the memory."""

WAYS = 7
"""Ways for a run to end early: an error on each port, abort, reset, window, silence."""

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
    for number, case in enumerate(cases):
        progress("networks", number, len(cases))
        _run_network(built, case, rng)
    subject = Subject.of(built.config, built.view, built=built)
    drawn = draw_damaged(subject.program, sample.damaged, sample.seed)
    for first in range(0, len(drawn), BATCH):
        progress("damaged programs", first, len(drawn))
        moved = replace(subject, memory=replace(subject.memory, base=_base(rng)))
        for recovery in moved.run(drawn[first : first + BATCH]):
            if recovery.failure:
                raise CosilicoError(f"damaged program {recovery.damaged.index}: {recovery.failure}")
    for number in range(sample.failures):
        progress("failures", number, sample.failures)
        _run_failure(subject, number, rng)


def _base(rng: np.random.Generator) -> int:
    """Draw where the memory lies: any page, but for the last mebibytes."""
    return int(rng.integers(0, (1 << ADDRESS_BITS) - (1 << 24), dtype=np.int64)) & -PAGE_BYTES


def _patient_host(base: int, size_bytes: int, rng: np.random.Generator) -> Host:
    """Draw a window around the memory, and a time-out that no good run comes to."""
    first = int(rng.integers(0, base + 1, dtype=np.int64)) & -PAGE_BYTES
    last = int(rng.integers(base + size_bytes, 1 << ADDRESS_BITS, dtype=np.int64)) & -PAGE_BYTES
    timeout = int(rng.integers(1 << 20, 1 << 32, dtype=np.int64))
    return Host(timeout=timeout, window_base=first, window_limit=last)


def _run_network(built: Harness, case: Case, rng: np.random.Generator) -> None:
    mapped = map_realizable(case.config, case.network, case.batch)
    program, images = compile_mapped(mapped), case.images
    freedom = rng.choice(list(FREEDOMS))
    memories = [
        MemoryModel(base=_base(rng)),
        replace(FREEDOMS[freedom].with_seed(case.image_seed), base=_base(rng)),
    ]
    steps = [
        Step(
            program=program,
            inputs=images,
            network=case.network,
            memory=model,
            host=_patient_host(model.base, len(program.image), rng),
        )
        for model in memories
    ]
    expected = golden.run(case.network, images)
    prediction = predict_mapped(mapped)
    for run, model in zip(built.run_sequence(steps), memories, strict=True):
        check_run(run)
        differing = compare(
            case.config, case.network, prediction, run, expected, deterministic=model.deterministic
        )
        if differing.bit_differences or differing.timing_differences:
            raise CosilicoError(f"network {case.index}: {differing}")


def _answers(subject: Subject, port: BusPort) -> int:
    """Return how many beats or responses a port certainly gives to the good program."""
    prediction = subject.prediction
    if port is BusPort.READ:
        return prediction.read_bytes // subject.harness.config.bus_bytes
    if port is BusPort.DESCRIPTORS:
        return prediction.descriptor_bytes // DESCRIPTOR_PORT_BYTES
    # Each descriptor has a burst at least.
    return int(np.count_nonzero(prediction.queues == Queue.STORE))


def _run_failure(subject: Subject, number: int, rng: np.random.Generator) -> None:
    """Let a run of the good program end early, in one of the ways in turn; then run it to its end."""
    base, length = _base(rng), len(subject.program.image)
    cycle = int(rng.integers(1, subject.prediction.total_cycles))
    memory, host = MemoryModel(base=base), Host()
    cause: StopCause | None = None
    way = number % WAYS
    if way < 3:
        response = rng.choice(list(Response))
        port = list(BusPort)[way]
        index = int(rng.integers(0, _answers(subject, port)))
        fault = Fault(port=port, index=index, response=response)
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
        silence = Silence(port=port, index=int(rng.integers(0, 3)))
        memory, cause = replace(memory, silence=silence), StopCause.TIMEOUT
        host = Host(timeout=int(rng.integers(TIMEOUT_CYCLES, 4 * TIMEOUT_CYCLES)))
    good = Step(program=subject.program, inputs=subject.inputs)
    early = replace(good, host=host, memory=memory)
    steps = [early] if memory.silence else [early, replace(good, memory=MemoryModel(base=base))]
    results = subject.harness.run_sequence(steps)
    stop = results[0].stops[0]
    if (stop.cause if stop else None) is not cause:
        raise CosilicoError(f"failure {number}: {cause} must stop the program, not {stop}")
    if memory.silence is None and (differences := subject.differences(results[1])):
        raise CosilicoError(f"failure {number}: the good program differs in {differences}")
