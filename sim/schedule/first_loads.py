"""The first layer's input: what LOAD gathers for each tile that the mapper may choose."""

from enum import IntEnum

from sim.arrays.geometry import ceil_div, tile_candidate
from sim.arrays.kernel import in_place
from sim.arrays.network_input import (
    gathered,
    input_pixel_bytes,
    row_bytes,
    windows_per_vector,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.execution import SPREAD
from sim.mapping.tile_choice import POWERS, lets_strips
from sim.mapping.tiling import extent
from sim.schedule.transfer_fields import shares_rows
from sim.spec.descriptor import ExecuteOp

__all__ = ["MOST_TILES", "FirstLoad", "list_first_loads"]

MOST_TILES = 1 + POWERS * POWERS + POWERS
"""Most tiles that are listed for an accelerator."""


class FirstLoad(IntEnum):
    """Columns of a list of tiles of the first layer's output, and of what LOAD brings for each."""

    TILE_Y = 0
    TILE_X = 1
    BEATS = 2
    CYCLES = 3
    """Cycles of LOAD's data side: a beat takes a cycle for every vector that it completes, at least a cycle."""
    BURSTS = 4
    DESCRIPTORS = 5
    EXCHANGE = 6
    """0 where PE columns split pixels, SPREAD where they split channel groups and load strips."""


@in_place
def _columns(layer, tile_x, hw):
    """(input columns of a PE's tile, columns from one PE's first to the next PE's)."""
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        return tile_x, tile_x
    return extent(layer, 1, tile_x, hw.simd)[1], tile_x * layer[LayerColumn.STRIDE_X]


@in_place
def _sharing(layer, source, target, tile_x, hw):
    """PEs of a row for which a LOAD gathers, where PE columns split pixels."""
    columns, pe_pitch = _columns(layer, tile_x, hw)
    if not shares_rows(layer, input_pixel_bytes(layer, source, hw), hw, columns, pe_pitch):
        return 1
    return min(hw.pes_x, ceil_div(target[TensorColumn.WIDTH], tile_x))


@in_place
def _segment(layer, source, x, tile_x, pes, hw):
    """(first byte, bytes, vectors) of an image row for the tiles of ``pes`` PEs from output column ``x`` on."""
    size, windows = input_pixel_bytes(layer, source, hw), windows_per_vector(layer, hw.simd)
    width = source[TensorColumn.WIDTH]
    columns, pe_pitch = _columns(layer, tile_x, hw)
    pixels, pitch, pad = 1, 1, 0
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        pixels, pitch = layer[LayerColumn.WINDOW_PIXELS], layer[LayerColumn.WINDOW_STRIDE]
        pad = layer[LayerColumn.WINDOW_PAD]
    x = x * layer[LayerColumn.STRIDE_X] - layer[LayerColumn.PAD_X]
    while pes > 1 and x + columns <= 0:
        x, pes = x + pe_pitch, pes - 1
    last = min(pes - 1, (width - 1 - x) // pe_pitch) if x < width else 0
    left = max(0, x) if last == 0 else x
    last_x = x + last * pe_pitch
    right = min(width, last_x + columns)
    if max(0, left) >= right:
        return 0, 0, 0
    begin = max(0, left * pitch - pad)
    end = min(row_bytes(layer, source) // size, (right - 1) * pitch - pad + pixels)
    vectors = ceil_div(right - left, windows)
    if last > 0:
        vectors = last * ceil_div(columns, windows) + ceil_div(right - last_x, windows)
    return begin * size, (end - begin) * size, vectors


@in_place
def _rows(layer, source, y, tile_y):
    """(first image row, end) of a PE's tile from output row ``y`` on."""
    top = y * layer[LayerColumn.STRIDE_Y] - layer[LayerColumn.PAD_Y]
    rows = (tile_y - 1) * layer[LayerColumn.STRIDE_Y] + layer[LayerColumn.KERNEL_Y]
    return max(0, top), max(0, top, min(source[TensorColumn.HEIGHT], top + rows))


@in_place
def _one_pass(layer, source, target, tile_y, tile_x, exchange, hw, listed):
    """Fill a row of the list for a tile, or a strip, that covers the output in a single pass."""
    listed[FirstLoad.EXCHANGE] = exchange
    listed[FirstLoad.TILE_Y], listed[FirstLoad.TILE_X] = tile_y, tile_x
    for column in range(FirstLoad.BEATS, FirstLoad.DESCRIPTORS + 1):
        listed[column] = 0
    pitch = row_bytes(layer, source)
    pes = 1 if exchange == SPREAD else _sharing(layer, source, target, tile_x, hw)
    for x in range(0, target[TensorColumn.WIDTH], pes * tile_x):
        begin, size, vectors = _segment(layer, source, x, tile_x, pes, hw)
        if size == 0:
            continue
        for y in range(0, target[TensorColumn.HEIGHT], tile_y):
            top, bottom = _rows(layer, source, y, tile_y)
            if top < bottom:
                listed[FirstLoad.DESCRIPTORS] += 1
            every = 1
            if pitch % hw.bus_bytes == 0:  # all rows have as many beats
                every = max(1, bottom - top)
            for row in range(top, bottom, every):
                beats = ceil_div((row * pitch + begin) % hw.bus_bytes + size, hw.bus_bytes)
                listed[FirstLoad.BEATS] += every * beats
                listed[FirstLoad.CYCLES] += every * max(beats, vectors)
                listed[FirstLoad.BURSTS] += every


@in_place
def _tile_by_tile(layer, source, target, hw, listed):
    """Fill a row of the list with the least of all ways to run tile by tile."""
    height, width = target[TensorColumn.HEIGHT], target[TensorColumn.WIDTH]
    most_y, most_x = ceil_div(height, hw.pes_y), ceil_div(width, hw.pes_x)
    least_rows = least_beats = least_cycles = least_columns = least_down = 1 << 40
    last = 0
    for passes in range(1, most_y + 1):
        tile = ceil_div(most_y, passes)
        if tile == last:
            continue
        last, rows, down = tile, 0, 0
        for y in range(0, height, tile):
            top, bottom = _rows(layer, source, y, tile)
            rows += bottom - top
            down += 1 if top < bottom else 0
        least_rows, least_down = min(least_rows, rows), min(least_down, down)
    last = 0
    for passes in range(1, most_x + 1):
        tile = ceil_div(most_x, passes)
        if tile == last:
            continue
        last, beats, cycles, across = tile, 0, 0, 0
        pes = _sharing(layer, source, target, tile, hw)
        for x in range(0, width, pes * tile):
            left = ceil_div(width - x, tile)
            _, size, vectors = _segment(layer, source, x, tile, min(pes, left), hw)
            beats += ceil_div(size, hw.bus_bytes)
            cycles += max(vectors, ceil_div(size, hw.bus_bytes))
            across += 1 if size > 0 else 0
        least_beats, least_cycles = min(least_beats, beats), min(least_cycles, cycles)
        least_columns = min(least_columns, across)
    listed[FirstLoad.TILE_Y], listed[FirstLoad.TILE_X] = most_y, most_x
    listed[FirstLoad.EXCHANGE] = 0
    listed[FirstLoad.BEATS] = least_rows * least_beats
    listed[FirstLoad.CYCLES] = least_rows * least_cycles
    listed[FirstLoad.BURSTS] = least_rows * least_columns
    listed[FirstLoad.DESCRIPTORS] = least_down * least_columns


@in_place
def list_first_loads(layers, tensors, hw, listed):
    """List the first layer's tiles and strips with their loads; returns their number, 0 where nothing is gathered.

    The first row is for all ways to run tile by tile.

    Parameters
    ----------
    layers, tensors : int64 arrays
        Tables of :mod:`sim.arrays.tables`.
    hw : Hw
    listed : int64[MOST_TILES, len(FirstLoad)]
        Changed.
    """
    layer, source, target = layers[0], tensors[0], tensors[1]
    if layer[LayerColumn.OP] >= ExecuteOp.ADD or not gathered(layer, source, hw.simd):
        return 0
    if windows_per_vector(layer, hw.simd) == 0:
        return 0
    _tile_by_tile(layer, source, target, hw, listed[0])
    count = 1
    width = target[TensorColumn.WIDTH]
    strips = lets_strips(target, hw)
    for power_y in range(POWERS):
        tile_y = tile_candidate(target[TensorColumn.HEIGHT], hw.pes_y, power_y)
        if strips and tile_y > 0:
            _one_pass(layer, source, target, tile_y, width, SPREAD, hw, listed[count])
            count += 1
        for power_x in range(POWERS):
            tile_x = tile_candidate(width, hw.pes_x, power_x)
            if tile_y > 0 and tile_x > 0:
                _one_pass(layer, source, target, tile_y, tile_x, 0, hw, listed[count])
                count += 1
    return count
