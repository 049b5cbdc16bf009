"""Seeded networks: no channel dies, none saturates, and every kind of layer is calibrated."""

import numpy as np
import pytest

from sim import golden
from sim.networks.seeded import noise_image, seeded_network
from sim.networks.topology import LayerShape
from sim.spec.network import LayerKind, Network, Padding, TensorSpec

SOURCE = TensorSpec(name="image", height=31, width=24, channels=3, scale=1 / 128, zero_point=0)
SHAPES = (
    LayerShape(
        name="stem",
        kind=LayerKind.CONV,
        inputs=("image",),
        channels=24,
        kernel=3,
        stride=2,
        relu6=True,
    ),
    LayerShape(name="spatial", kind=LayerKind.DEPTHWISE, inputs=("stem",), kernel=5, relu6=True),
    LayerShape(name="project", kind=LayerKind.CONV, inputs=("spatial",), channels=24),
    LayerShape(name="sum", kind=LayerKind.ADD, inputs=("stem", "project")),
    LayerShape(name="pool", kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=("sum",)),
    LayerShape(name="scores", kind=LayerKind.FULLY_CONNECTED, inputs=("pool",), channels=200),
)


@pytest.fixture(scope="module")
def network() -> Network:
    return seeded_network("small", SOURCE, SHAPES, 5)


@pytest.fixture(scope="module")
def values(network: Network) -> dict[str, np.ndarray]:
    images = np.concatenate([noise_image(SOURCE, np.random.default_rng(seed)) for seed in (8, 9)])
    return golden.run(network, images)


def test_shapes_follow_same_padding(network: Network) -> None:
    assert network.tensors["stem"].shape == (16, 12, 24)
    assert network.layers[1].padding == Padding(top=2, bottom=2, left=2, right=2)
    assert network.layers[5].kernel == (1, 1)


def test_activations_of_other_images_use_the_range(values: dict[str, np.ndarray]) -> None:
    for name in ("stem", "spatial"):
        assert 0.1 < (values[name] == -128).mean() < 0.5
        assert (values[name] == 127).mean() < 0.12
    for name in ("project", "sum", "scores"):
        assert 15 < values[name].std() < 60
        assert ((values[name] == -128) | (values[name] == 127)).mean() < 0.02


def test_no_channel_is_constant(values: dict[str, np.ndarray]) -> None:
    for name in ("stem", "spatial", "project", "sum"):
        flat = values[name].reshape(-1, 24)
        assert (flat.min(axis=0) < flat.max(axis=0)).all()


def test_images_change_the_scores(values: dict[str, np.ndarray]) -> None:
    assert (values["scores"][0] != values["scores"][1]).mean() > 0.5


def test_sum_is_of_the_real_values(network: Network, values: dict[str, np.ndarray]) -> None:
    def real(name: str) -> np.ndarray:
        tensor = network.tensors[name]
        return tensor.scale * (values[name].astype(float) - tensor.zero_point)

    unclamped = (values["sum"] > -128) & (values["sum"] < 127)
    error = np.abs(real("sum") - real("stem") - real("project"))[unclamped]
    assert error.max() <= 0.501 * network.tensors["sum"].scale


def test_pool_keeps_its_inputs_scale(network: Network) -> None:
    before, after = network.tensors["sum"], network.tensors["pool"]
    assert (before.scale, before.zero_point) == (after.scale, after.zero_point)


def test_pools_of_windows_and_means_are_calibrated_too() -> None:
    shapes = (
        *SHAPES[:4],
        LayerShape(name="largest", kind=LayerKind.MAX_POOL, inputs=("sum",), kernel=3, stride=2),
        LayerShape(name="average", kind=LayerKind.AVERAGE_POOL, inputs=("largest",), kernel=2),
        LayerShape(name="mean", kind=LayerKind.MEAN, inputs=("average",)),
    )
    network = seeded_network("pools", SOURCE, shapes, 5)
    assert network.tensors["largest"].shape == (8, 6, 24)
    assert network.tensors["average"].shape == (7, 5, 24)
    assert network.layers[4].padding == Padding(bottom=1, right=1)
    image = noise_image(SOURCE, np.random.default_rng(8))
    activations = golden.run(network, image)
    average, mean = network.tensors["average"], network.tensors["mean"]
    real = average.scale * (
        activations["average"].astype(float).mean(axis=(1, 2)) - average.zero_point
    )
    values = mean.scale * (activations["mean"].ravel().astype(float) - mean.zero_point)
    inside = np.abs(activations["mean"].ravel() + 0.5) < 127
    assert inside.sum() > 12
    # the product rounds first, at what the shift makes a fraction of an output's step
    bound = 0.5 + 2.0 ** (int(network.layers[-1].shift[0]) - 1)
    assert np.abs(values - real)[0, inside].max() <= bound * mean.scale
    assert mean.scale < average.scale


def test_a_seed_gives_the_same_network(network: Network) -> None:
    again = seeded_network("small", SOURCE, SHAPES, 5)
    for layer, other in zip(network.layers, again.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, other.weights)
        np.testing.assert_array_equal(layer.bias, other.bias)
        assert layer.output == other.output


def test_noise_has_detail_at_every_size() -> None:
    image = noise_image(SOURCE, np.random.default_rng(0)).astype(float)
    assert image.shape == (1, 31, 24, 3)
    assert 30 < image.std() < 70
    neighbours = np.corrcoef(image[0, :, :-1].ravel(), image[0, :, 1:].ravel())[0, 1]
    assert 0.4 < neighbours < 0.95
