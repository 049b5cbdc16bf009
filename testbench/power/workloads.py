"""Networks whose runs energy is fitted to, and those on which the fit is judged: a few layers each, with seeded weights."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from sim.networks.seeded import seeded_network
from sim.networks.topology import LayerShape, conv, depthwise, fully_connected, pool
from sim.spec.activation_table import TABLE_ENTRIES, ActivationTable
from sim.spec.network import LayerKind, Network, TensorSpec

__all__ = ["FITTED", "HELD_OUT", "workload"]

_SEED = 37


def _image(height: int, width: int, channels: int) -> TensorSpec:
    return TensorSpec.of_shape("image", (height, width, channels), 1 / 128, 0)


def _add(name: str, a: str, b: str) -> LayerShape:
    return LayerShape(name=name, kind=LayerKind.ADD, inputs=(a, b), relu=True)


_WORKLOADS: Mapping[str, tuple[TensorSpec, tuple[LayerShape, ...]]] = MappingProxyType(
    {
        "windows": (
            _image(8, 8, 8),
            (conv("a", "image", 16, 3, relu=True), conv("b", "a", 8, 3, 2)),
        ),
        "points": (
            _image(10, 10, 16),
            (conv("a", "image", 24, relu=True), conv("b", "a", 16), conv("c", "b", 16, relu=True)),
        ),
        "channels": (
            _image(12, 12, 16),
            (depthwise("a", "image", 3, 1, relu=True), depthwise("b", "a", 5, 2)),
        ),
        "vectors": (
            _image(1, 1, 64),
            (fully_connected("a", "image", 48, relu=True), fully_connected("b", "a", 10)),
        ),
        "sums": (
            _image(8, 8, 16),
            (conv("a", "image", 16, relu=True), _add("b", "image", "a"), pool("c", "b")),
        ),
        "curves": (
            _image(8, 8, 16),
            (conv("a", "image", 16), conv("b", "a", 16, 3)),
        ),
        "separable": (
            _image(10, 10, 8),
            (
                *(conv("a", "image", 16, 3, relu=True), depthwise("b", "a", 3, 1, relu=True)),
                *(conv("c", "b", 16), pool("d", "c"), fully_connected("e", "d", 10)),
            ),
        ),
        "residual": (
            _image(9, 7, 12),
            (
                *(conv("a", "image", 12, 3, relu=True), conv("b", "a", 12, 3)),
                *(_add("c", "image", "b"), fully_connected("d", "c", 12)),
            ),
        ),
        "bottleneck": (
            _image(7, 7, 8),
            (
                *(conv("a", "image", 32, relu=True), depthwise("b", "a", 3, 2, relu=True)),
                conv("c", "b", 16),
            ),
        ),
        "gates": (
            _image(9, 9, 12),
            (
                *(conv("a", "image", 24), depthwise("b", "a", 3, 1)),
                *(conv("c", "b", 12), fully_connected("d", "c", 10)),
            ),
        ),
    }
)

_TABLED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"curves": ("a", "b"), "gates": ("a", "b")}
)
"""Layers with an activation table, by workload: these run on accelerators that have tables."""

FITTED = ("windows", "points", "channels", "vectors", "sums", "curves")
"""Names of workloads that are fitted to: layers of a kind."""

HELD_OUT = ("separable", "residual", "bottleneck", "gates")
"""Names of workloads that the fit has not seen: layers in other sizes and orders."""


@lru_cache(maxsize=len(_WORKLOADS))
def workload(name: str) -> Network:
    """Return a workload by its name.

    Raises
    ------
    KeyError
        If there is none.
    """
    image, layers = _WORKLOADS[name]
    network = seeded_network(name, image, layers, _SEED)
    tabled = [
        replace(layer, table=_swish(layer.output)) if layer.name in _TABLED.get(name, ()) else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(tabled))


def _swish(results: TensorSpec) -> ActivationTable:
    """Table of x * sigmoid(x) for x in -6 ... 6, in the quantization of the results."""
    x = np.linspace(-6, 6, TABLE_ENTRIES)
    values = np.round(127 / 6 * x / (1 + np.exp(-x))) + results.zero_point
    return ActivationTable(
        values=values.clip(-128, 127).astype(np.int8), zero_point=results.zero_point
    )
