"""Tensors of a TensorFlow Lite model that are mosaics: layers compute their pixels."""

import numpy as np

from sim.importers.quantization import ratio_multiplier
from sim.importers.tflite.lowering import Lowering, Shape
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import LayerKind, PixelPlace, TensorSpec

__all__ = ["lay", "made_alone", "require_signed"]


def lay(
    lowering: Lowering,
    operator: TfliteOperator,
    parts: list[TensorSpec],
    places: list[PixelPlace],
    shape: Shape,
) -> None:
    """Let an operator's output be a mosaic of tensors, which are made for it alone.

    Where their zero point is not the output's, a layer of one tap brings it there.
    """
    name, out = f"{operator.name.lower()}_{operator.index}", lowering.output(operator)
    if parts[0].zero_point == out.zero_point:
        lowering.place(operator, out.index, name, shape)
        _join(lowering, operator, parts, places, lowering.specs[name])
        return
    inner = f"{name}_{len(lowering.layers)}"
    spec = TensorSpec.of_shape(inner, shape, float(out.scale), parts[0].zero_point)
    lowering.specs[inner] = spec
    _join(lowering, operator, parts, places, spec)
    multiplier, shift = ratio_multiplier(out.scale, out.scale, shape[2])
    lowering.emit(
        operator,
        LayerKind.DEPTHWISE,
        (spec,),
        shape,
        weights=np.ones((1, 1, shape[2]), np.int8),
        bias=np.full(shape[2], spec.zero_point - out.zero_point, np.int32),
        multiplier=multiplier,
        shift=shift,
    )


def _join(
    lowering: Lowering,
    operator: TfliteOperator,
    parts: list[TensorSpec],
    places: list[PixelPlace],
    output: TensorSpec,
) -> None:
    try:
        lowering.joints.lay(parts, places, output)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))


def made_alone(
    lowering: Lowering,
    operator: TfliteOperator,
    position: int = 0,
    *,
    source: TensorSpec | None = None,
    dense: bool = False,
    twice: bool = False,
) -> TensorSpec:
    """Tensor that nothing else reads: an operator's input itself, or a copy of it.

    ``source`` is the network tensor of the input, where its values may lie in another order than the model's.
    ``dense``: its channels lie side by side, or are copied. ``twice``: the operator itself reads it again.
    """
    source = source or lowering.source(operator, position)
    alone = lowering.made_for(operator.inputs[position], [operator]) is not None and not twice
    alone &= lowering.held(source.name) == 1 and not lowering.joints.is_taken(source.name)
    if alone and (lowering.joints.is_dense(source.name) or not dense):
        return source
    return lowering.copy(
        operator, source, dense=not lowering.joints.is_dense(source.name) and dense
    )


def require_signed(lowering: Lowering, operator: TfliteOperator) -> None:
    """Refuse an operator of a model of uint8, which other kernels compute."""
    if lowering.model.unsigned:
        lowering.model.refuse(operator, "must be int8, not uint8")
