"""Products of two activations, one of which has a value for each channel of the other."""

import math

import numpy as np

from sim.importers.onnx.lowering import OnnxLowering
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized, Target
from sim.spec.network import FACTOR_BYTES, LayerKind, TensorSpec

__all__ = ["multiplied"]

_MOST_PRODUCT = 255 * 255
"""Largest product of two int8 less their zero points."""


def multiplied(lowering: OnnxLowering, node: OnnxNode, a: Quantized, b: Quantized) -> Deferred:
    """Product of an activation and a vector, in either order; refused are products pixel by pixel."""
    value, vector = (a, b) if _is_vector(b, a) else (b, a)
    if not _is_vector(vector, value):
        rule = "product of activations must be with one value for each channel"
        node.refuse(f"{rule}, not of shapes {a.shape} and {b.shape}")
    channels = value.shape[1]
    order = value.places.reshape(channels, -1) % channels
    if value.spec.channels != channels or not (order == np.arange(channels)[:, None]).all():
        node.refuse(f"operands must have their {channels} channels last in memory")
    if vector.spec.shape != (1, 1, channels):
        node.refuse(f"operands must have their {channels} channels last in memory")

    def emit(target: Target) -> TensorSpec:
        scales = [operand.quantization.scale for operand in (value, vector)]
        real = np.float32(scales[0] * scales[1] / target.quantization.scale)
        fields = lowering.multipliers(node, np.array([real]), np.array([_MOST_PRODUCT]))
        own = Target(tensor=target.tensor, quantization=vector.quantization)
        factors = lowering.emit(
            node,
            LayerKind.FACTORS,
            (vector.spec,),
            (1, 1, FACTOR_BYTES * channels),
            own,
            name=f"factors_{node.index}",
        )
        shape = value.spec.shape
        return lowering.emit(
            node, LayerKind.MULTIPLY, (value.spec, factors), shape, target, **fields
        )

    return Deferred(shape=value.shape, places=value.places, emit=emit)


def _is_vector(vector: Quantized, value: Quantized) -> bool:
    """Whether an operand has a value for each channel of another."""
    if len(vector.shape) != len(value.shape) or len(value.shape) < 2:
        return False
    return math.prod(vector.shape[2:]) == 1 and vector.shape[1] == value.shape[1]
