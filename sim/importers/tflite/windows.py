"""Lowering of operators with weights: convolutions, depthwise convolutions, fully connected."""

import math
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
from sim.importers.quantization import Multipliers, window_multipliers
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__ = ["check_output", "constant_weights", "window_padding"]

_SAME, _VALID = 0, 1


def window_padding(
    lowering: Lowering,
    operator: TfliteOperator,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
) -> Padding:
    """Padding that an operator's own option asks for on an input of ``size``."""
    choice = operator.options["Padding"]
    if choice not in (_SAME, _VALID):
        lowering.model.refuse(operator, f"padding must be SAME or VALID, not {choice}")
    if min(stride) < 1 or min(kernel) < 1:
        rule = f"kernel and stride must be at least 1, not {kernel} and {stride}"
        lowering.model.refuse(operator, rule)
    return Padding.same(size, kernel, stride) if choice == _SAME else Padding()


def check_output(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    padding: Padding,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
) -> tuple[int, int, int]:
    """Shape of a windowed layer's output, which must be the shape that the model says."""
    height, width = padding.windows(source.shape[:2], kernel, stride)
    shape = lowering.output(operator).shape
    if shape != (1, height, width, channels):
        rule = f"output must have shape (1, {height}, {width}, {channels}), not {shape}"
        lowering.model.refuse(operator, rule)
    return height, width, channels


def _dilated(
    lowering: Lowering, operator: TfliteOperator, weights: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Weights [..., kh, kw, C] with the zeros between taps that the operator's dilation asks for."""
    dilation = (operator.options["DilationHFactor"], operator.options["DilationWFactor"])
    if min(dilation) < 1:
        lowering.model.refuse(operator, f"dilation must be at least 1, not {dilation}")
    kernel, taps = weights.shape[1:3], weights.shape[0] * weights.shape[3]
    if broken := excessive_kernel(kernel, dilation, taps):
        lowering.model.refuse(operator, broken)
    return spread_taps(weights, dilation, 1)


def constant_weights(
    lowering: Lowering, operator: TfliteOperator, rank: int, axis: int
) -> tuple[TfliteTensor, NDArray[np.int8]]:
    """Weights of an operator, of which ``axis`` counts output channels."""
    data = lowering.constant(operator, 1, "int8")
    tensor = lowering.tensor(operator, 1)
    refuse = lowering.model.refuse
    if data.ndim != rank or min(data.shape) < 1:
        refuse(operator, f"weights must have {rank} axes, not shape {data.shape}")
    if len(tensor.scales) not in (1, data.shape[axis]) or (
        len(tensor.scales) > 1 and tensor.axis != axis
    ):
        rule = f"weights must have 1 or {data.shape[axis]} scales along axis {axis}"
        refuse(operator, f"{rule}, not {len(tensor.scales)} along {tensor.axis}")
    if not (np.isfinite(tensor.scales).all() and (tensor.scales >= 0).all()):
        refuse(operator, "scales of the weights must be finite and not negative")
    if tensor.zero_points.any():
        wrong = int(tensor.zero_points[tensor.zero_points != 0][0])
        refuse(operator, f"zero points of the weights must be 0, not {wrong}")
    return tensor, data


def _bias(lowering: Lowering, operator: TfliteOperator, channels: int) -> NDArray[np.int32]:
    if not lowering.has_input(operator, 2):
        return np.zeros(channels, np.int32)
    bias = lowering.constant(operator, 2, "int32").reshape(-1)
    if len(bias) != channels:
        lowering.model.refuse(operator, f"bias must have {channels} values, not {len(bias)}")
    return bias.astype(np.int32)


def _multipliers(
    lowering: Lowering, operator: TfliteOperator, weights: TfliteTensor, channels: int
) -> Multipliers:
    scales = (lowering.model.tensors[operator.inputs[0]].scale, weights.scales)
    if lowering.model.unsigned and operator.name != "FULLY_CONNECTED":
        # The kernels of uint8 multiply these two in single precision.
        scales = (np.float32(1), scales[0] * weights.scales)
    try:
        return window_multipliers(*scales, lowering.output(operator).scale, channels)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))


_GROUPED = (
    "what takes the fewest multiplications of: one `conv` with zeros between groups, {}, or a `conv` of each of several ranges "
    "of channels, side by side"
)


@lowers(
    "CONV_2D",
    becomes="`conv`, its kernel with zeros between taps if dilated; `depthwise` if each channel is a group of its own; other "
    "groups " + _GROUPED.format("a `depthwise` of repeated channels"),
    conditions="",
)
def _conv(lowering: Lowering, operator: TfliteOperator) -> None:
    source, padding = lowering.image(operator)
    tensor, weights = constant_weights(lowering, operator, 4, 0)
    channels, depth = weights.shape[0], weights.shape[3]
    if source.channels % depth or channels % (source.channels // depth):
        rule = f"weights must be for the input's {source.channels} channels or for groups of them"
        lowering.model.refuse(operator, f"{rule}, not for {depth} of {channels} outputs")
    groups = source.channels // depth
    _windowed(lowering, operator, source, padding, tensor, weights, groups)


@lowers(
    "DEPTHWISE_CONV_2D",
    becomes="`depthwise`, its kernel with zeros between taps if dilated; `conv` if the input has one channel and the output "
    "several; with a depth multiplier a `depthwise` of channels that a 1×1 `conv` repeats, or a `conv` with zeros, "
    "whichever takes fewer multiplications",
    conditions="",
)
def _depthwise(lowering: Lowering, operator: TfliteOperator) -> None:
    source, padding = lowering.image(operator)
    tensor, weights = constant_weights(lowering, operator, 4, 3)
    channels = weights.shape[3]
    if weights.shape[0] != 1:
        lowering.model.refuse(operator, f"weights must have shape (1, …), not {weights.shape}")
    if channels % source.channels:
        rule = f"output channels must be a multiple of the input's {source.channels}"
        lowering.model.refuse(operator, f"{rule}, not {channels}")
    option, expected = operator.options["DepthMultiplier"], channels // source.channels
    if option != expected:
        # TensorFlow Lite Micro believes the option, and computes nothing for 0.
        lowering.model.refuse(operator, f"option DepthMultiplier must be {expected}, not {option}")
    arranged = np.ascontiguousarray(weights.transpose(3, 1, 2, 0))
    _windowed(lowering, operator, source, padding, tensor, arranged, source.channels)


def _windowed(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    before: Padding,
    tensor: TfliteTensor,
    weights: NDArray[np.int8],
    groups: int,
) -> None:
    """Append the layers of a convolution with weights [K, kh, kw, C / groups]."""
    weights = _dilated(lowering, operator, weights)
    channels, *kernel = weights.shape[:3]
    stride = (operator.options["StrideH"], operator.options["StrideW"])
    taps = (kernel[0], kernel[1])
    size = before.around(source.shape[:2])
    padding = before + window_padding(lowering, operator, size, taps, stride)
    shape = check_output(lowering, operator, source, padding, taps, stride, channels)
    multiplier, shift = _multipliers(lowering, operator, tensor, channels)
    window: dict[str, Any] = {"kernel": taps, "stride": stride, "padding": padding}
    window["clamp"] = lowering.clamp(operator)
    parameters: dict[str, Any] = {
        "bias": _bias(lowering, operator, channels),
        "multiplier": multiplier,
        "shift": shift,
    }
    pixels = (source.height * source.width, shape[0] * shape[1])
    grouping = choose_form((source.channels, channels), groups, math.prod(taps), pixels)
    if grouping.form is GroupForm.RANGES:
        out, parts = lowering.output(operator), []
        for place in range(grouping.ranges):
            own, ends = (
                slice(place * whole // grouping.ranges, (place + 1) * whole // grouping.ranges)
                for whole in (source.channels, channels)
            )
            picked = lowering.chosen(operator, source, np.arange(own.start, own.stop))
            filters = block_diagonal(weights[ends], groups // grouping.ranges)
            parts.append(
                lowering.emit_inner(
                    operator,
                    picked,
                    (float(out.scale), out.zero_point),
                    kind=LayerKind.CONV,
                    shape=(*shape[:2], len(filters)),
                    weights=filters,
                    **{name: values[ends] for name, values in parameters.items()},
                    **window,
                )
            )
        lowering.concatenate(operator, parts)
        return
    kind = LayerKind.DEPTHWISE
    if grouping.form is GroupForm.REPEATED:
        repeated = np.repeat(np.arange(source.channels), channels // groups)
        source = lowering.chosen(operator, source, repeated)
    elif grouping.form is not GroupForm.DEPTHWISE:
        kind, weights = LayerKind.CONV, block_diagonal(weights, groups)
    if kind is LayerKind.DEPTHWISE:
        weights = np.ascontiguousarray(weights[..., 0].transpose(1, 2, 0))
    lowering.emit(operator, kind, (source,), shape, weights=weights, **parameters, **window)


@lowers(
    "FULLY_CONNECTED",
    becomes="`fully_connected`, with a kernel of its input's size; a 1×1 `conv` if it is applied "
    "to every pixel",
    conditions="weights in the default format",
)
def _fully_connected(lowering: Lowering, operator: TfliteOperator) -> None:
    source, order = lowering.ordered(operator)
    tensor, weights = constant_weights(lowering, operator, 2, 0)
    if operator.options["WeightsFormat"] != 0:
        lowering.model.refuse(operator, "weights must be in the default format")
    channels, depth = weights.shape
    pixels = source.height * source.width
    out = lowering.output(operator)
    if depth == pixels * source.channels:
        kind, kernel, shape = LayerKind.FULLY_CONNECTED, source.shape[:2], (1, 1, channels)
        arranged = np.empty_like(weights)
        arranged[:, order.reshape(-1)] = weights
        weights = arranged
    elif depth == source.channels:
        lowering.source(operator)  # refuses another order
        kind, kernel, shape = LayerKind.CONV, (1, 1), (source.height, source.width, channels)
    else:
        rule = f"weights must take the input's {pixels * source.channels} values, not {depth}"
        lowering.model.refuse(operator, rule)
    if math.prod(out.shape) != math.prod(shape):
        rule = f"output must have {math.prod(shape)} values, not shape {out.shape}"
        lowering.model.refuse(operator, rule)
    multiplier, shift = _multipliers(lowering, operator, tensor, channels)
    lowering.emit(
        operator,
        kind,
        (source,),
        shape,
        kernel=kernel,
        weights=weights.reshape(channels, *kernel, source.channels),
        bias=_bias(lowering, operator, channels),
        multiplier=multiplier,
        shift=shift,
        clamp=lowering.clamp(operator),
    )
