"""Lowering of pooling."""

import math

import numpy as np

from sim import golden
from sim.importers.tflite.laid import lay, require_signed
from sim.importers.tflite.lowering import Lowering, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.importers.tflite.windows import check_output, window_padding
from sim.mosaics import averaging_parts, pairs, placed, window_of
from sim.spec.network import LayerKind, Padding, TensorSpec

__all__: list[str] = []

_MOST_AT_BORDER = 1 << 12
"""Values of a window that reaches over the border."""

_MOST_AVERAGED = 1 << 12
"""Values of a window over which an average of uint8 is compared for every sum."""


@lowers(
    "AVERAGE_POOL_2D",
    becomes="`average_pool`; `global_average_pool` if the window is the whole image; where windows reach over the border, a `depthwise` for each "
    "number of rows and columns in the image, whose pixels are stored one over the other",
    conditions="input and output quantized alike",
)
def _average_pool(lowering: Lowering, operator: TfliteOperator) -> None:
    _pool(lowering, operator, LayerKind.AVERAGE_POOL)


@lowers(
    "MAX_POOL_2D",
    becomes="`max_pool`",
    conditions="input and output quantized alike",
)
def _max_pool(lowering: Lowering, operator: TfliteOperator) -> None:
    _pool(lowering, operator, LayerKind.MAX_POOL)


def _pool(lowering: Lowering, operator: TfliteOperator, kind: LayerKind) -> None:
    source, before = lowering.image(operator)
    options = operator.options
    kernel = (options["FilterHeight"], options["FilterWidth"])
    stride = (options["StrideH"], options["StrideW"])
    if not lowering.output(operator).quantized_like(lowering.tensor(operator, 0)):
        lowering.model.refuse(operator, "input and output must be quantized alike")
    size = before.around(source.shape[:2])
    padding = before + window_padding(lowering, operator, size, kernel, stride)
    shape = check_output(lowering, operator, source, padding, kernel, stride, source.channels)
    clamp = lowering.clamp(operator)
    if kind is LayerKind.AVERAGE_POOL and padding != Padding():
        _average_over_border(lowering, operator, source, padding, kernel, stride, shape, clamp)
        return
    if kind is LayerKind.AVERAGE_POOL and lowering.model.unsigned and math.prod(kernel) % 2 == 0:
        _average_of_unsigned(lowering, operator, source, shape, kernel, stride, clamp)
        return
    if kind is LayerKind.AVERAGE_POOL and kernel == source.shape[:2]:
        lowering.emit(operator, LayerKind.GLOBAL_AVERAGE_POOL, (source,), shape, clamp=clamp)
        return
    lowering.emit(
        operator, kind, (source,), shape, kernel=kernel, stride=stride, padding=padding, clamp=clamp
    )


def _average_over_border(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    padding: Padding,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    shape: tuple[int, int, int],
    clamp: tuple[int, int],
) -> None:
    """Average what of each window is in the image: a layer for each number of its rows and columns.

    Each has a multiplier of its own. Their sums are of the integers themselves, about whose 0 they are rounded.
    """
    require_signed(lowering, operator)
    if math.prod(kernel) > _MOST_AT_BORDER:
        rule = f"windows over the border must have at most {_MOST_AT_BORDER} values"
        lowering.model.refuse(operator, f"{rule}, not {math.prod(kernel)}")
    rows, columns = (
        averaging_parts(size, taps, step, before, windows)
        for size, taps, step, before, windows in zip(
            source.shape, kernel, stride, (padding.top, padding.left), shape, strict=False
        )
    )
    parts, made, channels = [], pairs(rows, columns), source.channels
    for down, right in made:
        count = down.divisor * right.divisor
        divide = golden.pool_reciprocal(count)
        # The requantizer divides four times the sum; a weight of 4 makes it.
        weights = (1 << divide.left) * np.outer(down.taps, right.taps)
        parts.append(
            lowering.emit_inner(
                operator,
                source,
                (source.scale, 0),
                shape=(down.count, right.count, channels),
                weights=np.repeat(weights[:, :, None], channels, axis=2).astype(np.int8),
                bias=np.full(channels, (count << divide.left) * source.zero_point, np.int32),
                multiplier=np.full(channels, divide.multiplier, np.int32),
                shift=np.full(channels, -divide.right, np.int32),
                clamp=clamp,
                **window_of((down, right))._asdict(),
            )
        )
    lay(lowering, operator, parts, [placed(pair) for pair in made], shape)


def _average_of_unsigned(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    clamp: tuple[int, int],
) -> None:
    """Average an even number of values with ties up, as sums of uint8 are rounded.

    Sums of int8 may be negative, and their ties would go down. Twice the sum and 1 has no ties.
    """
    count, channels = math.prod(kernel), source.channels
    multiplier = ((1 << 31) + count) // (2 * count)  # with a shift of 0 it is rounded only once
    reach = 255 * min(count, _MOST_AVERAGED)
    sums = np.arange(-reach, reach + 1)
    made = golden.requantize((2 * sums + 1).astype(np.int32), multiplier, 0)
    if count > _MOST_AVERAGED or (made != (2 * sums + count) // (2 * count)).any():
        rule = f"window must have at most {_MOST_AVERAGED} values, not {count}"
        lowering.model.refuse(operator, rule)
    lowering.emit(
        operator,
        LayerKind.DEPTHWISE,
        (source,),
        shape,
        kernel=kernel,
        stride=stride,
        weights=np.full((*kernel, channels), 2, np.int8),
        bias=np.ones(channels, np.int32),
        multiplier=np.full(channels, multiplier, np.int32),
        shift=np.zeros(channels, np.int32),
        clamp=clamp,
    )
