"""Lowering of the larger or smaller of two operands: of two activations, or of an activation and a number."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sim.importers.host import UNIT_FACTOR
from sim.importers.tflite.elementwise import rescale
from sim.importers.tflite.laid import made_alone
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import LayerKind, PixelPlace, TensorSpec

__all__: list[str] = []

_BOUND = (
    "of one shape, or an activation and one constant, equal for all channels; all quantized alike"
)
_BECOMES = "with a constant the clamp of the layer before, else of a `depthwise` of one tap of 1; of activations a `max_pool` of 2 × 1 over their rows, stored in turn"


@lowers("MAXIMUM", becomes=_BECOMES, conditions=_BOUND)
def _maximum(lowering: Lowering, operator: TfliteOperator) -> None:
    if not _has_constant(lowering, operator):
        pair = _pair(lowering, operator)
        parts = [_part(lowering, operator, place, pair[place]) for place in range(2)]
        _largest(lowering, operator, parts)
        return
    _bounded(lowering, operator, lambda bound: (bound, 127))


@lowers("MINIMUM", becomes=f"{_BECOMES}, of their negatives", conditions=_BOUND)
def _minimum(lowering: Lowering, operator: TfliteOperator) -> None:
    if not _has_constant(lowering, operator):
        _smallest(lowering, operator)
        return
    _bounded(lowering, operator, lambda bound: (-128, bound))


def _has_constant(lowering: Lowering, operator: TfliteOperator) -> bool:
    """Whether an operand is a constant; refused are two, and activations of other shapes or scales."""
    a, b = (lowering.tensor(operator, place) for place in range(2))
    constants, out = [x.data is not None for x in (a, b)], lowering.output(operator)
    if all(constants):
        lowering.model.refuse(operator, "must have an activation among its operands")
    if any(constants):
        return True
    if not a.shape == b.shape == out.shape:
        rule = f"activations must have the output's shape {out.shape}"
        lowering.model.refuse(operator, f"{rule}, not {a.shape} and {b.shape}")
    if not (a.quantized_like(out) and b.quantized_like(out)):
        # TensorFlow Lite Micro compares integers, whatever their scales say.
        lowering.model.refuse(operator, "inputs and output must be quantized alike")
    return False


def _pair(lowering: Lowering, operator: TfliteOperator) -> tuple[TensorSpec, TensorSpec]:
    """Network tensors of both activations, in one order; refused where they lie otherwise than each other."""
    a, b = lowering.followed_pair(operator, (operator.inputs[0], operator.inputs[1]))
    if a.shape != b.shape:
        rule = "activations must lie alike in memory"
        lowering.model.refuse(operator, f"{rule}, not as {a.shape} and {b.shape}")
    return a, b


def _part(
    lowering: Lowering, operator: TfliteOperator, place: int, source: TensorSpec
) -> TensorSpec:
    twice = operator.inputs[0] == operator.inputs[1]
    return made_alone(lowering, operator, place, source=source, dense=True, twice=twice)


def _largest(lowering: Lowering, operator: TfliteOperator, parts: list[TensorSpec]) -> None:
    """Append the pool whose windows hold a value of each part."""
    shape = parts[0].shape
    rows = _rows(lowering, operator, parts)
    lowering.emit(
        operator, LayerKind.MAX_POOL, (rows,), shape, kernel=(2, 1), stride=(2, 1)
    )  # fmt: skip


def _rows(lowering: Lowering, operator: TfliteOperator, parts: list[TensorSpec]) -> TensorSpec:
    """Image of the rows of two tensors in turn."""
    order = list(lowering.layers)
    parts = sorted(parts, key=lambda part: order.index(part.name))
    height, width, channels = parts[0].shape
    name = f"{operator.name.lower()}_{operator.index}_rows"
    try:
        spec = TensorSpec.of_shape(
            name, (2 * height, width, channels), parts[0].scale, parts[0].zero_point
        )
        places = [PixelPlace(begin=(row, 0), step=(2, 1)) for row in range(2)]
        lowering.joints.lay(parts, places, spec)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    lowering.specs[name] = spec
    return spec


def _smallest(lowering: Lowering, operator: TfliteOperator) -> None:
    """The negative of the larger of the negatives: -1 - v for every v, which int8 has."""
    pair = _pair(lowering, operator)
    parts = [_negated(lowering, operator, source) for source in pair]
    rows = _rows(lowering, operator, parts)
    largest = lowering.emit_inner(
        operator,
        rows,
        (rows.scale, rows.zero_point),
        kind=LayerKind.MAX_POOL,
        shape=parts[0].shape,
        kernel=(2, 1),
        stride=(2, 1),
    )
    channels = largest.channels
    multiplier, shift = (np.full(channels, value, np.int32) for value in UNIT_FACTOR)
    lowering.emit(
        operator,
        LayerKind.DEPTHWISE,
        (largest,),
        largest.shape,
        weights=np.full((1, 1, channels), -1, np.int8),
        bias=np.zeros(channels, np.int32),
        multiplier=multiplier,
        shift=shift,
    )


def _negated(lowering: Lowering, operator: TfliteOperator, source: TensorSpec) -> TensorSpec:
    """Append a layer whose outputs are -1 - v for each value v; its channels lie side by side."""
    channels, dense = source.channels, lowering.joints.is_dense(source.name)
    multiplier, shift = (np.full(channels, value, np.int32) for value in UNIT_FACTOR)
    each = -np.eye(channels, dtype=np.int8).reshape(channels, 1, 1, channels)
    return lowering.emit_inner(
        operator,
        source,
        (source.scale, -1 - source.zero_point),
        kind=LayerKind.DEPTHWISE if dense else LayerKind.CONV,
        weights=np.full((1, 1, channels), -1, np.int8) if dense else each,
        bias=np.zeros(channels, np.int32),
        multiplier=multiplier,
        shift=shift,
    )


def _bounded(
    lowering: Lowering, operator: TfliteOperator, clamp: Callable[[int], tuple[int, int]]
) -> None:
    """The larger or smaller of a tensor and a number: a clamp, as TensorFlow Lite Micro compares integers."""
    if lowering.tensor(operator, 0).data is not None:
        operator = replace(operator, inputs=operator.inputs[::-1])
    tensor, bound = lowering.tensor(operator, 0), lowering.tensor(operator, 1)
    numbers = np.unique(lowering.constant(operator, 1, "int8"))
    if len(numbers) != 1:
        rule = f"constant {bound.name!r} must be one number for all channels"
        lowering.model.refuse(operator, f"{rule}, not {numbers[:8].tolist()}")
    out = lowering.output(operator)
    if not (tensor.quantized_like(out) and bound.quantized_like(out)):
        # TensorFlow Lite Micro compares integers, whatever their scales say.
        lowering.model.refuse(operator, "inputs and output must be quantized alike")
    rescale(lowering, operator, clamp(int(numbers[0])))
