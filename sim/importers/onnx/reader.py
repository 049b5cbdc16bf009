"""Reading ONNX files into plain objects; whatever is wrong with the file is one line.

Parsing, with the libraries that raise anything on foreign bytes, ends here: what comes after works on
objects whose types are known.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, numpy_helper

from sim.importers.errors import UnsupportedModelError, printable
from sim.importers.onnx.model import OnnxEnd, OnnxModel, OnnxNode
from sim.importers.onnx.wire import require_bounded
from sim.spec.errors import DesignFileError

__all__ = ["parse_onnx"]

_STANDARD = ("", "ai.onnx")
_MAX_ITEMS = 1 << 16
"""Most nodes in a graph."""

_MAX_LIST = 1 << 12
"""Most numbers in an attribute; an object for each takes many times what it takes in the file."""

_DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""Exceptions that the library raises on a tensor whose parts do not fit together."""

_TYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.INT16: "int16",
    TensorProto.UINT16: "uint16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
}
"""Types of constants, of which some operator reads a few; others are refused."""


def parse_onnx(content: bytes, what: str) -> OnnxModel:
    """Parse a model; ``what`` names it in errors.

    Raises
    ------
    DesignFileError
        If it is not a complete model, or breaks a rule of the format.
    UnsupportedModelError
        If it has parts that are never read: weights in another file, sparse weights, functions;
        or very many of any.
    """
    require_bounded(content)
    try:
        proto = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise DesignFileError(f"{what} is truncated or not an ONNX model") from None
    if not proto.ir_version or not proto.graph.node:
        raise DesignFileError(f"{what} is truncated or not an ONNX model")
    _check_parts(proto)
    _check_rules(proto, what)
    return _model(proto, what)


def _check_parts(proto: onnx.ModelProto) -> None:
    """Refuse what would be read from elsewhere or stand for something else."""
    graph = proto.graph
    if len(graph.node) > _MAX_ITEMS:
        raise UnsupportedModelError(
            f"model must have at most {_MAX_ITEMS} nodes, not {len(graph.node)}"
        )
    if proto.functions:
        name = proto.functions[0].name
        raise UnsupportedModelError(f"model must not define functions, such as {name!r}")
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise UnsupportedModelError(f"tensor {name!r} must not be sparse")
    for tensor in _tensors(graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise UnsupportedModelError(
                f"tensor {tensor.name!r} must be kept in the model's own file"
            )


def _tensors(graph: onnx.GraphProto) -> Iterable[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def _check_rules(proto: onnx.ModelProto, what: str) -> None:
    """Ask the format's own checker; an output may leave its shape open, as runtimes allow."""
    for end in proto.graph.output:
        if end.type.HasField("tensor_type"):
            end.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        text = str(error)
        reason = next(iter(text.strip().splitlines()), "").rstrip(". ")
        where = re.search(r"Name: (.*?) OpType: (\S+)", text)
        node = f" (node {where[2]} {where[1]!r})" if where else ""
        line = printable(f"{reason}{node}")
        raise DesignFileError(f"{what} is not valid ONNX: {line}") from None
    except _DAMAGE:
        raise DesignFileError(f"{what} is damaged") from None


def _given(attributes: Mapping[str, Any]) -> NDArray[Any] | None:
    """Content of a Constant, which has it as a tensor, a number or a list of them; None where it has text."""
    if isinstance(attributes.get("value"), np.ndarray):
        return np.asarray(attributes["value"])
    for kind, dtype in (("int", np.int64), ("float", np.float32)):
        for name in (f"value_{kind}", f"value_{kind}s"):
            if name in attributes:
                return np.array(attributes[name], dtype)
    return None


def _model(proto: onnx.ModelProto, what: str) -> OnnxModel:
    graph = proto.graph
    outputs = [_end(end, open_shape=not end.type.tensor_type.shape.dim) for end in graph.output]
    constants: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise DesignFileError(f"{what} has two tensors {tensor.name!r}")
        constants[tensor.name] = _array(tensor, what)
    nodes = []
    for index, node in enumerate(graph.node):
        attributes = {field.name: _attribute(field, what) for field in node.attribute}
        if len(attributes) != len(node.attribute):
            raise DesignFileError(f"{what} has a node {index} with an attribute given twice")
        if node.op_type == "Constant" and (given := _given(attributes)) is not None:
            constants[node.output[0]] = given
            continue
        nodes.append(
            OnnxNode(
                index=index,
                name=node.name,
                operator=node.op_type,
                domain="" if node.domain in _STANDARD else node.domain,
                inputs=tuple(node.input),
                outputs=tuple(node.output),
                attributes=attributes,
            )
        )
    versions = [opset.version for opset in proto.opset_import if opset.domain in _STANDARD]
    return OnnxModel(
        nodes=tuple(nodes),
        constants=constants,
        inputs=tuple(_end(end) for end in graph.input if end.name not in constants),
        outputs=tuple(outputs),
        opset=max(versions, default=1),
    )


def _array(tensor: TensorProto, what: str) -> NDArray[Any]:
    dtype = _TYPES.get(tensor.data_type)
    if dtype is None:
        # Never read; where an operator reads it, the type is refused there.
        return np.zeros(0, np.void)
    try:
        data = np.asarray(numpy_helper.to_array(tensor))
    except _DAMAGE:
        line = printable(f"tensor {tensor.name!r} must have as many values as its shape")
        raise DesignFileError(f"{what}: {line}") from None
    return data


def _attribute(attribute: AttributeProto, what: str) -> Any:
    """A value whose type follows from the attribute's; None for types that no operator here has."""
    for values in (attribute.ints, attribute.floats):
        if len(values) > _MAX_LIST:
            rule = f"attribute {attribute.name!r} must have at most {_MAX_LIST} numbers"
            raise UnsupportedModelError(f"{rule}, not {len(values)}")
    match attribute.type:
        case AttributeProto.INT:
            return int(attribute.i)
        case AttributeProto.FLOAT:
            return float(attribute.f)
        case AttributeProto.STRING:
            return attribute.s.decode(errors="replace")
        case AttributeProto.INTS:
            return [int(value) for value in attribute.ints]
        case AttributeProto.FLOATS:
            return [float(value) for value in attribute.floats]
        case AttributeProto.TENSOR:
            return _array(attribute.t, what)
    return None


def _end(value: onnx.ValueInfoProto, *, open_shape: bool = False) -> OnnxEnd:
    tensor = value.type.tensor_type
    sizes = [
        axis.dim_value if axis.HasField("dim_value") else (axis.dim_param or None)
        for axis in tensor.shape.dim
    ]
    dtype = _TYPES.get(tensor.elem_type, f"type {tensor.elem_type}")
    if not tensor.elem_type:
        dtype = "undefined"
    return OnnxEnd(name=value.name, dtype=dtype, shape=None if open_shape else tuple(sizes))
