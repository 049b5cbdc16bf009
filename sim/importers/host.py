"""Steps of the host around the accelerator: from a model's input to int8, and on to its output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, create_model

from sim import golden
from sim.importers.softmax import log_softmax_int8, logistic_int8, softmax_int8
from sim.spec.documents import Record, checked
from sim.spec.errors import CosilicoError
from sim.spec.network import SCALE, VALUES_LIMIT
from sim.spec.rules import Choice, Integer, Number, Rule, Shape

__all__ = [
    "PORT_TYPES",
    "STEPS",
    "Argmax",
    "Clamp",
    "Dequantize",
    "HostProgram",
    "HostStep",
    "LogSoftmax",
    "Logistic",
    "ModelPort",
    "Quantize",
    "QuantizeHalfEven",
    "Requantize",
    "Reshape",
    "Softmax",
    "Transpose",
    "run_steps",
]

_Array = NDArray[Any]

PORT_TYPES = ("int8", "uint8", "int32", "int64", "float32")
"""Types at the ends of a model."""

STEPS_LIMIT = 64
"""Most steps on one side of a network."""


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

_SHAPE = Shape(0, 8, 1, VALUES_LIMIT)
_INT32 = Integer(-(2**31), 2**31 - 1)

_RULES: Mapping[str, Rule] = {
    "scale": SCALE,
    "beta": Number(1e-6, 1e6),
    "zero_point": _INT32,
    "multiplier": Integer(0, 2**31 - 1),
    "shift": Integer(-31, 30),
    "input_zero_point": _INT32,
    "output_zero_point": _INT32,
    "low": _INT32,
    "high": _INT32,
    "dtype": Choice(PORT_TYPES),
    "shape": _SHAPE,
    "axes": Shape(0, 8, 0, 7),
}
"""Rules of the steps' fields, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPort:
    """Type and shape of one inference at an end of the model."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProgram:
    """Everything that a model does outside the accelerator.

    Parameters
    ----------
    input, output : ModelPort
        The model's own; an inference is a row of an array.
    before, after : tuple of HostStep
        To the network's int8 input [height, width, channels], and from its logits on.
    logits_shape : tuple of int
        In which the model holds what the network computes.
    """

    input: ModelPort
    before: tuple[HostStep, ...]
    logits_shape: tuple[int, ...]
    after: tuple[HostStep, ...]
    output: ModelPort

    def prepare(self, x: _Array) -> NDArray[np.int8]:
        """Turn the model's inputs [N, ...] into the network's, int8[N, height, width, channels].

        Raises
        ------
        CosilicoError
            If ``x`` is not of the model's input type and shape, or has a value without int8 form.
        """
        if x.dtype != np.dtype(self.input.dtype) or x.shape[1:] != self.input.shape or not len(x):
            shape = ", ".join(map(str, self.input.shape))
            raise CosilicoError(
                f"x must be {self.input.dtype} of shape (N, {shape}), "
                f"not {x.dtype} of shape {x.shape}"
            )
        return run_steps(self.before, x)

    def logits(self, y: NDArray[np.int8]) -> NDArray[np.int8]:
        """Bring the network's output, int8[N, height, width, channels], into the model's shape."""
        return y.reshape(len(y), *self.logits_shape)

    def finish(self, logits: NDArray[np.int8]) -> _Array:
        """Turn the logits that :meth:`logits` gives into the model's outputs [N, ...]."""
        return run_steps(self.after, logits)

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the host program as a JSON object."""
        return {
            "input": _port_json(self.input),
            "before": [_step_json(step) for step in self.before],
            "logits_shape": list(self.logits_shape),
            "after": [_step_json(step) for step in self.after],
            "output": _port_json(self.output),
        }

    @classmethod
    def from_json(cls, data: Any) -> "HostProgram":
        """Build a host program from the object of :meth:`to_json`.

        Raises
        ------
        DesignFileError
            If a field is missing, of another type or range, or unknown.
        """
        record = checked(_HostRecord, data, "host")
        return cls(
            input=ModelPort(**dict(record.input)),
            before=_steps(record.before, "before"),
            logits_shape=record.logits_shape,
            after=_steps(record.after, "after"),
            output=ModelPort(**dict(record.output)),
        )


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


def _port_json(port: ModelPort) -> dict[str, Any]:
    return {"dtype": port.dtype, "shape": list(port.shape)}


def _step_json(step: Any) -> dict[str, Any]:
    (kind,) = (name for name, type_ in STEPS.items() if type(step) is type_)
    values = {name: getattr(step, name) for name in step.__slots__}
    return {"kind": kind} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


class _PortRecord(Record):
    dtype: Annotated[str, _RULES["dtype"]]
    shape: Annotated[tuple[int, ...], _SHAPE]


class _HostRecord(Record):
    input: _PortRecord
    before: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]
    logits_shape: Annotated[tuple[int, ...], _SHAPE]
    after: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]
    output: _PortRecord


class _AnyStep(Record):
    """A step of which only the kind is known; it decides which other fields there are."""

    model_config = ConfigDict(extra="ignore")

    kind: Annotated[str, Choice(tuple(STEPS))]


_STEP_RECORDS: Mapping[str, type[Record]] = {
    kind: create_model(  # type: ignore[call-overload]  # fields by name
        kind,
        __base__=Record,
        kind=(str, ...),
        **{name: (Annotated[Any, _RULES[name]], ...) for name in step.__slots__},
    )
    for kind, step in STEPS.items()
}
"""Schemas of the steps: the fields of their classes, and the kind."""


def _steps(items: Sequence[Any], name: str) -> tuple[HostStep, ...]:
    return tuple(_step(item, f"host.{name}[{i}]") for i, item in enumerate(items))


def _step(data: Any, where: str) -> HostStep:
    kind = checked(_AnyStep, data, where).kind
    values = dict(checked(_STEP_RECORDS[kind], data, where))
    del values["kind"]
    step: HostStep = STEPS[kind](**values)
    return step
