"""What the descriptors of a layer have in common, worked out once for a timed schedule.

How long an EXECUTE takes, for a layer's splits and kinds of blocks; where the weights of a split begin and how long they
are, for full rounds and the last. And whether all their values fit their fields.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import inlined
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.schedule_columns import (
    ADDRESS,
    FIELD_LOW,
    LANES,
    ORIGIN_X,
    ORIGIN_Y,
    PARAMETER_ROWS,
    PITCH_X,
    PITCH_Y,
    QUEUE,
    STREAM_BEATS,
    WEIGHT_ROWS,
    WIDTH,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.borders import block_rows
from sim.schedule.execute_fields import (
    execute_fields,
    give_lanes,
    move_to_image,
    move_to_round,
)
from sim.schedule.listing import HOLDS, overflows
from sim.schedule.order import one_set
from sim.schedule.transfer_fields import first_stored, split_rows, weights_fields
from sim.spec.descriptor import Queue
from sim.timing.cycles import Clock, execute_durations

# Rows: of the descriptor in work, by what it is; of the largest values of all tile transfers.
WEIGHTS, INPUT, PACKED, OUTPUT, WINDOWS, LARGEST = range(6)
ROW_COUNT = 6

# Of an EXECUTE of a round: cycles to the end of issue and to done, of full rounds and of the last; whether it has
# a single set of windows.
ISSUE, DRAIN, LAST_ISSUE, LAST_DRAIN, ONE_SET = range(5)
EXECUTE_COLUMNS = 5

# Of a split's weights, in full rounds and in the last: where they begin in memory and among the layer's rows, in
# round 0 and in the last; their beats.
BEGIN, PLACE, LENGTH, LAST_BEGIN, LAST_PLACE, LAST_LENGTH, OWN_PARAMETERS, OWN_ROWS = range(8)
SPLIT_COLUMNS = 8


class Timing(NamedTuple):
    """A run in the making.

    Parameters
    ----------
    rows : int64[ROW_COUNT, len(COLUMNS)]
        Fields of the latest descriptor of every kind, as far as they count.
    executes : int64[n, EXECUTE_COLUMNS]
        EXECUTEs of a layer's round.
    splits : int64[m, SPLIT_COLUMNS]
        Weights of a layer's splits.
    numbers, halves, waited
        Of :class:`sim.schedule.listing.Listing`.
    clock : Clock
    """

    rows: NDArray[np.int64]
    executes: NDArray[np.int64]
    splits: NDArray[np.int64]
    numbers: NDArray[np.int64]
    halves: NDArray[np.int64]
    waited: NDArray[np.int64]
    clock: Clock


@inlined
def prepare(timing, turn, hw, constants):
    """Begin a layer: what its EXECUTEs and weights need; returns whether their values fit their fields."""
    for half in range(2):
        timing.halves[half, HOLDS] = -1
    return _prepare_weights(timing, turn, hw) & _prepare_executes(timing, turn, hw, constants)


@inlined
def _prepare_weights(timing, turn, hw):
    """Fill SPLITS; returns whether the values of all LOADs of weights fit."""
    layer, plan, row = turn.layer, turn.plan, timing.rows[WEIGHTS]
    per_round, end, beyond = turn.per_round, plan[LayerPlan.ROUNDS] - 1, False
    for k in range(plan[LayerPlan.SPLITS]):
        before, _ = split_rows(layer, plan, turn.source[TensorColumn.CHANNELS], k)
        split = timing.splits[k]
        # addresses rise from round to round, lengths are those of the first or the last
        for last in range(2):
            if last and end == 0:
                split[LAST_BEGIN], split[LAST_LENGTH] = split[BEGIN], split[LENGTH]
                split[LAST_PLACE] = split[PLACE]
                continue
            r = end if last else 0
            for j in range(WIDTH):
                row[j] = 0
            row[QUEUE] = Queue.LOAD
            weights_fields(row, layer, plan, turn.source, turn.target, hw, per_round, r, k)
            beyond |= overflows(row)
            place = 0
            if not layer[LayerColumn.SHARED]:
                place = first_stored(plan, r * per_round, row[LANES], before)
            split[LAST_BEGIN if last else BEGIN] = row[ADDRESS]
            split[LAST_LENGTH if last else LENGTH] = row[STREAM_BEATS]
            split[LAST_PLACE if last else PLACE] = place
        split[OWN_PARAMETERS], split[OWN_ROWS] = row[PARAMETER_ROWS], row[WEIGHT_ROWS]
    return not beyond


@inlined
def _prepare_executes(timing, turn, hw, constants):
    """Fill EXECUTES; returns whether the values of all EXECUTEs fit.

    Values rise or stay from the first round of a chunk to its last, from image to image, from pass to pass and
    from block to block, so those of the first and the last are asked.
    """
    plan, row, splits = turn.plan, timing.rows[WINDOWS], turn.plan[LayerPlan.SPLITS]
    across = ceil_div(plan[LayerPlan.TILE_X], plan[LayerPlan.BLOCK_COLUMNS])
    down = turn.sets // splits // across
    high = plan[LayerPlan.HALO_TOP] + plan[LayerPlan.HALO_BOTTOM] > 0
    wide = plan[LayerPlan.HALO_LEFT] + plan[LayerPlan.HALO_RIGHT] > 0
    full = min(turn.per_round, turn.out_groups)
    end = plan[LayerPlan.ROUNDS] - 1
    rest = turn.out_groups - end * turn.per_round
    chunk = min(plan[LayerPlan.CHUNK], plan[LayerPlan.ROUNDS]) - 1
    beyond = False
    for place in range(turn.sets):
        block, k, own = place // splits, place % splits, timing.executes[place]
        y, x = block // across, block % across
        # but for what neighbours keep, blocks that are not the last are alike
        like_y, like_x = y if high or y == down - 1 else 0, x if wide or x == across - 1 else 0
        if like_y != y or like_x != x:
            like = timing.executes[(like_y * across + like_x) * splits + k]
            for j in range(EXECUTE_COLUMNS):
                own[j] = like[j]
            continue
        for j in range(WIDTH):
            row[j] = 0
        row[QUEUE] = Queue.EXECUTE
        first_row, rows = block_rows(plan, y)
        execute_fields(
            row, turn.layer, plan, turn.source, hw, 0, 0, k, first_row, rows,
            x * plan[LayerPlan.BLOCK_COLUMNS],
        )  # fmt: skip
        give_lanes(row, full, hw)
        # no other value is less than 0
        beyond |= row[ORIGIN_Y] < FIELD_LOW[ORIGIN_Y] or row[ORIGIN_X] < FIELD_LOW[ORIGIN_X]
        own[ONE_SET] = one_set(row)
        own[ISSUE], own[DRAIN] = execute_durations(row, hw, constants)
        own[LAST_ISSUE], own[LAST_DRAIN] = own[ISSUE], own[DRAIN]
        if end > 0 and rest < full:
            give_lanes(row, rest, hw)
            own[LAST_ISSUE], own[LAST_DRAIN] = execute_durations(row, hw, constants)
            give_lanes(row, full, hw)
        move_to_round(row, plan, hw.lanes, chunk * turn.per_round)
        images = turn.high - turn.low
        move_to_image(row, (images - 1) * turn.depth, (turn.together - 1) * turn.saved)
        row[ORIGIN_Y] += (plan[LayerPlan.PASSES_Y] - 1) * hw.pes_y * row[PITCH_Y]
        row[ORIGIN_X] += (plan[LayerPlan.PASSES_X] - 1) * hw.pes_x * row[PITCH_X]
        beyond |= overflows(row)
    return not beyond
