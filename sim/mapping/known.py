"""Choices of the mapper for a layer that are known from another layer, network or accelerator.

Keys name all that a choice reads and no more: an accelerator's registers only where weights are split, its pace only by the cycles in which
weights come. See :mod:`sim.mapping.memo`.
"""

from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.execution import choose_pixels
from sim.mapping.memo import KEY, keep, look_up

__all__ = [
    "OF_PIXELS",
    "OF_SPLITS",
    "OF_TILES",
    "OF_TILING",
    "known_pixels",
    "write_layer",
    "write_shapes",
    "write_work",
]

OF_PIXELS, OF_TILES, OF_TILING, OF_SPLITS = range(4)
"""Kinds of results: of :func:`sim.mapping.execution.choose_pixels`; weights of a layer's tiles; a tiling; splits, blocks and borders."""


@in_place
def write_layer(memo, kind, layer):
    """Write the kind of a result and a layer's operation and windows as a key; returns its length."""
    flags = 1 if layer[LayerColumn.SHARED] else 0
    flags += 2 if layer[LayerColumn.INTERLEAVES] else 0
    flags += 4 if layer[LayerColumn.FACTORS] > 0 else 0
    flags += 8 if layer[LayerColumn.ALONE] else 0
    memo[KEY], memo[KEY + 1] = kind, 16 * layer[LayerColumn.OP] + flags
    memo[KEY + 2], memo[KEY + 3] = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    memo[KEY + 4], memo[KEY + 5] = layer[LayerColumn.STRIDE_Y], layer[LayerColumn.STRIDE_X]
    memo[KEY + 6] = layer[LayerColumn.WINDOW_PIXELS]
    memo[KEY + 7] = layer[LayerColumn.WINDOW_STRIDE]
    memo[KEY + 8] = layer[LayerColumn.IMAGE_CHANNELS]
    return 9


@in_place
def write_work(memo, kind, work, layer, hw):
    """Write as a key what a layer's work on an accelerator depends on, whatever its tile is; returns its length.

    Parameters
    ----------
    memo : int64[n]
    kind : int
        OF_PIXELS …
    work : sim.mapping.execution.LayerWork
    layer : int64[len(LayerColumn)]
    hw : Hw
    """
    place = KEY + write_layer(memo, kind, layer)
    memo[place], memo[place + 1] = work.channels, work.groups
    memo[place + 2], memo[place + 3] = work.tap_rows, work.tap_columns
    memo[place + 4], memo[place + 5] = work.steps, work.splits
    memo[place + 6], memo[place + 7] = work.stored, work.streamed
    memo[place + 8], memo[place + 9] = hw.pes_x, hw.pes_y
    memo[place + 10], memo[place + 11] = hw.simd, hw.lanes
    memo[place + 12] = hw.images
    memo[place + 13] = hw.accumulator_rows if work.splits > 1 else 0
    return place + 14 - KEY


@in_place
def write_shapes(memo, length, source, target):
    """Add the shapes of a layer's first input and output to a key of that length; returns its new length."""
    place = KEY + length
    memo[place], memo[place + 1] = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
    memo[place + 2] = source[TensorColumn.CHANNELS]
    memo[place + 3], memo[place + 4] = target[TensorColumn.HEIGHT], target[TensorColumn.WIDTH]
    memo[place + 5] = target[TensorColumn.CHANNELS]
    return length + 6


@in_place
def known_pixels(work, layer, tile_y, tile_x, in_y, in_x, halo, exchange, hw, memo):
    """Answer as :func:`sim.mapping.execution.choose_pixels`, of what is known or from then on."""
    length = write_work(memo, OF_PIXELS, work, layer, hw)
    place = KEY + length
    memo[place], memo[place + 1] = tile_y, tile_x
    memo[place + 2], memo[place + 3] = in_y, in_x
    memo[place + 4], memo[place + 5] = halo[0], halo[1]
    memo[place + 6], memo[place + 7] = halo[2], halo[3]
    memo[place + 8] = exchange
    length += 9
    result = look_up(memo, length)
    if result == 0:
        pixels, cycles, transfer = choose_pixels(
            work, layer, tile_y, tile_x, in_y, in_x, halo, exchange, hw
        )
        result = keep(memo, length, 3)
        memo[result], memo[result + 1], memo[result + 2] = pixels, cycles, transfer
    return memo[result], memo[result + 1], memo[result + 2]
