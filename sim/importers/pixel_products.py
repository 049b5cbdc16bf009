"""Products of two activations, pixel by pixel: products of half bytes by activation tables, and their weighted sum.

Each int8 less its zero point is 16 · h + l, where h and l are halves of the byte plus a constant. So a product is
256 · hh + 16 · (hl + lh) + ll, and each of these four is a function of two halves: of one int8, which a sum puts together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.scales import add_factors, quantize_multipliers
from sim.spec.network import ActivationTable, Layer, LayerKind, PixelPlace, TensorSpec

__all__ = ["PixelProduct", "pixel_product"]

_HALF = 16
"""Values of a half."""

_WEIGHTS = (-128, -128, 16, 16, 1)
"""Taps of the weighted sum: two of the product of upper halves, whose negative is looked up, two mixed products, that of lower halves."""

_INT8 = 128


class PixelProduct(NamedTuple):
    """Layers of a product.

    Parameters
    ----------
    layers : tuple of Layer
        In their order; the last is the product. None has parts of another order than what is multiplied.
    parts : tuple of TensorSpec
        Layers' outputs that nothing reads but the mosaic.
    places : tuple of PixelPlace
        Where the parts' pixels lie in it.
    mosaic : TensorSpec
        What the last layer reads.
    """

    layers: tuple[Layer, ...]
    parts: tuple[TensorSpec, ...]
    places: tuple[PixelPlace, ...]
    mosaic: TensorSpec


def pixel_product(
    name: str,
    sources: tuple[TensorSpec, TensorSpec],
    output: TensorSpec,
    factor: tuple[int, int],
    clamp: tuple[int, int],
) -> PixelProduct:
    """Layers that multiply two tensors of one shape, exact for all values.

    Parameters
    ----------
    name : str
        Beginning of the names of all layers but the last.
    sources : (TensorSpec, TensorSpec)
    output : TensorSpec
        The product, of their shape; its name is the last layer's.
    factor : (int, int)
        Multiplier and shift of the sum: s_a·s_b/s_out.
    clamp : (int, int)
        Of the result.

    Raises
    ------
    ValueError
        If five times as many values are too many for a tensor.
    """
    height, width, channels = output.shape
    layers: list[Layer] = []

    def spec(role: str, rows: int = height, scale: float = 1.0) -> TensorSpec:
        return TensorSpec.of_shape(f"{name}_{role}", (rows, width, channels), scale, 0)

    halves: list[list[Layer]] = []
    for side, source, step in zip("ab", sources, (float(_HALF), 1.0), strict=True):
        own = [
            _half(spec(f"{side}_{half}", scale=step), source, half) for half in ("upper", "lower")
        ]
        halves.append(own)
        layers += own
    shares = [_shares(source.zero_point) for source in sources]
    least = []
    for place, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        pair = (halves[0][i], halves[1][j])
        # the upper halves' product is looked up as its negative: -128 · -2 is 256, which no weight is
        values, lowest = _products(shares[0][i], shares[1][j], -1 if place == 0 else 1)
        layers.append(_paired(spec(f"product{place}"), pair, values))
        least.append(lowest)
    taps = len(_WEIGHTS)
    times = (2, 1, 1, 1)
    begins = np.cumsum([0, *times[:-1]]).tolist()
    places = tuple(
        PixelPlace(begin=(begin, 0), step=(taps, 1), times=(count, 1))
        for begin, count in zip(begins, times, strict=True)
    )
    mosaic = spec("products", taps * height)
    # an entry is its product less the least product and 128
    offsets = np.repeat(np.array(least) + _INT8, times)
    weights = np.repeat(np.array(_WEIGHTS, np.int8).reshape(taps, 1, 1), channels, axis=2)
    last = Layer(
        name=output.name,
        kind=LayerKind.DEPTHWISE,
        inputs=(mosaic.name,),
        output=output,
        kernel=(taps, 1),
        stride=(taps, 1),
        weights=weights,
        bias=np.full(channels, int(np.dot(offsets, _WEIGHTS)), np.int32),
        multiplier=np.full(channels, factor[0], np.int32),
        shift=np.full(channels, factor[1], np.int32),
        clamp=clamp,
    )
    parts = tuple(layer.output for layer in layers[-4:])
    return PixelProduct((*layers, last), parts, places, mosaic)


def _half(output: TensorSpec, source: TensorSpec, half: str) -> Layer:
    """Copy of a tensor that has half of each byte, as -8 … 7."""
    every = np.arange(-_INT8, _INT8)
    values = every // _HALF if half == "upper" else every % _HALF - _HALF // 2
    table = ActivationTable(values=values.astype(np.int8), zero_point=source.zero_point)
    return Layer(
        name=output.name, kind=LayerKind.MAX_POOL, inputs=(source.name,), output=output, table=table
    )


def _shares(zero_point: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """H and l of each half: int64[16], with v - zero point = 16 · h + l for the halves of every v."""
    halves = np.arange(-(_HALF // 2), _HALF // 2)
    rest = _HALF // 2 - zero_point  # as lower halves begin at -8
    upper = (rest + _HALF // 2) // _HALF
    return halves + upper, halves + (rest - _HALF * upper)


def _products(
    a: NDArray[np.int64], b: NDArray[np.int64], sign: int
) -> tuple[NDArray[np.int8], int]:
    """Entries for the products of two halves, and the least product: both are 16 integers in a row, so that all fit 256."""
    products = sign * np.outer(a, b).reshape(-1)
    least = int(products.min())
    return (products - least - _INT8).astype(np.int8), least


def _paired(output: TensorSpec, pair: tuple[Layer, Layer], values: NDArray[np.int8]) -> Layer:
    """Sum of 16 times a half and another, which together are an int8, and a table's entry for it."""
    a, b = (half.output.scale for half in pair)
    multiplier, shift = quantize_multipliers(add_factors(a, b, output.scale))
    return Layer(
        name=output.name,
        kind=LayerKind.ADD,
        inputs=(pair[0].name, pair[1].name),
        output=output,
        multiplier=multiplier,
        shift=shift,
        # -8 of both halves are the first entry
        table=ActivationTable(values=values, zero_point=_HALF // 2),
    )
