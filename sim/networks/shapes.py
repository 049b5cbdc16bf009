"""Layers of which only the shape is known: without weights, bias and multipliers."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.mosaics import averaging_parts, pairs, placed, window_of
from sim.networks.topology import LayerShape, Topology
from sim.spec.network import (
    WINDOW_POOLS,
    Concatenation,
    Layer,
    LayerKind,
    Network,
    Padding,
    TensorSpec,
)

__all__ = ["border_average", "pool_layer", "shape_network", "weighted_layer", "weights_shape"]

_ENTRIES = {LayerKind.ADD: 3, LayerKind.MEAN: 1}


def shape_network(name: str, topology: Topology) -> Network:
    """Make a network whose weights and multipliers are 0: it costs what any network of its topology costs.

    Only averages over the border have theirs, which follow from the shape.
    """
    specs = {topology.input.name: replace(topology.input, scale=1.0, zero_point=0)}
    layers: list[Layer] = []
    joints = []
    for shape in topology.layers:
        source = specs[shape.inputs[0]]
        if shape.over_border:
            parts, joint = border_average(shape, source)
            joints.append(joint)
            specs[joint.name] = joint.output
            layers += parts
            continue
        if shape.kind in (LayerKind.GLOBAL_AVERAGE_POOL, *WINDOW_POOLS):
            layer = pool_layer(shape, source)
        elif shape.kind in _ENTRIES:
            layer = _unweighted(shape, source)
        else:
            weights = np.zeros(weights_shape(shape, source), np.int8)
            layer = weighted_layer(shape, source, weights)
        specs[layer.name] = layer.output
        layers.append(layer)
    return Network(
        name=name,
        input=specs[topology.input.name],
        layers=tuple(layers),
        concatenations=tuple(joints),
    )


def weights_shape(shape: LayerShape, source: TensorSpec) -> tuple[int, ...]:
    """Shape of the weights of a layer of a kind that has some."""
    kernel = source.shape[:2] if shape.kind is LayerKind.FULLY_CONNECTED else shape.window
    size = (*kernel, source.channels)
    own = shape.kind is LayerKind.DEPTHWISE
    return size if own else (shape.channels or source.channels, *size)


def weighted_layer(shape: LayerShape, source: TensorSpec, weights: NDArray[np.int8]) -> Layer:
    """Make the layer with given weights, but no bias, and multipliers of 0."""
    kernel, stride = shape.window, shape.step
    padding = Padding.same(source.shape[:2], kernel, stride)
    if shape.kind is LayerKind.FULLY_CONNECTED:
        kernel, padding = source.shape[:2], Padding()
    windows = padding.windows(source.shape[:2], kernel, stride)
    channels = shape.channels or source.channels
    zeros = np.zeros(channels, np.int32)
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=TensorSpec.of_shape(shape.name, (*windows, channels), 1.0, 0),
        kernel=kernel,
        stride=stride,
        padding=padding,
        weights=weights,
        bias=zeros,
        multiplier=zeros,
        shift=zeros,
    )


def pool_layer(shape: LayerShape, source: TensorSpec) -> Layer:
    """Make a pool of windows in the image, or of the whole image: quantized as its input is."""
    clamp = (source.zero_point if shape.relu else -128, 127)
    if shape.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        output = replace(source, name=shape.name, height=1, width=1)
        return Layer(
            name=shape.name, kind=shape.kind, inputs=shape.inputs, output=output, clamp=clamp
        )
    kernel, stride = shape.window, shape.step
    padding = Padding()
    if shape.kind is LayerKind.MAX_POOL:
        padding = Padding.same(source.shape[:2], kernel, stride)
    rows, columns = padding.windows(source.shape[:2], kernel, stride)
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=replace(source, name=shape.name, height=rows, width=columns),
        kernel=kernel,
        stride=stride,
        padding=padding,
        clamp=clamp,
    )


def border_average(
    shape: LayerShape, source: TensorSpec
) -> tuple[tuple[Layer, ...], Concatenation]:
    """Make an average pool with SAME padding that counts only pixels of the image.

    Returns
    -------
    tuple of Layer
        A depthwise layer for each number of rows and columns in the image, divided as TensorFlow Lite does.
    Concatenation
        The mosaic of their pixels; quantized as the input is.

    Raises
    ------
    ValueError
        If the input's zero point is not 0: averages of integers are rounded about theirs.
    """
    if source.zero_point != 0:
        rule = "must be 0 for an average over the border"
        raise ValueError(f"zero_point of {source.name!r} {rule}, not {source.zero_point}")
    same = Padding.same(source.shape[:2], shape.window, shape.step)
    windows = same.windows(source.shape[:2], shape.window, shape.step)
    rows, columns = (
        averaging_parts(size, taps, step, before, count)
        for size, taps, step, before, count in zip(
            source.shape, shape.window, shape.step, (same.top, same.left), windows, strict=False
        )
    )
    channels, made = source.channels, pairs(rows, columns)
    layers = []
    for place, (down, right) in enumerate(made):
        divide = golden.pool_reciprocal(down.divisor * right.divisor)
        # The requantizer divides four times the sum; a weight of 4 makes it.
        weights = (1 << divide.left) * np.outer(down.taps, right.taps)
        name = f"{shape.name}.part{place}"
        layers.append(
            Layer(
                name=name,
                kind=LayerKind.DEPTHWISE,
                inputs=shape.inputs,
                output=TensorSpec.of_shape(
                    name, (down.count, right.count, channels), source.scale, 0
                ),
                weights=np.repeat(weights[:, :, None], channels, axis=2).astype(np.int8),
                bias=np.zeros(channels, np.int32),
                multiplier=np.full(channels, divide.multiplier, np.int32),
                shift=np.full(channels, -divide.right, np.int32),
                clamp=(0 if shape.relu else -128, 127),
                **window_of((down, right))._asdict(),
            )
        )
    joint = Concatenation(
        name=shape.name,
        parts=tuple(layer.name for layer in layers),
        output=TensorSpec.of_shape(shape.name, (*windows, channels), source.scale, 0),
        pixels=tuple(placed(pair) for pair in made),
    )
    return tuple(layers), joint


def _unweighted(shape: LayerShape, source: TensorSpec) -> Layer:
    zeros = np.zeros(_ENTRIES[shape.kind], np.int32)
    size = (1, 1, source.channels) if shape.kind is LayerKind.MEAN else source.shape
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=TensorSpec.of_shape(shape.name, size, 1.0, 0),
        multiplier=zeros,
        shift=zeros,
    )
