"""Damaged programs: how they are drawn, and that the next good program runs as ever, in both views."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from hwgen.program import Program, compile_design
from sampled import sampled
from sim.model import predict
from sim.spec.bus import PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, encode
from sim.spec.descriptor import Queue as DescriptorQueue
from sim.spec.design import Design
from sim.spec.header import HEADER_BYTES, read_header, seal
from sim.spec.stops import Port, StopCause
from sim.spec.views import View
from testbench.faults.damage import KINDS, SLACK_DESCRIPTORS, Damaged, draw_damaged
from testbench.faults.recovery import (
    CONFIGS,
    PATIENCE_CYCLES,
    Recovery,
    Subject,
    recoveries,
    small_network,
)
from testbench.rtl.harness import Harness, Stop
from testbench.rtl.memory_model import FREEDOMS

COUNT = 280
"""Damaged programs: 20 of each kind."""


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_design(Design(network=small_network(), accelerator=CONFIGS[0]))


def whole(program: Program, damaged: Damaged) -> bool:
    """Whether the check words fit of all parts that a damaged program's header counts."""
    try:
        header = read_header(damaged.data)
    except ValueError:
        return False
    end = HEADER_BYTES + header.count * DESCRIPTOR_BYTES
    if header.count > len(program.descriptors) + SLACK_DESCRIPTORS:
        return False
    return seal(header.fingerprint, damaged.data[HEADER_BYTES:end]) == damaged.data[:end]


def test_the_same_seed_draws_the_same_damage(program: Program) -> None:
    drawn = draw_damaged(program, COUNT, 5)
    assert drawn == draw_damaged(program, COUNT, 5)
    assert drawn[:30] == draw_damaged(program, 30, 5)
    assert drawn != draw_damaged(program, COUNT, 6)
    assert Counter(damaged.kind for damaged in drawn) == dict.fromkeys(KINDS, COUNT // len(KINDS))
    assert len({damaged.data for damaged in drawn}) >= 0.9 * COUNT


def test_sealed_damage_of_descriptors_has_check_words_that_fit(program: Program) -> None:
    """So that they do not hide what comes behind them."""
    sealed = Counter[str]()
    for damaged in draw_damaged(program, COUNT, 1):
        assert len(damaged.data) >= HEADER_BYTES + len(program.encoded)
        if damaged.sealed and damaged.kind not in ("count", "header"):
            assert whole(program, damaged), damaged.kind
            sealed[damaged.kind] += 1
    assert set(sealed) == set(KINDS) - {"bits", "truncated", "count", "header"}


def test_cold_and_warm_descriptors_are_damaged_in_turn() -> None:
    stored = compile_design(Design(network=small_network(), accelerator=CONFIGS[2]))
    drawn = draw_damaged(stored, COUNT, 1)
    for place, damaged in enumerate(drawn):
        warm = place // len(KINDS) % 2
        assert damaged.address == (stored.warm_address if warm else stored.header_address)
        length = HEADER_BYTES + len(stored.encoded) + SLACK_DESCRIPTORS * DESCRIPTOR_BYTES
        assert len(damaged.data) >= length
        assert damaged.kind == "any" or len(damaged.data) == length


@pytest.mark.parametrize(
    ("cause", "place", "agrees"),
    [
        (StopCause.RESPONSE, -1, False),
        (StopCause.RESPONSE, 0, True),
        (StopCause.RESPONSE, 2 * PAGE_BYTES - 1, True),
        (StopCause.RESPONSE, 2 * PAGE_BYTES, False),
        (StopCause.WINDOW, -1, True),
        (StopCause.WINDOW, 0, False),
        (StopCause.WINDOW, 2 * PAGE_BYTES - 1, False),
        (StopCause.WINDOW, 2 * PAGE_BYTES, True),
        (StopCause.DESCRIPTOR, -1, True),
    ],
)
def test_answered_bursts_lie_in_the_window_and_others_do_not(
    program: Program, cause: StopCause, place: int, agrees: bool
) -> None:
    """The place counts from the window's first byte; it has two pages."""
    memory = replace(FREEDOMS["late responses"], base=0x1000_0000)
    damaged = draw_damaged(program, 2, 1)[1]
    inputs = np.zeros((1, 6, 5, 7), np.int8)
    good = SimpleNamespace(
        stops=(None,), status=[0b10], outputs=inputs, issue_end=np.zeros((1, 0), np.int64)
    )
    stop = Stop(cause=cause, port=Port.READ, address=memory.base + place, response=0)
    subject = Subject(
        harness=cast(
            Harness,
            SimpleNamespace(run_sequence=lambda *_, **__: [SimpleNamespace(stops=(stop,)), good]),
        ),
        program=program,
        inputs=inputs,
        outputs=inputs,
        prediction=predict(CONFIGS[0], small_network()),
        memory=memory,
    )
    host = subject.host(damaged)
    assert (host.window_base, host.window_limit) == (memory.base, memory.base + PAGE_BYTES)
    (recovery,) = subject.run([damaged])
    assert recovery.failure == ("" if agrees else f"{stop} does not agree with the window")


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("view", sampled(View, lambda view: view is View.SIMULATION))
def test_the_next_program_runs_as_ever_behind_any_damage(view: View) -> None:
    subject = Subject.of(CONFIGS[0], view)
    recovered = list(recoveries(subject, COUNT, 1))
    assert [recovery for recovery in recovered if recovery.failure] == []
    assert len(recovered) == COUNT
    endings = Counter(recovery.ending for recovery in recovered)
    assert set(endings) >= {"done", "CHECK", "REFUSED", "DESCRIPTOR", "TIMEOUT", "ABORT", "WINDOW"}
    assert endings["done"] < COUNT / 2


@pytest.mark.rtl
@pytest.mark.slow
def test_cold_and_warm_runs_are_as_ever_behind_any_damage() -> None:
    subject = Subject.of(CONFIGS[2], View.SIMULATION)
    assert subject.warm is not None
    assert subject.warm.store_bytes > 0
    recovered = list(recoveries(subject, COUNT // 2, 3))
    assert [recovery for recovery in recovered if recovery.failure] == []
    wrong = replace(subject, warm=subject.prediction)
    (recovery,) = wrong.run([recovered[0].damaged])
    # Weights come sooner from the store, and nothing waits for them here
    assert recovery.failure == "the good program behind it differs in ends"


@pytest.mark.rtl
@pytest.mark.slow
def test_recovers_behind_a_memory_that_is_slow_and_out_of_step() -> None:
    subject = Subject.of(CONFIGS[0], View.SIMULATION, FREEDOMS["address after data, stalls"])
    recovered = list(recoveries(subject, COUNT, 2))
    assert [recovery for recovery in recovered if recovery.failure] == []


@pytest.mark.rtl
@pytest.mark.slow
def test_what_is_not_as_ever_is_named() -> None:
    """A wrong weight, and check words that are made to fit, show in the run of the good program."""
    subject = Subject.of(CONFIGS[0], View.SIMULATION)
    (damaged,) = draw_damaged(subject.program, 1, 3)
    image = bytearray(subject.program.image)
    for place in range(64):
        image[place + 1400] ^= 0x55
    wrong = replace(subject, program=replace(subject.program, image=bytes(image)))
    (recovery,) = wrong.run([damaged])
    assert recovery.failure == "the good program behind it differs in output"

    late = encode(DescriptorQueue.STORE, {"groups": 1, "rows": 1, "columns": 1, "vector_beats": 1})
    program = subject.program
    longer = program.image[: program.header_address] + seal(
        CONFIGS[0].fingerprint, program.encoded + late
    )
    unlike = replace(subject, program=replace(program, image=longer))
    (recovery,) = unlike.run([damaged])
    assert recovery.failure == "the good program behind it differs in cycles"

    forged = replace(damaged, data=program.image[program.header_address :][:-64] + bytes(64))
    (recovery,) = subject.run([replace(forged, sealed=False)])
    assert recovery.failure == ""  # the missing descriptor is noticed
    assert recovery.ending == "CHECK"
    assert isinstance(recovery, Recovery)
    assert subject.prediction.total_cycles < PATIENCE_CYCLES
