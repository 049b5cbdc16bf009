"""Random models: the integer reference of what was imported against TensorFlow Lite Micro."""

import numpy as np
import pytest

from sim import golden
from sim.importers.tflite.host_steps import HOST_OPERATORS
from sim.importers.tflite.lowering import OPERATORS
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind
from testbench.cases.tflite_convolutions import CONVOLUTIONS
from testbench.cases.tflite_functions import FUNCTIONS
from testbench.cases.tflite_models import draw_imported, import_random, random_model
from testbench.judges.tflite_oracle import judge

MODELS = 640
BASIC = ("AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "PAD")
"""Operators of all models."""

PARTS = 8


def differences(seed: int) -> tuple[list[str], set[LayerKind], bool]:
    """Layers that differ, the kinds of layers met, and whether the logits have many values."""
    model = random_model(seed)
    imported = import_random(model, seed)
    values = golden.run(imported.network, imported.host.prepare(model.inputs))
    expected, outputs = judge(model.content, imported, model.inputs)
    wrong = [
        layer
        for layer, activation in expected.items()
        if not np.array_equal(values[layer].reshape(-1), activation.reshape(-1))
    ]
    pairs = imported.host.all_outputs({name: values[name] for name in imported.network.outputs})
    for (_, result), output in zip(pairs, outputs, strict=True):
        if result.dtype != output.dtype or not np.array_equal(result, output):
            wrong.append("output")
    logits = pairs[0][0]
    kinds = {layer.kind for layer in imported.network.layers}
    return wrong, kinds, len(np.unique(logits)) > 2


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_activation_equals_the_interpreters(part: int) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    kinds: set[LayerKind] = set()
    lively = 0
    count = MODELS // PARTS
    for seed in range(part * count, (part + 1) * count):
        wrong, compared, alive = differences(seed)
        assert not wrong, f"model of seed {seed}"
        kinds |= compared
        lively += alive
    assert kinds == set(LayerKind)
    assert lively > count // 3  # a network that saturates everywhere shows little


def test_draws_what_the_importer_supports() -> None:
    models = [parse_tflite(random_model(seed).content, "model") for seed in range(MODELS)]
    drawn = {operator.name for model in models for operator in model.operators}
    # TensorFlow Lite Micro has no kernel of the first; the second hides what it is given. Functions that become
    # activation tables have models of their own, and so have convolutions that become others and what runs step by step.
    tables = {*FUNCTIONS, *CONVOLUTIONS, "SVDF"} - {*HOST_OPERATORS, *BASIC}
    assert drawn == {*OPERATORS, *HOST_OPERATORS} - {"RELU_N1_TO_1", "ARG_MAX", *tables}


def test_draws_networks_with_images() -> None:
    imported, x = draw_imported(3, images=4)
    assert x.dtype == np.int8
    assert x.shape == (4, *imported.network.input.shape)
    again, _ = draw_imported(3, images=4)
    assert [layer.name for layer in again.network.layers] == [
        layer.name for layer in imported.network.layers
    ]
