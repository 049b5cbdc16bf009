"""Reading a TensorFlow Lite flatbuffer; whatever is wrong with the file is one line.

The flatbuffer accessors trust every offset in the file, so a damaged one raises anything. All of
the file is therefore read here, into plain objects that are checked, and nowhere else.
"""

import math
import struct
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from sim.importers.errors import UnsupportedModelError
from sim.importers.tflite_model import TfliteModel, TfliteOperator, TfliteTensor
from sim.spec.errors import DesignFileError

__all__ = ["parse_tflite"]

_IDENTIFIER = b"TFL3"
_IDENTIFIER_OFFSET = 4
_MAX_RANK = 8

_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
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
            "FusedActivationFunction",
        ),
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
}  # fmt: skip
_OPTIONS["MAX_POOL_2D"] = _OPTIONS["AVERAGE_POOL_2D"]

_DAMAGE = (
    struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError, OverflowError,
    MemoryError,
)  # fmt: skip
"""What the accessors raise where an offset or a length is wrong."""


def parse_tflite(content: bytes, what: str) -> TfliteModel:
    """Parse a model; ``what`` names it in errors.

    Raises
    ------
    DesignFileError
        If it is not a complete model.
    UnsupportedModelError
        If it has more than one graph, or parts that this reader does not know.
    """
    if content[_IDENTIFIER_OFFSET : _IDENTIFIER_OFFSET + 4] != _IDENTIFIER:
        raise DesignFileError(f"{what} must be a TensorFlow Lite model ({_IDENTIFIER.decode()})")
    try:
        return _model(content)
    except _DAMAGE:
        raise DesignFileError(f"{what} is truncated or damaged") from None


def _model(content: bytes) -> TfliteModel:
    root = tflite.Model.GetRootAs(content, 0)
    if root.SubgraphsLength() != 1:
        raise UnsupportedModelError(f"model must have one graph, not {root.SubgraphsLength()}")
    graph = root.Subgraphs(0)
    tensors = tuple(_tensor(root, graph, i) for i in range(graph.TensorsLength()))
    operators = tuple(
        _operator(root, graph, i, len(tensors)) for i in range(graph.OperatorsLength())
    )
    ends = [_indices(one, len(tensors)) for one in (graph.InputsAsNumpy(), graph.OutputsAsNumpy())]
    if min(ends[0] + ends[1], default=0) < 0:
        raise ValueError("an end of the graph must be a tensor")
    return TfliteModel(tensors=tensors, operators=operators, inputs=ends[0], outputs=ends[1])


def _tensor(root: Any, graph: Any, index: int) -> TfliteTensor:
    table = graph.Tensors(index)
    shape = tuple(int(size) for size in _vector(table.ShapeAsNumpy()))
    if len(shape) > _MAX_RANK:
        raise ValueError("rank")
    signature = [int(size) for size in _vector(table.ShapeSignatureAsNumpy())]
    name = (table.Name() or b"").decode(errors="replace")
    dtype = _DTYPES[table.Type()]
    quantization = table.Quantization()
    scales = np.zeros(0, np.float32)
    zero_points = np.zeros(0, np.int64)
    axis = 0
    if quantization is not None:
        scales = _vector(quantization.ScaleAsNumpy()).astype(np.float32)
        zero_points = _vector(quantization.ZeroPointAsNumpy()).astype(np.int64)
        axis = int(quantization.QuantizedDimension())
        if len(zero_points) != len(scales):
            # No zero points at all means 0.
            if len(zero_points):
                raise ValueError("scales and zero points must be as many")
            zero_points = np.zeros(len(scales), np.int64)
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
        data=_constant(root, table.Buffer(), shape, dtype),
    )


def _constant(root: Any, buffer_index: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Content of a tensor, None for one that is computed; types that no operator reads are passed over."""
    if not 0 <= buffer_index < root.BuffersLength():
        raise ValueError("buffer")
    buffer = root.Buffers(buffer_index)
    if buffer.Offset() > 1:
        raise UnsupportedModelError("model must not keep weights outside its flatbuffer")
    if not buffer.DataLength() or dtype not in ("int8", "int32", "int64", "uint8", "float32"):
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    data = buffer.DataAsNumpy()
    if min(shape, default=1) < 0 or data.size != math.prod(shape) * kind.itemsize:
        raise ValueError("a constant must have as many bytes as its shape")
    return np.frombuffer(data.tobytes(), kind).reshape(shape).astype(dtype)


def _operator(root: Any, graph: Any, index: int, tensors: int) -> TfliteOperator:
    table = graph.Operators(index)
    code_index = table.OpcodeIndex()
    if not 0 <= code_index < root.OperatorCodesLength():
        raise ValueError("operator code")
    code = root.OperatorCodes(code_index)
    # Codes above 127 stand in the newer field only; files of before it have only the older.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _NAMES.get(number, f"number {number}")
    if name == "CUSTOM":
        name = f"CUSTOM {(code.CustomCode() or b'').decode(errors='replace')}"
    outputs = _indices(table.OutputsAsNumpy(), tensors)
    if min(outputs, default=-1) < 0:
        raise ValueError("an operator must have outputs")
    return TfliteOperator(
        index=index,
        name=name,
        inputs=_indices(table.InputsAsNumpy(), tensors),
        outputs=outputs,
        options=_options(name, table),
    )


def _options(name: str, operator: Any) -> dict[str, Any]:
    if name not in _OPTIONS:
        return {}
    kind, fields = _OPTIONS[name]
    union = operator.BuiltinOptions()
    if union is None:
        return dict.fromkeys(fields, 0)
    if operator.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, kind):
        raise ValueError("options must be those of the operator")
    table = getattr(tflite, kind)()
    table.Init(union.Bytes, union.Pos)
    return {field: getattr(table, field)() for field in fields}


def _indices(vector: Any, count: int) -> tuple[int, ...]:
    found = tuple(int(index) for index in _vector(vector))
    if not all(-1 <= index < count for index in found):
        raise ValueError("an index must be of a tensor")
    return found


def _vector(vector: Any) -> NDArray[Any]:
    """The accessors return the number 0 for a vector that is not there."""
    return np.zeros(0, np.int64) if isinstance(vector, int) else np.asarray(vector)
