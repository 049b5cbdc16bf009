"""Scales are TensorFlow Lite's: 31-bit significands, and zero as an exact activation."""

from fractions import Fraction

import numpy as np
import pytest

from sim.scales import activation_scale, quantize_multiplier, quantize_multipliers


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (2**30, 1)),
        (0.5, (2**30, 0)),
        (0.75, (3 * 2**29, 0)),
        (1 - 2.0**-40, (2**30, 1)),  # the significand rounds up to 2^31
        (2.0**-32, (2**30, -31)),
        (2.0**-34, (0, 0)),
    ],
)
def test_multiplier_of_known_values(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


def test_multiplier_is_the_nearest_31_bit_significand() -> None:
    for real in np.exp(np.random.default_rng(0).uniform(-20, 5, 500)):
        significand, shift = quantize_multiplier(float(real))
        assert 2**30 <= significand < 2**31
        exact = Fraction(float(real)) * Fraction(2) ** (31 - shift)
        assert abs(exact - significand) <= Fraction(1, 2)


def test_multiplier_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(ValueError, match=r"^multiplier must be a finite non-negative number"):
        quantize_multiplier(-1.0)
    with pytest.raises(ValueError, match=r"^multiplier must be below 2\^30, not 1073741824\.0$"):
        quantize_multiplier(2.0**30)


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.0, 3.0), (-5.0, -1.0), (0.0, 0.0)])
def test_zero_is_an_exact_activation(low: float, high: float) -> None:
    scale, zero_point = activation_scale(low, high)
    assert -128 <= zero_point <= 127
    ends = [scale * (q - zero_point) for q in (-128, 127)]
    assert ends[0] <= min(low, 0) + scale / 2
    assert ends[1] >= max(high, 0) - scale / 2


def test_several_multipliers_are_each_as_one() -> None:
    reals = np.array([0.001, 0.7, 3.0])
    significands, shifts = quantize_multipliers(reals)
    pairs = list(zip(significands.tolist(), shifts.tolist(), strict=True))
    assert pairs == [quantize_multiplier(real) for real in reals]
    assert significands.dtype == shifts.dtype == np.int32
