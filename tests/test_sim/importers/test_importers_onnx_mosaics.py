"""ONNX images that are put together from layers' pixels: enlarged, joined, averaged at their borders, against onnxruntime."""

from typing import Any

import numpy as np
import pytest

from onnx_graphs import Graph, check, dequantized, refused
from sim.spec.network import LayerKind

WHERE = r"node \d+ {} 'n\d+' \(tensor 't\d+'\): "


def resized(graph: Graph, x: str, scales: list[float], **attributes: Any) -> str:
    return graph.node("Resize", x, "", graph.constant(scales, np.float32), **attributes)


NEAREST = [
    {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"},
    {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"},
    {},
]


@pytest.mark.parametrize("attributes", NEAREST)
@pytest.mark.parametrize("factors", [(2, 2), (1, 3)])
@pytest.mark.parametrize("scale", [0.03, 0.05])
def test_the_nearest_pixels(
    attributes: dict[str, str], factors: tuple[int, int], scale: float
) -> None:
    graph = Graph()
    y = resized(graph, graph.pair("x", 0.03, 5), [1, 1, *factors], mode="nearest", **attributes)
    model = graph.model(graph.pair(y, scale, 5), (1, 5, 4, 3))
    imported = check(model, step=scale, bound=0 if scale == 0.03 else 1)
    (mosaic,) = imported.network.concatenations
    assert mosaic.pixels[0].times == factors
    assert imported.network.layers[0].kind is LayerKind.DEPTHWISE


def test_sizes_in_the_place_of_factors_and_a_signal() -> None:
    graph = Graph("int8")
    x = graph.pair("x", 0.03, 5)
    y = graph.node("Resize", x, "", "", graph.constant([1, 5, 12], np.int64), mode="nearest")
    check(graph.model(graph.pair(y, 0.03, 5), (1, 5, 4)), step=0.03, bound=0)


@pytest.mark.parametrize("way", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
@pytest.mark.parametrize("factors", [(2, 2), (3, 1), (4, 2), (5, 3)])
def test_linear_interpolation(way: str, factors: tuple[int, int]) -> None:
    graph = Graph()
    y = resized(
        graph, graph.pair("x", 0.03, 5), [1, 1, *factors], mode="linear",
        coordinate_transformation_mode=way,
    )  # fmt: skip
    model = graph.model(graph.pair(y, 0.02, -9), (1, 4, 4, 3))
    check(model, step=0.02)


TRANSPOSED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 5, 2, 2), {"strides": [2, 2]}),
    ((3, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((3, 4, 4, 5), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
    ((3, 4, 2, 1), {"strides": [3, 2]}),
    ((3, 4, 3, 3), {"dilations": [2, 1]}),
    ((4, 1, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 4}),
    ((4, 3, 2, 2), {"strides": [2, 2], "group": 2}),
]


@pytest.mark.parametrize("behind", ["", "Relu", "Mul"])
@pytest.mark.parametrize(("shape", "attributes"), TRANSPOSED)
def test_a_transposed_convolution(
    shape: tuple[int, ...], attributes: dict[str, Any], behind: str
) -> None:
    graph = Graph()
    data = graph.rng.integers(-127, 128, shape)
    weights = dequantized(graph, graph.constant(data, np.int8), np.float32(0.01))
    channels = shape[1] * attributes.get("group", 1)
    bias = graph.constant(graph.rng.normal(0, 0.3, channels), np.float32)
    y = graph.node("ConvTranspose", graph.pair("x", 0.03, 5), weights, bias, **attributes)
    if behind == "Mul":
        factors = graph.rng.choice([-0.5, 0.7, 1.5], (channels, 1, 1))
        y = graph.node("Mul", y, graph.constant(factors, np.float32))
    elif behind:
        y = graph.node(behind, y)
    check(graph.model(graph.pair(y, 0.04, -9), (1, shape[0], 5, 4)), step=0.04)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [5, 2], "pads": [2, 1, 1, 0], "strides": [2, 1]},
        {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ],
)
@pytest.mark.parametrize("scale", [0.03, 0.021])
def test_averages_over_the_border(attributes: dict[str, Any], scale: float) -> None:
    graph = Graph()
    y = graph.node("AveragePool", graph.pair("x", 0.03, 5), **attributes)
    imported = check(graph.model(graph.pair(y, scale, 5), (1, 4, 8, 7)), step=scale)
    assert imported.network.concatenations


@pytest.mark.parametrize("axis", [2, 3, -1])
def test_images_one_under_the_other_and_side_by_side(axis: int) -> None:
    graph = Graph()
    x = graph.pair("x", 0.03, 5)
    larger = graph.pair(graph.node("Relu", x), 0.02, -128)
    joined = graph.node("Concat", x, larger, x, axis=axis)
    check(graph.model(graph.pair(joined, 0.03, 5), (1, 4, 3, 2)), step=0.03)


REFUSED: list[tuple[list[float], dict[str, Any], str]] = [
    ([1, 1, 1.5, 2], {}, r"height and width must become whole multiples, batch and channels stay, not times \[1.0, 1.0, 1.5, 2.0\]"),
    ([1, 2, 2, 2], {}, r"height and width must become whole multiples, batch and channels stay, not times \[1.0, 2.0, 2.0, 2.0\]"),
    ([1, 1, 2, 2], {"mode": "cubic"}, "must be nearest, or linear of half_pixel or asymmetric, not cubic of half_pixel"),
    ([1, 1, 2, 2], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "must be nearest, or linear of half_pixel or asymmetric, not linear of align_corners"),
    ([1, 1, 8, 8], {"mode": "linear"}, r"factors must be so small that weights are at most 127, not \(8, 8\)"),
    ([1, 1, 2, 2], {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}, "pixels must be repeated 2 times each, not as asymmetric and ceil say"),
]  # fmt: skip


@pytest.mark.parametrize(("scales", "attributes", "rule"), REFUSED)
def test_other_sizes_are_refused(
    scales: list[float], attributes: dict[str, Any], rule: str
) -> None:
    graph = Graph()
    y = resized(graph, graph.pair("x", 0.03, 5), scales, **attributes)
    refused(graph.model(graph.pair(y, 0.03, 5), (1, 4, 4, 4)), WHERE.format("Resize") + rule)
