"""Writing TensorFlow Lite models, for tests that need chosen numbers in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

__all__ = ["CodeFields", "ModelWriter", "WrittenOperator", "WrittenTensor"]

_VERSION = 3
_PLACEHOLDER = 127
"""Value of an operator code's older field where the number does not fit in it."""


class CodeFields(StrEnum):
    """Fields that say which operator it is: writers set the newer, the older or both."""

    BOTH = "both"
    NEWER = "newer"
    OLDER = "older"


_OPTIONS = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SLICE": "SliceOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "VAR_HANDLE": "VarHandleOptions",
}


@dataclass(frozen=True, slots=True)
class WrittenTensor:
    """A tensor as it is written; ``buffer`` is the index of its content.

    ``variable`` says that its content stays from one inference to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    buffer: int
    signature: tuple[int, ...]
    variable: bool = False


@dataclass(frozen=True, slots=True)
class WrittenOperator:
    """An operator as it is written; ``table`` names the table of its options.

    ``custom`` are the options of an operator that is none of TensorFlow Lite's own.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str
    options: dict[str, Any]
    custom: bytes = b""


@dataclass(slots=True)
class ModelWriter:
    """A model; tensors and operators of its graph are appended, then :meth:`finish` encodes.

    An operator's version is the highest that any kernel asked for here looks at. ``further`` are graphs that operators of
    the first one call; these have neither inputs nor outputs.
    """

    tensors: list[WrittenTensor] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    operators: list[WrittenOperator] = field(default_factory=list)
    further: list["ModelWriter"] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        scales: Sequence[float] = (),
        zero_points: Sequence[int] | None = None,
        axis: int = 0,
        data: NDArray[Any] | None = None,
        name: str | None = None,
        signature: Sequence[int] = (),
        variable: bool = False,
    ) -> int:
        """Append a tensor, a constant if it has ``data``; return its index."""
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append(np.ascontiguousarray(data, np.dtype(dtype)).tobytes())
        points = [0] * len(scales) if zero_points is None else zero_points
        self.tensors.append(
            WrittenTensor(
                name or f"tensor{len(self.tensors)}",
                tuple(shape),
                dtype,
                tuple(scales),
                tuple(points),
                axis,
                buffer,
                tuple(signature),
                variable,
            )
        )
        return len(self.tensors) - 1

    def constant(self, data: Any, dtype: str, **quantization: Any) -> int:
        """Append a constant; return its index."""
        array = np.asarray(data, np.dtype(dtype))
        return self.tensor(array.shape, dtype, data=array, **quantization)

    def operator(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any
    ) -> None:
        """Append an operator; ``options`` are the fields of its table by TensorFlow Lite's names."""
        self.operator_of_table(name, inputs, outputs, _OPTIONS.get(name, ""), options)

    def operator_of_table(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        table: str,
        options: Mapping[str, Any],
    ) -> None:
        """Append an operator whose options are those of any table, of none if its name is empty."""
        self.operators.append(
            WrittenOperator(name, tuple(inputs), tuple(outputs), table, dict(options))
        )

    @property
    def operator_names(self) -> set[str]:
        """Kinds of operators so far."""
        return {operator.name for operator in self.operators}

    def finish(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        code_fields: CodeFields = CodeFields.BOTH,
    ) -> bytes:
        """Encode the model."""
        builder = flatbuffers.Builder(1024)
        graphs = [self, *self.further]
        names = list(dict.fromkeys(node.name for graph in graphs for node in graph.operators))
        contents = [content for graph in graphs for content in graph.buffers]
        buffers = [_buffer(builder, content) for content in contents]
        encoded, first = [], 0
        for graph in graphs:
            ends = (inputs, outputs) if graph is self else ((), ())
            encoded.append(graph._graph(builder, names, first, *ends))
            first += len(graph.buffers)
        codes = [_code(builder, name, code_fields) for name in names]
        root = _table(
            builder,
            "Model",
            {
                "Version": _VERSION,
                "OperatorCodes": _offsets(builder, codes),
                "Subgraphs": _offsets(builder, encoded),
                "Buffers": _offsets(builder, buffers),
            },
        )
        builder.Finish(root, b"TFL3")
        return bytes(builder.Output())

    def _graph(
        self,
        builder: Any,
        names: Sequence[str],
        first_buffer: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
    ) -> int:
        """Encode the graph, whose buffers begin at ``first_buffer`` among the model's."""
        tensors = [_encode_tensor(builder, tensor, first_buffer) for tensor in self.tensors]
        operators = [
            _encode_operator(builder, names.index(operator.name), operator)
            for operator in self.operators
        ]
        parts = {
            "Tensors": _offsets(builder, tensors),
            "Inputs": _numbers(builder, inputs, np.int32),
            "Outputs": _numbers(builder, outputs, np.int32),
            "Operators": _offsets(builder, operators),
        }
        return _table(builder, "SubGraph", parts)


def _table(builder: Any, name: str, fields: Mapping[str, Any]) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(builder, value)
    offset: int = getattr(tflite, f"{name}End")(builder)
    return offset


def _buffer(builder: Any, content: bytes) -> int:
    if not content:
        return _table(builder, "Buffer", {})
    # Kernels read constants in place as 16-byte aligned arrays.
    builder.StartVector(1, len(content), 16)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return _table(builder, "Buffer", {"Data": builder.EndVector()})


def _encode_tensor(builder: Any, tensor: WrittenTensor, first_buffer: int) -> int:
    fields = {
        "Shape": _numbers(builder, tensor.shape, np.int32),
        "Name": builder.CreateString(tensor.name),
        "Type": getattr(tflite.TensorType, tensor.dtype.upper()),
        "Buffer": tensor.buffer + first_buffer if tensor.buffer else 0,
    }
    if tensor.variable:
        fields["IsVariable"] = True
    if tensor.signature:
        fields["ShapeSignature"] = _numbers(builder, tensor.signature, np.int32)
    if tensor.scales:
        quantization = {
            "Scale": _numbers(builder, tensor.scales, np.float32),
            "ZeroPoint": _numbers(builder, tensor.zero_points, np.int64),
            "QuantizedDimension": tensor.axis,
        }
        fields["Quantization"] = _table(builder, "QuantizationParameters", quantization)
    return _table(builder, "Tensor", fields)


def _encode_operator(builder: Any, code: int, operator: WrittenOperator) -> int:
    fields = {
        "OpcodeIndex": code,
        "Inputs": _numbers(builder, operator.inputs, np.int32),
        "Outputs": _numbers(builder, operator.outputs, np.int32),
    }
    if operator.table:
        values = {key: _option(builder, value) for key, value in operator.options.items()}
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.table)
        fields["BuiltinOptions"] = _table(builder, operator.table, values)
    if operator.custom:
        fields["CustomOptions"] = builder.CreateByteVector(operator.custom)
    return _table(builder, "Operator", fields)


def _option(builder: Any, value: Any) -> Any:
    """Encode what a table of options points to: lists of numbers and strings; numbers are in the table."""
    if isinstance(value, str):
        return builder.CreateString(value)
    return _numbers(builder, value, np.int32) if isinstance(value, tuple) else value


def _code(builder: Any, name: str, code_fields: CodeFields) -> int:
    number = getattr(tflite.BuiltinOperator, name)
    fields = {"Version": 1}
    if code_fields is not CodeFields.NEWER:
        fields["DeprecatedBuiltinCode"] = min(number, _PLACEHOLDER)
    if code_fields is not CodeFields.OLDER:
        fields["BuiltinCode"] = number
    return _table(builder, "OperatorCode", fields)


def _numbers(builder: Any, values: Sequence[Any], kind: type) -> int:
    offset: int = builder.CreateNumpyVector(np.array(values, kind))
    return offset


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    vector: int = builder.EndVector()
    return vector
