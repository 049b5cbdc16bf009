"""Reading ONNX files into plain objects."""

from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from sim.importers.errors import UnsupportedModelError
from sim.importers.onnx_model import OnnxEnd, OnnxModel, OnnxNode
from sim.spec.errors import DesignFileError

__all__ = ["parse_onnx"]

_STANDARD = ("", "ai.onnx")


def parse_onnx(content: bytes, what: str) -> OnnxModel:
    """Parse a model; ``what`` names it in errors.

    Raises
    ------
    DesignFileError
        If it is not a complete model.
    UnsupportedModelError
        If its weights are kept in another file.
    """
    try:
        proto = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise DesignFileError(f"{what} is truncated or not an ONNX model") from None
    if not proto.ir_version or not proto.graph.node:
        raise DesignFileError(f"{what} is truncated or not an ONNX model")
    try:
        return _model(proto)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise DesignFileError(f"{what} is damaged") from None


def _model(proto: onnx.ModelProto) -> OnnxModel:
    graph = proto.graph
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise UnsupportedModelError(f"tensor {name!r} must not be sparse")
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    nodes = []
    for index, node in enumerate(graph.node):
        attributes = {one.name: _attribute(one) for one in node.attribute}
        if node.op_type == "Constant" and isinstance(attributes.get("value"), np.ndarray):
            constants[node.output[0]] = attributes["value"]
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
    versions = [one.version for one in proto.opset_import if one.domain in _STANDARD]
    return OnnxModel(
        nodes=tuple(nodes),
        constants=constants,
        inputs=tuple(_end(one) for one in graph.input if one.name not in constants),
        outputs=tuple(_end(one) for one in graph.output),
        opset=max(versions, default=1),
    )


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise UnsupportedModelError(f"tensor {tensor.name!r} must be kept in the model's own file")
    return np.asarray(numpy_helper.to_array(tensor))


def _attribute(attribute: onnx.AttributeProto) -> Any:
    if attribute.type == onnx.AttributeProto.TENSOR:
        return _array(attribute.t)
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _end(value: onnx.ValueInfoProto) -> OnnxEnd:
    tensor = value.type.tensor_type
    sizes = [
        axis.dim_value if axis.HasField("dim_value") else (axis.dim_param or None)
        for axis in tensor.shape.dim
    ]
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    return OnnxEnd(
        name=value.name, dtype="float32" if dtype == "float" else dtype, shape=tuple(sizes)
    )
