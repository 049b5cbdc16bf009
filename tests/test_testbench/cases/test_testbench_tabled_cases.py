"""Cases with activation tables that a validation draws."""

import numpy as np
import pytest

from sim import golden
from sim.realizability import check
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.imported import ImportedCase
from testbench.cases.random_networks import Case, draw_group
from testbench.cases.tabled import MODELS, TABLED_PER_CONFIG, draw_tabled_group
from testbench.cases.tflite_functions import function_model
from testbench.validation.random_pairs import run_case

SEED = 5
MAX_MACS = 1024


def drawn(groups: int, space: HardwareSpace = TINY) -> list[Case]:
    size = TABLED_PER_CONFIG
    return [
        case
        for group in range(groups)
        for case in draw_tabled_group(group, group * size, size, space, SEED, max_macs=MAX_MACS)
    ]


@pytest.mark.parametrize("space", [TINY, EDGE], ids=["tiny", "edge"])
def test_every_case_has_tables_and_is_realizable(space: HardwareSpace) -> None:
    cases = drawn(5, space)
    assert [case.index for case in cases] == list(range(5 * TABLED_PER_CONFIG))
    for case in cases:
        assert case.config.activation_table == 1
        assert check(case.config, case.network, images=case.batch) == []
        assert any(layer.table is not None for layer in case.network.layers), case.title
    models = [case for case in cases if isinstance(case, ImportedCase)]
    assert [str(case.stratum) for case in models] == [f"model with {name}" for name in MODELS] * 2


def test_a_models_title_draws_it_again() -> None:
    for case in drawn(1):
        if isinstance(case, ImportedCase):
            recipe = case.title.partition(", images=")[0] + f", images={case.image_count})"
            again = eval(recipe, {"function_model": function_model, "np": np})
            assert again.content == case.model.content
            np.testing.assert_array_equal(again.inputs, case.model.inputs)


def test_the_interpreter_judges_the_models() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    for case in drawn(3):
        if isinstance(case, ImportedCase):
            values = golden.run(case.network, case.images)
            activations = {i: values[layer.name] for i, layer in enumerate(case.network.layers)}
            last = {name: values[name] for name in case.network.outputs}
            judgement = case.judge(activations, last)
            assert judgement.values > 0
            assert judgement.differences == 0, case.title


def test_pairs_without_tables_are_drawn_as_ever() -> None:
    cases = draw_group(0, 0, 3, TINY, SEED, max_macs=64)
    assert {case.config.activation_table for case in cases} == {0}
    assert not any(layer.table for case in cases for layer in case.network.layers)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_cases_are_exact_in_rtl() -> None:
    """Long: networks of every kind of layer, and imported networks, are run with tables on an accelerator that is not drawn."""
    for case in draw_tabled_group(1, 0, 6, TINY, SEED, max_macs=64):
        assert run_case(case).passed, case.title
