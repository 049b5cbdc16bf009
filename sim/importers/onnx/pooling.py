"""Lowering of ONNX pooling and of means over an image."""

import math
from typing import Any

import numpy as np

from sim.importers.kernels import window_fields, window_steps
from sim.importers.onnx.axes import as_node, steps
from sim.importers.onnx.laid import lay
from sim.importers.onnx.lowering import SPREAD, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized, Target, Value, node_places
from sim.importers.onnx.windows import window_output, window_padding
from sim.mosaics import averaging_parts, pairs, placed, window_of
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__: list[str] = []

_MEAN = "`mean`"
_REAL = "between DequantizeLinear and QuantizeLinear"


@lowers("GlobalAveragePool", becomes=_MEAN, conditions=_REAL)
def _global_average_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _mean(lowering, node, _real(lowering, node), keep=True)


@lowers("QLinearGlobalAveragePool", becomes=_MEAN, conditions="channels_last 0")
def _qlinear_global_average_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if node.integer("channels_last", 0):
        node.refuse("channels_last must be 0")
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    result = _mean(lowering, node, lowering.padded(node, source), keep=True)
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 3, 4, "uint8"))


@lowers("ReduceMean", becomes=_MEAN, conditions=f"{_REAL}; over height and width together")
def _reduce_mean(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = _real(lowering, node)
    return _mean(lowering, node, source, keep=_over_image(lowering, node, source))


_AVERAGED = (
    "`average_pool`; `mean` if the window is the whole image; a `depthwise` of taps of 1 where its scale changes or pads are counted; "
    "where pads are not, one for each number of rows and columns in the image, whose pixels are stored one over the other"
)


@lowers("AveragePool", becomes=_AVERAGED, conditions=_REAL)
def _average_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _windowed_average(lowering, node, _real(lowering, node))


@lowers("QLinearAveragePool", becomes=_AVERAGED, conditions="channels_last 0")
def _qlinear_average_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if node.integer("channels_last", 0):
        node.refuse("channels_last must be 0")
    source = lowering.integer(node, 0, lowering.quantization(node, 1, 2, "uint8"))
    result = _windowed_average(lowering, node, lowering.padded(node, source))
    return lowering.quantize(result, node.outputs[0], lowering.quantization(node, 3, 4, "uint8"))


@lowers(
    "MaxPool",
    becomes="`max_pool`",
    conditions="one or two dimensions; indices that nothing reads; integer or real",
)
def _max_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if any(name and not lowering.unread(name) for name in node.outputs[1:]):
        node.refuse("must have one output: indices are not supported")
    given = lowering.activation(node)
    rank = len(given.shape)
    source = lowering.image(node, given)
    kernel, stride, padding, size = _window(node, source, rank)
    channels = source.spec.channels
    # The largest of integers is that of real numbers: quantization stays as it is.
    target = Target(tensor=node.outputs[0], quantization=source.quantization)
    spec = lowering.emit(
        node, LayerKind.MAX_POOL, (source.spec,), (*size, channels), target,
        kernel=kernel, stride=stride, padding=padding,
    )  # fmt: skip
    result = Quantized(
        spec=spec,
        shape=(1, channels, *size),
        places=node_places(node, *size, channels),
        quantization=source.quantization,
        real=source.real,
    )
    return as_node(rank, result)


def _average_over_border(
    lowering: OnnxLowering,
    node: OnnxNode,
    source: Quantized,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    size: tuple[int, int],
    rank: int,
) -> Deferred:
    """Average what of each window is in the image: a layer for each number of its rows and columns."""
    spec, channels = source.spec, source.spec.channels
    if (
        max(padding.top, padding.bottom) >= kernel[0]
        or max(padding.left, padding.right) >= kernel[1]
    ):
        node.refuse(f"pads must be smaller than the kernel {kernel}")
    rows, columns = (
        averaging_parts(whole, taps, step, before, windows)
        for whole, taps, step, before, windows in zip(
            spec.shape, kernel, stride, (padding.top, padding.left), size, strict=False
        )
    )
    made = pairs(rows, columns)

    def emit(target: Target) -> TensorSpec:
        parts = []
        for down, right in made:
            count = down.divisor * right.divisor
            real = source.quantization.scale / (target.quantization.scale * np.float32(count))
            weights = np.outer(down.taps, right.taps)
            sums = np.full(channels, math.prod(kernel) * SPREAD)
            parts.append(
                lowering.emit(
                    node, LayerKind.DEPTHWISE, (spec,), (down.count, right.count, channels),
                    Target(tensor="", quantization=target.quantization, clamp=target.clamp),
                    weights=np.repeat(weights[:, :, None], channels, axis=2).astype(np.int8),
                    bias=np.zeros(channels, np.int32),
                    **lowering.multipliers(node, np.full(channels, real, np.float32), sums),
                    **window_of((down, right))._asdict(),
                )
            )  # fmt: skip
        return lay(lowering, node, parts, [placed(pair) for pair in made], target, size)

    places = node_places(node, *size, channels)
    return as_node(rank, Deferred(shape=(1, channels, *size), places=places, emit=emit))


_LARGEST = "`max_pool`, several where the image is larger than 7×7"


@lowers("GlobalMaxPool", becomes=_LARGEST, conditions="integer or real")
def _global_max_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _largest(lowering, node, lowering.activation(node), keep=True)


@lowers(
    "ReduceMax",
    becomes=_LARGEST,
    conditions="integer or real; over height and width together",
)
def _reduce_max(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.activation(node)
    return _largest(lowering, node, source, keep=_over_image(lowering, node, source))


def _largest(lowering: OnnxLowering, node: OnnxNode, source: Quantized, *, keep: bool) -> Quantized:
    """Largest value of each channel: pools of pools, none of which changes the quantization."""
    rank = len(source.shape)
    spec = lowering.image(node, source).spec
    channels, before = spec.channels, spec
    steps_left = window_steps(spec.shape[:2]) or [((1, 1), (1, 1))]
    for kernel, size in steps_left:
        last = size == (1, 1)
        target = Target(tensor=node.outputs[0] if last else "", quantization=source.quantization)
        fields = window_fields(before.shape[:2], kernel, size)
        before = lowering.emit(
            node, LayerKind.MAX_POOL, (before,), (*size, channels), target, **fields
        )
    shape = (1, channels, *[1] * (rank - 2 if keep else 0))
    return Quantized(
        spec=before,
        shape=shape,
        places=np.arange(channels, dtype=np.int32).reshape(shape[1:]),
        quantization=source.quantization,
        real=source.real,
    )


def _over_image(lowering: OnnxLowering, node: OnnxNode, source: Quantized) -> bool:
    """Whether axes are kept by a reduction, which must be over height and width."""
    given = node.optional_integers("axes")
    if given is None and node.has_input(1):
        given = lowering.integers(node, 1)
    rank = len(source.shape)
    wanted = list(range(2, rank))
    if given is None or sorted(node.axis(axis, rank) for axis in given) != wanted:
        node.refuse(f"axes must be height and width, {wanted}, not {given}")
    return bool(node.integer("keepdims", 1))


def _real(lowering: OnnxLowering, node: OnnxNode) -> Quantized:
    return lowering.real_activation(node)


def _window(
    node: OnnxNode, source: Quantized, rank: int
) -> tuple[tuple[int, int], tuple[int, int], Padding, tuple[int, int]]:
    """Kernel, stride, padding and the output's size."""
    if "kernel_shape" not in node.attributes:
        node.refuse("kernel_shape must be given")
    kernel, stride = steps(node, "kernel_shape", rank), steps(node, "strides", rank)
    dilations = steps(node, "dilations", rank)
    if dilations != (1, 1):
        rule = f"dilations of a pool must be {[1] * (rank - 2)}"
        node.refuse(f"{rule}, not {list(dilations)[4 - rank :]}")
    padding = window_padding(node, (source.shape[2], source.shape[3]), kernel, stride, rank)
    return kernel, stride, padding, window_output(node, source.spec, padding, kernel, stride)


def _mean(lowering: OnnxLowering, node: OnnxNode, source: Quantized, *, keep: bool) -> Deferred:
    rank = len(source.shape)
    spec = lowering.image(node, source).spec
    count, channels = spec.height * spec.width, spec.channels

    def emit(target: Target) -> TensorSpec:
        real = source.quantization.scale / (target.quantization.scale * np.float32(count))
        fields = lowering.multipliers(
            node, np.array([real], np.float32), np.array([count * SPREAD])
        )
        return lowering.emit(node, LayerKind.MEAN, (spec,), (1, 1, channels), target, **fields)

    shape = (1, channels, *[1] * (rank - 2 if keep else 0))
    places = np.arange(channels, dtype=np.int32).reshape(shape[1:])
    return Deferred(shape=shape, places=places, emit=emit)


def _windowed_average(lowering: OnnxLowering, node: OnnxNode, source: Quantized) -> Deferred:
    rank = len(source.shape)
    image = lowering.image(node, source)
    kernel, stride, padding, size = _window(node, image, rank)
    if padding != Padding() and not node.integer("count_include_pad", 0):
        return _average_over_border(lowering, node, image, kernel, stride, padding, size, rank)
    if kernel == source.spec.shape[:2] and padding == Padding():
        return _mean(lowering, node, source, keep=True)
    channels = source.spec.channels

    def emit(target: Target) -> TensorSpec:
        shape = (*size, channels)
        window: dict[str, Any] = {"kernel": kernel, "stride": stride}
        if target.quantization == source.quantization and padding == Padding():
            return lowering.emit(
                node, LayerKind.AVERAGE_POOL, (source.spec,), shape, target, **window
            )
        count = math.prod(kernel)
        real = source.quantization.scale / (target.quantization.scale * np.float32(count))
        sums = np.full(channels, count * SPREAD)
        fields = lowering.multipliers(node, np.full(channels, real, np.float32), sums)
        return lowering.emit(
            node, LayerKind.DEPTHWISE, (source.spec,), shape, target, padding=padding,
            weights=np.ones((*kernel, channels), np.int8), bias=np.zeros(channels, np.int32), **fields, **window,
        )  # fmt: skip

    places = node_places(node, *size, channels)
    return as_node(rank, Deferred(shape=(1, channels, *size), places=places, emit=emit))
