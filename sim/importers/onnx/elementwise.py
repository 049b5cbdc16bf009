"""Lowering of ONNX quantization, sums, activations and padding."""

import math
from dataclasses import replace

import numpy as np

from sim.importers.host import Clamp, Dequantize, QuantizeHalfEven
from sim.importers.onnx.activations import applied, clipped_integers, quantized_function
from sim.importers.onnx.affine import constant_operand, plus, quantized_plus
from sim.importers.onnx.axes import as_node
from sim.importers.onnx.lowering import OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.shapes import quantized_output
from sim.importers.onnx.values import (
    Constant,
    Deferred,
    Function,
    HostInput,
    HostOutput,
    Quantized,
    Target,
    Value,
    node_places,
)
from sim.importers.quantization import add_multipliers
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__: list[str] = []

_REAL = "between DequantizeLinear and QuantizeLinear"


@lowers(
    "QuantizeLinear",
    becomes="part of the layer before or of its activation table; a `depthwise` of one tap of 1 where that is none; "
    "`quantize_half_even` on the host at the input",
    conditions="to int8 or uint8, of one scale; constants of any",
)
def _quantize(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value = lowering.value(node, 0)
    if node.integer("block_size", 0):
        node.refuse("block_size must be 0")
    if isinstance(value, Constant):
        return _quantized_constant(lowering, node, value)
    if isinstance(value, HostOutput):
        return _quantized_output(lowering, node, value)
    if not node.has_input(2) and node.integer("output_dtype", 0):
        node.refuse("zero point must be given with output_dtype")
    quantization = lowering.quantization(node, 1, 2, "uint8")
    if isinstance(value, HostInput) and value.quantization is None and value.held == "float32":
        step = QuantizeHalfEven(
            scale=float(quantization.scale), zero_point=quantization.zero_point, dtype="int8"
        )
        steps = (*value.steps, step)
        return replace(value, steps=steps, held="int8", quantization=quantization)
    if isinstance(value, Deferred):
        return lowering.quantize(value, node.outputs[0], quantization)
    if isinstance(value, Function):
        if not value.real:
            node.refuse(f"input {node.inputs[0]!r} must be real, not integers")
        return quantized_function(lowering, node, value, quantization)
    source = lowering.real_activation(node, padded=True)
    if source.quantization == quantization:
        return replace(source, real=False)
    return lowering.quantize(lowering.rescaled(node, source), node.outputs[0], quantization)


def _quantized_constant(lowering: OnnxLowering, node: OnnxNode, value: Constant) -> Constant:
    """Weights that are kept in floating point."""
    scales = lowering.constant(node, 1)
    zeros = lowering.constant(node, 2) if node.has_input(2) else np.zeros(1, np.uint8)
    if value.scales is not None or value.data.dtype != np.float32:
        node.refuse(f"input {node.inputs[0]!r} must be float32")
    if str(zeros.dtype) not in ("int8", "uint8"):
        node.refuse(f"output must be int8 or uint8, not {zeros.dtype}")
    if scales.dtype != np.float32 or not (np.isfinite(scales).all() and (scales > 0).all()):
        node.refuse(f"scales {node.inputs[1]!r} must be finite float32 and positive")
    if not np.isfinite(value.data).all():
        node.refuse(f"input {node.inputs[0]!r} must be finite")
    if zeros.size not in (1, scales.size) or not scales.size:
        node.refuse(f"zero points must be as many as the {scales.size} scales, not {zeros.size}")
    shape = [1] * value.data.ndim
    if scales.size > 1:
        axis = node.axis(node.integer("axis", 1), value.data.ndim)
        if value.data.shape[axis] != scales.size:
            node.refuse(f"scales must be as many as axis {axis} is long, not {scales.size}")
        shape[axis] = scales.size
    each = [v.reshape(shape) if v.size > 1 else v.reshape(-1)[0] for v in (scales, zeros)]
    limits = np.iinfo(zeros.dtype)
    rounded = np.rint(value.data / each[0]) + each[1].astype(np.int32)
    return Constant(data=rounded.clip(limits.min, limits.max).astype(zeros.dtype))


@lowers(
    "DequantizeLinear",
    becomes="nothing; `dequantize` on the host at the output",
    conditions="of the scale and zero point that the tensor was quantized with",
)
def _dequantize(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value, name = lowering.value(node, 0), node.inputs[0]
    if node.integer("block_size", 0):
        node.refuse("block_size must be 0")
    if isinstance(value, Constant):
        if value.scales is not None or str(value.data.dtype) not in ("int8", "uint8", "int32"):
            node.refuse(f"constant {name!r} must be int8, uint8 or int32, not {value.data.dtype}")
        zeros = np.zeros(1, np.int64)
        if node.has_input(2):
            given = lowering.constant(node, 2)
            if given.dtype != value.data.dtype:
                node.refuse(f"zero points must be {value.data.dtype}, not {given.dtype}")
            zeros = given.astype(np.int64).reshape(-1)
        scales, axis = lowering.constant(node, 1), node.integer("axis", 1)
        if scales.dtype != np.float32:
            node.refuse(f"scales {node.inputs[1]!r} must be float32, not {scales.dtype}")
        if scales.size > 1:
            axis = node.axis(axis, value.data.ndim)
            if value.data.shape[axis] != scales.size:
                node.refuse(f"scales must be as many as axis {axis} is long, not {scales.size}")
        if zeros.size not in (1, scales.size) or not scales.size:
            rule = f"zero points must be as many as the {scales.size} scales"
            node.refuse(f"{rule}, not {zeros.size}")
        return Constant(data=value.data, scales=scales, zero_points=zeros, axis=axis)
    if isinstance(value, HostOutput):
        return _dequantized_output(lowering, node, value)
    default = "uint8"
    if isinstance(value, Quantized | Function) and value.quantization is not None:
        default = value.quantization.dtype
    elif isinstance(value, HostInput):
        default = value.held if value.quantization is None else value.quantization.dtype
    quantization = lowering.quantization(node, 1, 2, default)
    if isinstance(value, HostInput) and value.held != "float32" and not value.real:
        known = value.quantization or replace(quantization, dtype=value.held)
        lowering.check_alike(node, name, known, quantization)
        return replace(value, quantization=quantization, real=True)
    if not isinstance(value, Quantized | Function) or value.real or value.quantization is None:
        node.refuse(f"input {name!r} must be a quantized activation")
    lowering.check_alike(node, name, value.quantization, quantization)
    return replace(value, real=True)


def _quantized_output(lowering: OnnxLowering, node: OnnxNode, value: HostOutput) -> HostOutput:
    """Quantize what the host computed."""
    if value.dtype != "float32":
        node.refuse(f"input {node.inputs[0]!r} must be real, not {value.dtype}")
    return quantized_output(value, lowering.quantization(node, 1, 2, "uint8"))


def _dequantized_output(lowering: OnnxLowering, node: OnnxNode, value: HostOutput) -> HostOutput:
    """Make real what the host quantized."""
    if value.dtype not in ("int8", "uint8"):
        node.refuse(f"input {node.inputs[0]!r} must be int8 or uint8, not {value.dtype}")
    given = lowering.quantization(node, 1, 2, value.dtype)
    if given.dtype != value.dtype:
        node.refuse(f"zero point must be {value.dtype}, not {given.dtype}")
    shift = 128 * (given.dtype == "uint8")
    step = Dequantize(scale=float(given.scale), zero_point=given.zero_point + shift)
    return replace(value, steps=(*value.steps, step), dtype="float32")


@lowers(
    "Add",
    becomes="`add`; of a constant a `depthwise` of one tap, or part of the layer before",
    conditions=f"{_REAL}; two activations of one shape, or a constant for each channel",
)
def _add(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if (position := constant_operand(lowering, node)) is not None:
        return plus(lowering, node, position)
    operands = [lowering.real_activation(node, position) for position in range(2)]
    return _sum(lowering, node, *operands)


@lowers(
    "QLinearAdd",
    becomes="`add`; of a constant a `depthwise` of one tap",
    conditions="two activations of one shape, or a constant for each channel",
)
def _qlinear_add(lowering: OnnxLowering, node: OnnxNode) -> Value:
    out = lowering.quantization(node, 6, 7, "uint8")
    if (shifted := quantized_plus(lowering, node)) is not None:
        return lowering.quantize(shifted, node.outputs[0], out)
    operands = [
        lowering.padded(node, lowering.integer(node, at, quantization))
        for at, quantization in (
            (0, lowering.quantization(node, 1, 2, "uint8")),
            (3, lowering.quantization(node, 4, 5, "uint8")),
        )
    ]
    return lowering.quantize(_sum(lowering, node, *operands), node.outputs[0], out)


def _sum(lowering: OnnxLowering, node: OnnxNode, a: Quantized, b: Quantized) -> Deferred:
    if a.shape != b.shape or a.spec.shape != b.spec.shape:
        node.refuse(f"operands must have one shape, not {a.shape} and {b.shape}")
    if not np.array_equal(a.places, b.places):
        node.refuse("operands must lie in memory in one order")

    def emit(target: Target) -> TensorSpec:
        scales = (a.quantization.scale, b.quantization.scale, target.quantization.scale)
        try:
            multiplier, shift = add_multipliers(*scales)
        except ValueError as error:
            node.refuse(str(error))
        return lowering.emit(
            node, LayerKind.ADD, (a.spec, b.spec), a.spec.shape, target,
            multiplier=multiplier, shift=shift,
        )  # fmt: skip

    return Deferred(shape=a.shape, places=a.places, emit=emit)


_CLAMPED = "the clamp of the layer before, or part of its activation table; else a `depthwise` of one tap of 1"


@lowers("Relu", becomes=_CLAMPED, conditions="of real values, before QuantizeLinear")
def _relu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _clamped(lowering, node, 0.0, np.inf)


@lowers(
    "Clip",
    becomes=_CLAMPED,
    conditions="of real values before QuantizeLinear, or of integers behind it; constant bounds",
)
def _clip(lowering: OnnxLowering, node: OnnxNode) -> Value:
    value = lowering.value(node, 0)
    if isinstance(value, Quantized | HostInput | Function) and not value.real:
        return _clipped_integers(lowering, node, value)
    ends = [node.real("min", -math.inf), node.real("max", math.inf)]
    for position in (1, 2):
        if node.has_input(position):
            ends[position - 1] = lowering.real(node, position)
    if not ends[0] <= ends[1]:
        node.refuse(f"bounds must be in order, not {ends[0]} and {ends[1]}")
    return _clamped(lowering, node, ends[0], ends[1])


def _clipped_integers(
    lowering: OnnxLowering, node: OnnxNode, value: Quantized | HostInput | Function
) -> Quantized | HostInput | Function:
    """Clamp integers, as where fewer than 8 bits are kept in 8."""
    if value.quantization is None:
        node.refuse(f"input {node.inputs[0]!r} must come from QuantizeLinear")
    dtype = value.quantization.dtype
    limits = np.iinfo(dtype)
    ends = [int(limits.min), int(limits.max)]
    for position in (1, 2):
        if node.has_input(position):
            data = lowering.constant(node, position)
            if str(data.dtype) != dtype or data.size != 1:
                rule = f"bound {node.inputs[position]!r} must be one {dtype}"
                node.refuse(f"{rule}, not {data.dtype} of shape {data.shape}")
            ends[position - 1] = int(data.reshape(-1)[0])
    if ends[0] > ends[1]:
        node.refuse(f"bounds must be in order, not {ends[0]} and {ends[1]}")
    if ends == [limits.min, limits.max]:
        return value
    low, high = (end - 128 * (dtype == "uint8") for end in ends)
    if isinstance(value, HostInput):
        shift = 128 * (value.held == "uint8")
        step = Clamp(low=low + shift, high=high + shift)
        return replace(value, steps=(*value.steps, step))
    if isinstance(value, Function):
        return clipped_integers(lowering, node, value, low, high)
    return lowering.narrowed(node, lowering.padded(node, value), low, high)


_BOUNDED = f"{_CLAMPED}; of constants nothing: computed while importing"
_BOUND = "of real values, before QuantizeLinear, and one constant number; or of constants, as in computed shapes"


@lowers("Max", becomes=_BOUNDED, conditions=_BOUND)
def _max(lowering: OnnxLowering, node: OnnxNode) -> Value:
    position, bound = _bound(lowering, node)
    return _clamped(lowering, node, bound, np.inf, position)


@lowers("Min", becomes=_BOUNDED, conditions=_BOUND)
def _min(lowering: OnnxLowering, node: OnnxNode) -> Value:
    position, bound = _bound(lowering, node)
    return _clamped(lowering, node, -np.inf, bound, position)


def _bound(lowering: OnnxLowering, node: OnnxNode) -> tuple[int, float]:
    """Place of the activation among a node's two inputs, and the number that is the other."""
    known = [isinstance(lowering.value(node, place), Constant) for place in range(len(node.inputs))]
    if len(known) != 2 or known.count(True) != 1:
        node.refuse("must be of an activation and one constant number")
    return known.index(False), lowering.real(node, known.index(True))


def _clamped(
    lowering: OnnxLowering, node: OnnxNode, low: float, high: float, position: int = 0
) -> Value:
    value = lowering.value(node, position)
    if isinstance(value, Function) and position:
        node.refuse("the number must come behind the function that it bounds")
    if isinstance(value, Function):
        ends = np.float32(low), np.float32(high)
        return applied(lowering, node, lambda x: x.clip(*ends))
    if not isinstance(value, Deferred):
        source = lowering.real_activation(node, position, padded=True)
        value = lowering.rescaled(node, source)
    least, most = (min(max(end, low), high) for end in (value.low, value.high))
    return replace(value, low=least, high=most, scaled=None)


@lowers(
    "Pad",
    becomes="the padding of a convolution that reads it; else a `depthwise` of one tap of 1",
    conditions="constant mode; real 0 or the zero point; height and width only",
)
def _pad(lowering: OnnxLowering, node: OnnxNode) -> Value:
    given_source = lowering.activation(node)
    rank = len(given_source.shape)
    source = lowering.image(node, given_source)
    if (mode := node.text("mode", "constant")) != "constant":
        node.refuse(f"mode must be constant, not {mode}")
    given = node.optional_integers("pads")
    pads = given if given is not None else lowering.integers(node, 1)
    if node.has_input(3):
        axes = [node.axis(axis, rank) for axis in lowering.integers(node, 3)]
        if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
            node.refuse(f"pads must be two for each axis, not {pads}")
        ends = {**dict(zip(axes, pads, strict=False))}
        stops = {**dict(zip(axes, pads[len(axes) :], strict=True))}
        pads = [ends.get(i, 0) for i in range(rank)] + [stops.get(i, 0) for i in range(rank)]
    if rank == 3 and len(pads) == 6:
        pads = [*pads[:2], 0, *pads[2:5], 0, pads[5]]
    if len(pads) != 8 or min(pads) < 0 or any(pads[i] for i in (0, 1, 4, 5)):
        rule = "pads must be 0 or more, of height and width only"
        node.refuse(f"{rule}, not {pads}")
    value = node.real("value", 0.0)
    if node.has_input(2):
        value = lowering.number(node, 2)
    quantization = source.quantization
    zero = 0 if source.real else quantization.zero_point + 128 * (quantization.dtype == "uint8")
    if value != zero:
        node.refuse(f"value must be {zero}, which stands for real 0, not {value:g}")
    channels, height, width = source.shape[1:]
    size = (height + pads[2] + pads[6], width + pads[3] + pads[7])
    padded = replace(
        source,
        shape=(1, channels, *size),
        places=node_places(node, *size, channels),
        padding=Padding(top=pads[2], left=pads[3], bottom=pads[6], right=pads[7]),
    )
    return as_node(rank, padded)
