"""Transfers that no mapping avoids: what layers load at least, and tensors that cannot stay on chip."""

import numpy as np

from sim.arrays.geometry import aligned, ceil_div, groups_of, pixel_bytes, tile_candidate
from sim.arrays.kernel import in_place, kernel
from sim.arrays.network_input import gathered, input_columns, input_pixel_bytes, windows_per_vector
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.tile_choice import POWERS, axis, lets_strips
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "every_pass_loads",
    "footprints",
    "last_readers",
    "least_passes",
    "loaded_beats",
    "lose",
    "spreads",
    "stays",
    "tensor_beats",
]


@in_place
def _touched(size_in, size_out, kernel_size, stride, pad):
    """Rows (or columns) of a tensor that are under some window of a layer."""
    if kernel_size >= stride:
        return min(size_in, (size_out - 1) * stride - pad + kernel_size)
    rows = 0
    for i in range(size_out):
        first = i * stride - pad
        rows += max(0, min(size_in, first + kernel_size) - max(0, first))
    return rows


@kernel
def footprints(layers, tensors):
    """Pixels of each layer's operands that any mapping loads if it loads them : int64[n]."""
    n = layers.shape[0]
    pixels = np.empty(n, np.int64)
    for i in range(n):
        layer = layers[i]
        source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
        height, width = source[TensorColumn.HEIGHT], source[TensorColumn.WIDTH]
        if layer[LayerColumn.WINDOW_PIXELS] > 0:
            width = layer[LayerColumn.IMAGE_WIDTH]
        if layer[LayerColumn.OP] < ExecuteOp.ADD:
            height = _touched(
                height,
                target[TensorColumn.HEIGHT],
                layer[LayerColumn.KERNEL_Y],
                layer[LayerColumn.STRIDE_Y],
                layer[LayerColumn.PAD_Y],
            )
            kernel_x, stride_x, pad = axis(layer, False)
            if layer[LayerColumn.WINDOW_PIXELS] > 0:
                kernel_x, pad = layer[LayerColumn.WINDOW_PIXELS], layer[LayerColumn.WINDOW_PAD]
                stride_x = layer[LayerColumn.WINDOW_STRIDE]
            width = _touched(width, target[TensorColumn.WIDTH], kernel_x, stride_x, pad)
        pixels[i] = max(0, height) * max(0, width)
    return pixels


@kernel
def last_readers(layers):
    """Last layer that reads each tensor; n for the last layer's output : int64[n + 1]."""
    n = layers.shape[0]
    last = np.empty(n + 1, np.int64)
    for t in range(n + 1):
        last[t] = -1
    for i in range(n):
        last[layers[i, LayerColumn.INPUT]] = i
        last[layers[i, LayerColumn.INPUT2]] = i
    last[n] = n
    return last


@in_place
def _tile_vectors(tensor, columns, hw):
    """Least vectors of a bank that a tensor takes that lies in local memory as a whole.

    It is split between ``columns`` PE columns: all, or 1 if it lies in strips.
    """
    planes = ceil_div(groups_of(tensor[TensorColumn.CHANNELS], hw.simd), hw.lanes)
    return (
        planes
        * ceil_div(tensor[TensorColumn.HEIGHT], hw.pes_y)
        * ceil_div(tensor[TensorColumn.WIDTH], columns)
    )


@in_place
def _operand_vectors(layer, source, target, across, hw):
    """Least vectors of a bank that an operand takes when a layer runs in one pass.

    Operand and output are split between ``across`` PE columns.
    """
    op = layer[LayerColumn.OP]
    rows = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
    columns = ceil_div(source[TensorColumn.WIDTH], across)
    if op < ExecuteOp.ADD:
        tile_y = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
        tile_x = ceil_div(target[TensorColumn.WIDTH], across)
        rows = min(rows, (tile_y - 1) * layer[LayerColumn.STRIDE_Y] + layer[LayerColumn.KERNEL_Y])
        columns = min(
            columns, (tile_x - 1) * layer[LayerColumn.STRIDE_X] + layer[LayerColumn.KERNEL_X]
        )
    columns = input_columns(layer, columns, hw.simd)
    return ceil_div(groups_of(source[TensorColumn.CHANNELS], hw.simd), hw.lanes) * rows * columns


@in_place
def least_passes(layer, source, target, hw):
    """Least passes of a layer that a single pass is too large for."""
    op = layer[LayerColumn.OP]
    if op == ExecuteOp.POOL:
        return 1
    operands = 2 if op == ExecuteOp.ADD else 1  # vectors of a bank for one output pixel
    if op == ExecuteOp.CONV:
        operands = ceil_div(groups_of(source[TensorColumn.CHANNELS], hw.simd), hw.lanes)
    if op < ExecuteOp.ADD:
        operands *= min(layer[LayerColumn.STRIDE_Y], layer[LayerColumn.KERNEL_Y])
        operands *= min(layer[LayerColumn.STRIDE_X], layer[LayerColumn.KERNEL_X])
        operands //= max(1, windows_per_vector(layer, hw.simd))
    pixels = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
    pixels *= ceil_div(target[TensorColumn.WIDTH], hw.pes_x)
    return ceil_div(pixels, max(1, hw.bank_depth // (operands + 1)))


@in_place
def _meets(size_in, size_out, kernel_size, stride, pad):
    """Whether each window of a layer has a row (or column) in the image."""
    return kernel_size > pad and (size_out - 1) * stride - pad < size_in


@in_place
def every_pass_loads(layer, source, target):
    """Whether each tile of a layer that runs tile by tile reads pixels of the image."""
    if layer[LayerColumn.OP] >= ExecuteOp.ADD:
        return True
    return _meets(
        source[TensorColumn.HEIGHT],
        target[TensorColumn.HEIGHT],
        layer[LayerColumn.KERNEL_Y],
        layer[LayerColumn.STRIDE_Y],
        layer[LayerColumn.PAD_Y],
    ) and _meets(
        source[TensorColumn.WIDTH],
        target[TensorColumn.WIDTH],
        layer[LayerColumn.KERNEL_X],
        layer[LayerColumn.STRIDE_X],
        layer[LayerColumn.PAD_X],
    )


@in_place
def tensor_beats(tensor, pixels, hw):
    """Bus beats of some pixels of a tensor with all their channels."""
    channels = tensor[TensorColumn.CHANNELS]
    size = pixel_bytes(channels, hw.simd, hw.bus_bytes) // hw.bus_bytes
    return float(pixels * groups_of(channels, hw.simd) * size)


@in_place
def _need(i, layers, tensors, hw):
    """Least vectors of a bank that layer ``i`` takes when it runs in one pass."""
    layer, target = layers[i], tensors[i + 1]
    a, b = layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]
    need = _tile_vectors(target, hw.pes_x, hw)
    need += _operand_vectors(layer, tensors[a], target, hw.pes_x, hw)
    if b != a:
        need += _operand_vectors(layer, tensors[b], target, hw.pes_x, hw)
    return need


@in_place
def spreads(layer, source, target, hw):
    """Whether PE columns may split a layer's channel groups.

    Its output lies in strips, and what it reads beside it: both fit where it runs in one pass.
    """
    if not lets_strips(target, hw):
        return False
    need = _tile_vectors(target, 1, hw) + _operand_vectors(layer, source, target, 1, hw)
    return need <= hw.bank_depth


@in_place
def _aligns(layer, size_in, size_out, pes):
    """Whether some height of an input's tile, among the mapper's, serves some height of the output's."""
    kernel_size, stride, pad = axis(layer, True)
    for power_in in range(POWERS):
        tile_in = tile_candidate(size_in, pes, power_in)
        for power_out in range(POWERS):
            tile_out = tile_candidate(size_out, pes, power_out)
            if tile_in == 0 or tile_out == 0:
                continue
            if aligned(
                layer[LayerColumn.OP],
                kernel_size,
                stride,
                pad,
                size_in,
                tile_in,
                size_out,
                tile_out,
            ):
                return True
    return False


@in_place
def stays(layer, source, target, hw):
    """Whether a layer's input can be read where it was made, in local memory.

    In strips it can be, whatever its width.
    """
    return _aligns(layer, source[TensorColumn.HEIGHT], target[TensorColumn.HEIGHT], hw.pes_y)


@in_place
def lose(i, layers, tensors, readers, hw, lost):
    """Note the tensors that leave local memory at layer ``i``; returns whether it runs tile by tile.

    A layer that does not fit beside its operands and its output runs with an empty local memory. A
    tensor that is read later leaves where it does not fit beside them.
    """
    layer = layers[i]
    need = _need(i, layers, tensors, hw)
    tiled = need > hw.bank_depth
    for t in range(1, i + 1):
        if readers[t] < i or lost[t]:
            continue
        beside = t != layer[LayerColumn.INPUT] and t != layer[LayerColumn.INPUT2]
        if tiled or (beside and need + _tile_vectors(tensors[t], hw.pes_x, hw) > hw.bank_depth):
            lost[t] = True
    if tiled:
        lost[i + 1] = True
    return tiled


@in_place
def loaded_beats(layer, target, tensors, pixels, hw, lost):
    """Bus beats of the operands of a layer that are not in local memory."""
    beats = 0.0
    for operand in range(2 if layer[LayerColumn.OP] == ExecuteOp.ADD else 1):
        t = layer[LayerColumn.INPUT2 if operand else LayerColumn.INPUT]
        if t == 0 and gathered(layer, tensors[0], hw.simd):
            # packed bytes, of which a beat may have as many as it holds
            beats += float(pixels * input_pixel_bytes(layer, tensors[0], hw) / hw.bus_bytes)
        elif lost[t] or not stays(layer, tensors[t], target, hw):
            beats += tensor_beats(tensors[t], pixels, hw)
    return beats
