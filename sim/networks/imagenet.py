"""Networks of inverted residual blocks for ImageNet's 1,000 classes."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from sim.networks.topology import LayerShape, Topology, conv, depthwise, fully_connected, pool
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["IMAGE", "IMAGENET_NETWORKS", "efficientnet_lite"]

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


_LITE0 = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)

_LITES = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260))
"""Factors of width and depth, and the image's size, of EfficientNet-Lite0, 1 and 2."""


def efficientnet_lite(number: int) -> Topology:
    """Make the topology of EfficientNet-Lite0, 1 or 2, in which stem, head, first and last stage are not deepened.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    if not 0 <= number < len(_LITES):
        raise ValueError(f"number must be in 0 … {len(_LITES) - 1}, not {number!r}")
    width, depth, size = _LITES[number]
    stages = []
    for place, stage in enumerate(_LITE0):
        inner = 0 < place < len(_LITE0) - 1
        blocks = math.ceil(depth * stage.blocks) if inner else stage.blocks
        wide = width * stage.channels
        channels = max(8, int(wide + 4) // 8 * 8)
        channels += 8 * (channels < 0.9 * wide)  # never narrower by more than a tenth
        stages.append(stage._replace(blocks=blocks, channels=channels))
    return _inverted_residuals(tuple(stages), size)


def _inverted_residuals(stages: tuple[_Stage, ...], size: int = IMAGE.height) -> Topology:
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
    image = replace(IMAGE, height=size, width=size)
    return Topology(input=image, layers=tuple(layers))


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
    {"mobilenet_v2": _mobilenet_v2(), "efficientnet_lite0": efficientnet_lite(0)}
)
"""Topologies by name."""
