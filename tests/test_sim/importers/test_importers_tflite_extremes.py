"""MAXIMUM and MINIMUM of two activations, and PRELU of a slope for each channel, bit by bit as the interpreter computes them."""

import re
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind
from testbench.cases.tflite_extremes import EXTREMES, extreme_model
from testbench.cases.tflite_models import RandomModel
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import judge

MODELS = 60


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def check(model: RandomModel) -> tuple[ImportedNetwork, int]:
    """Compare all activations and outputs with the interpreter's; return the most values that an output has."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    network = imported(model.content)
    values = golden.run(network.network, network.host.prepare(model.inputs))
    expected, outputs = judge(model.content, network, model.inputs)
    for name, activation in expected.items():
        assert np.array_equal(values[name].reshape(-1), activation.reshape(-1)), name
    pairs = network.host.all_outputs({name: values[name] for name in network.network.outputs})
    for (_, result), output in zip(pairs, outputs, strict=True):
        assert np.array_equal(result, output)
    return network, max(len(np.unique(output)) for output in outputs)


@pytest.mark.parametrize("name", EXTREMES)
def test_random_models_equal_the_interpreters(name: str) -> None:
    lively = special = 0
    for seed in range(MODELS):
        network, most = check(extreme_model(name, np.random.default_rng(seed)))
        lively += most > 8
        if name == "PRELU":
            sums = [layer for layer in network.network.layers if layer.kind is LayerKind.ADD]
            special += any(layer.name.startswith("prelu_") for layer in sums)
        else:
            special += len(network.network.concatenations) > 0
    assert lively > MODELS // 2
    assert special > MODELS * 3 // 4


def compared(shapes: tuple[tuple[int, ...], ...], scales: tuple[float, ...]) -> str:
    writer = ModelWriter()
    a, b, y = (
        writer.tensor(shape, scales=[scale], zero_points=[-7], name=name)
        for shape, scale, name in zip(shapes, scales, "aby", strict=True)
    )
    writer.operator("MINIMUM", [a, b], [y])
    with pytest.raises(UnsupportedModelError) as caught:
        imported(writer.finish([a, b], [y]))
    return str(caught.value)


def test_compared_activations_have_one_shape_and_scale() -> None:
    shape, where = (1, 2, 2, 3), "operator 0 MINIMUM (tensor 'y'): "
    assert compared((shape, (1, 1, 1, 3), shape), (0.05, 0.05, 0.05)) == (
        f"{where}activations must have the output's shape {shape}, not {shape} and (1, 1, 1, 3)"
    )
    rule = f"{where}inputs and output must be quantized alike"
    assert compared((shape, shape, shape), (0.05, 0.06, 0.05)) == rule
    assert compared((shape, shape, shape), (0.05, 0.05, 0.06)) == rule


def test_two_constants_are_not_compared() -> None:
    writer = ModelWriter()
    kind: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
    image, y = (writer.tensor((1, 2, 2, 1), name=name, **kind) for name in "xy")
    constants = [writer.constant([place], "int8", **kind) for place in range(2)]
    made = writer.tensor((1, 1), name="z", **kind)
    writer.operator("MAXIMUM", constants, [made])
    writer.operator("ADD", [image, made], [y], FusedActivationFunction=0)
    line = r"operator 0 MAXIMUM \(tensor 'z'\): must have an activation among its operands"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        imported(writer.finish([image], [y]))


def test_a_smaller_value_needs_no_table() -> None:
    """Negatives, of which the larger is taken, and its negative: -1 - v is its own inverse."""
    writer = ModelWriter()
    kind: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
    a, b, y = (writer.tensor((1, 3, 2, 4), name=name, **kind) for name in "aby")
    writer.operator("MINIMUM", [a, b], [y])
    network = imported(writer.finish([a, b], [y])).network
    kinds = [layer.kind for layer in network.layers]
    assert kinds == [*[LayerKind.DEPTHWISE] * 2, LayerKind.MAX_POOL, LayerKind.DEPTHWISE]
    every = np.array([[i, j] for i in range(-128, 128) for j in range(-128, 128, 5)], np.int8)
    images = np.resize(every.T, (2, -(-len(every) // 24) * 24)).reshape(2, -1, 24)
    x = np.concatenate([images[0], images[1]], axis=1)
    values = golden.run(network, x)[network.output.name]
    assert np.array_equal(values.reshape(-1, 24), np.minimum(images[0], images[1]))


@pytest.mark.parametrize("name", ["HARD_SWISH", "RELU6"])
def test_what_a_table_or_a_clamp_took_over_is_not_copied(name: str) -> None:
    """The layer behind which the function stands is the operand itself, for nobody else has its values."""
    writer = ModelWriter()
    kind: dict[str, Any] = {"scales": [0.05], "zero_points": [-7]}
    image = writer.tensor((1, 4, 5, 6), **kind)
    ends = []
    for seed in range(2):
        data = np.random.default_rng(seed).integers(-127, 128, (6, 1, 1, 6))
        kernel = writer.constant(data, "int8", scales=[0.01])
        seen, bent = (writer.tensor((1, 4, 5, 6), **kind) for _ in range(2))
        writer.operator(
            "CONV_2D", [image, kernel], [seen],
            Padding=0, StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1,
        )  # fmt: skip
        writer.operator(name, [seen], [bent])
        ends.append(bent)
    y = writer.tensor((1, 4, 5, 6), **kind)
    writer.operator("MAXIMUM", ends, [y])
    x = np.random.default_rng(5).integers(-128, 128, (3, 4, 5, 6)).astype(np.int8)
    network, _ = check(RandomModel(writer.finish([image], [y]), x))
    kinds = [layer.kind for layer in network.network.layers]
    assert kinds == [LayerKind.CONV, LayerKind.CONV, LayerKind.MAX_POOL]


def test_slopes_wider_than_int8_are_refused() -> None:
    writer = ModelWriter()
    x, y = (writer.tensor((1, 2, 2, 2), scales=[0.05], name=name) for name in "xy")
    kind: dict[str, Any] = {"scales": [0.03], "zero_points": [-128]}
    slopes = writer.constant(np.array([127, 123], np.int8), "int8", **kind)
    writer.operator("PRELU", [x, slopes], [y])
    rule = "slopes less their zero point must be int8, or equal one in every result, not 251 … 255"
    line = re.escape(f"operator 0 PRELU (tensor 'y'): {rule}")
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        imported(writer.finish([x], [y]))
