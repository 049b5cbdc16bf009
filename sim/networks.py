"""Networks that have a name: topologies of papers, with seeded weights."""

import functools
import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from sim.seeded import LayerShape, seeded_network
from sim.spec import design
from sim.spec.design import Design
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.files import cache_root
from sim.spec.network import LayerKind, Network, TensorSpec
from sim.spec.spaces import EDGE

__all__ = ["NAMED_NETWORKS", "efficientnet_lite0", "mobilenet_v2", "named_network"]

IMAGE = TensorSpec(name="image", height=224, width=224, channels=3, scale=1 / 128, zero_point=0)
"""Input of both networks: a byte of the picture minus 128."""

CLASSES = 1000

_SOURCES = ("networks.py", "seeded.py", "golden.py", "scales.py")
"""Files that decide the numbers of a named network."""


class _Stage(NamedTuple):
    """A row of a paper's table: inverted residual blocks, the first one with the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


def mobilenet_v2(seed: int = 0) -> Network:
    """MobileNetV2 of width 1.0 at 224 (Sandler et al., 2018, table 2): 300.8 M MACs."""
    return named_network("mobilenet_v2", seed)


def efficientnet_lite0(seed: int = 0) -> Network:
    """EfficientNet-Lite0 at 224: B0 (Tan and Le, 2019, table 1) without squeeze-excitation.

    The stem and the head keep B0's width, ReLU6 takes the place of swish: 385.2 M MACs.
    """
    return named_network("efficientnet_lite0", seed)


def named_network(name: str, seed: int = 0) -> Network:
    """Make a network, or take it from the cache.

    Raises
    ------
    CosilicoError
        If there is no network of that name.
    """
    if name not in NAMED_NETWORKS:
        known = ", ".join(NAMED_NETWORKS)
        raise CosilicoError(f"network must be one of {known}, not {name!r}")
    return _cached(name, seed)


@functools.lru_cache(maxsize=4)
def _cached(name: str, seed: int) -> Network:
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((Path(__file__).parent / source).read_bytes())
    folder = cache_root() / "networks" / f"{name}-{seed}-{digest.hexdigest()[:16]}"
    path = folder / "design.json"
    try:
        return design.load(path).network
    except DesignFileError:  # not there yet, or damaged
        shutil.rmtree(folder, ignore_errors=True)
    network = seeded_network(name, IMAGE, NAMED_NETWORKS[name](), seed)
    # The file format wants an accelerator; any will do.
    design.save(Design(network=network, accelerator=EDGE.default), path)
    return network


def _mobilenet_v2() -> list[LayerShape]:
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


def _efficientnet_lite0() -> list[LayerShape]:
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


def _inverted_residuals(stages: tuple[_Stage, ...]) -> list[LayerShape]:
    """Stem of 32 channels, the stages, head of 1280 channels, pool and classifier."""
    layers = [_dense("stem", IMAGE.name, 32, kernel=3, stride=2)]
    channels, index = 32, 0
    for stage in stages:
        for position in range(stage.blocks):
            index += 1
            stride = stage.stride if position == 0 else 1
            layers += _block(f"block{index}", layers[-1].name, channels, stage, stride)
            channels = stage.channels
    layers += [
        _dense("head", layers[-1].name, 1280),
        LayerShape(name="pool", kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=("head",)),
        LayerShape(
            name="classifier",
            kind=LayerKind.FULLY_CONNECTED,
            inputs=("pool",),
            channels=CLASSES,
        ),
    ]
    return layers


def _block(name: str, source: str, channels: int, stage: _Stage, stride: int) -> list[LayerShape]:
    """1×1 expansion, depthwise, linear 1×1 projection, and the sum where the shapes agree."""
    layers = []
    last = source
    if stage.expansion > 1:
        last = f"{name}.expand"
        layers.append(_dense(last, source, channels * stage.expansion))
    layers += [
        LayerShape(
            name=f"{name}.depthwise",
            kind=LayerKind.DEPTHWISE,
            inputs=(last,),
            kernel=stage.kernel,
            stride=stride,
            relu6=True,
        ),
        _dense(f"{name}.project", f"{name}.depthwise", stage.channels, relu6=False),
    ]
    if stride == 1 and channels == stage.channels:
        layers.append(
            LayerShape(name=f"{name}.add", kind=LayerKind.ADD, inputs=(source, f"{name}.project"))
        )
    return layers


def _dense(
    name: str, source: str, channels: int, *, kernel: int = 1, stride: int = 1, relu6: bool = True
) -> LayerShape:
    return LayerShape(
        name=name,
        kind=LayerKind.CONV,
        inputs=(source,),
        channels=channels,
        kernel=kernel,
        stride=stride,
        relu6=relu6,
    )


NAMED_NETWORKS: Mapping[str, Callable[[], list[LayerShape]]] = MappingProxyType(
    {"mobilenet_v2": _mobilenet_v2, "efficientnet_lite0": _efficientnet_lite0}
)
"""Topologies by name."""
