"""Requantization and exact division of the integer reference, against Python's unbounded integers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from layer_twin import half_away_twin, requantize_twin
from sim import golden

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
ACCUMULATORS = [
    *(sign * (1 << k) + delta for sign in (1, -1) for k in range(31) for delta in (-1, 0, 1)),
    INT32_MIN,
    INT32_MIN + 1,
    INT32_MAX,
    0,
]
MULTIPLIERS = [0, 1, 2**30 - 1, 2**30, 2**30 + 1, 3 * 2**29, INT32_MAX - 1, INT32_MAX]


@pytest.mark.parametrize("shift", range(-31, 32))
def test_requantize_is_gemmlowp_at_corners_and_at_random(shift: int) -> None:
    rng = np.random.default_rng(shift + 31)
    for multiplier in [*MULTIPLIERS, *rng.integers(2**30, 2**31, 4).tolist()]:
        acc = [*ACCUMULATORS, *rng.integers(INT32_MIN, INT32_MAX + 1, 60).tolist()]
        acc += rng.integers(-3000, 3000, 40).tolist()
        requantized = golden.requantize(np.array(acc, np.int32), multiplier, shift)
        assert requantized.dtype == np.int32
        assert requantized.tolist() == [requantize_twin(value, multiplier, shift) for value in acc]


def test_requantize_rounds_half_up_in_the_product_and_half_away_in_the_division() -> None:
    acc = np.array([-6, -5, -3, -2, -1, 1, 2, 3, 5, 6], np.int32)
    # a multiplier of 2^30 halves; the left shift by 1 takes that back
    assert golden.requantize(acc, 2**30, 1).tolist() == acc.tolist()
    in_product = golden.requantize(acc, 2**30, 0)
    assert in_product.tolist() == [-3, -2, -1, -1, 0, 1, 1, 2, 3, 3]  # gemmlowp's nudge: half up
    in_division = golden.requantize(acc * 2, 2**30, -1)
    assert in_division.tolist() == [-3, -3, -2, -1, -1, 1, 1, 2, 3, 3]


def test_requantize_of_int_min_does_not_saturate() -> None:
    acc = np.array([INT32_MIN], np.int32)
    assert golden.requantize(acc, INT32_MAX, 0).tolist() == [INT32_MIN + 1]
    assert golden.requantize(acc, 2**30, 0).tolist() == [-(2**30)]
    assert golden.requantize(acc, 2**30, -31).tolist() == [-1]  # -1/2 goes away from zero
    assert golden.requantize(acc, 2**30, 1).tolist() == [0]  # the left shift wraps


def test_requantize_wraps_wide_accumulators() -> None:
    acc = np.array([2**31 + 4, -(2**31) - 4, 2**32 + 7], np.int64)
    same = np.array([-(2**31) + 4, 2**31 - 4, 7], np.int32)
    expected = golden.requantize(same, 3 * 2**29, -2)
    assert golden.requantize(acc, 3 * 2**29, -2).tolist() == expected.tolist()


def test_requantize_broadcasts_over_the_last_axis() -> None:
    acc = np.arange(-12, 12, dtype=np.int32).reshape(2, 4, 3) * 1001
    multiplier = np.array([2**30, 3 * 2**29, INT32_MAX], np.int32)
    shift = np.array([-3, 2, 0], np.int32)
    requantized = golden.requantize(acc, multiplier, shift)
    for index in np.ndindex(acc.shape):
        c = index[2]
        expected = requantize_twin(int(acc[index]), int(multiplier[c]), int(shift[c]))
        assert requantized[index] == expected


def reciprocal_divide(total: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Divide as a requantizer does with the constants, by the hardware's formula."""
    multiplier, left, right = golden.pool_reciprocal(count)
    shifted = total << left
    assert shifted.max() <= INT32_MAX
    assert shifted.min() >= INT32_MIN
    high: NDArray[np.int64] = (shifted * multiplier + 2**30) >> 31
    magnitude: NDArray[np.int64] = (np.abs(high) + ((1 << right) >> 1)) >> right
    return np.sign(high) * magnitude


@pytest.mark.parametrize("first", range(1, 257, 32))
def test_pool_reciprocal_is_exact_for_all_sums(first: int) -> None:
    for count in range(first, first + 32):
        total = np.arange(-128 * count, 128 * count + 1)
        # round half away = (2|x| + count) div 2·count, in exact integers
        exact = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
        assert np.array_equal(reciprocal_divide(total, count), exact)
        assert np.array_equal(golden.divide_half_away(total, count), exact)


def test_exact_division_agrees_with_fractions() -> None:
    for count in (1, 2, 3, 7, 16, 49):
        total = np.arange(-128 * count, 128 * count + 1)
        expected = [half_away_twin(value, count) for value in total.tolist()]
        assert golden.divide_half_away(total, count).tolist() == expected


def test_pool_reciprocal_is_exact_around_ties_of_large_counts() -> None:
    rng = np.random.default_rng(7)
    limit = golden.POOL_COUNT_LIMIT
    counts = [112 * 112, 2**16, 2**16 + 1, limit - 1, limit // 2, limit // 2 - 1, limit // 2 + 1]
    for count in [*counts, *rng.integers(257, limit, 200).tolist()]:
        ties = (2 * np.arange(-128, 128) + 1) * count // 2
        total = (ties[:, None] + np.arange(-2, 4)).ravel()
        total = total.clip(-128 * count, 128 * count)
        exact = np.sign(total) * ((2 * np.abs(total) + count) // (2 * count))
        assert np.array_equal(reciprocal_divide(total, count), exact)


def test_pool_reciprocal_fits_a_record() -> None:
    for count in [*range(1, 5000), golden.POOL_COUNT_LIMIT - 1]:
        multiplier, left, right = golden.pool_reciprocal(count)
        assert 2**30 <= multiplier < 2**31
        assert 0 <= left <= 31
        assert 0 <= right <= 31


@pytest.mark.parametrize("count", [0, -1, 2**22])
def test_pool_reciprocal_refuses_counts_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match=rf"^count must be in 1 … 4194303, not {count}$"):
        golden.pool_reciprocal(count)


def test_the_identity_keeps_every_value() -> None:
    x = np.arange(-(2**12), 2**12)
    multiplier, left, right = golden.IDENTITY
    assert np.array_equal(golden.requantize(x << left, multiplier, -right), x)
