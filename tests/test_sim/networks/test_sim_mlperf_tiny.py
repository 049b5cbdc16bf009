"""MLPerf Tiny's networks: the reference's shapes and counts, live activations, the tiny default."""

from functools import cache

import numpy as np
import pytest

from sim import golden
from sim.model import predict
from sim.networks.mlperf_tiny import MLPERF_TINY_NETWORKS
from sim.networks.named import named_network
from sim.networks.seeded import noise_image
from sim.realizability import check
from sim.spec.network import LayerKind, Network, Padding
from sim.spec.spaces import TINY

NAMES = tuple(MLPERF_TINY_NETWORKS)

MACS = {
    "resnet8": 12_501_632,
    "mobilenet_v1_025": 7_489_664,
    "ds_cnn": 2_656_768,
    "autoencoder": 264_192,
}

KERAS_PARAMETERS = {
    "resnet8": 78_666,
    "mobilenet_v1_025": 221_794,
    "ds_cnn": 24_908,
    "autoencoder": 269_992,
}
"""With four values per channel of every batch normalization, as Keras counts the reference's models.

The first is in the reference's ``image_classification/Logs/training_log.txt``.
"""


@cache
def network(name: str) -> Network:
    return named_network(name)


def images(name: str, count: int) -> np.ndarray:
    rngs = [np.random.default_rng(100 + index) for index in range(count)]
    return np.concatenate([noise_image(network(name).input, rng) for rng in rngs])


def shape(name: str, tensor: str) -> tuple[int, int, int]:
    return network(name).tensors[tensor].shape


def test_they_are_the_four_of_the_suite() -> None:
    assert tuple(MACS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_the_references(name: str) -> None:
    assert network(name).macs == MACS[name]
    weighted = [layer for layer in network(name).layers if layer.weights.size]
    normalized = [x for x in weighted[:-1] if not x.name.endswith("shortcut")]
    parameters = sum(x.weights.size + x.bias.size for x in weighted)
    assert parameters + 4 * sum(x.bias.size for x in normalized) == KERAS_PARAMETERS[name]


def test_resnet8_has_three_stacks() -> None:
    assert network("resnet8").input.shape == (32, 32, 3)
    assert shape("resnet8", "stack1.add") == (32, 32, 16)
    assert shape("resnet8", "stack2.add") == (16, 16, 32)
    assert shape("resnet8", "stack3.add") == (8, 8, 64)
    assert shape("resnet8", "classifier") == (1, 1, 10)
    layers = {layer.name: layer for layer in network("resnet8").layers}
    assert layers["stack1.add"].inputs == ("stem", "stack1.conv2")
    assert layers["stack3.add"].inputs == ("stack3.shortcut", "stack3.conv2")
    assert layers["stack2.conv1"].padding == Padding(bottom=1, right=1)


def test_mobilenet_v1_has_a_quarter_of_the_channels() -> None:
    assert network("mobilenet_v1_025").input.shape == (96, 96, 3)
    assert shape("mobilenet_v1_025", "stem") == (48, 48, 8)
    assert shape("mobilenet_v1_025", "block11.pointwise") == (6, 6, 128)
    assert shape("mobilenet_v1_025", "block13.pointwise") == (3, 3, 256)
    assert shape("mobilenet_v1_025", "classifier") == (1, 1, 2)
    kinds = [layer.kind for layer in network("mobilenet_v1_025").layers]
    assert (kinds.count(LayerKind.CONV), kinds.count(LayerKind.DEPTHWISE)) == (14, 13)


def test_ds_cnn_begins_with_ten_by_four_and_averages_24_rows() -> None:
    stem, *_, pool, _ = network("ds_cnn").layers
    assert network("ds_cnn").input.shape == (49, 10, 1)
    assert (stem.kernel, stem.stride, stem.output.shape) == ((10, 4), (2, 2), (25, 5, 64))
    assert stem.padding == Padding(top=4, bottom=5, left=1, right=1)
    assert (pool.kernel, pool.output.shape) == ((24, 5), (1, 1, 64))
    assert network("ds_cnn").output.shape == (1, 1, 12)


def test_autoencoder_narrows_to_eight() -> None:
    widths = [layer.output.channels for layer in network("autoencoder").layers]
    assert widths == [128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert {layer.kind for layer in network("autoencoder").layers} == {LayerKind.FULLY_CONNECTED}


@pytest.mark.parametrize("name", NAMES)
def test_activations_of_other_images_are_alive(name: str) -> None:
    values = golden.run(network(name), images(name, 3))
    rectified = {x.name for x in MLPERF_TINY_NETWORKS[name].layers if x.relu}
    assert rectified
    for layer in network(name).layers:
        y = values[layer.name]
        assert y.min() < y.max(), layer.name
        if layer.name in rectified:
            assert layer.clamp == (layer.output.zero_point, 127) == (-128, 127)
            assert 0.02 < (y == -128).mean() < 0.9, layer.name
            assert (y == 127).mean() < 0.3, layer.name
    scores = values[network(name).output.name].reshape(3, -1)
    assert len(np.unique(scores, axis=0)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_tiny_default_runs_them(name: str) -> None:
    assert check(TINY.default, network(name)) == []
    prediction = predict(TINY.default, network(name))
    assert sum(layer.macs for layer in prediction.layers) == MACS[name]
    assert prediction.total_cycles > MACS[name] / TINY.default.macs
    assert 0 < prediction.utilization < 1
