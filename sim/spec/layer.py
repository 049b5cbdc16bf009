"""A layer of a network: its kind, its integer parameters and its output (TensorFlow Lite int8)."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sim.spec.activation_table import ActivationTable
from sim.spec.tensors import (
    EXTENT,
    PADDED,
    VALUES_LIMIT,
    Padding,
    TensorSpec,
    require_size,
)

__all__ = [
    "ADD_LEFT_SHIFT",
    "FACTOR_BYTES",
    "PRODUCT_KINDS",
    "WINDOW_POOLS",
    "Layer",
    "LayerKind",
    "check_shapes",
    "operations",
]

ADD_LEFT_SHIFT = 20
"""Left shift of both operands of a residual add (TensorFlow Lite Micro's int8 ADD)."""


class LayerKind(StrEnum):
    """Function that a layer computes; everything else is refused by name."""

    CONV = "conv"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully_connected"
    ADD = "add"
    GLOBAL_AVERAGE_POOL = "global_average_pool"
    AVERAGE_POOL = "average_pool"
    MAX_POOL = "max_pool"
    MEAN = "mean"
    FACTORS = "factors"
    MULTIPLY = "multiply"


FACTOR_BYTES = 4
"""Channels of FACTORS for each of its input's: those of v are v, two that sum up to -zero point, and -1 - v."""

PRODUCT_KINDS = (LayerKind.FACTORS, LayerKind.MULTIPLY)
"""Layer kinds that make a product of activations: the one prepares the vector, the other multiplies by it."""

WINDOW_POOLS = (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL)
"""Layer kinds that pool windows, channel by channel, without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A layer of a network; ``name`` is also the name of its output tensor.

    Parameters
    ----------
    kind : LayerKind
    inputs : tuple of str
        Names of tensors made earlier (the network's input or layers): one tensor, two for ADD and MULTIPLY, whose
        second one FACTORS has made.
    output : TensorSpec
        ``output.name == name``.
    kernel, stride : (int, int)
        (vertical, horizontal). Fully connected: the kernel is the input's (height, width),
        stride (1, 1), no padding. ADD, GLOBAL_AVERAGE_POOL, MEAN, FACTORS and MULTIPLY leave the
        defaults.
    padding : Padding
        None for AVERAGE_POOL: every window divides by kh·kw.
    weights : int8 array
        conv and fully connected [K, kh, kw, C]; depthwise [kh, kw, C]; else empty.
    bias : int32[K]
        In units of s_in·s_w[k], without the input's zero point folded in; empty for the kinds without
        weights.
    multiplier : int32[K], not negative
        Q31 significand of s_in·s_w[k]/s_out = multiplier · 2^(shift - 31), normally in
        [2^30, 2^31). ADD: three entries
        for operand a, operand b and the sum. MEAN: one entry, s_in/s_out over the count, for the sum of
        all pixels less their zero points. MULTIPLY: one entry, s_a·s_b/s_out. Pools and FACTORS: empty.
    shift : int32[K]
        Positive shifts left; each in -31 … 30.
    clamp : (int, int)
        Lowest and highest result: the fused activation.
    table : ActivationTable or None
        What becomes of the clamped results; None leaves them as they are.
    """

    name: str
    kind: LayerKind
    inputs: tuple[str, ...]
    output: TensorSpec
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    weights: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    bias: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    multiplier: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    shift: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    clamp: tuple[int, int] = (-128, 127)
    table: ActivationTable | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the input's shape."""
        if self.output.name != self.name:
            raise ValueError(f"output of layer {self.name!r} must bear its name")
        if len(self.inputs) != (2 if self.kind in (LayerKind.ADD, LayerKind.MULTIPLY) else 1):
            raise ValueError(f"layer {self.name!r} has the wrong number of inputs")
        if not -128 <= self.clamp[0] <= self.clamp[1] <= 127:
            raise ValueError(f"clamp of layer {self.name!r} must be ordered int8 values")
        for name, dtype in (
            ("weights", np.int8),
            ("bias", np.int32),
            ("multiplier", np.int32),
            ("shift", np.int32),
        ):
            given = getattr(self, name).dtype
            if given != dtype:
                rule = f"must be {np.dtype(dtype).name}, not {given.name}"
                raise ValueError(f"{name} of layer {self.name!r} {rule}")
        least = int(self.multiplier.min(initial=0))
        if least < 0:
            raise ValueError(f"multiplier of layer {self.name!r} must not be negative, not {least}")
        if int(self.shift.min(initial=0)) < -31 or int(self.shift.max(initial=0)) > 30:
            raise ValueError(f"shift of layer {self.name!r} must be in -31 … 30")
        pad = self.padding
        for size in (*self.kernel, *self.stride):
            EXTENT.require(size, f"kernel and stride of layer {self.name!r}")
        for size in (pad.top, pad.bottom, pad.left, pad.right):
            PADDED.require(size, f"padding of layer {self.name!r}")

    @property
    def result_zero_point(self) -> int:
        """Zero point of what is clamped: the table's, or without a table the output's."""
        return self.output.zero_point if self.table is None else self.table.zero_point

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer for one image; 0 for ADD, MEAN and pools."""
        pixels = self.output.height * self.output.width
        return pixels * int(self.weights.size)

    @property
    def results(self) -> int:
        """Values that the layer makes for one image."""
        return math.prod(self.output.shape)


def operations(layer: Layer) -> int:
    """Multiply-accumulates of a layer, or what a pool compares or adds."""
    pool = math.prod(layer.output.shape) * math.prod(layer.kernel)
    return pool if layer.kind in WINDOW_POOLS else layer.macs


_UNWEIGHTED = {
    LayerKind.ADD: 3,
    LayerKind.MEAN: 1,
    LayerKind.MULTIPLY: 1,
    LayerKind.FACTORS: 0,
    LayerKind.GLOBAL_AVERAGE_POOL: 0,
    LayerKind.MAX_POOL: 0,
    LayerKind.AVERAGE_POOL: 0,
}
"""Entries of multiplier and shift of the kinds that have no weights and no bias."""

_NEUTRAL = {"kernel": (1, 1), "stride": (1, 1), "padding": Padding()}
"""Values of what a kind without windows ignores."""

_WINDOWLESS = (
    LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN, LayerKind.FACTORS, LayerKind.MULTIPLY,
)  # fmt: skip


def _check_ignored(layer: Layer) -> None:
    """Raise if a field that the layer's kind ignores says anything."""
    entries = _UNWEIGHTED.get(layer.kind)
    if entries is not None:
        for name, size in (
            ("weights", 0),
            ("bias", 0),
            ("multiplier", entries),
            ("shift", entries),
        ):
            _expect(layer, name, getattr(layer, name).shape, (size,))
    if layer.kind in _WINDOWLESS:
        for name, neutral in _NEUTRAL.items():
            value = getattr(layer, name)
            if value != neutral:
                kind = layer.kind.replace("_", " ")
                raise ValueError(
                    f"{name} of {kind} {layer.name!r} must be left out, not {_sides(value)}"
                )


def _sides(value: tuple[int, int] | Padding) -> tuple[int, ...]:
    if isinstance(value, Padding):
        return value.top, value.bottom, value.left, value.right
    return value


def check_shapes(layer: Layer, inputs: list[TensorSpec]) -> None:
    """Raise a ValueError where a layer's fields and the tensors that it reads do not fit together."""
    source, out = inputs[0], layer.output
    expected: tuple[int, ...]
    _check_ignored(layer)
    if layer.kind is LayerKind.ADD:
        if not inputs[0].shape == inputs[1].shape == out.shape:
            raise ValueError(f"operands and output of {layer.name!r} must have one shape")
        return
    if layer.kind is LayerKind.MULTIPLY:
        _expect(layer, "factors", inputs[1].shape, (1, 1, FACTOR_BYTES * source.channels))
        _expect(layer, "output", out.shape, source.shape)
        return
    if layer.kind is LayerKind.FACTORS:
        _expect(layer, "input", source.shape, (1, 1, source.channels))
        _expect(layer, "output", out.shape, (1, 1, FACTOR_BYTES * source.channels))
        _expect_alike(layer, source)
        if layer.table is not None or layer.clamp != (-128, 127):
            raise ValueError(f"factors {layer.name!r} must have neither clamp nor table")
        return
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        _expect_alike(layer, source)
        return
    if layer.kind is LayerKind.MEAN:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        return
    if layer.kind is LayerKind.AVERAGE_POOL and layer.padding != Padding():
        raise ValueError(
            f"padding of average pool {layer.name!r} must be 0 on every side, "
            f"not {_sides(layer.padding)}"
        )
    if layer.kind is LayerKind.FULLY_CONNECTED and (
        layer.kernel != source.shape[:2] or layer.padding != Padding() or layer.stride != (1, 1)
    ):
        raise ValueError(
            f"kernel of {layer.name!r} must be its input's size {source.shape[:2]}, without padding"
        )
    height, width = layer.padding.around(source.shape[:2])
    padded = height * width * source.channels
    require_size(f"padded input of layer {layer.name!r}", padded, VALUES_LIMIT)
    windows = layer.padding.windows(source.shape[:2], layer.kernel, layer.stride)
    own = layer.kind in (LayerKind.DEPTHWISE, *WINDOW_POOLS)
    channels = source.channels if own else out.channels
    _expect(layer, "output", out.shape, (*windows, channels))
    if layer.kind in WINDOW_POOLS:
        _expect_alike(layer, source)
        return
    expected = (*layer.kernel, source.channels)
    if layer.kind is not LayerKind.DEPTHWISE:
        expected = (channels, *expected)
    _expect(layer, "weights", layer.weights.shape, expected)
    for name in ("bias", "multiplier", "shift"):
        _expect(layer, name, getattr(layer, name).shape, (channels,))


def _expect_alike(layer: Layer, source: TensorSpec) -> None:
    if layer.table is not None:
        if layer.table.zero_point != source.zero_point:
            rule = f"must be its input's {source.zero_point}, not {layer.table.zero_point}"
            raise ValueError(f"zero_point of the table of {layer.name!r} {rule}")
        return
    if (source.scale, source.zero_point) != (layer.output.scale, layer.output.zero_point):
        raise ValueError(f"input and output of {layer.name!r} must be quantized alike")


def _expect(layer: Layer, what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f"{what} of layer {layer.name!r} must have shape {expected}, not {shape}")
