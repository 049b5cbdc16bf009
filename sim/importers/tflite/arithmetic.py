"""Lowering of sums, differences and products, of which an operand may be a constant."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.importers.host import UNIT_FACTOR
from sim.importers.quantization import add_multipliers, window_multipliers
from sim.importers.single_tap import equal_tap
from sim.importers.tflite.activations import gated
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator, TfliteTensor
from sim.importers.tflite.products import multiplied
from sim.scales import quantize_multipliers
from sim.spec.network import ADD_LEFT_SHIFT, LayerKind, TensorSpec

__all__ = ["channel_values", "narrow_taps", "negates"]

_EVERY = np.arange(-128, 128, dtype=np.int64)

_MOST_IN_HALVES = 254
"""Largest factor of which both halves are int8."""

_OPERANDS = "two activations of one shape, or a constant for each channel"


@lowers(
    "ADD",
    becomes="`add`; a constant is a `depthwise` that gives it to every pixel",
    conditions=_OPERANDS,
)
def _add(lowering: Lowering, operator: TfliteOperator) -> None:
    a, b = _check_operands(lowering, operator)
    _summed(lowering, operator, _sources(lowering, operator, a, b))


@lowers(
    "SUB",
    becomes="`add` of what a `depthwise` of one tap of -1 negates",
    conditions=f"{_OPERANDS}; scales with which the negated sum is equal in every bit",
)
def _sub(lowering: Lowering, operator: TfliteOperator) -> None:
    a, b = _check_operands(lowering, operator)
    out = lowering.output(operator)
    factors = _sum_multipliers(lowering, operator, a, b, out)
    if not negates((a.zero_point, b.zero_point), *factors):
        lowering.model.refuse(operator, "scales must not meet ties, which round up, not down")
    _summed(lowering, operator, _sources(lowering, operator, a, b, negated=True))


@lowers(
    "MUL",
    becomes="a `depthwise` of one tap; where a factor leaves int8, one that is equal for every "
    "input, else two 1×1 `conv`; a product of activations is `factors` and `multiply`, pixel by pixel "
    "four `max_pool` and four `add` with activation tables, and a `depthwise`",
    conditions="of an activation and a constant for each channel; of an activation and a function of it, which become an "
    "activation table; of an activation and another with a value for each channel of it; of two of one shape, or one with a value for each "
    "pixel of the other: an accelerator with `activation_table`",
)
def _mul(lowering: Lowering, operator: TfliteOperator) -> None:
    if all(lowering.tensor(operator, place).data is None for place in range(2)):
        if not gated(lowering, operator):
            multiplied(lowering, operator)
        return
    a, b = _check_operands(lowering, operator)
    position = 0 if b.data is not None else 1
    value, constant = (a, b) if position == 0 else (b, a)
    out = lowering.output(operator)
    source, factors = channel_values(lowering, operator, constant, value.index)
    factors = factors - constant.zero_point
    try:
        if lowering.model.unsigned:
            # LiteRT multiplies and divides these scales in single precision
            real = np.float64(value.scale * constant.scale / out.scale)
            multipliers = quantize_multipliers(np.full(source.channels, real))
        else:
            multipliers = window_multipliers(
                value.scale, constant.scales, out.scale, source.channels
            )
    except ValueError as error:
        lowering.model.refuse(operator, str(error))
    clamp = lowering.clamp(operator)
    bias = np.zeros(source.channels, np.int32)
    if np.abs(factors + 0.5).max() > 128:
        multiplier, shift = (int(values[0]) for values in multipliers)
        taps = narrow_taps(factors, value.zero_point, multiplier, shift)
        if taps is None:
            _in_parts(lowering, operator, source, factors, multipliers, clamp)
            return
        factors, bias, multipliers = taps[:, 0], taps[:, 1].astype(np.int32), (
            taps[:, 2].astype(np.int32), taps[:, 3].astype(np.int32),
        )  # fmt: skip
    lowering.emit(
        operator,
        LayerKind.DEPTHWISE,
        (source,),
        source.shape,
        weights=factors.astype(np.int8).reshape(1, 1, -1),
        bias=bias,
        multiplier=multipliers[0],
        shift=multipliers[1],
        clamp=clamp,
    )


def _check_operands(
    lowering: Lowering, operator: TfliteOperator
) -> tuple[TfliteTensor, TfliteTensor]:
    """Operands, of which the activations have the output's shape."""
    a, b = (lowering.tensor(operator, i) for i in range(2))
    out = lowering.output(operator)
    if a.data is not None and b.data is not None:
        lowering.model.refuse(operator, "must have an activation among its operands")
    if any(x.data is None and x.shape != out.shape for x in (a, b)):
        rule = f"operands must have one shape, not {a.shape} and {b.shape}"
        lowering.model.refuse(operator, rule)
    return a, b


def channel_values(
    lowering: Lowering, operator: TfliteOperator, constant: TfliteTensor, index: int
) -> tuple[TensorSpec, NDArray[np.int64]]:
    """Network tensor of an activation, and a constant's value for each channel of it, in whatever order it lies.

    The activation has the output's shape; the output gets its order. Refused are constants of which pixels have
    values of their own.
    """
    refuse, name = lowering.model.refuse, constant.name
    lowering.check_quantized(operator, constant)
    shape, order = lowering.output(operator).shape, lowering.order_of(index)
    source = lowering.followed(operator, index)
    data: NDArray[Any] = np.asarray(constant.data)
    try:
        wide = np.broadcast_to(data, shape)
    except ValueError:
        refuse(operator, f"constant {name!r} must fit shape {shape}, not have shape {data.shape}")
    memory = wide.reshape(-1).astype(np.int64)
    if order is not None:
        memory[order.reshape(-1)] = wide.reshape(-1)
    rows = memory.reshape(-1, source.channels)
    if (rows == rows[0]).all():
        return source, rows[0]
    if order is None and shape[-1] != source.channels:
        rule = f"activation must have its {source.channels} channels last where it meets a constant"
        refuse(operator, f"{rule}, not shape {shape}")
    refuse(operator, f"constant {name!r} must be one number for each channel")


def _sources(
    lowering: Lowering,
    operator: TfliteOperator,
    a: TfliteTensor,
    b: TfliteTensor,
    *,
    negated: bool = False,
) -> list[TensorSpec]:
    """Both operands of a sum in memory, the second negated if asked; a constant is in every pixel."""
    tensors = (a, b)
    constants = [place for place in range(2) if tensors[place].data is not None]
    if constants:
        (place,) = constants
        source, values = channel_values(
            lowering, operator, tensors[place], tensors[1 - place].index
        )
        result = [source, source]
        sign = -1 if negated and place == 1 else 1
        bias = sign * (values - tensors[place].zero_point)
        result[place] = _laid_out(lowering, operator, source, tensors[place], 0, bias, sign)
    else:
        result = list(lowering.followed_pair(operator, (a.index, b.index)))
    if negated and constants != [1]:
        zeros = np.zeros(result[1].channels, np.int64)
        result[1] = _laid_out(lowering, operator, result[1], b, -1, zeros, -1)
    return result


def _laid_out(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    tensor: TfliteTensor,
    tap: int,
    bias: NDArray[np.int64],
    sign: int,
) -> TensorSpec:
    """Append a layer of one tap, whose output has a tensor's scale; its zero point, too, or that of its negative."""
    # -1 - z holds the negative of every int8.
    zero_point = -1 - tensor.zero_point if sign < 0 else tensor.zero_point
    multiplier, shift = (np.full(source.channels, value, np.int32) for value in UNIT_FACTOR)
    return lowering.emit_inner(
        operator,
        source,
        (float(tensor.scale), zero_point),
        weights=np.full((1, 1, source.channels), tap, np.int8),
        bias=bias.astype(np.int32),
        multiplier=multiplier,
        shift=shift,
    )


def _sum_multipliers(
    lowering: Lowering,
    operator: TfliteOperator,
    a: TfliteTensor,
    b: TfliteTensor,
    out: TfliteTensor,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    for tensor in (a, b):
        lowering.check_quantized(operator, tensor)
    try:
        return add_multipliers(a.scale, b.scale, out.scale)
    except ValueError as error:
        lowering.model.refuse(operator, str(error))


def _summed(lowering: Lowering, operator: TfliteOperator, sources: list[TensorSpec]) -> None:
    a, b = (lowering.tensor(operator, i) for i in range(2))
    multiplier, shift = _sum_multipliers(lowering, operator, a, b, lowering.output(operator))
    if sources[0].shape != sources[1].shape:
        rule = f"operands must have one shape, not {sources[0].shape} and {sources[1].shape}"
        lowering.model.refuse(operator, rule)
    lowering.emit(
        operator,
        LayerKind.ADD,
        (sources[0], sources[1]),
        sources[0].shape,
        multiplier=multiplier,
        shift=shift,
        clamp=lowering.clamp(operator),
    )


def negates(
    zero_points: tuple[int, int], multiplier: NDArray[np.int32], shift: NDArray[np.int32]
) -> bool:
    """Whether a - b and a + (-b) are equal for all values of both.

    Parameters
    ----------
    zero_points : (int, int)
        Of a and b.
    multiplier, shift : int32[3]
        Of a, b and their sum, as of :func:`sim.importers.quantization.add_multipliers`.
    """

    def scaled(values: NDArray[np.int64], place: int) -> NDArray[np.int64]:
        shifted = (values << ADD_LEFT_SHIFT).astype(np.int32)
        return golden.requantize(shifted, int(multiplier[place]), int(shift[place])).astype(
            np.int64
        )

    first = scaled(_EVERY - zero_points[0], 0)[:, None]
    second = _EVERY - zero_points[1]
    differences = [first - scaled(second, 1), first + scaled(-second, 1)]
    results = [
        golden.requantize(item.astype(np.int32), int(multiplier[2]), int(shift[2]))
        for item in differences
    ]
    return np.array_equal(results[0], results[1])


def narrow_taps(
    factors: NDArray[np.int64], zero_point: int, multiplier: int, shift: int
) -> NDArray[np.int64] | None:
    """Weight, bias, multiplier and shift for each channel, int64[K, 4]; None where a channel has none."""
    inputs = _EVERY - zero_point
    taps: dict[int, Any] = {}
    for factor in np.unique(factors).tolist():
        if -128 <= factor <= 127:
            taps[factor] = (factor, 0, multiplier, shift)
            continue
        products = (inputs * factor).astype(np.int32)
        outputs = golden.requantize(products, multiplier, shift).astype(np.int64)
        tap = equal_tap(inputs * np.sign(factor), outputs)
        if tap is None:
            return None
        taps[factor] = (int(np.sign(factor)) * tap[0], *tap[1:])
    return np.array([taps[factor] for factor in factors.tolist()], np.int64)


def _in_parts(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    factors: NDArray[np.int64],
    multipliers: tuple[NDArray[np.int32], NDArray[np.int32]],
    clamp: tuple[int, int],
) -> None:
    """Multiply each channel by parts of its factor, for which every channel is there as many times."""
    channels, count = source.channels, 2 if factors.max() <= _MOST_IN_HALVES else 3
    repeated = np.concatenate([np.eye(channels, dtype=np.int8)] * count)
    multiplier, shift = (np.full(count * channels, value, np.int32) for value in UNIT_FACTOR)
    copies = lowering.emit_inner(
        operator,
        source,
        (source.scale, source.zero_point),
        kind=LayerKind.CONV,
        channels=count * channels,
        weights=repeated.reshape(count * channels, 1, 1, channels),
        bias=np.zeros(count * channels, np.int32),
        multiplier=multiplier,
        shift=shift,
    )
    parts = []
    for left in range(count, 0, -1):
        parts.append(np.diag(factors // left))
        factors = factors - factors // left
    lowering.emit(
        operator,
        LayerKind.CONV,
        (copies,),
        source.shape,
        weights=np.hstack(parts).astype(np.int8).reshape(channels, 1, 1, count * channels),
        bias=np.zeros(channels, np.int32),
        multiplier=multipliers[0],
        shift=multipliers[1],
        clamp=clamp,
    )
