"""Imported networks in RTL: no bit differs from reference and interpreter, no cycle from the model."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from sampled import sampled
from sim import golden
from sim.realizability import check
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from testbench.cases.imported import IMPORTED, ImportedCase, draw_imported_group
from testbench.cases.random_networks import Case
from testbench.cases.tflite_convolutions import convolution_model
from testbench.cases.tflite_extremes import EXTREMES, extreme_model
from testbench.cases.tflite_inputs import inputs_model
from testbench.cases.tflite_models import RandomModel, random_model
from testbench.validation.random_pairs import run_case

SEED = 5
MAX_MACS = 128
"""Accelerators that build quickly."""


def extreme(name: str, seed: int, images: int) -> RandomModel:
    return extreme_model(name, np.random.default_rng(seed), images)


DRAWS: dict[str, Callable[[int, int], RandomModel]] = {
    "random_model(": random_model,
    "convolution_model(": convolution_model,
    "inputs_model(": inputs_model,
    **{f"extreme_model({name!r}, ": partial(extreme, name) for name in EXTREMES},
}
"""Models by the beginning of their recipe."""


def drawn(size: int, space: HardwareSpace = TINY) -> list[ImportedCase]:
    cases: list[Case] = draw_imported_group(1, 0, size, space, SEED, max_macs=MAX_MACS)
    return [case for case in cases if isinstance(case, ImportedCase)]


def test_draws_models_that_fit_one_accelerator() -> None:
    cases = drawn(8)
    assert [case.index for case in cases] == list(range(8))
    assert len({case.config for case in cases}) == 1
    assert len({case.batch for case in cases}) > 1
    for case in cases:
        assert check(case.config, case.network, images=case.batch) == []
        assert (str(case.stratum), case.label) == (IMPORTED, f"random{case.model_seed}")
        assert case.images.shape == (case.image_count, *case.network.image_shape)
        (draw,) = (DRAWS[begin] for begin in DRAWS if case.recipe.startswith(begin))
        again = draw(case.model_seed, case.image_count)
        assert again.content == case.model.content
        for given, wanted in zip(again.inputs, case.model.inputs, strict=True):
            np.testing.assert_array_equal(given, wanted)
    assert sum(case.recipe.startswith("inputs_model(") for case in cases) == 1
    assert sum(case.recipe.startswith("convolution_model(") for case in cases) == 2
    assert sum(case.recipe.startswith("extreme_model('MAXIMUM', ") for case in cases) == 1


def test_the_same_seed_draws_the_same_models() -> None:
    seeds = [case.model_seed for case in drawn(3)]
    assert [case.model_seed for case in drawn(3)] == seeds
    assert [case.model_seed for case in drawn(3, EDGE)] != seeds


def test_a_model_does_not_depend_on_how_many_inputs_come_with_it() -> None:
    for seed in range(20):
        assert random_model(seed, 1).content == random_model(seed, 5).content


def test_the_interpreter_judges_every_value() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    case = next(case for case in drawn(24) if len(case.network.layers) > 2 and not steps(case))
    values = golden.run(case.network, case.images)
    activations = {i: values[layer.name] for i, layer in enumerate(case.network.layers)}
    last = {name: values[name] for name in case.network.outputs}
    judgement = case.judge(activations, last)
    layers = sum(array.size for array in activations.values())
    assert judgement.differences == 0
    assert judgement.values > layers
    activations[1] = activations[1].copy()
    activations[1].reshape(-1)[-1] ^= 1
    assert case.judge(activations, last).differences == 1


def steps(case: ImportedCase) -> set[str]:
    """Layers that are steps within an operator."""
    layers = {layer.name for layer in case.network.layers}
    return layers.difference(case.imported.source["tensors"])


def judged_values(case: ImportedCase) -> int:
    """Values that the model has a tensor for, and its outputs."""
    values = golden.run(case.network, case.images)
    layers = {layer.name for layer in case.network.layers} - steps(case)
    return sum(values[name].size for name in (*layers, *case.network.outputs))


def test_steps_within_an_operator_have_no_tensor_to_be_judged_by() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    case = next(case for case in drawn(24) if steps(case))
    values = golden.run(case.network, case.images)
    activations = {i: values[layer.name] for i, layer in enumerate(case.network.layers)}
    outputs = {name: values[name] for name in case.network.outputs}
    judgement = case.judge(activations, outputs)
    whole = sum(array.size for array in activations.values())
    within = sum(values[name].size for name in steps(case))
    assert within > 0
    assert judgement.differences == 0
    assert judgement.values == whole - within + values[case.network.output.name].size


@pytest.mark.rtl
@pytest.mark.parametrize("number", sampled([2, 4], lambda number: number == 2))
def test_rtl_equals_interpreter_reference_and_model(number: int) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    for case in drawn(number):
        outcome = run_case(case)
        assert outcome.comparison is not None
        layers = [case.network.tensors[layer.name].shape for layer in case.network.layers]
        assert outcome.comparison.activations == case.image_count * sum(map(math.prod, layers))
        assert outcome.judged_values == judged_values(case)
        assert outcome.bit_differences == 0, case.title
        assert outcome.judged_differences == 0, case.title
        assert outcome.timing_differences == 0, case.title
        assert outcome.measured_cycles == outcome.predicted_cycles, case.title
        assert outcome.passed
