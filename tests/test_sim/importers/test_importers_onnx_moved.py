"""Constants behind results whose values were moved, and behind dead channels, against onnxruntime."""

from typing import Any

import numpy as np
import pytest

from onnx_graphs import Graph, check, convolution, dequantized

CHANNELS = 4
CUBE, BOX = (4, 4, 4), (CHANNELS, 2, 3)
"""Results of convolutions, of which all orders of the first have one shape."""

TRANSPOSE, TURN, RESHAPE, UNSQUEEZE = "Transpose", "Turn", "Reshape", "Unsqueeze"
OPERATORS = ["Mul", "Div", "Add", "Sub", "BatchNormalization"]
MOVED = [(operator, move) for operator in OPERATORS for move in (TURN, RESHAPE, UNSQUEEZE)]
MOVED += [(operator, TRANSPOSE) for operator in OPERATORS[:-1]]  # its channels would be rows


def moved(graph: Graph, y: str, move: str, shape: tuple[int, ...]) -> tuple[str, int]:
    """Tensor [1, *shape] in another form, and the axis of its channels there."""
    if move == TRANSPOSE:
        return graph.node("Transpose", y, perm=[0, 2, 3, 1]), 3
    if move == TURN:
        return graph.node("Transpose", y, perm=[0, 1, 3, 2]), 1
    if move == RESHAPE:
        return graph.node("Reshape", y, graph.constant([0, 0, -1], np.int64)), 1
    return graph.node("Unsqueeze", y, graph.constant([2], np.int64)), 1


def operated(graph: Graph, operator: str, y: str, shape: tuple[int, ...]) -> str:
    """An operator with constants, all different, of a shape that fits its input."""
    size = int(np.prod(shape))
    gain = (np.linspace(0.4, 1.6, size) * np.where(np.arange(size) % 3, 1, -1)).reshape(shape)
    if operator != "BatchNormalization":
        return graph.node(operator, y, graph.constant(gain, np.float32))
    rest = [graph.rng.normal(0, 0.3, size), graph.rng.normal(0, 0.3, size)]
    rest.append(graph.rng.uniform(0.5, 2, size))
    names = [graph.constant(item, np.float32) for item in (gain.reshape(-1), *rest)]
    return graph.node(operator, y, *names)


@pytest.mark.parametrize("shape", [CUBE, BOX])
@pytest.mark.parametrize(("operator", "move"), MOVED)
def test_constants_behind_a_moved_convolution(
    operator: str, move: str, shape: tuple[int, ...]
) -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (CHANNELS, 3, 1, 1))
    y, axis = moved(graph, y, move, shape)
    rank = {RESHAPE: 3, UNSQUEEZE: 5}.get(move, 4)
    fits = [1] * rank
    fits[axis] = CHANNELS
    y = operated(graph, operator, y, tuple(fits))
    y = graph.pair(y, 0.08, -20)
    imported = check(graph.model(y, (1, 3, *shape[1:])), step=0.08)
    (layer,) = imported.network.layers
    assert layer.kernel == (1, 1)


@pytest.mark.parametrize("rows", [3, 2])
@pytest.mark.parametrize("move", ["", TRANSPOSE, RESHAPE, UNSQUEEZE])
@pytest.mark.parametrize("operator", OPERATORS)
def test_constants_behind_a_moved_product(operator: str, move: str, rows: int) -> None:
    """Its values are channels [1, 3 · rows], each of which may have a constant of its own."""
    graph = Graph()
    weights, scales, zeros = graph.weights(3 * rows, 5)
    given = dequantized(graph, weights, scales, zeros)
    y = graph.node("Gemm", graph.pair("x", 0.03, 5), given, transB=1)
    shape: tuple[int, ...] = (3 * rows,)
    if move:
        shape = (3, rows)
        y = graph.node("Reshape", y, graph.constant([1, *shape], np.int64))
    if move == TRANSPOSE:
        shape = (rows, 3)
        y = graph.node("Transpose", y, perm=[0, 2, 1])
    if move == UNSQUEEZE:
        shape = (3, 1, rows)
        y = graph.node("Unsqueeze", y, graph.constant([2], np.int64))
    fits = shape if operator != "BatchNormalization" else (shape[0], *[1] * (len(shape) - 1))
    y = graph.pair(operated(graph, operator, y, fits), 0.02, -20)
    if move == TRANSPOSE:  # an output lies in an order of its image's axes
        y = graph.node("Transpose", y, perm=[0, 2, 1])
    imported = check(graph.model(y, (1, 5)), step=0.02)
    assert len(imported.network.layers) == 1


def test_a_moved_result_of_two_constants() -> None:
    graph = Graph()
    y = convolution(graph, graph.pair("x", 0.03, 5), 0.03, (CHANNELS, 3, 1, 1))
    y = operated(graph, "Mul", y, (CHANNELS, 1, 1))
    y = operated(graph, "Add", graph.node("Transpose", y, perm=[0, 3, 2, 1]), (CHANNELS,))
    y = graph.node("Transpose", y, perm=[0, 2, 3, 1])
    y = operated(graph, "BatchNormalization", graph.node("Transpose", y, perm=[0, 2, 3, 1]), (4,))
    y = graph.pair(y, 0.08, -20)
    check(graph.model(y, (1, 3, 4, 4)), step=0.08)


@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize(("scale", "gain"), [(0.0, 1.0), (1e-30, 1e-30), (0.01, 0.0)])
def test_a_dead_channel_is_its_constant_alone(matrix: bool, scale: float, gain: float) -> None:
    """Scales of 0, products below float32, and gains of 0: nothing is left but what is added."""
    graph = Graph()
    shape: tuple[Any, ...] = (CHANNELS, 3) if matrix else (CHANNELS, 3, 1, 1)
    weights, scales, zeros = graph.weights(*shape)
    scales[1] = scale
    bias = graph.constant(graph.rng.integers(500, 3000, CHANNELS), np.int32)
    names = [
        graph.pair("x", 0.03, 5),
        dequantized(graph, weights, scales, zeros),
        dequantized(graph, bias, np.float32(0.03) * scales),
    ]
    y = graph.node("Gemm", *names, transB=1) if matrix else graph.node("Conv", *names)
    fits = (CHANNELS,) if matrix else (CHANNELS, 1, 1)
    gains = np.array([0.7, gain, -1.1, 1.3]).reshape(fits)
    added = np.array([0.2, 0.3, -0.1, 0.5]).reshape(fits)
    y = graph.node("Mul", y, graph.constant(gains, np.float32))
    y = graph.pair(graph.node("Add", y, graph.constant(added, np.float32)), 0.03, -20)
    size = () if matrix else (4, 4)
    check(graph.model(y, (1, 3, *size)), step=0.03)
