"""Comparison of imported models with other interpreters: equal, or in which values they differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.folder import ImportedNetwork
from sim.importers.host import (
    HostProgram,
    HostStep,
    Logistic,
    LogSoftmax,
    ModelInputs,
    ModelPort,
    Softmax,
)
from sim.importers.onnx.difference import difference_bound, onnxruntime_layer
from sim.spec.inputs import split
from sim.spec.network import TensorSpec
from testbench.judges.onnx_oracle import run_onnx_outputs
from testbench.judges.tflite_oracle import run_outputs

__all__ = ["UnjudgedError", "judge_onnx", "judge_tflite", "random_inputs", "random_model_inputs"]

_IMAGES = 2
_LARGEST_SUM = 2**31 - 512
"""Sums that are larger overflow in C++, whose result is then anything."""

_SOFTMAX_TOLERANCE = 1e-5
"""Tolerance for floating-point softmax, whose last bits depend on the machine's exponential."""


class UnjudgedError(Exception):
    """No judge can say anything of the model."""


def random_inputs(port: ModelPort, seed: int) -> NDArray[Any]:
    """Inputs [2, ...] of a model."""
    rng = np.random.default_rng(seed)
    shape = (_IMAGES, *port.shape)
    if port.dtype == "float32":
        return rng.normal(0, 1.5, shape).astype(np.float32)
    limits = np.iinfo(port.dtype)
    return rng.integers(limits.min, limits.max, shape, endpoint=True).astype(port.dtype)


def random_model_inputs(host: HostProgram, seed: int) -> ModelInputs:
    """Inputs of a model, of several one array for each."""
    if not host.further_inputs:
        return random_inputs(host.input, seed)
    return [random_inputs(start.input, seed + place) for place, start in enumerate(host.starts)]


def judge_tflite(content: bytes, imported: ImportedNetwork) -> str:
    """Compare with TensorFlow Lite Micro; what differs, empty if nothing does.

    Raises
    ------
    UnjudgedError
        If the interpreter refuses the model, or arithmetic in C++ is undefined for it.
    """
    x = random_model_inputs(imported.host, 1)
    values = golden.run(imported.network, imported.host.prepare(x))
    _require_defined(imported, values)
    try:
        expected, _ = run_outputs(content, x, count=1 + len(imported.host.further))
    except Exception as error:  # it parses the file in Python too, and may raise anything
        raise UnjudgedError(f"the interpreter refuses it: {error}") from None
    return _all_differences(imported, values, expected)


def judge_onnx(content: bytes, imported: ImportedNetwork) -> str:
    """Compare with onnxruntime: its formulas layer by layer, and what it computes itself.

    Raises
    ------
    UnjudgedError
        If the runtime refuses the model.
    """
    x = random_model_inputs(imported.host, 1)
    tensors, results = imported.network.tensors, imported.source["results"]
    values = split(imported.network.inputs, imported.host.prepare(x))
    for layer in imported.network.layers:
        sources = [tensors[name] for name in layer.inputs]
        inputs = [values[name] for name in layer.inputs]
        scale = results.get(layer.name)
        values[layer.name] = onnxruntime_layer(layer, sources, inputs, scale)
        ours = golden.run_layer(layer, sources, inputs).astype(int)
        most = int(np.abs(ours - values[layer.name]).max())
        if most > max(1, difference_bound(layer)[0]):
            return f"layer {layer.name!r} differs by {most}"
        golden.add_concatenations(imported.network, values)
    try:
        expected = run_onnx_outputs(content, x)
    except RuntimeError as error:
        raise UnjudgedError(f"the runtime refuses it: {error}") from None
    return _all_differences(imported, values, expected, 1.5)


def _require_defined(imported: ImportedNetwork, values: dict[str, NDArray[np.int8]]) -> None:
    """Raise where a sum, shifted left as its multiplier says, leaves int32."""
    tensors = imported.network.tensors
    for layer in imported.network.layers:
        if not layer.weights.size:
            continue
        source = tensors[layer.inputs[0]]
        sums = np.abs(golden.accumulate(layer, source, values[layer.inputs[0]]))
        left = np.maximum(layer.shift.astype(np.int64), 0)
        if (sums.astype(np.float64) * 2.0**left > _LARGEST_SUM).any():
            raise UnjudgedError("a sum leaves int32")


def _all_differences(
    imported: ImportedNetwork,
    values: dict[str, NDArray[np.int8]],
    expected: list[NDArray[Any]],
    steps: float = 0.0,
) -> str:
    """How the first output differs that does, by more than ``steps``; empty if none does."""
    network, host = imported.network, imported.host
    computed = host.all_outputs({name: values[name] for name in network.outputs})
    ends = [
        (host.after, network.output),
        *((e.after, network.tensors[e.tensor]) for e in host.further),
    ]
    for (_, output), wanted, (after, tensor) in zip(computed, expected, ends, strict=True):
        if difference := _difference(after, tensor, output, wanted, steps):
            return difference
    return ""


def _difference(
    after: tuple[HostStep, ...],
    tensor: TensorSpec,
    computed: NDArray[Any],
    expected: NDArray[Any],
    steps: float = 0.0,
) -> str:
    """How results differ, by more than ``steps`` of the tensor's scale where they are real."""
    if computed.shape != expected.shape or computed.dtype != expected.dtype:
        kinds = [f"{array.dtype} of shape {array.shape}" for array in (computed, expected)]
        return f"{kinds[0]}, not {kinds[1]}"
    real = computed.dtype == np.float32
    softmax = any(isinstance(step, Softmax | LogSoftmax | Logistic) for step in after)
    limit = steps * tensor.scale if real else steps
    if softmax:
        limit = max(_SOFTMAX_TOLERANCE, 4 * limit)
    if computed.dtype in (np.int32, np.int64) and steps:
        return ""  # the place of the largest value says nothing where values may differ
    wrong = np.abs(computed.astype(np.float64) - expected.astype(np.float64)) > limit
    wrong |= np.isnan(computed.astype(np.float64)) != np.isnan(expected.astype(np.float64))
    return f"{int(wrong.sum())} of {wrong.size} values differ" if wrong.any() else ""
