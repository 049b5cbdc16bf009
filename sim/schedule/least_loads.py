"""The least work of LOAD: tiles, weights from the external memory and from the weight store, in their order."""

from typing import NamedTuple

from sim.arrays.geometry import groups_of
from sim.arrays.kernel import in_place
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import layer_beats, parameter_beats, stream_beats, tail_channels
from sim.mapping.execution import spread_over, weight_rows
from sim.mapping.mapper import ADD_ROWS
from sim.mapping.splits import choose_split, split_count
from sim.mapping.stored_weights import choose_stored, list_passed_on
from sim.schedule.transfer_fields import split_rows
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.timing.calibration import Constant

__all__ = [
    "NEVER",
    "Loader",
    "Tiles",
    "Weights",
    "bring",
    "bring_rest",
    "bring_tiles",
    "least_weights",
    "place_weights",
    "read_rows",
    "reload_cycles",
]

NEVER = -1e15
"""A cycle before all others."""


class Weights(NamedTuple):
    """Weight blocks of a layer, once each, in the order in which they are loaded.

    Parameters
    ----------
    stored : int
        Blocks, from the first on, that lie in the weight store.
    rows, turns : int
        Rows of these, and cycles in which they are read: of all PE columns that split channel groups at once.
    beats : int
        Bus beats of the others.
    first_rows, first_turns, first_beats : int
        Rows and turns of the first block; its beats when it comes from the external memory.
    all_beats : int
        Bus beats of all blocks.
    blocks : int
        Output channel groups of the first block.
    """

    stored: int
    rows: int
    turns: int
    beats: int
    first_rows: int
    first_turns: int
    first_beats: int
    all_beats: int
    blocks: int


class Tiles(NamedTuple):
    """Tile LOADs of a layer.

    Parameters
    ----------
    beats : float
        Bus beats.
    cycles : float
        Cycles of LOAD's data side.
    bursts, descriptors : int
        At least; 0 where that is not known.
    """

    beats: float
    cycles: float
    bursts: int
    descriptors: int


class Loader(NamedTuple):
    """LOAD's data side after some transfers, at the earliest.

    Parameters
    ----------
    bus : float
        Cycle by which the bus has moved all beats, if it had begun without credit.
    last : float
        Cycle of the last beat, or row of the weight store.
    """

    bus: float
    last: float


@in_place
def bring(loader, available, beats, pace, slack):
    """Move ``beats``, the first of which is there from cycle ``available`` on, behind what was loaded.

    ``slack`` are the cycles that full credit is worth, and a cycle for the first beat.
    """
    begin = max(available, loader.last + 1)
    bus = max(loader.bus, begin) + beats * pace
    return Loader(bus, max(begin + beats - 1, bus - slack))


@in_place
def bring_tiles(loader, available, tiles, pace, slack, constants):
    """Load :class:`Tiles`, as :func:`bring` does; the latency of bursts and descriptors shows where they are short."""
    latency = constants[Constant.MEMORY_LATENCY]
    bus, last = bring(loader, available, tiles.beats, pace, slack)
    last = max(last, max(available, loader.last + 1) + tiles.cycles - 1)
    if tiles.bursts > 0:
        turns = (tiles.bursts - 1) // constants[Constant.READ_BURSTS]
        last = max(last, available + turns * (latency + constants[Constant.LOAD_REUSE]))
    if tiles.descriptors > 0:
        turns = (tiles.descriptors - 1) // constants[Constant.TRANSFERS]
        wait = latency + constants[Constant.LOAD_OVERHEAD] + constants[Constant.LOAD_ROOM]
        last = max(last, available + turns * wait)
    return Loader(bus, last)


@in_place
def read_rows(loader, begin, turns, loads, constants):
    """Read the weight store for ``turns`` cycles in ``loads`` LOADs, the first of which starts in cycle ``begin`` or later."""
    turn = constants[Constant.WEIGHT_STORE_TURN]
    first = begin + constants[Constant.WEIGHT_STORE_FIRST] - constants[Constant.LOAD_REQUEST]
    last = max(first, loader.last + turn) + turns - 1 + (loads - 1) * (turn - 1)
    return Loader(loader.bus, last)


@in_place
def _split(layer, channels, hw, plan):
    """Note a layer's splits in its plan, as the mapper does."""
    quads = -(-channels // DOT_WIDTH)
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    plan[LayerPlan.SPLITS] = 1
    if layer[LayerColumn.OP] != ExecuteOp.CONV:
        return
    tap_rows, tap_columns, size = choose_split(
        kernel_y, kernel_x, quads, hw.weight_rows, hw.simd // DOT_WIDTH
    )
    plan[LayerPlan.SPLITS] = split_count(kernel_y, kernel_x, quads, tap_rows, tap_columns, size)
    plan[LayerPlan.SPLIT_TAP_ROWS], plan[LayerPlan.SPLIT_TAP_COLUMNS] = tap_rows, tap_columns
    plan[LayerPlan.SPLIT_STEPS] = size


@in_place
def least_weights(layer, plan, source, target, pixels, exchange, kept, hw):
    """Count a layer's :class:`Weights` with some number of pixel lanes.

    Parameters
    ----------
    layer, source, target : int64[n]
        Rows of the layer and tensor tables.
    plan : int64[len(LayerPlan)]
        Has the rows of a block and the splits.
    pixels : int
    exchange : int
        0 where its PE columns split pixels, SPREAD where they split channel groups.
    kept : int
        Rows of the weight store that the layer has.
    hw : Hw
    """
    channels, outputs = source[TensorColumn.CHANNELS], target[TensorColumn.CHANNELS]
    parameters, rows = plan[LayerPlan.PARAMETER_ROWS], plan[LayerPlan.WEIGHT_ROWS]
    own, splits = parameters + rows, plan[LayerPlan.SPLITS]
    all_beats = layer_beats(layer, outputs, parameters, rows, hw)
    if layer[LayerColumn.SHARED]:
        if kept < own:
            return Weights(0, 0, 0, all_beats, own, own, all_beats, all_beats, 1)
        return Weights(1, own, own, 0, own, own, all_beats, all_beats, 1)
    groups, lanes = groups_of(outputs, hw.simd), hw.lanes // pixels
    per_round = lanes * spread_over(groups, pixels, exchange, hw)
    tail, rounds = tail_channels(outputs, hw), -(-groups // per_round)
    active = min(per_round, groups)
    first_rows = split_rows(layer, plan, channels, 0)[1]
    first_parameters = parameters if splits == 1 else 0
    first_beats = stream_beats(
        active, first_parameters, first_rows, tail if active == groups else hw.simd, hw
    )
    blocks = active
    first_turns = min(active, lanes) * (first_rows + first_parameters)
    first_rows = active * (first_rows + first_parameters)
    if kept >= groups * own:
        last = min(groups - (rounds - 1) * per_round, lanes)
        turns = ((rounds - 1) * lanes + last) * own
        return Weights(
            rounds * splits,
            groups * own,
            turns,
            0,
            first_rows,
            first_turns,
            first_beats,
            all_beats,
            blocks,
        )
    whole = kept // (per_round * own)  # rounds of which all blocks lie in the store
    ahead = whole * per_round
    stored, place, left = whole * splits, ahead * own, kept - ahead * own
    turns = whole * lanes * own
    active = min(per_round, groups - ahead)
    within_tail = tail if active == groups - ahead else hw.simd
    split = 0
    before = 0
    while split < splits - 1:
        until, within = split_rows(layer, plan, channels, split)
        until += within
        if active * until > left:
            break
        before = until
        split += 1
    beats = all_beats
    if ahead > 0:
        beats -= stream_beats(ahead, parameters, rows, hw.simd, hw)
    if before > 0:
        beats -= stream_beats(active, 0, before, within_tail, hw)
    return Weights(
        stored + split,
        place + active * before,
        turns + min(active, lanes) * before,
        beats,
        first_rows,
        first_turns,
        first_beats,
        all_beats,
        blocks,
    )


@in_place
def place_weights(layers, tensors, hw, plan, passed, memo):
    """Give layers their places in the weight store, as the mapper does; False where weights fit no half.

    ``passed`` are the rows that layers have if they get room of another, of
    :func:`sim.mapping.stored_weights.list_passed_on`; ``memo`` is of :mod:`sim.mapping.memo`.
    """
    for i in range(layers.shape[0]):
        layer, op = layers[i], layers[i, LayerColumn.OP]
        channels = tensors[layer[LayerColumn.INPUT], TensorColumn.CHANNELS]
        rows = weight_rows(layer, channels)
        if op != ExecuteOp.CONV and rows > hw.weight_rows:
            return False
        plan[i, LayerPlan.WEIGHT_ROWS] = rows
        plan[i, LayerPlan.PARAMETER_ROWS] = ADD_ROWS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
        _split(layer, channels, hw, plan[i])
    choose_stored(layers, tensors, hw, 0, plan, memo)
    list_passed_on(layers, tensors, hw, 0, plan, passed, memo)
    return True


@in_place
def bring_rest(loader, done, turns, reads, beats, again, pace, slack, constants):
    """Load a layer's weights but for its first block, from EXECUTE's ``done`` on."""
    token, latency = constants[Constant.TOKEN], constants[Constant.MEMORY_LATENCY]
    if reads == 0 and beats == 0:
        return loader
    if reads > 0 and beats > 0 and again > 1:  # from either, in turns
        behind = Loader(loader.bus, NEVER)
        streamed = bring(behind, done + token + latency, beats, pace, slack)
        return Loader(streamed.bus, max(streamed.last, loader.last + turns + beats))
    if reads > 0:
        loader = read_rows(loader, done + token, turns, reads, constants)
    if beats > 0:
        loader = bring(loader, done + token + latency, beats, pace, slack)
    return loader


@in_place
def reload_cycles(
    weights, turns, reads, beats, loads, cold, plan, hw, pixels, pace, slack, constants
):
    """Cycles from an EXECUTE's done to the next start on the same half, summed over a layer's LOADs.

    A half's first LOAD is left out: nothing of the layer is before it.

    Parameters
    ----------
    weights : Weights
    turns, reads, beats : int
        Cycles in which the weight store is read and the LOADs that read it, and bus beats of the others, all without
        the layer's first LOAD.
    loads : int
        LOADs of weights, three at least.
    cold : bool
        The layer's first LOADs come from the external memory.
    plan, hw
        Row of the layer plan; the accelerator.
    pixels : int
    pace, slack : float
        As in :func:`bring`.
    constants : int64[n]
    """
    token, latency = constants[Constant.TOKEN], constants[Constant.MEMORY_LATENCY]
    ready = token + constants[Constant.LOAD_OVERHEAD] + token
    streams = loads - 1 - reads
    # at most, what the second LOAD brings beyond the first
    more = 0 if plan[LayerPlan.SPLITS] == 1 else REQUANTIZER_PHASES
    if weights.stored > 1 and not cold:
        reads -= 1
        more *= min(weights.blocks, hw.lanes // pixels)
        turns = max(turns - weights.first_turns - more, reads)
    else:
        streams -= 1
        more *= weights.blocks * parameter_beats(hw)
        beats = max(beats - weights.first_beats - more, streams)
    first = constants[Constant.WEIGHT_STORE_FIRST] - constants[Constant.LOAD_REQUEST]
    moved = max(float(beats - streams), beats * pace - streams * slack)
    return reads * (ready + first - 1) + turns + streams * (ready + latency) + moved
