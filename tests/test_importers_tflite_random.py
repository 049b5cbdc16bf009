"""Random models: the integer reference of what was imported against TensorFlow Lite Micro."""

import numpy as np
import pytest

from sim import golden
from sim.importers.tflite_import import lower_tflite
from sim.importers.tflite_reader import parse_tflite
from sim.spec.network import LayerKind
from testbench.tflite_models import draw_imported, random_model
from testbench.tflite_oracle import run_model

MODELS = 400
PARTS = 8


def differences(seed: int) -> tuple[list[str], set[LayerKind], bool]:
    """Names of tensors that differ, the kinds of layers met, and whether any tensor is not flat."""
    content, x = random_model(seed)
    model = parse_tflite(content, "model")
    imported = lower_tflite(model, f"random{seed}")
    values = golden.run(imported.network, imported.host.prepare(x))
    indices = {tensor.name: tensor.index for tensor in model.tensors}
    places = {layer: indices[name] for layer, name in imported.source["tensors"].items()}
    outputs, observed = run_model(content, x, sorted(places.values()))
    wrong = [
        layer
        for layer, index in places.items()
        if not np.array_equal(values[layer].reshape(-1), observed[index].reshape(-1))
    ]
    logits = imported.host.logits(values[imported.network.output.name])
    result = imported.host.finish(logits)
    if result.dtype != outputs.dtype or not np.array_equal(result, outputs):
        wrong.append("output")
    kinds = {layer.kind for layer in imported.network.layers}
    return wrong, kinds, len(np.unique(values[imported.network.output.name])) > 2


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_activation_equals_the_interpreters(part: int) -> None:
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    kinds: set[LayerKind] = set()
    lively = 0
    count = MODELS // PARTS
    for seed in range(part * count, (part + 1) * count):
        wrong, found, alive = differences(seed)
        assert not wrong, f"model of seed {seed}"
        kinds |= found
        lively += alive
    assert kinds == set(LayerKind)
    assert lively > count // 3  # a network that saturates everywhere shows little


def test_draws_networks_for_campaigns() -> None:
    imported, x = draw_imported(3, images=4)
    assert x.dtype == np.int8
    assert x.shape == (4, *imported.network.input.shape)
    again, _ = draw_imported(3, images=4)
    assert [layer.name for layer in again.network.layers] == [
        layer.name for layer in imported.network.layers
    ]
