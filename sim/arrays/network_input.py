"""The network's input: rows of packed bytes in external memory, vectors gathered from them.

A layer reads a pixel per vector, or, where ``WINDOW_PIXELS`` of its table is not 0, the kernel rows of several
windows: its input's columns are windows then. An input of more channels than a vector has lies as
other tensors do.
"""

from sim.arrays.geometry import ceil_div, groups_of, pixel_bytes
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn, TensorColumn

__all__ = [
    "MOST_WINDOWS",
    "gathered",
    "input_bank",
    "input_bytes",
    "input_columns",
    "input_cycles",
    "input_pixel_bytes",
    "row_bytes",
    "windows_per_vector",
]

MOST_WINDOWS = 64
"""Most windows of a vector."""


@in_place
def windows_per_vector(layer, simd):
    """Windows of a row whose input a vector holds: a power of two; 0 where a window's is longer.

    A vector of a layer that reads pixels holds 1.
    """
    pixels = layer[LayerColumn.WINDOW_PIXELS]
    if pixels == 0:
        return 1
    room = simd // layer[LayerColumn.IMAGE_CHANNELS] - pixels
    if room < 0:
        return 0
    most = min(MOST_WINDOWS, room // layer[LayerColumn.WINDOW_STRIDE] + 1)
    windows = 1
    while 2 * windows <= most:
        windows *= 2
    return windows


@in_place
def input_columns(layer, columns, simd):
    """Vectors of so many columns of a layer's input, pixels or windows."""
    return ceil_div(columns, max(1, windows_per_vector(layer, simd)))


@in_place
def gathered(layer, tensor, simd):
    """Whether the network's input lies as packed rows."""
    return layer[LayerColumn.WINDOW_PIXELS] > 0 or tensor[TensorColumn.CHANNELS] <= simd


@in_place
def input_bank(layer, channels, hw):
    """Bank in which the first channel group of a layer's input lies: 0 or L - 1.

    The network's input lies in L - 1, if a convolution alone reads it and it is gathered: few layers store there, and its vectors can
    be shifted.
    """
    packed = layer[LayerColumn.WINDOW_PIXELS] > 0 or channels <= hw.simd
    return hw.lanes - 1 if layer[LayerColumn.ALONE] and packed else 0


@in_place
def _image(layer, tensor):
    """(width, channels) of the network's input as it lies in external memory, if packed."""
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        return layer[LayerColumn.IMAGE_WIDTH], layer[LayerColumn.IMAGE_CHANNELS]
    return tensor[TensorColumn.WIDTH], tensor[TensorColumn.CHANNELS]


@in_place
def row_bytes(layer, tensor):
    """Bytes of a packed row of the network's input."""
    width, channels = _image(layer, tensor)
    return width * channels


@in_place
def input_pixel_bytes(layer, tensor, hw):
    """Bytes of a pixel of the network's input, of each channel group."""
    if gathered(layer, tensor, hw.simd):
        return _image(layer, tensor)[1]
    return pixel_bytes(tensor[TensorColumn.CHANNELS], hw.simd, hw.bus_bytes)


@in_place
def input_bytes(layer, tensor, hw):
    """Bytes of an image of the network's input."""
    height = tensor[TensorColumn.HEIGHT]
    if gathered(layer, tensor, hw.simd):
        return height * row_bytes(layer, tensor)
    size = height * tensor[TensorColumn.WIDTH] * groups_of(tensor[TensorColumn.CHANNELS], hw.simd)
    return size * input_pixel_bytes(layer, tensor, hw)


@in_place
def input_cycles(layer, tensor, columns, hw):
    """Cycles in which LOAD brings ``columns`` columns of the network's input, all rows: bus or vectors."""
    size = columns * input_pixel_bytes(layer, tensor, hw)
    if layer[LayerColumn.WINDOW_PIXELS] > 0:
        size *= layer[LayerColumn.WINDOW_STRIDE]
    vectors = input_columns(layer, columns, hw.simd)
    if not gathered(layer, tensor, hw.simd):
        groups = groups_of(tensor[TensorColumn.CHANNELS], hw.simd)
        size, vectors = size * groups, vectors * groups
    height = tensor[TensorColumn.HEIGHT]
    return max(height * size * hw.cost // (hw.bus_bytes * hw.earn), height * vectors)
