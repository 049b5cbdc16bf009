"""Products of activations in TensorFlow Lite models: what they become, in every bit as TensorFlow Lite Micro computes it."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from interpreter_checks import require_equal
from mobile_models import MOBILE_MODELS, mobile_model
from product_models import product_model
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import LayerKind
from testbench.cases.tflite_functions import PRODUCTS, function_model
from testbench.cases.tflite_writer import ModelWriter

MODELS = 250
PIXEL_MODELS = 40


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def check(content: bytes, x: ModelInputs) -> tuple[ImportedNetwork, dict[str, NDArray[np.int8]]]:
    """Compare all activations and outputs of a model with the interpreter's."""
    pytest.importorskip("tflite_micro", reason="the judge is a package of the extra 'dev'")
    network = imported(content)
    return network, require_equal(content, network, x)[0]


@pytest.mark.slow
def test_random_products_equal_the_interpreters() -> None:
    ends = tables = lively = products = 0
    for seed in range(MODELS):
        model = product_model(np.random.default_rng(seed))
        network, values = check(model.content, model.inputs)
        tensors = network.network.tensors
        own = [layer for layer in network.network.layers if layer.kind is LayerKind.MULTIPLY]
        products += len(own)
        ends += any(
            tensors[name].zero_point in (-128, 127) for layer in own for name in layer.inputs
        )
        tables += any(layer.table is not None for layer in network.network.layers)
        lively += any(len(np.unique(values[layer.name])) > 8 for layer in own)
    assert products > MODELS
    assert min(ends, tables, lively) > MODELS // 3


@pytest.mark.parametrize("name", MOBILE_MODELS)
def test_mobile_networks_equal_the_interpreter(name: str) -> None:
    """At a quarter of their channels; their squeeze-and-excitation blocks, swishes and hard sigmoids are all there."""
    x = np.random.default_rng(5).integers(-128, 128, (2, 40, 40, 3)).astype(np.int8)
    content = mobile_model(name, resolution=40, share=4, classes=20)
    network, values = check(content, x)
    kinds = [layer.kind for layer in network.network.layers]
    assert kinds.count(LayerKind.MULTIPLY) == {"mobilenet_v3_small": 9, "efficientnet_b0": 16}[name]
    (logits,) = (values[output] for output in network.network.outputs)
    assert (logits[0] != logits[1]).mean() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "millions"), [("mobilenet_v3_small", 56), ("efficientnet_b0", 385)]
)
def test_whole_mobile_networks_equal_the_interpreter(name: str, millions: int) -> None:
    """An image of 224 × 224 and 1,000 classes."""
    x = np.random.default_rng(6).integers(-128, 128, (1, 224, 224, 3)).astype(np.int8)
    network, _ = check(mobile_model(name), x)
    assert network.network.macs // 10**6 == millions


def test_a_vector_is_one_of_either_operand_and_of_fewer_axes() -> None:
    rng = np.random.default_rng(7)
    for shape in ((1, 1, 1, 6), (1, 6)):
        for first in (False, True):
            writer, image, seen = convolved()
            vector = writer.tensor(shape, scales=[0.02], zero_points=[-128])
            axes = writer.constant([1, 2], "int32")
            writer.operator("MEAN", [seen, axes], [vector], KeepDims=len(shape) == 4)
            result = writer.tensor((1, 4, 4, 6), scales=[0.03], zero_points=[9], name="y")
            operands = [vector, seen] if first else [seen, vector]
            writer.operator("MUL", operands, [result], FusedActivationFunction=1)
            x = rng.integers(-128, 128, (2, 4, 4, 3)).astype(np.int8)
            network, _ = check(writer.finish([image], [result]), x)
            kinds = [layer.kind for layer in network.network.layers][-2:]
            assert kinds == [LayerKind.FACTORS, LayerKind.MULTIPLY]


def test_a_concatenation_is_copied_before_it_is_multiplied() -> None:
    writer, image, seen = convolved()
    joint = writer.tensor((1, 4, 4, 12), scales=[0.05], zero_points=[3])
    other = writer.tensor((1, 4, 4, 6), scales=[0.05], zero_points=[3])
    window = {"Padding": 0, "StrideH": 1, "StrideW": 1, "FilterHeight": 3, "FilterWidth": 3}
    writer.operator("MAX_POOL_2D", [seen], [other], **window)
    writer.operator("CONCATENATION", [seen, other], [joint], Axis=3)
    vector = writer.tensor((1, 1, 1, 12), scales=[0.02], zero_points=[5])
    writer.operator("MEAN", [joint, writer.constant([1, 2], "int32")], [vector], KeepDims=True)
    result = writer.tensor((1, 4, 4, 12), scales=[0.03], zero_points=[9], name="y")
    writer.operator("MUL", [joint, vector], [result], FusedActivationFunction=0)
    x = np.random.default_rng(8).integers(-128, 128, (2, 4, 4, 3)).astype(np.int8)
    network, _ = check(writer.finish([image], [result]), x)
    assert [layer.kind for layer in network.network.layers].count(LayerKind.CONV) == 3


@pytest.mark.parametrize("name", PRODUCTS)
def test_random_products_pixel_by_pixel_equal_the_interpreters(name: str) -> None:
    lively = mosaics = 0
    for seed in range(PIXEL_MODELS):
        model = function_model(name, np.random.default_rng(seed))
        network, values = check(model.content, model.inputs)
        product = f"mul_{'3' if 'mul_3' in values else '2'}"
        lively += len(np.unique(values[product])) > 8 if product in values else 0
        mosaics += len(network.network.concatenations)
    assert mosaics > PIXEL_MODELS * 3 // 4
    assert lively > PIXEL_MODELS // 2


@pytest.mark.parametrize("joined", [False, True])
def test_concatenations_are_multiplied_pixel_by_pixel(joined: bool) -> None:
    """By a concatenation alike they are multiplied where they lie, by another tensor as copies."""
    writer, image, seen = convolved()
    wholes = []
    for turn in range(2 if joined else 1):
        other = writer.tensor((1, 4, 4, 6), scales=[0.05], zero_points=[3])
        window = {"Padding": 0, "StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 3}
        writer.operator("MAX_POOL_2D", [seen], [other], **window)
        wholes.append(writer.tensor((1, 4, 4, 12), scales=[0.05], zero_points=[3]))
        parts = [seen, other] if turn else [other, seen]
        writer.operator("CONCATENATION", parts, [wholes[-1]], Axis=3)
    if not joined:
        wholes.append(writer.tensor((1, 4, 4, 12), scales=[0.05], zero_points=[3]))
        weights = np.random.default_rng(4).integers(-127, 128, (12, 1, 1, 3))
        writer.operator(
            "CONV_2D",
            [image, writer.constant(weights, "int8", scales=[0.01])],
            [wholes[-1]],
            **WINDOW,
        )
    result = writer.tensor((1, 4, 4, 12), scales=[0.03], zero_points=[9], name="y")
    writer.operator("MUL", wholes, [result], FusedActivationFunction=1)
    x = np.random.default_rng(8).integers(-128, 128, (2, 4, 4, 3)).astype(np.int8)
    network, values = check(writer.finish([image], [result]), x)
    assert len(np.unique(values[network.network.outputs[0]])) > 8
    dense = network.network.segments[network.network.outputs[0]] == (12,)
    assert dense is not joined


@pytest.mark.parametrize("first", [False, True])
def test_a_single_value_multiplies_all(first: bool) -> None:
    writer, image, seen = convolved()
    single = writer.tensor((1, 1, 1, 1), scales=[0.02], zero_points=[5])
    kernel = writer.constant(np.ones((1, 4, 4, 3)), "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [single], **WINDOW)
    result = writer.tensor((1, 4, 4, 6), scales=[0.03], zero_points=[9], name="y")
    operands = [single, seen] if first else [seen, single]
    writer.operator("MUL", operands, [result], FusedActivationFunction=0)
    x = np.random.default_rng(8).integers(-128, 128, (3, 4, 4, 3)).astype(np.int8)
    network, _ = check(writer.finish([image], [result]), x)
    kinds = [layer.kind for layer in network.network.layers][-2:]
    assert kinds == [LayerKind.FACTORS, LayerKind.MULTIPLY]


@pytest.mark.parametrize("shape", [(1, 4, 1, 6), (1, 1, 4, 6), (1, 4, 1, 1)])
def test_refuses_products_that_repeat_rows(shape: tuple[int, ...]) -> None:
    writer, image, seen = convolved()
    other = writer.tensor(shape, scales=[0.02], zero_points=[5])
    size = (4 if shape[1] == 1 else 1, 4 if shape[2] == 1 else 1)
    kernel = writer.constant(np.ones((shape[3], *size, 3)), "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [other], **WINDOW)
    result = writer.tensor((1, 4, 4, 6), scales=[0.03], zero_points=[9], name="y")
    writer.operator("MUL", [seen, other], [result], FusedActivationFunction=0)
    line = (
        "product of activations must be of the output's shape, with one of its shape, or with one value for each "
        f"channel or pixel of it, (1, 4, 4, 6), not of shapes (1, 4, 4, 6) and {shape}"
    )
    whole = re.escape(f"operator 2 MUL (tensor 'y'): {line}")
    with pytest.raises(UnsupportedModelError, match=f"^{whole}$"):
        imported(writer.finish([image], [result]))


@pytest.mark.parametrize("last", [1, 8])
def test_refuses_a_vector_whose_values_lie_in_a_column(last: int) -> None:
    """A column of 8 pixels that is reshaped to a vector of channels lies otherwise than the channels of what it multiplies."""
    writer, rng = ModelWriter(), np.random.default_rng(3)
    image = writer.tensor((1, 8, 1, 3), scales=[0.05], zero_points=[-3], name="image")
    seen, column = (
        writer.tensor((1, 8, 1, channels), scales=[0.05], zero_points=[3]) for channels in (8, 1)
    )
    for made, channels in ((seen, 8), (column, 1)):
        weights = rng.integers(-127, 128, (channels, 1, 1, 3))
        kernel = writer.constant(weights, "int8", scales=[0.01])
        writer.operator("CONV_2D", [image, kernel], [made], **WINDOW)
    shape = (1, 8 // last, 1, last)
    vector = writer.tensor(shape, scales=[0.05], zero_points=[3])
    writer.operator("RESHAPE", [column, writer.constant(shape, "int32")], [vector], NewShape=shape)
    result = writer.tensor((1, 8, 1, 8), scales=[0.03], zero_points=[9], name="y")
    writer.operator("MUL", [seen, vector], [result], FusedActivationFunction=0)
    content = writer.finish([image], [result])
    if last == 1:  # the column itself has a value for each pixel
        check(content, rng.integers(-128, 128, (2, 8, 1, 3)).astype(np.int8))
        return
    line = "operands must have their 8 channels last in memory, not shapes (8, 1, 8) and (8, 1, 1)"
    whole = re.escape(f"operator 3 MUL (tensor 'y'): {line}")
    with pytest.raises(UnsupportedModelError, match=f"^{whole}$"):
        imported(content)


def test_flattened_images_are_multiplied_as_they_lie() -> None:
    writer, image, seen = convolved()
    other = writer.tensor((1, 4, 4, 6), scales=[0.05], zero_points=[3])
    window = {"Padding": 0, "StrideH": 1, "StrideW": 1, "FilterHeight": 3, "FilterWidth": 3}
    writer.operator("MAX_POOL_2D", [seen], [other], **window)
    flat = [writer.tensor((1, 96), scales=[0.05], zero_points=[3]) for _ in range(2)]
    for source, made in zip((seen, other), flat, strict=True):
        shape = writer.constant([1, 96], "int32")
        writer.operator("RESHAPE", [source, shape], [made], NewShape=(1, 96))
    result = writer.tensor((1, 96), scales=[0.03], zero_points=[9], name="y")
    writer.operator("MUL", flat, [result], FusedActivationFunction=0)
    x = np.random.default_rng(8).integers(-128, 128, (2, 4, 4, 3)).astype(np.int8)
    network, values = check(writer.finish([image], [result]), x)
    assert network.network.output.shape == (4, 4, 6)
    assert len(np.unique(values[network.network.output.name])) > 8


WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def convolved() -> tuple[ModelWriter, int, int]:
    """A model of an image and a convolution of it."""
    writer = ModelWriter()
    image = writer.tensor((1, 4, 4, 3), scales=[0.05], zero_points=[-3], name="image")
    seen = writer.tensor((1, 4, 4, 6), scales=[0.05], zero_points=[3], name="seen")
    weights = np.random.default_rng(9).integers(-127, 128, (6, 1, 1, 3))
    kernel = writer.constant(weights, "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW)
    return writer, image, seen
