"""The least work of a layer: what EXECUTE issues, whatever the mapper chooses."""

from typing import NamedTuple

from sim.arrays.geometry import MAX_HALO, add_slots, ceil_div, groups_of
from sim.arrays.kernel import in_place
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bands import choose_band
from sim.mapping.bank_ports import port_variants, port_waits, set_reads
from sim.mapping.execution import SPREAD, exchanged, layer_ports, spread_over
from sim.mapping.splits import choose_split, split_count, split_cycles, split_quads
from sim.spec.accelerator import ADD_HOLD, DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.timing.calibration import Constant

__all__ = ["Work", "least_bands", "least_drain", "least_work"]


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
    loads : int
        Times that all of them are loaded, in however many passes.
    executes, of_a_pass : int
        EXECUTEs in all, and of each pass.
    """

    issue: float
    last: float
    after: float
    blocks: int
    loads: int
    executes: int
    of_a_pass: int


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
    # vectors of the set with most windows, which every row has
    sources = max(1, exchanged(groups, pixels, exchange, hw))
    stores = min(pixels, tile_x) * sources
    sets = tile_y * ceil_div(tile_x, pixels)
    blocks = ceil_div(sets, hw.accumulator_rows) if splits > 1 else 1
    per_group = hw.simd // DOT_WIDTH
    gap = split_quads(quads, size, per_group) - pixels
    # of all rounds and of a set of the last round
    least, finals, final = max(slots, REQUANTIZER_PHASES), 0, 0
    if splits == 1:
        ports = layer_ports(layer, channels, exchange == SPREAD, hw)
        variants = port_variants(ExecuteOp.CONV, pixels, ports)
        for variant in range(min(variants, rounds)):
            reads = set_reads(ExecuteOp.CONV, pixels, ports, variant)
            own = max(least, stores + port_waits(reads, stores, gap, pixels))
            finals += (rounds // variants + (variant < rounds % variants)) * sets * own
            if variant == (rounds - 1) % variants:
                final = own
    else:  # a set reads a vector of the stored banks at least
        final = max(least, stores + port_waits(pixels, stores, gap, pixels))
        finals = rounds * sets * final
    hold = pixels - 1
    last = sets * final + blocks * hold
    issue = rounds * (sets * saved + splits * blocks * hold) + finals
    after, loads = last, 1
    if splits > 2:  # the two halves do not hold all splits of a block: each block loads them again
        after, loads = final + hold, blocks
    return Work(
        float(issue),
        float(last),
        float(after),
        rounds * splits,
        loads,
        rounds * splits * blocks,
        rounds * splits,
    )


@in_place
def _bands(layer, pixels, rows, columns, sources):
    """Cycles of ``rows`` rows of depthwise windows in a descriptor; 0 without any."""
    if rows == 0:
        return 0
    stores = min(pixels, rows) * sources
    _, _, _, cycles = choose_band(layer, pixels, rows, columns, REQUANTIZER_PHASES, stores)
    return cycles


@in_place
def least_bands(layer, pixels, rows, columns, sources):
    """Least cycles of a tile of depthwise windows, whole, with border rows apart or in several passes.

    Fewer rows than a set has may need fewer reads, so that the parts take less time than the whole.
    A window has ``sources`` stores at least.
    """
    least = _bands(layer, pixels, rows, columns, sources)
    steps = ceil_div(layer[LayerColumn.KERNEL_Y] * layer[LayerColumn.KERNEL_X], DOT_WIDTH)
    interval = max(steps, REQUANTIZER_PHASES, min(pixels, rows) * sources)
    if least == ceil_div(rows, pixels) * columns * interval:
        return least  # no reads are waited for
    border = (
        0,
        _bands(layer, pixels, 1, columns, sources),
        _bands(layer, pixels, 2, columns, sources),
        _bands(layer, pixels, 3, columns, sources),
        _bands(layer, pixels, 4, columns, sources),
        _bands(layer, pixels, 5, columns, sources),
        _bands(layer, pixels, 6, columns, sources),
        _bands(layer, pixels, MAX_HALO, columns, sources),
    )
    for both in range(1, min(2 * MAX_HALO, rows) + 1):
        inner = _bands(layer, pixels, rows - both, columns, sources)
        for top in range(max(0, both - MAX_HALO), both // 2 + 1):
            least = min(least, border[top] + inner + border[both - top])
    last = rows
    for passes in range(2, rows + 1):
        tile = ceil_div(rows, passes)
        if tile < last:
            least = min(least, passes * _bands(layer, pixels, tile, columns, sources))
            last = tile
    return least


@in_place
def least_work(layer, source, target, tile_y, tile_x, pixels, exchange, hw, constants):
    """Least :class:`Work` of a layer on tiles of that size or larger.

    Its PE columns split pixels (``exchange`` 0) or channel groups (``exchange`` SPREAD).
    """
    op = layer[LayerColumn.OP]
    channels = source[TensorColumn.CHANNELS]
    outputs = target[TensorColumn.CHANNELS]
    groups = groups_of(outputs, hw.simd)
    if op == ExecuteOp.CONV:
        return _conv(layer, channels, outputs, tile_y, tile_x, pixels, exchange, hw)
    per_round = hw.lanes // pixels * spread_over(groups, pixels, exchange, hw)
    rounds = ceil_div(groups, per_round)
    sources = max(1, exchanged(groups, pixels, exchange, hw))
    interval = max(REQUANTIZER_PHASES, sources)
    hold, hops, slots = 0, 0, 0
    if op == ExecuteOp.ADD:
        slots = add_slots(pixels)
        hold = ADD_HOLD
    elif op == ExecuteOp.POOL:
        across = hw.pes_x if exchange == 0 else 1
        slots = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
        slots *= ceil_div(source[TensorColumn.WIDTH], across)
        slots += sources  # reads give way to them
        hops = constants[Constant.POOL_HOP] * (across + hw.pes_y - 2)
    if op == ExecuteOp.ADD:
        interval = max(interval, min(pixels, tile_x) * sources + 2 * pixels)
    last = tile_y * ceil_div(tile_x, pixels) * max(slots, interval) + hold + hops
    if op == ExecuteOp.DEPTHWISE:
        last = least_bands(layer, pixels, tile_y, tile_x, sources)
    shared = layer[LayerColumn.SHARED] != 0
    return Work(
        float(rounds * last),
        float(last),
        float(rounds * last if shared else last),
        1 if shared else rounds,
        1,
        rounds,
        rounds,
    )
