"""Bands of depthwise windows, against a walk over the taps of all their steps."""

import itertools

import numpy as np
import pytest

from accelerators import small_accelerator
from execute_descriptors import bands, complete, least_ring_times, ring_pitch, window_sets
from sampled import sampled
from sim.arrays.tables import LayerColumn
from sim.mapping.bands import band_times, choose_band, fits_band, ring_gap
from sim.spec.accelerator import WINDOW_VECTORS
from sim.spec.descriptor import ExecuteOp

CONFIG = small_accelerator(
    compute_lanes=8, simd_units=4, local_memory_kb=1, io_bandwidth_gbps=1.0, clock_mhz=500
)
KERNELS = [(3, 3), (5, 5), (2, 2), (2, 3), (3, 2), (4, 4), (6, 3), (3, 6), (7, 7), (5, 1)]
STRIDES = [(1, 1), (2, 2), (1, 2), (2, 1), (3, 3), (3, 1)]


def descriptor(kernel: tuple[int, int], stride: tuple[int, int], **fields: int) -> dict[str, int]:
    rows, columns = kernel
    given = {"op": int(ExecuteOp.DEPTHWISE), "window": 1, "window_columns": 5}
    given |= {"kernel_rows": rows, "kernel_columns": columns}
    given |= {"stride_y": stride[0], "stride_x": stride[1]}
    return complete(CONFIG, **given | fields)


@pytest.mark.parametrize("kernel", sampled(KERNELS, lambda kernel: KERNELS.index(kernel) % 3 == 0))
def test_the_times_are_the_least_in_which_every_step_has_its_vectors(
    kernel: tuple[int, int],
) -> None:
    several = 0
    for stride, pixels, sets in itertools.product(STRIDES, (1, 2, 4, 8), range(1, 7)):
        band = pixels * sets
        if not fits_band(*kernel, *stride, band):
            continue
        several += band > 1
        for rows in {band, 2 * band, band + 1, max(1, band - 1)}:
            d = descriptor(kernel, stride, pixels=pixels, band_rows=band, window_rows=rows)
            least = max(4, -(-kernel[0] * kernel[1] // 4))
            expected = least_ring_times(d, least)
            stores = min(pixels, rows)
            times = band_times(*kernel, *stride, pixels, band, rows, least, stores)
            if band > 1 and kernel[0] * kernel[1] > 16:
                # where the order of reads counts, a store between them may make up for it
                assert all(a <= b <= a + 1 for a, b in zip(expected, times, strict=True))
            else:
                assert times == expected
            assert ring_gap(stride[0], band) == d["ring_gap"]
    assert several > 5 or kernel == (7, 7)


def test_a_band_fits_if_the_next_vector_finds_a_free_place() -> None:
    for kernel, stride, band in itertools.product(KERNELS, STRIDES, range(2, 24)):
        column = kernel[0] + (band - 1) * stride[0]
        while (column - kernel[0]) % 4:
            column += 1
        held = kernel[0] * (kernel[1] + min(kernel[1], stride[1])) <= WINDOW_VECTORS
        assert fits_band(*kernel, *stride, band) == (held and kernel[1] * column < WINDOW_VECTORS)
    assert not fits_band(1, 3, 1, 1, 2)
    assert fits_band(1, 3, 1, 1, 1)
    assert not fits_band(8, 8, 1, 1, 1)


@pytest.mark.parametrize("pixels", sampled([1, 2, 4], lambda pixels: pixels == 4))
def test_the_band_with_the_fewest_cycles_is_chosen(pixels: int) -> None:
    chosen = set()
    for kernel, stride, rows, columns in itertools.product(
        KERNELS, STRIDES, (1, 2, 3, 4, 7, 14), (1, 2, 4, 14)
    ):
        layer = np.zeros(len(LayerColumn), np.int64)
        layer[LayerColumn.OP] = ExecuteOp.DEPTHWISE
        layer[LayerColumn.KERNEL_Y : LayerColumn.STRIDE_X + 1] = (*kernel, *stride)
        if not fits_band(*kernel, *stride, pixels):
            continue
        choices = []
        for band in range(pixels, rows + pixels, pixels):
            if not fits_band(*kernel, *stride, band):
                continue
            fields = {"pixels": pixels, "band_rows": band, "window_rows": rows}
            d = descriptor(kernel, stride, window_columns=columns, **fields)
            assert ring_pitch(d) * kernel[1] <= WINDOW_VECTORS
            cycles = len(list(window_sets(d))) * d["initiation_interval"]
            cycles += len(bands(d)) * d["row_lead"]
            choices.append((cycles, band, d["initiation_interval"], d["row_lead"]))
        cycles, band, interval, lead = min(choices)
        answer = choose_band(layer, pixels, rows, columns, 4, min(pixels, rows))
        assert answer == (band, interval, lead, cycles)
        chosen.add(band)
    assert len(chosen) > 2


def test_what_the_ring_does_not_hold_takes_a_cycle_per_tap_and_store() -> None:
    layer = np.zeros(len(LayerColumn), np.int64)
    layer[LayerColumn.OP] = ExecuteOp.DEPTHWISE
    layer[LayerColumn.KERNEL_Y : LayerColumn.STRIDE_X + 1] = (8, 8, 1, 1)
    assert choose_band(layer, 1, 3, 5, 4, 2) == (1, 64 + 2, 0, 3 * 5 * (64 + 2))
