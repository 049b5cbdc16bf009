"""Whether a host's steps fit each other and the network between them: types and shapes alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.importers.host import (
    Argmax,
    Clamp,
    Dequantize,
    HostProgram,
    HostStep,
    Logistic,
    LogSoftmax,
    Quantize,
    QuantizeHalfEven,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from sim.spec.errors import DesignFileError
from sim.spec.network import VALUES_LIMIT, Network

__all__ = ["require_fit"]

_INTEGERS = ("int8", "uint8", "int32")


@dataclass(frozen=True, slots=True)
class _Value:
    """One inference between two steps."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """Type and shape as numpy names them."""
        return f"{self.dtype} of shape {self.shape}"


def require_fit(host: HostProgram, network: Network) -> None:
    """Raise :class:`DesignFileError` where a step cannot take what the step before it gives."""
    if len(host.starts) != len(network.inputs):
        rule = f"must be {len(network.inputs) - 1}, for the network's inputs but the first"
        raise DesignFileError(f"host.further_inputs {rule}, not {len(host.further_inputs)}")
    for index, (start, source) in enumerate(zip(host.starts, network.inputs, strict=True)):
        where = f"further_inputs[{index - 1}]." if index else ""
        model_input = _Value(start.input.dtype, start.input.shape)
        size = math.prod(model_input.shape)
        if size > VALUES_LIMIT:
            rule = f"must have at most {VALUES_LIMIT} values, not {size}"
            raise DesignFileError(f"host.{where}input {rule}")
        given = _after(start.before, model_input, f"{where}before")
        _require(f"host.{where}before", given, "int8", source.shape)
    logits = _Value("int8", host.logits_shape)
    if math.prod(logits.shape) != math.prod(network.output.shape):
        raise DesignFileError(
            f"host.logits_shape must have the values of {network.output.shape}, not {logits.shape}"
        )
    result = _after(host.after, logits, "after")
    _require("host.after", result, host.output.dtype, host.output.shape)
    for index, end in enumerate(host.further):
        where = f"further[{index}]"
        if end.tensor not in network.outputs:
            known = ", ".join(network.outputs)
            raise DesignFileError(f"host.{where}.tensor must be one of {known}, not {end.tensor!r}")
        logits, shape = _Value("int8", end.logits_shape), network.tensors[end.tensor].shape
        if math.prod(logits.shape) != math.prod(shape):
            rule = f"must have the values of {shape}, not {logits.shape}"
            raise DesignFileError(f"host.{where}.logits_shape {rule}")
        result = _after(end.after, logits, f"{where}.after")
        _require(f"host.{where}.after", result, end.output.dtype, end.output.shape)


def _require(what: str, value: _Value, dtype: str, shape: tuple[int, ...]) -> None:
    expected = _Value(dtype, shape)
    if value != expected:
        raise DesignFileError(f"{what} must give {expected}, not {value}")


def _after(steps: Sequence[HostStep], value: _Value, side: str) -> _Value:
    for index, step in enumerate(steps):
        result = _next(step, value)
        if result is None:
            raise DesignFileError(f"host.{side}[{index}] must be a step for {value}, not {step}")
        value = result
    return value


def _next(step: HostStep, value: _Value) -> _Value | None:
    """Value that a step makes of another; None where it takes no such value."""
    shape, dtype = value.shape, value.dtype
    result: _Value | None = None
    match step:
        case Quantize() | QuantizeHalfEven():
            if dtype == "float32" and step.dtype in ("int8", "uint8"):
                result = _Value(step.dtype, shape)
        case Requantize():
            if dtype in _INTEGERS and step.dtype in _INTEGERS:
                result = _Value(step.dtype, shape)
        case Dequantize():
            if dtype in _INTEGERS:
                result = _Value("float32", shape)
        case Reshape():
            if math.prod(step.shape) == math.prod(shape):
                result = _Value(dtype, step.shape)
        case Transpose():
            if sorted(step.axes) == list(range(len(shape))):
                result = _Value(dtype, tuple(shape[axis] for axis in step.axes))
        case Clamp():
            if dtype in _INTEGERS and step.low <= step.high:
                result = value
        case Logistic():
            if dtype in ("int8", "float32"):
                result = value
        case Softmax() | LogSoftmax():
            if shape and dtype in ("int8", "float32"):
                result = value
        case Argmax():
            if shape and step.dtype in ("int32", "int64"):
                result = _Value(step.dtype, shape[:-1])
    return result
