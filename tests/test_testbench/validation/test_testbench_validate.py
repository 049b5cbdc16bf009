"""Random (configuration, layer) pairs in RTL: no bit and no cycle may differ."""

from dataclasses import replace

import pytest

from sample_cases import ALWAYS, FIRST, GROUPS, MAX_MACS, SEED, SIZES, chains, drawn
from sampled import sampled
from sim.spec.spaces import TINY, HardwareSpace
from sim.timing.calibration import default
from testbench.cases.random_networks import Case, Corner, strata
from testbench.rtl.harness import HarnessError
from testbench.rtl.memory_model import DRAM_NAME, BusPort, MemoryModel, Silence
from testbench.rtl.verilate import BuildError
from testbench.validation import random_pairs
from testbench.validation.random_pairs import every_memory, run_case, try_case, validate_random

EACH_GROUP = pytest.mark.parametrize(
    ("space", "group"),
    sampled(GROUPS, lambda place: place[1] in ALWAYS[place[0]], fields=True),
    ids=[f"{space.name}-{group}" for space, group in GROUPS],
)


@pytest.mark.rtl
@EACH_GROUP
def test_rtl_equals_reference_and_model(space: HardwareSpace, group: int) -> None:
    for case in drawn(space, group) + chains(space, group):
        outcome = run_case(case)
        name = f"case {case.index} {case.stratum}, {case.corner}"
        assert outcome.comparison is not None
        assert outcome.comparison.activations > 0
        assert outcome.comparison.descriptors > 0
        assert outcome.bit_differences == 0, name
        assert outcome.timing_differences == 0, name
        assert outcome.measured_cycles == outcome.predicted_cycles, name
        assert outcome.passed


@pytest.mark.rtl
def test_random_stalls_change_no_bit_and_no_execute_duration() -> None:
    for seed, case in enumerate(drawn(TINY, 0) + chains(TINY, 0)):
        outcome = run_case(case, memory=MemoryModel(stall_seed=seed))
        assert outcome.bit_differences == 0
        assert outcome.execute_differences == 0
        assert outcome.measured_cycles >= outcome.predicted_cycles


@pytest.mark.rtl
@pytest.mark.parametrize("stalls", sampled([False, True], bool))
def test_random_pairs_come_as_they_finish(stalls: bool) -> None:
    most = MAX_MACS[TINY]
    outcomes = list(validate_random(3, TINY, SEED, max_macs=most, stalls=stalls, jobs=2))
    assert sorted(outcome.case.index for outcome in outcomes) == list(range(3))
    assert all(outcome.passed for outcome in outcomes)
    slower = sum(outcome.measured_cycles > outcome.predicted_cycles for outcome in outcomes)
    assert slower == (3 if stalls else 0)


@pytest.mark.rtl
@pytest.mark.parametrize("space", SIZES, ids=[space.name for space in SIZES])
def test_every_memory_gives_the_same_bits_and_its_cycles(space: HardwareSpace) -> None:
    """Cycles are exact whatever the latency; no freedom of AXI makes a bit differ, or a run hang."""
    for case in drawn(space, ALWAYS[space][-1])[:3]:
        others = every_memory(case.config, case.image_seed)
        outcome = run_case(case, others=others)
        assert outcome.passed, outcome.to_json()
        assert outcome.others.keys() == others.keys()
        assert outcome.to_json()["memories"] == 1 + len(others)


@pytest.mark.rtl
def test_random_pairs_run_behind_every_memory() -> None:
    """Where they are told to."""
    [outcome] = validate_random(1, TINY, SEED, max_macs=MAX_MACS[TINY], memories=True, jobs=1)
    assert outcome.passed
    assert outcome.others.keys() == every_memory(outcome.case.config, 0).keys()
    assert DRAM_NAME in outcome.others


@pytest.mark.rtl
def test_latencies_are_foretold_each_by_itself() -> None:
    """A prediction for another latency than the memory's is noticed."""
    case = drawn(TINY, 0)[0]
    stores = MemoryModel(latency=11)
    assert run_case(case, memory=stores).passed
    wrong = replace(default(), constants=default().constants | {"load_overhead": 99})
    result = run_case(case, others={"latency 11": stores}, calibration=wrong).others["latency 11"]
    assert result.descriptor_cycles > 0
    assert result.bit_differences == result.execute == 0


@pytest.mark.rtl
def test_a_silent_memory_is_named_by_its_failure() -> None:
    """What stops behind one memory is the case's failure."""
    case = drawn(TINY, 0)[0]
    silent = {"silent": MemoryModel(silence=Silence(port=BusPort.WRITE))}
    with pytest.raises(HarnessError, match=r"^memory 'silent': run 0 stopped at cycle \d+: "):
        run_case(case, others=silent)


def test_a_run_that_fails_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(case: Case, **options: object) -> None:
        raise HarnessError("run 0 stopped at cycle 9: LOAD descriptor 0 of 1 did not end")

    monkeypatch.setattr(random_pairs, "run_case", stopped)
    outcome = try_case(drawn(TINY, 0)[0])
    assert not outcome.passed
    assert outcome.failure.startswith("HarnessError: run 0 stopped at cycle 9")
    assert outcome.to_json()["failure"] == outcome.failure
    assert outcome.to_json()["activations"] == 0


def test_the_pairs_cover_what_they_are_meant_to_cover() -> None:
    cases = [case for place in GROUPS for case in drawn(*place)]
    deep = [case for place in GROUPS for case in chains(*place)]
    assert len(cases) >= 100
    for groups in (
        [(space, group) for space, chosen in ALWAYS.items() for group in chosen],
        *([(space, group) for group in range(len(sizes))] for space, sizes in FIRST.items()),
    ):
        assert {case.stratum for place in groups for case in drawn(*place)} == set(strata())
    assert {case.corner for case in cases} == set(Corner)
    configs = {case.config for case in cases}
    assert len({(c.pes_x, c.pes_y) for c in configs}) >= 8
    assert {c.simd_units for c in configs} >= {4, 8, 16, 32}
    assert {c.compute_lanes for c in configs} >= {1, 2, 4}
    assert len({c.bus_bytes for c in configs}) >= 4
    assert sum(case.spills for case in cases) >= 5
    assert sum(case.passes > 1 for case in cases) >= 2
    assert sum(case.pixels > 1 for case in cases) >= 5
    assert sum(case.splits > 1 for case in cases) >= 3
    assert sum(case.partial_tile for case in cases) >= 20
    assert {3, 6} <= {c.pes_x for c in configs}
    assert len(deep) >= 10
    assert max(len(case.network.layers) for case in deep) >= 10


@pytest.mark.parametrize(
    "error", [BuildError("g++ failed: no"), OSError(28, "No space left on device"), MemoryError()]
)
def test_what_the_machine_lacks_is_no_outcome(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It says nothing of model and RTL, and ends the whole validation."""

    def fail(case: Case, **options: object) -> None:
        raise error

    monkeypatch.setattr(random_pairs, "run_case", fail)
    with pytest.raises(type(error)):
        try_case(drawn(TINY, 0)[0])
