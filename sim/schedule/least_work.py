"""The least work of a layer: what EXECUTE issues and LOAD brings, whatever the mapper chooses."""

from typing import NamedTuple

from sim.arrays.geometry import add_slots, ceil_div, groups_of
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_beats, stream_beats, tail_channels
from sim.mapping.bands import choose_band
from sim.mapping.execution import spread_over, weight_rows
from sim.mapping.mapper import ADD_ROWS
from sim.mapping.splits import choose_split, split_count, split_cycles
from sim.spec.accelerator import ADD_HOLD, DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.timing.calibration import Constant

__all__ = ["Work", "least_drain", "least_work"]


class Work(NamedTuple):
    """The least work of a layer with some number of pixel lanes.

    Parameters
    ----------
    issue : float
        Cycles in which EXECUTE issues, of all rounds.
    last : float
        Of these, the cycles of the last weight block of the last round.
    after : float
        Cycles of EXECUTE after the last LOAD of weights.
    blocks : int
        Weight blocks that are loaded, once each.
    first_beats, beats : float
        Bus beats of the first of them, and of all.
    rows : int
        Rows of the weight store that all of them take.
    loads : int
        Times that all of them are loaded, in however many passes.
    """

    issue: float
    last: float
    after: float
    blocks: int
    first_beats: float
    beats: float
    rows: int
    loads: int


@in_place
def least_drain(op, constants):
    """Least cycles from the end of a descriptor's issue, its hold included, to its done.

    A last store is done as late as it is; a hold covers the stores after the fourth and CONV's skew.
    """
    drain = constants[Constant.DRAIN_CONV + op] + 1
    return drain - ADD_HOLD if op == ExecuteOp.ADD else drain


@in_place
def _conv(layer, channels, outputs, tile_y, tile_x, pixels, exchange, hw):
    """Least :class:`Work` of a convolution."""
    quads = ceil_div(channels, DOT_WIDTH)
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    groups = groups_of(outputs, hw.simd)
    per_round = hw.lanes // pixels * spread_over(groups, pixels, exchange, hw)
    rounds = ceil_div(groups, per_round)
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
    )
    splits = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)
    saved, slots = split_cycles(
        kernel_y, kernel_x, quads, tap_rows, tap_columns, size, hw.simd // DOT_WIDTH, pixels
    )
    final = max(slots, REQUANTIZER_PHASES)
    sets = tile_y * ceil_div(tile_x, pixels)
    blocks = ceil_div(sets, hw.accumulator_rows) if splits > 1 else 1
    hold = pixels - 1
    last = sets * final + blocks * hold
    issue = rounds * (sets * (saved + final) + splits * blocks * hold)
    rows = kernel_y * kernel_x * quads
    first, parameters = rows, REQUANTIZER_PHASES
    if splits > 1:
        first, parameters = tap_rows * tap_columns * size, 0
    in_first = min(per_round, groups)
    tail = tail_channels(outputs, hw) if in_first == groups else hw.simd
    beats = layer_beats(layer, outputs, REQUANTIZER_PHASES, rows, hw)
    after, loads = last, 1
    if splits > 2:  # the two halves do not hold all splits of a block: each block loads them again
        after, loads = final + hold, blocks
    return Work(
        float(issue),
        float(last),
        float(after),
        rounds * splits,
        float(stream_beats(in_first, parameters, first, tail, hw)),
        float(beats),
        groups * (REQUANTIZER_PHASES + rows),
        loads,
    )


@in_place
def least_work(layer, source, target, pixels, exchange, hw, constants):
    """Least :class:`Work` of a layer whose PE columns split pixels (``exchange`` 0) or channel groups.

    ``exchange`` is SPREAD for the latter.
    """
    op = layer[LayerColumn.OP]
    channels = source[TensorColumn.CHANNELS]
    outputs = target[TensorColumn.CHANNELS]
    groups = groups_of(outputs, hw.simd)
    tile_y = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
    across = hw.pes_x if exchange == 0 else 1
    tile_x = ceil_div(target[TensorColumn.WIDTH], across)
    if op == ExecuteOp.CONV:
        return _conv(layer, channels, outputs, tile_y, tile_x, pixels, exchange, hw)
    per_round = hw.lanes // pixels * spread_over(groups, pixels, exchange, hw)
    rounds = ceil_div(groups, per_round)
    hold, hops, slots = 0, 0, 0
    if op == ExecuteOp.ADD:
        slots = add_slots(pixels)
        hold = ADD_HOLD
    elif op == ExecuteOp.POOL:
        slots = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
        slots *= ceil_div(source[TensorColumn.WIDTH], across)
        hops = constants[Constant.POOL_HOP] * (across + hw.pes_y - 2)
    last = tile_y * ceil_div(tile_x, pixels) * max(slots, REQUANTIZER_PHASES) + hold + hops
    if op == ExecuteOp.DEPTHWISE:
        _, _, _, last = choose_band(layer, pixels, tile_y, tile_x, REQUANTIZER_PHASES)
    rows = weight_rows(layer, channels)
    parameters = ADD_ROWS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
    shared = layer[LayerColumn.SHARED] != 0
    in_first, tail = 1, hw.simd
    if not shared:
        in_first = min(groups, per_round)
        tail = tail_channels(outputs, hw) if in_first == groups else hw.simd
    return Work(
        float(rounds * last),
        float(last),
        float(rounds * last if shared else last),
        1 if shared else rounds,
        float(stream_beats(in_first, parameters, rows, tail, hw)),
        float(layer_beats(layer, outputs, parameters, rows, hw)),
        (1 if shared else groups) * (parameters + rows),
        1,
    )
