"""Models of the older uint8 quantization: in every bit as LiteRT's reference kernels, or refused in one line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import golden
from sim.importers.errors import UnsupportedModelError
from sim.importers.folder import load, save
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from testbench.cases.tflite_writer import ModelWriter

REFERENCE = Path(__file__).parent / "cases" / "litert_uint8.npz"
"""Written by tests/support/litert_reference.py."""

WINDOW = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
LIKE: dict[str, Any] = {"scales": [0.5], "zero_points": [131]}


@pytest.fixture(scope="module")
def reference() -> dict[str, dict[str, Any]]:
    """Arrays of each model by their names."""
    models: dict[str, dict[str, Any]] = {}
    with np.load(REFERENCE) as arrays:
        for key in arrays.files:
            number, name = key.split(".", 1)
            models.setdefault(number, {})[name] = arrays[key]
    return models


def test_every_tensor_equals_litert(reference: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    compared = 0
    operators: set[str] = set()
    for number, arrays in reference.items():
        model = parse_tflite(arrays["model"].tobytes(), "model")
        imported = lower_tflite(model, "net")
        save(imported, tmp_path)
        imported = load(tmp_path)
        values = golden.run(imported.network, imported.host.prepare(arrays["x"]))
        for layer, tensor in imported.source["tensors"].items():
            if tensor in arrays and layer in values:
                expected = arrays[tensor].reshape(-1).astype(np.int64) - 128
                assert np.array_equal(values[layer].reshape(-1), expected), (number, layer)
                compared += expected.size
        result = imported.host.finish(imported.host.logits(values[imported.network.output.name]))
        last = arrays[model.tensors[model.outputs[0]].name]
        assert result.dtype == last.dtype
        assert np.array_equal(result, last), number
        operators |= {operator.name for operator in model.operators}
    assert compared > 10_000
    assert operators >= {
        "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D",
        "LOGISTIC", "LOG_SOFTMAX", "MEAN", "MUL", "PAD", "QUANTIZE", "RELU", "SOFTMAX", "SUB",
        "TRANSPOSE",
    }  # fmt: skip


def convolved(zero_point: int, weights: int, kernel: str = "uint8") -> bytes:
    writer = ModelWriter()
    image = writer.tensor((1, 2, 2, 1), "uint8", name="image", **LIKE)
    result = writer.tensor((1, 2, 2, 1), "uint8", name="y", **LIKE)
    data = writer.constant(
        np.full((1, 1, 1, 1), weights), kernel, scales=[0.1], zero_points=[zero_point], name="w"
    )
    writer.operator("CONV_2D", [image, data], [result], **WINDOW)
    return writer.finish([image], [result])


@pytest.mark.parametrize(("zero_point", "weights"), [(127, 254), (128, 0), (0, 127), (255, 127)])
def test_weights_less_their_zero_point_fit_int8(zero_point: int, weights: int) -> None:
    imported = lower_tflite(parse_tflite(convolved(zero_point, weights), "model"), "net")
    assert imported.network.layers[0].weights.reshape(-1).tolist() == [weights - zero_point]
    assert imported.network.input.zero_point == 3
    assert imported.host.input.dtype == imported.host.output.dtype == "uint8"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            convolved(127, 255),
            "model is uint8-quantized, only int8 is supported: weights 'w' less their zero point "
            "must be -128 … 127, not 0 … 128",
        ),
        (
            convolved(129, 0),
            "model is uint8-quantized, only int8 is supported: weights 'w' less their zero point "
            "must be -128 … 127, not -129 … 0",
        ),
        (
            convolved(256, 0),
            "model is uint8-quantized, only int8 is supported: zero point of 'w' must be "
            "0 … 255, not 256",
        ),
    ],
)
def test_what_does_not_fit_is_refused(content: bytes, line: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"^{re.escape(line)}$"):
        lower_tflite(parse_tflite(content, "model"), "net")


def test_models_of_both_types_are_refused() -> None:
    writer = ModelWriter()
    image = writer.tensor((1, 4, 4, 1), "uint8", name="image", **LIKE)
    pooled = writer.tensor((1, 2, 2, 1), "uint8", name="pooled", **LIKE)
    changed = writer.tensor((1, 2, 2, 1), name="changed", scales=[0.5], zero_points=[3])
    result = writer.tensor((1, 1, 1, 1), name="y", scales=[0.5], zero_points=[3])
    window = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    writer.operator("MAX_POOL_2D", [image], [pooled], **window)
    writer.operator("QUANTIZE", [pooled], [changed])
    writer.operator("MAX_POOL_2D", [changed], [result], **window)
    line = "model must be quantized to int8 or to uint8, not to both"
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lower_tflite(parse_tflite(writer.finish([image], [result]), "model"), "net")


def test_averages_are_compared_for_every_sum() -> None:
    writer = ModelWriter()
    image = writer.tensor((1, 66, 64, 1), "uint8", name="image", **LIKE)
    result = writer.tensor((1, 1, 1, 1), "uint8", name="y", **LIKE)
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 66, "FilterWidth": 64}
    writer.operator("AVERAGE_POOL_2D", [image], [result], **window)
    line = (
        r"operator 0 AVERAGE_POOL_2D \(tensor 'y'\): window must have at most 4096 values, not 4224"
        r" \(of uint8 less 128\)"
    )
    with pytest.raises(UnsupportedModelError, match=f"^{line}$"):
        lower_tflite(parse_tflite(writer.finish([image], [result]), "model"), "net")
