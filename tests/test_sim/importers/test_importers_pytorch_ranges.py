"""Ranges of activations from calibration images: by all values, by percentile, by least error; and warnings."""

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sim.importers.errors import CalibrationWarning
from sim.importers.pytorch.quantize import quantize_module
from sim.importers.range_method import RangeMethod
from sim.spec.network import Network, TensorSpec


def noise(seed: int = 1, count: int = 24) -> Tensor:
    """Normal values, of which a few lie far away."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 2, 32, 32, generator=generator)
    images[0, 0, 0, 0], images[1, 0, 0, 0] = 40.0, -25.0
    return images


def quantized(images: Tensor, method: RangeMethod) -> Network:
    torch.manual_seed(0)
    return quantize_module(nn.Conv2d(2, 2, 1), images, name="net", method=method)


def covered(spec: TensorSpec) -> tuple[float, float]:
    """Least and greatest real value of int8."""
    return spec.scale * (-128 - spec.zero_point), spec.scale * (127 - spec.zero_point)


def squared_error(spec: TensorSpec, values: NDArray[np.float64]) -> float:
    steps = np.rint(values / spec.scale) + spec.zero_point
    return float(np.mean((spec.scale * (steps.clip(-128, 127) - spec.zero_point) - values) ** 2))


def test_all_values_are_covered_if_nothing_else_is_asked_for() -> None:
    low, high = covered(quantized(noise(), RangeMethod.MIN_MAX).input)
    assert (low, high) == pytest.approx((-25, 40), abs=0.2)


def test_a_percentile_leaves_out_what_lies_far_away() -> None:
    images = noise()
    low, high = covered(quantized(images, RangeMethod.PERCENTILE).input)
    expected = np.percentile(images.numpy(), [0.005, 99.995])
    step = 65 / 2048  # of the histogram
    assert (low, high) == pytest.approx(tuple(expected), abs=2 * step + (high - low) / 255)


def test_the_least_error_is_less_than_that_of_all_values_and_of_every_other_range() -> None:
    images = noise()
    values = images.numpy().astype(np.float64)
    chosen = squared_error(quantized(images, RangeMethod.MSE).input, values)
    everything = squared_error(quantized(images, RangeMethod.MIN_MAX).input, values)
    assert chosen < 0.9 * everything
    for part in np.linspace(0.2, 1, 9):
        for other in np.linspace(0.2, 1, 9):
            low, high = -25 * part, 40 * other
            scale = (high - low) / 255
            spec = TensorSpec.of_shape("x", (1, 1, 1), scale, int(np.rint(-128 - low / scale)))
            assert chosen < 1.001 * squared_error(spec, values)


def test_a_range_that_begins_at_0_keeps_its_beginning() -> None:
    images = noise().abs()
    for method in RangeMethod:
        assert quantized(images, method).input.zero_point == -128


class Dead(nn.Module):
    """A convolution of which a ReLU leaves nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 1)
        self.second = nn.Conv2d(2, 2, 1)
        with torch.no_grad():
            assert self.first.bias is not None
            self.first.bias.fill_(-1000.0)

    def forward(self, x: Tensor) -> Tensor:
        """Output of the second convolution, which reads zeros."""
        y: Tensor = self.second(torch.relu(self.first(x)))
        return y


def test_constant_tensors_are_warned_of() -> None:
    with pytest.warns(CalibrationWarning) as told:
        quantize_module(Dead(), noise(count=2), name="net")
    expected = "calibration images: tensor 'first' is 0 in all of them, so that its scale says nothing of other images"
    assert str(told[0].message) == expected


def test_a_range_that_no_image_fills_is_warned_of() -> None:
    images = noise(count=8)[2:] + torch.arange(6).reshape(6, 1, 1, 1) * 100
    rule = r"has the range -?\d.+ … 50\d.*, of which no image fills more than 1 %"
    with pytest.warns(CalibrationWarning, match=f"^calibration images: tensor 'input' {rule}$"):
        quantized(images, RangeMethod.MIN_MAX)


def test_few_values_of_an_image_are_not_warned_of() -> None:
    module = nn.Sequential(nn.Conv2d(2, 1, 32), nn.Flatten())
    with warnings.catch_warnings(action="error", category=CalibrationWarning):
        quantize_module(module, noise(count=8), name="net")


@pytest.mark.parametrize("method", RangeMethod)
def test_methods_are_deterministic(method: RangeMethod) -> None:
    assert quantized(noise(), method).tensors == quantized(noise(), method).tensors
