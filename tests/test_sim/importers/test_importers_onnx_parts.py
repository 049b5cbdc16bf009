"""ONNX models that join and split tensors, and that have several outputs, against onnxruntime."""

import re
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_graphs import MICROSOFT, Graph, check, convolution, lowered
from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.spec.network import LayerKind
from testbench.judges.onnx_oracle import run_onnx_outputs

SCALE = 0.05


def image(graph: Graph) -> str:
    """Quantized input of 3 channels, 6×5 pixels."""
    return graph.pair("x", SCALE, 3)


def branch(graph: Graph, x: str, channels: int, scale: float, zero_point: int = 0) -> str:
    """A convolution between pairs."""
    made = convolution(graph, x, SCALE, (channels, 3, 3, 3), pads=[1, 1, 1, 1])
    return graph.pair(made, scale, zero_point)


def model(graph: Graph, result: str, **more: Any) -> onnx.ModelProto:
    return graph.model(result, (1, 3, 6, 5), **more)


@pytest.mark.parametrize("scales", [(0.1, 0.1), (0.1, 0.07)])
def test_concatenated_real_tensors_lie_side_by_side(scales: tuple[float, float]) -> None:
    graph = Graph()
    x = image(graph)
    parts = [branch(graph, x, count, scale) for count, scale in zip((5, 4), scales, strict=True)]
    joined = graph.pair(graph.node("Concat", *parts, axis=1), 0.1, 0)
    result = graph.pair(convolution(graph, joined, 0.1, (6, 9, 1, 1)), 0.2, 1)
    imported = check(model(graph, result), step=0.2, bound=2, optimized=False)
    (joint,) = imported.network.concatenations
    assert joint.output.channels == 9
    copies = [layer for layer in imported.network.layers if layer.kind is LayerKind.DEPTHWISE]
    assert len(copies) == (scales[0] != scales[1])  # a part of another scale


def test_the_input_and_a_part_that_is_taken_are_copied() -> None:
    graph = Graph()
    x = image(graph)
    a = branch(graph, x, 3, SCALE, 3)
    first = graph.pair(graph.node("Concat", a, x, axis=1), SCALE, 3)
    second = graph.pair(graph.node("Concat", first, a, axis=-3), SCALE, 3)
    imported = check(model(graph, second), step=SCALE, optimized=False)
    kinds = [layer.kind for layer in imported.network.layers]
    assert kinds == [LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.DEPTHWISE]
    assert [joint.output.channels for joint in imported.network.concatenations] == [6, 9]


def test_sums_of_tensors_with_other_parts_read_copies() -> None:
    graph = Graph()
    x = image(graph)
    joined = graph.node("Concat", branch(graph, x, 4, 0.1), branch(graph, x, 2, 0.1), axis=1)
    whole = branch(graph, x, 6, 0.1)
    total = graph.pair(graph.node("Add", graph.pair(joined, 0.1, 0), whole), 0.2, 0)
    imported = check(model(graph, total), step=0.2, bound=2, optimized=False)
    assert [layer.kind for layer in imported.network.layers[-2:]] == [LayerKind.CONV, LayerKind.ADD]


def test_quantized_tensors_are_concatenated_in_their_output_s_scale() -> None:
    graph = Graph()
    both = graph.scale(SCALE, 3)
    quantized = graph.node("QuantizeLinear", "x", *both)
    other = graph.scale(0.09, -5)
    again = graph.node("QuantizeLinear", graph.node("DequantizeLinear", quantized, *both), *other)
    out = graph.scale(0.09, -5)
    joined = graph.node(
        "QLinearConcat", *out, quantized, *both, again, *other, domain=MICROSOFT, axis=1
    )
    result = graph.node("DequantizeLinear", joined, *out)
    imported = check(model(graph, result), step=0.09, optimized=False)
    assert len(imported.network.concatenations) == 1


def test_splits_and_slices_take_channels_rows_and_columns() -> None:
    graph = Graph()
    x = branch(graph, image(graph), 7, 0.1)
    sizes = graph.constant([3, 4], np.int64)
    graph.nodes.append(helper.make_node("Split", [x, sizes], ["low", "high"], axis=1))
    ends = [graph.constant(values, np.int64) for values in ([1, -4], [6, 5], [2, 3], [2, 1])]
    cut = graph.node("Slice", "high", *ends)
    imported = check(model(graph, cut), step=0.1, optimized=False)
    assert [layer.kind for layer in imported.network.layers[1:]] == [
        LayerKind.CONV,
        LayerKind.DEPTHWISE,
    ]
    assert imported.network.output.shape == (3, 4, 4)


def test_every_output_equals_the_runtime_s() -> None:
    graph = Graph()
    x = image(graph)
    a = branch(graph, x, 4, 0.1)
    b = graph.pair(convolution(graph, a, 0.1, (5, 4, 1, 1)), 0.2, 1)
    written = model(graph, b)
    written.graph.output.append(helper.make_value_info(a, onnx.TypeProto()))
    written.graph.output[1].type.tensor_type.elem_type = TensorProto.UNDEFINED
    imported = lowered(written)
    assert imported.network.outputs == tuple(layer.name for layer in imported.network.layers[::-1])
    images = np.random.default_rng(1).normal(0, 1.5, (3, 3, 6, 5)).astype(np.float32)
    values = golden.run(imported.network, imported.host.prepare(images))
    computed = imported.host.all_outputs({name: values[name] for name in imported.network.outputs})
    shapes = [(1, 5, 6, 5), (1, 4, 6, 5)]
    for end, shape in zip(written.graph.output, shapes, strict=True):
        end.CopyFrom(helper.make_tensor_value_info(end.name, TensorProto.FLOAT, shape))
    expected = run_onnx_outputs(written.SerializeToString(), images)
    for (_, ours), theirs, step in zip(computed, expected, (0.2, 0.1), strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 2 * step + 1e-4


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (0, "must be over an axis behind the batch, not over axis 0"),
        (4, "axis must be one of 4, not 4"),
    ],
)
def test_other_axes_are_refused(axis: int, message: str) -> None:
    graph = Graph()
    x = image(graph)
    parts = [branch(graph, x, 4, 0.1), branch(graph, x, 4, 0.1)]
    joined = graph.pair(graph.node("Concat", *parts, axis=axis), 0.1, 0)
    with pytest.raises(UnsupportedModelError, match=f"{re.escape(message)}$"):
        lowered(model(graph, joined))
