"""Lowering of activations that are no clamps: activation tables behind the layers before them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.importers.quantization import window_multipliers
from sim.importers.tflite import functions
from sim.importers.tflite.host_steps import LEAST_SCALE, SCALE_LIMIT
from sim.importers.tflite.lowering import Factor, Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.scales import Scale

__all__ = ["BECOMES", "NEEDS", "emit_function", "gated"]

BECOMES = (
    "an activation table behind the layer before, or behind a `max_pool` of single pixels where others read that "
    "layer, too"
)
NEEDS = "an accelerator with `activation_table`"
_SCALES = f"input scale from 2⁻²⁴ to below {SCALE_LIMIT:g}"


@lowers(
    "LOGISTIC",
    becomes=f"{BECOMES}; with `MUL` by its own input a single table",
    conditions=f"not at the model's end; {NEEDS}; {_SCALES}",
)
def _logistic(lowering: Lowering, operator: TfliteOperator) -> None:
    _check_ends(lowering, operator, (1 / 256, -128), "1/256")
    emit_function(lowering, operator, lambda source, _: functions.logistic(source))


@lowers("TANH", becomes=BECOMES, conditions=f"{NEEDS}; {_SCALES}")
def _tanh(lowering: Lowering, operator: TfliteOperator) -> None:
    _check_ends(lowering, operator, (1 / 128, 0), "1/128")
    emit_function(lowering, operator, lambda source, _: functions.tanh_of(source))


@lowers("HARD_SWISH", becomes=BECOMES, conditions=f"{NEEDS}; scales of shifts within int16")
def _hard_swish(lowering: Lowering, operator: TfliteOperator) -> None:
    emit_function(lowering, operator, functions.hard_swish)


@lowers("LEAKY_RELU", becomes=BECOMES, conditions=f"{NEEDS}; a slope of 0 or more")
def _leaky_relu(lowering: Lowering, operator: TfliteOperator) -> None:
    alpha = float(operator.options["Alpha"])
    if not 0 <= alpha < float("inf"):
        lowering.model.refuse(operator, f"slope must be 0 or more, not {alpha}")
    emit_function(lowering, operator, lambda source, out: functions.leaky_relu(source, out, alpha))


@lowers("ELU", becomes=BECOMES, conditions=NEEDS)
def _elu(lowering: Lowering, operator: TfliteOperator) -> None:
    emit_function(lowering, operator, functions.elu)


def gated(lowering: Lowering, operator: TfliteOperator) -> bool:
    """Lower a MUL of a tensor by a function of it, or by itself; False where it is another product."""
    a, b = (lowering.tensor(operator, position) for position in range(2))
    known = [lowering.factors.get(tensor.index, Factor(tensor.index)) for tensor in (a, b)]
    base = known[0].source
    if known[1].source != base:
        return False
    _check_signed(lowering, operator)
    out = lowering.output(operator)
    if out.shape != a.shape:
        lowering.model.refuse(operator, f"output must have shape {a.shape}, not {out.shape}")
    try:
        multiplier, shift = window_multipliers(a.scale, b.scales, out.scale, 1)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    products = functions.product(
        known[0].values,
        known[1].values,
        (a.zero_point, b.zero_point),
        (int(multiplier[0]), int(shift[0])),
        out.zero_point,
    )
    values = products.clip(*lowering.clamp(operator)).astype(np.int8)
    readers = [factor.operator for factor in known if factor.operator is not None]
    lowering.emit_table(operator, base, values, [operator, *readers])
    return True


def emit_function(
    lowering: Lowering,
    operator: TfliteOperator,
    function: Callable[[Scale, Scale], NDArray[np.int8]],
) -> None:
    """Compute the table of a function, for a MUL that alone reads it with the same input, else for the layer before."""
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    _check_signed(lowering, operator)
    if out.shape != tensor.shape:
        lowering.model.refuse(operator, f"output must have shape {tensor.shape}, not {out.shape}")
    try:
        values = function(_scale(tensor), _scale(out))
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    reader = lowering.only_reader(out.index)
    if reader is not None and reader.name == "MUL" and tensor.index in reader.inputs:
        lowering.factors[out.index] = Factor(tensor.index, values, operator)
        return
    lowering.emit_table(operator, tensor.index, values, [operator])


def _scale(tensor: TfliteTensor) -> Scale:
    return Scale(float(tensor.scale), tensor.zero_point)


def _check_signed(lowering: Lowering, operator: TfliteOperator) -> None:
    if lowering.model.unsigned:
        lowering.model.refuse(operator, "must be of int8")


def _check_ends(
    lowering: Lowering, operator: TfliteOperator, expected: tuple[float, int], scale: str
) -> None:
    """Refuse other scales than those that the interpreter computes."""
    tensor, out = lowering.tensor(operator, 0), lowering.output(operator)
    lowering.check_quantized(operator, tensor)
    if (float(out.scale), out.zero_point) != expected:
        rule = f"output must have scale {scale} and zero point {expected[1]}"
        lowering.model.refuse(operator, f"{rule}, not {out.scale} and {out.zero_point}")
    if not LEAST_SCALE <= tensor.scale < SCALE_LIMIT:
        rule = f"input scale must be from {LEAST_SCALE:g} to below {SCALE_LIMIT:g}"
        lowering.model.refuse(operator, f"{rule}, not {tensor.scale}")
