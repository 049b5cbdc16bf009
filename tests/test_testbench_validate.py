"""Random (configuration, layer) pairs in RTL: no bit and no cycle may differ."""

from collections.abc import Iterable

import pytest

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, TINY
from testbench import validate
from testbench.cases import Case, Corner, draw_cases, strata
from testbench.chains import draw_chains
from testbench.harness import HarnessError
from testbench.memory_model import MemoryModel
from testbench.validate import run_case, try_case, validate_random

TINY_CASES = draw_cases(60, TINY, 24, networks_per_config=6, max_macs=384)
EDGE_CASES = draw_cases(48, EDGE, 24, networks_per_config=8, max_macs=1024)
CASES = TINY_CASES + EDGE_CASES
"""Draws as of ``cosilico validate --random``, but of accelerators that build quickly."""


def by_config(cases: Iterable[Case]) -> dict[AcceleratorConfig, list[Case]]:
    """Cases that share a build, so that one test builds each configuration once."""
    groups: dict[AcceleratorConfig, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.config, []).append(case)
    return groups


CHAINS = draw_chains(list(by_config(CASES)), 24)
"""One deep network with residual blocks on each of the same configurations."""

GROUPS = by_config(CASES + CHAINS)


@pytest.mark.rtl
@pytest.mark.parametrize("config", GROUPS, ids=[f"{c.fingerprint:08x}" for c in GROUPS])
def test_rtl_equals_reference_and_model(config: AcceleratorConfig) -> None:
    for case in GROUPS[config]:
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
    for seed, case in enumerate(next(iter(GROUPS.values()))):
        outcome = run_case(case, memory=MemoryModel(stall_seed=seed))
        assert outcome.bit_differences == 0
        assert outcome.execute_differences == 0
        assert outcome.measured_cycles >= outcome.predicted_cycles


@pytest.mark.rtl
@pytest.mark.parametrize("stalls", [False, True])
def test_random_pairs_come_as_they_finish(stalls: bool) -> None:
    outcomes = list(validate_random(5, TINY, 22, max_macs=64, stalls=stalls, jobs=2))
    assert sorted(outcome.case.index for outcome in outcomes) == list(range(5))
    assert all(outcome.passed for outcome in outcomes)
    slower = sum(outcome.measured_cycles > outcome.predicted_cycles for outcome in outcomes)
    assert slower == (5 if stalls else 0)


def test_a_run_that_fails_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(case: Case, **options: object) -> None:
        raise HarnessError("image 0 stopped at cycle 9: LOAD descriptor 0 of 1 did not end")

    monkeypatch.setattr(validate, "run_case", stopped)
    outcome = try_case(CASES[0])
    assert not outcome.passed
    assert outcome.failure.startswith("HarnessError: image 0 stopped at cycle 9")
    assert outcome.to_json()["failure"] == outcome.failure
    assert outcome.to_json()["activations"] == 0


def test_the_pairs_cover_what_they_are_meant_to_cover() -> None:
    assert len(CASES) >= 100
    assert {case.stratum for case in TINY_CASES} == set(strata())
    assert {case.stratum for case in EDGE_CASES} == set(strata())
    assert {case.corner for case in CASES} == set(Corner)
    configs = GROUPS.keys()
    assert len({(c.pes_x, c.pes_y) for c in configs}) >= 8
    assert {c.simd_units for c in configs} >= {4, 8, 16, 32}
    assert {c.compute_lanes for c in configs} >= {1, 2, 4}
    assert len({c.bus_bytes for c in configs}) >= 4
    assert sum(case.spills for case in CASES) >= 5
    assert sum(case.passes > 1 for case in CASES) >= 2
    assert sum(case.pixels > 1 for case in CASES) >= 5
    assert sum(case.splits > 1 for case in CASES) >= 3
    assert sum(case.partial_tile for case in CASES) >= 20
    assert {3, 6} <= {c.pes_x for c in configs}
    assert len(CHAINS) >= 10
    assert max(len(case.network.layers) for case in CHAINS) >= 10
