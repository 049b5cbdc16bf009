"""Lowering of products of two activations: of one shape, or one of a value for each channel or pixel of the other."""

import math

import numpy as np

from sim.importers.pixel_products import pixel_product
from sim.importers.quantization import window_multipliers
from sim.importers.tflite.lowering import Lowering
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.spec.network import FACTOR_BYTES, LayerKind, TensorSpec

__all__ = ["multiplied"]


def multiplied(lowering: Lowering, operator: TfliteOperator) -> None:
    """Lower a MUL of two activations.

    With a vector: the vector's factors, and the product by them. Else pixel by pixel, where an operand of one channel is repeated first.
    """
    a, b = (lowering.tensor(operator, position) for position in range(2))
    out, refuse = lowering.output(operator), lowering.model.refuse
    if lowering.model.unsigned:
        refuse(operator, "product of activations must be of int8")
    position = _smaller_position(a, b, out)
    if position < 0:
        rule = "product of activations must be of the output's shape, with one of its shape, or with one value for each "
        rule += f"channel or pixel of it, {out.shape}"
        refuse(operator, f"{rule}, not of shapes {a.shape} and {b.shape}")
    indices = operator.inputs[1 - position], operator.inputs[position]
    if a.shape == b.shape:
        source, other = lowering.followed_pair(operator, indices)
    else:
        source, other = (lowering.placed(operator, index) for index in indices)
    other = _repeated(lowering, operator, source, other, (a, b)[position].shape)
    if other.shape == (1, 1, source.channels):
        _by_vector(lowering, operator, _dense(lowering, operator, source), other)
    else:
        _by_pixels(lowering, operator, source, other)


def _repeated(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    other: TensorSpec,
    sizes: tuple[int, ...],
) -> TensorSpec:
    """Return the smaller operand, of model's shape ``sizes``, of a value for each channel or for all values; refused is another order."""
    out = lowering.output(operator)
    if sizes == out.shape and other.shape == source.shape:
        return other
    channels, single = out.shape[-1], math.prod(sizes[:-1]) == 1
    pixels = (1, 1) if single else source.shape[:2]
    mixed = math.prod(sizes) > 1 and source.channels != channels
    if mixed or other.shape != (*pixels, sizes[-1]):
        rule = f"operands must have their {channels} channels last in memory"
        lowering.model.refuse(operator, f"{rule}, not shapes {source.shape} and {other.shape}")
    if other.channels < source.channels:
        return lowering.chosen(operator, other, np.zeros(source.channels, np.int64))
    return other


def _by_vector(
    lowering: Lowering, operator: TfliteOperator, source: TensorSpec, vector: TensorSpec
) -> None:
    vector = _dense(lowering, operator, vector)
    multiplier, shift = _multiplier(lowering, operator)
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
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
        clamp=lowering.clamp(operator),
    )


def _by_pixels(
    lowering: Lowering, operator: TfliteOperator, source: TensorSpec, other: TensorSpec
) -> None:
    if not lowering.joints.lie_alike(source.name, other.name):
        source, other = (_dense(lowering, operator, spec) for spec in (source, other))
    name, factor = f"{operator.name.lower()}_{operator.index}", _multiplier(lowering, operator)
    clamp = lowering.clamp(operator)
    lowering.place(operator, operator.outputs[0], name, source.shape)
    try:
        product = pixel_product(name, (source, other), lowering.specs[name], factor, clamp)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    for layer in product.layers[:-1]:
        lowering.enter_inner(operator, layer)
    lowering.specs[product.mosaic.name] = product.mosaic
    lowering.joints.lay(list(product.parts), list(product.places), product.mosaic)
    lowering.enter_output(operator, product.layers[-1])


def _multiplier(lowering: Lowering, operator: TfliteOperator) -> tuple[int, int]:
    a, b = (lowering.tensor(operator, position) for position in range(2))
    try:
        factor = window_multipliers(a.scale, b.scales, lowering.output(operator).scale, 1)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    return int(factor[0][0]), int(factor[1][0])


def _smaller_position(a: TfliteTensor, b: TfliteTensor, out: TfliteTensor) -> int:
    """Which operand has the other's shape, which is the output's, or a value for each of its channels or pixels; -1 for none."""
    for position, (value, other) in ((1, (a, b)), (0, (b, a))):
        if value.shape != out.shape or len(other.shape) > len(out.shape):
            continue
        single = math.prod(other.shape[:-1]) == 1 and other.shape[-1] in (1, out.shape[-1])
        if single or other.shape in (out.shape, (*out.shape[:-1], 1)):
            return position
    return -1


def _dense(lowering: Lowering, operator: TfliteOperator, spec: TensorSpec) -> TensorSpec:
    """Network tensor of an operand, whose channels lie side by side; a copy where they do not."""
    if lowering.joints.is_dense(spec.name):
        return spec
    return lowering.copy(operator, spec, dense=True)
