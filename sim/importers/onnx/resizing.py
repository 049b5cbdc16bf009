"""Lowering of ONNX operators that enlarge an image: Resize, Upsample, and transposed convolutions."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.kernels import block_diagonal, excessive_kernel, spread_taps
from sim.importers.onnx.axes import as_node, sides, steps
from sim.importers.onnx.laid import lay
from sim.importers.onnx.lowering import SPREAD, OnnxLowering, lowers
from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized, Target, Value, node_places
from sim.importers.onnx.windows import Filters, bias_of, dequantized_weights, weight_multipliers
from sim.mosaics import (
    Pair,
    interpolating_parts,
    pairs,
    placed,
    transposed_parts,
    window_of,
)
from sim.spec.network import LayerKind, PixelPlace, TensorSpec

__all__: list[str] = []

_LARGEST = 127
_STORED = "each pixel is stored several times"


@lowers(
    "Resize",
    becomes=f"of mode nearest a `depthwise` of one tap of 1, {_STORED}; of mode linear a `depthwise` for each place between pixels, "
    "which are stored in turn",
    conditions="to whole multiples of height and width; linear between DequantizeLinear and QuantizeLinear; not: align_corners, "
    "cubic, roi, antialias",
)
def _resize(lowering: OnnxLowering, node: OnnxNode) -> Value:
    scales = 1 if lowering.model.opset < 11 else 2
    for name in ("antialias", "exclude_outside"):
        if node.integer(name, 0):
            node.refuse(f"{name} must be 0")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        node.refuse("keep_aspect_ratio_policy must be stretch")
    way = node.text("coordinate_transformation_mode", "asymmetric" if scales == 1 else "half_pixel")
    rounding = node.text("nearest_mode", "floor" if scales == 1 else "round_prefer_floor")
    return _enlarged(lowering, node, (scales, 3), way, rounding)


@lowers(
    "Upsample",
    becomes=f"as Resize: of mode nearest a `depthwise` of one tap of 1, {_STORED}",
    conditions="by whole factors of height and width",
)
def _upsample(lowering: OnnxLowering, node: OnnxNode) -> Value:
    return _enlarged(lowering, node, (1, 2), "asymmetric", "floor")


def _enlarged(
    lowering: OnnxLowering, node: OnnxNode, positions: tuple[int, int], way: str, rounding: str
) -> Value:
    given = lowering.activation(node)
    source, rank = lowering.image(node, given), len(given.shape)
    factors = _factors(lowering, node, given.shape, positions)
    mode = node.text("mode", "nearest")
    spec = source.spec
    size = (spec.height * factors[0], spec.width * factors[1])
    places = node_places(node, *size, spec.channels)
    shape = (1, spec.channels, *size)
    if mode == "nearest":
        for whole, factor in zip(spec.shape, factors, strict=False):
            if _nearest_places(node, whole, factor, way, rounding) != [
                place // factor for place in range(whole * factor)
            ]:
                rule = f"pixels must be repeated {factor} times each"
                node.refuse(f"{rule}, not as {way} and {rounding} say")
        target = Target(tensor="", quantization=source.quantization)
        copy = lowering.scaled(node, source, target)
        named = Target(tensor=node.outputs[0], quantization=source.quantization)
        place = PixelPlace(step=factors, times=factors)
        whole_spec = lay(lowering, node, [copy], [place], named, size)
        result = Quantized(
            spec=whole_spec, shape=shape, places=places, quantization=source.quantization, real=source.real
        )  # fmt: skip
        return as_node(rank, result)
    if mode not in ("linear", "bilinear") or way not in (
        "half_pixel",
        "pytorch_half_pixel",
        "asymmetric",
    ):
        node.refuse(f"must be nearest, or linear of half_pixel or asymmetric, not {mode} of {way}")
    if not source.real:
        node.refuse("linear must be between DequantizeLinear and QuantizeLinear")
    rows, columns = (
        interpolating_parts(whole, factor, centred=way != "asymmetric")
        for whole, factor in zip(spec.shape, factors, strict=False)
    )
    made = pairs(rows, columns)
    if max(max(down.taps) * max(right.taps) for down, right in made) > _LARGEST:
        node.refuse(f"factors must be so small that weights are at most {_LARGEST}, not {factors}")

    def emit(target: Target) -> TensorSpec:
        parts = [_averaged(lowering, node, source, target, pair) for pair in made]
        return lay(lowering, node, parts, [placed(pair) for pair in made], target, size)

    return as_node(rank, Deferred(shape=shape, places=places, emit=emit))


def _factors(
    lowering: OnnxLowering, node: OnnxNode, shape: tuple[int, ...], positions: tuple[int, int]
) -> tuple[int, int]:
    """Whole factors of height and width, from scales or sizes."""
    rank = len(shape)
    axes = node.optional_integers("axes")
    named = [node.axis(axis, rank) for axis in axes] if axes is not None else list(range(rank))
    wanted = [float(size) for size in shape]
    scales = node.attributes.get("scales")
    if scales is None and node.has_input(positions[0]):
        data = lowering.constant(node, positions[0])
        scales = data.reshape(-1).tolist() if data.size else None
    if scales is not None:
        if not (
            isinstance(scales, list)
            and len(scales) == len(named)
            and all(isinstance(scale, int | float) for scale in scales)
        ):
            node.refuse(f"scales must be {len(named)} numbers")
        for axis, scale in zip(named, scales, strict=True):
            wanted[axis] = shape[axis] * float(scale)
    elif node.has_input(positions[1]):
        sizes = lowering.integers(node, positions[1])
        if len(sizes) != len(named):
            node.refuse(f"sizes must be {len(named)} numbers")
        for axis, size in zip(named, sizes, strict=True):
            wanted[axis] = float(size)
    else:
        node.refuse("scales or sizes must be given")
    factors = [size / whole for size, whole in zip(wanted, shape, strict=True)]
    if factors[:2] != [1, 1] or any(factor < 1 or factor % 1 for factor in factors):
        rule = "height and width must become whole multiples, batch and channels stay"
        node.refuse(f"{rule}, not times {factors}")
    down, right = ([1.0] * (4 - rank) + factors[2:])[:2]
    return int(down), int(right)


def _nearest_places(node: OnnxNode, size: int, factor: int, way: str, rounding: str) -> list[int]:
    """Row of the input that each row of the output is."""
    half, larger = Fraction(1, 2), size * factor
    ways: dict[str, Callable[[int], Fraction]] = {
        "asymmetric": lambda place: Fraction(place, factor),
        "half_pixel": lambda place: (place + half) / factor - half,
        "pytorch_half_pixel": lambda place: (place + half) / factor - half if larger > 1 else Fraction(0),
        "align_corners": lambda place: Fraction(place * (size - 1), max(1, larger - 1)),
        "tf_half_pixel_for_nn": lambda place: (place + half) / factor,
    }  # fmt: skip
    roundings: dict[str, Callable[[Fraction], int]] = {
        "round_prefer_floor": lambda place: ceil(place - half),
        "round_prefer_ceil": lambda place: floor(place + half),
        "floor": floor,
        "ceil": ceil,
    }
    if way not in ways or rounding not in roundings:
        node.refuse(f"must be of ways {', '.join(ways)}, not {way} and {rounding}")
    nearest = (roundings[rounding](ways[way](place)) for place in range(larger))
    return [min(max(place, 0), size - 1) for place in nearest]


def _averaged(
    lowering: OnnxLowering, node: OnnxNode, source: Quantized, target: Target, pair: Pair
) -> TensorSpec:
    """Append the layer of a weighted mean of each window."""
    rows, columns = pair
    channels, divisor = source.spec.channels, rows.divisor * columns.divisor
    weights = np.outer(rows.taps, columns.taps)
    real = source.quantization.scale / (target.quantization.scale * np.float32(divisor))
    return lowering.emit(
        node,
        LayerKind.DEPTHWISE,
        (source.spec,),
        (rows.count, columns.count, channels),
        Target(tensor="", quantization=target.quantization, clamp=target.clamp),
        weights=np.repeat(weights[:, :, None], channels, axis=2).astype(np.int8),
        bias=np.zeros(channels, np.int32),
        **lowering.multipliers(
            node,
            np.full(channels, real, np.float32),
            np.full(channels, int(weights.sum()) * SPREAD),
        ),
        **window_of(pair)._asdict(),
    )


@lowers(
    "ConvTranspose",
    becomes="a `conv` for each row and column of a stride, a `depthwise` if each channel is a group; their pixels are stored in turn",
    conditions="between DequantizeLinear and QuantizeLinear; one or two dimensions; explicit pads",
)
def _transposed(lowering: OnnxLowering, node: OnnxNode) -> Value:
    given = lowering.real_activation(node)
    rank = len(given.shape)
    source = lowering.image(node, given)
    weights, scales = dequantized_weights(lowering, node, 1)
    if weights.ndim != rank or min(weights.shape) < 1:
        node.refuse(f"weights must have {rank} axes, not shape {weights.shape}")
    if rank == 3:
        weights = weights[:, :, None]
    spec, group = source.spec, node.integer("group", 1)
    if group < 1 or weights.shape[0] != spec.channels or spec.channels % group:
        rule = f"weights must be for {spec.channels} input channels in {group} groups"
        node.refuse(f"{rule}, not of shape {weights.shape}")
    if (choice := node.text("auto_pad", "NOTSET")) != "NOTSET":
        node.refuse(f"auto_pad must be NOTSET, and pads be given, not {choice}")
    if wanted := node.optional_integers("output_shape"):
        node.refuse(f"output_shape must be left out, and pads be given, not {wanted}")
    channels, stride = weights.shape[1] * group, steps(node, "strides", rank)
    dilation = steps(node, "dilations", rank)
    if min(*stride, *dilation) < 1:
        node.refuse(f"strides and dilations must be at least 1, not {stride} and {dilation}")
    if broken := excessive_kernel(weights.shape[2:], dilation, channels * spec.channels):
        node.refuse(broken)
    weights = spread_taps(weights, dilation, 2)
    # [C, M / g, kh, kw] to [M, kh, kw, C / g]
    depth = spec.channels // group
    arranged = weights.reshape(group, depth, -1, *weights.shape[2:]).transpose(0, 2, 3, 4, 1)
    arranged = np.ascontiguousarray(arranged.reshape(channels, *weights.shape[2:], depth))
    pads, more = sides(node, rank), steps(node, "output_padding", rank, 0)
    height, width = (
        (whole - 1) * step + taps + beyond - sum(around)
        for whole, step, taps, beyond, around in zip(
            spec.shape, stride, weights.shape[2:], more, ((pads.top, pads.bottom), (pads.left, pads.right)), strict=False
        )
    )  # fmt: skip
    size = (height, width)
    if min(size) < 1 or min(more) < 0:
        node.refuse(f"output must have rows and columns, not {size}")
    rows, columns = (
        transposed_parts((whole, larger), taps, step, before)
        for whole, larger, taps, step, before in zip(
            spec.shape, size, weights.shape[2:], stride, (pads.top, pads.left), strict=False
        )
    )
    made_of, places = pairs(rows, columns), node_places(node, *size, channels)
    scales = np.tile(scales, group)
    bias = bias_of(lowering, node, 2, source.quantization.scale * scales)

    def deferred(made: Filters) -> Deferred:
        def emit(target: Target) -> TensorSpec:
            signed = made.signed(node, arranged)
            fields = weight_multipliers(lowering, node, source, target, signed, made)
            parts = [
                _taken(
                    lowering, node, spec, target, signed, group, pair, {"bias": made.bias, **fields}
                )
                for pair in made_of
            ]
            return lay(
                lowering,
                node,
                parts,
                [placed(pair) for pair in made_of],
                target,
                (size[0], size[1]),
            )

        def scaled(gain: NDArray[np.float64], offset: NDArray[np.float64]) -> Deferred:
            return deferred(made.scaled(node, source.quantization.scale, gain, offset))

        result = Deferred(shape=(1, channels, *size), places=places, emit=emit, scaled=scaled)
        return as_node(rank, result)

    return deferred(Filters(scales=scales, bias=bias, signs=np.ones(channels, np.int8)))


def _taken(
    lowering: OnnxLowering,
    node: OnnxNode,
    spec: TensorSpec,
    target: Target,
    weights: NDArray[np.int8],
    group: int,
    pair: Pair,
    parameters: dict[str, Any],
) -> TensorSpec:
    """Append the convolution of some rows and columns of a transposed kernel; -1 takes zeros."""
    padded = np.pad(weights, ((0, 0), (0, 1), (0, 1), (0, 0)))
    filters = padded[:, list(pair[0].taps)][:, :, list(pair[1].taps)]
    channels, kind = len(filters), LayerKind.CONV
    if group == spec.channels == channels > 1:
        kind, filters = LayerKind.DEPTHWISE, filters[..., 0].transpose(1, 2, 0)
    else:
        filters = block_diagonal(filters, group)
    return lowering.emit(
        node, kind, (spec,), (pair[0].count, pair[1].count, channels),
        Target(tensor="", quantization=target.quantization, clamp=target.clamp),
        weights=np.ascontiguousarray(filters), **parameters, **window_of(pair)._asdict(),
    )  # fmt: skip
