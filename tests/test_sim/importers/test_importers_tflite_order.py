"""TRANSPOSE in the middle of a model, as converters from PyTorch write it."""

from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

A: dict[str, Any] = {"scales": [0.02], "zero_points": [7]}
B: dict[str, Any] = {"scales": [0.05], "zero_points": [-11]}
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def begun() -> tuple[ModelWriter, int, int]:
    """An image (1, 4, 5, 3) and what a convolution makes of it."""
    writer = ModelWriter()
    image = writer.tensor((1, 4, 5, 3), **A)
    seen = writer.tensor((1, 4, 5, 6), **B)
    data = np.random.default_rng(1).integers(-127, 128, (6, 1, 1, 3))
    kernel = writer.constant(data, "int8", scales=[0.01])
    writer.operator("CONV_2D", [image, kernel], [seen], **WINDOW)
    return writer, image, seen


def transposed(writer: ModelWriter, source: int, axes: list[int]) -> int:
    shape = [writer.tensors[source].shape[axis] for axis in axes]
    result = writer.tensor(shape, **B)
    writer.operator("TRANSPOSE", [source, writer.constant(axes, "int32")], [result])
    return result


def dense(writer: ModelWriter, source: int) -> int:
    flat = writer.tensor((1, 120), **B)
    writer.operator("RESHAPE", [source], [flat])
    data = np.random.default_rng(2).integers(-127, 128, (7, 120))
    result = writer.tensor((1, 7), name="y", scales=[0.3], zero_points=[2])
    writer.operator(
        "FULLY_CONNECTED", [flat, writer.constant(data, "int8", scales=[0.01])], [result]
    )
    return result


def lowered(content: bytes) -> ImportedNetwork:
    return lower_tflite(parse_tflite(content, "model"), "net")


def check(content: bytes) -> list[str]:
    """Kinds of the layers of a model that equals the interpreter."""
    network = lowered(content)
    x = np.random.default_rng(3).integers(-128, 128, (3, 4, 5, 3)).astype(np.int8)
    values = golden.run(network.network, network.host.prepare(x))
    y = network.host.finish(network.host.logits(values[network.network.output.name]))
    assert np.array_equal(y, run_model(content, x)[0])
    return [layer.kind.value for layer in network.network.layers]


@pytest.mark.parametrize("axes", [[0, 3, 1, 2], [0, 2, 1, 3], [0, 3, 2, 1]])
def test_a_dense_layer_takes_the_order_into_its_weights(axes: list[int]) -> None:
    writer, image, seen = begun()
    result = dense(writer, transposed(writer, seen, axes))
    assert check(writer.finish([image], [result])) == ["conv", "fully_connected"]


def test_orders_that_cancel_are_nothing() -> None:
    writer, image, seen = begun()
    there = transposed(writer, seen, [0, 3, 1, 2])
    back = transposed(writer, there, [0, 2, 3, 1])
    result = writer.tensor((1, 2, 2, 6), **B)
    window = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 3}
    writer.operator("MAX_POOL_2D", [back], [result], **window)
    assert check(writer.finish([image], [result])) == ["conv", "max_pool"]


def refused(writer: ModelWriter, image: int, result: int, line: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lowered(writer.finish([image], [result]))


def test_other_readers_of_another_order_are_refused() -> None:
    rule = "must not read what TRANSPOSE has reordered, unless another one restores it"
    for name in ("ADD", "RELU", "MAX_POOL_2D"):
        writer, image, seen = begun()
        there = transposed(writer, seen, [0, 2, 1, 3])
        result = writer.tensor((1, 5, 4, 6), name="y", **B)
        window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}
        options = window if name == "MAX_POOL_2D" else {}
        writer.operator(name, [there] * (2 if name == "ADD" else 1), [result], **options)
        refused(writer, image, result, rf"operator 2 {name} \(tensor 'y'\): {rule}")


def test_the_batch_stays_first() -> None:
    writer, image, seen = begun()
    there = writer.tensor((4, 1, 5, 6), name="there", **B)
    writer.operator("TRANSPOSE", [seen, writer.constant([1, 0, 2, 3], "int32")], [there])
    result = dense(writer, there)
    line = r"operator 1 TRANSPOSE \(tensor 'there'\): batch of activation 'there' must be 1, not 4"
    refused(writer, image, result, line)
