"""Facts about an ONNX tensor that are known while the graph is lowered."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.importers.host import HostStep
from sim.importers.limits import excess
from sim.importers.onnx.model import OnnxNode
from sim.spec.network import Padding, TensorSpec

__all__ = [
    "Constant",
    "Deferred",
    "Function",
    "HostInput",
    "HostOutput",
    "Quantization",
    "Quantized",
    "Shape",
    "Target",
    "Value",
    "dequantized_values",
    "image_places",
    "node_places",
    "quantized_bound",
    "quantized_values",
]

Shape: TypeAlias = tuple[int, ...]

_Places: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Scale, the model's integer type, and the zero point as that of int8 (uint8 less 128)."""

    scale: np.float32
    zero_point: int
    dtype: str

    def tensor(self, name: str, shape: tuple[int, int, int]) -> TensorSpec:
        """Make a tensor of the network with this quantization."""
        return TensorSpec.of_shape(name, shape, float(self.scale), self.zero_point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The tensor that a layer computes: its name in the model, its quantization, its clamp."""

    tensor: str
    quantization: Quantization
    clamp: tuple[int, int] = (-128, 127)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constant:
    """An initializer; with ``scales``, DequantizeLinear has made it real along ``axis``."""

    data: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    zero_points: NDArray[np.int64] | None = None
    axis: int = 0

    @property
    def reals(self) -> NDArray[Any]:
        """Content as real numbers, which it is in itself where nothing has been dequantized."""
        if self.scales is None or self.zero_points is None:
            return self.data
        shape = [1] * self.data.ndim
        if self.scales.size > 1:
            shape[self.axis] = self.scales.size
        scales, zeros = (
            item.reshape(shape if item.size > 1 else [1] * self.data.ndim)
            for item in (self.scales, self.zero_points)
        )
        result: NDArray[Any] = ((self.data - zeros) * scales.astype(np.float64)).astype(np.float32)
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostInput:
    """An input of the model as far as the host prepares it.

    ``held`` is the type that the host has, which is int8 once it quantizes. ``quantization`` is
    None where not known yet; ``real`` where DequantizeLinear has been applied. ``place`` is the input's among the model's.
    """

    steps: tuple[HostStep, ...]
    shape: Shape
    held: str
    quantization: Quantization | None = None
    real: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantized:
    """An activation that the accelerator holds.

    Parameters
    ----------
    spec : TensorSpec
        How it lies in memory.
    shape : tuple of int
        In the model, with the batch of 1.
    places : int32[shape without batch]
        Position in memory of each value of the model's order.
    quantization : Quantization
    real : bool
        Whether DequantizeLinear has been applied.
    padding : Padding
        Of a Pad that is still to be done; ``shape`` has it, ``spec`` has not.
    """

    spec: TensorSpec
    shape: Shape
    places: _Places
    quantization: Quantization
    real: bool
    padding: Padding = field(default_factory=Padding)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deferred:
    """A real tensor that a layer computes once QuantizeLinear says how its output is quantized.

    ``low`` and ``high`` are the bounds of activations in between. ``scaled`` is there for layers
    that can take a gain and an offset into their weights; it knows the layer's own shape and order
    only, so :meth:`changed` calls it.
    """

    shape: Shape
    places: _Places
    emit: Callable[[Target], TensorSpec]
    low: float = -np.inf
    high: float = np.inf
    scaled: "Callable[[NDArray[np.float64], NDArray[np.float64]], Deferred] | None" = None

    def changed(self, gain: NDArray[np.float64], offset: NDArray[np.float64]) -> "Deferred | None":
        """Tensor times a gain and plus an offset, in its shape and order; None if it cannot be.

        Both are float64[values], flat in memory's order.
        """
        if self.scaled is None:
            return None
        return replace(self.scaled(gain, offset), shape=self.shape, places=self.places)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """A function of an activation, of which an activation table is made when a layer reads it.

    Parameters
    ----------
    source : Quantized
        The activation.
    reals : float32[forms, 256]
        What the function is of each value -128 … 127 of the activation, in each form that the runtime
        may compute it in.
    node : OnnxNode
        That computes it.
    members : frozenset of int
        Indices of all nodes between the activation and the function.
    quantization : Quantization, optional
        None where no QuantizeLinear has been applied yet.
    values : int8[256], optional
        Results of QuantizeLinear, and ``tensor`` their name in the model.
    real : bool
        Whether DequantizeLinear has been applied.
    """

    source: Quantized
    reals: NDArray[np.float32]
    node: OnnxNode
    members: frozenset[int]
    quantization: Quantization | None = None
    values: NDArray[np.int8] | None = None
    tensor: str = ""
    real: bool = True

    @property
    def shape(self) -> Shape:
        """Shape of the tensor, that of the activation."""
        return self.source.shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostOutput:
    """Output that the host computes of an activation; ``cause`` is the node that needs the host."""

    source: Quantized
    steps: tuple[HostStep, ...]
    shape: Shape
    dtype: str
    cause: str = ""


Value: TypeAlias = Constant | HostInput | Quantized | Deferred | Function | HostOutput


def node_places(node: OnnxNode, height: int, width: int, channels: int) -> _Places:
    """Places of the image that a node computes; refused if it is larger than any network's."""
    if broken := excess((height, width, channels), "activation"):
        node.refuse(broken)
    return image_places(height, width, channels)


@lru_cache(maxsize=4)
def image_places(height: int, width: int, channels: int) -> _Places:
    """Places of an image [channels, height, width] that lies in memory with channels last."""
    order = np.arange(height * width * channels, dtype=np.int32).reshape(height, width, channels)
    order.setflags(write=False)  # it is shared
    return order.transpose(2, 0, 1)


def quantized_bound(real: float, quantization: Quantization) -> int:
    """int8 value of a real bound as QuantizeLinear rounds it: half to even."""
    if np.isinf(real):
        return 127 if real > 0 else -128
    ratio = float(np.rint(np.float32(real) / quantization.scale))
    return int(min(127.0, max(-128.0, ratio + quantization.zero_point)))


def dequantized_values(values: NDArray[np.int8], quantization: Quantization) -> NDArray[np.float32]:
    """Real values of int8 as DequantizeLinear makes them."""
    centred = values.astype(np.int32) - quantization.zero_point
    result: NDArray[np.float32] = quantization.scale * centred.astype(np.float32)
    return result


def quantized_values(reals: NDArray[np.float32], quantization: Quantization) -> NDArray[np.int8]:
    """int8 of real values as QuantizeLinear rounds them: half to even."""
    with np.errstate(over="ignore"):  # what overflows is clamped
        ratios = np.rint(reals / quantization.scale).astype(np.float64)
    steps = (ratios + quantization.zero_point).clip(-128, 127)
    result: NDArray[np.int8] = steps.astype(np.int8)
    return result
