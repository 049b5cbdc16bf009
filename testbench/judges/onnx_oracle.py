"""The runtime for ONNX models, as the judge of imported networks (package onnxruntime)."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from sim.importers.host import ModelInputs
from sim.spec.errors import CosilicoError

__all__ = ["require_onnxruntime", "run_onnx", "run_onnx_outputs", "with_exact_products"]

_FATAL_ONLY = 4
_PRODUCTS = ("QLinearConv", "QLinearMatMul", "QGemm")
"""Operators whose inputs are x, its scale and zero point, weights, their scale and zero point."""
_X_ZERO, _WEIGHTS, _WEIGHTS_ZERO = 2, 3, 5


def require_onnxruntime() -> None:
    """Make sure that the package is there.

    Raises
    ------
    CosilicoError
    """
    if find_spec("onnxruntime") is None:
        raise CosilicoError(
            "comparing imported networks must have the extra dev: pip install 'cosilico[dev]', "
            "for package onnxruntime is not installed"
        )


def with_exact_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give uint8 weights to every product of uint8 activations and int8 weights.

    On x86 without VNNI the runtime adds two products of uint8 and int8 in 16 bits, which
    saturate; its products of uint8 and uint8 are exact everywhere. Weights and their zero points
    move by 128 together, so every difference of the two is as before.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def kind(node: onnx.NodeProto, position: int) -> int | None:
        name = node.input[position] if position < len(node.input) else ""
        return constants[name].data_type if name in constants else None

    for index, node in enumerate(made.graph.node):
        kinds = [kind(node, position) for position in (_X_ZERO, _WEIGHTS, _WEIGHTS_ZERO)]
        expected = [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT8]
        if node.op_type not in _PRODUCTS or kinds != expected:
            continue
        for position in (_WEIGHTS, _WEIGHTS_ZERO):
            data = numpy_helper.to_array(constants[node.input[position]])
            moved = (data.astype(np.int16) + 128).astype(np.uint8)
            name = f"{node.input[position]}, unsigned for node {index}"
            made.graph.initializer.append(numpy_helper.from_array(moved, name))
            node.input[position] = name
    return made


def run_onnx(content: bytes, x: ModelInputs) -> NDArray[Any]:
    """First output of a model; see :func:`run_onnx_outputs`."""
    return run_onnx_outputs(content, x)[0]


def run_onnx_outputs(content: bytes, x: ModelInputs) -> list[NDArray[Any]]:
    """Outputs of a model on a batch of inputs [N, ...], one inference each; of several inputs such an array for each.

    Raises
    ------
    RuntimeError
        If the runtime refuses the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        content = with_exact_products(onnx.load_from_string(content)).SerializeToString()
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        names = [port.name for port in session.get_inputs()]
        given = zip(*([x] if isinstance(x, np.ndarray) else x), strict=True)
        rows = [
            session.run(
                None,
                {
                    name: np.ascontiguousarray(row[None])
                    for name, row in zip(names, own, strict=True)
                },
            )
            for own in given
        ]
    except Exception as error:  # the runtime's errors have no common base but this
        raise RuntimeError(str(error).strip().splitlines()[0]) from None
    return [np.stack([value[0] for value in values]) for values in zip(*rows, strict=True)]
