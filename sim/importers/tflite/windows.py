"""Lowering of operators with weights: convolutions, depthwise convolutions, fully connected."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.importers.quantization import Multipliers, window_multipliers
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__ = ["check_output", "window_padding"]

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


def _stride(lowering: Lowering, operator: TfliteOperator) -> tuple[int, int]:
    """Strides; dilation is refused."""
    dilation = (operator.options["DilationHFactor"], operator.options["DilationWFactor"])
    if dilation != (1, 1):
        lowering.model.refuse(operator, f"dilation must be (1, 1), not {dilation}")
    return operator.options["StrideH"], operator.options["StrideW"]


def _weights(
    lowering: Lowering, operator: TfliteOperator, rank: int, axis: int
) -> tuple[TfliteTensor, NDArray[np.int8]]:
    """Weights, of which ``axis`` counts output channels."""
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


@lowers(
    "CONV_2D",
    becomes="`conv`; `depthwise` if each channel is a group of its own",
    conditions="not: dilation, other groups",
)
def _conv(lowering: Lowering, operator: TfliteOperator) -> None:
    source, padding = lowering.image(operator)
    tensor, weights = _weights(lowering, operator, 4, 0)
    channels = weights.shape[0]
    kind = LayerKind.CONV
    if weights.shape[3] == 1 and source.channels == channels > 1:
        kind, weights = (
            LayerKind.DEPTHWISE,
            np.ascontiguousarray(weights[..., 0].transpose(1, 2, 0)),
        )
    elif weights.shape[3] != source.channels:
        rule = f"must not be grouped: weights of {weights.shape[3]} input channels"
        lowering.model.refuse(operator, f"{rule}, not the input's {source.channels}")
    _windowed(lowering, operator, kind, source, padding, tensor, weights, channels)


@lowers(
    "DEPTHWISE_CONV_2D",
    becomes="`depthwise`; `conv` if the input has one channel and the output several",
    conditions="not: dilation, a depth multiplier on more than one input channel",
)
def _depthwise(lowering: Lowering, operator: TfliteOperator) -> None:
    source, padding = lowering.image(operator)
    tensor, weights = _weights(lowering, operator, 4, 3)
    channels = weights.shape[3]
    if weights.shape[0] != 1:
        lowering.model.refuse(operator, f"weights must have shape (1, …), not {weights.shape}")
    if channels == source.channels:
        kind, arranged = LayerKind.DEPTHWISE, weights[0]
    elif source.channels == 1:
        # One input channel: every output channel is an ordinary filter over it.
        kind, arranged = LayerKind.CONV, weights.transpose(3, 1, 2, 0)
    else:
        rule = f"depth multiplier must be 1, not {channels} output for {source.channels} input"
        lowering.model.refuse(operator, f"{rule} channels")
    option, expected = operator.options["DepthMultiplier"], channels // source.channels
    if option != expected:
        # TensorFlow Lite Micro believes the option, and computes nothing for 0.
        lowering.model.refuse(operator, f"option DepthMultiplier must be {expected}, not {option}")
    arranged = np.ascontiguousarray(arranged)
    _windowed(lowering, operator, kind, source, padding, tensor, arranged, channels)


def _windowed(
    lowering: Lowering,
    operator: TfliteOperator,
    kind: LayerKind,
    source: TensorSpec,
    before: Padding,
    tensor: TfliteTensor,
    weights: NDArray[np.int8],
    channels: int,
) -> None:
    kernel = weights.shape[-3:-1]
    stride = _stride(lowering, operator)
    size = before.around(source.shape[:2])
    padding = before + window_padding(lowering, operator, size, kernel, stride)
    shape = check_output(lowering, operator, source, padding, kernel, stride, channels)
    multiplier, shift = _multipliers(lowering, operator, tensor, channels)
    lowering.emit(
        operator,
        kind,
        (source,),
        shape,
        kernel=kernel,
        stride=stride,
        padding=padding,
        weights=weights,
        bias=_bias(lowering, operator, channels),
        multiplier=multiplier,
        shift=shift,
        clamp=lowering.clamp(operator),
    )


@lowers(
    "FULLY_CONNECTED",
    becomes="`fully_connected`, with a kernel of its input's size; a 1×1 `conv` if it is applied "
    "to every pixel",
    conditions="weights in the default format",
)
def _fully_connected(lowering: Lowering, operator: TfliteOperator) -> None:
    source, order = lowering.ordered(operator)
    tensor, weights = _weights(lowering, operator, 2, 0)
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
