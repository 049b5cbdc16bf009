"""The runtime for ONNX models, as the judge of imported networks (package onnxruntime)."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import CosilicoError

__all__ = ["require_onnxruntime", "run_onnx", "run_onnx_outputs"]

_FATAL_ONLY = 4


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


def run_onnx(content: bytes, x: NDArray[Any]) -> NDArray[Any]:
    """First output of a model; see :func:`run_onnx_outputs`."""
    return run_onnx_outputs(content, x)[0]


def run_onnx_outputs(content: bytes, x: NDArray[Any]) -> list[NDArray[Any]]:
    """Outputs of a model on a batch of inputs [N, ...], one inference each.

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
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        rows = [session.run(None, {name: np.ascontiguousarray(row[None])}) for row in x]
    except Exception as error:  # the runtime's errors have no common base but this
        raise RuntimeError(str(error).strip().splitlines()[0]) from None
    return [np.stack([value[0] for value in values]) for values in zip(*rows, strict=True)]
