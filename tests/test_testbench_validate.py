"""Random (configuration, layer) pairs in RTL: no bit and no cycle may differ."""

from collections.abc import Iterable

import pytest

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import TINY
from testbench.cases import Case, draw_cases, strata
from testbench.chains import draw_chains
from testbench.memory_model import MemoryModel
from testbench.validate import run_case

PAIRS = 65
CASES = draw_cases(PAIRS, TINY, 22, networks_per_config=5, max_macs=384)
"""The same draws as ``cosilico validate --random``, but of accelerators that build quickly."""


def by_config(cases: Iterable[Case]) -> dict[AcceleratorConfig, list[Case]]:
    """Cases that share a build, so that one test builds each configuration once."""
    groups: dict[AcceleratorConfig, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.config, []).append(case)
    return groups


CHAINS = draw_chains(list(by_config(CASES)), 22)
"""One deep network with residual blocks on each of the same configurations."""

GROUPS = by_config(CASES + CHAINS)


@pytest.mark.rtl
@pytest.mark.parametrize("config", GROUPS, ids=[f"{c.fingerprint:08x}" for c in GROUPS])
def test_rtl_equals_reference_and_model(config: AcceleratorConfig) -> None:
    for case in GROUPS[config]:
        outcome = run_case(case)
        assert outcome.activations > 0
        assert outcome.descriptors > 0
        assert outcome.bit_differences == 0, f"case {case.index} {case.stratum}"
        assert outcome.cycle_differences == 0, f"case {case.index} {case.stratum}"
        assert outcome.counter_differences == 0, f"case {case.index} {case.stratum}"
        assert outcome.measured_cycles == outcome.predicted_cycles


@pytest.mark.rtl
def test_random_stalls_change_no_bit_and_no_execute_duration() -> None:
    cases = next(iter(GROUPS.values()))
    for seed, case in enumerate(cases):
        outcome = run_case(case, memory=MemoryModel(stall_seed=seed))
        assert outcome.bit_differences == 0
        assert outcome.execute_differences == 0
        assert outcome.measured_cycles >= outcome.predicted_cycles


def test_the_pairs_cover_what_they_are_meant_to_cover() -> None:
    assert {case.stratum for case in CASES} == set(strata())
    configs = GROUPS.keys()
    assert len({(c.pes_x, c.pes_y) for c in configs}) >= 10
    assert {c.simd_units for c in configs} == {4, 8, 16, 32}
    assert {c.compute_lanes for c in configs} == {1, 2, 4}
    assert {c.bus_bytes for c in configs} == {2, 4, 8, 16}
    assert sum(case.spills for case in CASES) >= 5
    assert sum(case.passes > 1 for case in CASES) >= 3
    assert sum(case.partial_tile for case in CASES) >= 20
    assert any(3 in (c.pes_x, c.pes_y) for c in configs)
    assert len(CHAINS) >= 10
    assert max(len(case.network.layers) for case in CHAINS) >= 10


def test_another_seed_draws_other_pairs_and_the_same_seed_the_same() -> None:
    def key(cases: list[Case]) -> list[tuple[AcceleratorConfig, int]]:
        return [(case.config, case.network.macs) for case in cases]

    assert key(draw_cases(5, TINY, 1)) == key(draw_cases(5, TINY, 1))
    assert key(draw_cases(5, TINY, 1)) != key(draw_cases(5, TINY, 2))
