"""Sums and products with constants for each channel: batch normalization that was not folded."""

import numpy as np
from numpy.typing import NDArray

from sim.importers.onnx.activations import integer_product, product
from sim.importers.onnx.lowering import SPREAD, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.products import multiplied
from sim.importers.onnx.values import Constant, Deferred, Quantized, Target, Value
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["constant_operand", "per_channel", "plus", "quantized_plus", "rounded_bias"]

_Reals = NDArray[np.float64]

_REAL = "between DequantizeLinear and QuantizeLinear; a constant for each channel"
_TAP = "a `depthwise` of one tap, or part of the layer before"
_GATED = "of an activation and a function of it, which become an activation table"
_VECTOR = (
    "of an activation and another with a value for each channel of it, which become `factors` and `multiply`, or of its shape or with a "
    "value for each pixel: nine layers with activation tables"
)

_BIAS_LIMIT = 2.0**30
"""Largest magnitude of a bias that is made here; leaves the accumulator a bit for the product."""


def constant_operand(lowering: OnnxLowering, node: OnnxNode) -> int | None:
    """Position of the operand that is a constant, None if both are activations."""
    values = [lowering.value(node, position) for position in range(2)]
    constants = [i for i, value in enumerate(values) if isinstance(value, Constant)]
    if len(constants) == 2:
        node.refuse("must have an activation among its operands")
    return constants[0] if constants else None


def rounded_bias(
    node: OnnxNode, name: str, bias: NDArray[np.float32], scales: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Real bias in units of ``scales``, as onnxruntime's optimizer rounds it: half to even."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rounded = np.rint(bias / scales)
    if not (np.abs(rounded) < 2.0**31).all():  # false for what is not a number, too
        node.refuse(
            f"bias {name!r} must be within 2^31 steps of the input's scale times the weights'"
        )
    result: NDArray[np.int32] = rounded.astype(np.int32)
    return result


def plus(lowering: OnnxLowering, node: OnnxNode, position: int, sign: float = 1.0) -> Deferred:
    """Activation plus (``sign`` 1) or less (-1) the constant at ``position``."""
    value = _operand(lowering, node, 1 - position)
    offset = sign * _in_memory(lowering, node, position, value)
    return _scaled(lowering, node, value, np.ones_like(offset), offset)


def quantized_constant(lowering: OnnxLowering, node: OnnxNode) -> tuple[Quantized, _Reals] | None:
    """Activation of a quantized operator on two, and its constant operand for each of its values.

    The inputs are two triples of an operand, its scale and its zero point; None if both operands are
    activations. The constant is flat and in the order of memory.
    """
    values = [lowering.value(node, position) for position in (0, 3)]
    constants = [isinstance(value, Constant) for value in values]
    if not any(constants):
        return None
    if all(constants):
        node.refuse("must have an activation among its operands")
    at, other = (3, 0) if constants[0] else (0, 3)
    given = lowering.quantization(node, at + 1, at + 2, "uint8")
    value = lowering.padded(node, lowering.integer(node, at, given))
    data = lowering.constant(node, other)
    known = lowering.quantization(node, other + 1, other + 2, "uint8")
    if str(data.dtype) != known.dtype:
        node.refuse(f"constant {node.inputs[other]!r} must be {known.dtype}, not {data.dtype}")
    zero_point = known.zero_point + 128 * (known.dtype == "uint8")
    reals = (data.astype(np.float64) - zero_point) * float(known.scale)
    return value, _fitted(node, node.inputs[other], reals, value)


def quantized_plus(lowering: OnnxLowering, node: OnnxNode) -> Deferred | None:
    """Sum of an activation and a constant that a quantized operator adds; None for two activations."""
    operands = quantized_constant(lowering, node)
    if operands is None:
        return None
    value, offset = operands
    return _scaled(lowering, node, value, np.ones_like(offset), offset)


@lowers(
    "QLinearMul",
    becomes="a `depthwise` of one tap",
    conditions=f"of an activation and a constant for each channel; {_GATED}; {_VECTOR}",
)
def _qlinear_mul(lowering: OnnxLowering, node: OnnxNode) -> Value:
    operands = quantized_constant(lowering, node)
    if operands is None:
        return integer_product(lowering, node) or _integer_multiplied(lowering, node)
    value, gain = operands
    result = _scaled(lowering, node, value, gain, np.zeros_like(gain))
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 6, 7, "uint8"))


def _integer_multiplied(lowering: OnnxLowering, node: OnnxNode) -> Value:
    """Product of two activations that a quantized operator multiplies."""
    operands = (
        lowering.padded(
            node, lowering.integer(node, at, lowering.quantization(node, at + 1, at + 2, "uint8"))
        )
        for at in (0, 3)
    )
    result = multiplied(lowering, node, *operands)
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 6, 7, "uint8"))


@lowers("Sub", becomes=_TAP, conditions=_REAL)
def _sub(lowering: OnnxLowering, node: OnnxNode) -> Value:
    position = constant_operand(lowering, node)
    if position is None:
        node.refuse("differences of activations are not supported")
    if position == 1:
        return plus(lowering, node, position, -1.0)
    value = _operand(lowering, node, 1)
    offset = _in_memory(lowering, node, 0, value)
    return _scaled(lowering, node, value, -np.ones_like(offset), offset)


@lowers("Mul", becomes=_TAP, conditions=f"{_REAL}; {_GATED}; {_VECTOR}")
def _mul(lowering: OnnxLowering, node: OnnxNode) -> Value:
    position = constant_operand(lowering, node)
    if position is None:
        return product(lowering, node) or multiplied(
            lowering, node, *(lowering.real_activation(node, place) for place in range(2))
        )
    value = _operand(lowering, node, 1 - position)
    gain = _in_memory(lowering, node, position, value)
    return _scaled(lowering, node, value, gain, np.zeros_like(gain))


@lowers("Div", becomes=_TAP, conditions=f"{_REAL}, which divides")
def _div(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if constant_operand(lowering, node) != 1:
        node.refuse("must divide an activation by a constant")
    value = _operand(lowering, node, 0)
    divisor = _in_memory(lowering, node, 1, value)
    if not divisor.all():
        node.refuse(f"divisor {node.inputs[1]!r} must not be 0")
    return _scaled(lowering, node, value, 1 / divisor, np.zeros_like(divisor))


@lowers(
    "BatchNormalization",
    becomes=_TAP,
    conditions="between DequantizeLinear and QuantizeLinear; inference only",
)
def _batch_normalization(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if node.integer("training_mode", 0) or any(node.outputs[1:]):
        node.refuse("must be in inference mode, with one output")
    value = _operand(lowering, node, 0)
    gain, shift, mean, variance = (
        lowering.reals(node, position).astype(np.float64) for position in range(1, 5)
    )
    channels = value.shape[1]
    for item in (gain, shift, mean, variance):
        if item.shape != (channels,):
            node.refuse(f"parameters must have {channels} values, not shape {item.shape}")
    deviation = np.sqrt(variance + node.real("epsilon", 1e-5))
    if not (np.isfinite(deviation).all() and (deviation > 0).all()):
        node.refuse("variances must not be negative")
    factor = gain / deviation
    behind = (channels, *[1] * (len(value.shape) - 2))
    ends = (_scattered(item.reshape(behind), value) for item in (factor, shift - mean * factor))
    return _scaled(lowering, node, value, *ends)


def _operand(lowering: OnnxLowering, node: OnnxNode, position: int) -> Deferred | Quantized:
    """Real activation: of the layer before where that can still change, else as it is held."""
    value = lowering.value(node, position)
    if isinstance(value, Deferred):
        if value.scaled is None:
            node.refuse(f"input {node.inputs[position]!r} must be quantized before it is changed")
        return value
    return lowering.real_activation(node, position)


def _in_memory(
    lowering: OnnxLowering, node: OnnxNode, position: int, value: Deferred | Quantized
) -> _Reals:
    """Constant operand for each value of an activation, flat and in the order of memory."""
    data = lowering.reals(node, position).astype(np.float64)
    return _fitted(node, node.inputs[position], data, value)


def _fitted(node: OnnxNode, name: str, data: _Reals, value: Deferred | Quantized) -> _Reals:
    """A constant that is repeated over an activation's axes, in the order of memory."""
    try:
        wide = np.broadcast_to(data, np.broadcast_shapes(data.shape, value.shape))
    except ValueError:
        wide = data
    if wide.shape != value.shape:
        rule = f"constant {name!r} must fit shape {value.shape}"
        node.refuse(f"{rule}, not have shape {data.shape}")
    return _scattered(wide[0], value)


def _scattered(data: _Reals, value: Deferred | Quantized) -> _Reals:
    flat = np.empty(value.places.size)
    flat[value.places.reshape(-1)] = np.broadcast_to(data, value.places.shape).reshape(-1)
    return flat


def _scaled(
    lowering: OnnxLowering,
    node: OnnxNode,
    value: Deferred | Quantized,
    gain: _Reals,
    offset: _Reals,
) -> Deferred:
    """The activation times a gain and plus an offset, both float64[values] in memory's order."""
    if isinstance(value, Deferred):
        changed = value.changed(gain, offset)
        assert changed is not None, "refused by _operand"
        return changed
    channels = value.spec.channels
    gains, offsets = (per_channel(node, item, channels) for item in (gain, offset))
    source = float(value.quantization.scale)
    # The largest weight has the most precise product, unless the bias then leaves int32.
    scales = np.maximum(np.abs(gains) / 127, np.abs(offsets) / (source * _BIAS_LIMIT))
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
    weights = np.rint(gains / scales).clip(-127, 127).astype(np.int8)
    products = np.float32(source) * scales
    bias = rounded_bias(node, node.outputs[0], offsets.astype(np.float32), products)

    def emit(target: Target) -> TensorSpec:
        sums = np.abs(weights.astype(np.int64)) * SPREAD + np.abs(bias.astype(np.int64))
        return lowering.emit(
            node,
            LayerKind.DEPTHWISE,
            (value.spec,),
            value.spec.shape,
            target,
            weights=weights.reshape(1, 1, channels),
            bias=bias,
            **lowering.multipliers(node, products / target.quantization.scale, sums),
        )

    return Deferred(shape=value.shape, places=value.places, emit=emit)


def per_channel(node: OnnxNode, data: _Reals, channels: int) -> _Reals:
    """One number for each channel of values that are the same for all of its pixels; else refused."""
    rows = data.reshape(-1, channels)
    if (rows != rows[0]).any():
        node.refuse("constant must be one number for each channel")
    first: _Reals = rows[0]
    return first
