"""A network before quantization: the layers of sim.spec with real weights, and their arithmetic."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from sim.scales import Scale
from sim.spec.network import LayerKind, Padding, PixelPlace

__all__ = [
    "ALIKE",
    "INPUT",
    "FloatInput",
    "FloatJoint",
    "FloatLayer",
    "FloatNetwork",
    "FloatOutput",
    "Function",
    "compute",
]

INPUT = "input"
"""Name of the first input; a further input has its number behind."""

_BLOCK_IMAGES = 8
"""Images computed at once; bounds the memory of large images."""

ALIKE = (LayerKind.GLOBAL_AVERAGE_POOL, LayerKind.AVERAGE_POOL, LayerKind.MAX_POOL)
"""Kinds whose output is quantized as their input is."""

Function: TypeAlias = Callable[[Tensor], Tensor]
"""A function of each value of a tensor by itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatLayer:
    """A layer of real numbers; ``name`` is also the name of its output.

    Parameters
    ----------
    kind, inputs, kernel, stride, padding
        As of :class:`sim.spec.network.Layer`. The second input of MULTIPLY is the vector
        itself, not its factors, or a tensor of the shape of the first.
    shape : (int, int, int)
        Height, width and channels of the output.
    weight : float64[K, C, kh, kw], optional
        Depthwise [C, 1, kh, kw]; fully connected over the input's height and width.
    bias : float64[K], optional
        Given where ``weight`` is.
    weight_scales : float64[K], optional
        Of weights that were quantized before: each is an integer of int8 times its channel's scale.
    clamp : (float, float)
        Least and greatest output: the fused activation.
    function : callable, optional
        Of a MAX_POOL of single pixels, whose output is that of each value, before the clamp. It has a
        scale of its own.
    """

    name: str
    kind: LayerKind
    inputs: tuple[str, ...]
    shape: tuple[int, int, int]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    weight: Tensor | None = None
    bias: Tensor | None = None
    weight_scales: Tensor | None = None
    clamp: tuple[float, float] = (-math.inf, math.inf)
    function: Function | None = None

    @property
    def alike(self) -> bool:
        """Whether the output is quantized as the input is."""
        return self.kind in ALIKE and self.function is None

    def parameters(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of a layer that has them."""
        if self.weight is None or self.bias is None:
            raise ValueError(f"layer {self.name!r} must have weights")
        return self.weight, self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatInput:
    """An input of a module.

    Parameters
    ----------
    name : str
    shape : (int, int, int)
        Height, width and channels.
    rank : int
        Axes of the module's own input: 4 for [N, C, H, W], 3 for [N, C, L], 2 for [N, C].
    """

    name: str
    shape: tuple[int, int, int]
    rank: int = 4

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of the module's own input without the batch."""
        height, width, channels = self.shape
        return (channels, *{4: (height, width), 3: (width,)}.get(self.rank, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatOutput:
    """An output of a module.

    Parameters
    ----------
    tensor : str
        What it is computed of.
    functions : tuple of str
        What the host computes of the tensor: "softmax", "log_softmax", "sigmoid".
    sizes : tuple of int
        Shape of the module's own output without the batch; that of the tensor, channels first, if not given.
    """

    tensor: str
    functions: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatJoint:
    """A tensor of the channels or pixels of layers that are made for it alone; as :class:`sim.spec.network.Concatenation`.

    Its parts have its scale, which is theirs where they are ``alike``.
    """

    name: str
    parts: tuple[str, ...]
    shape: tuple[int, int, int]
    pixels: tuple[PixelPlace, ...] = ()

    def joined(self, parts: list[Tensor]) -> Tensor:
        """Whole [N, C, H, W] of its parts."""
        if not self.pixels:
            return torch.cat(parts, 1)
        height, width, channels = self.shape
        whole = parts[0].new_empty((len(parts[0]), channels, height, width))
        for place, part in zip(self.pixels, parts, strict=True):
            for rows, columns in place.rectangles((part.shape[2], part.shape[3])):
                whole[:, :, rows, columns] = part
        return whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatNetwork:
    """A network of real numbers: layers in execution order.

    Parameters
    ----------
    name : str
    shape : (int, int, int)
        Height, width and channels of the first input, whose name is ``input``.
    layers : tuple of FloatLayer
    rank : int
        Axes of the module's own first input, as of :class:`FloatInput`.
    scales : mapping of str to Scale
        Of tensors that the program quantizes itself; empty where it computes in real numbers alone.
    joints : tuple of FloatJoint
        Tensors that consist of layers' outputs.
    outputs : tuple of FloatOutput
        In the module's order; the last layer's output if not given. Some may be computed of one tensor.
    further_inputs : tuple of FloatInput
        All but the first, in the module's order.
    """

    name: str
    shape: tuple[int, int, int]
    layers: tuple[FloatLayer, ...]
    rank: int = 4
    scales: Mapping[str, Scale] = field(default_factory=dict)
    joints: tuple[FloatJoint, ...] = ()
    outputs: tuple[FloatOutput, ...] = ()
    further_inputs: tuple[FloatInput, ...] = ()

    @property
    def inputs(self) -> tuple[FloatInput, ...]:
        """All inputs, in the module's order."""
        return (FloatInput(name=INPUT, shape=self.shape, rank=self.rank), *self.further_inputs)

    @property
    def ends(self) -> tuple[FloatOutput, ...]:
        """All outputs, in the module's order."""
        return self.outputs or (FloatOutput(tensor=self.layers[-1].name),)

    @property
    def given(self) -> tuple[str, ...]:
        """Tensors that the outputs are computed of, each once."""
        return tuple(dict.fromkeys(end.tensor for end in self.ends))

    @property
    def homes(self) -> dict[str, FloatJoint]:
        """Joint of each part, by the part's name."""
        return {part: joint for joint in self.joints for part in joint.parts}

    @property
    def scaled(self) -> list[str]:
        """Tensors that have a scale of their own."""
        homes, alike = self.homes, {layer.name for layer in self.layers if layer.alike}
        own = [layer.name for layer in self.layers if layer.name not in {*homes, *alike}]
        given = [source.name for source in self.inputs]
        return [*given, *own, *(joint.name for joint in self.joints if joint.parts[0] not in alike)]

    def visit(self, images: Tensor | Sequence[Tensor], seen: Callable[[str, Tensor], None]) -> None:
        """Show every tensor, the inputs first, for some images at a time.

        Parameters
        ----------
        images : float[N, C, H, W], or a sequence of such tensors
            A tensor for each input. Everything is computed in their type.
        seen : callable
            Called with the tensor's name and its values, [n, C, P, Q].
        """
        readers = Counter(name for layer in self.layers for name in layer.inputs)
        ends = {joint.parts[-1]: joint for joint in self.joints}
        given = [images] if isinstance(images, Tensor) else images
        with torch.no_grad():
            for start in range(0, len(given[0]), _BLOCK_IMAGES):
                left = Counter(readers)
                made: dict[str, Tensor] = {}
                for source, values in zip(self.inputs, given, strict=True):
                    made[source.name] = values[start : start + _BLOCK_IMAGES]
                    seen(source.name, made[source.name])
                for layer in self.layers:
                    made[layer.name] = compute(layer, [made[name] for name in layer.inputs])
                    seen(layer.name, made[layer.name])
                    if layer.name in ends:
                        joint = ends[layer.name]
                        made[joint.name] = joint.joined([made.pop(part) for part in joint.parts])
                        seen(joint.name, made[joint.name])
                    for name in layer.inputs:
                        left[name] -= 1
                        if not left[name]:
                            made.pop(name, None)

    def __call__(self, images: Tensor | Sequence[Tensor]) -> Tensor:
        """First output [N, C, P, Q] of images [N, C, H, W], of several inputs of as many tensors."""
        values: list[Tensor] = []
        first = self.given[0]

        def keep(name: str, made: Tensor) -> None:
            if name == first:
                values.append(made)

        self.visit(images, keep)
        return torch.cat(values)


def compute(layer: FloatLayer, inputs: list[Tensor]) -> Tensor:
    """Output [N, C, P, Q] of one layer from its inputs, in their type."""
    low, high = layer.clamp
    y = _unclamped(layer, inputs)
    return y if low == -math.inf and high == math.inf else y.clamp(low, high)


def _unclamped(layer: FloatLayer, inputs: list[Tensor]) -> Tensor:
    x, pad = inputs[0], layer.padding
    if layer.function is not None:
        return layer.function(x)
    sides = (pad.left, pad.right, pad.top, pad.bottom)
    match layer.kind:
        case LayerKind.ADD:
            return x + inputs[1]
        case LayerKind.MULTIPLY:
            return x * inputs[1]
        case LayerKind.GLOBAL_AVERAGE_POOL | LayerKind.MEAN:
            return x.mean((2, 3), keepdim=True)
        case LayerKind.AVERAGE_POOL:
            return functional.avg_pool2d(x, layer.kernel, layer.stride)
        case LayerKind.MAX_POOL:
            return functional.max_pool2d(
                functional.pad(x, sides, value=-math.inf), layer.kernel, layer.stride
            )
    weight, bias = (values.to(x.dtype) for values in layer.parameters())
    groups = x.shape[1] if layer.kind is LayerKind.DEPTHWISE else 1
    wide = functional.pad(x, sides) if any(sides) else x
    return functional.conv2d(wide, weight, bias, layer.stride, groups=groups)
