"""A quantized network: tensors, layers and their integer parameters (TensorFlow Lite int8)."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ADD_LEFT_SHIFT",
    "WINDOW_POOLS",
    "Layer",
    "LayerKind",
    "Network",
    "Padding",
    "TensorSpec",
]

ADD_LEFT_SHIFT = 20
"""Left shift of both operands of a residual add (TensorFlow Lite Micro's int8 ADD)."""


class LayerKind(StrEnum):
    """What a layer computes; everything else is refused by name."""

    CONV = "conv"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully_connected"
    ADD = "add"
    GLOBAL_AVERAGE_POOL = "global_average_pool"
    AVERAGE_POOL = "average_pool"
    MAX_POOL = "max_pool"
    MEAN = "mean"


WINDOW_POOLS = (LayerKind.MAX_POOL, LayerKind.AVERAGE_POOL)
"""Kinds that pool windows, channel by channel, without parameters."""


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
        for name in ("height", "width", "channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of {self.name!r} must be positive")
        if not self.scale > 0:
            raise ValueError(f"scale of {self.name!r} must be positive, not {self.scale!r}")
        if not -128 <= self.zero_point <= 127:
            raise ValueError(f"zero_point of {self.name!r} must be int8, not {self.zero_point!r}")

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
    """One layer; ``name`` is also the name of its output tensor.

    Parameters
    ----------
    kind : LayerKind
    inputs : tuple of str
        Names of tensors made earlier (the network's input or layers): two for ADD, else one.
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
        for operand a, operand b and the sum. MEAN: one, s_in/s_out over the count, for the sum of
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
        for name, dtype in (("weights", np.int8), ("bias", np.int32), ("multiplier", np.int32)):
            found = getattr(self, name).dtype
            if found != dtype:
                rule = f"must be {np.dtype(dtype).name}, not {found.name}"
                raise ValueError(f"{name} of layer {self.name!r} {rule}")
        least = int(self.multiplier.min(initial=0))
        if least < 0:
            raise ValueError(f"multiplier of layer {self.name!r} must not be negative, not {least}")
        if int(self.shift.min(initial=0)) < -31 or int(self.shift.max(initial=0)) > 30:
            raise ValueError(f"shift of layer {self.name!r} must be in -31 … 30")
        pad = self.padding
        if min(self.stride) < 1 or min(self.kernel) < 1:
            raise ValueError(f"kernel and stride of layer {self.name!r} must be at least 1")
        if min(pad.top, pad.bottom, pad.left, pad.right) < 0:
            raise ValueError(f"padding of layer {self.name!r} must not be negative")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer for one image; 0 for ADD, MEAN and pools."""
        pixels = self.output.height * self.output.width
        return pixels * int(self.weights.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Network:
    """Layers in execution order; the last one's output is the network's.

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
        if not self.layers:
            raise ValueError(f"network {self.name!r} must have layers")
        known = {self.input.name: self.input}
        for layer in self.layers:
            for name in layer.inputs:
                if name not in known:
                    raise ValueError(f"layer {layer.name!r} reads unknown tensor {name!r}")
            if layer.name in known:
                raise ValueError(f"tensor name {layer.name!r} must be unique")
            _check_shapes(layer, [known[name] for name in layer.inputs])
            known[layer.name] = layer.output

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


def _check_shapes(layer: Layer, inputs: list[TensorSpec]) -> None:
    source, out = inputs[0], layer.output
    expected: tuple[int, ...]
    if layer.kind in (LayerKind.ADD, LayerKind.GLOBAL_AVERAGE_POOL):
        _expect(layer, "weights", layer.weights.shape, (0,))
    if layer.kind in (*WINDOW_POOLS, LayerKind.MEAN):
        entries = 1 if layer.kind is LayerKind.MEAN else 0
        for name, size in (
            ("weights", 0),
            ("bias", 0),
            ("multiplier", entries),
            ("shift", entries),
        ):
            _expect(layer, name, getattr(layer, name).shape, (size,))
    if layer.kind is LayerKind.ADD:
        if not inputs[0].shape == inputs[1].shape == out.shape:
            raise ValueError(f"operands and output of {layer.name!r} must have one shape")
        _expect(layer, "multiplier", layer.multiplier.shape, (3,))
        _expect(layer, "shift", layer.shift.shape, (3,))
        return
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        _expect_alike(layer, source)
        return
    if layer.kind is LayerKind.MEAN:
        _expect(layer, "output", out.shape, (1, 1, source.channels))
        if (layer.kernel, layer.stride, layer.padding) != ((1, 1), (1, 1), Padding()):
            raise ValueError(f"mean {layer.name!r} must have no kernel, stride or padding")
        return
    if layer.kind is LayerKind.AVERAGE_POOL and layer.padding != Padding():
        pad = layer.padding
        raise ValueError(
            f"padding of average pool {layer.name!r} must be 0 on every side, "
            f"not {(pad.top, pad.bottom, pad.left, pad.right)}"
        )
    if layer.kind is LayerKind.FULLY_CONNECTED and (
        layer.kernel != source.shape[:2] or layer.padding != Padding() or layer.stride != (1, 1)
    ):
        raise ValueError(
            f"kernel of {layer.name!r} must be its input's size {source.shape[:2]}, without padding"
        )
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


def _expect(layer: Layer, what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"{what} of layer {layer.name!r} must have shape {expected}, not {found}")
