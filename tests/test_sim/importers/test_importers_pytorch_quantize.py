"""Quantization is TensorFlow Lite's, and the exported network computes what the child does."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from search.architecture import Architecture
from search.children import Child, build_from_layers
from search.export import export, shape_network
from search.networks.plans import DIGITS_SPACE
from search.tasks.digits import INPUT_SCALE, digits
from search.tasks.digits_settings import DigitsSettings
from search.training import ChildTraining
from sim import golden
from sim.importers.pytorch.batch_norm import fold_batch_norm
from sim.importers.pytorch.quantize import quantize_weights
from sim.spec.network import LayerKind

ARCHITECTURE = Architecture(
    widths=(16, 32, 48), kernels=(3, 5, 3, 3, 5), expansions=(1, 2, 2, 1, 2), head=32
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Let PyTorch use a single thread: small networks wait for a second more than it gains."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_weights_of_dead_channels_keep_their_bias() -> None:
    weight = torch.tensor([[0.5, -1.0], [0.0, 0.0], [1e-20, 0.0]])
    bias = torch.tensor([0.25, 0.0, 3.0])
    weights, scales, quantized = quantize_weights(weight, bias, 0.02)
    assert weights[0].tolist() == [64, -127]
    assert not weights[1:].any()
    assert (scales > 0).all()
    np.testing.assert_allclose(quantized * 0.02 * scales, bias.numpy(), rtol=0.01)


def test_folded_convolution_equals_normalized_one() -> None:
    child = _trained_child(epochs=1).eval()
    conv, norm = child.conv("stem"), child.norm("stem")
    weight, bias = fold_batch_norm(conv, norm)
    x = torch.rand((4, 1, 10, 10), dtype=torch.float64)
    expected = norm.double()(conv.double()(x))
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias), expected)


def _trained_child(epochs: int) -> Child:
    child = build_from_layers(DIGITS_SPACE.layers(ARCHITECTURE), seed=0)
    training = ChildTraining(
        child,
        digits(None, DigitsSettings()).train,
        epochs=epochs,
        batch=96,
        learning_rate=0.004,
        seed=0,
    )
    for _ in range(epochs):
        training.epoch()
    return child


def test_exported_network_computes_what_the_child_does() -> None:
    task = digits(None, DigitsSettings())
    child = _trained_child(epochs=4)
    network = export(child, task.train.images, name="digits", input_scale=INPUT_SCALE)
    tensors = golden.run(network, task.quantize(task.test.images))
    with torch.no_grad():
        activations = child.activations(task.test.images)
    for layer in network.layers:
        spec = layer.output
        real = activations[layer.name].permute(0, 2, 3, 1).double().numpy()
        computed = spec.scale * (tensors[layer.name].astype(np.float64) - spec.zero_point)
        noise = float(np.sqrt(np.mean((computed - real) ** 2)))
        # measured 0.01 … 0.03 of the signal; rounding noise adds up over 16 layers
        assert noise < 0.1 * float(real.std()), layer.name
    logits = tensors[network.output.name].reshape(len(task.test), -1)
    same = (logits.argmax(1) == activations["classifier"].flatten(1).argmax(1).numpy()).mean()
    assert same > 0.97


def test_exported_parameters_follow_the_scales() -> None:
    task = digits(None, DigitsSettings())
    child = build_from_layers(DIGITS_SPACE.layers(ARCHITECTURE), seed=0)
    network = export(child, task.train.images[:100], name="digits", input_scale=INPUT_SCALE)
    tensors = network.tensors
    assert tensors["pool"].scale == tensors["head"].scale
    assert tensors["pool"].zero_point == tensors["head"].zero_point
    for layer in network.layers:
        if layer.kind is LayerKind.ADD:
            a, b = (tensors[name].scale for name in layer.inputs)
            twice = 2 * max(a, b)
            expected = [a / twice, b / twice, twice / (2**20 * layer.output.scale)]
            factors = [
                math.ldexp(int(m), int(s) - 31)
                for m, s in zip(layer.multiplier, layer.shift, strict=True)
            ]
            np.testing.assert_allclose(factors, expected, rtol=2.0**-31)
        if layer.name == "stem":
            assert layer.clamp[0] == layer.output.zero_point
        if layer.name == "block0_project":
            assert layer.clamp == (-128, 127)


def test_shape_network_has_the_shapes_of_an_exported_one() -> None:
    layers = DIGITS_SPACE.layers(ARCHITECTURE)
    child = build_from_layers(layers, seed=0)
    exported = export(
        child, digits(None, DigitsSettings()).train.images[:10], name="n", input_scale=INPUT_SCALE
    )
    shapes = shape_network(layers, name="n")
    for layer, other in zip(exported.layers, shapes.layers, strict=True):
        assert (layer.name, layer.kind, layer.inputs, layer.stride) == (
            other.name,
            other.kind,
            other.inputs,
            other.stride,
        )
        assert layer.weights.shape == other.weights.shape
        assert layer.output.shape == other.output.shape
