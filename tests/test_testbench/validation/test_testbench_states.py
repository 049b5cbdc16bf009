"""Networks with states in RTL: every activation of every step, and every descriptor's cycles."""

import pytest

from sampled import sampled
from sim.spec.design import Design
from sim.spec.spaces import TINY
from sim.spec.views import View
from testbench.cases.imported import ImportedCase
from testbench.cases.stateful import RUNS, STATEFUL, draw_stateful_group
from testbench.validation.random_pairs import run_case
from testbench.validation.simulate import simulate

pytestmark = pytest.mark.rtl
SEED = 5


def test_draws_graphs_and_models_alike() -> None:
    first = draw_stateful_group(0, 0, 4, TINY, SEED, max_macs=64)
    again = draw_stateful_group(0, 0, 4, TINY, SEED, max_macs=64)
    assert [case.title for case in first] == [case.title for case in again]
    assert [isinstance(case, ImportedCase) for case in first] == [False, True] * 2
    assert {case.stratum for case in first} == {STATEFUL}
    assert min(len(case.images) for case in first) >= RUNS
    assert {case.batch for case in first} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("view", sampled(View, lambda view: view is View.SIMULATION))
def test_states_are_exact_over_all_steps_in_rtl(view: View) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    for case in draw_stateful_group(1, 0, 4, TINY, SEED, max_macs=64):
        outcome = run_case(case, view=view)
        assert outcome.passed, case.title
        assert (outcome.judged_values > 0) == isinstance(case, ImportedCase)


@pytest.mark.slow
def test_accelerators_do_not_share_the_images_of_a_network_with_states() -> None:
    case = draw_stateful_group(1, 0, 4, TINY, SEED, max_macs=64)[0]
    design = Design(network=case.network, accelerator=case.config)
    result = simulate(design, inputs=case.images, jobs=2)
    assert result.images == RUNS
    assert result.exact
