"""The four networks of MLPerf Tiny v1, each up to the scores: softmax is a step of the host.

Topologies: the Keras models of the reference implementation (github.com/mlcommons/tiny, folder
``benchmark/training``; C. Banbury et al., "MLPerf Tiny Benchmark", NeurIPS Datasets and Benchmarks
2021), with batch normalization folded and ReLU fused.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sim.networks.topology import LayerShape, Topology, conv, depthwise, fully_connected, pool
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["MLPERF_TINY_NETWORKS"]


def _resnet8() -> Topology:
    """Image classification, CIFAR-10 (``resnet_v1_eembc``, 16 filters): 12.50 M MACs."""
    layers = [conv("stem", "image", 16, 3, relu=True)]
    for index, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        name, source = f"stack{index}", layers[-1].name
        layers += [
            conv(f"{name}.conv1", source, channels, 3, stride, relu=True),
            conv(f"{name}.conv2", f"{name}.conv1", channels, 3),
        ]
        if stride > 1:
            shortcut = conv(f"{name}.shortcut", source, channels, 1, stride)
            layers.append(shortcut)
            source = shortcut.name
        layers.append(
            LayerShape(
                name=f"{name}.add",
                kind=LayerKind.ADD,
                inputs=(source, f"{name}.conv2"),
                relu=True,
            )
        )
    layers += [pool("pool", layers[-1].name), fully_connected("classifier", "pool", 10)]
    return Topology(input=_input("image", 32, 32, 3), layers=tuple(layers))


def _mobilenet_v1_025() -> Topology:
    """Visual wake words (``mobilenet_v1``, width 0.25 at 96): 7.49 M MACs."""
    blocks = (
        *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
        *(((128, 1),) * 5),
        *((256, 2), (256, 1)),
    )
    layers = [conv("stem", "image", 8, 3, 2, relu=True)]
    for index, (channels, stride) in enumerate(blocks, start=1):
        layers += _separable(f"block{index}", layers[-1].name, channels, stride)
    layers += [pool("pool", layers[-1].name), fully_connected("classifier", "pool", 2)]
    return Topology(input=_input("image", 96, 96, 3), layers=tuple(layers))


def _ds_cnn() -> Topology:
    """Keyword spotting (``ds_cnn``, 49 frames of 10 cepstral coefficients): 2.66 M MACs.

    The last average takes half the input's size, rounded down, as the reference does: 24 of 25 rows.
    """
    layers = [conv("stem", "features", 64, (10, 4), 2, relu=True)]
    for index in range(1, 5):
        layers += _separable(f"block{index}", layers[-1].name, 64, 1)
    layers += [
        LayerShape(
            name="pool",
            kind=LayerKind.AVERAGE_POOL,
            inputs=(layers[-1].name,),
            kernel=(24, 5),
            stride=(2, 1),  # one window fits: any stride that keeps it alone is the reference's
        ),
        fully_connected("classifier", "pool", 12),
    ]
    return Topology(input=_input("features", 49, 10, 1), layers=tuple(layers))


def _autoencoder() -> Topology:
    """Anomaly detection, ToyADMOS (five frames of 128 mel bins): 0.264 M MACs."""
    layers: list[LayerShape] = []
    source = "features"
    for index, channels in enumerate((*((128,) * 4), 8, *((128,) * 4)), start=1):
        layers.append(fully_connected(f"dense{index}", source, channels, relu=True))
        source = layers[-1].name
    layers.append(fully_connected("reconstruction", source, 640))
    return Topology(input=_input("features", 1, 1, 640), layers=tuple(layers))


def _input(name: str, height: int, width: int, channels: int) -> TensorSpec:
    return TensorSpec.of_shape(name, (height, width, channels), 1 / 128, 0)


def _separable(name: str, source: str, channels: int, stride: int) -> list[LayerShape]:
    """3x3 depthwise with the stride, then 1x1."""
    inner = depthwise(f"{name}.depthwise", source, 3, stride, relu=True)
    return [inner, conv(f"{name}.pointwise", inner.name, channels, relu=True)]


MLPERF_TINY_NETWORKS: Mapping[str, Topology] = MappingProxyType(
    {
        "resnet8": _resnet8(),
        "mobilenet_v1_025": _mobilenet_v1_025(),
        "ds_cnn": _ds_cnn(),
        "autoencoder": _autoencoder(),
    }
)
"""Topologies by name."""
