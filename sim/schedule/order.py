"""The program order: which descriptors a mapped network has, and in which order.

* Weights go alternately to the two register-file halves; a half is refilled once the last
  EXECUTE that used it is done. What a half still holds is not loaded again.
* Weights with a place in the weight store are read from it, once this run or a run before has filled it.
* A layer's activation table is loaded behind its first weights, once the last EXECUTE that used another is done.
* Activation LOADs and STOREs own the local memories' ports: they wait for all EXECUTEs before
  them, and EXECUTEs wait for them.
* A token is posted only where it is waited for, so a program ends with no token left.
* Where the next image's input is to come meanwhile, the first layer finds its own on chip.
* Images of a program that go through a layer together take turns with every EXECUTE, so that they
  use the same weights; each has an equal part of every bank and of the accumulator rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.geometry import ceil_div, groups_of, pixel_lanes
from sim.arrays.kernel import in_place, inlined
from sim.arrays.network_input import gathered
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.schedule_columns import (
    ALL_COLUMNS,
    BANK,
    FINAL,
    HOLD,
    IMAGE,
    KIND,
    LANES,
    OP,
    PARAMETER_ROWS,
    PE_X,
    PE_Y,
    PIXELS,
    ROUND,
    SAVE,
    SOURCES,
    SPREAD,
    STORE,
    STORE_ROW,
    STORE_SLACK,
    WAIT_DRAIN,
    WEIGHT_ROWS,
    WIDTH,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
)
from sim.arrays.schedule_columns import HALF as HALF_FIELD
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.mapping.bank_ports import drained_hold
from sim.mapping.descriptor_counts import sets_of
from sim.mapping.execution import read_channels
from sim.mapping.joined import is_joined
from sim.mapping.splits import share_rows
from sim.schedule.execute_fields import (
    move_to_image,
    move_to_round,
    move_to_vector,
    variants_of,
)
from sim.schedule.listing import (
    COUNT,
    EXECUTED,
    FETCHED,
    FILLED,
    FIRST,
    HALF,
    HOLDS,
    LAST_BANK_STORE,
    LOADED,
    LOADED_BY,
    PIECE,
    STORED,
    STORING,
    TABLE_USED,
    TO_FETCH,
    USED_BY,
    add,
    begin,
    check_templates,
    require,
    run,
)
from sim.schedule.next_input import NextInput, fetch_beside, note_execute, note_weights
from sim.schedule.templates import fill_templates, first_output, move_templates, next_pe
from sim.schedule.transfer_fields import (
    factors_fields,
    gather_fields,
    mosaic_fields,
    pe_columns,
    shares_rows,
    table_fields,
    tile_fields,
    weights_fields,
)
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadStore, Queue
from sim.spec.network import FACTOR_BYTES
from sim.timing.cycles import last_stores

__all__ = ["list_turn"]


class Turn(NamedTuple):
    """A layer's run for the images that go through it together.

    Parameters
    ----------
    number : int
        The layer's.
    layer, plan : int64[n]
        Its rows of the layer table and of the layer plan.
    source, target : int64[len(TensorColumn)]
        Its first input and its output in the tensor table.
    low, high : int
        It runs for images low … high - 1.
    depth : int
        Vectors of a bank that an image has.
    together, saved : int
        Images that go through a block together; accumulator rows that each of them has.
    sets : int
        Blocks times splits: EXECUTEs of a round for one image.
    per_round : int
        Output channel groups of a round.
    in_groups, out_groups : int
        Channel groups of the first input and of the output.
    ahead : NextInput
        Of the next image.
    """

    number: int
    layer: NDArray[np.int64]
    plan: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    low: int
    high: int
    depth: int
    together: int
    saved: int
    sets: int
    per_round: int
    in_groups: int
    out_groups: int
    ahead: NextInput


@in_place
def list_turn(i, low, layers, tensors, hw, lp, tp, listing, timed, constants, clock):
    """Make the descriptors of layer ``i`` for the images from ``low`` on that go through it together.

    With ``timed`` those of a round are run and forgotten before the next round. Values that rounds of a chunk
    move rise or stay, so those of the first and the last are checked, and the others in the templates.
    """
    layer, plan = layers[i], lp[i]
    source, target = tensors[layer[LayerColumn.INPUT]], tensors[i + 1]
    images = plan[LayerPlan.IMAGES]
    together, saved = images, 0
    if plan[LayerPlan.SPLITS] > 1:
        together, saved = share_rows(images, hw.accumulator_rows)
    if plan[LayerPlan.FACTORS]:  # each has weights of its own
        together = 1
    turn = Turn(
        i,
        layer,
        plan,
        source,
        target,
        low,
        low + images,
        hw.bank_depth // images,
        together,
        saved,
        sets_of(plan),
        hw.lanes // plan[LayerPlan.PIXELS] * max(1, plan[LayerPlan.SPREAD]),
        groups_of(source[TensorColumn.CHANNELS], hw.simd),
        groups_of(target[TensorColumn.CHANNELS], hw.simd),
        NextInput(layers[0], lp[0], tensors[0], tensors[1], tp[0]),
    )
    for half in range(2):
        listing.halves[half, HOLDS] = -1
    variants = variants_of(layer, plan, read_channels(layer, source, hw), hw)
    pass_y, pass_x = 0, 0
    for p in range(plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]):
        for r in range(plan[LayerPlan.ROUNDS]):
            if variants > 1 or p + r == 0:
                fill_templates(listing, turn, hw, pass_y, pass_x, p, r % variants)
            elif r == 0:  # all but the place in the image is as it was
                move_templates(listing, turn, hw, pass_x, p)
            if timed and (variants > 1 or r == 0):
                check_templates(listing, turn.sets)
            _list_round(listing, turn, tensors, tp, hw, p, r)
            if timed:
                ends = r % plan[LayerPlan.CHUNK] == 0 or r == _last_round(plan, r)
                run(listing, ends, hw, constants, clock)
        pass_x += 1
        if pass_x == plan[LayerPlan.PASSES_X]:
            pass_y, pass_x = pass_y + 1, 0


@in_place
def _last_round(plan, r):
    """Last round of the chunk of round ``r``."""
    first = r - r % plan[LayerPlan.CHUNK]
    return min(first + plan[LayerPlan.CHUNK], plan[LayerPlan.ROUNDS]) - 1


@inlined
def _list_round(listing, turn, tensors, tp, hw, p, r):
    """Descriptors of round ``r`` of pass ``p``."""
    plan, op = turn.plan, turn.layer[LayerColumn.OP]
    first, last = r - r % plan[LayerPlan.CHUNK], _last_round(plan, r)
    # CONV reads all its input groups in every round
    loads = r == (0 if op == ExecuteOp.CONV else first)
    place, k, low = 0, 0, turn.low
    while low < turn.high:
        begins = place == 0 and low == turn.low
        if plan[LayerPlan.FACTORS]:
            _load_factors(listing, turn, tp, hw, r, low)
        else:
            _load_weights(listing, turn, hw, r, k)
        if p == 0 and r == 0 and begins and plan[LayerPlan.TABLE_ADDRESS] > 0:
            _load_table(listing, turn, hw)
        if begins and loads:
            _load_tiles(listing, turn, tensors, tp, hw, p, first)
        if listing.numbers[FETCHED] < listing.numbers[TO_FETCH]:
            fetch_beside(listing, turn.ahead, hw, turn.number)
        _execute(listing, turn, hw, r, first, last, place, k, low, begins and r == first)
        k = k + 1 if k + 1 < plan[LayerPlan.SPLITS] else 0
        place += 1
        if place == turn.sets:
            place, low = 0, low + turn.together
    if r == last:
        _store_tiles(listing, turn, tensors, tp, hw, p, first)


@inlined
def _load_weights(listing, turn, hw, r, k):
    """Make HALF the half with the weights of split ``k`` of round ``r``; LOAD them if none has them."""
    numbers, halves = listing.numbers, listing.halves
    shared = turn.layer[LayerColumn.SHARED]
    alike = r % (FACTOR_BYTES // turn.per_round) if turn.layer[LayerColumn.INTERLEAVES] else r
    block = 0 if shared else alike * turn.plan[LayerPlan.SPLITS] + k
    if halves[numbers[HALF], HOLDS] == block:
        return
    numbers[HALF] ^= 1
    half = numbers[HALF]
    if halves[half, HOLDS] == block:
        return
    row = listing.rows[begin(listing, Queue.LOAD, turn.number)]
    row[HALF_FIELD] = half
    weights_fields(row, turn.layer, turn.plan, turn.source, turn.target, hw, turn.per_round, r, k)
    if row[STORE] == LoadStore.READ and row[STORE_ROW] >= numbers[FILLED]:
        # rows are first read in their order
        row[STORE] = LoadStore.FILL
        own = row[PARAMETER_ROWS] + row[WEIGHT_ROWS]
        numbers[FILLED] = row[STORE_ROW] + row[LANES] * own
    require(listing, row, Queue.EXECUTE, halves[half, USED_BY])
    if numbers[TO_FETCH] > 0:
        note_weights(listing, hw, row)
    halves[half, HOLDS] = block
    halves[half, LOADED_BY] = add(listing)


@inlined
def _load_factors(listing, turn, tp, hw, r, image):
    """Make HALF the half with the factors of round ``r`` of an image's product; LOAD them if none has them.

    They are there once they are stored. The parameters, which all rounds share, stay in the half.
    """
    numbers, halves = listing.numbers, listing.halves
    block = r * (turn.high - turn.low) + image - turn.low
    if halves[numbers[HALF], HOLDS] == block:
        return
    numbers[HALF] ^= 1
    half = numbers[HALF]
    if halves[half, HOLDS] == block:
        return
    if halves[half, HOLDS] < 0:
        row = listing.rows[begin(listing, Queue.LOAD, turn.number)]
        row[HALF_FIELD] = half
        weights_fields(
            row, turn.layer, turn.plan, turn.source, turn.target, hw, turn.per_round, r, 0
        )
        require(listing, row, Queue.EXECUTE, halves[half, USED_BY])
        if numbers[TO_FETCH] > 0:
            note_weights(listing, hw, row)
        add(listing)
    row = listing.rows[begin(listing, Queue.LOAD, turn.number)]
    row[HALF_FIELD] = half
    factors = tp[turn.layer[LayerColumn.FACTORS]]
    factors_fields(row, turn.plan, factors, turn.target, hw, turn.per_round, r, image)
    require(listing, row, Queue.EXECUTE, halves[half, USED_BY])
    require(listing, row, Queue.STORE, numbers[STORED])
    if numbers[TO_FETCH] > 0:
        note_weights(listing, hw, row)
    halves[half, HOLDS] = block
    halves[half, LOADED_BY] = add(listing)


@inlined
def _load_table(listing, turn, hw):
    """LOAD the layer's activation table, for which all its EXECUTEs wait."""
    row = listing.rows[begin(listing, Queue.LOAD, turn.number)]
    table_fields(row, turn.plan, hw)
    require(listing, row, Queue.EXECUTE, listing.numbers[TABLE_USED])
    if listing.numbers[TO_FETCH] > 0:
        note_weights(listing, hw, row)
    listing.numbers[LOADED] = add(listing)


@in_place
def _load_tiles(listing, turn, tensors, tp, hw, p, first):
    """LOAD what a chunk reads of every operand that is not on chip, for every PE and image."""
    layer, plan, op = turn.layer, turn.plan, turn.layer[LayerColumn.OP]
    pes = hw.pes_y * hw.pes_x
    in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
    group, groups = 0, turn.in_groups
    top, left = first_output(plan, hw, p)
    if op != ExecuteOp.CONV:
        group = first * turn.per_round
        groups = min(plan[LayerPlan.CHUNK] * turn.per_round, turn.in_groups - group)
    for operand in range(2):
        if not plan[LayerPlan.LOADED2 if operand else LayerPlan.LOADED]:
            continue
        t = layer[LayerColumn.INPUT2 if operand else LayerColumn.INPUT]
        local = plan[LayerPlan.IN2_ADDRESS if operand else LayerPlan.IN_ADDRESS]
        local_row = plan[LayerPlan.IN2_ROW if operand else LayerPlan.IN_ROW]
        plane = plan[LayerPlan.IN2_PLANE if operand else LayerPlan.IN_PLANE]
        if t == 0 and listing.numbers[TO_FETCH] > 0:
            continue
        packed = t == 0 and gathered(layer, tensors[t], hw.simd)
        columns, pitch = pe_columns(layer, plan)
        # a LOAD for all PEs of a row, each of which takes its part
        shared = packed and not plan[LayerPlan.IN_STRIPS]
        shared &= shares_rows(layer, tp[t, TensorPlan.PIXEL_BYTES], hw, columns, pitch)
        alone = plan[LayerPlan.IN_STRIPS] > 0 or shared
        image, pe_y, pe_x = turn.low, 0, -1
        for _ in range((turn.high - turn.low) * pes):
            image, pe_y, pe_x = next_pe(image, pe_y, pe_x, hw)
            if alone and pe_x > 0:
                continue
            y, x = top + pe_y * plan[LayerPlan.TILE_Y], left + pe_x * plan[LayerPlan.TILE_X]
            sharing = 1
            if shared:
                sharing = hw.pes_x
                if op != ExecuteOp.POOL:
                    rest = turn.target[TensorColumn.WIDTH] - x
                    sharing = min(sharing, ceil_div(rest, plan[LayerPlan.TILE_X]))
            if op == ExecuteOp.POOL:
                y, x = pe_y * in_y, pe_x * in_x
            elif y >= turn.target[TensorColumn.HEIGHT] or x >= turn.target[TensorColumn.WIDTH]:
                continue
            if op < ExecuteOp.ADD:
                y = y * layer[LayerColumn.STRIDE_Y] - layer[LayerColumn.PAD_Y]
                x = x * layer[LayerColumn.STRIDE_X] - layer[LayerColumn.PAD_X]
            row = listing.rows[begin(listing, Queue.LOAD, turn.number)]
            place = local + (image - turn.low) * turn.depth
            if packed:
                some = gather_fields(
                    row, layer, tensors[t], tp[t], hw, image, y, x, in_y, columns, sharing, pitch,
                    place, local_row,
                )  # fmt: skip
            else:
                some = tile_fields(
                    row, tensors[t], tp[t], hw.bus_bytes,
                    image * tp[t, TensorPlan.IMAGE_GROUPS] + group, groups,
                    y, x, in_y, in_x, place, local_row, plane,
                )  # fmt: skip
            if not some:
                continue
            row[KIND], row[BANK] = LoadKind.TILE, plan[LayerPlan.IN_BANK]
            row[ALL_COLUMNS] = plan[LayerPlan.IN_STRIPS]
            row[IMAGE], row[PE_Y] = image, pe_y
            row[PE_X] += pe_x
            require(listing, row, Queue.EXECUTE, listing.numbers[EXECUTED])
            require(listing, row, Queue.STORE, listing.numbers[STORED])
            listing.numbers[LOADED] = add(listing)


@inlined
def _execute(listing, turn, hw, r, first, last, place, k, low, begins):
    """EXECUTE split ``k`` of a block for the images from ``low`` on that go through it together.

    ``begins`` says whether no EXECUTE of the chunk is before it.
    """
    numbers, halves, plan = listing.numbers, listing.halves, turn.plan
    half = numbers[HALF]
    high = min(turn.high, low + turn.together)
    active = min(turn.per_round, turn.out_groups - r * turn.per_round)
    loaded = max(halves[half, LOADED_BY], numbers[LOADED])
    for image in range(low, high):
        row = listing.rows[numbers[COUNT] - numbers[FIRST]]
        for j in range(WIDTH):
            row[j] = listing.templates[place, j]
        move_to_round(row, plan, hw.lanes, (r - first) * turn.per_round)
        if turn.layer[LayerColumn.INTERLEAVES]:
            move_to_vector(row, plan, hw.lanes, r * turn.per_round // FACTOR_BYTES)
        move_to_image(row, (image - turn.low) * turn.depth, (image - low) * turn.saved)
        row[IMAGE] = image
        row[HALF_FIELD] = half
        row[ROUND] = r
        row[FINAL] = r == last and place == turn.sets - 1
        if row[FINAL] and image == turn.high - 1:
            row[STORE_SLACK] = 0  # what follows waits for its end
        if not row[SAVE]:
            row[LANES] = active
            if row[SPREAD]:
                row[SOURCES] = ceil_div(active, pixel_lanes(hw.lanes, row[PIXELS]))
                # of fewer sources it has drained earlier
                drained = drained_hold(row[OP], row[PIXELS], last_stores(row))
                row[HOLD] = min(row[HOLD], drained)
        # between two images' sets lies a whole interval, as between two sets of an image
        one_set = row[WINDOW_ROWS] == 1 and row[WINDOW_COLUMNS] <= row[PIXELS]
        follows = k > 0 and high - low == 1 and one_set
        row[WAIT_DRAIN] = (begins and image == turn.low) or follows
        keeps = False
        if numbers[TO_FETCH] > 0:
            keeps = note_execute(listing, turn.ahead, row, hw, turn.number)
            if keeps:
                loaded = max(loaded, numbers[PIECE])
        require(listing, row, Queue.LOAD, loaded)
        require(listing, row, Queue.STORE, numbers[STORED])
        halves[half, USED_BY] = numbers[EXECUTED] = add(listing)
        if plan[LayerPlan.TABLE_ADDRESS] > 0:
            numbers[TABLE_USED] = numbers[EXECUTED]
        if keeps:
            numbers[STORING] = numbers[EXECUTED]


@in_place
def _store_tiles(listing, turn, tensors, tp, hw, p, first):
    """STORE what a chunk made, for every PE and image, if it is to be stored.

    Parts of a concatenation that lie together are stored as a whole, with the last of them.
    """
    plan, t = turn.plan, turn.number + 1
    group = first * turn.per_round
    groups = min(plan[LayerPlan.CHUNK] * turn.per_round, turn.out_groups - group)
    local = plan[LayerPlan.OUT_ADDRESS]
    if is_joined(t, tensors, tp):
        t = tensors[t, TensorColumn.ROOT]
        if tensors[t, TensorColumn.MADE] != turn.number:
            return
        group, groups = 0, tp[t, TensorPlan.IMAGE_GROUPS]
        local = tp[t, TensorPlan.ADDRESS]
    if not tp[t, TensorPlan.STORED]:
        return
    pes = hw.pes_y * hw.pes_x
    strip = tp[t, TensorPlan.STRIPS] == 1
    columns = turn.target[TensorColumn.WIDTH] if strip else plan[LayerPlan.TILE_X]
    top, left = first_output(plan, hw, p)
    image, pe_y, pe_x = turn.low, 0, -1
    for _ in range((turn.high - turn.low) * pes):
        image, pe_y, pe_x = next_pe(image, pe_y, pe_x, hw)
        if strip and pe_x > 0:
            continue
        y, x = top + pe_y * plan[LayerPlan.TILE_Y], left + pe_x * plan[LayerPlan.TILE_X]
        for piece in range(tp[turn.number + 1, TensorPlan.PIECES]):
            row = listing.rows[begin(listing, Queue.STORE, turn.number)]
            place = local + (image - turn.low) * turn.depth
            ahead = image * tp[t, TensorPlan.IMAGE_GROUPS] + group
            if tensors[t, TensorColumn.STEP_Y] > 0:
                some = mosaic_fields(
                    row, tensors[t], tensors[tensors[t, TensorColumn.ROOT]], tp[t], hw.bus_bytes, ahead, groups,
                    y, x, plan[LayerPlan.TILE_Y], columns,
                    place, plan[LayerPlan.OUT_ROW], plan[LayerPlan.OUT_PLANE], piece,
                )  # fmt: skip
            else:
                some = tile_fields(
                    row, tensors[t], tp[t], hw.bus_bytes, ahead, groups,
                    y, x, plan[LayerPlan.TILE_Y], columns,
                    place, plan[LayerPlan.OUT_ROW], plan[LayerPlan.OUT_PLANE],
                )  # fmt: skip
            if not some:
                continue
            row[IMAGE], row[PE_Y], row[PE_X] = image, pe_y, pe_x
            require(listing, row, Queue.EXECUTE, listing.numbers[EXECUTED])
            if groups >= hw.lanes:  # the next image's input is in the last bank
                require(listing, row, Queue.LOAD, listing.numbers[PIECE])
            listing.numbers[STORED] = add(listing)
            if listing.numbers[TO_FETCH] > 0 and groups >= hw.lanes:
                listing.numbers[LAST_BANK_STORE] = listing.numbers[STORED]
