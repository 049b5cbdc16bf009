"""Splits and blocks against plain enumeration of every dot product and every set of windows."""

import itertools
from collections import Counter

import pytest

from sim.mapping.splits import choose_block, choose_split, split_bounds, split_count, split_cycles
from sim.spec.accelerator import REQUANTIZER_PHASES

KERNELS = [(1, 1), (1, 3), (3, 1), (3, 3), (2, 5), (5, 5), (7, 7)]


def splits(
    kernel: tuple[int, int], quads: int, rows: int, per_group: int
) -> tuple[tuple[int, int, int], list[tuple[int, ...]]]:
    """Every split's rectangle of taps and range of steps."""
    y, x, size = shape = choose_split(*kernel, quads, rows, per_group)
    count = split_count(*kernel, quads, y, x, size)
    return shape, [split_bounds(*kernel, quads, y, x, size, k) for k in range(count)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("per_group", [1, 2, 4, 32])
def test_splits_hold_every_dot_product_once_and_fit_the_register_file(
    kernel: tuple[int, int], per_group: int
) -> None:
    taps = kernel[0] * kernel[1]
    for quads, rows in itertools.product((1, 2, 3, 4, 7, 8, 33), (1, 2, 3, 5, 8, 9, 24, 49, 500)):
        _, boxes = splits(kernel, quads, rows, per_group)
        seen: list[tuple[int, int, int]] = []
        for y0, y1, x0, x1, first, end in boxes:
            inside = list(itertools.product(range(y0, y1), range(x0, x1), range(first, end)))
            assert 1 <= len(inside) <= rows
            seen += inside
        assert len(seen) == len(set(seen)) == taps * quads
        assert set(seen) == set(itertools.product(range(kernel[0]), range(kernel[1]), range(quads)))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("per_group", [1, 2, 4, 32])
def test_splits_by_channels_are_as_few_as_possible_and_equal(
    kernel: tuple[int, int], per_group: int
) -> None:
    taps = kernel[0] * kernel[1]
    for quads, rows in itertools.product((1, 2, 3, 4, 7, 8, 33), range(taps, 8 * taps + 3)):
        (tap_rows, tap_columns, size), boxes = splits(kernel, quads, rows, per_group)
        assert (tap_rows, tap_columns) == kernel
        fewest = next(n for n in itertools.count(1) if -(-quads // n) * taps <= rows)
        assert len(boxes) == fewest
        # a split that is cut within a group would read that group's vectors twice
        aligned = [
            n * per_group
            for n in range(1, quads + 1)
            if n * per_group * taps <= rows and -(-quads // (n * per_group)) == fewest
        ]
        if aligned:
            assert size == min(quads, aligned[0])
            assert all(first % per_group == 0 for *_, first, _ in boxes)
        else:
            assert size == -(-quads // fewest)


def test_taps_are_split_by_rows_then_by_columns() -> None:
    assert choose_split(3, 3, 8, 8, 4) == (2, 3, 1)
    assert choose_split(3, 3, 8, 6, 4) == (2, 3, 1)
    assert choose_split(3, 3, 8, 5, 4) == (1, 3, 1)
    assert choose_split(3, 3, 8, 2, 4) == (1, 2, 1)
    assert choose_split(3, 3, 8, 9, 4) == (3, 3, 1)
    assert choose_split(3, 3, 8, 72, 4) == (3, 3, 8)


def test_steps_run_innermost_so_that_a_tap_reads_its_vectors_once() -> None:
    assert [split_bounds(2, 1, 3, 1, 1, 2, k) for k in range(4)] == [
        (0, 1, 0, 1, 0, 2),
        (0, 1, 0, 1, 2, 3),
        (1, 2, 0, 1, 0, 2),
        (1, 2, 0, 1, 2, 3),
    ]


def test_blocks_fit_the_accumulator_rows_and_are_as_few_as_possible() -> None:
    for tile_y, tile_x in itertools.product(range(1, 20), repeat=2):
        for pixels, accumulators in itertools.product((1, 2, 4, 8), (1, 2, 3, 4, 16)):
            rows, columns = choose_block(tile_y, tile_x, pixels, accumulators)
            sets, row_sets = -(-columns // pixels), -(-tile_x // pixels)
            assert 1 <= rows <= tile_y
            assert 1 <= columns <= tile_x
            assert rows * sets <= accumulators
            # a set does not cross a block's border
            assert columns % pixels == 0 or columns == tile_x
            fewest = min(
                -(-tile_y // high) * -(-row_sets // wide)
                for high in range(1, accumulators + 1)
                for wide in range(1, accumulators // high + 1)
            )
            assert -(-tile_y // rows) * -(-tile_x // columns) == fewest
            # equal blocks: one row or set less would need more of them
            assert rows == 1 or -(-tile_y // (rows - 1)) > -(-tile_y // rows)
            assert sets == 1 or -(-row_sets // (sets - 1)) > -(-row_sets // sets)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("per_group", [1, 2, 4, 32])
def test_cycles_of_all_splits_are_those_of_the_single_ones(
    kernel: tuple[int, int], per_group: int
) -> None:
    """Issue slots step by step: a group's steps, but at least a read per pixel."""
    for quads, rows, pixels in itertools.product(
        (1, 2, 3, 4, 7, 8, 33), (1, 2, 3, 5, 8, 9, 24, 49, 500), (1, 2, 8)
    ):
        (y, x, size), boxes = splits(kernel, quads, rows, per_group)
        slots = []
        for y0, y1, x0, x1, first, end in boxes:
            groups = Counter(step // per_group for step in range(first, end))
            slots.append((y1 - y0) * (x1 - x0) * sum(max(n, pixels) for n in groups.values()))
        saved = sum(max(count, REQUANTIZER_PHASES) for count in slots[:-1])
        assert split_cycles(*kernel, quads, y, x, size, per_group, pixels) == (saved, slots[-1])
