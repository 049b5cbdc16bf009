"""Concatenations that an importer makes, and what it must copy so that parts can lie where they must."""

import numpy as np
from numpy.typing import NDArray

from sim.scales import quantize_multiplier
from sim.spec.network import Concatenation, Layer, LayerKind, PixelPlace, TensorSpec

__all__ = ["Joints", "copying_layer", "selecting_layer"]


class Joints:
    """Concatenations so far, and which parts tensors consist of."""

    def __init__(self) -> None:
        self.concatenations: dict[str, Concatenation] = {}
        self._segments: dict[str, tuple[int, ...]] = {}
        self._taken: set[str] = set()

    def note_input(self, source: TensorSpec) -> None:
        """Note the network's input, which is no part of anything."""
        self._segments[source.name] = (source.channels,)
        self._taken.add(source.name)

    def note_layer(self, layer: Layer) -> None:
        """Note a layer's output."""
        dense = layer.kind in (LayerKind.CONV, LayerKind.FULLY_CONNECTED, LayerKind.FACTORS)
        own = (layer.output.channels,)
        self._segments[layer.name] = own if dense else self._segments.get(layer.inputs[0], own)

    def is_taken(self, name: str) -> bool:
        """Whether a tensor cannot be a part: it is the network's input, or a part already."""
        return name in self._taken

    def lie_alike(self, a: str, b: str) -> bool:
        """Whether two tensors consist of parts alike, so that they can be added."""
        return self._segments.get(a) == self._segments.get(b)

    def is_dense(self, name: str) -> bool:
        """Whether a tensor's channels lie side by side."""
        return len(self._segments.get(name, ())) <= 1

    def join(self, parts: list[TensorSpec], output: TensorSpec) -> None:
        """Concatenate tensors that are not taken."""
        names = tuple(part.name for part in parts)
        joint = Concatenation(name=output.name, parts=names, output=output)
        self.concatenations[joint.name] = joint
        self._segments[joint.name] = sum(
            (self._segments.get(part.name, (part.channels,)) for part in parts), ()
        )
        self._taken.update(names)

    def lay(self, parts: list[TensorSpec], places: list[PixelPlace], output: TensorSpec) -> None:
        """Make a mosaic of tensors that are made for it alone."""
        names = tuple(part.name for part in parts)
        self.concatenations[output.name] = Concatenation(
            name=output.name, parts=names, output=output, pixels=tuple(places)
        )
        self._segments[output.name] = self._segments.get(names[0], (output.channels,))
        self._taken.update(names)


def copying_layer(name: str, source: TensorSpec, *, dense: bool) -> Layer:
    """A layer that copies a tensor: channel by channel, or ``dense``, so that the copy has no parts."""
    output = TensorSpec.of_shape(name, source.shape, source.scale, source.zero_point)
    if dense:
        return selecting_layer(name, source, output, np.arange(source.channels))
    return _layer(
        name, LayerKind.DEPTHWISE, source, output, np.ones((1, 1, source.channels), np.int8)
    )


def selecting_layer(
    name: str, source: TensorSpec, output: TensorSpec, channels: NDArray[np.int64]
) -> Layer:
    """A 1×1 convolution whose output channels are some of its input's, in one scale."""
    weights = np.zeros((len(channels), 1, 1, source.channels), np.int8)
    weights[np.arange(len(channels)), 0, 0, channels] = 1
    return _layer(name, LayerKind.CONV, source, output, weights)


def _layer(
    name: str,
    kind: LayerKind,
    source: TensorSpec,
    output: TensorSpec,
    weights: NDArray[np.int8],
) -> Layer:
    multiplier, shift = quantize_multiplier(1.0)
    count = output.channels
    return Layer(
        name=name,
        kind=kind,
        inputs=(source.name,),
        output=output,
        weights=weights,
        bias=np.zeros(count, np.int32),
        multiplier=np.full(count, multiplier, np.int32),
        shift=np.full(count, shift, np.int32),
    )
