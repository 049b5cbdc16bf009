"""Tiles, halos and windows of one layer on one PE grid: small numba functions on integers."""

from sim.arrays.kernel import in_place
from sim.spec.accelerator import (
    ADD_INTERVAL,
    DOT_WIDTH,
    REQUANTIZER_PHASES,
    WINDOW_VECTORS,
)
from sim.spec.descriptor import ExecuteOp

__all__ = [
    "add_slots",
    "aligned",
    "ceil_div",
    "groups_of",
    "halo_after",
    "most_served",
    "pixel_bytes",
    "pixel_lanes",
    "pixel_log2",
    "pixel_sets",
    "resident_halo",
    "segment_slots",
    "served",
    "set_shape",
    "tile_candidate",
    "uses_window",
]

MAX_HALO = 7
"""Largest value of a descriptor's halo fields."""


@in_place
def ceil_div(a, b):
    """Integer ceil(a / b) for a ≥ 0, b > 0."""
    return (a + b - 1) // b


@in_place
def pixel_log2(pixels):
    """Binary logarithm of pixels that are computed at once (P): 1, 2, 4 or 8."""
    return (pixels >> 1) - (pixels >> 3)


@in_place
def pixel_sets(count, pixels):
    """Sets of so many pixels (P) that cover ``count`` pixels, without a division."""
    return (count + pixels - 1) >> pixel_log2(pixels)


@in_place
def pixel_lanes(lanes, pixels):
    """Lanes that work on each of so many pixels (P)."""
    return lanes >> pixel_log2(pixels)


@in_place
def _rounded_up(number, power):
    """Smallest multiple of 2^power that is no less than a number."""
    return (number + (1 << power) - 1) >> power << power


@in_place
def tile_candidate(size, pes, power):
    """Smallest tile of a multiple of 2^power that covers ``size`` with ``pes`` PEs.

    Returns 0 where the candidate would be larger than the tensor or repeats a smaller power's.
    """
    base = ceil_div(size, pes)
    tile = _rounded_up(base, power)
    if power > 0 and (tile > size or tile == _rounded_up(base, power - 1)):
        return 0
    return tile


@in_place
def halo_after(kernel, stride, pad):
    """Rows that the last window of a tile reads of the next neighbour's tile."""
    return max(0, kernel - stride - pad)


@in_place
def _one_pe(n_in, tile_in, n_out, tile_out):
    return n_out <= tile_out and n_in <= tile_in


@in_place
def aligned(op, kernel, stride, pad, n_in, tile_in, n_out, tile_out):
    """Whether a resident input tile serves the output tile, along one axis.

    True if one PE holds everything, or if tiles step together (tile_in = stride · tile_out)
    and the halo lies within the neighbour's tile.
    """
    if op == ExecuteOp.POOL:
        return True
    if op == ExecuteOp.ADD:
        return tile_in == tile_out
    if _one_pe(n_in, tile_in, n_out, tile_out):
        return True
    if n_in == 1:
        return False  # POOL pushes no halos
    after = halo_after(kernel, stride, pad)
    reach = min(tile_in, MAX_HALO)
    return tile_in == stride * tile_out and pad <= reach and after <= reach


@in_place
def resident_halo(op, kernel, stride, pad, n_in, tile_in, n_out, tile_out):
    """(before, after): neighbour rows that an aligned resident input must hold."""
    if op == ExecuteOp.POOL or op == ExecuteOp.ADD or _one_pe(n_in, tile_in, n_out, tile_out):
        return 0, 0
    return pad, halo_after(kernel, stride, pad)


@in_place
def served(tile, before, after, first, count):
    """Stores along one axis of pixels first … first + count - 1 of a tile.

    A pixel is stored by its own PE, and by a neighbour whose halo it lies in.
    """
    east = max(0, min(first + count, after) - first)
    west = max(0, first + count - max(first, tile - before))
    return count + east + west


@in_place
def most_served(tile, before, after, first, count, step):
    """Largest :func:`served` of the sets of ``step`` pixels that cover ``count`` pixels."""
    most = min(step, count)
    # others than the sets at either end are stored once
    for start in range(0, min(count, after - first), step):
        most = max(most, served(tile, before, after, first + start, min(step, count - start)))
    if before > 0:
        low = max(0, tile - before - first) // step * step
        for start in range(low, count, step):
            most = max(most, served(tile, before, after, first + start, min(step, count - start)))
    return most


@in_place
def pixel_bytes(channels, simd, bus):
    """Bytes that one pixel of a channel group takes in external memory.

    A whole vector; of a tensor with one group the smallest power of two that holds its channels.
    Never less than a bus beat.
    """
    size = simd
    while channels <= size // 2:
        size //= 2
    return max(size, bus)


@in_place
def groups_of(channels, simd):
    """Channel groups."""
    return ceil_div(channels, simd)


@in_place
def segment_slots(first, end, simd, pixels):
    """Issue slots of one tap of CONV over 4-channel steps first … end - 1.

    A vector takes as many slots as it has steps, but no fewer than there are pixels to be read.
    """
    per_group = simd // DOT_WIDTH
    group, last = first // per_group, (end - 1) // per_group
    if group == last:
        return max(end - first, pixels)
    slots = max((group + 1) * per_group - first, pixels) + max(end - last * per_group, pixels)
    return slots + (last - group - 1) * max(per_group, pixels)


@in_place
def uses_window(kernel_y, kernel_x, stride_x):
    """Whether a depthwise kernel fits the window ring, present and next columns."""
    return kernel_y * (kernel_x + min(kernel_x, stride_x)) <= WINDOW_VECTORS


@in_place
def add_slots(pixels):
    """Least cycles of a set of ADD's windows: three requantizations, two reads per pixel.

    Operand b comes ``max(REQUANTIZER_PHASES, pixels)`` cycles after a; the sum when b's results come out.
    """
    apart = max(REQUANTIZER_PHASES, pixels)
    return apart + max(pixels, ADD_INTERVAL - REQUANTIZER_PHASES)


@in_place
def set_shape(op, pixels):
    """(rows, columns) of the windows that are computed at once: DEPTHWISE's lie one above the other."""
    if op == ExecuteOp.DEPTHWISE:
        return pixels, 1
    return 1, pixels
