"""TensorFlow Lite models that are odd, some of them legal: random models with parts exchanged.

The parts are those of the writer, so that the files are well-formed flatbuffers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from testbench.cases.tflite_models import drawn_model
from testbench.cases.tflite_writer import CodeFields, ModelWriter, WrittenOperator, WrittenTensor

__all__ = ["CHANGES", "Change", "odd_model", "random_changes"]

_NUMBERS = (-1, 0, 1, 2, 3, 4, 7, 127, 128, 1 << 16, (1 << 31) - 1)
_SCALES = (0.5, 1.0, 1e-9, 1e9, 1e-45, 3e38, 0.0, -1.0, float("nan"), float("inf"), 1 / 256)
_DTYPES = ("int8", "uint8", "int16", "int32", "int64", "float32")
_OPERATORS = (
    "ADD", "SUB", "MUL", "MAXIMUM", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD", "PADV2", "RELU", "RELU6", "QUANTIZE",
    "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SOFTMAX", "ARG_MAX",
    "RELU_N1_TO_1", "LOGISTIC", "ABS",
)  # fmt: skip
_TABLES = ("", "AddOptions", "SubOptions", "Pool2DOptions", "Conv2DOptions", "SoftmaxOptions")


class Change(NamedTuple):
    """A change to a TensorFlow Lite model that makes it odd.

    Parameters
    ----------
    kind : str
        One of ``CHANGES``.
    place, part, value : int
        Which operator or tensor, which of its parts, which of the values it may get; each counts
        on from the beginning where there are fewer.
    """

    kind: str
    place: int
    part: int
    value: int


def _nth(items: Sequence[Any], index: int) -> Any:
    return items[index % len(items)]


def _options(operator: WrittenOperator, part: int, value: int) -> WrittenOperator:
    if not operator.options:
        return operator
    name = _nth(sorted(operator.options), part)
    given = operator.options[name]
    number: Any = _nth(_NUMBERS, value)
    if isinstance(given, bool):
        number = not given
    elif isinstance(given, float):
        number = _nth(_SCALES, value)
    elif isinstance(given, tuple):
        number = (number,)
    elif name in ("Padding", "FusedActivationFunction", "WeightsFormat", "OutputType"):
        number = value % 6
    return replace(operator, options=operator.options | {name: number})


def _ends(operator: WrittenOperator, tensors: int, part: int, value: int) -> WrittenOperator:
    inputs = list(operator.inputs)
    if not inputs or part % 7 == 6:
        return replace(operator, inputs=(*inputs, value % tensors))
    if part % 7 == 5:
        return replace(operator, inputs=tuple(inputs[:-1]))
    inputs[part % len(inputs)] = value % (tensors + 1) - 1
    return replace(operator, inputs=tuple(inputs))


def _operator_change(
    kind: str, operator: WrittenOperator, tensors: int, part: int, value: int
) -> WrittenOperator:
    match kind:
        case "operator":
            return replace(operator, name=_nth(_OPERATORS, value))
        case "table":
            return replace(operator, table=_nth(_TABLES, value), options={})
        case "options":
            return _options(operator, part, value)
        case "inputs":
            return _ends(operator, tensors, part, value)
    return replace(operator, outputs=(value % tensors,) if part % 4 else ())


def _tensor_change(
    kind: str, tensor: WrittenTensor, buffers: int, part: int, value: int
) -> WrittenTensor:
    shape = list(tensor.shape)
    match kind:
        case "size":
            if shape:
                place = part % len(shape)
                shape[place] = _nth((1, 2, 3, shape[place] + 1, shape[place] * 2, *_NUMBERS), value)
            return replace(tensor, shape=tuple(shape))
        case "rank":
            changed = shape[1:] if part % 2 else [1, *shape]
            return replace(tensor, shape=tuple(changed))
        case "dtype":
            return replace(tensor, dtype=_nth(_DTYPES, value))
        case "scales":
            scales = ((_nth(_SCALES, value),), (), (0.5, 0.25))[part % 3]
            return replace(tensor, scales=scales, zero_points=(0,) * len(scales))
        case "zero_points":
            points = (_nth(_NUMBERS, value),) * (len(tensor.zero_points) if part % 3 else 1)
            return replace(tensor, zero_points=points)
        case "axis":
            return replace(tensor, axis=value % 6)
        case "open":
            signature = tuple(-1 if i == part % 4 else n for i, n in enumerate(shape))
            return replace(tensor, signature=signature)
    return replace(tensor, buffer=value % buffers)


_OF_OPERATORS = ("operator", "table", "options", "inputs", "outputs")
_OF_TENSORS = ("size", "rank", "dtype", "scales", "zero_points", "axis", "open", "buffer")
_OF_MODELS = ("exchange", "leave_out", "repeat", "data")

CHANGES = (*_OF_OPERATORS, *_OF_TENSORS, *_OF_MODELS)
"""Kinds of changes."""


def odd_model(seed: int, changes: Sequence[Change], code_fields: CodeFields) -> bytes:
    """``random_model(seed)`` with changes."""
    writer, begin, ends = drawn_model(seed)
    for change in changes:
        _apply(writer, change)
    return writer.finish([begin], ends, code_fields)


def _apply(writer: ModelWriter, change: Change) -> None:
    kind, place, part, value = change
    operators, tensors = writer.operators, writer.tensors
    if not operators:
        return
    at, tensor = place % len(operators), place % len(tensors)
    if kind in _OF_OPERATORS:
        operators[at] = _operator_change(kind, operators[at], len(tensors), part, value)
    elif kind in _OF_TENSORS:
        tensors[tensor] = _tensor_change(kind, tensors[tensor], len(writer.buffers), part, value)
    else:
        _model_change[kind](writer, at, value)


def _exchange(writer: ModelWriter, at: int, value: int) -> None:
    other = value % len(writer.operators)
    pair = writer.operators[other], writer.operators[at]
    writer.operators[at], writer.operators[other] = pair


def _leave_out(writer: ModelWriter, at: int, value: int) -> None:
    del writer.operators[at]


def _repeat(writer: ModelWriter, at: int, value: int) -> None:
    writer.operators.insert(at, writer.operators[at])


def _data(writer: ModelWriter, at: int, value: int) -> None:
    place = value % len(writer.buffers)
    content = bytearray(writer.buffers[place])
    if content:
        content[at % len(content)] ^= 1 << (value % 8)
    writer.buffers[place] = bytes(content)


_model_change: dict[str, Callable[[ModelWriter, int, int], None]] = {
    "exchange": _exchange,
    "leave_out": _leave_out,
    "repeat": _repeat,
    "data": _data,
}


def random_changes(rng: np.random.Generator) -> tuple[int, list[Change], CodeFields]:
    """Seed, changes and code fields for :func:`odd_model`."""
    changes = [
        Change(str(rng.choice(CHANGES)), *(int(n) for n in rng.integers(0, 1 << 16, 3)))
        for _ in range(int(rng.integers(0, 4)))
    ]
    return int(rng.integers(1 << 31)), changes, CodeFields(str(rng.choice(list(CodeFields))))
