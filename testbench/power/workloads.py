"""Networks whose runs energy is fitted to, and those on which the fit is judged: a few layers each, with seeded weights."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from sim.networks.seeded import seeded_network
from sim.networks.topology import LayerShape, conv, depthwise, fully_connected, pool
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
    }
)

FITTED = ("windows", "points", "channels", "vectors", "sums")
"""Names of workloads that are fitted to: layers of a kind."""

HELD_OUT = ("separable", "residual", "bottleneck")
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
    return seeded_network(name, image, layers, _SEED)
