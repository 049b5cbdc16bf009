"""Networks of inverted residual blocks for ImageNet's 1,000 classes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sim.networks.topology import LayerShape, Topology, conv, depthwise, fully_connected, pool
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["IMAGE", "IMAGENET_NETWORKS"]

IMAGE = TensorSpec(name="image", height=224, width=224, channels=3, scale=1 / 128, zero_point=0)
"""Input of both networks: a byte of the picture minus 128."""

CLASSES = 1000


class _Stage(NamedTuple):
    """A row of a paper's table: inverted residual blocks, the first block with the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


def _mobilenet_v2() -> Topology:
    stages = (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(3, 3, 2, 6, 32),
        _Stage(4, 3, 2, 6, 64),
        _Stage(3, 3, 1, 6, 96),
        _Stage(3, 3, 2, 6, 160),
        _Stage(1, 3, 1, 6, 320),
    )
    return _inverted_residuals(stages)


def _efficientnet_lite0() -> Topology:
    stages = (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(2, 5, 2, 6, 40),
        _Stage(3, 3, 2, 6, 80),
        _Stage(3, 5, 1, 6, 112),
        _Stage(4, 5, 2, 6, 192),
        _Stage(1, 3, 1, 6, 320),
    )
    return _inverted_residuals(stages)


def _inverted_residuals(stages: tuple[_Stage, ...]) -> Topology:
    """Stem of 32 channels, the stages, head of 1280 channels, pool and classifier."""
    layers = [conv("stem", IMAGE.name, 32, 3, 2, relu6=True)]
    channels, index = 32, 0
    for stage in stages:
        for position in range(stage.blocks):
            index += 1
            stride = stage.stride if position == 0 else 1
            layers += _block(f"block{index}", layers[-1].name, channels, stage, stride)
            channels = stage.channels
    layers += [
        conv("head", layers[-1].name, 1280, relu6=True),
        pool("pool", "head"),
        fully_connected("classifier", "pool", CLASSES),
    ]
    return Topology(input=IMAGE, layers=tuple(layers))


def _block(name: str, source: str, channels: int, stage: _Stage, stride: int) -> list[LayerShape]:
    """1×1 expansion, depthwise, linear 1×1 projection, and the sum where the shapes agree."""
    layers = []
    last = source
    if stage.expansion > 1:
        last = f"{name}.expand"
        layers.append(conv(last, source, channels * stage.expansion, relu6=True))
    layers += [
        depthwise(f"{name}.depthwise", last, stage.kernel, stride, relu6=True),
        conv(f"{name}.project", f"{name}.depthwise", stage.channels),
    ]
    if stride == 1 and channels == stage.channels:
        layers.append(
            LayerShape(name=f"{name}.add", kind=LayerKind.ADD, inputs=(source, f"{name}.project"))
        )
    return layers


IMAGENET_NETWORKS: Mapping[str, Topology] = MappingProxyType(
    {"mobilenet_v2": _mobilenet_v2(), "efficientnet_lite0": _efficientnet_lite0()}
)
"""Topologies by name."""
