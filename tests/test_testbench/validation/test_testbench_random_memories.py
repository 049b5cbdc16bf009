"""Random pairs behind random deterministic memories: no bit and no cycle may differ."""

import pytest

from sample_cases import ALWAYS, MAX_MACS, SEED, SIZES, drawn
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.random_memories import (
    LATENCIES,
    OUTSTANDING,
    WIDTHS,
    draw_memories,
)
from testbench.rtl.memory_model import MemoryModel
from testbench.validation.random_pairs import run_case, validate_random


@pytest.mark.rtl
@pytest.mark.parametrize("space", SIZES, ids=[space.name for space in SIZES])
def test_cycles_are_exact_behind_every_deterministic_memory(space: HardwareSpace) -> None:
    """All of them in one process, one after the other on one accelerator."""
    for case in drawn(space, ALWAYS[space][-1])[:2]:
        memories = draw_memories(case.config, 12, 5)
        outcome = run_case(case, others={str(m): MemoryModel.of(m) for m in memories})
        wrong = [name for name, result in outcome.others.items() if result.timing_differences]
        assert not wrong
        assert outcome.passed
        assert all(result.descriptor_cycles == 0 for result in outcome.others.values())
        assert len(outcome.others) == 12


@pytest.mark.rtl
def test_pairs_run_behind_memories_that_are_drawn_for_them() -> None:
    """Where they are told to."""
    [outcome] = validate_random(1, TINY, SEED, max_macs=MAX_MACS[TINY], drawn=3, jobs=1)
    expected = draw_memories(outcome.case.config, 3, outcome.case.image_seed)
    assert outcome.passed
    assert list(outcome.others) == outcome.to_json()["behind"] == [str(m) for m in expected]


def test_drawn_memories_cover_what_is_claimed() -> None:
    drawn_for = [
        memory
        for config in (TINY.default, EDGE.default)
        for memory in draw_memories(config, 400, 1)
    ]
    latencies = {memory.latency for memory in drawn_for}
    assert {memory.outstanding for memory in drawn_for} == {
        None,
        *range(OUTSTANDING[0], OUTSTANDING[1] + 1),
    }
    assert {memory.width_bytes for memory in drawn_for} == {None, *WIDTHS}
    assert min(x for x in latencies if x) < LATENCIES[0] + 3
    assert max(x for x in latencies if x) > LATENCIES[1] - 10
    for config in (TINY.default, EDGE.default):
        clocks = {memory.clock_mhz for memory in draw_memories(config, 400, 1)}
        assert min(x for x in clocks if x) < config.clock_mhz < max(x for x in clocks if x)


def test_the_same_seed_draws_the_same_memories() -> None:
    assert draw_memories(TINY.default, 9, 3) == draw_memories(TINY.default, 9, 3)
    assert draw_memories(TINY.default, 9, 3) != draw_memories(TINY.default, 9, 4)
    assert draw_memories(TINY.default, 9, 3) != draw_memories(EDGE.default, 9, 3)
