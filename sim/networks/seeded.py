"""Seeded weights for a topology, and scales with which its activations use the int8 range.

There is no training here: every channel of a layer is given the mean and spread that batch
normalization would leave it with, measured on one image of smooth noise with the integer reference.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.networks.shapes import border_average, pool_layer, weighted_layer, weights_shape
from sim.networks.topology import LayerShape
from sim.scales import (
    Scale,
    activation_scale,
    add_factors,
    quantize_multiplier,
    quantize_multipliers,
)
from sim.spec.network import WINDOW_POOLS, Concatenation, Layer, LayerKind, Network, TensorSpec

__all__ = ["noise_image", "seeded_network"]

RELU6 = Scale(6 / 255, -128)
"""Output scale behind ReLU6: the int8 range is 0 … 6, so that the type's own limits clamp."""

_WEIGHT_SPREAD = 42.0
"""Standard deviation of the weights: three of them fill int8."""

_RELU_SPREAD, _RELU_MEAN = 2.0, 1.2
"""Spread and mean of a channel before ReLU or ReLU6: about a quarter of the values become 0, few exceed 6."""


def seeded_network(
    name: str, source: TensorSpec, shapes: Sequence[LayerShape], seed: int
) -> Network:
    """Make a network of the given layers; the same on every machine for one seed."""
    rng = np.random.default_rng(seed)
    specs = {source.name: source}
    values = {source.name: noise_image(source, rng)}
    layers: list[Layer] = []
    joints: list[Concatenation] = []
    for shape in shapes:
        inputs = [specs[name] for name in shape.inputs]
        activations = [values[name] for name in shape.inputs]
        if shape.over_border:
            parts, joint = border_average(shape, inputs[0])
            made = [golden.run_layer(part, inputs, activations) for part in parts]
            specs[joint.name] = joint.output
            values[joint.name] = golden.concatenate(joint, made)
            layers += parts
            joints.append(joint)
            continue
        if shape.kind is LayerKind.ADD:
            layer = _add(shape, inputs, activations)
        elif shape.kind is LayerKind.MEAN:
            layer = _mean(shape, inputs[0], activations[0])
        elif shape.kind in (LayerKind.GLOBAL_AVERAGE_POOL, *WINDOW_POOLS):
            layer = pool_layer(shape, inputs[0])
        else:
            layer = _weighted(shape, inputs[0], activations[0], rng)
        specs[layer.name] = layer.output
        values[layer.name] = golden.run_layer(layer, inputs, activations)
        layers.append(layer)
    return Network(name=name, input=source, layers=tuple(layers), concatenations=tuple(joints))


def noise_image(source: TensorSpec, rng: np.random.Generator) -> NDArray[np.int8]:
    """Random image with detail at every size, as photographs have: int8[1, height, width, C]."""
    total = np.zeros(source.shape)
    rows, columns = np.arange(source.height), np.arange(source.width)
    cell = 1
    while cell <= max(source.height, source.width):
        shape = (rows[-1] // cell + 1, columns[-1] // cell + 1, source.channels)
        total += rng.normal(0, 1, shape)[rows[:, None] // cell, columns // cell]
        cell *= 2
    total *= 50 / np.sqrt(cell.bit_length() - 1)
    return total.round().clip(-128, 127).astype(np.int8)[None]


def _weighted(
    shape: LayerShape, source: TensorSpec, x: NDArray[np.int8], rng: np.random.Generator
) -> Layer:
    size = weights_shape(shape, source)
    weights = rng.normal(0, _WEIGHT_SPREAD, size).round().clip(-127, 127).astype(np.int8)
    blank = weighted_layer(shape, source, weights)
    acc = golden.accumulate(blank, source, x)
    mean, spread = _statistics(acc)
    wanted_spread = rng.uniform(0.7, 1.3, len(mean))
    wanted_mean = rng.normal(0, 0.3, len(mean))
    rectified = shape.relu or shape.relu6
    if rectified:
        wanted_spread *= _RELU_SPREAD
        wanted_mean = _RELU_MEAN + _RELU_SPREAD * wanted_mean
    gain = wanted_spread / spread  # real value per unit of the accumulator
    bias = np.rint(wanted_mean / gain - mean)
    if shape.relu6:
        scale = RELU6
    else:
        real = (acc + bias) * gain
        scale = _scale(shape, real.min(), real.max())
    multiplier, shift = quantize_multipliers(gain / scale.scale)
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=TensorSpec.of_shape(shape.name, blank.output.shape, *scale),
        kernel=blank.kernel,
        stride=blank.stride,
        padding=blank.padding,
        weights=blank.weights,
        bias=bias.astype(np.int32),
        multiplier=multiplier,
        shift=shift,
        clamp=_clamp(scale, rectified),
    )


def _statistics(acc: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every channel, or of all together where it has one pixel.

    The sums are of integers, so their order does not matter.
    """
    channels = acc.shape[-1]
    flat = acc.reshape(-1, channels)
    if len(flat) == 1:
        flat = flat.T
    mean = flat.sum(axis=0) / len(flat)
    variance = (flat * flat).sum(axis=0) / len(flat) - mean * mean
    spread = np.sqrt(np.maximum(variance, 1.0))
    # A channel that the image hardly excites must not be amplified without limit.
    spread = np.maximum(spread, spread.mean() / 8)
    return np.broadcast_to(mean, channels), np.broadcast_to(spread, channels)


def _add(shape: LayerShape, inputs: list[TensorSpec], x: list[NDArray[np.int8]]) -> Layer:
    real = sum(
        spec.scale * (value.astype(np.float64) - spec.zero_point)
        for spec, value in zip(inputs, x, strict=True)
    )
    scale = _scale(shape, float(np.min(real)), float(np.max(real)))
    factors = add_factors(inputs[0].scale, inputs[1].scale, scale.scale)
    multiplier, shift = quantize_multipliers(factors)
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=TensorSpec.of_shape(shape.name, inputs[0].shape, *scale),
        multiplier=multiplier,
        shift=shift,
        clamp=_clamp(scale, shape.relu),
    )


def _mean(shape: LayerShape, source: TensorSpec, x: NDArray[np.int8]) -> Layer:
    count = source.height * source.width
    sums = x.sum(axis=(1, 2), dtype=np.int64) - count * source.zero_point
    scale = activation_scale(*(source.scale * int(end) / count for end in (sums.min(), sums.max())))
    multiplier, shift = quantize_multiplier(source.scale / count / scale.scale)
    return Layer(
        name=shape.name,
        kind=shape.kind,
        inputs=shape.inputs,
        output=TensorSpec.of_shape(shape.name, (1, 1, source.channels), *scale),
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
    )


def _scale(shape: LayerShape, low: float, high: float) -> Scale:
    """Scale of a layer whose results are in a range, before ReLU."""
    if shape.centred:
        return Scale(float(max(-low, high)) / 127 or 1.0, 0)
    return activation_scale(0.0 if shape.relu else low, high)


def _clamp(scale: Scale, rectified: bool) -> tuple[int, int]:
    """Output range: ReLU gives nothing below the real 0."""
    return (scale.zero_point if rectified else -128, 127)
