"""ONNX convolutions with gaps between taps and with groups, and pools that become others, against onnxruntime."""

from typing import Any

import numpy as np
import pytest

from onnx_graphs import Graph, check, convolution, lowered, refused
from sim.spec.network import LayerKind

WHERE = r"node \d+ {} 'n\d+' \(tensor 't\d+'\): "

GAPS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((4, 3, 3, 3), {"dilations": [2, 2]}),
    ((4, 3, 3, 2), {"dilations": [3, 1], "pads": [2, 1, 0, 1], "strides": [1, 2]}),
    ((3, 1, 3, 3), {"dilations": [2, 3], "group": 3, "pads": [2, 3, 2, 3]}),
    ((5, 3, 2, 3), {"dilations": [1, 2], "auto_pad": "VALID"}),
]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(("shape", "attributes"), GAPS)
def test_a_dilated_convolution(
    dtype: str, shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    graph = Graph(dtype)
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, shape, **attributes)
    imported = check(graph.model(graph.pair(y, 0.06, -3), (1, 3, 10, 9)), step=0.06)
    (layer,) = imported.network.layers
    taps = attributes["dilations"]
    assert layer.kernel == tuple((k - 1) * d + 1 for k, d in zip(shape[2:], taps, strict=True))
    assert layer.macs == layer.output.height * layer.output.width * layer.weights.size


def test_a_dilated_convolution_of_a_signal() -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (4, 3, 3), dilations=[4], pads=[4, 4])
    imported = check(graph.model(graph.pair(y, 0.06, 0), (1, 3, 17)), step=0.06)
    assert imported.network.layers[0].kernel == (1, 9)


GROUPS: list[tuple[tuple[int, ...], int, int, list[str]]] = [
    ((8, 2, 3, 3), 2, 4, ["conv"]),
    ((6, 2, 1, 3), 3, 6, ["conv"]),
    ((12, 1, 3, 3), 4, 4, ["conv", "depthwise"]),
    ((4, 1, 1, 1), 2, 2, ["conv"]),
    ((128, 64, 3, 3), 2, 128, ["conv", "conv", "conv", "conv"]),
    ((256, 16, 1, 1), 8, 128, ["conv"]),
]


@pytest.mark.parametrize("behind", ["", "Relu", "Mul"])
@pytest.mark.parametrize(("shape", "group", "channels", "kinds"), GROUPS)
def test_groups_take_the_form_of_the_fewest_products(
    shape: tuple[int, ...], group: int, channels: int, kinds: list[str], behind: str
) -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, shape, group=group)
    if behind == "Mul":
        factors = graph.rng.choice([-0.5, 0.7, 1.5], (shape[0], 1, 1))
        y = graph.node("Mul", y, graph.constant(factors, np.float32))
    elif behind:
        y = graph.node(behind, y)
    scale = 0.06 * np.sqrt(shape[1])
    model = graph.model(graph.pair(y, float(np.float32(scale)), -3), (1, channels, 5, 4))
    imported = check(model, step=scale)
    network = imported.network
    assert [layer.kind for layer in network.layers] == kinds
    assert bool(network.concatenations) == (len(kinds) > 2)
    named = set(imported.source["tensors"])
    assert network.output.name in named
    assert len(named.intersection(layer.name for layer in network.layers)) <= 1


def test_weights_that_do_not_fit_their_groups_are_refused() -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (8, 3, 3, 3), group=2)
    rule = r"weights must be for 4 input channels in 2 groups, not of shape \(8, 3, 3, 3\)"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 4, 9, 9)), WHERE.format("Conv") + rule)


def test_automatic_borders_of_dilated_kernels_are_refused() -> None:
    graph = Graph()
    given: dict[str, Any] = {"dilations": [2, 2], "auto_pad": "SAME_UPPER"}
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (4, 3, 3, 3), **given)
    rule = "auto_pad must not be SAME_UPPER with dilations: onnxruntime does not compute it"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 9, 9)), WHERE.format("Conv") + rule)


def test_a_kernel_beyond_all_measure_is_refused() -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (4, 3, 3, 3), dilations=[1 << 15, 1])
    rule = "rows of the dilated kernel must be at most 65536, not 65537"
    refused(graph.model(graph.pair(y, 0.1, 0), (1, 3, 9, 9)), WHERE.format("Conv") + rule)


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (7, 7), (9, 23)])
@pytest.mark.parametrize("operator", ["GlobalMaxPool", "ReduceMax"])
def test_the_largest_value_of_an_image(operator: str, size: tuple[int, int]) -> None:
    graph = Graph("int8")
    x = graph.pair("x", 0.03, 5)
    axes: dict[str, Any] = {}
    if operator == "ReduceMax":
        axes = {"axes": [-1, 2], "keepdims": 0}
    largest = graph.node(operator, x, **axes)
    imported = check(graph.model(graph.pair(largest, 0.03, 5), (1, 9, *size)), step=0.03, bound=0)
    kinds = [layer.kind for layer in imported.network.layers]
    assert set(kinds) == {LayerKind.MAX_POOL}
    assert len(kinds) == (2 if max(size) > 7 else 1)


@pytest.mark.parametrize(
    "attributes", [{"pads": [1, 1, 1, 1]}, {"strides": [2, 1], "pads": [0, 1, 2, 0]}, {}]
)
@pytest.mark.parametrize("scale", [0.03, 0.021])
def test_an_average_that_counts_its_pads(attributes: dict[str, Any], scale: float) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    y = graph.node("AveragePool", x, kernel_shape=[3, 3], count_include_pad=1, **attributes)
    imported = check(graph.model(graph.pair(y, scale, 5), (1, 4, 8, 7)), step=scale)
    (layer,) = imported.network.layers
    alike = scale == 0.03 and not attributes
    assert layer.kind is (LayerKind.AVERAGE_POOL if alike else LayerKind.DEPTHWISE)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("operator", ["Max", "Min"])
@pytest.mark.parametrize("alone", [True, False])
def test_the_larger_of_an_activation_and_a_number(operator: str, first: bool, alone: bool) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    y = x if alone else convolution(graph, x, 0.03, (4, 3, 3, 3))
    operands = [y, graph.constant(0.4, np.float32)]
    bounded = graph.node(operator, *(operands if first else operands[::-1]))
    imported = check(graph.model(graph.pair(bounded, 0.03, 5), (1, 3, 7, 6)), step=0.03)
    (layer,) = imported.network.layers
    assert layer.clamp == ((18, 127) if operator == "Max" else (-128, 18))


def test_the_larger_of_two_activations_is_refused() -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    y = graph.node("Max", x, graph.pair("x", 0.04, 5))
    rule = "must be of an activation and one constant number"
    refused(graph.model(graph.pair(y, 0.03, 5), (1, 3, 7, 6)), WHERE.format("Max") + rule)


def test_a_dilated_pool_is_refused() -> None:
    graph = Graph()
    y = graph.node("MaxPool", graph.pair("x", 0.03, 5), kernel_shape=[2, 2], dilations=[2, 1])
    rule = r"dilations of a pool must be \[1, 1\], not \[2, 1\]"
    refused(graph.model(graph.pair(y, 0.03, 5), (1, 4, 8, 7)), WHERE.format("MaxPool") + rule)


def test_both_forms_of_a_grouped_convolution_are_named_alike() -> None:
    graph = Graph()
    weights, scales, zeros = graph.weights(6, 2, 3, 3)
    source, out = graph.scale(0.05, -9), graph.scale(0.9, 11)
    result = graph.node(
        "QLinearConv", "x", *source, weights, graph.constant(scales, np.float32), zeros, *out,
        group=2, dilations=[2, 1],
    )  # fmt: skip
    model = graph.model(result, (1, 4, 10, 8), "uint8")
    check(model, formula=True)
    (layer,) = lowered(model).network.layers
    assert layer.kernel == (5, 3)
