"""The four networks of MLPerf Tiny v1, each up to the scores: softmax is a step of the host.

Topologies: the Keras models of the reference implementation (github.com/mlcommons/tiny, folder
``benchmark/training``; C. Banbury et al., "MLPerf Tiny Benchmark", NeurIPS Datasets and Benchmarks
2021), with batch normalization folded and ReLU fused.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sim.seeded import LayerShape, Topology
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["MLPERF_TINY_NETWORKS"]


def _resnet8() -> Topology:
    """Image classification, CIFAR-10 (``resnet_v1_eembc``, 16 filters): 12.50 M MACs."""
    layers = [_conv("stem", "image", 16, 3)]
    for index, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        name, source = f"stack{index}", layers[-1].name
        layers += [
            _conv(f"{name}.conv1", source, channels, 3, stride),
            _conv(f"{name}.conv2", f"{name}.conv1", channels, 3, relu=False),
        ]
        if stride > 1:
            shortcut = _conv(f"{name}.shortcut", source, channels, 1, stride, relu=False)
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
    layers += [_pool("pool", layers[-1].name), _dense("classifier", "pool", 10, relu=False)]
    return Topology(input=_input("image", 32, 32, 3), layers=tuple(layers))


def _mobilenet_v1_025() -> Topology:
    """Visual wake words (``mobilenet_v1``, width 0.25 at 96): 7.49 M MACs."""
    blocks = (
        *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
        *(((128, 1),) * 5),
        *((256, 2), (256, 1)),
    )
    layers = [_conv("stem", "image", 8, 3, 2)]
    for index, (channels, stride) in enumerate(blocks, start=1):
        layers += _separable(f"block{index}", layers[-1].name, channels, stride)
    layers += [_pool("pool", layers[-1].name), _dense("classifier", "pool", 2, relu=False)]
    return Topology(input=_input("image", 96, 96, 3), layers=tuple(layers))


def _ds_cnn() -> Topology:
    """Keyword spotting (``ds_cnn``, 49 frames of 10 cepstral coefficients): 2.66 M MACs.

    The last average takes half the input's size, rounded down, as the reference does: 24 of 25 rows.
    """
    layers = [_conv("stem", "features", 64, (10, 4), 2)]
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
        _dense("classifier", "pool", 12, relu=False),
    ]
    return Topology(input=_input("features", 49, 10, 1), layers=tuple(layers))


def _autoencoder() -> Topology:
    """Anomaly detection, ToyADMOS (five frames of 128 mel bins): 0.264 M MACs."""
    layers: list[LayerShape] = []
    source = "features"
    for index, channels in enumerate((*((128,) * 4), 8, *((128,) * 4)), start=1):
        layers.append(_dense(f"dense{index}", source, channels))
        source = layers[-1].name
    layers.append(_dense("reconstruction", source, 640, relu=False))
    return Topology(input=_input("features", 1, 1, 640), layers=tuple(layers))


def _input(name: str, height: int, width: int, channels: int) -> TensorSpec:
    return TensorSpec(
        name=name, height=height, width=width, channels=channels, scale=1 / 128, zero_point=0
    )


def _separable(name: str, source: str, channels: int, stride: int) -> list[LayerShape]:
    """3x3 depthwise with the stride, then 1x1."""
    depthwise = LayerShape(
        name=f"{name}.depthwise",
        kind=LayerKind.DEPTHWISE,
        inputs=(source,),
        kernel=3,
        stride=stride,
        relu=True,
    )
    return [depthwise, _conv(f"{name}.pointwise", depthwise.name, channels, 1)]


def _conv(
    name: str,
    source: str,
    channels: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    *,
    relu: bool = True,
) -> LayerShape:
    return LayerShape(
        name=name,
        kind=LayerKind.CONV,
        inputs=(source,),
        channels=channels,
        kernel=kernel,
        stride=stride,
        relu=relu,
    )


def _pool(name: str, source: str) -> LayerShape:
    return LayerShape(name=name, kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=(source,))


def _dense(name: str, source: str, channels: int, *, relu: bool = True) -> LayerShape:
    return LayerShape(
        name=name,
        kind=LayerKind.FULLY_CONNECTED,
        inputs=(source,),
        channels=channels,
        relu=relu,
    )


MLPERF_TINY_NETWORKS: Mapping[str, Topology] = MappingProxyType(
    {
        "resnet8": _resnet8(),
        "mobilenet_v1_025": _mobilenet_v1_025(),
        "ds_cnn": _ds_cnn(),
        "autoencoder": _autoencoder(),
    }
)
"""Topologies by name."""
