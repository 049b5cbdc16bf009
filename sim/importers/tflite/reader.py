"""Reading a TensorFlow Lite flatbuffer; whatever is wrong with the file is one line.

The flatbuffer accessors trust every offset in the file, so a damaged one raises anything. All of
the file is therefore read here, into plain objects that are checked, and nowhere else.
"""

import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import tflite
from flatbuffers.number_types import Int8Flags, Int32Flags
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError, printable
from sim.importers.tflite.model import TfliteModel, TfliteOperator, TfliteTensor
from sim.spec.errors import DesignFileError

__all__ = ["CONTENTS", "parse_tflite"]

_IDENTIFIER = b"TFL3"
_IDENTIFIER_OFFSET = 4
_MAX_RANK = 8
_MAX_ITEMS = 1 << 16
"""Most tensors, and most operators, in a graph."""

_MAX_GRAPHS = 1 << 4
"""Most graphs; those behind the first assign variables."""

_MAX_ENDS = 1 << 12
"""Most inputs, and most outputs, of an operator.

Parts of a flatbuffer may be shared, so that a small file can have very many long lists.
"""

_MAX_NAME_BYTES = 1 << 12

_DEPRECATED_CODE, _BUILTIN_CODE = 4, 10
"""Places of the two fields in the table ``OperatorCode``; see :func:`_code_number`."""

_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}
_OPTION_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOptions).items() if isinstance(value, int)
}
_DTYPES = {
    value: name.lower() for name, value in vars(tflite.TensorType).items() if isinstance(value, int)
}

_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        (
            "Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth",
            "FusedActivationFunction",
        ),
    ),
    "CALL_ONCE": ("CallOnceOptions", ("InitSubgraphIndex",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "CONV_2D": (
        "Conv2DOptions",
        (
            "Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor",
            "FusedActivationFunction",
        ),
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        (
            "Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor",
            "FusedActivationFunction", "DepthMultiplier",
        ),
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", ("AlignCorners", "HalfPixelCenters")),
    "RESIZE_NEAREST_NEIGHBOR": (
        "ResizeNearestNeighborOptions",
        ("AlignCorners", "HalfPixelCenters"),
    ),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "SPLIT": ("SplitOptions", ("NumSplits",)),
    "SPLIT_V": ("SplitVOptions", ("NumSplits",)),
    "SQUEEZE": ("SqueezeOptions", ("SqueezeDims",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "SVDF": ("SVDFOptions", ("Rank", "FusedActivationFunction")),
    "TRANSPOSE_CONV": (
        "TransposeConvOptions",
        ("Padding", "StrideH", "StrideW", "FusedActivationFunction"),
    ),
    "VAR_HANDLE": ("VarHandleOptions", ("Container", "SharedName")),
}  # fmt: skip
_OPTIONS["MAX_POOL_2D"] = _OPTIONS["AVERAGE_POOL_2D"]

_UNREAD_OPTIONS = {
    "ARG_MAX": "ArgMaxOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LOG_SOFTMAX": "LogSoftmaxOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "SLICE": "SliceOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "TRANSPOSE": "TransposeOptions",
}
"""Options that say nothing which the shapes of the tensors do not; of RELU and its like there are none."""

CONTENTS = ("int8", "int16", "int32", "int64", "uint8", "float32")
"""Types of constants that some operator reads, or refuses by name."""

_DAMAGE = (
    struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError, OverflowError,
)  # fmt: skip
"""Exceptions that the accessors raise where an offset or a length is wrong."""


def parse_tflite(content: bytes, what: str) -> TfliteModel:
    """Parse a model; ``what`` names it in errors.

    Raises
    ------
    DesignFileError
        If it is not a complete model.
    UnsupportedModelError
        If it has parts that this reader does not know.
    """
    if content[_IDENTIFIER_OFFSET : _IDENTIFIER_OFFSET + 4] != _IDENTIFIER:
        raise DesignFileError(f"{what} must be a TensorFlow Lite model ({_IDENTIFIER.decode()})")
    try:
        return _model(content, what)
    except _DAMAGE:
        raise DesignFileError(f"{what} is truncated or damaged") from None


def _model(content: bytes, what: str) -> TfliteModel:
    root = tflite.Model.GetRootAs(content, 0)
    if not 1 <= root.SubgraphsLength() <= _MAX_GRAPHS:
        raise UnsupportedModelError(f"model must have one graph, not {root.SubgraphsLength()}")
    first, *further = (_graph(root, i, what) for i in range(root.SubgraphsLength()))
    return replace(first, graphs=tuple(further))


def _graph(root: Any, place: int, what: str) -> TfliteModel:
    graph = root.Subgraphs(place)
    for kind, count in (
        ("tensors", graph.TensorsLength()),
        ("operators", graph.OperatorsLength()),
    ):
        if count > _MAX_ITEMS:
            raise UnsupportedModelError(f"model must have at most {_MAX_ITEMS} {kind}, not {count}")
    tensors = tuple(_tensor(root, graph, i, what) for i in range(graph.TensorsLength()))
    operators = tuple(
        _operator(root, graph, i, len(tensors)) for i in range(graph.OperatorsLength())
    )
    ends = [_indices(v, len(tensors)) for v in (graph.InputsAsNumpy(), graph.OutputsAsNumpy())]
    if min(ends[0] + ends[1], default=0) < 0:
        raise ValueError("an end of the graph must be a tensor")
    return TfliteModel(tensors=tensors, operators=operators, inputs=ends[0], outputs=ends[1])


def _tensor(root: Any, graph: Any, index: int, what: str) -> TfliteTensor:
    table = graph.Tensors(index)
    shape = tuple(int(size) for size in _vector(table.ShapeAsNumpy(), _MAX_RANK))
    signature = [int(size) for size in _vector(table.ShapeSignatureAsNumpy(), _MAX_RANK)]
    name = _text(table.Name())
    number = table.Type()
    dtype = _DTYPES.get(number, f"type {number}")
    quantization = table.Quantization()
    scales = np.zeros(0, np.float32)
    zero_points = np.zeros(0, np.int64)
    axis = 0
    if quantization is not None:
        scales = _vector(quantization.ScaleAsNumpy()).astype(np.float32, copy=False)
        zero_points = _vector(quantization.ZeroPointAsNumpy()).astype(np.int64, copy=False)
        axis = int(quantization.QuantizedDimension())
        if not len(zero_points):  # means 0
            zero_points = np.broadcast_to(np.int64(0), scales.shape)
        if len(zero_points) != len(scales):
            rule = f"zero points of tensor {name!r} must be as many as its {len(scales)} scales"
            raise DesignFileError(printable(f"{what}: {rule}, not {len(zero_points)}"))
    if table.Sparsity() is not None:
        raise UnsupportedModelError(f"tensor {name!r} must not be sparse")
    return TfliteTensor(
        index=index,
        name=name,
        shape=shape,
        variable_axes=tuple(i for i, size in enumerate(signature) if size < 0),
        dtype=dtype,
        scales=scales,
        zero_points=zero_points,
        axis=axis,
        variable=bool(table.IsVariable()),
        data=_constant(root, table.Buffer(), shape, dtype, f"{what}: tensor {name!r}"),
        unread=dtype not in CONTENTS and root.Buffers(table.Buffer()).DataLength() > 0,
    )


def _constant(
    root: Any, buffer_index: int, shape: tuple[int, ...], dtype: str, what: str
) -> NDArray[Any] | None:
    """Content of a tensor, None if it is computed; types that no operator reads are passed over.

    It is a view of the file, for many tensors may share one buffer.
    """
    if not 0 <= buffer_index < root.BuffersLength():
        raise ValueError("buffer")
    buffer = root.Buffers(buffer_index)
    if buffer.Offset() > 1:
        raise UnsupportedModelError("model must not keep weights outside its flatbuffer")
    if not buffer.DataLength() or dtype not in CONTENTS:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    data = buffer.DataAsNumpy()
    expected = math.prod(shape) * kind.itemsize
    if min(shape, default=1) < 0 or data.size != expected:
        rule = f"must have {expected} bytes for its shape {shape}, not {data.size}"
        raise DesignFileError(printable(f"{what} {rule}"))
    content: NDArray[Any] = data.view(kind).reshape(shape)
    return content.astype(dtype, copy=False)


def _operator(root: Any, graph: Any, index: int, tensors: int) -> TfliteOperator:
    table = graph.Operators(index)
    code_index = table.OpcodeIndex()
    if not 0 <= code_index < root.OperatorCodesLength():
        raise ValueError("operator code")
    code = root.OperatorCodes(code_index)
    number = _code_number(code)
    name = _NAMES.get(number, f"number {number}")
    if name == "CUSTOM":
        name = f"CUSTOM {_text(code.CustomCode())}"
    outputs = _indices(table.OutputsAsNumpy(), tensors)
    if min(outputs, default=0) < 0:
        raise ValueError("an output must be a tensor")
    options, wrong = _options(name, table)
    return TfliteOperator(
        index=index,
        name=name,
        inputs=_indices(table.InputsAsNumpy(), tensors),
        outputs=outputs,
        options=options,
        wrong_options=wrong,
    )


def _code_number(code: Any) -> int:
    """Number of a builtin operator: the larger of two fields, of which either may be left out.

    Numbers above 127 do not fit into the older field, which older files have alone. The
    accessor ``BuiltinCode`` of the package returns the older field for small numbers, hence the table
    itself is read.
    """
    table = code._tab
    numbers = [0]
    for place, kind in ((_DEPRECATED_CODE, Int8Flags), (_BUILTIN_CODE, Int32Flags)):
        offset = table.Offset(place)
        if offset:
            numbers.append(int(table.Get(kind, offset + table.Pos)))
    return max(numbers)


def _options(name: str, operator: Any) -> tuple[dict[str, Any], str]:
    """Fields of an operator's options, and the name of the table if it is another operator's."""
    kind, fields = _OPTIONS.get(name, (_UNREAD_OPTIONS.get(name, "NONE"), ()))
    union = operator.BuiltinOptions()
    number = operator.BuiltinOptionsType()
    if operator.CustomOptionsLength():
        return dict.fromkeys(fields, 0), "custom ones"
    if union is None or not number:
        return dict.fromkeys(fields, 0), ""
    if number != getattr(tflite.BuiltinOptions, kind):
        return dict.fromkeys(fields, 0), _OPTION_NAMES.get(number, f"number {number}")
    if not fields:
        return {}, ""
    table = getattr(tflite, kind)()
    table.Init(union.Bytes, union.Pos)
    return {field: _option(table, field) for field in fields}, ""


def _option(table: Any, field: str) -> Any:
    """A number, or a tuple of them."""
    vector = getattr(table, f"{field}AsNumpy", None)
    if vector is None:
        return getattr(table, field)()
    return tuple(_vector(vector(), _MAX_RANK).tolist())


def _indices(vector: Any, count: int) -> tuple[int, ...]:
    indices = tuple(int(index) for index in _vector(vector, _MAX_ENDS))
    if not all(-1 <= index < count for index in indices):
        raise ValueError("an index must be of a tensor")
    return indices


def _text(content: bytes | None) -> str:
    if content is not None and len(content) > _MAX_NAME_BYTES:
        raise UnsupportedModelError(
            f"names must have at most {_MAX_NAME_BYTES} bytes, not {len(content)}"
        )
    return (content or b"").decode(errors="replace")


def _vector(vector: Any, most: int | None = None) -> NDArray[Any]:
    """A list of at most so many numbers; the accessors return the number 0 for an absent list."""
    if isinstance(vector, int):
        return np.zeros(0, np.int64)
    if most is not None and len(vector) > most:
        raise UnsupportedModelError(f"lists must have at most {most} entries, not {len(vector)}")
    return np.asarray(vector)
