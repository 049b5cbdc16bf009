"""Sums, differences and products with constants, against TensorFlow Lite Micro in every bit."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.single_tap import equal_tap
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.scales import quantize_multiplier
from sim.spec.network import LayerKind
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import judge, run_model

WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
MODELS = 60
FORMS: list[tuple[int, ...]] = [(), (1,), (-1,), (1, -1), (1, 1, 1, -1)]


def kind(scale: float, zero_point: int) -> dict[str, Any]:
    return {"scales": [float(np.float32(scale))], "zero_points": [zero_point]}


def drawn(rng: np.random.Generator) -> dict[str, Any]:
    """A scale, and a zero point as behind a ReLU or any other."""
    zero_point = -128 if rng.random() < 0.5 else int(rng.integers(-128, 128))
    return kind(2.0 ** rng.uniform(-8, -1), zero_point)


def convolved(
    writer: ModelWriter, channels: int, image: dict[str, Any], seen: dict[str, Any]
) -> tuple[int, int]:
    """An image and the tensor that a convolution makes of it."""
    shape = (1, 4, 4, channels)
    first = writer.tensor(shape, name="image", **image)
    second = writer.tensor(shape, name="seen", **seen)
    data = np.random.default_rng(3).integers(-127, 128, (channels, 1, 1, channels))
    kernel = writer.constant(data, "int8", scales=[0.01])
    writer.operator("CONV_2D", [first, kernel], [second], **WINDOW)
    return first, second


def random_arithmetic(name: str, rng: np.random.Generator) -> bytes:
    writer, channels = ModelWriter(), int(rng.integers(1, 9))
    image, seen = convolved(writer, channels, drawn(rng), drawn(rng))
    form = [channels if size < 0 else size for size in FORMS[int(rng.integers(len(FORMS)))]]
    other = writer.constant(rng.integers(-128, 128, form), "int8", **drawn(rng))
    if name != "MUL" and rng.random() < 0.3:
        other = image
    scales = [writer.tensors[index].scales[0] for index in (seen, other)]
    widest = scales[0] * scales[1] * 255 if name == "MUL" else max(scales) * 2
    output = kind(widest * rng.uniform(0.5, 1.5), int(rng.integers(-128, 128)))
    result = writer.tensor((1, 4, 4, channels), name="y", **output)
    operands = [seen, other] if rng.random() < 0.5 else [other, seen]
    activation = int(rng.choice([0, 1, 3]))
    writer.operator(name, operands, [result], FusedActivationFunction=activation)
    return writer.finish([image], [result])


def imported(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def inputs(network: ImportedNetwork) -> NDArray[np.int8]:
    rng = np.random.default_rng(5)
    return rng.integers(-128, 128, (4, *network.host.input.shape)).astype(np.int8)


@pytest.mark.parametrize("name", ["ADD", "MUL", "SUB"])
def test_equals_the_interpreter_in_random_models(name: str) -> None:
    rng = np.random.default_rng(1)
    for number in range(MODELS):
        content = random_arithmetic(name, rng)
        network = imported(content)
        x = inputs(network)
        values = golden.run(network.network, network.host.prepare(x))
        expected, outputs = judge(content, network, x)
        for layer, activation in expected.items():
            assert np.array_equal(values[layer], activation), (number, layer)
        logits = network.host.logits(values[network.network.output.name])
        assert np.array_equal(network.host.finish(logits), outputs[0])


def scaled(factor: int, zero_point: int, image: dict[str, Any]) -> tuple[bytes, ImportedNetwork]:
    """Batch normalization that is left behind a ReLU: a factor for each of 8 channels."""
    writer = ModelWriter()
    first, seen = convolved(writer, 8, kind(0.01, 0), image)
    factors = writer.constant([factor] * 8, "int8", **kind(0.004, zero_point))
    result = writer.tensor((1, 4, 4, 8), name="y", **kind(0.0073, -128))
    writer.operator("MUL", [seen, factors], [result])
    content = writer.finish([first], [result])
    return content, imported(content)


def test_a_factor_of_int8_is_a_tap() -> None:
    _, network = scaled(100, 0, kind(0.02, 4))
    layer = network.network.layers[-1]
    assert layer.kind is LayerKind.DEPTHWISE
    assert layer.weights.reshape(-1).tolist() == [100] * 8


def test_a_larger_factor_is_a_tap_that_is_equal_for_every_input() -> None:
    content, network = scaled(127, -128, kind(0.0073, -128))
    layer = network.network.layers[-1]
    assert layer.kind is LayerKind.DEPTHWISE
    x = inputs(network)
    y = golden.run(network.network, network.host.prepare(x))["mul_1"]
    assert np.array_equal(y, run_model(content, x)[0])


@pytest.mark.parametrize("factor", [-128, 125, 126, 127])
def test_factors_of_nine_bits_without_a_tap_are_multiplied_in_parts(factor: int) -> None:
    writer = ModelWriter()
    first, seen = convolved(writer, 2, kind(0.01, 0), kind(0.02, 4))
    zero_point = -128 if factor >= 0 else 127
    factors = writer.constant([factor, 0], "int8", **kind(0.004, zero_point))
    result = writer.tensor((1, 4, 4, 2), name="y", **kind(0.0041, 0))
    writer.operator("MUL", [seen, factors], [result])
    content = writer.finish([first], [result])
    network = imported(content)
    assert [layer.name for layer in network.network.layers] == ["conv_2d_0", "mul_1_1", "mul_1"]
    x = inputs(network)
    y = golden.run(network.network, network.host.prepare(x))["mul_1"]
    assert np.array_equal(y, run_model(content, x)[0])


def test_no_tap_is_given_where_none_is_equal() -> None:
    sums = np.arange(-128, 128, dtype=np.int64)
    assert equal_tap(sums, sums * sums) is None
    multiplier, shift = quantize_multiplier(0.7)
    outputs = golden.requantize((sums * 200).astype(np.int32), multiplier, shift).astype(np.int64)
    weight, bias, *factors = equal_tap(sums, outputs) or (0, 0, 0, 0)
    made = golden.requantize((sums * weight + bias).astype(np.int32), *factors)
    assert np.array_equal(made, outputs)


def refused(operands: Any, line: str, name: str = "MUL") -> None:
    writer = ModelWriter()
    image, seen = convolved(writer, 2, kind(0.5, 3), kind(0.5, 3))
    result = writer.tensor((1, 4, 4, 2), name="y", **kind(0.75, -7))
    writer.operator(name, operands(writer, image, seen), [result])
    with pytest.raises(UnsupportedModelError, match=rf"^operator 1 {name} \(tensor 'y'\): {line}$"):
        imported(writer.finish([image], [result]))


def test_refuses_what_is_not_arithmetic_for_each_channel() -> None:
    def constant(shape: tuple[int, ...], dtype: str = "int8", **quantization: Any) -> Any:
        data = np.arange(np.prod(shape)).reshape(shape)
        given = quantization or kind(0.1, 0)
        return lambda writer, _, seen: [seen, writer.constant(data, dtype, **given)]

    refused(constant((1, 4, 4, 2)), "constant 'tensor4' must be one number for each channel")
    refused(constant((3,)), r"constant 'tensor4' must fit shape \(1, 4, 4, 2\), "
            r"not have shape \(3,\)")  # fmt: skip
    refused(constant((2,), "int32"), "constant 'tensor4' must be int8, not int32")
    two: dict[str, Any] = {"scales": [0.1, 0.2]}
    refused(constant((2,), **two), "constant 'tensor4' must have one scale, not 2", "ADD")


def test_refuses_arithmetic_on_constants_alone() -> None:
    writer = ModelWriter()
    image, seen = convolved(writer, 2, kind(0.5, 3), kind(0.5, 3))
    constants = [writer.constant([[[[n, n]]]], "int8", **kind(0.1, 0)) for n in (1, 2)]
    made, result = (
        writer.tensor((1, size, size, 2), name=name, **kind(0.75, -7))
        for size, name in ((1, "made"), (4, "y"))
    )
    writer.operator("SUB", constants, [made])
    writer.operator("ADD", [seen, made], [result])
    line = r"operator 1 SUB \(tensor 'made'\): must have an activation among its operands"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        imported(writer.finish([image], [result]))


@pytest.mark.parametrize("name", ["MUL", "ADD", "SUB"])
def test_channels_must_be_last_where_a_constant_meets_them(name: str) -> None:
    """Behind a RESHAPE a constant would be one number for each of other channels."""
    writer = ModelWriter()
    image = writer.tensor((1, 4, 4, 8), name="image", **kind(0.5, 3))
    pooled = writer.tensor((1, 4, 4, 8), name="pooled", **kind(0.5, 3))
    flat = writer.tensor((1, 16, 8), name="flat", **kind(0.5, 3))
    split = writer.tensor((1, 4, 32), name="split", **kind(0.5, 3))
    result = writer.tensor((1, 4, 32), name="y", **kind(0.5, 1))
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}
    writer.operator("MAX_POOL_2D", [image], [pooled], **window)
    writer.operator("RESHAPE", [pooled], [flat])
    writer.operator("RESHAPE", [flat], [split])
    constant = writer.constant(np.arange(32), "int8", scales=[0.1], zero_points=[0])
    writer.operator(name, [split, constant], [result], FusedActivationFunction=0)
    line = (
        "activation must have its 8 channels last where it meets a constant, not shape (1, 4, 32)"
    )
    whole = re.escape(f"operator 3 {name} (tensor 'y'): {line}")
    with pytest.raises(UnsupportedModelError, match=f"^{whole}$"):
        imported(writer.finish([image], [result]))
