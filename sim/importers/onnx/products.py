"""Products of two activations: of one shape, or one of a value for each channel or pixel of the other."""

import math
from typing import Any

import numpy as np

from sim.importers.onnx.laid import chosen
from sim.importers.onnx.lowering import OnnxLowering
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized, Target
from sim.importers.pixel_products import pixel_product
from sim.spec.network import FACTOR_BYTES, LayerKind, TensorSpec

__all__ = ["multiplied"]

_MOST_PRODUCT = 255 * 255
"""Largest product of two int8 less their zero points."""


def multiplied(lowering: OnnxLowering, node: OnnxNode, a: Quantized, b: Quantized) -> Deferred:
    """Product of two activations, the smaller of which may be either operand."""
    value, other = (a, b) if _fits(b, a) else (b, a)
    if not _fits(other, value):
        rule = "product of activations must be of one shape, or with one value for each channel or pixel"
        node.refuse(f"{rule}, not of shapes {a.shape} and {b.shape}")
    channels = value.shape[1]
    by_vector = math.prod(other.shape[2:]) == 1
    if (by_vector or other.shape != value.shape) and not _has_channels_last(value):
        node.refuse(f"operands must have their {channels} channels last in memory")
    if not _has_channels_last(other) and other.shape != value.shape:
        node.refuse(f"operands must have their {other.shape[1]} channels last in memory")
    if other.shape == value.shape and not (
        value.spec.shape == other.spec.shape and np.array_equal(value.places, other.places)
    ):
        node.refuse("operands must lie in memory in one order")
    spec = other.spec
    if other.shape[1] == 1 < channels:
        spec = chosen(lowering, node, spec, np.zeros(channels, np.int64))
    if by_vector:
        return _by_vector(lowering, node, value, spec, other)
    return _by_pixels(lowering, node, value, spec, other)


def _by_vector(
    lowering: OnnxLowering, node: OnnxNode, value: Quantized, vector: TensorSpec, given: Quantized
) -> Deferred:
    def emit(target: Target) -> TensorSpec:
        fields = _multiplier(lowering, node, value, given, target)
        own = Target(tensor=target.tensor, quantization=given.quantization)
        factors = lowering.emit(
            node,
            LayerKind.FACTORS,
            (vector,),
            (1, 1, FACTOR_BYTES * vector.channels),
            own,
            name=f"factors_{node.index}",
        )
        shape = value.spec.shape
        return lowering.emit(
            node, LayerKind.MULTIPLY, (value.spec, factors), shape, target, **fields
        )

    return Deferred(shape=value.shape, places=value.places, emit=emit)


def _by_pixels(
    lowering: OnnxLowering, node: OnnxNode, value: Quantized, other: TensorSpec, given: Quantized
) -> Deferred:
    def emit(target: Target) -> TensorSpec:
        fields = _multiplier(lowering, node, value, given, target)
        sources = lowering.alike(node, value.spec, other)
        name = lowering.free_name(node)
        factor = (int(fields["multiplier"][0]), int(fields["shift"][0]))
        try:
            output = target.quantization.tensor(name, value.spec.shape)
            product = pixel_product(name, sources, output, factor, target.clamp)
        except ValueError as error:
            node.refuse(str(error))
        for layer in product.layers[:-1]:
            lowering.count(node, math.prod(layer.output.shape))
            lowering.enter(node, layer, "")
        lowering.count(node, math.prod(product.mosaic.shape) + math.prod(output.shape))
        lowering.joints.lay(list(product.parts), list(product.places), product.mosaic)
        lowering.enter(node, product.layers[-1], target.tensor)
        return output

    return Deferred(shape=value.shape, places=value.places, emit=emit)


def _multiplier(
    lowering: OnnxLowering, node: OnnxNode, value: Quantized, other: Quantized, target: Target
) -> dict[str, Any]:
    scales = [operand.quantization.scale for operand in (value, other)]
    real = np.float32(scales[0] * scales[1] / target.quantization.scale)
    return lowering.multipliers(node, np.array([real]), np.array([_MOST_PRODUCT]))


def _fits(other: Quantized, value: Quantized) -> bool:
    """Whether an operand has another's shape, or a value for each channel or each pixel of it."""
    if len(other.shape) != len(value.shape) or len(value.shape) < 2:
        return False
    single = math.prod(other.shape[2:]) == 1 and other.shape[1] in (1, value.shape[1])
    return single or other.shape in (value.shape, (1, 1, *value.shape[2:]))


def _has_channels_last(value: Quantized) -> bool:
    """Whether the channels of each pixel lie side by side, and pixels in their order."""
    channels = value.shape[1]
    pixels = math.prod(value.shape[2:])
    expected = np.arange(pixels * channels).reshape(pixels, channels).T
    return value.spec.channels == channels and np.array_equal(
        value.places.reshape(channels, -1), expected
    )
