"""Layers whose weights stay in the weight store from one run to the next.

All that fit. Where not all do, those whose weights cost the most cycles for the room that they take.
"""

import numpy as np

from sim.arrays.geometry import ceil_div, groups_of
from sim.arrays.kernel import in_place, kernel
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.mapping.execution import NO_HALO, choose_pixels, weight_blocks

__all__ = ["choose_stored", "own_row"]


@in_place
def own_row(hw, layer, cut, kept):
    """Share of the accelerator that a layer has: before ``cut`` one image all, then each an equal part.

    ``kept`` are the rows of the weight store that it has, 0 where its weights come from memory.
    """
    images = 1 if layer < cut else hw.images
    return Hw(
        hw.pes_x,
        hw.pes_y,
        hw.simd,
        hw.lanes,
        hw.bank_depth // images,
        hw.weight_rows,
        hw.bus_bytes,
        hw.earn,
        hw.cost,
        hw.accumulator_rows,
        images,
        hw.clock_mhz,
        kept,
    )


@in_place
def _rows(layer, target, plan, simd):
    """Rows of all weight blocks of a layer."""
    blocks = 1 if layer[LayerColumn.SHARED] else groups_of(target[TensorColumn.CHANNELS], simd)
    return blocks * (plan[LayerPlan.PARAMETER_ROWS] + plan[LayerPlan.WEIGHT_ROWS])


@in_place
def _cycles(layer, source, target, hw):
    """Cycles that a layer is taken to need on the largest tile, of all images that it is for."""
    groups = groups_of(target[TensorColumn.CHANNELS], hw.simd)
    pixels, cycles, transfer = choose_pixels(
        layer,
        source[TensorColumn.CHANNELS],
        groups,
        ceil_div(target[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(target[TensorColumn.WIDTH], hw.pes_x),
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
        NO_HALO,
        0,
        hw,
    )
    blocks = weight_blocks(layer, source[TensorColumn.CHANNELS], groups, pixels, 0, hw)
    return max(cycles, transfer) + min(cycles, transfer) // blocks


@kernel
def choose_stored(layers, tensors, hw, cut, lp):
    """Give each layer's weights a place in the weight store, or none.

    Parameters
    ----------
    layers : int64[n, len(LayerColumn)], tensors : int64[n + 1, len(TensorColumn)], hw : Hw
        Tables of :mod:`sim.arrays.tables`.
    cut : int
        As of :func:`sim.mapping.mapper.plan_network`.
    lp : int64[n, len(LayerPlan)]
        Has WEIGHT_ROWS and PARAMETER_ROWS; STORE_ROW is written: the first row in the store, which rises
        from layer to layer, or -1.
    """
    n = layers.shape[0]
    total = 0
    for i in range(n):
        lp[i, LayerPlan.STORE_ROW] = -1
        total += _rows(layers[i], tensors[i + 1], lp[i], hw.simd)
    if hw.store_rows == 0:
        return
    free = hw.store_rows
    if total > free:
        saved = np.empty(n, np.int64)
        for i in range(n):
            source = tensors[layers[i, LayerColumn.INPUT]]
            times = hw.images if i < cut else 1
            streamed = _cycles(layers[i], source, tensors[i + 1], own_row(hw, i, cut, 0))
            stored = _cycles(layers[i], source, tensors[i + 1], own_row(hw, i, cut, free))
            saved[i] = times * (streamed - stored)
        _take_best(layers, tensors, hw, lp, saved)
    place = 0
    for i in range(n):
        if total <= free or lp[i, LayerPlan.STORE_ROW] >= 0:
            lp[i, LayerPlan.STORE_ROW] = place
            place += _rows(layers[i], tensors[i + 1], lp[i], hw.simd)


@in_place
def _take_best(layers, tensors, hw, lp, saved):
    """Mark with 0 the layers that are stored: the most cycles per row first, as long as they fit."""
    free = hw.store_rows
    while True:
        best, best_rows = -1, 1
        for i in range(len(saved)):
            if lp[i, LayerPlan.STORE_ROW] >= 0:
                continue
            rows = _rows(layers[i], tensors[i + 1], lp[i], hw.simd)
            if rows > free:
                continue
            if best < 0 or saved[i] * best_rows > saved[best] * rows:
                best, best_rows = i, rows
        if best < 0:
            return
        lp[best, LayerPlan.STORE_ROW] = 0
        free -= best_rows
