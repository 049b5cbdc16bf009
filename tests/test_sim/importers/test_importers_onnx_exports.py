"""Forms that exporters give to ONNX models: what is merely unfamiliar is imported, and equal."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_graphs import MICROSOFT, Graph, check, convolution, dequantized, refused
from sim.spec.network import LayerKind

WHERE = r"node \d+ {} 'n\d+' \(tensor 't\d+'\): "


def pair(graph: Graph, x: str, scale: float, zero: int, low: int = -128, high: int = 127) -> str:
    """Quantize, clamp the integers as Brevitas does, and dequantize."""
    both = graph.scale(scale, zero)
    shift = 128 if graph.dtype == np.uint8 else 0
    ends = [graph.constant(end + shift, graph.dtype) for end in (low, high)]
    quantized = graph.node("QuantizeLinear", x, *both)
    return graph.node("DequantizeLinear", graph.node("Clip", quantized, *ends), *both)


@pytest.mark.parametrize("function", ["Softmax", "LogSoftmax", "Sigmoid"])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_a_function_at_the_end_is_the_hosts(function: str, dtype: str) -> None:
    graph = Graph(dtype)
    x = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 4, 4))
    logits = graph.node("Flatten", graph.pair(x, 0.05, 3))
    attributes: dict[str, Any] = {} if function == "Sigmoid" else {"axis": 1}
    y = graph.node(function, logits, **attributes)
    scale, zero = (1 / 16, 127) if function == "LogSoftmax" else (1 / 256, -128)
    imported = check(graph.model(graph.pair(y, scale, zero), (1, 3, 4, 4)), step=scale, bound=2)
    names = [type(step).__name__ for step in imported.host.after]
    assert names == ["Reshape", "Dequantize", {"Sigmoid": "Logistic"}.get(function, function),
                     "QuantizeHalfEven", "Dequantize"]  # fmt: skip


@pytest.mark.parametrize("opset", [12, 13])
def test_softmax_over_channels_of_a_single_pixel(opset: int) -> None:
    graph = Graph()
    data, _, _ = graph.weights(6, 3, 4, 4)
    weights = graph.node("DequantizeLinear", data, graph.constant(0.01, np.float32))
    y = graph.pair(graph.node("Conv", graph.pair("x", 0.03, 5), weights), 0.05, 3)
    check(graph.model(graph.node("Softmax", y, axis=1), (1, 3, 4, 4), opset=opset), step=0.05)


def test_a_function_before_a_layer_is_refused_by_its_name() -> None:
    graph = Graph()
    y = graph.pair(convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 4, 4)), 0.05, 3)
    y = graph.pair(graph.node("Softmax", y, axis=1), 1 / 256, -128)
    y = graph.pair(convolution(graph, y, 1 / 256, (2, 6, 1, 1)), 0.05, 3)
    refused(
        graph.model(y, (1, 3, 4, 4)),
        WHERE.format("Conv")
        + r"node \d+ Softmax, which it reads, must be at the end of the model, "
        "where the host computes it",
    )


@pytest.mark.parametrize("low", [-128, -100])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_a_clip_of_integers_is_the_clamp_of_the_layer_before(dtype: str, low: int) -> None:
    graph = Graph(dtype)
    x = pair(graph, "x", 0.03, 5, low)
    y = pair(graph, convolution(graph, x, 0.03, (6, 3, 3, 3)), 0.06, -9, -100, 90)
    imported = check(graph.model(y, (1, 3, 9, 9)), step=0.06)
    (layer,) = imported.network.layers
    assert layer.clamp == (-100, 90)
    steps = [type(step).__name__ for step in imported.host.before]
    assert ("Clamp" in steps) == (low > -128)


def test_a_clip_of_integers_that_others_read_too_is_a_layer() -> None:
    graph = Graph("int8")
    both = graph.scale(0.06, -9)
    x = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3))
    wide = graph.node("QuantizeLinear", x, *both)
    ends = [graph.constant(end, np.int8) for end in (-60, 60)]
    narrow = graph.node("DequantizeLinear", graph.node("Clip", wide, *ends), *both)
    y = graph.node("Add", narrow, graph.node("DequantizeLinear", wide, *both))
    imported = check(graph.model(graph.pair(y, 0.12, 0), (1, 3, 9, 9)), step=0.12)
    clamps = [layer.clamp for layer in imported.network.layers]
    assert clamps == [(-128, 127), (-60, 60), (-128, 127)]


def test_clipped_weights_are_computed_while_importing() -> None:
    graph = Graph("int8")
    real = graph.constant(graph.rng.normal(0, 0.2, (5, 3, 3, 3)), np.float32)
    scales, zeros = graph.constant([0.01] * 5, np.float32), graph.constant([0] * 5, np.int8)
    quantized = graph.node("QuantizeLinear", real, scales, zeros, axis=0)
    ends = [graph.constant(end, np.int8) for end in (-7, 7)]
    clipped = graph.node("Clip", quantized, *ends)
    weights = graph.node("DequantizeLinear", clipped, scales, zeros, axis=0)
    y = graph.node("Conv", graph.pair("x", 0.03, 5), weights)
    imported = check(graph.model(graph.pair(y, 0.03, 0), (1, 3, 6, 6)), step=0.03)
    (layer,) = imported.network.layers
    assert np.abs(layer.weights).max() == 7


def test_bounds_of_a_clip_may_be_quantized() -> None:
    graph = Graph("int8")
    scale = graph.constant(0.05, np.float32)
    bounds = [
        graph.node("DequantizeLinear", graph.constant(end, np.int8), scale) for end in (0, 120)
    ]
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3))
    y = graph.pair(graph.node("Clip", y, *bounds), 0.06, -100)
    # onnxruntime's own fusion aborts on bounds that are no initializers
    imported = check(graph.model(y, (1, 3, 9, 9)), step=0.06, optimized=False)
    assert imported.network.layers[0].clamp == (-100, 0)


@pytest.mark.parametrize("matrix", [False, True])
def test_a_real_bias_is_rounded(matrix: bool) -> None:
    graph = Graph("uint8")
    weights, scales, zeros = graph.weights(6, 3, *([] if matrix else [2, 2]))
    given = [dequantized(graph, weights, scales, zeros)]
    given.append(graph.constant(graph.rng.normal(0, 0.5, 6), np.float32))
    x = graph.pair("x", 0.03, 5)
    y = graph.node("Gemm", x, *given, transB=1) if matrix else graph.node("Conv", x, *given)
    shape = (1, 3) if matrix else (1, 3, 5, 5)
    check(graph.model(graph.pair(y, 0.05, -20), shape), step=0.05)


def test_a_real_bias_beyond_int32_is_refused() -> None:
    graph = Graph()
    weights, scales, zeros = graph.weights(6, 3, 1, 1)
    bias = graph.constant([1e9] * 6, np.float32)
    y = graph.node(
        "Conv", graph.pair("x", 0.03, 5), dequantized(graph, weights, scales, zeros), bias
    )
    rule = r"bias 'c\d+' must be within 2\^31 steps of the input's scale times the weights'"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 4, 4)), WHERE.format("Conv") + rule)


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("attributes", [{"pads": [2, 1]}, {"auto_pad": "SAME_UPPER"}])
def test_a_convolution_of_a_signal(group: int, attributes: dict[str, Any]) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    shape = (4, 4 // group, 3)
    y = convolution(graph, x, 0.03, shape, group=group, strides=[2], **attributes)
    imported = check(graph.model(graph.pair(y, 0.06, -100), (1, 4, 17)), step=0.06)
    (layer,) = imported.network.layers
    assert (layer.kernel, layer.stride, layer.output.height) == ((1, 3), (1, 2), 1)


@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean"])
def test_a_network_of_a_signal(pool: str) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    pads = graph.constant([0, 0, 2, 0, 0, 0], np.int64)
    x = graph.pair(convolution(graph, graph.node("Pad", x, pads), 0.03, (6, 4, 3)), 0.1, -20)
    window = {"kernel_shape": [3], "strides": [2]}
    attributes = {"ReduceMean": {"axes": [2], "keepdims": 0}, "GlobalAveragePool": {}}
    y = graph.pair(graph.node(pool, x, **attributes.get(pool, window)), 0.1, -20)
    flat = graph.node("Flatten", y)
    values = 6 * (8 if "kernel_shape" in attributes.get(pool, window) else 1)
    weights, scales, zeros = graph.weights(5, values)
    y = graph.node("Gemm", flat, dequantized(graph, weights, scales, zeros), transB=1)
    check(graph.model(graph.pair(y, 0.2, 0), (1, 4, 17)), step=0.2, bound=3)


def per_channel(graph: Graph, operator: str) -> list[str]:
    """Operands behind the activation: a number for each of 6 channels."""
    data = graph.rng.uniform(0.5, 1.5, (6, 1, 1)) * np.array([1, -1, 1, 1, -1, 1])[:, None, None]
    if operator != "BatchNormalization":
        return [graph.constant(data, np.float32)]
    rest = [graph.rng.normal(0, 0.3, 6), graph.rng.normal(0, 0.3, 6), graph.rng.uniform(0.5, 2, 6)]
    return [graph.constant(item, np.float32) for item in (data.reshape(-1), *rest)]


AFFINE = ["Add", "Sub", "Mul", "Div", "BatchNormalization"]


@pytest.mark.parametrize("operator", AFFINE)
def test_constants_behind_a_pair_are_a_depthwise_layer(operator: str) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    y = graph.node(operator, x, *per_channel(graph, operator))
    y = graph.pair(graph.node("Relu", y), 0.04, -60)
    imported = check(graph.model(y, (1, 6, 5, 7)), step=0.04)
    (layer,) = imported.network.layers
    assert (layer.kind, layer.kernel) == (LayerKind.DEPTHWISE, (1, 1))


@pytest.mark.parametrize("operator", AFFINE)
@pytest.mark.parametrize("group", [1, 6])
def test_constants_behind_a_convolution_are_its_own(operator: str, group: int) -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 6 // group, 2, 2), group=group)
    y = graph.node(operator, y, *per_channel(graph, operator))
    imported = check(graph.model(graph.pair(y, 0.08, -20), (1, 6, 5, 7)), step=0.08)
    (layer,) = imported.network.layers
    assert layer.kernel == (2, 2)


LOWEST: dict[str, tuple[list[int], int, dict[str, Any], tuple[int, ...]]] = {
    "Conv": ([3, 3, 2, 2], 0, {}, (1, 3, 6, 6)),
    "ConvTranspose": ([3, 3, 2, 2], 1, {"strides": [2, 2]}, (1, 3, 6, 6)),
    "MatMul": ([4, 3], 1, {}, (1, 4)),
    "Gemm": ([3, 4], 0, {"transB": 1}, (1, 4)),
}
"""By operator: shape of the weights and their axis of output channels, attributes, input."""


def lowest_weights(operator: str, gains: list[float]) -> onnx.ModelProto:
    """A product of which output channel 1 has weights of -128, times a gain for each channel."""
    shape, axis, attributes, image = LOWEST[operator]
    graph = Graph("int8")
    data = graph.rng.integers(-127, 128, shape)
    np.moveaxis(data, axis, 0)[1].flat[:2] = -128
    x = graph.pair("x", 0.03, 5)
    scale = graph.constant(0.01, np.float32)
    weights = graph.node("DequantizeLinear", graph.constant(data, np.int8), scale)
    y = graph.node(operator, x, weights, **attributes)
    for gain in gains:
        factors = np.array([1, gain, 1]).reshape(3, *[1] * (len(image) - 2))
        y = graph.node("Mul", y, graph.constant(factors, np.float32))
    return graph.model(graph.pair(y, 0.1, -20), image)


@pytest.mark.parametrize("operator", LOWEST)
@pytest.mark.parametrize("gains", [[0.5], [-1.0, -0.5]])
def test_weights_of_minus_128_are_as_given(operator: str, gains: list[float]) -> None:
    # fused, onnxruntime's own products of such weights saturate in pairs
    imported = check(lowest_weights(operator, gains), step=0.1, optimized=False)
    assert min(layer.weights.min() for layer in imported.network.layers) == -128


@pytest.mark.parametrize("operator", LOWEST)
def test_no_negative_constant_makes_128_of_minus_128(operator: str) -> None:
    """128 is no int8: it became -128 again, and the results were wrong."""
    rule = "weights of output channel 1 must be at least -127, not -128, where a negative constant behind them negates them"
    refused(lowest_weights(operator, [-0.5]), WHERE.format(operator) + rule)


def test_a_product_plus_a_bias() -> None:
    graph = Graph()
    data, scales = graph.rng.integers(-127, 128, (5, 4)), graph.constant([0.01] * 4, np.float32)
    zeros = graph.constant([0] * 4, np.int8)
    weights = graph.node("DequantizeLinear", graph.constant(data, np.int8), scales, zeros, axis=1)
    y = graph.node("MatMul", graph.pair("x", 0.03, 5), weights)
    y = graph.node("Add", graph.constant(graph.rng.normal(0, 0.5, 4), np.float32), y)
    imported = check(graph.model(graph.pair(y, 0.03, -20), (1, 5)), step=0.03)
    (layer,) = imported.network.layers
    assert layer.bias.any()


def test_a_constant_less_an_activation() -> None:
    graph = Graph()
    y = graph.node("Sub", graph.constant(1.0, np.float32), graph.pair("x", 0.03, 5))
    check(graph.model(graph.pair(y, 0.04, 0), (1, 3, 5, 5)), step=0.04)


REFUSALS: list[tuple[str, Callable[[Graph, str], list[str]], str]] = [
    ("Mul", lambda graph, x: [x, graph.pair(graph.node("MaxPool", x, kernel_shape=[4, 1]), 0.03, 5)],
     r"product of activations must be of one shape, or with one value for each channel or pixel, not of shapes "
     r"\(1, 3, 4, 4\) and \(1, 3, 1, 4\)"),
    ("Sub", lambda _, x: [x, x], "differences of activations are not supported"),
    ("Div", lambda graph, x: [graph.constant(2.0, np.float32), x],
     "must divide an activation by a constant"),
    ("Div", lambda graph, x: [x, graph.constant(0.0, np.float32)], r"divisor 'c\d+' must not be 0"),
    ("Add", lambda graph, x: [x, graph.constant(np.ones((3, 4, 5)), np.float32)],
     r"constant 'c\d+' must fit shape \(1, 3, 4, 4\), not have shape \(3, 4, 5\)"),
    ("Add", lambda graph, x: [x, graph.constant(np.arange(4), np.float32)],
     "constant must be one number for each channel"),
    ("Mul", lambda graph, x: [x, graph.constant(np.nan, np.float32)],
     r"constant 'c\d+' must be finite float32, not float32"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "operands", "rule"), REFUSALS)
def test_refuses_other_arithmetic(
    operator: str, operands: Callable[[Graph, str], list[str]], rule: str
) -> None:
    graph = Graph()
    y = graph.node(operator, *operands(graph, graph.pair("x", 0.03, 5)))
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 4, 4)), WHERE.format(operator) + rule)


def test_pairs_for_each_consumer_are_one() -> None:
    graph = Graph()
    real = graph.node("Relu", convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3)))
    # each with constants of its own
    first, second = (pair(graph, real, 0.06, -100, -120, 110) for _ in range(2))
    inner = graph.pair(convolution(graph, first, 0.06, (6, 1, 1, 1), group=6), 0.1, 0)
    y = graph.pair(graph.node("Add", inner, second), 0.1, -20)
    imported = check(graph.model(y, (1, 3, 8, 8)), step=0.1, bound=3)
    kinds = [layer.kind for layer in imported.network.layers]
    assert kinds == [LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.ADD]


def test_what_does_nothing_at_inference_is_nothing() -> None:
    graph = Graph()
    x = graph.node("Dropout", graph.pair("x", 0.03, 5), graph.constant(0.5, np.float32))
    graph.nodes[-1].output.append("mask")
    x = graph.node("MaxPool", graph.node("Identity", x), kernel_shape=[2, 2])
    graph.nodes[-1].output.append("indices")
    imported = check(graph.model(graph.pair(x, 0.03, 5), (1, 3, 6, 6)), step=0.03, bound=0)
    assert len(imported.network.layers) == 1


@pytest.mark.parametrize(
    ("operator", "rule"),
    [
        ("Dropout", "must have one output: masks are not supported"),
        ("MaxPool", "must have one output: indices are not supported"),
    ],
)
def test_second_outputs_that_are_read_are_refused(operator: str, rule: str) -> None:
    graph = Graph()
    attributes: dict[str, Any] = {"kernel_shape": [1, 1]} if operator == "MaxPool" else {}
    y = graph.node(operator, graph.pair("x", 0.03, 5), **attributes)
    graph.nodes[-1].output.append("second")
    real = graph.node("Cast", "second", to=TensorProto.FLOAT)
    y = graph.pair(graph.node("Add", y, graph.pair(real, 0.1, 0)), 0.1, 0)
    refused(graph.model(y, (1, 3, 4, 4)), WHERE.format(operator) + rule)


def test_a_computed_shape_is_a_constant() -> None:
    """PyTorch's view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, Reshape."""
    graph = Graph()
    x = graph.pair(convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 2, 2)), 0.1, 3)
    index, axes = graph.constant(0, np.int64), graph.constant([0], np.int64)
    batch = graph.node("Gather", graph.node("Shape", x), index, axis=0)
    sizes = [graph.node("Unsqueeze", batch, axes), graph.constant([-1], np.int64)]
    flat = graph.node("Reshape", x, graph.node("Concat", *sizes, axis=0))
    weights, scales, zeros = graph.weights(5, 6 * 9)
    y = graph.node("Gemm", flat, dequantized(graph, weights, scales, zeros), transB=1)
    check(graph.model(graph.pair(y, 0.2, 0), (1, 3, 4, 4)), step=0.2, bound=2)


@pytest.mark.parametrize(
    "given", [{"value_ints": [1, -1]}, {"value": numpy_helper.from_array(np.array([1, -1]))}]
)
def test_a_constant_node_has_a_tensor_or_numbers(given: dict[str, Any]) -> None:
    graph = Graph()
    x = graph.pair(convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 2, 2)), 0.1, 3)
    flat = graph.node("Reshape", x, graph.node("Constant", **given))
    scale = graph.node("Constant", value_float=0.01)
    data, _, _ = graph.weights(5, 6 * 9)
    weights = graph.node("DequantizeLinear", data, scale)
    y = graph.node("Gemm", flat, weights, transB=1)
    check(graph.model(graph.pair(y, 0.2, 0), (1, 3, 4, 4)), step=0.2, bound=2)


def test_arithmetic_on_an_activation_is_refused() -> None:
    graph = Graph()
    y = graph.node("Neg", graph.pair("x", 0.03, 5))
    rule = "of activations is not supported, only of a few constants"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 4, 4)), WHERE.format("Neg") + rule)


def test_constants_that_do_not_fit_are_refused() -> None:
    graph = Graph()
    index = graph.constant(9, np.int64)
    shape = graph.node("Gather", graph.node("Shape", "x"), index, axis=0)
    y = graph.node("Reshape", graph.pair("x", 0.03, 5), shape)
    rule = r"constants cannot be computed: .+"
    refused(graph.model(y, (1, 3, 4, 4)), WHERE.format("Gather") + rule)


OPSETS = range(9, 25)


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset(opset: int) -> None:
    """Padding, a mean and a squeeze, whose attributes became inputs; Q/DQ is onnxruntime's below 10."""
    graph = Graph("uint8")
    domain = MICROSOFT if opset < 10 else ""

    def both(x: str, scale: float, zero: int) -> str:
        given = graph.scale(scale, zero)
        quantized = graph.node("QuantizeLinear", x, *given, domain=domain)
        return graph.node("DequantizeLinear", quantized, *given, domain=domain)

    def integers(*values: int) -> str:
        return graph.constant(values, np.int64)

    x, pads, axes = both("x", 0.03, 5), [0, 0, 1, 1, 0, 0, 1, 0], [2, 3]
    x = graph.node("Pad", x, pads=pads) if opset < 11 else graph.node("Pad", x, integers(*pads))
    data, scales, _ = graph.weights(6, 3, 3, 3)
    given = [data, graph.constant(scales[0], np.float32), graph.constant(0, np.int8)]
    x = graph.node("Conv", x, graph.node("DequantizeLinear", *given, domain=domain))
    if opset < 11:
        x = graph.node("Clip", x, min=0.0, max=3.0)
    else:
        x = graph.node("Clip", x, graph.constant(0, np.float32), graph.constant(3, np.float32))
    x = graph.node("Dropout", both(x, 0.02, -128))
    if opset < 18:
        x = graph.node("ReduceMean", x, axes=axes, keepdims=1)
    else:
        x = graph.node("ReduceMean", x, integers(*axes), keepdims=1)
    x = both(x, 0.01, -128)
    if opset < 13:
        x = graph.node("Squeeze", x, axes=axes)
    else:
        x = graph.node("Squeeze", x, integers(*axes))
    model = graph.model(graph.node("Softmax", x, axis=1), (1, 3, 6, 6), opset=opset)
    if opset > 21:
        model.ir_version = onnx.IR_VERSION
    imported = check(model, step=0.02)
    assert [layer.kind.value for layer in imported.network.layers] == ["conv", "mean"]


def test_a_symbolic_batch_is_one() -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3))
    model = graph.model(graph.pair(y, 0.06, 3), ("batch", 3, 6, 6))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(
            model.graph.output[0].name, TensorProto.FLOAT, ("batch", 6, 4, 4)
        )
    )
    check(model, step=0.06)


@pytest.mark.parametrize("operator", ["QLinearSoftmax", "QLinearSigmoid"])
def test_a_quantized_function_at_the_end(operator: str) -> None:
    graph = Graph("uint8")
    data, scales, zeros = graph.weights(6, 3, 4, 4)
    given = [data, graph.constant(scales, np.float32), zeros]
    both = graph.scale(0.06, 3)
    y = graph.node("QLinearConv", "x", *graph.scale(0.03, 5), *given, *both)
    y = graph.node("Flatten", y)
    attributes: dict[str, Any] = {"axis": 1, "opset": 13} if operator == "QLinearSoftmax" else {}
    out = graph.scale(1 / 256, -128)
    y = graph.node(operator, y, *both, *out, domain=MICROSOFT, **attributes)
    check(graph.model(y, (1, 3, 4, 4), "uint8"), bound=2)


@pytest.mark.parametrize("operator", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("first", [False, True])
def test_a_quantized_operator_with_a_constant(operator: str, first: bool) -> None:
    graph = Graph("uint8")
    data = graph.constant(graph.rng.integers(0, 256, (6, 1, 1)), np.uint8)
    constant = [data, *graph.scale(0.01, -100)]
    operands = [["x", *graph.scale(0.03, 5)], constant]
    inputs = [name for operand in (operands[::-1] if first else operands) for name in operand]
    out = graph.scale(0.05, -9)
    y = graph.node(operator, *inputs, *out, domain=MICROSOFT)
    imported = check(graph.model(y, (1, 6, 5, 5), "uint8"))
    assert [layer.kind for layer in imported.network.layers] == [LayerKind.DEPTHWISE]
