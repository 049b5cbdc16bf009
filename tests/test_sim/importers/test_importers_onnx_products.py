"""Products of two activations in ONNX models, against onnxruntime."""

from typing import Any

import numpy as np
import pytest

from onnx_graphs import MICROSOFT, Graph, check, convolution, lowered
from sim.importers.onnx.difference import differences
from sim.spec.network import LayerKind

PRODUCT = [LayerKind.FACTORS, LayerKind.MULTIPLY]
ALL: dict[str, Any] = {"kernel_shape": [5, 5]}
"""Pool of whole images, in which nothing is rounded."""


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("zeros", [(5, -9), (-128, -128), (-100, 20), (0, 0)])
def test_a_product_between_pairs_is_within_one_step(zeros: tuple[int, int], first: bool) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, zeros[0])
    vector = graph.pair(graph.node("MaxPool", x, **ALL), 0.03, zeros[0])
    operands = [vector, x] if first else [x, vector]
    y = graph.node("Relu", graph.node("Mul", *operands))
    imported = check(graph.model(graph.pair(y, 0.05, zeros[1]), (1, 6, 5, 5)), step=0.05)
    assert [layer.kind for layer in imported.network.layers][-2:] == PRODUCT
    assert imported.network.layers[-1].clamp[0] == zeros[1]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_quantized_product_is_within_one_step(dtype: str) -> None:
    graph = Graph(dtype)
    both, out = graph.scale(0.03, 5), graph.scale(0.04, 9)
    given = graph.scale(1 / 200, -100)
    gates = graph.node("QLinearSigmoid", "x", *both, *given, domain=MICROSOFT)
    vector = graph.node("MaxPool", gates, **ALL)
    y = graph.node("QLinearMul", "x", *both, vector, *given, *out, domain=MICROSOFT)
    imported = check(graph.model(y, (1, 6, 5, 5), dtype))
    assert [layer.kind for layer in imported.network.layers][-2:] == PRODUCT


def test_a_block_of_squeeze_and_excitation_becomes_layers_that_are_compared() -> None:
    graph = Graph("int8")
    x = graph.pair("x", 0.03, 5)
    wide = graph.pair(convolution(graph, x, 0.03, (8, 4, 3, 3), pads=[1] * 4), 0.05, -4)
    means = graph.pair(graph.node("GlobalAveragePool", wide), 0.05, -4)
    few = graph.node("Relu", convolution(graph, means, 0.05, (3, 8, 1, 1)))
    few = graph.pair(few, 0.02, -128)
    gates = graph.pair(convolution(graph, few, 0.02, (8, 3, 1, 1)), 0.03, 7)
    gates = graph.pair(graph.node("Sigmoid", gates), 1 / 256, -128)
    y = graph.pair(graph.node("Mul", wide, gates), 0.03, -2)
    imported = lowered(graph.model(y, (1, 4, 5, 5)))
    kinds = [layer.kind for layer in imported.network.layers]
    assert kinds[-2:] == PRODUCT
    assert kinds[:-2] == [LayerKind.CONV, LayerKind.MEAN, *[LayerKind.CONV] * 2]
    rows = {row.layer: row for row in differences(imported)}
    factors, product = (rows[layer.name] for layer in imported.network.layers[-2:])
    assert (factors.bound, factors.differing) == (0, 0)
    assert product.bound == 1
    assert product.values > 0
    assert product.differing <= product.values // 100


def test_the_same_vector_serves_two_products() -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    vector = graph.pair(graph.node("MaxPool", x, **ALL), 0.03, 5)
    once = graph.pair(graph.node("Mul", x, vector), 0.06, 5)
    imported = lowered(
        graph.model(graph.pair(graph.node("Mul", once, vector), 0.2, 0), (1, 6, 5, 5))
    )
    names = [layer.name for layer in imported.network.layers]
    assert len(set(names)) == len(names)
    assert np.array([layer.kind in PRODUCT for layer in imported.network.layers]).sum() == 4


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("zeros", [(5, -9), (-128, -128), (127, 20), (0, 0)])
def test_a_product_pixel_by_pixel_is_within_one_step(zeros: tuple[int, int], first: bool) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, zeros[0])
    largest = graph.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4)
    other = graph.pair(largest, 0.03, zeros[0])
    gate = graph.pair(graph.node("Sigmoid", other), 2**-8, -128)
    operands = [gate, x] if first else [x, gate]
    y = graph.node("Clip", graph.node("Mul", *operands), graph.constant(-1.0, np.float32))
    imported = check(graph.model(graph.pair(y, 0.02, zeros[1]), (1, 6, 5, 5)), step=0.02)
    last = imported.network.layers[-1]
    assert (last.kind, last.clamp[0]) == (LayerKind.DEPTHWISE, max(-128, zeros[1] - 50))
    rows = differences(imported)
    assert [row.bound for row in rows[-9:]] == [*[0] * 8, 1]
    assert [row.differing for row in rows[-9:-1]] == [0] * 8
    assert rows[-1].differing <= rows[-1].values // 100


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_quantized_product_pixel_by_pixel_is_within_one_step(dtype: str) -> None:
    graph = Graph(dtype)
    both, out = graph.scale(0.03, 5), graph.scale(0.04, 9)
    twice = graph.node("QLinearAdd", "x", *both, "x", *both, *both, domain=MICROSOFT)
    largest = graph.node("MaxPool", twice, kernel_shape=[3, 3], pads=[1] * 4)
    y = graph.node("QLinearMul", "x", *both, largest, *both, *out, domain=MICROSOFT)
    imported = check(graph.model(y, (1, 3, 4, 4), dtype))
    assert len(imported.network.concatenations) == 1


def test_a_value_for_each_pixel_is_repeated() -> None:
    """Spatial attention: a convolution to one channel, whose sigmoid multiplies all channels."""
    graph = Graph("int8")
    x = graph.pair("x", 0.03, 5)
    few = graph.pair(convolution(graph, x, 0.03, (1, 4, 3, 3), pads=[1] * 4), 0.05, -4)
    gate = graph.pair(graph.node("Sigmoid", few), 2**-8, -128)
    imported = lowered(graph.model(graph.pair(graph.node("Mul", gate, x), 0.03, -2), (1, 4, 5, 5)))
    kinds = [layer.kind for layer in imported.network.layers]
    assert kinds[:2] == [LayerKind.CONV] * 2
    assert all(row.differing <= row.values // 100 for row in differences(imported))
