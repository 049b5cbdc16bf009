"""SqueezeNet 1.1, ResNet-50 and an SSD head on MobileNetV2 as TensorFlow Lite models, against the interpreter."""

import numpy as np
import pytest

from classic_models import CLASSIC_MODELS, classic_model
from interpreter_checks import require_equal
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind

LAYERS = {
    "squeezenet_v1_1": {LayerKind.CONV: 26, LayerKind.MAX_POOL: 3},
    "resnet_50": {LayerKind.CONV: 54, LayerKind.ADD: 16},
    "ssd_mobilenet_v2": {LayerKind.DEPTHWISE: 19, LayerKind.ADD: 10},
}
"""Layers of some kinds: all that the networks have; the classifier is a convolution."""

MILLIONS = {"squeezenet_v1_1": 355, "resnet_50": 4089, "ssd_mobilenet_v2": 335}
"""Whole millions of MACs at 224 × 224, with 1,000 classes, or 21 for each of six anchors."""


def compare(name: str, resolution: int, share: int, classes: int, images: int) -> int:
    """Compare a model with the interpreter in all activations; return its MACs."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    content = classic_model(name, resolution=resolution, share=share, classes=classes)
    imported = lower_tflite(parse_tflite(content, "model"), name)
    shape = (images, resolution, resolution, 3)
    x = np.random.default_rng(5).integers(-128, 128, shape).astype(np.int8)
    _, outputs = require_equal(content, imported, x)
    for output in outputs:
        assert len(np.unique(output)) > 12
    kinds = [layer.kind for layer in imported.network.layers]
    for kind, count in LAYERS[name].items():
        assert kinds.count(kind) == count, kind
    assert len(outputs) == (2 if name == "ssd_mobilenet_v2" else 1)
    return imported.network.macs


@pytest.mark.parametrize("name", CLASSIC_MODELS)
def test_small_forms_equal_the_interpreter(name: str) -> None:
    """An eighth of the channels; all of the layers are there."""
    compare(name, 48, 8, 10, 2)


@pytest.mark.long
@pytest.mark.parametrize("name", CLASSIC_MODELS)
def test_whole_networks_equal_the_interpreter(name: str) -> None:
    """An image of 224 × 224."""
    classes = 21 if name == "ssd_mobilenet_v2" else 1000
    assert compare(name, 224, 1, classes, 1) // 10**6 == MILLIONS[name]
