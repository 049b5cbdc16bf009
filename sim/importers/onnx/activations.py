"""Lowering of ONNX activations that are no clamps: functions that become activation tables."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sim.importers.onnx import functions
from sim.importers.onnx.functions import Reals
from sim.importers.onnx.lowering import OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import (
    Constant,
    Deferred,
    Function,
    Quantization,
    Quantized,
    Value,
    dequantized_values,
    quantized_values,
)

__all__ = [
    "applied",
    "applied_to_integers",
    "clipped_integers",
    "integer_product",
    "product",
    "quantized_function",
]

_EVERY = np.arange(-128, 128).astype(np.int8)
"""Inputs, in the order of the outputs."""

_TABLE = (
    "an activation table behind the layer before, or behind a `max_pool` of single pixels where others read that "
    "layer, too"
)
_NEEDS = "between DequantizeLinear and QuantizeLinear; an accelerator with `activation_table`"
_EXP = "not where onnxruntime's two exponential functions differ"
_FARTHEST = 2.0**31


@lowers("Tanh", becomes=_TABLE, conditions=_NEEDS)
def _tanh(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return applied(lowering, node, functions.tanh)


@lowers("HardSigmoid", becomes=_TABLE, conditions=_NEEDS)
def _hard_sigmoid(lowering: OnnxLowering, node: OnnxNode) -> Value:
    alpha, beta = _real(node, "alpha", 0.2), _real(node, "beta", 0.5)
    return applied(lowering, node, lambda x: functions.hard_sigmoid(x, alpha, beta))


@lowers("HardSwish", becomes=_TABLE, conditions=_NEEDS)
def _hard_swish(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return applied(lowering, node, functions.hard_swish)


@lowers("LeakyRelu", becomes=_TABLE, conditions=_NEEDS)
def _leaky_relu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    alpha = _real(node, "alpha", 0.01)
    return applied(lowering, node, lambda x: functions.leaky_relu(x, alpha))


@lowers("PRelu", becomes=_TABLE, conditions=f"{_NEEDS}; one constant slope for all channels")
def _prelu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    given = lowering.reals(node, 1)
    slopes = np.unique(given)
    if len(slopes) != 1:
        node.refuse(f"slopes must be one for all channels, not {len(slopes)}")
    result = applied(lowering, node, lambda x: functions.prelu(x, float(slopes[0])))
    if given.ndim > len(result.shape):
        rule = f"slopes must have no more axes than the input's {len(result.shape)}"
        node.refuse(f"{rule}, not shape {given.shape}")
    return result


@lowers("Elu", becomes=_TABLE, conditions=f"{_NEEDS}; {_EXP}")
def _elu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    alpha = _real(node, "alpha", 1.0)
    return applied(lowering, node, lambda x: functions.elu(x, alpha))


@lowers("Celu", becomes=_TABLE, conditions=f"{_NEEDS}; {_EXP}")
def _celu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    alpha = _real(node, "alpha", 1.0)
    if alpha == 0:
        node.refuse("alpha must not be 0")
    return applied(lowering, node, lambda x: functions.celu(x, alpha))


@lowers("QLinearLeakyRelu", becomes=_TABLE, conditions="an accelerator with `activation_table`")
def _qlinear_leaky_relu(lowering: OnnxLowering, node: OnnxNode) -> Value:
    alpha = _real(node, "alpha", 0.01)
    return applied_to_integers(lowering, node, lambda x: functions.leaky_relu(x, alpha))


def applied(lowering: OnnxLowering, node: OnnxNode, function: functions.Function) -> Function:
    """A function of the node's real input, which must have been quantized before."""
    return _further(node, _operand(lowering, node, 0), function)


def applied_to_integers(
    lowering: OnnxLowering, node: OnnxNode, function: functions.Function
) -> Function:
    """A function of a quantized operator's input, with the scale and zero point that it gives."""
    operand = _integer_operand(lowering, node, 0)
    given = lowering.quantization(node, 3, 4, "uint8")
    return quantized_function(lowering, node, _further(node, operand, function), given)


def product(lowering: OnnxLowering, node: OnnxNode) -> Function | None:
    """Product of an activation and a function of it, or of two functions; None where it is another."""
    operands = _of_one_source(lowering, node, (0, 1), _operand)
    if operands is None:
        return None
    a, b = operands
    # every form of the first with every form of the second
    reals = (a.reals[:, None] * b.reals[None]).reshape(-1, len(_EVERY))
    return _made(node, replace(a, members=a.members | b.members), reals)


def integer_product(lowering: OnnxLowering, node: OnnxNode) -> Function | None:
    """:func:`product` as the quantized operator computes it: a single factor for both scales."""
    operands = _of_one_source(lowering, node, (0, 3), _integer_operand)
    if operands is None:
        return None
    out, factor = lowering.quantization(node, 6, 7, "uint8"), np.ones(len(_EVERY), np.float32)
    scale = np.float32(1)
    for operand in operands:
        assert operand.quantization is not None
        assert operand.values is not None
        scale *= operand.quantization.scale
        centred = operand.values.astype(np.int32) - operand.quantization.zero_point
        factor *= centred.astype(np.float32)
    shift = 128 * (out.dtype == "uint8")
    # the zero point of the model's own type is added before the sum is rounded
    sums = factor * (scale / out.scale) + np.float32(out.zero_point + shift)
    if not (np.abs(sums) < _FARTHEST).all():
        node.refuse("products must be within 2^31 steps of the output's scale")
    values = (np.rint(sums).astype(np.int64) - shift).clip(-128, 127).astype(np.int8)
    members = operands[0].members | operands[1].members
    merged = replace(operands[0], members=members | {node.index}, node=node)
    return _with_values(node, merged, values, out)


def quantized_function(
    lowering: OnnxLowering, node: OnnxNode, value: Function, given: Quantization
) -> Function:
    """The function with the values that QuantizeLinear makes of it."""
    base = _extensible(lowering, node, value)
    rows = quantized_values(base.reals, given)
    if (rows != rows[0]).any():
        rule = "must be the same with both of onnxruntime's exponential functions in every value"
        base.node.refuse(f"output {rule}, not differ by {np.abs(rows.astype(int) - rows[0]).max()}")
    return _with_values(node, base, rows[0], given)


def clipped_integers(
    lowering: OnnxLowering, node: OnnxNode, value: Function, low: int, high: int
) -> Function:
    """The quantized function with its int8 values clamped."""
    base = _extensible(lowering, node, value)
    assert base.values is not None
    assert base.quantization is not None
    return _with_values(node, base, base.values.clip(low, high), base.quantization)


def _with_values(
    node: OnnxNode,
    value: Function,
    values: np.ndarray[tuple[int], np.dtype[np.int8]],
    given: Quantization,
) -> Function:
    return replace(
        value,
        reals=dequantized_values(values, given)[None],
        members=value.members | {node.index},
        quantization=given,
        values=values,
        tensor=node.outputs[0],
        real=False,
    )


def _further(node: OnnxNode, value: Function, function: functions.Function) -> Function:
    return _made(node, value, function(value.reals))


def _made(node: OnnxNode, value: Function, reals: Reals) -> Function:
    """A function of the same activation that a node computes, not quantized yet."""
    if not np.isfinite(reals).all():
        node.refuse("results must be finite")
    return replace(
        value,
        reals=reals.astype(np.float32),
        node=node,
        members=value.members | {node.index},
        quantization=None,
        values=None,
        tensor="",
        real=True,
    )


def _operand(lowering: OnnxLowering, node: OnnxNode, position: int) -> Function:
    """A real input as a function, of itself where a layer makes it."""
    value, name = lowering.value(node, position), node.inputs[position]
    if isinstance(value, Deferred):
        node.refuse(f"input {name!r} must be quantized, for a table has an entry for each int8")
    if isinstance(value, Function):
        if not value.real:
            node.refuse(f"input {name!r} must be real, not integers")
        return _extensible(lowering, node, value)
    return _itself(node, lowering.real_activation(node, position), name)


def _integer_operand(lowering: OnnxLowering, node: OnnxNode, position: int) -> Function:
    """A quantized operator's input as a function."""
    given = lowering.quantization(node, position + 1, position + 2, "uint8")
    value, name = lowering.value(node, position), node.inputs[position]
    if isinstance(value, Function) and value.quantization is not None:
        if value.real:
            node.refuse(f"input {name!r} must be a quantized activation")
        lowering.check_alike(node, name, value.quantization, given)
        return _extensible(lowering, node, value)
    return _itself(node, lowering.padded(node, lowering.integer(node, position, given)), name)


def _itself(node: OnnxNode, source: Quantized, name: str) -> Function:
    return Function(
        source=source,
        reals=dequantized_values(_EVERY, source.quantization)[None],
        node=node,
        members=frozenset(),
        quantization=source.quantization,
        values=_EVERY,
        tensor=name,
        real=source.real,
    )


def _extensible(lowering: OnnxLowering, node: OnnxNode, value: Function) -> Function:
    """A function that may be computed further in its own table, for no layer is made of it.

    If it takes the place of its input, for others than this node, what follows is a function of it.
    """
    if value.values is None or lowering.readers.only_for(value.tensor, node.outputs[0], ()):
        return value
    if not lowering.takes_over(value):
        return value
    return _itself(node, lowering.settled(value), value.tensor)


def _of_one_source(
    lowering: OnnxLowering,
    node: OnnxNode,
    positions: tuple[int, int],
    operand: Callable[[OnnxLowering, OnnxNode, int], Function],
) -> tuple[Function, Function] | None:
    """Both operands as functions of one activation; None where they are of two."""
    if any(isinstance(lowering.value(node, i), Constant | Deferred) for i in positions):
        return None
    a, b = (operand(lowering, node, position) for position in positions)
    same = a.source.spec == b.source.spec and a.source.shape == b.source.shape
    return (a, b) if same and np.array_equal(a.source.places, b.source.places) else None


def _real(node: OnnxNode, name: str, default: float) -> float:
    value = node.real(name, default)
    if not math.isfinite(value):
        node.refuse(f"{name} must be finite, not {value}")
    return value
