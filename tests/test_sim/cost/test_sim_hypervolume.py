"""The hypervolume of two costs, against counting points of a grid."""

import numpy as np
import pytest

from sim.cost.hypervolume import hypervolume


def counted(first: np.ndarray, second: np.ndarray, eligible: np.ndarray, edge: int) -> int:
    """Unit squares below the reference that some eligible position beats."""
    x, y = np.meshgrid(np.arange(edge), np.arange(edge), indexing="ij")
    beaten = np.zeros((edge, edge), np.bool_)
    for a, b in zip(first[eligible], second[eligible], strict=True):
        beaten |= (x >= a) & (y >= b)
    return int(beaten.sum())


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_squares_that_are_beaten(seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 14, (2, 9))
    eligible = random.random(9) < 0.7
    volume = hypervolume(first, second, eligible, (12.0, 12.0))
    assert volume == counted(first, second, eligible, 12)


def test_of_nothing_below_the_reference_is_zero() -> None:
    costs, every = np.array([3.0, 5.0]), np.array([True, True])
    assert hypervolume(costs, costs, every, (3.0, 3.0)) == 0
    assert hypervolume(costs, costs, ~every, (9.0, 9.0)) == 0
