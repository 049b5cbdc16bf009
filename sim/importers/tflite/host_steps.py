"""Operators at a model's ends that the host computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.importers.host import (
    Argmax,
    Dequantize,
    HostStep,
    Logistic,
    LogSoftmax,
    Quantize,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from sim.importers.limits import excess
from sim.importers.quantization import ratio_multiplier
from sim.importers.tflite.model import TfliteModel, TfliteOperator, TfliteTensor

__all__ = ["HOST_OPERATORS", "LEAST_SCALE", "SCALE_LIMIT", "HostOperator", "host_step"]

_INTEGERS = ("int8", "uint8")
LEAST_SCALE, SCALE_LIMIT = 2.0**-24, 8.0
"""Scales for which C++ defines the shifts of LOGISTIC, LOG_SOFTMAX and TANH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOperator:
    """An operator of the table: at which ends, under which conditions."""

    before: bool
    after: bool
    conditions: str
    make: Callable[[TfliteModel, TfliteOperator, TfliteTensor, TfliteTensor], HostStep]


def host_step(model: TfliteModel, operator: TfliteOperator) -> HostStep:
    """The host's step for an operator of ``HOST_OPERATORS``; refused where it has none."""
    if not operator.inputs or operator.inputs[0] < 0 or len(operator.outputs) != 1:
        model.refuse(operator, "must have one input and one output")
    source, out = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    for tensor in (source, out):
        if min(tensor.shape, default=0) < 1 or tensor.shape[0] != 1 or len(tensor.shape) < 2:
            # An argmax may leave nothing but the batch.
            if tensor.shape == (1,):
                continue
            rule = f"tensor {tensor.name!r} must have a fixed shape (1, …), not {tensor.signature}"
            model.refuse(operator, rule)
        if broken := excess(tensor.shape, f"tensor {tensor.name!r}"):
            model.refuse(operator, broken)
    return HOST_OPERATORS[operator.name].make(model, operator, source, out)


def _quantize(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    _check_integer(model, operator, out)
    _check_shape(model, operator, source, out)
    if source.dtype == "float32":
        return Quantize(scale=float(out.scale), zero_point=out.zero_point, dtype=out.dtype)
    _check_integer(model, operator, source)
    try:
        multiplier, shift = ratio_multiplier(source.scale, out.scale, 1)
    except ValueError as error:
        model.refuse(operator, str(error))
    return Requantize(
        multiplier=int(multiplier[0]),
        shift=int(shift[0]),
        input_zero_point=source.zero_point,
        output_zero_point=out.zero_point,
        dtype=out.dtype,
    )


def _dequantize(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    _check_integer(model, operator, source)
    _check_shape(model, operator, source, out)
    if out.dtype != "float32":
        model.refuse(operator, f"output must be float32, not {out.dtype}")
    return Dequantize(scale=float(source.scale), zero_point=source.zero_point)


def _reshape(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    if source.dtype != out.dtype:
        model.refuse(operator, f"output must be {source.dtype}, not {out.dtype}")
    model.check_reshaped(operator)
    return Reshape(shape=out.shape[1:])


def _transpose(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    order = _integers(model, operator, 1)
    if sorted(order) != list(range(len(source.shape))) or order[0] != 0:
        rule = f"axes must be an order of the {len(source.shape)} with the batch first"
        model.refuse(operator, f"{rule}, not {order}")
    if out.shape != tuple(source.shape[axis] for axis in order) or source.dtype != out.dtype:
        model.refuse(operator, f"output must have the input's axes in order, not {out.shape}")
    return Transpose(axes=tuple(axis - 1 for axis in order[1:]))


def _softmax(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    beta = float(operator.options["Beta"])
    if not 0 < beta < float("inf"):
        model.refuse(operator, f"beta must be positive, not {beta}")
    _check_function(model, operator, source, out, (1 / 256, -128), "1/256")
    return Softmax(beta=beta, scale=1.0 if source.dtype == "float32" else float(source.scale))


def _log_softmax(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    _check_function(model, operator, source, out, (1 / 16, 127), "1/16")
    return LogSoftmax(scale=1.0 if source.dtype == "float32" else float(source.scale))


def _logistic(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    _check_function(model, operator, source, out, (1 / 256, -128), "1/256")
    if source.dtype == "float32":
        return Logistic(scale=1.0, zero_point=0)
    return Logistic(scale=float(source.scale), zero_point=source.zero_point)


def _check_function(
    model: TfliteModel,
    operator: TfliteOperator,
    source: TfliteTensor,
    out: TfliteTensor,
    expected: tuple[float, int],
    scale: str,
) -> None:
    """Refuse other types and scales than those that the interpreter computes."""
    _check_shape(model, operator, source, out)
    if source.dtype == out.dtype == "float32":
        return
    _check_integer(model, operator, source)
    _check_integer(model, operator, out)
    if (source.dtype, out.dtype) != ("int8", "int8"):
        model.refuse(operator, f"must be of int8 or float32, not {source.dtype} to {out.dtype}")
    if (float(out.scale), out.zero_point) != expected:
        rule = f"output must have scale {scale} and zero point {expected[1]}"
        model.refuse(operator, f"{rule}, not {out.scale} and {out.zero_point}")
    if operator.name != "SOFTMAX" and not LEAST_SCALE <= source.scale < SCALE_LIMIT:
        rule = f"input scale must be from {LEAST_SCALE:g} to below {SCALE_LIMIT:g}"
        model.refuse(operator, f"{rule}, not {source.scale}")


def _argmax(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> HostStep:
    axes = _integers(model, operator, 1)
    rank = len(source.shape)
    if len(axes) != 1 or axes[0] not in (-1, rank - 1) or out.shape != source.shape[:-1]:
        model.refuse(operator, f"must be over the last axis, not over {axes}")
    if out.dtype not in ("int32", "int64"):
        model.refuse(operator, f"output must be int32 or int64, not {out.dtype}")
    return Argmax(dtype=out.dtype)


def _check_shape(
    model: TfliteModel, operator: TfliteOperator, source: TfliteTensor, out: TfliteTensor
) -> None:
    if out.shape != source.shape:
        model.refuse(operator, f"output must have shape {source.shape}, not {out.shape}")


def _check_integer(model: TfliteModel, operator: TfliteOperator, tensor: TfliteTensor) -> None:
    if tensor.dtype not in _INTEGERS or len(tensor.scales) != 1:
        rule = f"tensor {tensor.name!r} must be int8 or uint8 of one scale"
        model.refuse(operator, f"{rule}, not {tensor.dtype} of {len(tensor.scales)}")
    limits = np.iinfo(tensor.dtype)
    if not limits.min <= tensor.zero_point <= limits.max:
        rule = f"zero point of tensor {tensor.name!r} must be {tensor.dtype}"
        model.refuse(operator, f"{rule}, not {tensor.zero_point}")
    if not (np.isfinite(tensor.scale) and tensor.scale > 0):
        model.refuse(operator, f"scale of tensor {tensor.name!r} must be positive")


def _integers(model: TfliteModel, operator: TfliteOperator, position: int) -> list[int]:
    data: Any = None
    if position < len(operator.inputs) and operator.inputs[position] >= 0:
        data = model.tensors[operator.inputs[position]].data
    if data is None or not np.issubdtype(data.dtype, np.integer):
        model.refuse(operator, f"input {position} must be constant integers")
    values: list[int] = data.reshape(-1).tolist()
    return values


HOST_OPERATORS = {
    "QUANTIZE": HostOperator(
        before=True, after=True, make=_quantize,
        conditions="float32, int8 or uint8 to int8 or uint8",
    ),
    "DEQUANTIZE": HostOperator(
        before=False, after=True, make=_dequantize, conditions="int8 or uint8 to float32"
    ),
    "SOFTMAX": HostOperator(
        before=False, after=True, make=_softmax,
        conditions="int8 in TensorFlow Lite Micro's bits, or float32",
    ),
    "LOGISTIC": HostOperator(
        before=False, after=True, make=_logistic,
        conditions="int8 in TensorFlow Lite Micro's bits, or float32",
    ),
    "LOG_SOFTMAX": HostOperator(
        before=False, after=True, make=_log_softmax,
        conditions="int8 in TensorFlow Lite Micro's bits, or float32",
    ),
    "ARG_MAX": HostOperator(
        before=False, after=True, make=_argmax, conditions="over the last axis"
    ),
    "RESHAPE": HostOperator(before=True, after=True, make=_reshape, conditions="of any type"),
    "SQUEEZE": HostOperator(before=True, after=True, make=_reshape, conditions="of any type"),
    "EXPAND_DIMS": HostOperator(before=True, after=True, make=_reshape, conditions="of any type"),
    "TRANSPOSE": HostOperator(
        before=True, after=True, make=_transpose, conditions="the batch stays first"
    ),
}  # fmt: skip
"""Steps that the host computes, by operator."""
