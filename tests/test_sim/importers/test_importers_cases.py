"""Model files that once failed: each imports and is as its interpreter says, or is refused in one line."""

import re
from pathlib import Path

import numpy as np
import pytest

from cosilico.imports import import_model
from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.spec.errors import CosilicoError
from testbench.judges.interpreters import judge_onnx, judge_tflite

CASES = Path(__file__).parent / "cases"

TFLITE = {
    "tflite_transposeconv_blames_shape": ["conv"] * 4,
    "opcode_all_new_add": ["conv", "add"],
    "opcode_maximum_read_as_add": ["conv", "depthwise", "max_pool"],
    "tflite_grouped_is_depthwise": [
        "conv", "conv", "add", "depthwise", "mean", "fully_connected",
    ],
    "tflite_mul_constant": ["conv", "depthwise", "conv"],
}  # fmt: skip

RESIDUAL = ["conv", "conv", "add", "depthwise", "mean", "fully_connected"]
ONNX = {
    "onnx_conv1d": ["conv", "max_pool", "conv", "mean", "fully_connected"],
    "onnx_dedicated_pairs": RESIDUAL,
    "onnx_dynamic_batch": RESIDUAL,
    "onnx_float_bias": ["conv"],
    "onnx_qcdq_brevitas": ["conv"],
    "onnx_softmax_qdq": ["conv", "fully_connected"],
}

REFUSED = {
    "huge_dims_traceback.tflite": "operator 0 CONV_2D (tensor 'tensor1'): activation 'x' must have at "
    "most 16777216 values, not 1099511627776 of shape (1, 1048576, 1048576, 1)",
    "onnx_attr_untyped.onnx": "model file {} is not valid ONNX: Field 'type' of 'attr' is required "
    "but missing (node Flatten '/Flatten')",
    "onnx_dilations_integer.onnx": "model file {} is not valid ONNX: Mismatched attribute type in "
    "' : dilations'. Expected: 'INTS', actual: 'INT' (node QLinearConv '')",
    "tflite_self_loop_hang.tflite": "operator 8 SOFTMAX (tensor 'StatefulPartitionedCall_1:0'): reads "
    "tensor 'StatefulPartitionedCall_1:0' before it is computed",
    "pt2_nan_weight.pt2": "weights of layer '0' must be finite",
}
"""Lines, of which those that end in "; " go on with what is supported."""


def imported(name: str) -> ImportedNetwork:
    path = CASES / name
    return import_model(path, path.with_suffix(".npz") if path.suffix == ".pt2" else None)


def kinds(network: ImportedNetwork) -> list[str]:
    return [layer.kind.value for layer in network.network.layers]


@pytest.mark.parametrize("name", TFLITE)
def test_tensorflow_lite(name: str) -> None:
    network = imported(f"{name}.tflite")
    assert kinds(network) == TFLITE[name]
    assert judge_tflite((CASES / f"{name}.tflite").read_bytes(), network) == ""


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name: str) -> None:
    network = imported(f"{name}.onnx")
    assert kinds(network) == ONNX[name]
    if ONNX[name] == RESIDUAL:
        assert network.network.macs == 48_424
    assert judge_onnx((CASES / f"{name}.onnx").read_bytes(), network) == ""


def test_pytorch_with_a_function_at_the_end() -> None:
    import torch

    network = imported("pt2_log_softmax.pt2")
    with np.load(CASES / "pt2_log_softmax.npz") as arrays:
        x = arrays["x"]
    values = golden.run(network.network, network.host.prepare(x))
    y = network.host.finish(network.host.logits(values[network.network.output.name]))
    module = torch.export.load(CASES / "pt2_log_softmax.pt2").module()
    expected = np.concatenate([module(torch.from_numpy(row[None])).detach() for row in x])
    assert np.abs(y - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_in_a_line(name: str) -> None:
    line = re.escape(REFUSED[name].format(CASES / name))
    line += "supported are .+" if REFUSED[name].endswith("; ") else ""
    with pytest.raises(CosilicoError, match=f"^{line}$"):
        imported(name)


def test_every_file_is_tried() -> None:
    tried = {f"{name}.tflite" for name in TFLITE} | {f"{name}.onnx" for name in ONNX} | {*REFUSED}
    files = {path.name for path in CASES.iterdir() if path.suffix in (".tflite", ".onnx", ".pt2")}
    assert files == tried | {"pt2_log_softmax.pt2", "pt2e_residual.pt2"}
