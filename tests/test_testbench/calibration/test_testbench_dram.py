"""Tier T3 in RTL: same bits, a fit that finds the DRAM's intervals, predictions that hold."""

from functools import lru_cache

import numpy as np
import pytest

from dram_parameters import OF_THE_PORTS, true_parameters
from hwgen.program import compile_design
from sample_cases import drawn
from sampled import sampled
from sim import golden
from sim.spec.design import Design
from sim.spec.dram import DRAM_PRESETS
from sim.spec.memories import DRAM
from sim.spec.spaces import EDGE, TINY
from sim.timing.calibration import default
from sim.timing.dram import MEASURED, DramParameter
from sim.timing.dram_organization import parameters
from testbench.calibration.dram import dram_errors
from testbench.calibration.dram_fit import fit_parameters
from testbench.cases.random_networks import Case
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.harness import build
from testbench.rtl.memory_model import MemoryModel


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Networks of both spaces on accelerators that other tests build; drawn late, for that maps them."""
    return drawn(TINY, 1)[:2] + drawn(EDGE, 1)[:1]


START = 2
"""Cycles of the harness from the beginning of the refresh calendar to the doorbell."""

NEVER_FELT: dict[str, set[DramParameter]] = {
    "lpddr4-3200": {DramParameter.FOUR_ROWS},  # 4 tRRD
    "ddr4-2400/fr-fcfs": set(),
}
"""Intervals that others hide."""


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(NEVER_FELT, lambda name: "fr-fcfs" in name))
def test_the_fit_finds_every_interval_and_predicts_held_out_networks(name: str) -> None:
    """Nothing of the data sheet is told to the fit; the networks took no part in it."""
    base, system = default(), DRAM_PRESETS[name]
    fitted, runs, missed = fit_parameters(system, base)
    truth = true_parameters(dram_channel(TINY.default, system))
    for parameter in set(MEASURED) - NEVER_FELT[name] - set(OF_THE_PORTS):
        assert fitted[parameter] == truth[parameter], parameter.name
    assert missed == 0
    assert runs >= 10
    errors = dram_errors(system, base, fitted, cases())
    assert errors.layers >= 3
    assert errors.worst == errors.network_worst == 0
    assert errors.spearman > 0.99


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(DRAM_PRESETS) - set(NEVER_FELT)))
def test_the_fit_tells_the_latency_ahead_from_the_others(name: str) -> None:
    """Their sums alone would fit most programs; START shows whether they were split rightly.

    Long: the fit of another preset, which is always made, has to find each of them.
    """
    system, q = DRAM_PRESETS[name], DramParameter
    fitted, _, missed = fit_parameters(system, default())
    truth = true_parameters(dram_channel(TINY.default, system), START)
    split = (q.START, q.FRONT, q.READ_LATENCY, q.WRITE_LATENCY, q.REFRESH_INTERVAL, q.REFRESH)
    assert {p.name: fitted[p] for p in split} == {p.name: truth[p] for p in split}
    assert missed == 0


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", DRAM_PRESETS)
def test_shipped_parameters_predict_networks_to_the_cycle(name: str) -> None:
    """In order and with a controller that reorders."""
    base, system = default(), DRAM_PRESETS[name]
    p = parameters(TINY.default, system, base.dram(system).parameters)
    errors = dram_errors(system, base, p, cases())
    assert errors.layers >= 3
    assert errors.worst == errors.network_worst == 0


@pytest.mark.rtl
@pytest.mark.slow
def test_a_dram_changes_time_and_never_bits() -> None:
    """Every image takes as long as the first, for the DRAM begins anew with each."""
    for case in drawn(TINY, 1)[:2]:
        program = compile_design(Design(network=case.network, accelerator=case.config))
        harness = build(case.config)
        memory = MemoryModel(dram=dram_channel(case.config, DRAM))
        assert not memory.deterministic
        run = harness.run(program, case.images, network=case.network, memory=memory)
        fixed = harness.run(program, case.images, network=case.network)
        expected = golden.run(case.network, case.images)
        for index, layer in enumerate(case.network.layers):
            np.testing.assert_array_equal(run.activations[index], expected[layer.name])
        execute = run.issue_end >= 0
        assert len(set(run.cycles.tolist())) == 1
        assert run.cycles[0] != fixed.cycles[0]
        np.testing.assert_array_equal(
            (run.end - run.start)[execute], (fixed.end - fixed.start)[execute]
        )
