"""Lowering of ONNX operators with weights: convolutions and matrix products."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.kernels import (
    GroupForm,
    block_diagonal,
    choose_form,
    excessive_kernel,
    spread_taps,
)
from sim.importers.onnx.affine import per_channel, rounded_bias
from sim.importers.onnx.axes import as_node, sides, steps
from sim.importers.onnx.laid import chosen
from sim.importers.onnx.lowering import SPREAD, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Constant, Deferred, Quantized, Target, Value, node_places
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__ = [
    "Filters",
    "bias_of",
    "dequantized_weights",
    "weight_multipliers",
    "window_output",
    "window_padding",
]

_BIAS_TOLERANCE = 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filters:
    """Scales and biases of a layer's output channels, and what came behind them.

    Parameters
    ----------
    scales : float32[K]
        Of the weights.
    bias : int32[K]
        In units of the input's scale times ``scales``.
    signs : int8[K]
        By which the weights are multiplied; 0 leaves nothing of a channel but its bias.
    """

    scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    signs: NDArray[np.int8]

    def scaled(
        self,
        node: OnnxNode,
        source: np.float32,
        gain: NDArray[np.float64],
        offset: NDArray[np.float64],
    ) -> "Filters":
        """Filters whose real results are times a gain and plus an offset, flat in memory's order."""
        channels = len(self.scales)
        gains, offsets = (per_channel(node, item, channels) for item in (gain, offset))
        scales = (self.scales * np.abs(gains)).astype(np.float32)
        # A scale of 0, given or below float32, leaves the offset alone, in units of the input.
        signs = np.where(scales > 0, np.sign(gains), 0).astype(np.int8)
        scales = np.where(scales > 0, scales, np.float32(1))
        added = rounded_bias(node, node.outputs[0], offsets.astype(np.float32), source * scales)
        bias = self.bias * signs.astype(np.int64) + added
        if (np.abs(bias) >= 1 << 31).any():
            node.refuse("bias must stay inside int32 where constants are added behind it")
        return Filters(scales=scales, bias=bias.astype(np.int32), signs=self.signs * signs)

    def signed(self, node: OnnxNode, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """Weights times the signs, int8[K, ...]: nothing that is negated may be -128."""
        signs = self.signs.reshape(-1, *[1] * (weights.ndim - 1))
        lowest = (weights == np.iinfo(np.int8).min) & (signs < 0)
        if lowest.any():
            channel = int(np.nonzero(lowest)[0][0])
            node.refuse(
                f"weights of output channel {channel} must be at least -127, not -128, where a negative constant "
                "behind them negates them"
            )
        return np.ascontiguousarray(weights * signs)


def window_padding(
    node: OnnxNode,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    rank: int,
) -> Padding:
    """Padding that a node's attributes ask for on an input of ``size``.

    ``kernel`` has what lies between its taps; ``rank`` is how many axes the node's own input has.
    """
    if min(stride) < 1 or min(kernel) < 1:
        node.refuse(f"kernel and strides must be at least 1, not {kernel} and {stride}")
    choice = node.text("auto_pad", "NOTSET")
    if choice == "VALID":
        return Padding()
    if choice in ("SAME_UPPER", "SAME_LOWER"):
        same = Padding.same(size, kernel, stride)
        if choice == "SAME_UPPER":
            return same
        return Padding(top=same.bottom, bottom=same.top, left=same.right, right=same.left)
    if choice != "NOTSET":
        rule = "auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER"
        node.refuse(f"{rule}, not {choice}")
    return sides(node, rank)


def window_output(
    node: OnnxNode,
    spec: TensorSpec,
    padding: Padding,
    kernel: tuple[int, int],
    stride: tuple[int, int],
) -> tuple[int, int]:
    """Height and width of a windowed layer's output."""
    height, width = padding.around(spec.shape[:2])
    room = (height - kernel[0], width - kernel[1])
    if min(room) < 0:
        node.refuse(f"kernel {kernel} must fit into the padded input, which is smaller")
    if node.integer("ceil_mode", 0) and (room[0] % stride[0] or room[1] % stride[1]):
        node.refuse("ceil_mode must be 0 where windows would reach over the border")
    return padding.windows(spec.shape[:2], kernel, stride)


def _integer_weights(
    node: OnnxNode, name: str, data: NDArray[np.generic], zero_points: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Weights as int8 with zero point 0: uint8 with zero point 128 is shifted, others refused."""
    expected = {"int8": 0, "uint8": 128}.get(str(data.dtype))
    if expected is None:
        node.refuse(f"weights {name!r} must be int8 or uint8, not {data.dtype}")
    wrong = zero_points[zero_points != expected]
    if len(wrong):
        rule = f"zero points of {data.dtype} weights {name!r} must be {expected}"
        node.refuse(f"{rule}, not {int(wrong[0])}")
    return (data.astype(np.int16) - expected).astype(np.int8)


def _scales(
    node: OnnxNode, name: str, scales: NDArray[np.float32], channels: int
) -> NDArray[np.float32]:
    """One scale for each output channel."""
    flat = scales.reshape(-1)
    if scales.dtype != np.float32 or not (np.isfinite(flat).all() and (flat >= 0).all()):
        node.refuse(f"scales of weights {name!r} must be finite float32 and not negative")
    if len(flat) not in (1, channels):
        node.refuse(f"weights {name!r} must have 1 or {channels} scales, not {len(flat)}")
    return np.broadcast_to(flat, (channels,)).astype(np.float32)


def dequantized_weights(
    lowering: OnnxLowering, node: OnnxNode, axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights and scales that DequantizeLinear gives; ``axis`` counts output channels."""
    value, name = lowering.value(node, 1), node.inputs[1]
    if not isinstance(value, Constant) or value.scales is None or value.zero_points is None:
        node.refuse(f"weights {name!r} must be a constant that DequantizeLinear makes real")
    data = value.data
    if data.ndim <= axis:
        node.refuse(f"weights {name!r} must have more than {axis} axes, not shape {data.shape}")
    if value.scales.size > 1 and value.axis % data.ndim != axis:
        rule = f"scales of weights {name!r} must be along axis {axis}"
        node.refuse(f"{rule}, not {value.axis}")
    weights = _integer_weights(node, name, data, value.zero_points)
    return weights, _scales(node, name, value.scales, data.shape[axis])


def _given_weights(
    lowering: OnnxLowering, node: OnnxNode, positions: tuple[int, int, int], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights, scales and zero points among a quantized operator's inputs."""
    data, name = lowering.constant(node, positions[0]), node.inputs[positions[0]]
    zeros = np.zeros(1, np.int64)
    if node.has_input(positions[2]):
        given = lowering.constant(node, positions[2])
        if given.dtype != data.dtype:
            rule = f"zero points of weights {name!r} must be {data.dtype}"
            node.refuse(f"{rule}, not {given.dtype}")
        zeros = given.astype(np.int64).reshape(-1)
    if data.ndim <= axis:
        node.refuse(f"weights {name!r} must have more than {axis} axes, not shape {data.shape}")
    scales = lowering.constant(node, positions[1])
    weights = _integer_weights(node, name, data, zeros)
    return weights, _scales(node, name, scales, data.shape[axis])


def bias_of(
    lowering: OnnxLowering, node: OnnxNode, position: int, scales: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Bias in units of ``scales``; a real bias must be quantized so."""
    channels = len(scales)
    if not node.has_input(position):
        return np.zeros(channels, np.int32)
    value, name = lowering.value(node, position), node.inputs[position]
    if isinstance(value, Constant) and value.data.dtype == np.float32:
        real = lowering.reals(node, position).reshape(-1)
        if len(real) != channels:
            node.refuse(f"bias {name!r} must have {channels} values, not {len(real)}")
        return rounded_bias(node, name, real, scales)
    if not isinstance(value, Constant) or value.data.dtype != np.int32:
        node.refuse(f"bias {name!r} must be a constant of int32, quantized, or of float32")
    if value.scales is not None and value.zero_points is not None:
        expected = scales.astype(np.float64)
        given = value.scales.reshape(-1).astype(np.float64)
        if len(given) not in (1, channels) or value.zero_points.any():
            node.refuse(f"bias {name!r} must have 1 or {channels} scales and zero point 0")
        if (np.abs(given - expected) > _BIAS_TOLERANCE * expected).any():
            node.refuse(f"scales of bias {name!r} must be the input's times the weights'")
    bias = value.data.reshape(-1)
    if len(bias) != channels:
        node.refuse(f"bias {name!r} must have {channels} values, not {len(bias)}")
    return bias.astype(np.int32)


_FILTERED = (
    "`conv`, `depthwise`, their kernels with zeros between taps if dilated; other groups what takes the fewest multiplications of: one "
    "`conv` with zeros between groups, a `depthwise` of repeated channels, or a `conv` of each of several ranges of channels"
)


@lowers(
    "Conv",
    becomes=_FILTERED + "; a Pad before it becomes its padding",
    conditions="between DequantizeLinear and QuantizeLinear; one or two dimensions; not: auto_pad SAME with dilations",
)
def _conv(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.real_activation(node, padded=True)
    weights, scales = dequantized_weights(lowering, node, 0)
    products = source.quantization.scale * scales
    return _convolution(
        lowering, node, source, weights, scales, bias_of(lowering, node, 2, products)
    )


@lowers(
    "QLinearConv",
    becomes=_FILTERED,
    conditions="one or two dimensions; not: auto_pad SAME with dilations",
)
def _qlinear_conv(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    weights, scales = _given_weights(lowering, node, (3, 4, 5), 0)
    bias = bias_of(lowering, node, 8, source.quantization.scale * scales)
    result = _convolution(lowering, node, source, weights, scales, bias)
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 6, 7, "uint8"))


def _convolution(
    lowering: OnnxLowering,
    node: OnnxNode,
    source: Quantized,
    weights: NDArray[np.int8],
    scales: NDArray[np.float32],
    bias: NDArray[np.int32],
) -> Deferred:
    rank = len(source.shape)
    source = lowering.image(node, source)
    if weights.ndim != rank or min(weights.shape) < 1:
        axes = ("K", "C", "kh", "kw") if rank == 4 else ("K", "C", "kw")
        rule = f"weights must have the {rank} axes ({', '.join(axes)})"
        node.refuse(f"{rule}, not shape {weights.shape}")
    if weights.shape[2:] != node.integers("kernel_shape", weights.shape[2:]):
        node.refuse(f"kernel_shape must be that of the weights, {weights.shape[2:]}")
    if rank == 3:
        weights = weights[:, :, None]
    spec, before = source.spec, source.padding
    channels, depth = weights.shape[:2]
    group = node.integer("group", 1)
    if group < 1 or depth * group != spec.channels or channels % group:
        rule = f"weights must be for {spec.channels} input channels in {group} groups"
        node.refuse(f"{rule}, not of shape {weights.shape}")
    dilation = steps(node, "dilations", rank)
    if min(dilation) < 1:
        node.refuse(f"dilations must be at least 1, not {dilation}")
    if dilation != (1, 1) and (choice := node.text("auto_pad", "")).startswith("SAME"):
        node.refuse(
            f"auto_pad must not be {choice} with dilations: onnxruntime does not compute it"
        )
    if broken := excessive_kernel(weights.shape[2:], dilation, channels * depth):
        node.refuse(broken)
    weights = spread_taps(weights, dilation, 2)
    arranged = weights.transpose(0, 2, 3, 1)
    kernel = (weights.shape[2], weights.shape[3])
    height, width = source.shape[2:]
    stride = steps(node, "strides", rank)
    padding = before + window_padding(node, (height, width), kernel, stride, rank)
    size = window_output(node, spec, padding, kernel, stride)
    window: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    pixels = (spec.height * spec.width, math.prod(size))
    grouping = choose_form((spec.channels, channels), group, math.prod(kernel), pixels)

    def deferred(made: Filters) -> Deferred:
        def emit(target: Target) -> TensorSpec:
            signed = made.signed(node, arranged)
            parameters = {
                "bias": made.bias,
                **weight_multipliers(lowering, node, source, target, weights, made),
            }
            if grouping.form is GroupForm.RANGES:
                return _of_ranges(
                    lowering, node, spec, target, signed, group // grouping.ranges,
                    {"size": size, **window}, parameters,
                )  # fmt: skip
            read, filters, kind = spec, signed, LayerKind.DEPTHWISE
            if grouping.form is GroupForm.REPEATED:
                repeated = np.repeat(np.arange(spec.channels), channels // group)
                read = chosen(lowering, node, spec, repeated)
            elif grouping.form is not GroupForm.DEPTHWISE:
                kind, filters = LayerKind.CONV, block_diagonal(signed, group)
            if kind is LayerKind.DEPTHWISE:
                filters = np.ascontiguousarray(filters[..., 0].transpose(1, 2, 0))
            shape = (*size, channels)
            return lowering.emit(
                node, kind, (read,), shape, target, weights=filters, **parameters, **window
            )

        def scaled(gain: NDArray[np.float64], offset: NDArray[np.float64]) -> Deferred:
            return deferred(made.scaled(node, source.quantization.scale, gain, offset))

        places = node_places(node, *size, channels)
        result = Deferred(shape=(1, channels, *size), places=places, emit=emit, scaled=scaled)
        return as_node(rank, result)

    return deferred(Filters(scales=scales, bias=bias, signs=np.ones(channels, np.int8)))


def _of_ranges(
    lowering: OnnxLowering,
    node: OnnxNode,
    spec: TensorSpec,
    target: Target,
    weights: NDArray[np.int8],
    groups: int,
    window: dict[str, Any],
    parameters: dict[str, Any],
) -> TensorSpec:
    """Convolve ranges of channels apart, of ``groups`` groups each; concatenate the results."""
    channels, depth = weights.shape[0], groups * weights.shape[3]
    ranges = spec.channels // depth
    own = channels // ranges
    parts, (height, width) = [], window.pop("size")
    for place in range(ranges):
        picked = chosen(lowering, node, spec, np.arange(place * depth, (place + 1) * depth))
        ends = slice(place * own, (place + 1) * own)
        filters = block_diagonal(weights[ends], groups)
        fields = {name: values[ends] for name, values in parameters.items()}
        parts.append(
            lowering.emit(
                node, LayerKind.CONV, (picked,), (height, width, own), replace(target, tensor=""),
                weights=filters, **fields, **window,
            )
        )  # fmt: skip
    return lowering.concatenate(node, parts, target)


_MATRIX = "`fully_connected`; its weights in the order in which the input lies in memory"


@lowers(
    "Gemm",
    becomes=_MATRIX,
    conditions="between DequantizeLinear and QuantizeLinear; alpha and beta 1, transA 0, "
    "constant weights",
)
def _gemm(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.real_activation(node)
    transposed = _gemm_attributes(node)
    weights, scales = dequantized_weights(lowering, node, 0 if transposed else 1)
    bias = bias_of(lowering, node, 2, source.quantization.scale * scales)
    return _product(lowering, node, source, weights if transposed else weights.T, scales, bias)


@lowers(
    "MatMul",
    becomes=_MATRIX,
    conditions="between DequantizeLinear and QuantizeLinear; constant weights of 2 axes",
)
def _matmul(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.real_activation(node)
    weights, scales = dequantized_weights(lowering, node, 1)
    bias = np.zeros(len(scales), np.int32)
    return _product(lowering, node, source, weights.T, scales, bias)


@lowers("QGemm", becomes=_MATRIX, conditions="alpha 1, transA 0, constant weights, int8 output")
def _qgemm(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    transposed = _gemm_attributes(node)
    weights, scales = _given_weights(lowering, node, (3, 4, 5), 0 if transposed else 1)
    bias = bias_of(lowering, node, 6, source.quantization.scale * scales)
    arranged = weights if transposed else weights.T
    result = _product(lowering, node, lowering.padded(node, source), arranged, scales, bias)
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 7, 8, "uint8"))


@lowers("QLinearMatMul", becomes=_MATRIX, conditions="constant weights of 2 axes")
def _qlinear_matmul(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    weights, scales = _given_weights(lowering, node, (3, 4, 5), 1)
    bias = np.zeros(len(scales), np.int32)
    padded = lowering.padded(node, source)
    result = _product(lowering, node, padded, weights.T, scales, bias)
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 6, 7, "uint8"))


def _gemm_attributes(node: OnnxNode) -> bool:
    """Whether the weights are transposed; what the hardware does not compute is refused."""
    for name in ("alpha", "beta"):
        if (factor := node.real(name, 1.0)) != 1.0:
            node.refuse(f"{name} must be 1, not {factor}")
    if node.integer("transA", 0):
        node.refuse("transA must be 0")
    return bool(node.integer("transB", 0))


def _product(
    lowering: OnnxLowering,
    node: OnnxNode,
    source: Quantized,
    weights: NDArray[np.int8],
    scales: NDArray[np.float32],
    bias: NDArray[np.int32],
) -> Deferred:
    """Weights [K, D] times an activation [1, D], which may be a flattened image."""
    depth = math.prod(source.shape)
    if len(source.shape) != 2 or weights.ndim != 2 or weights.shape[1] != depth:
        rule = f"weights must take all values of an input (1, N), not {weights.shape}"
        node.refuse(f"{rule} of {source.shape}")
    channels, spec = len(weights), source.spec
    arranged = np.empty((channels, depth), np.int8)
    arranged[:, source.places.reshape(-1)] = weights
    kernel = spec.shape[:2]
    places = np.arange(channels, dtype=np.int32)

    def deferred(made: Filters) -> Deferred:
        def emit(target: Target) -> TensorSpec:
            signed = made.signed(node, arranged)
            return lowering.emit(
                node,
                LayerKind.FULLY_CONNECTED,
                (spec,),
                (1, 1, channels),
                target,
                kernel=kernel,
                weights=signed.reshape(channels, *kernel, spec.channels),
                bias=made.bias,
                **weight_multipliers(lowering, node, source, target, weights, made),
            )

        def scaled(gain: NDArray[np.float64], offset: NDArray[np.float64]) -> Deferred:
            return deferred(made.scaled(node, source.quantization.scale, gain, offset))

        return Deferred(shape=(1, channels), places=places, emit=emit, scaled=scaled)

    return deferred(Filters(scales=scales, bias=bias, signs=np.ones(channels, np.int8)))


def weight_multipliers(
    lowering: OnnxLowering,
    node: OnnxNode,
    source: Quantized,
    target: Target,
    weights: NDArray[np.int8],
    made: "Filters",
) -> dict[str, Any]:
    """Fields ``multiplier`` and ``shift`` of a layer with ``weights`` [K, ...]."""
    reals = source.quantization.scale * made.scales / target.quantization.scale
    magnitudes = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    sums = magnitudes * SPREAD + np.abs(made.bias.astype(np.int64))  # of each channel's accumulator
    return lowering.multipliers(node, reals, sums)
