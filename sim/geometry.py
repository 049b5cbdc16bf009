"""Tiles, halos and windows of one layer on one PE grid: small numba functions on integers."""

from sim.kernel import kernel
from sim.spec.accelerator import ADD_INTERVAL, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.tables import LayerColumn, TensorColumn

__all__ = [
    "aligned",
    "ceil_div",
    "halo_after",
    "initiation_interval",
    "resident_halo",
    "steps",
    "stores_of_last_window",
    "tile_candidate",
    "weight_rows",
]

MAX_HALO = 7
"""Largest value of a descriptor's halo fields."""


@kernel
def ceil_div(a, b):  # type: ignore[no-untyped-def]  # numba infers the types
    """Integer ceil(a / b) for a ≥ 0, b > 0."""
    return (a + b - 1) // b


@kernel
def tile_candidate(size, pes, power):  # type: ignore[no-untyped-def]
    """Smallest tile of a multiple of 2^power that covers ``size`` with ``pes`` PEs.

    Returns 0 where the candidate would be larger than the tensor or repeats a smaller power's.
    """
    base = ceil_div(size, pes)
    step = 1 << power
    tile = ceil_div(base, step) * step
    if power > 0 and (tile > size or tile == ceil_div(base, step // 2) * (step // 2)):
        return 0
    return tile


@kernel
def halo_after(kernel, stride, pad):  # type: ignore[no-untyped-def]
    """Rows that the last window of a tile reads of the next neighbour's tile."""
    return max(0, kernel - stride - pad)


@kernel
def _one_pe(n_in, tile_in, n_out, tile_out):  # type: ignore[no-untyped-def]
    return n_out <= tile_out and n_in <= tile_in


@kernel
def aligned(op, kernel, stride, pad, n_in, tile_in, n_out, tile_out):  # type: ignore[no-untyped-def]
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
    after = halo_after(kernel, stride, pad)
    reach = min(tile_in, MAX_HALO)
    return tile_in == stride * tile_out and pad <= reach and after <= reach


@kernel
def resident_halo(op, kernel, stride, pad, n_in, tile_in, n_out, tile_out):  # type: ignore[no-untyped-def]
    """(before, after): neighbour rows that an aligned resident input must hold."""
    if op == ExecuteOp.POOL or op == ExecuteOp.ADD or _one_pe(n_in, tile_in, n_out, tile_out):
        return 0, 0
    return pad, halo_after(kernel, stride, pad)


@kernel
def weight_rows(layer, channels):  # type: ignore[no-untyped-def]
    """Register-file rows per lane that one round of the layer needs."""
    op = layer[LayerColumn.OP]
    taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
    if op == ExecuteOp.CONV:
        return taps * ceil_div(channels, 4)
    if op == ExecuteOp.DEPTHWISE:
        return ceil_div(taps, 4)
    if op == ExecuteOp.POOL:
        return 1
    return 0


@kernel
def steps(layer, source, tile_in_y, tile_in_x):  # type: ignore[no-untyped-def]
    """Cycles of one window in which SIMD units compute (0 for ADD)."""
    op = layer[LayerColumn.OP]
    taps = layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X]
    if op == ExecuteOp.CONV:
        return taps * ceil_div(source[TensorColumn.CHANNELS], 4)
    if op == ExecuteOp.DEPTHWISE:
        return taps
    if op == ExecuteOp.POOL:
        return tile_in_y * tile_in_x
    return 0


@kernel
def _served(tile, before, after, index):  # type: ignore[no-untyped-def]
    """Neighbours (itself included) along one axis that store pixel ``index`` of a tile."""
    count = 1
    if index < after:
        count += 1
    if index >= tile - before:
        count += 1
    return count


@kernel
def stores_of_last_window(tile_y, tile_x, top, bottom, left, right):  # type: ignore[no-untyped-def]
    """Store cycles of window (tile_y - 1, tile_x - 1)."""
    rows = _served(tile_y, top, bottom, tile_y - 1)
    return rows * _served(tile_x, left, right, tile_x - 1)


@kernel
def _most_served(tile, before, after):  # type: ignore[no-untyped-def]
    most = 1
    for index in range(tile):
        most = max(most, _served(tile, before, after, index))
    return most


@kernel
def initiation_interval(  # type: ignore[no-untyped-def]
    op, n_steps, tile_y, tile_x, top, bottom, left, right
):
    """Cycles per window: the slowest of compute, requantizer and stores."""
    stores = _most_served(tile_y, top, bottom) * _most_served(tile_x, left, right)
    interval = max(n_steps, REQUANTIZER_PHASES, stores)
    if op == ExecuteOp.ADD:
        interval = max(interval, ADD_INTERVAL)
    return interval
