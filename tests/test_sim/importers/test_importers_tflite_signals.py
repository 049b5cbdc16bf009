"""Signals (1, T, C) as Keras writes them, against TensorFlow Lite Micro in every bit."""

from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.spec.network import Padding
from testbench.cases.tflite_writer import ModelWriter
from testbench.judges.tflite_oracle import run_model

A: dict[str, Any] = {"scales": [0.02], "zero_points": [7]}
B: dict[str, Any] = {"scales": [0.05], "zero_points": [-11]}
WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def check(writer: ModelWriter, image: int, result: int) -> ImportedNetwork:
    content = writer.finish([image], [result])
    network = lower_tflite(parse_tflite(content, "model"), "net")
    shape = (3, *network.host.input.shape)
    x = np.random.default_rng(2).integers(-128, 128, shape).astype(np.int8)
    values = golden.run(network.network, network.host.prepare(x))
    y = network.host.finish(network.host.logits(values[network.network.output.name]))
    expected, _ = run_model(content, x)
    assert np.array_equal(y, expected)
    assert len(np.unique(expected)) > 4
    return network


def weights(writer: ModelWriter, *shape: int) -> int:
    data = np.random.default_rng(1).integers(-127, 128, shape)
    return writer.constant(data, "int8", scales=[0.01])


@pytest.mark.parametrize("reshape", [False, True])
def test_a_causal_convolution_takes_its_padding_over(reshape: bool) -> None:
    """PAD of time alone, then a fourth axis, then a convolution of height 1."""
    writer = ModelWriter()
    image = writer.tensor((1, 9, 3), **A)
    padded = writer.tensor((1, 11, 3), **A)
    widths = writer.constant([(0, 0), (2, 0), (0, 0)], "int32")
    writer.operator("PAD", [image, widths], [padded])
    wide = writer.tensor((1, 1, 11, 3), **A)
    if reshape:
        writer.operator("RESHAPE", [padded], [wide])
    else:
        writer.operator("EXPAND_DIMS", [padded, writer.constant(1, "int32")], [wide])
    made = writer.tensor((1, 1, 9, 4), **B)
    writer.operator("CONV_2D", [wide, weights(writer, 4, 1, 3, 3)], [made], **WINDOW)
    result = writer.tensor((1, 9, 4), **B)
    writer.operator("SQUEEZE", [made], [result], SqueezeDims=(1,))
    (layer,) = check(writer, image, result).network.layers
    assert layer.padding == Padding(left=2)


def test_a_padded_signal_that_is_read_twice_is_a_layer() -> None:
    writer = ModelWriter()
    image = writer.tensor((1, 9, 3), **A)
    padded = writer.tensor((1, 11, 3), **A)
    widths = writer.constant([(0, 0), (2, 0), (0, 0)], "int32")
    writer.operator("PAD", [image, widths], [padded])
    result = writer.tensor((1, 11, 3), **B)
    writer.operator("ADD", [padded, padded], [result])
    kinds = [layer.kind.value for layer in check(writer, image, result).network.layers]
    assert kinds == ["depthwise", "add"]


@pytest.mark.parametrize("shape", [(1, 9, 6), (1, 3, 5, 6)])
def test_a_dense_layer_of_every_position(shape: tuple[int, ...]) -> None:
    writer = ModelWriter()
    image = writer.tensor(shape, **A)
    result = writer.tensor((*shape[:-1], 4), **B)
    options = {"KeepNumDims": True}
    writer.operator("FULLY_CONNECTED", [image, weights(writer, 4, 6)], [result], **options)
    (layer,) = check(writer, image, result).network.layers
    assert layer.kind.value == "conv"
