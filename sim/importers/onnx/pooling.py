"""Lowering of ONNX pooling and of means over an image."""

import numpy as np

from sim.importers.onnx.axes import as_node, steps
from sim.importers.onnx.lowering import SPREAD, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized, Target, Value, node_places
from sim.importers.onnx.windows import window_output, window_padding
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
    given = node.optional_integers("axes")
    if given is None and node.has_input(1):
        given = lowering.integers(node, 1)
    rank = len(source.shape)
    wanted = list(range(2, rank))
    if given is None or sorted(node.axis(axis, rank) for axis in given) != wanted:
        node.refuse(f"axes must be height and width, {wanted}, not {given}")
    return _mean(lowering, node, source, keep=bool(node.integer("keepdims", 1)))


@lowers(
    "AveragePool",
    becomes="`average_pool`; `mean` if the window is the whole image",
    conditions=f"{_REAL}; no padding; input and output of `average_pool` quantized alike",
)
def _average_pool(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _windowed_average(lowering, node, _real(lowering, node))


@lowers(
    "QLinearAveragePool",
    becomes="`average_pool`; `mean` if the window is the whole image",
    conditions="no padding; channels_last 0; input and output of `average_pool` quantized alike",
)
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


def _real(lowering: OnnxLowering, node: OnnxNode) -> Quantized:
    return lowering.real_activation(node)


def _window(
    node: OnnxNode, source: Quantized, rank: int
) -> tuple[tuple[int, int], tuple[int, int], Padding, tuple[int, int]]:
    """Kernel, stride, padding and the output's size."""
    if "kernel_shape" not in node.attributes:
        node.refuse("kernel_shape must be given")
    kernel, stride = steps(node, "kernel_shape", rank), steps(node, "strides", rank)
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
    if padding != Padding():
        node.refuse("pads must be 0: windows at the border would average fewer values")
    if kernel == source.spec.shape[:2]:
        return _mean(lowering, node, source, keep=True)
    channels = source.spec.channels

    def emit(target: Target) -> TensorSpec:
        if target.quantization != source.quantization:
            node.refuse("input and output must be quantized alike")
        return lowering.emit(
            node, LayerKind.AVERAGE_POOL, (source.spec,), (*size, channels), target,
            kernel=kernel, stride=stride,
        )  # fmt: skip

    places = node_places(node, *size, channels)
    return as_node(rank, Deferred(shape=(1, channels, *size), places=places, emit=emit))
