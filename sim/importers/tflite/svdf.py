"""Lowering of SVDF: a fully connected layer whose outputs of the last steps a filter weighs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.quantization import Multipliers
from sim.importers.tflite.laid import require_signed
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.importers.tflite.states import enter_state, note_state
from sim.importers.tflite.windows import constant_weights
from sim.scales import quantize_multipliers
from sim.spec.network import ActivationTable, LayerKind, PixelPlace, TensorSpec

__all__: list[str] = []

_STATE = 4
_RELU = 1


@lowers(
    "SVDF",
    becomes="a `fully_connected`, a mosaic of its output and of a state with those of the runs before, and a `conv` over all of them "
    "with zeros between filters; a `depthwise` takes what the next run finds. A state's zero point other than 0 needs a table",
    conditions="weights and state of int8: TensorFlow Lite Micro's other form has both in int16; with a bias; a variable tensor "
    "as state; at the end no activation or RELU, which the interpreter passes over",
)
def _svdf(lowering: Lowering, operator: TfliteOperator) -> None:
    require_signed(lowering, operator)
    refuse, options = lowering.model.refuse, operator.options
    (source, order), out = lowering.ordered(operator), lowering.output(operator)
    state, time = lowering.tensor(operator, _STATE), lowering.tensor(operator, 2)
    for tensor, what in ((time, "weights over time"), (state, "state")):
        if tensor.dtype != "int8":
            refuse(operator, f"{what} {tensor.name!r} must be int8, not {tensor.dtype}")
    features, weights = constant_weights(lowering, operator, 2, 0)
    filters, depth = weights.shape
    taps = lowering.constant(operator, 2, "int8")
    if options["FusedActivationFunction"] not in (0, _RELU):
        number = options["FusedActivationFunction"]
        refuse(operator, f"fused activation must be NONE or RELU, not {number}")
    rank = options["Rank"]
    if rank < 1 or filters % rank:
        refuse(operator, f"rank must divide the {filters} filters, not be {rank}")
    if lowering.tensor(operator, 0).shape != (1, depth):
        given = lowering.tensor(operator, 0).shape
        refuse(operator, f"input must have the shape {(1, depth)} of its weights, not {given}")
    if taps.ndim != 2 or len(taps) != filters or not taps.shape[1]:
        refuse(operator, f"weights over time must be ({filters}, n), not {taps.shape}")
    steps, units = taps.shape[1], filters // rank
    if out.shape != (1, units):
        refuse(operator, f"output must have shape {(1, units)}, not {out.shape}")
    _check_state(lowering, operator, state, filters * steps)
    for tensor in (features, time):
        if len(tensor.scales) != 1 or tensor.zero_points.any():
            refuse(operator, f"weights {tensor.name!r} must have one scale and zero point 0")
    scale = lowering.model.tensors[operator.inputs[0]].scale
    arranged = np.empty_like(weights)
    arranged[:, order.reshape(-1)] = weights
    latest = lowering.emit_inner(
        operator,
        source,
        (float(state.scale), state.zero_point),
        kind=LayerKind.FULLY_CONNECTED,
        shape=(1, 1, filters),
        kernel=source.shape[:2],
        weights=arranged.reshape(filters, *source.shape),
        bias=np.zeros(filters, np.int32),
        table=_wrapping(state.zero_point),
        **_multipliers(lowering, operator, scale * features.scale / state.scale, filters),
    )
    seen = _all_steps(lowering, operator, latest, steps)
    kernel = np.zeros((units, steps, 1, filters), np.int8)
    own = np.arange(filters)
    kernel[own // rank, :, 0, own] = taps
    lowering.emit(
        operator,
        LayerKind.CONV,
        (seen,),
        (1, 1, units),
        kernel=(steps, 1),
        weights=kernel,
        bias=_bias(lowering, operator, units),
        **_multipliers(lowering, operator, state.scale * time.scale / out.scale, units),
    )


def _wrapping(zero_point: int) -> ActivationTable | None:
    """Table of what becomes of a filter's result: the interpreter adds the zero point to it behind the clamp, in int8."""
    if zero_point == 0:
        return None
    values = (np.arange(-128, 128) + zero_point).astype(np.int8)  # which wraps
    return ActivationTable(values=values, zero_point=0)


def _check_state(
    lowering: Lowering, operator: TfliteOperator, state: TfliteTensor, values: int
) -> None:
    refuse = lowering.model.refuse
    lowering.check_quantized(operator, state)
    if not state.variable or state.data is not None:
        refuse(operator, f"state {state.name!r} must be a variable tensor")
    if state.shape != (1, values):
        refuse(operator, f"state {state.name!r} must have shape {(1, values)}, not {state.shape}")
    model, index = lowering.model, state.index
    users = [node for node in model.operators if index in (*node.inputs, *node.outputs)]
    if len(users) > 1 or index in (*operator.outputs, *model.inputs, *model.outputs):
        refuse(operator, f"state {state.name!r} must be read and written by nothing else")


def _multipliers(
    lowering: Lowering, operator: TfliteOperator, factor: np.float32, count: int
) -> dict[str, Any]:
    """Multiplier and shift of each channel, from a factor in single precision."""
    try:
        made: Multipliers = quantize_multipliers(np.full(count, np.float64(factor)))
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    return {"multiplier": made[0], "shift": made[1]}


def _bias(lowering: Lowering, operator: TfliteOperator, units: int) -> NDArray[np.int32]:
    bias = lowering.constant(operator, 3, "int32").reshape(-1)  # the interpreter needs it
    if len(bias) != units:
        lowering.model.refuse(operator, f"bias must have {units} values, not {len(bias)}")
    return bias.astype(np.int32)


def _all_steps(
    lowering: Lowering, operator: TfliteOperator, latest: TensorSpec, steps: int
) -> TensorSpec:
    """Rows of the filters' outputs in the last steps, the latest last; all but the first are the next run's state."""
    if steps == 1:
        return latest
    name = f"svdf_{operator.index}"
    quantized = (latest.scale, latest.zero_point)
    state = TensorSpec.of_shape(f"{name}_state", (steps - 1, 1, latest.channels), *quantized)
    enter_state(lowering, state)
    before = lowering.copy(operator, state, dense=False)
    seen = TensorSpec.of_shape(f"{name}_steps", (steps, 1, latest.channels), *quantized)
    lowering.specs[seen.name] = seen
    places = [PixelPlace(begin=(steps - 1, 0)), PixelPlace()]
    lowering.joints.lay([latest, before], places, seen)
    window = np.zeros((2, 1, latest.channels), np.int8)
    window[1] = 1
    multiplier, shift = quantize_multipliers(np.ones(latest.channels))
    following = lowering.emit_inner(
        operator,
        seen,
        quantized,
        shape=state.shape,
        kernel=(2, 1),
        weights=window,
        bias=np.zeros(latest.channels, np.int32),
        multiplier=multiplier,
        shift=shift,
    )
    first = np.full(state.shape, state.zero_point, np.int8)
    note_state(lowering, state, following.name, first)
    return seen
