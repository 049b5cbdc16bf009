"""Lowering of products of two activations, one of which has a value for each channel of the other."""

import math

import numpy as np

from sim.importers.quantization import window_multipliers
from sim.importers.tflite.lowering import Lowering
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.spec.network import FACTOR_BYTES, LayerKind, TensorSpec

__all__ = ["multiplied"]


def multiplied(lowering: Lowering, operator: TfliteOperator) -> None:
    """Lower a MUL of an activation and a vector: the vector's factors, and the product by them.

    Refused are products pixel by pixel, whose weights would be another pixel's each.
    """
    a, b = (lowering.tensor(operator, position) for position in range(2))
    out, refuse = lowering.output(operator), lowering.model.refuse
    if lowering.model.unsigned:
        refuse(operator, "product of activations must be of int8")
    position = _vector_position(a, b, out)
    if position < 0:
        rule = "product of activations must be with one value for each channel of the output"
        refuse(operator, f"{rule}, not of shapes {a.shape} and {b.shape}")
    source, vector = (_dense(lowering, operator, place) for place in (1 - position, position))
    if source.channels != out.shape[-1] or vector.shape != (1, 1, out.shape[-1]):
        rule = f"operands must have their {out.shape[-1]} channels last in memory"
        refuse(operator, f"{rule}, not shapes {source.shape} and {vector.shape}")
    try:
        multiplier, shift = window_multipliers(a.scale, b.scales, out.scale, 1)
    except ValueError as error:
        refuse(operator, str(error))
    factors = lowering.emit_inner(
        operator,
        vector,
        (vector.scale, vector.zero_point),
        kind=LayerKind.FACTORS,
        channels=FACTOR_BYTES * vector.channels,
    )
    lowering.emit(
        operator,
        LayerKind.MULTIPLY,
        (source, factors),
        source.shape,
        multiplier=multiplier.astype(np.int32),
        shift=shift.astype(np.int32),
        clamp=lowering.clamp(operator),
    )


def _vector_position(a: TfliteTensor, b: TfliteTensor, out: TfliteTensor) -> int:
    """Which operand has a value for each channel of the other, which has the output's shape; -1 for none."""
    for position, (value, vector) in ((1, (a, b)), (0, (b, a))):
        wide = math.prod(vector.shape[:-1]) > 1 or len(vector.shape) > len(out.shape)
        if value.shape == out.shape and not wide and vector.shape[-1] == out.shape[-1]:
            return position
    return -1


def _dense(lowering: Lowering, operator: TfliteOperator, position: int) -> TensorSpec:
    """Network tensor of an operand, whose channels lie side by side; a copy where they do not."""
    spec = lowering.source(operator, position)
    if lowering.joints.is_dense(spec.name):
        return spec
    return lowering.copy(operator, spec, dense=True)
