"""Lowering of operators that enlarge an image: nearest neighbours, bilinear interpolation, transposed convolutions."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.importers.quantization import window_multipliers
from sim.importers.tflite.laid import lay, made_alone, require_signed
from sim.importers.tflite.lowering import Lowering, Shape, lowers
from sim.importers.tflite.model import TfliteOperator
from sim.importers.tflite.windows import constant_weights
from sim.mosaics import (
    Pair,
    interpolating_parts,
    pairs,
    placed,
    transposed_parts,
    window_of,
)
from sim.spec.network import LayerKind, Padding, PixelPlace, TensorSpec

__all__: list[str] = []

_SAME = 0
_FACTORS = (1, 2, 4)
"""Factors of which every place between pixels is a multiple of a power of two."""


@lowers(
    "RESIZE_NEAREST_NEIGHBOR",
    becomes="nothing: each pixel is stored several times; an input that others read is copied by a `depthwise` of one tap of 1",
    conditions="to whole multiples of height and width, of which each pixel is that of its multiple; quantized alike",
)
def _nearest(lowering: Lowering, operator: TfliteOperator) -> None:
    source, shape, factors = _enlarged(lowering, operator)
    for size, factor, word in zip(source.shape, factors, ("rows", "columns"), strict=False):
        nearest = _nearest_places(lowering, operator, size, size * factor)
        if (nearest != np.arange(size * factor) // factor).any():
            rule = f"{word} must be repeated {factor} times each"
            lowering.model.refuse(operator, f"{rule}, not be {nearest[:8].tolist()} …")
    if factors == (1, 1):
        lowering.alias(operator)
        return
    lay(
        lowering,
        operator,
        [made_alone(lowering, operator)],
        [PixelPlace(step=factors, times=factors)],
        shape,
    )


@lowers(
    "RESIZE_BILINEAR",
    becomes="a `depthwise` or an `average_pool` for each place between pixels; they are stored where the pixels of the larger image lie",
    conditions="to 2 or 4 times the height and width; without `align_corners`; quantized alike",
)
def _bilinear(lowering: Lowering, operator: TfliteOperator) -> None:
    require_signed(lowering, operator)
    source, shape, factors = _enlarged(lowering, operator)
    if operator.options["AlignCorners"]:
        lowering.model.refuse(operator, "option AlignCorners must be false")
    if not set(factors) <= set(_FACTORS):
        known = ", ".join(map(str, _FACTORS))
        lowering.model.refuse(operator, f"factors must be among {known}, not {factors}")
    centred = bool(operator.options["HalfPixelCenters"])
    rows, columns = (
        interpolating_parts(size, factor, centred=centred)
        for size, factor in zip(source.shape, factors, strict=False)
    )
    made = pairs(rows, columns)
    even = all(len({*row.taps}) == len({*column.taps}) == 1 for row, column in made)
    # Sums of equal parts are what an average is; others are rounded about 0, whatever the zero point is.
    zero_point = source.zero_point if even else 0
    parts = [
        _averaged(lowering, operator, source, pair)
        if even
        else _interpolated(lowering, operator, source, pair, zero_point)
        for pair in made
    ]
    lay(lowering, operator, parts, [placed(pair) for pair in made], shape)


def _enlarged(
    lowering: Lowering, operator: TfliteOperator
) -> tuple[TensorSpec, Shape, tuple[int, int]]:
    """Source, shape of the output and factors of an operator that resizes an image."""
    refuse = lowering.model.refuse
    source, _ = lowering.image(operator)
    out = lowering.output(operator)
    if not out.quantized_like(lowering.tensor(operator, 0)):
        refuse(operator, "input and output must be quantized alike")
    sizes = lowering.constant(operator, 1, "int32").reshape(-1).tolist()
    expected = (1, *sizes, source.channels)
    if len(sizes) != 2 or out.shape != expected:
        refuse(operator, f"output must have shape {expected}, not {out.shape}")
    if sizes[0] % source.height or sizes[1] % source.width:
        rule = f"output must be a whole multiple of the input's {source.shape[:2]} rows and columns"
        refuse(operator, f"{rule}, not {tuple(sizes)}")
    factors = (sizes[0] // source.height, sizes[1] // source.width)
    return source, (sizes[0], sizes[1], source.channels), factors


def _nearest_places(
    lowering: Lowering, operator: TfliteOperator, size: int, larger: int
) -> NDArray[np.int64]:
    """Row of the input that each row of the output is, in TensorFlow Lite's single precision."""
    corners = operator.options["AlignCorners"] and larger > 1
    ends = (size - 1, larger - 1) if corners else (size, larger)
    scale = np.float32(ends[0]) / np.float32(ends[1])
    offset = np.float32(0.5 if operator.options["HalfPixelCenters"] else 0)
    places = (np.arange(larger, dtype=np.float32) + offset) * scale
    rounded = np.floor(places + np.float32(0.5)) if corners else np.floor(places)
    nearest: NDArray[np.int64] = rounded.clip(0, size - 1).astype(np.int64)
    return nearest


def _averaged(
    lowering: Lowering, operator: TfliteOperator, source: TensorSpec, pair: Pair
) -> TensorSpec:
    """Append the layer of means of the pixels around a place."""
    scale = (source.scale, source.zero_point)
    shape = (pair[0].count, pair[1].count, source.channels)
    return lowering.emit_inner(
        operator,
        source,
        scale,
        kind=LayerKind.AVERAGE_POOL,
        shape=shape,
        **window_of(pair)._asdict(),
    )


def _interpolated(
    lowering: Lowering,
    operator: TfliteOperator,
    source: TensorSpec,
    pair: Pair,
    zero_point: int,
) -> TensorSpec:
    """Weighted mean of the pixels around a place; of zero point 0, about which it is rounded."""
    rows, columns = pair
    channels, divisor = source.channels, rows.divisor * columns.divisor
    # The multiplier halves twice the sum exactly, and the shift rounds away from 0.
    weights = 2 * np.outer(rows.taps, columns.taps)
    bits = divisor.bit_length() - 1
    return lowering.emit_inner(
        operator,
        source,
        (source.scale, zero_point),
        shape=(rows.count, columns.count, channels),
        weights=np.repeat(weights[:, :, None], channels, axis=2).astype(np.int8),
        bias=np.full(channels, 2 * divisor * source.zero_point, np.int32),
        multiplier=np.full(channels, 1 << 30, np.int32),
        shift=np.full(channels, -bits, np.int32),
        **window_of(pair)._asdict(),
    )


@lowers(
    "TRANSPOSE_CONV",
    becomes="a `conv` for each row and column of a stride, whose pixels are stored in turn",
    conditions="output shape known when the model was made; no fused activation",
)
def _transposed(lowering: Lowering, operator: TfliteOperator) -> None:
    require_signed(lowering, operator)
    refuse, options = lowering.model.refuse, operator.options
    source, _ = lowering.image(replace(operator, inputs=operator.inputs[2:3]))
    tensor, weights = constant_weights(lowering, operator, 4, 0)
    channels, kernel = weights.shape[0], weights.shape[1:3]
    if weights.shape[3] != source.channels:
        rule = f"weights must be for the input's {source.channels} channels"
        refuse(operator, f"{rule}, not {weights.shape[3]}")
    stride = (options["StrideH"], options["StrideW"])
    if min(stride) < 1 or options["Padding"] not in (0, 1) or options["FusedActivationFunction"]:
        refuse(operator, "must have strides of 1 or more, padding SAME or VALID and no activation")
    out = lowering.output(operator)
    given_shape = lowering.tensor(operator, 0).data
    sizes = out.shape if given_shape is None else tuple(given_shape.reshape(-1).tolist())
    if sizes != out.shape or len(sizes) != 4 or sizes[3] != channels:
        rule = f"output must have the given shape {sizes} and {channels} channels"
        refuse(operator, f"{rule}, not {out.shape}")
    given = Padding()
    if options["Padding"] == _SAME:
        given = Padding.same((sizes[1], sizes[2]), kernel, stride)
    rows, columns = (
        transposed_parts(ends, taps, step, before)
        for ends, taps, step, before in zip(
            ((source.height, sizes[1]), (source.width, sizes[2])),
            kernel,
            stride,
            (given.top, given.left),
            strict=True,
        )
    )
    bias = np.zeros(channels, np.int32)
    if lowering.has_input(operator, 3):
        bias = lowering.constant(operator, 3, "int32").reshape(-1).astype(np.int32)
        if len(bias) != channels:
            refuse(operator, f"bias must have {channels} values, not {len(bias)}")
    try:
        multiplier, shift = window_multipliers(
            np.float32(source.scale), tensor.scales, out.scale, channels
        )
    except ValueError as error:
        refuse(operator, str(error))
    parts, made = [], pairs(rows, columns)
    for pair in made:
        taken = np.pad(weights, ((0, 0), (0, 1), (0, 1), (0, 0)))  # -1 takes the zeros
        filters = taken[:, list(pair[0].taps)][:, :, list(pair[1].taps)]
        parts.append(
            lowering.emit_inner(
                operator,
                source,
                (float(out.scale), out.zero_point),
                kind=LayerKind.CONV,
                shape=(pair[0].count, pair[1].count, channels),
                weights=np.ascontiguousarray(filters),
                bias=bias,
                multiplier=multiplier,
                shift=shift,
                **window_of(pair)._asdict(),
            )
        )
    lay(lowering, operator, parts, [placed(pair) for pair in made], (sizes[1], sizes[2], channels))
