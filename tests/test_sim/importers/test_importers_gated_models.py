"""MnasNet-A1 and GhostNet as TensorFlow Lite models, against the interpreter."""

import re

import numpy as np
import pytest

from gated_models import GATED_MODELS, gated_model
from interpreter_checks import require_equal
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind

STRUCTURE = {
    "mnasnet_a1": {LayerKind.MULTIPLY: 8, LayerKind.DEPTHWISE: 16, LayerKind.ADD: 9},
    "ghostnet": {LayerKind.MULTIPLY: 7, LayerKind.DEPTHWISE: 48, LayerKind.ADD: 23},
}
"""Layers that compute a tensor of the model, of some kinds: products by gates, depthwise convolutions, residual sums.

GhostNet's hard sigmoids are seven of its sums, and their products by a sixth seven of its depthwise layers.
"""

JOINED = {"mnasnet_a1": 0, "ghostnet": 32}
"""Tensors of joined halves: two of each of GhostNet's bottlenecks."""

MILLIONS = {"mnasnet_a1": 312, "ghostnet": 141}
"""Multiply-accumulates at 224 × 224 with 1,000 classes as the papers say, in millions."""

INNER = re.compile(r"_\d+_\d+$")
"""End of the name of a layer whose output is no tensor of the model."""


def imported(name: str, resolution: int, share: int, classes: int) -> tuple[bytes, ImportedNetwork]:
    content = gated_model(name, resolution=resolution, share=share, classes=classes)
    return content, lower_tflite(parse_tflite(content, "model"), name)


def compare(name: str, resolution: int, share: int, classes: int) -> None:
    """Compare a model with the interpreter in all activations, and its layers with the paper's."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    content, model = imported(name, resolution, share, classes)
    x = np.random.default_rng(5).integers(-128, 128, (2, resolution, resolution, 3)).astype(np.int8)
    _, outputs = require_equal(content, model, x)
    for output in outputs:
        assert len(np.unique(output)) > 8
        assert (output[0] != output[1]).mean() > 0.5


@pytest.mark.parametrize("name", GATED_MODELS)
def test_small_forms_equal_the_interpreter(name: str) -> None:
    """A quarter of the channels; all of the layers are there."""
    compare(name, 40, 4, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", GATED_MODELS)
def test_networks_of_published_width_equal_the_interpreter(name: str) -> None:
    """All channels and 1,000 classes; an image of 64 × 64."""
    compare(name, 64, 1, 1000)


@pytest.mark.parametrize("name", GATED_MODELS)
def test_layers_and_multiplications_are_the_papers(name: str) -> None:
    _, model = imported(name, 224, 1, 1000)
    own = [layer for layer in model.network.layers if not INNER.search(layer.name)]
    kinds = [layer.kind for layer in own]
    for kind, count in STRUCTURE[name].items():
        assert kinds.count(kind) == count, kind
    assert len(model.network.concatenations) == JOINED[name]
    kernels = {layer.kernel for layer in own if layer.kind is LayerKind.DEPTHWISE}
    assert kernels >= {(3, 3), (5, 5)}
    assert round(sum(layer.macs for layer in own) / 10**6) == MILLIONS[name]
