"""Tiles, halos and windows against twins that visit single pixels, reads and cycles."""

import itertools

import pytest

from sim.arrays.geometry import (
    MAX_HALO,
    add_slots,
    aligned,
    ceil_div,
    groups_of,
    halo_after,
    most_served,
    pixel_bytes,
    resident_halo,
    segment_slots,
    served,
    tile_candidate,
    uses_window,
)
from sim.spec.accelerator import REQUANTIZER_LATENCY, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp

CONVOLUTIONS = (ExecuteOp.CONV, ExecuteOp.DEPTHWISE)


def test_groups_and_quotients_are_rounded_up() -> None:
    for a, b in itertools.product(range(30), range(1, 9)):
        assert ceil_div(a, b) == len(range(0, a, b))
        assert groups_of(a, b) == len(range(0, a, b))


def test_tile_candidates_are_the_smallest_covering_multiples_without_repetition() -> None:
    for size, pes in itertools.product(range(1, 40), range(1, 9)):
        seen: list[int] = []
        for power in range(6):
            step = 1 << power
            smallest = next(t for t in itertools.count(step, step) if t * pes >= size)
            tile = tile_candidate(size, pes, power)
            if power and (smallest > size or smallest in seen):
                assert tile == 0
            else:
                assert tile == smallest
                seen.append(tile)
        assert seen == sorted(set(seen))


def reads(
    pe: int, tile_out: int, n_out: int, kernel: int, stride: int, pad: int, n_in: int
) -> set[int]:
    """Image rows that a PE's own output pixels read."""
    outputs = range(pe * tile_out, min(n_out, (pe + 1) * tile_out))
    taps = {y * stride - pad + k for y in outputs for k in range(kernel)}
    return {row for row in taps if 0 <= row < n_in}


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_an_aligned_tile_and_its_halos_hold_every_row_that_is_read(
    kernel: int, stride: int
) -> None:
    aligned_tiles = 0
    for pad, after_pad, n_in in itertools.product(range(kernel + 1), (0, 1, 4), range(1, 14)):
        n_out = (n_in + pad + after_pad - kernel) // stride + 1
        if n_out < 1:
            continue
        for pes, extra in itertools.product((1, 2, 3, 4), (0, 1)):
            tile_out = ceil_div(n_out, pes) + extra
            for tile_in in range(ceil_div(n_in, pes), stride * tile_out + 2):
                shape = (kernel, stride, pad, n_in, tile_in, n_out, tile_out)
                if not aligned(ExecuteOp.CONV, *shape):
                    continue
                aligned_tiles += 1
                before, after = resident_halo(ExecuteOp.CONV, *shape)
                assert before <= min(tile_in, MAX_HALO)
                assert after <= min(tile_in, MAX_HALO)
                for pe in range(pes):
                    held = range(pe * tile_in - before, (pe + 1) * tile_in + after)
                    assert reads(pe, tile_out, n_out, kernel, stride, pad, n_in) <= set(held)
                    # ... where the descriptor's one address and pitch look for them.
                    if pe and reads(pe, tile_out, n_out, kernel, stride, pad, n_in):
                        assert tile_in == stride * tile_out
    assert aligned_tiles > 100


def test_tiles_that_step_together_are_aligned_unless_a_halo_is_too_large() -> None:
    for kernel, stride, tile_out in itertools.product(range(1, 10), range(1, 4), range(1, 8)):
        for pad in range(kernel):
            tile_in, n_in, n_out = stride * tile_out, 4 * stride * tile_out, 4 * tile_out
            # PE 1's first and last window, in rows from the start of its tile
            before = pad
            after = (tile_out - 1) * stride - pad + kernel - tile_in
            fits = max(before, after) <= min(tile_in, MAX_HALO)
            for op in CONVOLUTIONS:
                shape = (kernel, stride, pad, n_in, tile_in, n_out, tile_out)
                assert aligned(op, *shape) == fits
                assert resident_halo(op, *shape) == (before, max(0, after))
            assert halo_after(kernel, stride, pad) == max(0, after)
            assert not aligned(
                ExecuteOp.CONV, kernel, stride, pad, n_in, tile_in + 1, n_out, tile_out
            )


def test_a_halo_beyond_the_neighbour_is_not_aligned() -> None:
    assert aligned(ExecuteOp.DEPTHWISE, 5, 1, 2, 8, 2, 8, 2)
    assert not aligned(ExecuteOp.DEPTHWISE, 7, 1, 3, 8, 2, 8, 2)
    assert not aligned(ExecuteOp.CONV, 1, 2, 0, 8, 3, 4, 1)


def test_a_pixel_of_a_row_serves_one_pe_only() -> None:
    """Padding can spread a pooled pixel over several PEs, but POOL pushes no halos."""
    assert not aligned(ExecuteOp.CONV, 3, 1, 1, 1, 1, 2, 1)
    assert aligned(ExecuteOp.CONV, 3, 1, 1, 1, 1, 2, 2)
    assert aligned(ExecuteOp.CONV, 3, 1, 1, 1, 1, 1, 1)


def test_add_takes_equal_tiles_and_pool_any() -> None:
    assert aligned(ExecuteOp.ADD, 1, 1, 0, 8, 3, 8, 3)
    assert not aligned(ExecuteOp.ADD, 1, 1, 0, 8, 3, 8, 4)
    assert aligned(ExecuteOp.POOL, 1, 1, 0, 8, 5, 1, 1)
    for op in (ExecuteOp.ADD, ExecuteOp.POOL):
        assert resident_halo(op, 3, 1, 1, 8, 2, 8, 2) == (0, 0)


def stored(tile: int, before: int, after: int, pixel: int) -> int:
    """Times that one pixel of a tile is stored: for its PE and for the neighbours that keep it."""
    return 1 + (pixel < after) + (pixel >= tile - before)


def test_stores_are_counted_pixel_by_pixel() -> None:
    for tile, before, after in itertools.product(range(1, 8), range(8), range(8)):
        if max(before, after) > tile:
            continue
        for first in range(tile):
            for count in range(1, tile - first + 1):
                pixels = [stored(tile, before, after, p) for p in range(first, first + count)]
                assert served(tile, before, after, first, count) == sum(pixels)
                for step in (1, 2, 4, 8):
                    sets = [sum(pixels[i : i + step]) for i in range(0, count, step)]
                    assert most_served(tile, before, after, first, count, step) == max(sets)


def test_pixels_are_as_narrow_as_channels_and_bus_allow() -> None:
    for simd, bus in itertools.product((4, 8, 16, 64, 128), (1, 2, 4, 16, 128)):
        for channels in range(1, 2 * simd + 2):
            sizes = [s for s in (1, 2, 4, 8, 16, 32, 64, 128) if s >= channels and s <= simd]
            smallest = min(sizes) if channels <= simd else simd
            assert pixel_bytes(channels, simd, bus) == max(smallest, bus)


def test_slots_are_counted_vector_by_vector() -> None:
    for simd, pixels in itertools.product((4, 8, 16), (1, 2, 4, 8)):
        per_group = simd // 4
        for first in range(12):
            for end in range(first + 1, 14):
                steps: dict[int, int] = {}
                for quad in range(first, end):
                    steps[quad // per_group] = steps.get(quad // per_group, 0) + 1
                slots = 0
                for n in steps.values():
                    waiting, unread = n, pixels
                    while waiting or unread:
                        waiting, unread = max(0, waiting - 1), max(0, unread - 1)
                        slots += 1
                assert segment_slots(first, end, simd, pixels) == slots


def test_the_ring_holds_a_depthwise_window_and_the_next_ones_columns() -> None:
    for rows, columns, stride in itertools.product(range(1, 12), range(1, 12), range(1, 8)):
        first = {(y, x) for y in range(rows) for x in range(columns)}
        second = {(y, x + stride) for y, x in first}
        fits = len(first) + len(second - first) <= 64
        assert uses_window(rows, columns, stride) == fits


def test_add_reads_both_operands_of_every_pixel_before_its_set_ends() -> None:
    for pixels in (1, 2, 4, 8):
        # operand a of all lanes is requantized before operand b takes its place
        apart = max(REQUANTIZER_PHASES, pixels)
        reads = {*range(pixels), *range(apart, apart + pixels)}
        begins = (0, apart, apart + REQUANTIZER_LATENCY)
        slots = {begin + phase for begin in begins for phase in range(REQUANTIZER_PHASES)}
        # of two sets in a row, in order
        least = next(
            interval
            for interval in range(1, 40)
            if max(slots) < min(slots) + interval
            and not reads & {read + interval for read in reads}
        )
        assert add_slots(pixels) == least
