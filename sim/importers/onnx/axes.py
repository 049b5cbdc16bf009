"""Axes of ONNX images: signals (1, C, L) are images of height 1, as TensorFlow Lite has them."""

from dataclasses import replace
from typing import TypeVar

from sim.importers.onnx.model import OnnxNode
from sim.importers.onnx.values import Deferred, Quantized
from sim.spec.network import Padding

_Activation = TypeVar("_Activation", Deferred, Quantized)

__all__ = ["as_image", "as_node", "sides", "steps"]

SIGNAL, IMAGE = 3, 4
"""Axes of a signal (1, C, L) and of an image (1, C, H, W)."""


def as_image(value: Quantized) -> Quantized:
    """A signal as an image (1, C, 1, L); any other activation as it is."""
    if len(value.shape) != SIGNAL:
        return value
    channels, length = value.shape[1:]
    shape = (1, channels, 1, length)
    return replace(value, shape=shape, places=value.places.reshape(shape[1:]))


def as_node(node_rank: int, value: _Activation) -> _Activation:
    """An image of height 1 as the signal that a node on ``node_rank`` axes computes."""
    if node_rank != SIGNAL:
        return value
    channels, _, length = value.shape[1:]
    shape = (1, channels, length)
    return replace(value, shape=shape, places=value.places.reshape(shape[1:]))


def steps(node: OnnxNode, name: str, rank: int, default: int = 1) -> tuple[int, int]:
    """An attribute with a number for each axis behind the channels: (vertical, horizontal)."""
    if rank == SIGNAL:
        (right,) = node.integers(name, (default,))
        return default, right
    down, right = node.integers(name, (default, default))
    return down, right


def sides(node: OnnxNode, rank: int) -> Padding:
    """Attribute ``pads``: what comes before each axis, then what comes behind each."""
    if rank == SIGNAL:
        left, right = node.integers("pads", (0, 0))
        top = bottom = 0
    else:
        top, left, bottom, right = node.integers("pads", (0, 0, 0, 0))
    if min(top, left, bottom, right) < 0:
        node.refuse(f"pads must not be negative, not {node.attributes['pads']}")
    return Padding(top=top, bottom=bottom, left=left, right=right)
