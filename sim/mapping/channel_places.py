"""Where channels of concatenations lie: each part from a whole vector on, on banks that its lanes can store to.

A concatenation is not computed. Layers store its parts side by side, each in channel groups of its own, and what reads it finds
between the parts channels that belong to none, whose weights are 0. Layers that work channel by channel leave such gaps where
they are. For the mapper all this is another form of the network: with more channels, and the same layers.
"""

from dataclasses import replace
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.spec.network import Concatenation, Layer, LayerKind, Network, TensorSpec

__all__ = ["Places", "channel_places", "with_gaps"]

_Integer = TypeVar("_Integer", np.int8, np.int32)

Places: TypeAlias = tuple[tuple[int, int], ...]
"""Segments of a tensor's channels as they lie in memory: first channel and number of each."""

_DENSE = (LayerKind.CONV, LayerKind.FULLY_CONNECTED, LayerKind.FACTORS)
"""Layers whose outputs have no gaps, whatever they read."""


def channel_places(network: Network, simd: int, lanes: int) -> dict[str, Places]:
    """Return where the channels of every tensor lie, by its name.

    Parameters
    ----------
    network : Network
    simd : int
        Channels of a vector.
    lanes : int
        Lanes of a PE, and its banks.
    """
    places: dict[str, Places] = {source.name: ((0, source.channels),) for source in network.inputs}
    places |= {state.name: ((0, state.output.channels),) for state in network.states}
    joints = {joint.name: joint for joint in network.concatenations}

    def place(name: str) -> Places:
        if name not in places and joints[name].pixels:
            places[name] = place(joints[name].parts[0])  # all parts have its channels
        if name not in places:
            parts = [place(part) for part in joints[name].parts]
            starts = _starts(parts, simd, lanes)
            places[name] = tuple(
                (start + first, count)
                for start, part in zip(starts, parts, strict=True)
                for first, count in part
            )
        return places[name]

    for layer in network.layers:
        dense: Places = ((0, layer.output.channels),)
        places[layer.name] = dense if layer.kind in _DENSE else place(layer.inputs[0])
    for name in joints:
        place(name)
    return places


def with_gaps(network: Network, simd: int, lanes: int) -> Network:
    """Return the network as an accelerator's memory holds it; itself where nothing is concatenated.

    Raises
    ------
    ValueError
        If a tensor then has too many values.
    """
    if not network.concatenations:
        return network
    places = channel_places(network, simd, lanes)
    tensors = network.tensors

    def widened(name: str) -> TensorSpec:
        return replace(tensors[name], channels=_end(places[name]))

    layers = tuple(
        _widened_layer(layer, places[layer.inputs[0]], widened(layer.name))
        for layer in network.layers
    )
    joints = tuple(
        Concatenation(
            name=joint.name,
            parts=joint.parts,
            output=widened(joint.name),
            starts=()
            if joint.pixels
            else _starts([places[part] for part in joint.parts], simd, lanes),
            pixels=joint.pixels,
        )
        for joint in network.concatenations
    )
    return replace(network, layers=layers, concatenations=joints)


def _end(places: Places) -> int:
    return places[-1][0] + places[-1][1]


def _starts(parts: list[Places], simd: int, lanes: int) -> tuple[int, ...]:
    """First channel of each part: its groups lie in as few planes as they can.

    A part of fewer groups than there are banks begins at a multiple of the next power of two.
    """
    starts, group = [], 0
    for part in parts:
        own = -(-_end(part) // simd)
        step = min(lanes, 1 << (own - 1).bit_length())
        group = -(-group // step) * step
        starts.append(group * simd)
        group += own
    return tuple(starts)


def _widened_layer(layer: Layer, source: Places, output: TensorSpec) -> Layer:
    """Return a layer that reads, and writes if it works channel by channel, channels with gaps."""
    if layer.kind is LayerKind.FACTORS:
        return layer
    if layer.kind in _DENSE:
        return replace(layer, weights=_widened(layer.weights, source))
    if layer.kind is not LayerKind.DEPTHWISE:
        return replace(layer, output=output)
    return replace(
        layer,
        output=output,
        weights=_widened(layer.weights, source),
        bias=_widened(layer.bias, source),
        multiplier=_widened(layer.multiplier, source),
        shift=_widened(layer.shift, source),
    )


def _widened(array: NDArray[_Integer], places: Places) -> NDArray[_Integer]:
    """Spread the last axis over places; what lies between them is 0."""
    out = np.zeros((*array.shape[:-1], _end(places)), array.dtype)
    taken = 0
    for first, count in places:
        out[..., first : first + count] = array[..., taken : taken + count]
        taken += count
    return out
