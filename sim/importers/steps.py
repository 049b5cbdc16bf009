"""Steps that the host computes before and after the accelerator, one inference a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.softmax import log_softmax_int8, logistic_int8, softmax_int8
from sim.spec.errors import CosilicoError

__all__ = [
    "STEPS",
    "TO_INT8",
    "TO_UINT8",
    "UNIT_FACTOR",
    "Argmax",
    "Clamp",
    "Dequantize",
    "HostStep",
    "LogSoftmax",
    "Logistic",
    "Quantize",
    "QuantizeHalfEven",
    "Requantize",
    "Reshape",
    "Softmax",
    "Transpose",
    "run_steps",
]

_Array = NDArray[Any]


class HostStep(Protocol):
    """A step of the host, on arrays whose first axis counts inferences."""

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize:
    """Quantizes float32 to int8 or uint8: round(x / scale) + zero_point, clamped; divides in float32."""

    scale: float
    zero_point: int
    dtype: str

    def run(self, x: _Array) -> _Array:
        """Return the step's result.

        Raises
        ------
        CosilicoError
            If a value is infinite or not a number.
        """
        ratio = _ratio(x, self.scale)
        # Half away from zero; float64 holds a float32 and a half exactly where it matters.
        rounded = np.copysign(np.floor(np.abs(ratio) + 0.5), ratio)
        return _saturated(rounded + self.zero_point, self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeHalfEven:
    """:class:`Quantize` with ties to even, as ONNX's QuantizeLinear."""

    scale: float
    zero_point: int
    dtype: str

    def run(self, x: _Array) -> _Array:
        """Return the step's result.

        Raises
        ------
        CosilicoError
            If a value is infinite or not a number.
        """
        return _saturated(np.rint(_ratio(x, self.scale)) + self.zero_point, self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requantize:
    """Brings integers to another type and scale, as TensorFlow Lite Micro's QUANTIZE."""

    multiplier: int
    shift: int
    input_zero_point: int
    output_zero_point: int
    dtype: str

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        limits = np.iinfo(self.dtype)
        centred = x.astype(np.int32) - self.input_zero_point
        scaled = golden.requantize(centred, self.multiplier, self.shift).astype(np.int64)
        return (scaled + self.output_zero_point).clip(limits.min, limits.max).astype(self.dtype)


UNIT_FACTOR = (1 << 30, 1)
"""Multiplier and shift of a factor of 1."""

TO_INT8 = Requantize(
    multiplier=UNIT_FACTOR[0],
    shift=UNIT_FACTOR[1],
    input_zero_point=128,
    output_zero_point=0,
    dtype="int8",
)
"""uint8 as the int8 of the same real value."""

TO_UINT8 = Requantize(
    multiplier=UNIT_FACTOR[0],
    shift=UNIT_FACTOR[1],
    input_zero_point=0,
    output_zero_point=128,
    dtype="uint8",
)
"""int8 as the uint8 of the same real value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize:
    """Dequantizes int8 or uint8 to float32: scale · (x - zero_point), rounded once."""

    scale: float
    zero_point: int

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        result: _Array = (self.scale * (x.astype(np.float64) - self.zero_point)).astype(np.float32)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    """Gives the values of an inference another shape, in their order."""

    shape: tuple[int, ...]

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        return x.reshape(len(x), *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose:
    """Gives the axes of an inference another order: axis i of the result is axis ``axes[i]``."""

    axes: tuple[int, ...]

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        result: _Array = np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in self.axes)))
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Softmax over the last axis.

    int8 (of ``scale``) in fixed point with TensorFlow Lite Micro's bits; float32 in float32, where
    the last bits depend on the machine's exponential function.
    """

    beta: float
    scale: float

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        if x.dtype == np.int8:
            return softmax_int8(x, self.scale, self.beta)
        shifted = (x - x.max(axis=-1, keepdims=True)) * np.float32(self.beta)
        powers = np.exp(shifted.astype(np.float32))
        result: _Array = powers / powers.sum(axis=-1, keepdims=True, dtype=np.float32)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSoftmax:
    """Logarithm of softmax over the last axis, in the types and precision of :class:`Softmax`.

    The int8 result has scale 1/16 and zero point 127.
    """

    scale: float

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        if x.dtype == np.int8:
            return log_softmax_int8(x, self.scale)
        shifted = (x - x.max(axis=-1, keepdims=True)).astype(np.float32)
        sums = np.exp(shifted).sum(axis=-1, keepdims=True, dtype=np.float32)
        result: _Array = shifted - np.log(sums)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """Logistic function, the sigmoid, in the types and precision of :class:`Softmax`.

    The int8 result has scale 1/256 and zero point -128; float32 has scale 1 and zero point 0.
    """

    scale: float
    zero_point: int

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        if x.dtype == np.int8:
            return logistic_int8(x, self.scale, self.zero_point)
        with np.errstate(over="ignore"):  # 1 / (1 + infinity) is 0
            result: _Array = np.float32(1) / (np.float32(1) + np.exp(-x.astype(np.float32)))
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """Clamps integers to low … high."""

    low: int
    high: int

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        limits = np.iinfo(x.dtype)
        ends = [min(max(end, limits.min), limits.max) for end in (self.low, self.high)]
        result: _Array = x.clip(ends[0], ends[1])
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Argmax:
    """Index of the largest value on the last axis, the first of several."""

    dtype: str

    def run(self, x: _Array) -> _Array:
        """Return the step's result."""
        result: _Array = x.argmax(axis=-1).astype(self.dtype)
        return result


STEPS: dict[str, type[Any]] = {
    "quantize": Quantize,
    "quantize_half_even": QuantizeHalfEven,
    "requantize": Requantize,
    "dequantize": Dequantize,
    "reshape": Reshape,
    "transpose": Transpose,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "logistic": Logistic,
    "clamp": Clamp,
    "argmax": Argmax,
}
"""Steps by the name that ``network.json`` gives them."""


def run_steps(steps: Sequence[HostStep], x: _Array) -> _Array:
    """Compute steps one after the other."""
    for step in steps:
        x = step.run(x)
    return x


def _ratio(x: _Array, scale: float) -> _Array:
    """Divide numbers by a scale in single precision; refuse infinities and NaN."""
    if not np.isfinite(x).all():
        raise CosilicoError("x must hold finite numbers, but has infinities or NaN")
    with np.errstate(over="ignore"):  # what overflows is clamped
        result: _Array = (x.astype(np.float32) / np.float32(scale)).astype(np.float64)
    return result


def _saturated(values: _Array, dtype: str) -> _Array:
    limits = np.iinfo(dtype)
    result: _Array = values.clip(limits.min, limits.max).astype(dtype)
    return result
