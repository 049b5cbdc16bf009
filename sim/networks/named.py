"""Networks that have a name: published topologies, with seeded weights."""

import functools
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sim.networks.imagenet import IMAGENET_NETWORKS
from sim.networks.mlperf_tiny import MLPERF_TINY_NETWORKS
from sim.networks.seeded import seeded_network
from sim.networks.topology import Topology
from sim.spec import design
from sim.spec.archives import file_sha256
from sim.spec.design import Design
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.files import cache_root, write_atomic
from sim.spec.network import Network
from sim.spec.spaces import EDGE

__all__ = ["NAMED_NETWORKS", "efficientnet_lite0", "mobilenet_v2", "named_network"]

_SOURCES = (
    "networks/named.py",
    "networks/imagenet.py",
    "networks/mlperf_tiny.py",
    "networks/topology.py",
    "networks/shapes.py",
    "mosaics.py",
    "networks/seeded.py",
    "golden.py",
    "scales.py",
    "spec/layer.py",
    "spec/network.py",
)
"""Files that decide the numbers of a named network."""


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


@functools.lru_cache(maxsize=8)
def _cached(name: str, seed: int) -> Network:
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((Path(__file__).parents[1] / source).read_bytes())
    folder = cache_root() / "networks" / f"{name}-{seed}-{digest.hexdigest()[:16]}"
    path, seal = folder / "design.json", folder / "design.sha256"
    try:
        # The design has its weights' digest, and nothing has the design's.
        if file_sha256(path, "design file") == seal.read_text():
            os.utime(folder)  # it counts as used
            return design.load(path).network
    except (DesignFileError, OSError, ValueError):  # not there yet, or damaged
        pass
    shutil.rmtree(folder, ignore_errors=True)
    topology = NAMED_NETWORKS[name]
    network = seeded_network(name, topology.input, topology.layers, seed)
    # The file format wants an accelerator; any will do.
    design.save(Design(network=network, accelerator=EDGE.default), path)
    write_atomic(seal, file_sha256(path, "design file"))
    return network


NAMED_NETWORKS: Mapping[str, Topology] = MappingProxyType(
    {**IMAGENET_NETWORKS, **MLPERF_TINY_NETWORKS}
)
"""Topologies by name."""
