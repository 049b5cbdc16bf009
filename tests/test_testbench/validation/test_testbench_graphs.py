"""Random networks with concatenations and several inputs and outputs in RTL."""

import pytest

from sample_cases import MAX_MACS
from sample_cases import SEED as PAIRS_SEED
from sim.arrays.plan_columns import TensorPlan
from sim.realizability import map_realizable
from sim.spec.spaces import TINY
from testbench.cases.random_graphs import GRAPH, GRAPHS_PER_CONFIG, draw_graph_group
from testbench.validation.random_pairs import DRAWS, run_case

SEED = 3


def test_cases_of_a_group_share_their_accelerator() -> None:
    cases = draw_graph_group(0, 4, 4, TINY, SEED, max_macs=64)
    assert [case.index for case in cases] == [4, 5, 6, 7]
    assert {case.stratum for case in cases} == {GRAPH}
    assert [case.network.name for case in cases] == [f"{GRAPH}{index}" for index in range(4, 8)]
    assert DRAWS["graphs"].per_config == GRAPHS_PER_CONFIG


@pytest.mark.rtl
@pytest.mark.slow
def test_random_graphs_are_exact_in_rtl() -> None:
    joined = several = mosaics = inputs = 0
    # On an accelerator that random pairs are run on
    for case in draw_graph_group(1, 0, 8, TINY, PAIRS_SEED, max_macs=MAX_MACS[TINY]):
        outcome = run_case(case)
        assert outcome.passed, case.title
        mapped = map_realizable(case.config, case.network, case.batch)
        joined += int(mapped.tensor_plan[:, TensorPlan.JOINED].sum())
        several += len(case.network.outputs) > 1
        inputs += len(case.network.inputs) > 1
        mosaics += any(joint.pixels for joint in case.network.concatenations)
    assert joined
    assert several
    assert mosaics > 2
    assert inputs == 2
