"""Steps of the host around the accelerator: from a model's input to int8, and on to its output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, create_model

from sim.importers.steps import (
    STEPS,
    TO_INT8,
    TO_UINT8,
    UNIT_FACTOR,
    Argmax,
    Clamp,
    Dequantize,
    HostStep,
    Logistic,
    LogSoftmax,
    Quantize,
    QuantizeHalfEven,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
    run_steps,
)
from sim.spec.documents import Record, checked
from sim.spec.errors import CosilicoError
from sim.spec.network import NAME, SCALE, VALUES_LIMIT
from sim.spec.rules import Choice, Integer, Number, Rule, Shape

__all__ = [
    "PORT_TYPES",
    "STEPS",
    "TO_INT8",
    "TO_UINT8",
    "UNIT_FACTOR",
    "Argmax",
    "Clamp",
    "Dequantize",
    "HostEnd",
    "HostProgram",
    "HostStart",
    "HostStep",
    "LogSoftmax",
    "Logistic",
    "ModelInputs",
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

ModelInputs: TypeAlias = _Array | Sequence[_Array]
"""Inputs of a model: of one input an array [N, ...], of several such an array for each."""

PORT_TYPES = ("int8", "uint8", "int32", "int64", "float32")
"""Types at the ends of a model."""

STEPS_LIMIT = 64
"""Most steps on one side of a network."""


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
class HostStart:
    """One of several inputs of a model.

    Parameters
    ----------
    input, before
        As of :class:`HostProgram`.
    """

    input: ModelPort
    before: tuple[HostStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnd:
    """One of several outputs of a model.

    Parameters
    ----------
    tensor : str
        The network's output that it begins with.
    logits_shape, after, output
        As of :class:`HostProgram`.
    """

    tensor: str
    logits_shape: tuple[int, ...]
    after: tuple[HostStep, ...]
    output: ModelPort


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
        In which the model holds what the network computes: its first output.
    further : tuple of HostEnd
        The model's outputs but the first, in its order.
    further_inputs : tuple of HostStart
        The model's inputs but the first, in its order and that of the network's.
    """

    input: ModelPort
    before: tuple[HostStep, ...]
    logits_shape: tuple[int, ...]
    after: tuple[HostStep, ...]
    output: ModelPort
    further: tuple[HostEnd, ...] = ()
    further_inputs: tuple[HostStart, ...] = ()

    @property
    def starts(self) -> tuple[HostStart, ...]:
        """All of the model's inputs."""
        return (HostStart(input=self.input, before=self.before), *self.further_inputs)

    def prepare(self, x: ModelInputs) -> NDArray[np.int8]:
        """Turn the model's inputs into the network's, int8[N, height, width, channels].

        Those of several inputs become int8[N, values], as :func:`sim.spec.inputs.split` divides them.

        Raises
        ------
        CosilicoError
            If ``x`` is not of the model's input types and shapes, or has a value without int8 form.
        """
        given = [x] if isinstance(x, np.ndarray) else list(x)
        if len(given) != len(self.starts):
            rule = f"must be {len(self.starts)} arrays, one for each input of the model"
            raise CosilicoError(f"x {rule}, not {len(given)}")
        made = []
        for place, (start, values) in enumerate(zip(self.starts, given, strict=True)):
            name = f"x.{place}" if place else "x"
            made.append(_prepared(start, values, name))
            if len(values) != len(given[0]):
                rule = f"{name} must have {len(given[0])} inferences, as x has"
                raise CosilicoError(f"{rule}, not {len(values)}")
        if len(made) == 1:
            return made[0]
        return np.concatenate([values.reshape(len(values), -1) for values in made], axis=1)

    def logits(self, y: NDArray[np.int8]) -> NDArray[np.int8]:
        """Bring the network's first output, int8[N, height, width, channels], into the model's shape."""
        return y.reshape(len(y), *self.logits_shape)

    def all_outputs(self, values: Mapping[str, NDArray[np.int8]]) -> list[tuple[_Array, _Array]]:
        """(logits, output) of each of the model's outputs, from the network's tensors by name.

        The first tensor is the first output's.
        """
        logits = self.logits(next(iter(values.values())))
        pairs = [(logits, self.finish(logits))]
        for end in self.further:
            y = values[end.tensor]
            logits = y.reshape(len(y), *end.logits_shape)
            pairs.append((logits, run_steps(end.after, logits)))
        return pairs

    def finish(self, logits: NDArray[np.int8]) -> _Array:
        """Turn the logits that :meth:`logits` gives into the model's outputs [N, ...]."""
        return run_steps(self.after, logits)

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the host program as a JSON object."""
        starts = [_start_json(start) for start in self.further_inputs]
        return {
            "input": _port_json(self.input),
            "before": [_step_json(step) for step in self.before],
            "logits_shape": list(self.logits_shape),
            "after": [_step_json(step) for step in self.after],
            "output": _port_json(self.output),
            **({"further": [_end_json(end) for end in self.further]} if self.further else {}),
            **({"further_inputs": starts} if starts else {}),
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
            further=tuple(
                HostEnd(
                    tensor=end.tensor,
                    logits_shape=end.logits_shape,
                    after=_steps(end.after, f"further[{index}].after"),
                    output=ModelPort(**dict(end.output)),
                )
                for index, end in enumerate(record.further)
            ),
            further_inputs=tuple(
                HostStart(
                    input=ModelPort(**dict(start.input)),
                    before=_steps(start.before, f"further_inputs[{index}].before"),
                )
                for index, start in enumerate(record.further_inputs)
            ),
        )


def _prepared(start: HostStart, x: _Array, name: str) -> NDArray[np.int8]:
    """Run the steps of an input of the model, which must be as its port says."""
    port = start.input
    if x.dtype != np.dtype(port.dtype) or x.shape[1:] != port.shape or not len(x):
        shape = ", ".join(map(str, port.shape))
        raise CosilicoError(
            f"{name} must be {port.dtype} of shape (N, {shape}), not {x.dtype} of shape {x.shape}"
        )
    return run_steps(start.before, x)


def _port_json(port: ModelPort) -> dict[str, Any]:
    return {"dtype": port.dtype, "shape": list(port.shape)}


def _step_json(step: Any) -> dict[str, Any]:
    (kind,) = (name for name, type_ in STEPS.items() if type(step) is type_)
    values = {name: getattr(step, name) for name in step.__slots__}
    return {"kind": kind} | {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def _start_json(start: HostStart) -> dict[str, Any]:
    return {
        "input": _port_json(start.input),
        "before": [_step_json(step) for step in start.before],
    }


def _end_json(end: HostEnd) -> dict[str, Any]:
    return {
        "tensor": end.tensor,
        "logits_shape": list(end.logits_shape),
        "after": [_step_json(step) for step in end.after],
        "output": _port_json(end.output),
    }


class _PortRecord(Record):
    dtype: Annotated[str, _RULES["dtype"]]
    shape: Annotated[tuple[int, ...], _SHAPE]


class _EndRecord(Record):
    tensor: Annotated[str, NAME]
    logits_shape: Annotated[tuple[int, ...], _SHAPE]
    after: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]
    output: _PortRecord


class _StartRecord(Record):
    input: _PortRecord
    before: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]


class _HostRecord(Record):
    input: _PortRecord
    before: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]
    logits_shape: Annotated[tuple[int, ...], _SHAPE]
    after: Annotated[list[dict[str, Any]], Field(max_length=STEPS_LIMIT)]
    output: _PortRecord
    further: Annotated[list[_EndRecord], Field(max_length=STEPS_LIMIT)] = Field(
        default_factory=list
    )
    further_inputs: Annotated[list[_StartRecord], Field(max_length=STEPS_LIMIT)] = Field(
        default_factory=list
    )


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
