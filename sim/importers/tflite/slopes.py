"""Lowering of PRELU: a slope for all channels together, or for each of them."""

import numpy as np

from sim.importers.quantization import add_multipliers, ratio_multiplier, window_multipliers
from sim.importers.tflite import functions
from sim.importers.tflite.activations import BECOMES, NEEDS, emit_function
from sim.importers.tflite.arithmetic import channel_values, narrow_taps
from sim.importers.tflite.laid import require_signed
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.spec.network import LayerKind

__all__: list[str] = []


@lowers(
    "PRELU",
    becomes=f"of one slope {BECOMES}; of a slope for each channel an `add` of what is positive, by a `depthwise`, and what is negative, "
    "by a `max_pool` of single pixels and a `depthwise`",
    conditions=f"constant slopes, one for each channel; of one slope {NEEDS}",
)
def _prelu(lowering: Lowering, operator: TfliteOperator) -> None:
    slopes = lowering.tensor(operator, 1)
    lowering.check_quantized(operator, slopes)
    data = np.unique(lowering.constant(operator, 1, "int8"))
    if len(data) != 1:
        _by_channel(lowering, operator)
        return
    slope = int(data[0]) - slopes.zero_point
    scale = float(slopes.scale)
    emit_function(
        lowering, operator, lambda source, out: functions.prelu(source, out, slope, scale)
    )


def _by_channel(lowering: Lowering, operator: TfliteOperator) -> None:
    """Sum up both sides of 0: wherever the upper side has a value, the lower side is 0."""
    require_signed(lowering, operator)
    tensor, slopes, out = (
        lowering.tensor(operator, 0), lowering.tensor(operator, 1), lowering.output(operator),
    )  # fmt: skip
    if out.shape != tensor.shape:
        lowering.model.refuse(operator, f"output must have shape {tensor.shape}, not {out.shape}")
    source, values = channel_values(lowering, operator, slopes, tensor.index)
    channels, made = source.channels, (float(out.scale), out.zero_point)
    factors = values - slopes.zero_point
    try:
        above = ratio_multiplier(tensor.scale, out.scale, channels)
        below = window_multipliers(tensor.scale, slopes.scales, out.scale, channels)
        sums = add_multipliers(out.scale, out.scale, out.scale)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    taps = narrow_taps(factors, source.zero_point, int(below[0][0]), int(below[1][0]))
    if taps is None:
        rule = "slopes less their zero point must be int8, or equal one in every result"
        lowering.model.refuse(operator, f"{rule}, not {factors.min()} … {factors.max()}")
    positive = lowering.emit_inner(
        operator,
        source,
        made,
        weights=np.ones((1, 1, channels), np.int8),
        bias=np.zeros(channels, np.int32),
        multiplier=above[0],
        shift=above[1],
        clamp=(out.zero_point, 127),
    )
    least = lowering.emit_inner(
        operator,
        source,
        (source.scale, source.zero_point),
        kind=LayerKind.MAX_POOL,
        clamp=(-128, source.zero_point),
    )
    negative = lowering.emit_inner(
        operator,
        least,
        made,
        weights=taps[:, 0].astype(np.int8).reshape(1, 1, -1),
        bias=taps[:, 1].astype(np.int32),
        multiplier=taps[:, 2].astype(np.int32),
        shift=taps[:, 3].astype(np.int32),
    )
    lowering.emit(
        operator,
        LayerKind.ADD,
        (positive, negative),
        source.shape,
        multiplier=sums[0],
        shift=sums[1],
    )
