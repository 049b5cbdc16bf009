"""The least work of bounds, against what the mapper chooses."""

import numpy as np

from sim.arrays.tables import LayerColumn
from sim.mapping.bands import fits_band
from sim.mapping.bank_ports import NO_PORTS
from sim.mapping.borders import DESCRIPTOR_CYCLES, choose_borders
from sim.schedule.least_work import least_bands
from sim.spec.descriptor import ExecuteOp


def test_no_bands_take_less_than_the_least_of_a_tile_as_small() -> None:
    random = np.random.default_rng(6)
    cheaper = 0
    for _ in range(4000):
        layer = np.zeros(len(LayerColumn), np.int64)
        layer[LayerColumn.OP] = ExecuteOp.DEPTHWISE
        kernel_y, kernel_x = random.integers(1, 6, 2)
        stride_y, stride_x = random.integers(1, 4, 2)
        layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X] = kernel_y, kernel_x
        layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X] = stride_y, stride_x
        rows, columns = (int(size) for size in random.integers(1, 24, 2))
        pixels = int(random.choice([1, 2, 4, 8]))
        if pixels > 1 and not fits_band(kernel_y, kernel_x, stride_y, stride_x, pixels):
            continue
        if pixels >= 2 * rows:
            continue
        sources = int(random.choice([0, 2, 7])) if pixels == 1 else 0
        halo = (*(int(size) for size in random.integers(0, 4, 2)), 0, 0)
        top, bottom, weighed = choose_borders(
            layer, 0, pixels, rows, columns, halo, sources, NO_PORTS, 1
        )
        cycles = weighed - DESCRIPTOR_CYCLES * (1 + (top > 0) + (bottom > 0))
        smaller = int(random.integers(1, rows + 1))
        assert least_bands(layer, pixels, rows, columns, max(1, sources)) <= cycles
        assert least_bands(layer, pixels, smaller, columns, max(1, sources)) <= cycles
        whole = choose_borders(layer, 0, pixels, rows, columns, (0, 0, 0, 0), sources, NO_PORTS, 1)[
            2
        ]
        cheaper += cycles < whole - DESCRIPTOR_CYCLES
    assert cheaper > 50
