"""A quantized network: tensors, layers and their integer parameters (TensorFlow Lite int8)."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sim.spec.rules import Integer, Name, Number

__all__ = [
    "ADD_LEFT_SHIFT",
    "CHANNELS",
    "EXTENT",
    "INT8",
    "LAYERS_LIMIT",
    "MACS_LIMIT",
    "NAME",
    "NETWORK_VALUES_LIMIT",
    "PADDED",
    "SCALE",
    "VALUES_LIMIT",
    "WEIGHTS_LIMIT",
    "WINDOW_POOLS",
    "Layer",
    "LayerKind",
    "Network",
    "Padding",
    "TensorSpec",
]

ADD_LEFT_SHIFT = 20
"""Left shift of both operands of a residual add (TensorFlow Lite Micro's int8 ADD)."""

EXTENT = Integer(1, 1 << 16)
"""Height or width of a tensor, of a kernel, or a stride."""

CHANNELS = Integer(1, 1 << 20)
PADDED = Integer(0, 1 << 12)
"""Rows or columns on one side."""

INT8 = Integer(-128, 127)
NAME = Name()
SCALE = Number(1e-38, 1e38)
"""Real value of one step: what float32 holds with all its digits."""

VALUES_LIMIT = 1 << 24
"""Most values of a tensor, its padding included: 4096 × 4096 pixels of one channel."""

NETWORK_VALUES_LIMIT = 1 << 27
"""Most values of all of a network's tensors."""

WEIGHTS_LIMIT = 1 << 28
"""Most weights of a network."""

MACS_LIMIT = 1 << 36
"""Most multiply-accumulates for one image, taps of pools included; ResNet-50 has 2^32."""

LAYERS_LIMIT = 4096
"""Most layers of a network."""


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


WINDOW_POOLS = (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL)
"""Layer kinds that pool windows, channel by channel, without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """An int8 activation tensor of one image: real = scale · (value - zero_point)."""

    name: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        """Check ranges."""
        NAME.require(self.name, "name of a tensor")
        EXTENT.require(self.height, f"height of {self.name!r}")
        EXTENT.require(self.width, f"width of {self.name!r}")
        CHANNELS.require(self.channels, f"channels of {self.name!r}")
        SCALE.require(self.scale, f"scale of {self.name!r}")
        INT8.require(self.zero_point, f"zero_point of {self.name!r}")
        _require_size(f"tensor {self.name!r}", math.prod(self.shape), VALUES_LIMIT)

    @classmethod
    def of_shape(
        cls, name: str, shape: tuple[int, int, int], scale: float, zero_point: int
    ) -> "TensorSpec":
        """A tensor of (height, width, channels)."""
        height, width, channels = shape
        return cls(
            name=name,
            height=height,
            width=width,
            channels=channels,
            scale=scale,
            zero_point=zero_point,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels), the order of every activation array in memory."""
        return (self.height, self.width, self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding:
    """Rows and columns of ``zero_point`` around the input; of -128 for MAX_POOL."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @classmethod
    def same(
        cls, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> "Padding":
        """TensorFlow's SAME: ceil(size / stride) outputs, the odd pixel at the bottom/right."""
        total = [
            max(0, (-(-n // s) - 1) * s + k - n)
            for n, k, s in zip(size, kernel, stride, strict=True)
        ]
        return cls(
            top=total[0] // 2,
            bottom=total[0] - total[0] // 2,
            left=total[1] // 2,
            right=total[1] - total[1] // 2,
        )

    def __add__(self, other: "Padding") -> "Padding":
        """Both paddings, one around the other."""
        return Padding(
            top=self.top + other.top,
            bottom=self.bottom + other.bottom,
            left=self.left + other.left,
            right=self.right + other.right,
        )

    def around(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of an image of ``size`` with this padding."""
        return size[0] + self.top + self.bottom, size[1] + self.left + self.right

    def windows(
        self, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> tuple[int, int]:
        """Rows and columns of the windows that end within an image of ``size`` and this padding."""
        height, width = self.around(size)
        return (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A layer of a network; ``name`` is also the name of its output tensor.

    Parameters
    ----------
    kind : LayerKind
    inputs : tuple of str
        Names of tensors made earlier (the network's input or layers): one tensor, two for ADD.
    output : TensorSpec
        ``output.name == name``.
    kernel, stride : (int, int)
        (vertical, horizontal). Fully connected: the kernel is the input's (height, width),
        stride (1, 1), no padding. ADD, GLOBAL_AVERAGE_POOL and MEAN leave the defaults.
    padding : Padding
        None for AVERAGE_POOL: every window divides by kh·kw.
    weights : int8 array
        conv and fully connected [K, kh, kw, C]; depthwise [kh, kw, C]; else empty.
    bias : int32[K]
        In units of s_in·s_w[k], without the input's zero point folded in; empty for ADD, MEAN and
        pools.
    multiplier : int32[K], not negative
        Q31 significand of s_in·s_w[k]/s_out = multiplier · 2^(shift - 31), normally in
        [2^30, 2^31). ADD: three entries
        for operand a, operand b and the sum. MEAN: one entry, s_in/s_out over the count, for the sum of
        all pixels less their zero points. Pools: empty, the averages divide by the count.
    shift : int32[K]
        Positive shifts left; each in -31 … 30.
    clamp : (int, int)
        Lowest and highest output value: the fused activation.
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

    def __post_init__(self) -> None:
        """Check what can be checked without the input's shape."""
        if self.output.name != self.name:
            raise ValueError(f"output of layer {self.name!r} must bear its name")
        if len(self.inputs) != (2 if self.kind is LayerKind.ADD else 1):
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
    def macs(self) -> int:
        """Multiply-accumulates of the layer for one image; 0 for ADD, MEAN and pools."""
        pixels = self.output.height * self.output.width
        return pixels * int(self.weights.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Network:
    """A network: layers in execution order, of which the last gives the network's output.

    Raises
    ------
    ValueError
        If a name is used twice, a layer reads a tensor that was not made before it, or shapes,
        array shapes and kinds do not fit together.
    """

    name: str
    input: TensorSpec
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        """Check names and shapes layer by layer."""
        NAME.require(self.name, "name of a network")
        if not self.layers:
            raise ValueError(f"network {self.name!r} must have layers")
        if len(self.layers) > LAYERS_LIMIT:
            count = len(self.layers)
            raise ValueError(
                f"network {self.name!r} must have at most {LAYERS_LIMIT} layers, not {count}"
            )
        known = {self.input.name: self.input}
        for layer in self.layers:
            for name in layer.inputs:
                if name not in known:
                    raise ValueError(f"layer {layer.name!r} reads unknown tensor {name!r}")
            if layer.name in known:
                raise ValueError(f"tensor name {layer.name!r} must be unique")
            _check_shapes(layer, [known[name] for name in layer.inputs])
            known[layer.name] = layer.output
        values = sum(math.prod(tensor.shape) for tensor in known.values())
        if values > NETWORK_VALUES_LIMIT:
            rule = f"must have at most {NETWORK_VALUES_LIMIT} values in all"
            raise ValueError(f"tensors of network {self.name!r} {rule}, not {values}")
        weights = sum(layer.weights.size for layer in self.layers)
        _require_size(f"weights of network {self.name!r}", weights, WEIGHTS_LIMIT)
        operations = sum(map(_operations, self.layers))
        if operations > MACS_LIMIT:
            rule = f"must have at most {MACS_LIMIT} MACs for one image, taps of pools included"
            raise ValueError(f"network {self.name!r} {rule}, not {operations}")

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """All tensors by name, the input first."""
        return {self.input.name: self.input} | {x.name: x.output for x in self.layers}

    @property
    def output(self) -> TensorSpec:
        """The last layer's output."""
        return self.layers[-1].output

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(layer.macs for layer in self.layers)


def _operations(layer: Layer) -> int:
    """Multiply-accumulates of a layer, or what a pool compares or adds."""
    if layer.kind in WINDOW_POOLS:
        return math.prod(layer.output.shape) * math.prod(layer.kernel)
    return layer.macs


_UNWEIGHTED = {
    LayerKind.ADD: 3,
    LayerKind.MEAN: 1,
    LayerKind.GLOBAL_AVERAGE_POOL: 0,
    LayerKind.MAX_POOL: 0,
    LayerKind.AVERAGE_POOL: 0,
}
"""Entries of multiplier and shift of the kinds that have no weights and no bias."""

_NEUTRAL = {"kernel": (1, 1), "stride": (1, 1), "padding": Padding()}
"""Values of what a kind without windows ignores."""

_WINDOWLESS = (LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.MEAN)


def _require_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"{what} must have at most {limit} values, not {size}")


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


def _check_shapes(layer: Layer, inputs: list[TensorSpec]) -> None:
    source, out = inputs[0], layer.output
    expected: tuple[int, ...]
    _check_ignored(layer)
    if layer.kind is LayerKind.ADD:
        if not inputs[0].shape == inputs[1].shape == out.shape:
            raise ValueError(f"operands and output of {layer.name!r} must have one shape")
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
    _require_size(f"padded input of layer {layer.name!r}", padded, VALUES_LIMIT)
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
    if (source.scale, source.zero_point) != (layer.output.scale, layer.output.zero_point):
        raise ValueError(f"input and output of {layer.name!r} must be quantized alike")


def _expect(layer: Layer, what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f"{what} of layer {layer.name!r} must have shape {expected}, not {shape}")
