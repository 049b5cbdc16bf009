"""Models that cannot be imported: one line on the command line, exit status 2, nothing written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cosilico.cli import main
from cosilico.exits import ExitStatus
from sim.importers.pytorch.aten import export_module
from testbench.cases.tflite_writer import ModelWriter

IMAGE = (1, 4, 4, 3)
CONV = "operator 0 CONV_2D (tensor 'conv')"
QUANTIZED: dict[str, Any] = {"scales": [0.5], "zero_points": [3]}


def conv_model(
    dtype: str = "int8", *, weights: str = "int8", after: str = "", **fields: Any
) -> bytes:
    """A model of one 1x1 convolution; ``fields`` of its input's tensor or of the operator.

    ``after``: an operator of the convolution's result.
    """
    writer = ModelWriter()
    options = {name: value for name, value in fields.items() if name[0].isupper()}
    given = QUANTIZED | {name: value for name, value in fields.items() if name not in options}
    source = writer.tensor(IMAGE, dtype, name="image", **given)
    scales = {"scales": [0.01]} if weights == "int8" else {}
    kernel = writer.constant(np.ones((4, 1, 1, 3)), weights, **scales)
    kind: dict[str, Any] = QUANTIZED if given["scales"] else {}
    result = writer.tensor((1, 4, 4, 4), dtype, name="conv", **kind)
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    writer.operator("CONV_2D", [source, kernel], [result], **window | options)
    if after:
        gated = writer.tensor((1, 4, 4, 4), dtype, name="gated", **kind)
        writer.operator(after, [result], [gated])
        result = gated
    return writer.finish([source], [result])


def gated_model() -> bytes:
    """A gate for each row and channel: average of a row, sigmoid, product."""
    writer = ModelWriter()
    image = writer.tensor(IMAGE, name="image", **QUANTIZED)
    rows = writer.tensor((1, 4, 1, 3), name="rows", **QUANTIZED)
    gates = writer.tensor((1, 4, 1, 3), scales=[1 / 256], zero_points=[-128])
    product = writer.tensor(IMAGE, name="product", **QUANTIZED)
    window = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 4}
    writer.operator("AVERAGE_POOL_2D", [image], [rows], **window)
    writer.operator("LOGISTIC", [rows], [gates])
    writer.operator("MUL", [image, gates], [product])
    return writer.finish([image], [product])


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """Line with which the command refuses a model; it must leave no file besides its input."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["import", *words, "--out", str(folder / "net")]) == ExitStatus.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"cosilico: [^\n]+\n", captured.err)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    return captured.err.removeprefix("cosilico: ").rstrip("\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (lambda: conv_model()[:300], "model file {path} is truncated or damaged"),
        (
            lambda: conv_model("float32", weights="float32", scales=[], zero_points=[]),
            f"{CONV}: activation 'image' must be int8, not float32",
        ),
        (
            lambda: conv_model(signature=(1, -1, 4, 3)),
            f"{CONV}: shape of activation 'image' must be fixed and positive, not (1, -1, 4, 3)",
        ),
        (
            gated_model,
            "operator 2 MUL (tensor 'product'): product of activations must be of the output's shape, with one of its "
            "shape, or with one value for each channel or pixel of it, (1, 4, 4, 3), not of shapes (1, 4, 4, 3) and (1, 4, 1, 3)",
        ),
        (
            lambda: conv_model(after="LOGISTIC"),
            "operator 1 LOGISTIC (tensor 'gated'): output must have scale 1/256 and zero point -128",
        ),
        (
            lambda: conv_model(scales=[], zero_points=[]),
            f"{CONV}: activation 'image' must have one scale, not 0",
        ),
        (
            lambda: conv_model("int16"),
            f"{CONV}: activation 'image' must be int8, not int16",
        ),
    ],
    ids=["truncated", "float", "dynamic", "gated", "sigmoid", "unquantized", "16-bit"],
)
def test_tensorflow_lite(
    content: Callable[[], bytes],
    line: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(content())
    assert refusal(capsys, tmp_path, str(path)).startswith(line.format(path=path))


def test_the_same_model_without_a_fault_is_imported(tmp_path: Path) -> None:
    (tmp_path / "good.tflite").write_bytes(conv_model())
    assert main(["import", str(tmp_path / "good.tflite"), "--out", str(tmp_path / "net")]) == 0


def onnx_model() -> bytes:
    """A convolution in floating point."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, 4, 4))
        for name, channels in (("image", 3), ("conv", 4))
    ]
    weights = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "weights")
    node = helper.make_node("Conv", ["image", "weights"], ["conv"], name="first")
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:], [weights])
    opsets = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=9
    ).SerializeToString()
    assert onnx.load_from_string(content).graph.node
    return content


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (lambda: onnx_model()[:-20], "model file {path} is truncated or not an ONNX model"),
        (
            onnx_model,
            "node 0 Conv 'first' (tensor 'conv'): input of shape (1, 3, 4, 4) must come from "
            "QuantizeLinear: all of the model must be quantized",
        ),
    ],
    ids=["truncated", "float"],
)
def test_onnx(
    content: Callable[[], bytes],
    line: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content())
    assert refusal(capsys, tmp_path, str(path)) == line.format(path=path)


def program(module: nn.Module, folder: Path) -> list[str]:
    """Files of a module's program and of its calibration images, as words of a command."""
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.export.save(export_module(module, images[:1]), folder / "bad.pt2")
    np.savez(folder / "x.npz", x=images.numpy())
    return [str(folder / "bad.pt2"), "--calibration", str(folder / "x.npz")]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(2)),
            "operator 2 aten.adaptive_max_pool2d.default (tensor 'adaptive_max_pool2d'): output of an "
            "adaptive max pool must be (1, 1), not (2, 2)",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(1), nn.Conv2d(4, 4, 3)),
            "softmax must be at the end of the module, where the host computes it, not before "
            "operator 2 aten.convolution.default (tensor 'convolution_1')",
        ),
        (
            nn.ConvTranspose2d(3, 4, 3, dilation=2),
            "operator 0 aten.convolution.default (tensor 'convolution'): dilation of a transposed "
            "convolution must be 1, not ",
        ),
    ],
    ids=["adaptive-max-pool", "sigmoid", "dilation"],
)
def test_pytorch(
    module: nn.Module, line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = program(module, tmp_path)
    assert refusal(capsys, tmp_path, *words).startswith(line)


def test_a_truncated_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = program(nn.Conv2d(3, 4, 3), tmp_path)
    path = Path(words[0])
    path.write_bytes(path.read_bytes()[:500])
    line = f"program file {path} must be written by torch.export.save"
    assert refusal(capsys, tmp_path, *words) == line
