"""A slow twin of the integer reference, written with Python's unbounded integers."""

from fractions import Fraction
from itertools import product
from typing import Any

from sim.spec.network import Layer, LayerKind, TensorSpec

__all__ = ["half_away_twin", "layer_twin", "requantize_twin"]


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _truncated_quotient(value: int, divisor: int) -> int:
    return value // divisor if value >= 0 else -(-value // divisor)


def requantize_twin(acc: int, multiplier: int, shift: int) -> int:
    """Gemmlowp's requantization of one accumulator."""
    product_ = _wrap(_wrap(acc) << max(shift, 0)) * multiplier
    high = _truncated_quotient(product_ + (2**30 if product_ >= 0 else 1 - 2**30), 2**31)
    right = max(-shift, 0)
    mask = (1 << right) - 1
    threshold = (mask >> 1) + (1 if high < 0 else 0)
    return (high >> right) + (1 if (high & mask) > threshold else 0)


def half_away_twin(numerator: int, denominator: int) -> int:
    """Quotient rounded to nearest, ties away from zero."""
    value = Fraction(abs(numerator), denominator) + Fraction(1, 2)
    return (value.numerator // value.denominator) * (1 if numerator >= 0 else -1)


def _finish_twin(layer: Layer, value: int) -> int:
    """Clamp, then what the table says."""
    clamped = min(max(value, layer.clamp[0]), layer.clamp[1])
    return clamped if layer.table is None else int(layer.table.values[clamped + 128])


def _zero_twin(layer: Layer) -> int:
    return layer.output.zero_point if layer.table is None else layer.table.zero_point


def layer_twin(layer: Layer, sources: list[TensorSpec], images: list[Any]) -> list[Any]:
    """Output of a layer for one image: nested lists [y][x][c] in and out."""
    out = layer.output
    if layer.kind is LayerKind.ADD:
        return [
            [
                [
                    _add_twin(layer, sources, [image[y][x][c] for image in images])
                    for c in range(out.channels)
                ]
                for x in range(out.width)
            ]
            for y in range(out.height)
        ]
    if layer.kind is LayerKind.MULTIPLY:
        pixels, ((vector,),) = images
        return [
            [
                [_product_twin(layer, sources, v, vector, c) for c, v in enumerate(pixel)]
                for pixel in row
            ]
            for row in pixels
        ]
    (image,), (source,) = images, sources
    if layer.kind is LayerKind.FACTORS:
        return [[_factors_twin(source, image[0][0])]]
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        count = source.height * source.width
        sums = [sum(pixel[c] for row in image for pixel in row) for c in range(source.channels)]
        return [[[_finish_twin(layer, half_away_twin(total, count)) for total in sums]]]
    if layer.kind is LayerKind.MEAN:
        return [[[_mean_twin(layer, source, image, c) for c in range(source.channels)]]]
    value = (
        _pool_twin if layer.kind in (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL) else _products_twin
    )
    return [
        [
            [value(layer, source, image, y, x, k) for k in range(out.channels)]
            for x in range(out.width)
        ]
        for y in range(out.height)
    ]


def _add_twin(layer: Layer, sources: list[TensorSpec], values: list[int]) -> int:
    total = 0
    for i, value in enumerate(values):
        scaled = (value - sources[i].zero_point) << 20
        total += requantize_twin(scaled, int(layer.multiplier[i]), int(layer.shift[i]))
    y = requantize_twin(total, int(layer.multiplier[2]), int(layer.shift[2]))
    return _finish_twin(layer, y + _zero_twin(layer))


def _factors_twin(source: TensorSpec, vector: list[int]) -> list[int]:
    """Each value, -zero point in one or two int8 numbers, and what is left to -1."""
    rest = -source.zero_point
    constants = [127, rest - 127] if rest > 127 else [rest, 0]
    return [factor for v in vector for factor in (v, *constants, -1 - v)]


def _product_twin(
    layer: Layer, sources: list[TensorSpec], a: int, vector: list[int], c: int
) -> int:
    """Product of a pixel's channel and the vector's, which is the first of its factors."""
    b = vector[4 * c]
    product_ = (a - sources[0].zero_point) * (b - sources[1].zero_point)
    value = requantize_twin(product_, int(layer.multiplier[0]), int(layer.shift[0]))
    return _finish_twin(layer, value + _zero_twin(layer))


def _mean_twin(layer: Layer, source: TensorSpec, image: Any, c: int) -> int:
    acc = 0
    for row in image:
        for pixel in row:
            acc = _wrap(acc + pixel[c] - source.zero_point)
    value = requantize_twin(acc, int(layer.multiplier[0]), int(layer.shift[0]))
    return _finish_twin(layer, value + _zero_twin(layer))


def _pool_twin(layer: Layer, source: TensorSpec, image: Any, y: int, x: int, c: int) -> int:
    taps = []
    for ky, kx in product(range(layer.kernel[0]), range(layer.kernel[1])):
        row = y * layer.stride[0] + ky - layer.padding.top
        column = x * layer.stride[1] + kx - layer.padding.left
        if 0 <= row < source.height and 0 <= column < source.width:
            taps.append(image[row][column][c])
    if layer.kind is LayerKind.MAX_POOL:
        return _finish_twin(layer, max(taps, default=-128))
    assert len(taps) == layer.kernel[0] * layer.kernel[1]
    return _finish_twin(layer, half_away_twin(sum(taps), len(taps)))


def _products_twin(layer: Layer, source: TensorSpec, image: Any, y: int, x: int, k: int) -> int:
    acc = int(layer.bias[k])
    for ky, kx in product(range(layer.kernel[0]), range(layer.kernel[1])):
        row = y * layer.stride[0] + ky - layer.padding.top
        column = x * layer.stride[1] + kx - layer.padding.left
        if not (0 <= row < source.height and 0 <= column < source.width):
            continue
        if layer.kind is LayerKind.DEPTHWISE:
            taps = [(k, int(layer.weights[ky, kx, k]))]
        else:
            taps = [(c, int(layer.weights[k, ky, kx, c])) for c in range(source.channels)]
        for channel, weight in taps:
            acc = _wrap(acc + weight * (image[row][column][channel] - source.zero_point))
    value = requantize_twin(acc, int(layer.multiplier[k]), int(layer.shift[k]))
    return _finish_twin(layer, value + _zero_twin(layer))
