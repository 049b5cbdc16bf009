"""Imported images of layers' pixels in RTL: a U-Net, and random models with all operators that become mosaics."""

import itertools

import numpy as np
import pytest

from sample_cases import MAX_MACS as MOST_MACS
from sample_cases import SEED
from sim import golden
from sim.spec.spaces import TINY
from testbench.cases.imported import IMPORTED, imported_case
from testbench.cases.random_networks import Case, draw_group_of
from testbench.cases.tflite_convolutions import convolution_model
from testbench.cases.tflite_models import import_random
from testbench.judges.tflite_oracle import judge
from testbench.validation.random_pairs import run_case
from unet_model import unet_model

MAX_MACS = 64


def exact(case: Case) -> None:
    outcome = run_case(case)
    assert outcome.judged_values
    assert outcome.bit_differences == 0, case.title
    assert outcome.judged_differences == 0, case.title
    assert outcome.timing_differences == 0, case.title
    assert outcome.measured_cycles == outcome.predicted_cycles, case.title
    assert outcome.passed


def test_a_u_net_equals_the_interpreter() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    model = unet_model(3)
    imported = import_random(model, 3)
    values = golden.run(imported.network, imported.host.prepare(model.inputs))
    expected, _ = judge(model.content, imported, model.inputs)
    for name, activation in expected.items():
        assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), name
    joints = imported.network.concatenations
    assert [bool(joint.pixels) for joint in joints].count(True) == 4
    assert len(joints) == 6
    assert len(np.unique(values[imported.network.output.name])) > 20


@pytest.mark.rtl
@pytest.mark.slow
def test_a_u_net_is_exact_in_rtl() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    (case,) = draw_group_of(
        lambda index, config, rng: imported_case(
            index, config, rng, lambda seed, images: (unet_model(seed, images), f"unet_model({seed})"), IMPORTED
        ),
        1, 0, 1, TINY, SEED, max_macs=MOST_MACS[TINY],  # whose accelerator random pairs are run on
    )  # fmt: skip
    exact(case)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_models_of_other_convolutions_are_exact_in_rtl() -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    cases = draw_group_of(
        lambda index, config, rng: imported_case(
            index, config, rng,
            lambda seed, images: (convolution_model(seed, images), f"convolution_model({seed})"), IMPORTED,
        ),
        1, 0, 6, TINY, 11, max_macs=MAX_MACS,
    )  # fmt: skip
    for case in cases:
        exact(case)
    joints = itertools.chain(*(case.network.concatenations for case in cases))
    assert any(joint.pixels for joint in joints)
