"""Weights that stay in the weight store from one run to the next.

All that fit. Where not all do, layers whose weights cost the most cycles for the room that they take come first, and
the first that does not fit keeps the weights that it loads first. How much a LOAD brings is known when the layers are
mapped: if the room left is too small for that layer's first, it goes to the next layer that has a use for it.
"""

import numpy as np

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, kernel
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_blocks
from sim.mapping.execution import NO_HALO, layer_work, read_channels
from sim.mapping.known import known_pixels

__all__ = ["choose_stored", "list_passed_on", "own_row", "pass_on_room"]

_ALL_ROWS = 1 << 40
"""More rows than any layer has."""


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
    """Rows of all weight blocks of a layer; none of a product, whose weights are another image's each time."""
    if layer[LayerColumn.FACTORS] > 0:
        return 0
    blocks = layer_blocks(layer, target[TensorColumn.CHANNELS], simd)
    return blocks * (plan[LayerPlan.PARAMETER_ROWS] + plan[LayerPlan.WEIGHT_ROWS])


@in_place
def _cycles(layer, source, target, hw, memo):
    """Cycles that a layer is taken to need on the largest tile, of all images that it is for."""
    channels, outputs = read_channels(layer, source, hw), target[TensorColumn.CHANNELS]
    _, cycles, transfer = known_pixels(
        layer_work(layer, channels, outputs, hw),
        layer,
        ceil_div(target[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(target[TensorColumn.WIDTH], hw.pes_x),
        ceil_div(source[TensorColumn.HEIGHT], hw.pes_y),
        ceil_div(source[TensorColumn.WIDTH], hw.pes_x),
        NO_HALO,
        0,
        hw,
        memo,
    )
    return max(cycles, transfer)


@kernel
def choose_stored(layers, tensors, hw, cut, lp, memo):
    """Give the layers' weights places in the weight store.

    Parameters
    ----------
    layers : int64[n, len(LayerColumn)], tensors : int64[n + 1, len(TensorColumn)], hw : Hw
        Tables of :mod:`sim.arrays.tables`.
    cut : int
        As of :func:`sim.mapping.mapper.plan_network`.
    lp : int64[n, len(LayerPlan)]
        Has WEIGHT_ROWS and PARAMETER_ROWS; written are STORED_ROWS, and STORE_ROW, which rises from layer
        to layer.
    memo : int64[n]
        Of :mod:`sim.mapping.memo`.
    """
    n, total = layers.shape[0], 0
    for i in range(n):
        lp[i, LayerPlan.STORED_ROWS] = _rows(layers[i], tensors[i + 1], lp[i], hw.simd)
        total += lp[i, LayerPlan.STORED_ROWS]
    if total > hw.store_rows:
        _share(layers, tensors, hw, cut, lp, memo)
    _place(lp)


@kernel
def pass_on_room(layers, tensors, hw, cut, lp, memo):
    """Let others have the room of a layer that is too small for its first LOAD.

    They come in the order in which layers had their room: those whose first LOAD fits, and the last of them in
    part. What nobody has a use for stays where it was.

    Parameters
    ----------
    layers, tensors, hw, cut, memo
        As of :func:`choose_stored`.
    lp : int64[n, len(LayerPlan)]
        Complete; STORED_ROWS and STORE_ROW are written again.
    """
    n, short, free = layers.shape[0], -1, 0
    for i in range(n):
        room = lp[i, LayerPlan.STORED_ROWS]
        if 0 < room < _first_load_rows(layers[i], tensors[i + 1], lp[i], _per_round(lp[i], hw), hw):
            short, free = i, room
    if short < 0:
        return
    saved = np.empty(n, np.int64)
    _weigh_savings(layers, tensors, hw, cut, saved, memo)
    while free > 0:
        best = best_rows = -1
        for i in range(n):
            if i == short or lp[i, LayerPlan.STORED_ROWS] > 0 or layers[i, LayerColumn.FACTORS] > 0:
                continue
            per_round = _per_round(lp[i], hw)
            if _first_load_rows(layers[i], tensors[i + 1], lp[i], per_round, hw) > free:
                continue
            rows = _rows(layers[i], tensors[i + 1], lp[i], hw.simd)
            if best < 0 or saved[i] * best_rows > saved[best] * rows:
                best, best_rows = i, rows
        if best < 0:
            break
        lp[best, LayerPlan.STORED_ROWS] = min(free, best_rows)
        free -= lp[best, LayerPlan.STORED_ROWS]
    lp[short, LayerPlan.STORED_ROWS] = free
    _place(lp)


@kernel
def list_passed_on(layers, tensors, hw, cut, lp, passed, memo):
    """List the rows that layers may get of another's room by :func:`pass_on_room`, whatever their mappings are.

    They get these or none: a layer that fits as a whole gets its rows, for its first LOAD fits, too; a layer that does
    not, all that is left or nothing.

    Parameters
    ----------
    layers, tensors, hw, cut, memo
        As of :func:`choose_stored`.
    lp : int64[n, len(LayerPlan)]
        As :func:`choose_stored` leaves it, with splits.
    passed : int64[n]
        Written; 0 for layers that get none.
    """
    n, free = layers.shape[0], 0
    for i in range(n):
        passed[i] = 0
        room, most = lp[i, LayerPlan.STORED_ROWS], hw.lanes * hw.pes_x
        if 0 < room < _first_load_rows(layers[i], tensors[i + 1], lp[i], most, hw):
            free = room
    if free == 0:
        return
    saved = np.empty(n, np.int64)
    _weigh_savings(layers, tensors, hw, cut, saved, memo)
    while free > 0:
        best = best_rows = -1
        for i in range(n):
            if (
                passed[i] > 0
                or lp[i, LayerPlan.STORED_ROWS] > 0
                or layers[i, LayerColumn.FACTORS] > 0
            ):
                continue
            if _first_load_rows(layers[i], tensors[i + 1], lp[i], 1, hw) > free:
                continue
            rows = _rows(layers[i], tensors[i + 1], lp[i], hw.simd)
            if best < 0 or saved[i] * best_rows > saved[best] * rows:
                best, best_rows = i, rows
        if best < 0:
            break
        passed[best] = min(free, best_rows)
        if passed[best] == best_rows:
            free -= best_rows


@in_place
def _per_round(plan, hw):
    """Output channel groups of a round of a layer that is mapped."""
    return hw.lanes // plan[LayerPlan.PIXELS] * max(1, plan[LayerPlan.SPREAD])


@in_place
def _first_load_rows(layer, target, plan, per_round, hw):
    """Rows that the first LOAD of a layer's weights brings, once its splits are known.

    A round has ``per_round`` output channel groups.
    """
    rows = plan[LayerPlan.PARAMETER_ROWS] + plan[LayerPlan.WEIGHT_ROWS]
    if plan[LayerPlan.SPLITS] > 1:  # parameters come with the last split
        rows = plan[LayerPlan.SPLIT_TAP_ROWS] * plan[LayerPlan.SPLIT_TAP_COLUMNS]
        rows *= plan[LayerPlan.SPLIT_STEPS]
    if layer[LayerColumn.SHARED]:
        return rows
    return min(per_round, layer_blocks(layer, target[TensorColumn.CHANNELS], hw.simd)) * rows


@in_place
def _place(lp):
    """Write STORE_ROW, the place of each layer's rows: behind those of the layers before it."""
    place = 0
    for i in range(lp.shape[0]):
        lp[i, LayerPlan.STORE_ROW] = place if lp[i, LayerPlan.STORED_ROWS] > 0 else -1
        place += lp[i, LayerPlan.STORED_ROWS]


@in_place
def _weigh_savings(layers, tensors, hw, cut, saved, memo):
    """Write to saved[n] the cycles that each layer's weights are taken to save in the store."""
    for i in range(layers.shape[0]):
        twin = layers[i, LayerColumn.TWIN]
        if twin < i and not twin < cut <= i:
            saved[i] = saved[twin]
        else:
            source, target = tensors[layers[i, LayerColumn.INPUT]], tensors[i + 1]
            streamed = _cycles(layers[i], source, target, own_row(hw, i, cut, 0), memo)
            stored = _cycles(layers[i], source, target, own_row(hw, i, cut, _ALL_ROWS), memo)
            saved[i] = max(0, streamed - stored) * (hw.images if i < cut else 1)


@kernel
def _share(layers, tensors, hw, cut, lp, memo):
    """Write how many STORED_ROWS each layer has of a store that is too small for all."""
    n, free = layers.shape[0], hw.store_rows
    if free == 0:
        for i in range(n):
            lp[i, LayerPlan.STORED_ROWS] = 0
        return
    saved = np.empty(n, np.int64)
    _weigh_savings(layers, tensors, hw, cut, saved, memo)
    while free > 0:
        best = -1
        for i in range(n):
            if saved[i] < 0:
                continue
            rows = lp[i, LayerPlan.STORED_ROWS]
            if best < 0 or saved[i] * lp[best, LayerPlan.STORED_ROWS] > saved[best] * rows:
                best = i
        saved[best] = -1
        lp[best, LayerPlan.STORED_ROWS] = min(free, lp[best, LayerPlan.STORED_ROWS])
        free -= lp[best, LayerPlan.STORED_ROWS]
    for i in range(n):
        if saved[i] >= 0:
            lp[i, LayerPlan.STORED_ROWS] = 0
