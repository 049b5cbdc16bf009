"""Lowering of ONNX operators that only move values, and of those at the output."""

import math
from dataclasses import replace

import numpy as np

from sim.importers.host import (
    TO_UINT8,
    Argmax,
    Dequantize,
    HostStep,
    Logistic,
    LogSoftmax,
    QuantizeHalfEven,
    Reshape,
    Softmax,
    Transpose,
)
from sim.importers.onnx import functions
from sim.importers.onnx.activations import applied, applied_to_integers
from sim.importers.onnx.folding import ARITHMETIC
from sim.importers.onnx.lowering import ONNX_OPERATORS, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import (
    Constant,
    Function,
    HostInput,
    HostOutput,
    Quantization,
    Quantized,
    Shape,
    Value,
)

__all__ = ["host_output", "quantized_output"]

_BOOKKEEPING = "nothing: the order of values is kept account of; `reshape` on the host"


def host_output(source: Quantized) -> HostOutput:
    """The model's form of an activation: its order, type and, if real, real values."""
    quantization = source.quantization
    steps: tuple[HostStep, ...] = (Reshape(shape=source.shape[1:]),)
    dtype = quantization.dtype
    if source.real:
        dtype = "float32"
        scale = float(quantization.scale)
        steps = (*steps, Dequantize(scale=scale, zero_point=quantization.zero_point))
    elif dtype == "uint8":
        steps = (*steps, TO_UINT8)
    return HostOutput(source=source, steps=steps, shape=source.shape, dtype=dtype)


def quantized_output(value: HostOutput, given: Quantization) -> HostOutput:
    """Quantize on the host what it computed."""
    shift = 128 * (given.dtype == "uint8")
    step = QuantizeHalfEven(
        scale=float(given.scale), zero_point=given.zero_point + shift, dtype=given.dtype
    )
    return replace(value, steps=(*value.steps, step), dtype=given.dtype)


def _reshaped(lowering: OnnxLowering, node: OnnxNode, value: Value, shape: Shape) -> Value:
    if isinstance(value, Constant | Function):
        node.refuse("input must be an activation")
    if shape[:1] != (1,) or min(shape) < 1 or math.prod(shape) != math.prod(value.shape):
        rule = f"output must hold the values of {value.shape} with the batch of 1 first"
        node.refuse(f"{rule}, not have shape {shape}")
    if isinstance(value, HostInput | HostOutput):
        return replace(value, steps=(*value.steps, Reshape(shape=shape[1:])), shape=shape)
    lowering.count(node, value.places.size)
    return replace(value, shape=shape, places=value.places.reshape(shape[1:]))


def _shaped(lowering: OnnxLowering, node: OnnxNode) -> tuple[Value, Shape]:
    """The first input, a Pad done, and its shape."""
    value = lowering.value(node, 0)
    if isinstance(value, Constant):
        node.refuse(f"input {node.inputs[0]!r} must not be a constant")
    if isinstance(value, Function):
        value = lowering.activation(node)
    if isinstance(value, Quantized):
        value = lowering.padded(node, value)
    return value, value.shape


@lowers("Flatten", becomes=_BOOKKEEPING, conditions="axis 1")
def _flatten(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value, shape = _shaped(lowering, node)
    axis = node.integer("axis", 1)
    if axis not in (1, 1 - len(shape)):
        node.refuse(f"axis must be 1, not {axis}")
    return _reshaped(lowering, node, value, (1, math.prod(shape)))


@lowers("Reshape", becomes=_BOOKKEEPING, conditions="a constant shape; the batch stays first")
def _reshape(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value, shape = _shaped(lowering, node)
    wanted = lowering.integers(node, 1)
    if not node.integer("allowzero", 0):
        if any(size == 0 and i >= len(shape) for i, size in enumerate(wanted)):
            node.refuse(f"shape {wanted} must copy axes that the input {shape} has")
        wanted = [size or shape[i] for i, size in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = math.prod(size for size in wanted if size != -1)
        if rest < 1 or math.prod(shape) % rest:
            node.refuse(f"shape {wanted} must divide the {math.prod(shape)} values of the input")
        wanted = [math.prod(shape) // rest if size == -1 else size for size in wanted]
    return _reshaped(lowering, node, value, tuple(wanted) or (0,))


def _axes(lowering: OnnxLowering, node: OnnxNode) -> list[int] | None:
    given = node.optional_integers("axes")
    if given is not None:
        return given
    return lowering.integers(node, 1) if node.has_input(1) else None


@lowers("Squeeze", becomes=_BOOKKEEPING, conditions="the batch stays")
def _squeeze(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value, shape = _shaped(lowering, node)
    given = _axes(lowering, node)
    axes = {node.axis(axis, len(shape)) for axis in given or ()}
    if not axes or 0 in axes or any(shape[axis] != 1 for axis in axes):
        node.refuse(f"axes must be of size 1 and not the batch, not {given}")
    return _reshaped(lowering, node, value, tuple(n for i, n in enumerate(shape) if i not in axes))


@lowers("Unsqueeze", becomes=_BOOKKEEPING, conditions="the batch stays first")
def _unsqueeze(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value, shape = _shaped(lowering, node)
    given = _axes(lowering, node) or []
    rank = len(shape) + len(given)
    axes = {node.axis(axis, rank) for axis in given}
    if not axes or 0 in axes or len(axes) != len(given):
        node.refuse(f"axes must be new ones behind the batch, not {given}")
    sizes = iter(shape)
    return _reshaped(
        lowering, node, value, tuple(1 if i in axes else next(sizes) for i in range(rank))
    )


@lowers("Identity", becomes="nothing", conditions="any input")
def _identity(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return lowering.value(node, 0)


@lowers("Dropout", becomes="nothing", conditions="inference only; a mask that nothing reads")
def _dropout(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if any(name and not lowering.unread(name) for name in node.outputs[1:]):
        node.refuse("must have one output: masks are not supported")
    if node.has_input(2) and lowering.constant(node, 2).any():
        node.refuse("must be in inference mode")
    return lowering.value(node, 0)


@lowers("Shape", becomes="nothing: shapes are fixed", conditions="any input")
def _shape(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value = lowering.value(node, 0)
    sizes = value.data.shape if isinstance(value, Constant) else value.shape
    start, end = node.integer("start", 0), node.integer("end", len(sizes))
    return Constant(data=np.array(sizes[start:end], np.int64))


@lowers(
    *sorted(ARITHMETIC - ONNX_OPERATORS.keys()),
    becomes="nothing: computed while importing",
    conditions="of constants, as in computed shapes",
)
def _arithmetic(lowering: OnnxLowering, node: OnnxNode) -> Value:
    node.refuse("of activations is not supported, only of a few constants")


def _order(node: OnnxNode, rank: int) -> list[int]:
    """Axes in the order that a Transpose asks for."""
    given = node.optional_integers("perm")
    order = list(range(rank))[::-1] if given is None else given
    if sorted(order) != list(range(rank)):
        node.refuse(f"perm must be an order of the {rank} axes, not {order}")
    return order


@lowers(
    "Transpose",
    becomes="nothing: the order of values is kept account of; `transpose` on the host",
    conditions="the batch stays first",
)
def _transpose(lowering: OnnxLowering, node: OnnxNode) -> Value:
    constant = lowering.value(node, 0)
    if isinstance(constant, Constant):
        if constant.scales is not None and constant.scales.size > 1:
            node.refuse("a constant of several scales must be transposed before DequantizeLinear")
        order = _order(node, constant.data.ndim)
        return replace(constant, data=constant.data.transpose(*order))
    value, shape = _shaped(lowering, node)
    order = _order(node, len(shape))
    if order[0] != 0:
        node.refuse(f"perm must be an order of the axes with the batch first, not {order}")
    axes, turned = tuple(axis - 1 for axis in order[1:]), tuple(shape[axis] for axis in order)
    if isinstance(value, HostInput | HostOutput):
        return replace(value, steps=(*value.steps, Transpose(axes=axes)), shape=turned)
    assert not isinstance(value, Constant | Function)
    return replace(value, shape=turned, places=value.places.transpose(axes))


def _output(lowering: OnnxLowering, node: OnnxNode) -> HostOutput:
    value = lowering.value(node, 0)
    if not isinstance(value, HostOutput):
        value = host_output(lowering.activation(node))
    return replace(value, cause=f"node {node.index} {node.operator}")


_AT_THE_END = "at the output, over an axis behind which all have size 1"


@lowers("Softmax", becomes="`softmax` on the host", conditions=_AT_THE_END)
def _softmax(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _over_an_axis(lowering, node, Softmax(beta=1.0, scale=1.0))


@lowers("LogSoftmax", becomes="`log_softmax` on the host", conditions=_AT_THE_END)
def _log_softmax(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _over_an_axis(lowering, node, LogSoftmax(scale=1.0))


_HOST = (
    "ArgMax", "DequantizeLinear", "Dropout", "Flatten", "Identity", "LogSoftmax", "QuantizeLinear", "Reshape",
    "Sigmoid", "Softmax", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators that the host computes of what it has computed."""

_EITHER = "`logistic` on the host at the output; elsewhere an activation table, with `Mul` by its own input a single one"


@lowers(
    "Sigmoid",
    becomes=_EITHER,
    conditions="elsewhere between DequantizeLinear and QuantizeLinear, and an accelerator with `activation_table`",
)
def _sigmoid(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if not lowering.readers.all_among(node.outputs[0], _HOST):
        return applied(lowering, node, functions.sigmoid)
    value = _output(lowering, node)
    if value.dtype != "float32":
        node.refuse(f"must be of real values, not of {value.dtype}")
    return replace(value, steps=(*value.steps, Logistic(scale=1.0, zero_point=0)))


@lowers("QLinearSoftmax", becomes="`softmax` on the host", conditions=_AT_THE_END)
def _qlinear_softmax(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value = _real_output(lowering, node)
    opset = node.integer("opset", lowering.model.opset)
    result = _along(node, value, Softmax(beta=1.0, scale=1.0), opset)
    return quantized_output(result, lowering.quantization(node, 3, 4, "uint8"))


@lowers(
    "QLinearSigmoid", becomes=_EITHER, conditions="elsewhere an accelerator with `activation_table`"
)
def _qlinear_sigmoid(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if not lowering.readers.all_among(node.outputs[0], _HOST):
        return applied_to_integers(lowering, node, functions.sigmoid)
    value = _real_output(lowering, node)
    result = replace(value, steps=(*value.steps, Logistic(scale=1.0, zero_point=0)))
    return quantized_output(result, lowering.quantization(node, 3, 4, "uint8"))


def _real_output(lowering: OnnxLowering, node: OnnxNode) -> HostOutput:
    """Real values of the integers that a quantized operator reads."""
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    value = host_output(replace(lowering.padded(node, source), real=True))
    return replace(value, cause=f"node {node.index} {node.operator}")


def _over_an_axis(lowering: OnnxLowering, node: OnnxNode, step: HostStep) -> HostOutput:
    """A step over the axis that the node names, which is made the last."""
    return _along(node, _output(lowering, node), step, lowering.model.opset)


def _along(node: OnnxNode, value: HostOutput, step: HostStep, opset: int) -> HostOutput:
    rank = len(value.shape)
    axis = node.axis(node.integer("axis", -1 if opset >= 13 else 1), rank)
    behind = value.shape[axis + 1 :]
    if axis == 0 or math.prod(behind) != 1 or value.dtype != "float32":
        node.refuse(f"must be over the last axis of real values, not {axis} of {value.dtype}")
    if not behind:
        return replace(value, steps=(*value.steps, step))
    flat = Reshape(shape=value.shape[1 : axis + 1])
    return replace(value, steps=(*value.steps, flat, step, Reshape(shape=value.shape[1:])))


@lowers("ArgMax", becomes="`argmax` on the host", conditions="at the output, over the last axis")
def _argmax(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value = _output(lowering, node)
    rank = len(value.shape)
    axis = node.integer("axis", 0)
    if node.axis(axis, rank) != rank - 1 or node.integer("select_last_index", 0):
        node.refuse(f"must be the first over the last axis, not {axis}")
    steps: tuple[HostStep, ...] = (*value.steps, Argmax(dtype="int64"))
    shape = value.shape[:-1]
    if node.integer("keepdims", 1):
        shape = (*shape, 1)
        steps = (*steps, Reshape(shape=shape[1:]))
    return replace(value, steps=steps, shape=shape, dtype="int64")
