"""Lowering of ONNX concatenations, and of what takes parts out of a tensor: splits and slices."""

from dataclasses import replace

import numpy as np

from sim.importers.onnx.axes import as_node
from sim.importers.onnx.laid import chosen, lay
from sim.importers.onnx.lowering import OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import (
    Deferred,
    Quantization,
    Quantized,
    Target,
    Value,
    node_places,
)
from sim.spec.network import LayerKind, Padding, PixelPlace, TensorSpec

__all__: list[str] = []

_JOINED = (
    "nothing: its inputs are stored side by side; an input of another scale, or one that is stored elsewhere already, "
    "becomes a `depthwise` of one tap of 1"
)
_TAKEN = (
    "a 1×1 `conv` that selects channels; rows and columns by a kernel with a single 1, `depthwise` "
    "where all channels are taken"
)
_FARTHEST = 1 << 31
"""Ends that are at least so far are the axis's end."""


@lowers(
    "Concat",
    becomes=_JOINED + "; over height or width of copies",
    conditions="over channels, height or width; or of constants, as in computed shapes",
)
def _concat(lowering: OnnxLowering, node: OnnxNode) -> Value:
    values = [_lying(lowering, node, lowering.activation(node, i)) for i in range(len(node.inputs))]
    rank = len(lowering.activation(node).shape)
    axis = _axis(node, node.integer("axis", 1), rank)
    if not all(value.real for value in values):
        first = values[0].quantization
        if any(value.real or value.quantization != first for value in values):
            node.refuse("inputs must be real, or integers of one scale and zero point")
        joined = _joined(lowering, node, values, axis)
        target = Target(tensor=node.outputs[0], quantization=first)
        spec = joined.emit(target)
        whole = Quantized(
            spec=spec, shape=joined.shape, places=joined.places, quantization=first, real=False
        )
        return as_node(rank, whole)
    return as_node(rank, _joined(lowering, node, values, axis))


@lowers(
    "QLinearConcat",
    becomes=_JOINED + "; over height or width of copies",
    conditions="over channels, height or width",
)
def _qlinear_concat(lowering: OnnxLowering, node: OnnxNode) -> Value:
    if len(node.inputs) < 5 or len(node.inputs) % 3 != 2:
        node.refuse(f"must have 2 inputs and 3 for each part, not {len(node.inputs)}")
    values = []
    for at in range(2, len(node.inputs), 3):
        quantization = lowering.quantization(node, at + 1, at + 2, "uint8")
        values.append(lowering.padded(node, lowering.integer(node, at, quantization)))
    rank = len(values[0].shape)
    axis = _axis(node, node.integer("axis", 1), rank)
    joined = _joined(lowering, node, [_lying(lowering, node, value) for value in values], axis)
    out = lowering.quantization(node, 0, 1, "uint8")
    return lowering.quantize(as_node(rank, joined), node.outputs[0], out)


@lowers("Split", becomes=_TAKEN, conditions="constant sizes; the batch stays whole")
def _split(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.activation(node)
    rank = len(source.shape)
    axis = node.axis(node.integer("axis", 0), rank)
    whole, count = source.shape[axis], len(node.outputs)
    sizes = node.optional_integers("split")
    if sizes is None and node.has_input(1):
        sizes = lowering.integers(node, 1)
    if sizes is None:
        most = -(-whole // count)
        sizes = [min(most, whole - most * i) for i in range(count)]
    if axis == 0 or len(sizes) != count or sum(sizes) != whole or min(sizes) < 1:
        rule = f"sizes must be one of 1 or more for each output, {whole} in all, of an axis behind the batch"
        node.refuse(f"{rule}, not {sizes} of axis {axis}")
    begin = 0
    for name, size in zip(node.outputs, sizes, strict=True):
        ranges = [range(n) for n in source.shape]
        ranges[axis] = range(begin, begin + size)
        begin += size
        if name and not lowering.unread(name):
            lowering.values[name] = _take(lowering, node, source, ranges, name)
    return lowering.values.get(node.outputs[0], source)


@lowers(
    "Slice",
    becomes=_TAKEN,
    conditions="constant ends, positive steps; the batch stays whole; or of constants, as in computed shapes",
)
def _slice(lowering: OnnxLowering, node: OnnxNode) -> Value:
    source = lowering.activation(node)
    rank = len(source.shape)
    starts, ends = node.optional_integers("starts"), node.optional_integers("ends")
    axes, steps = node.optional_integers("axes"), None
    if starts is None or ends is None:
        starts, ends = lowering.integers(node, 1), lowering.integers(node, 2)
        axes = lowering.integers(node, 3) if node.has_input(3) else None
        steps = lowering.integers(node, 4) if node.has_input(4) else None
    axes = [node.axis(a, rank) for a in axes] if axes is not None else list(range(len(starts)))
    steps = steps or [1] * len(axes)
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(set(axes)) != len(axes):
        node.refuse("starts, ends, axes and steps must be as many, each axis once")
    ranges = [range(n) for n in source.shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            node.refuse(f"steps must be positive, not {steps}")
        size = source.shape[axis]
        ranges[axis] = range(*slice(start, min(end, _FARTHEST)).indices(size)[:2], step)
    if any(not part for part in ranges) or ranges[0] != range(1):
        node.refuse("must leave the batch whole and take something of every axis")
    return _take(lowering, node, source, ranges, node.outputs[0])


def _axis(node: OnnxNode, axis: int, rank: int) -> int:
    """Axis of an image over which a node concatenates: 1 the channels, 2 the height, 3 the width."""
    given = node.axis(axis, rank)
    if given == 0:
        node.refuse(f"must be over an axis behind the batch, not over axis {axis}")
    return 3 if rank == 3 and given == 2 else given


def _lying(lowering: OnnxLowering, node: OnnxNode, value: Quantized) -> Quantized:
    """An activation as an image (1, C, H, W) that lies so in memory; a vector is one of a pixel."""
    if len(value.shape) == 2:
        shape = (1, value.shape[1], 1, 1)
        value = replace(value, shape=shape, places=value.places.reshape(shape[1:]))
    return lowering.image(node, value)


def _joined(lowering: OnnxLowering, node: OnnxNode, values: list[Quantized], axis: int) -> Deferred:
    """Concatenation of images, which are brought to one scale once it is known."""
    whole = list(values[0].shape)
    whole[axis] = sum(value.shape[axis] for value in values)
    for value in values:
        others = [n for place, n in enumerate(value.shape) if place != axis]
        if others != [n for place, n in enumerate(whole) if place != axis]:
            what = "one height and width" if axis == 1 else "one shape but for that axis"
            given = [item.shape[2 if axis == 1 else 1 :] for item in (value, values[0])]
            node.refuse(f"inputs must have {what}, not {given[0]} and {given[1]}")
    _, channels, height, width = whole

    def emit(target: Target) -> TensorSpec:
        if axis > 1:
            return _pixels_joined(lowering, node, values, axis, target, (height, width))
        parts = [
            value.spec
            if value.quantization == target.quantization and target.clamp == (-128, 127)
            else lowering.scaled(node, value, target)
            for value in values
        ]
        return lowering.concatenate(node, parts, target)

    return Deferred(
        shape=(1, channels, height, width),
        places=node_places(node, height, width, channels),
        emit=emit,
    )


def _pixels_joined(
    lowering: OnnxLowering,
    node: OnnxNode,
    values: list[Quantized],
    axis: int,
    target: Target,
    size: tuple[int, int],
) -> TensorSpec:
    """Copy images, and store them below each other or side by side."""
    parts, places, begin = [], [], 0
    inner = replace(target, tensor="")
    for value in values:
        source = value.spec
        if not lowering.joints.is_dense(source.name):
            source = chosen(lowering, node, source, np.arange(source.channels))
        parts.append(lowering.scaled(node, replace(value, spec=source), inner))
        places.append(PixelPlace(begin=(begin, 0) if axis == 2 else (0, begin)))
        begin += value.shape[axis]
    return lay(lowering, node, parts, places, target, size)


def _take(
    lowering: OnnxLowering, node: OnnxNode, source: Quantized, ranges: list[range], name: str
) -> Quantized:
    """Append the layer that takes a part of a tensor: a window with a single weight of 1."""
    rank = len(source.shape)
    vector = rank == 2
    lying = _lying(lowering, node, source)
    channels, *sides = ranges[1:]
    rows, columns = [range(1)] * (2 - len(sides)) + sides
    kernel = tuple(
        whole - (len(part) - 1) * part.step
        for part, whole in zip((rows, columns), lying.shape[2:], strict=True)
    )
    spots, count = (rows.start, columns.start), len(channels)
    if channels == range(lying.shape[1]):
        kind, weights = LayerKind.DEPTHWISE, np.zeros((*kernel, count), np.int8)
        weights[spots] = 1
    else:
        kind, weights = LayerKind.CONV, np.zeros((count, *kernel, lying.shape[1]), np.int8)
        weights[np.arange(count), spots[0], spots[1], np.array(channels)] = 1
    quantization: Quantization = source.quantization
    target = Target(tensor=name, quantization=quantization)
    size = (len(rows), len(columns))
    spec = lowering.emit(
        node, kind, (lying.spec,), (*size, count), target, kernel=kernel,
        stride=(rows.step, columns.step), padding=Padding(), weights=weights,
        bias=np.zeros(count, np.int32),
        **lowering.multipliers(node, np.ones(count, np.float32), np.full(count, 255)),
    )  # fmt: skip
    taken = replace(
        source, spec=spec, shape=(1, count, *size), places=node_places(node, *size, count)
    )
    if vector:
        return replace(taken, shape=(1, count), places=taken.places.reshape(count))
    return as_node(rank, taken)
