"""Layers with random weights and quantization, for validation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.scales import quantize_multiplier
from sim.spec.activation_table import TABLE_ENTRIES
from sim.spec.network import (
    FACTOR_BYTES,
    WINDOW_POOLS,
    ActivationTable,
    Layer,
    LayerKind,
    Padding,
    TensorSpec,
)

__all__ = [
    "add",
    "factors",
    "fully_connected",
    "mean",
    "multiply",
    "padded",
    "pool",
    "random_tensor",
    "window_pool",
    "windowed",
    "with_table",
]


def windowed(
    name: str,
    kind: LayerKind,
    source: TensorSpec,
    kernel: int,
    stride: int,
    rng: np.random.Generator,
    channels: int = 0,
    *,
    plain: bool = False,
) -> Layer:
    """A layer of windows; unless ``plain``, sometimes without padding or of two strides.

    An average pool has no padding; its window is no larger than the image.
    """
    size, taps, strides = source.shape[:2], (kernel, kernel), (stride, stride)
    if not plain and rng.random() < 0.2:
        strides = (stride, max(1, 3 - stride))
    if kind is LayerKind.AVERAGE_POOL:
        taps = min(kernel, source.height), min(kernel, source.width)
        return window_pool(name, kind, source, taps, strides, Padding(), rng)
    padding = Padding.same(size, taps, strides)
    if not plain and rng.random() < 0.25 and min(size) >= kernel:
        padding = Padding()
    return padded(name, kind, source, taps, strides, padding, rng, channels)


def padded(
    name: str,
    kind: LayerKind,
    source: TensorSpec,
    taps: tuple[int, int],
    strides: tuple[int, int],
    padding: Padding,
    rng: np.random.Generator,
    channels: int = 0,
) -> Layer:
    """A conv, depthwise or max pool layer of the given shape."""
    if kind in WINDOW_POOLS:
        return window_pool(name, kind, source, taps, strides, padding, rng)
    rows, columns = padding.windows(source.shape[:2], taps, strides)
    depth = source.channels if kind is LayerKind.DEPTHWISE else channels
    shape: tuple[int, ...] = (*taps, source.channels)
    if kind is not LayerKind.DEPTHWISE:
        shape = (depth, *shape)
    weights, bias, multiplier, shift = _parameters(shape, depth, rng)
    return Layer(
        name=name,
        kind=kind,
        inputs=(source.name,),
        output=random_tensor(name, rows, columns, depth, rng),
        kernel=taps,
        stride=strides,
        padding=padding,
        clamp=_clamp(rng),
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )


def fully_connected(
    name: str, source: TensorSpec, channels: int, rng: np.random.Generator
) -> Layer:
    """A fully connected layer over the whole input."""
    kernel = source.shape[:2]
    shape = (channels, *kernel, source.channels)
    weights, bias, multiplier, shift = _parameters(shape, channels, rng)
    return Layer(
        name=name,
        kind=LayerKind.FULLY_CONNECTED,
        inputs=(source.name,),
        output=random_tensor(name, 1, 1, channels, rng),
        kernel=kernel,
        clamp=_clamp(rng),
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )


def add(name: str, a: TensorSpec, b: TensorSpec, rng: np.random.Generator) -> Layer:
    """A residual add."""
    return Layer(
        name=name,
        kind=LayerKind.ADD,
        inputs=(a.name, b.name),
        output=random_tensor(name, a.height, a.width, a.channels, rng),
        multiplier=rng.integers(1 << 30, 1 << 31, 3).astype(np.int32),
        shift=np.array([-rng.integers(0, 3), -rng.integers(0, 3), -rng.integers(17, 21)], np.int32),
        clamp=_clamp(rng),
    )


def factors(name: str, source: TensorSpec) -> Layer:
    """The factors of a vector, by which a product multiplies."""
    output = replace(source, name=name, channels=FACTOR_BYTES * source.channels)
    return Layer(name=name, kind=LayerKind.FACTORS, inputs=(source.name,), output=output)


def multiply(name: str, a: TensorSpec, b: TensorSpec, rng: np.random.Generator) -> Layer:
    """The product of every pixel and a vector, of which ``b`` are the factors."""
    multiplier, shift = quantize_multiplier(float(2 ** rng.uniform(-9, -5)))
    if rng.random() < 0.15:
        multiplier, shift = int(rng.integers(1 << 30, 1 << 31)), int(rng.integers(-31, 3))
    return Layer(
        name=name,
        kind=LayerKind.MULTIPLY,
        inputs=(a.name, b.name),
        output=random_tensor(name, a.height, a.width, a.channels, rng),
        clamp=_clamp(rng),
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
    )


def pool(name: str, source: TensorSpec) -> Layer:
    """A global average pool."""
    output = replace(source, name=name, height=1, width=1)
    return Layer(
        name=name, kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=(source.name,), output=output
    )


def window_pool(
    name: str,
    kind: LayerKind,
    source: TensorSpec,
    taps: tuple[int, int],
    strides: tuple[int, int],
    padding: Padding,
    rng: np.random.Generator,
) -> Layer:
    """A max or average pool of the given shape."""
    rows, columns = padding.windows(source.shape[:2], taps, strides)
    return Layer(
        name=name,
        kind=kind,
        inputs=(source.name,),
        output=replace(source, name=name, height=rows, width=columns),
        kernel=taps,
        stride=strides,
        padding=padding,
        clamp=_clamp(rng),
    )


def mean(name: str, source: TensorSpec, rng: np.random.Generator) -> Layer:
    """A mean over all pixels, to a scale that spreads it over int8 or a little beyond."""
    count = source.height * source.width
    multiplier, shift = quantize_multiplier(float(2 ** rng.uniform(-1, 3)) / count)
    return Layer(
        name=name,
        kind=LayerKind.MEAN,
        inputs=(source.name,),
        output=random_tensor(name, 1, 1, source.channels, rng),
        clamp=_clamp(rng),
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
    )


def with_table(layer: Layer, source: TensorSpec, rng: np.random.Generator) -> Layer:
    """The layer with a random activation table, and its output with another zero point."""
    alike = layer.kind in (LayerKind.GLOBAL_AVERAGE_POOL, *WINDOW_POOLS)
    zero_point = source.zero_point if alike else layer.output.zero_point
    values = rng.integers(-128, 128, TABLE_ENTRIES).astype(np.int8)
    return replace(
        layer,
        output=replace(layer.output, zero_point=int(rng.integers(-128, 128))),
        table=ActivationTable(values=values, zero_point=zero_point),
    )


def random_tensor(
    name: str, height: int, width: int, channels: int, rng: np.random.Generator
) -> TensorSpec:
    """A tensor with a random zero point."""
    return TensorSpec(
        name=name, height=height, width=width, channels=channels, scale=1.0,
        zero_point=int(rng.integers(-128, 128)),
    )  # fmt: skip


def _clamp(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < 0.5:
        return (-128, 127)
    low, high = sorted(int(x) for x in rng.integers(-128, 128, 2))
    return (low, high)


def _parameters(
    shape: tuple[int, ...], channels: int, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(weights, bias, multiplier, shift) that mostly keep the outputs within int8, sometimes do not."""
    taps = int(np.prod(shape)) // channels
    spread = 74.0 * 74.0 * np.sqrt(taps)
    real = 50.0 / spread * 2.0 ** rng.uniform(-2, 1.5, channels)
    significand, exponent = np.frexp(real)
    multiplier = np.minimum(np.round(significand * (1 << 31)), (1 << 31) - 1)
    bias = rng.normal(0, spread, channels).clip(-(2**31), 2**31 - 1)
    if rng.random() < 0.2:
        bias = rng.integers(-(2**31), 2**31, channels)
        exponent = rng.integers(-31, 3, channels)
    return (
        rng.integers(-127, 128, shape).astype(np.int8),
        bias.astype(np.int32),
        multiplier.astype(np.int32),
        exponent.astype(np.int32),
    )
