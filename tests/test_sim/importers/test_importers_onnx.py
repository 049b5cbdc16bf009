"""Quantized ONNX models against onnxruntime, and how others are refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_graphs import (
    MICROSOFT,
    Graph,
    check,
    computed,
    convolution,
    dequantized,
    judged,
    lowered,
    refused,
)
from sim.importers.folder import load, save
from sim.importers.onnx.conversion import import_onnx
from sim.importers.onnx.difference import differences
from sim.spec.errors import DesignFileError
from sim.spec.network import LayerKind, Padding

CONVOLUTIONS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((7, 3, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ((5, 3, 1, 1), {}),
    ((3, 1, 3, 2), {"group": 3, "pads": [1, 1, 1, 1]}),
    ((4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((4, 3, 3, 2), {"auto_pad": "VALID"}),
]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(("shape", "attributes"), CONVOLUTIONS)
def test_qlinear_conv(dtype: str, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    graph = Graph(dtype)
    weights, scales, zeros = graph.weights(*shape)
    bias = graph.constant(graph.rng.integers(-3000, 3000, shape[0]), np.int32)
    source, out = graph.scale(0.05, -9), graph.scale(0.9, 11)
    result = graph.node(
        "QLinearConv", "x", *source, weights, graph.constant(scales, np.float32), zeros, *out, bias,
        **attributes,
    )  # fmt: skip
    check(graph.model(result, (1, 3, 10, 8), dtype), formula=True)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("activation", ["", "Relu", "Clip"])
def test_a_convolution_between_pairs(dtype: str, activation: str) -> None:
    graph = Graph(dtype)
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (6, 3, 3, 3), pads=[1, 1, 1, 1])
    if activation == "Clip":
        y = graph.node("Clip", y, graph.constant(0, np.float32), graph.constant(6, np.float32))
    elif activation:
        y = graph.node(activation, y)
    scale = 0.06
    imported = check(graph.model(graph.pair(y, scale, -100), (1, 3, 9, 9)), step=scale)
    (layer,) = imported.network.layers
    low = -128 if not activation else -100
    assert layer.clamp == (low, 0 if activation == "Clip" else 127)


@pytest.mark.parametrize("matrix", ["Gemm", "GemmT", "MatMul", "QGemm", "QLinearMatMul"])
def test_a_product_takes_a_flattened_image_in_its_order(matrix: str) -> None:
    graph = Graph("uint8")
    channels, depth = 6, 3 * 4 * 5
    data = graph.rng.integers(-127, 128, (channels, depth))
    scales = graph.rng.uniform(0.002, 0.02, channels).astype(np.float32)
    transposed = matrix == "GemmT"
    weights = graph.constant(data if transposed else data.T, np.int8)
    bias = graph.constant(graph.rng.integers(-3000, 3000, channels), np.int32)
    factors = graph.constant(scales, np.float32)
    zeros = graph.constant(np.zeros(channels), np.int8)
    source, out = graph.scale(0.05, 3), graph.scale(0.6, -4)
    if matrix.startswith("Q"):
        flat = graph.node("Flatten", "x")
        given = [flat, *source, weights, factors, zeros]
        if matrix == "QGemm":
            y = graph.node("QGemm", *given, bias, *out, domain=MICROSOFT)
        else:
            y = graph.node("QLinearMatMul", *given, *out)
        check(graph.model(y, (1, 3, 4, 5), "uint8"), formula=True)
        return
    flat = graph.node("Flatten", graph.pair("x", 0.05, 3))
    axis = 0 if transposed else 1
    real = graph.node("DequantizeLinear", weights, factors, zeros, axis=axis)
    if matrix == "MatMul":
        y = graph.node("MatMul", flat, real)
    else:
        real_bias = dequantized(graph, bias, np.float32(0.05) * scales)
        y = graph.node("Gemm", flat, real, real_bias, transB=int(transposed))
    both = graph.scale(0.6, -4)
    y = graph.node("DequantizeLinear", graph.node("QuantizeLinear", y, *both), *both)
    check(graph.model(y, (1, 3, 4, 5)), step=0.6)


def test_qlinear_global_average_pool() -> None:
    graph = Graph("uint8")
    y = graph.node(
        "QLinearGlobalAveragePool", "x", *graph.scale(0.05, 3), *graph.scale(0.005, -4),
        domain=MICROSOFT, channels_last=0,
    )  # fmt: skip
    imported = check(graph.model(y, (1, 19, 7, 5), "uint8"), formula=True)
    assert imported.network.layers[0].kind is LayerKind.MEAN


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "ReduceMean", "AveragePool"])
def test_means_between_pairs(operator: str) -> None:
    graph = Graph("int8")
    attributes: dict[str, Any] = {}
    if operator == "ReduceMean":
        attributes = {"axes": [-1, 2], "keepdims": 0}
    if operator == "AveragePool":
        attributes = {"kernel_shape": [3, 2], "strides": [2, 1]}
    y = graph.node(operator, graph.pair("x", 0.05, 3), **attributes)
    y = graph.pair(y, 0.05, 3)
    check(graph.model(y, (1, 9, 7, 5)), step=0.05)


def test_a_max_pool_is_exact() -> None:
    graph = Graph("uint8")
    y = graph.node(
        "MaxPool", graph.pair("x", 0.03, 3), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1]
    )
    imported = check(graph.model(graph.pair(y, 0.03, 3), (1, 5, 7, 6)), step=0.03, bound=0)
    (difference,) = differences(imported)
    assert (difference.bound, difference.differing) == (0, 0)


@pytest.mark.parametrize("operator", ["QLinearAdd", "Add"])
@pytest.mark.parametrize(("b", "bound"), [((0.05, 3), 1), ((0.031, -60), 2)])
def test_a_sum(operator: str, b: tuple[float, int], bound: int) -> None:
    """A second operand of another scale is a layer that rounds too."""
    graph = Graph("uint8")
    a, out = (0.05, 3), (0.07, 9)
    y = graph.node("MaxPool", graph.pair("x", *a), kernel_shape=[1, 1])
    other = graph.pair(y, *b)
    if operator == "Add":
        y = graph.pair(graph.node("Add", y, other), *out)
        imported = check(graph.model(y, (1, 3, 5, 6)), step=out[0], bound=bound)
    else:
        quantized = [
            graph.node("QuantizeLinear", y, *graph.scale(*a)), *graph.scale(*a),
            graph.node("QuantizeLinear", other, *graph.scale(*b)), *graph.scale(*b),
        ]  # fmt: skip
        y = graph.node("QLinearAdd", *quantized, *graph.scale(*out), domain=MICROSOFT)
        imported = check(graph.model(y, (1, 3, 5, 6)), bound=bound)
    assert sum(difference.bound for difference in differences(imported)) == bound
    assert imported.network.layers[-1].kind is LayerKind.ADD


def test_a_pad_becomes_the_convolutions_padding() -> None:
    graph = Graph("uint8")
    x = graph.pair("x", 0.03, 5)
    pads = graph.constant([0, 0, 1, 2, 0, 0, 0, 1], np.int64)
    y = convolution(graph, graph.node("Pad", x, pads), 0.03, (4, 3, 3, 3), pads=[0, 1, 1, 0])
    imported = check(graph.model(graph.pair(y, 0.1, -20), (1, 3, 6, 7)), step=0.1)
    (layer,) = imported.network.layers
    assert layer.padding == Padding(top=1, left=3, bottom=1, right=1)


def test_a_pad_before_anything_else_is_a_layer() -> None:
    graph = Graph("int8")
    pads = graph.constant([0, 0, 1, 2, 0, 0, 0, 1], np.int64)
    x = graph.node("Pad", graph.pair("x", 0.03, 5), pads)
    imported = check(graph.model(graph.pair(x, 0.03, 5), (1, 3, 6, 7)), step=0.03, bound=0)
    assert [difference.bound for difference in differences(imported)] == [0]


def test_unsigned_weights_are_shifted() -> None:
    graph = Graph("uint8")
    data = graph.rng.integers(0, 256, (4, 3, 2, 2))
    weights = [graph.constant(data, np.uint8), graph.constant(0.01, np.float32)]
    zero = graph.constant(128, np.uint8)
    y = graph.node("QLinearConv", "x", *graph.scale(0.05, 0), *weights, zero, *graph.scale(0.6, 0))
    check(graph.model(y, (1, 3, 5, 5), "uint8"), formula=True)


def network_of_all(graph: Graph) -> onnx.ModelProto:
    """A small network with a residual, its softmax left to the host."""
    x = graph.pair("x", 0.03, 5)
    first = graph.pair(
        graph.node("Relu", convolution(graph, x, 0.03, (8, 3, 3, 3), pads=[1] * 4)), 0.1, -128
    )
    inner = graph.pair(convolution(graph, first, 0.1, (8, 1, 3, 3), pads=[1] * 4, group=8), 0.25, 0)
    y = graph.pair(graph.node("Add", first, inner), 0.3, -10)
    y = graph.pair(graph.node("GlobalAveragePool", y), 0.05, -90)
    y = graph.node("Reshape", y, graph.constant([0, -1], np.int64))
    weights, scales, zeros = graph.weights(5, 8)
    y = graph.node("Gemm", y, dequantized(graph, weights, scales, zeros), transB=1)
    return graph.model(graph.node("Softmax", graph.pair(y, 0.02, 3)), (1, 3, 8, 8))


def test_a_network_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(network_of_all(Graph()).SerializeToString())
    imported = import_onnx(path)
    save(imported, tmp_path / "net")
    again = load(tmp_path / "net")
    assert again.host == imported.host
    assert [layer.kind.value for layer in again.network.layers] == [
        "conv", "depthwise", "add", "mean", "fully_connected",
    ]  # fmt: skip
    compared = differences(again)
    assert [layer.bound for layer in compared] == [1] * 5
    assert all(0 <= layer.differing <= layer.values for layer in compared)
    model = onnx.load(path)
    output = helper.make_tensor_value_info(model.graph.output[0].name, TensorProto.FLOAT, (1, 5))
    x = np.random.default_rng(4).normal(0, 1.5, (6, 3, 8, 8)).astype(np.float32)
    expected = judged(model, x, output)
    # five layers, each by 1 at most; a step of the logits' scale is 2 % of a probability
    assert np.abs(computed(again, x) - expected).max() < 0.1
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(
    ("operator", "hint"),
    [
        ("Softplus", "onnxruntime's results depend on the place of a value in its tensor"),
        ("Cos", "is not supported"),
    ],
)
def test_refuses_an_unknown_operator(operator: str, hint: str) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    y = graph.node(operator, x)
    rule = rf"node 2 {operator} 'n2' \(tensor 't2'\): {re.escape(hint)}; supported are Add, .*"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 4, 4)), rule)


def test_refuses_a_float_model() -> None:
    graph = Graph()
    weights = graph.constant(np.ones((4, 3, 1, 1)), np.float32)
    refused(
        graph.model(graph.node("Conv", "x", weights), (1, 3, 4, 4)),
        r"node 0 Conv 'n0' \(tensor 't0'\): input of shape \(1, 3, 4, 4\) must come from "
        "QuantizeLinear: all of the model must be quantized",
    )
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (4, 3, 3, 3))
    refused(
        graph.model(y, (1, 3, 4, 4)),
        rf"output '{y}' must come from QuantizeLinear or a quantized operator",
    )


def test_an_open_batch_is_one() -> None:
    graph = Graph()
    scale, zero = graph.scale(0.03, 5)
    x = graph.node("DequantizeLinear", graph.node("QuantizeLinear", "x", scale, zero), scale, zero)
    y = graph.pair(convolution(graph, x, 0.03, (4, 3, 3, 3)), 0.1, 0)
    assert lowered(graph.model(y, ("N", 3, 4, 4))).host.input.shape == (3, 4, 4)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 3, "H", 4)])
def test_refuses_a_large_batch_and_open_sizes(shape: tuple[Any, ...]) -> None:
    graph = Graph()
    given = ", ".join(map(str, shape))
    rule = rf"input 'x' must have a fixed shape with a batch of 1, not \({given}\)"
    refused(graph.model(graph.pair("x", 0.03, 5), shape), rule)


def test_refuses_weights_with_other_zero_points() -> None:
    graph = Graph()
    data = graph.constant(np.ones((4, 3, 1, 1)), np.uint8)
    given = [data, graph.constant(0.01, np.float32), graph.constant(120, np.uint8)]
    y = graph.node("QLinearConv", "x", *graph.scale(0.05, 0), *given, *graph.scale(0.6, 0))
    refused(
        graph.model(y, (1, 3, 4, 4), "uint8"),
        r"node 0 QLinearConv 'n0' \(tensor 't0'\): zero points of uint8 weights 'c0' must be 128, "
        "not 120",
    )


def test_a_truncated_file_gets_one_line(tmp_path: Path) -> None:
    content = network_of_all(Graph()).SerializeToString()
    path = tmp_path / "cut.onnx"
    for part in (content[:-40], content[: len(content) // 2], b"", b"no model at all"):
        path.write_bytes(part)
        line = f"model file {path} is truncated or not an ONNX model"
        with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
            import_onnx(path)
