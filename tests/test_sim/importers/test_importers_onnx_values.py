"""Bounds of ONNX activations as integers."""

import numpy as np
import pytest

from sim.importers.onnx.values import Quantization, quantized_bound


@pytest.mark.parametrize(
    ("real", "scale", "zero_point", "bound"),
    [
        (6.0, 0.5, -3, 9),
        (6.3, 0.5, 0, 13),  # 12.6
        (0.25, 0.5, 0, 0),  # half to even: 0.5
        (0.75, 0.5, 0, 2),  # 1.5
        (-0.75, 0.5, 4, 2),
        (6.0, 0.01, 0, 127),
        (-6.0, 0.01, 0, -128),
        (np.inf, 0.5, 0, 127),
        (-np.inf, 0.5, 0, -128),
    ],
)
def test_a_bound_is_rounded_half_to_even(
    real: float, scale: float, zero_point: int, bound: int
) -> None:
    quantization = Quantization(scale=np.float32(scale), zero_point=zero_point, dtype="int8")
    assert quantized_bound(real, quantization) == bound
