"""The timed schedule: totals of a planned network's run, found without a list of its descriptors.

The order, the tokens and the fields are those of :mod:`sim.schedule.order`, the times those of
:mod:`sim.timing.cycles`. What many descriptors have in common comes from :mod:`sim.schedule.prepared`; of a transfer only the
fields that its duration depends on are kept, in a row that the next one overwrites.
"""

import numpy as np

from sim.arrays.kernel import in_place, inlined, kernel
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.schedule_columns import (
    ADDRESS,
    KIND,
    LANES,
    PARAMETER_ROWS,
    QUEUE,
    STORE,
    STREAM_BEATS,
    WEIGHT_ROWS,
    WIDTH,
)
from sim.arrays.tables import LayerColumn, TensorColumn
from sim.arrays.weight_stream import stream_beats
from sim.mapping.descriptor_counts import most_descriptors, most_templates
from sim.schedule.listing import (
    ALL_ROWS,
    COUNT,
    EXECUTED,
    FILLED,
    HALF,
    HOLDS,
    LOADED,
    LOADED_BY,
    STORED,
    USED_BY,
    empty_listing,
    overflows,
)
from sim.schedule.order import (
    first_input,
    first_output,
    first_together,
    input_form,
    last_round,
    layer_of_turn,
    made_groups,
    read_groups,
    turn_of,
)
from sim.schedule.prepared import (
    BEGIN,
    DRAIN,
    EXECUTE_COLUMNS,
    INPUT,
    ISSUE,
    LARGEST,
    LAST_BEGIN,
    LAST_DRAIN,
    LAST_ISSUE,
    LAST_LENGTH,
    LAST_PLACE,
    LENGTH,
    ONE_SET,
    OUTPUT,
    OWN_PARAMETERS,
    OWN_ROWS,
    PACKED,
    PLACE,
    ROW_COUNT,
    SPLIT_COLUMNS,
    WEIGHTS,
    Timing,
    prepare,
)
from sim.schedule.transfer_fields import gather_fields, is_stored, pe_columns, tile_fields
from sim.spec.descriptor import ExecuteOp, LoadKind, LoadStore, Queue
from sim.timing.calibration import Constant
from sim.timing.cycles import FREE, LAST, clock_at_doorbell, dispatch, note, totals
from sim.timing.transfers import load, store

__all__ = ["time_schedule"]


@kernel
def time_schedule(layers, tensors, hw, lp, tp, constants, cold):
    """Walk over a planned network's schedule without making it.

    Parameters
    ----------
    layers, tensors, hw, lp, tp, cold
        As of :func:`sim.schedule.schedule.build_schedule`.
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.

    Returns
    -------
    fits : bool
        Whether every value is in the range of its field, as :func:`sim.schedule.listing.first_overflow` asks.
    cycles, execute_busy, read_bytes, write_bytes, store_bytes : int
        As of :func:`sim.timing.cycles.totals`.
    """
    splits = 1
    for i in range(layers.shape[0]):
        splits = max(splits, lp[i, LayerPlan.SPLITS])
    listing = empty_listing(ROW_COUNT, 0, 0 if cold else ALL_ROWS)
    timing = Timing(
        listing.rows,
        np.empty((most_templates(lp), EXECUTE_COLUMNS), np.int64),
        np.empty((splits, SPLIT_COLUMNS), np.int64),
        listing.numbers,
        listing.halves,
        listing.waited,
        clock_at_doorbell(hw, constants, most_descriptors(lp, tp, hw.pes_y * hw.pes_x, hw.images)),
    )
    for kind in range(ROW_COUNT):
        _clear(timing.rows[kind])
    timing.rows[INPUT, QUEUE], timing.rows[INPUT, KIND] = Queue.LOAD, LoadKind.TILE
    timing.rows[OUTPUT, QUEUE] = Queue.STORE
    fits = True
    cut = first_together(lp, hw.images)
    for place in range(cut * (hw.images - 1) + layers.shape[0]):
        i, low = layer_of_turn(place, cut, hw.images)
        fits &= _run(timing, i, low, layers, tensors, hw, lp, tp, constants)
    fits &= not overflows(timing.rows[LARGEST])
    cycles, busy, read, written, stored = totals(hw, constants, timing.clock)
    return fits, cycles, busy, read, written, stored


@inlined
def _run(timing, i, low, layers, tensors, hw, lp, tp, constants):
    """Run layer ``i`` for the images of a turn; returns whether values fit, but those of tile transfers."""
    turn = turn_of(i, low, layers, tensors, hw, lp, tp)
    fits = prepare(timing, turn, hw, constants)
    plan, op, splits = turn.plan, turn.layer[LayerColumn.OP], turn.plan[LayerPlan.SPLITS]
    block_beats = 0
    if not turn.layer[LayerColumn.SHARED]:
        parameters, rows = plan[LayerPlan.PARAMETER_ROWS], plan[LayerPlan.WEIGHT_ROWS]
        block_beats = stream_beats(turn.per_round, parameters, rows, hw.simd, hw)
    for p in range(plan[LayerPlan.PASSES_Y] * plan[LayerPlan.PASSES_X]):
        for r in range(plan[LayerPlan.ROUNDS]):
            first, last = r - r % plan[LayerPlan.CHUNK], last_round(plan, r)
            # CONV reads all its input groups in every round
            loads = r == (0 if op == ExecuteOp.CONV else first)
            begins = r == first
            for start in range(turn.low, turn.high, turn.together):
                k = 0
                for place in range(turn.sets):
                    _load_weights(timing, turn, hw, constants, r, k, block_beats)
                    if loads:
                        _load_tiles(timing, turn, tensors, tp, hw, constants, p, first)
                        loads = False
                    high = min(turn.high, start + turn.together)
                    follows = k > 0 and high - start == 1 and timing.executes[place, ONE_SET] == 1
                    for _ in range(start, high):
                        _execute(
                            timing,
                            constants,
                            place,
                            r == plan[LayerPlan.ROUNDS] - 1,
                            begins or follows,
                        )
                        begins = False
                    k = k + 1 if k + 1 < splits else 0
            if r == last and tp[turn.number + 1, TensorPlan.STORED]:
                _store_tiles(timing, turn, tp, hw, constants, p, first)
    return fits


@in_place
def _after(timing, source, target, producer, constants, begin):
    """Earliest start, from ``begin`` on, of a descriptor of queue ``target`` that needs ``producer`` of ``source``."""
    if producer <= timing.waited[source, target]:
        return begin
    timing.waited[source, target] = producer
    return max(begin, timing.clock.done[producer] + constants[Constant.TOKEN])


@in_place
def _load(timing, row, begin, hw, constants):
    """Run a LOAD; returns its number."""
    clock, number = timing.clock, timing.numbers[COUNT]
    free, done = load(row, hw, constants, clock.loads, begin)
    clock.queues[Queue.LOAD, FREE] = free
    note(Queue.LOAD, number, begin, done, constants, clock)
    timing.numbers[COUNT] = number + 1
    return number


@inlined
def _load_weights(timing, turn, hw, constants, r, k, block_beats):
    """Make HALF the half with the weights of split ``k`` of round ``r``; LOAD them if none has them."""
    numbers, halves, plan = timing.numbers, timing.halves, turn.plan
    shared = turn.layer[LayerColumn.SHARED]
    block = 0 if shared else r * plan[LayerPlan.SPLITS] + k
    if halves[numbers[HALF], HOLDS] == block:
        return
    numbers[HALF] ^= 1
    half = numbers[HALF]
    if halves[half, HOLDS] == block:
        return
    row, split = timing.rows[WEIGHTS], timing.splits[k]
    active = 1
    if not shared:
        active = min(turn.per_round, turn.out_groups - r * turn.per_round)
    if r == plan[LayerPlan.ROUNDS] - 1:
        row[ADDRESS], row[STREAM_BEATS] = split[LAST_BEGIN], split[LAST_LENGTH]
        place = split[LAST_PLACE]
    else:
        row[ADDRESS] = split[BEGIN] + r * block_beats * hw.bus_bytes
        row[STREAM_BEATS] = split[LENGTH]
        place = split[PLACE] + r * turn.per_round * (
            plan[LayerPlan.PARAMETER_ROWS] + plan[LayerPlan.WEIGHT_ROWS]
        )
    row[LANES] = active
    row[PARAMETER_ROWS], row[WEIGHT_ROWS] = split[OWN_PARAMETERS], split[OWN_ROWS]
    row[STORE] = 0
    own = active * (split[OWN_PARAMETERS] + split[OWN_ROWS])
    if is_stored(plan, place, own):
        row[STORE] = LoadStore.READ
        if plan[LayerPlan.STORE_ROW] + place >= numbers[FILLED]:
            # rows are first read in their order
            row[STORE] = LoadStore.FILL
            numbers[FILLED] = plan[LayerPlan.STORE_ROW] + place + own
    begin = max(
        dispatch(Queue.LOAD, constants, timing.clock), timing.clock.queues[Queue.LOAD, FREE]
    )
    begin = _after(timing, Queue.EXECUTE, Queue.LOAD, halves[half, USED_BY], constants, begin)
    halves[half, HOLDS] = block
    halves[half, LOADED_BY] = _load(timing, row, begin, hw, constants)


@inlined
def _execute(timing, constants, place, last, drains):
    """EXECUTE a split of a block for an image; ``drains``: once the pipeline is empty."""
    numbers, halves, clock = timing.numbers, timing.halves, timing.clock
    half, number, executes = numbers[HALF], numbers[COUNT], timing.executes
    own = clock.queues[Queue.EXECUTE]
    begin = max(dispatch(Queue.EXECUTE, constants, clock), own[FREE])
    if drains:
        begin = max(begin, own[LAST] + constants[Constant.EXECUTE_AFTER_DRAIN])
    loaded = max(halves[half, LOADED_BY], numbers[LOADED])
    begin = _after(timing, Queue.LOAD, Queue.EXECUTE, loaded, constants, begin)
    begin = _after(timing, Queue.STORE, Queue.EXECUTE, numbers[STORED], constants, begin)
    own[FREE] = (
        begin + executes[place, LAST_ISSUE if last else ISSUE] + constants[Constant.EXECUTE_NEXT]
    )
    done = begin + executes[place, LAST_DRAIN if last else DRAIN]
    note(Queue.EXECUTE, number, begin, done, constants, clock)
    numbers[COUNT] = number + 1
    halves[half, USED_BY] = numbers[EXECUTED] = number


@inlined
def _load_tiles(timing, turn, tensors, tp, hw, constants, p, first):
    """LOAD what a chunk reads of every operand that is not on chip, for every PE and image."""
    layer, plan, numbers = turn.layer, turn.plan, timing.numbers
    in_y, in_x = plan[LayerPlan.IN_TILE_Y], plan[LayerPlan.IN_TILE_X]
    group, groups = read_groups(turn, first)
    for operand in range(2):
        if not plan[LayerPlan.LOADED2 if operand else LayerPlan.LOADED]:
            continue
        t = layer[LayerColumn.INPUT2 if operand else LayerColumn.INPUT]
        local_row = plan[LayerPlan.IN2_ROW if operand else LayerPlan.IN_ROW]
        plane = plan[LayerPlan.IN2_PLANE if operand else LayerPlan.IN_PLANE]
        packed, shared = input_form(turn, tensors, tp, hw, t)
        columns, pitch = pe_columns(layer, plan)
        row = timing.rows[PACKED if packed else INPUT]
        pes_x = 1 if plan[LayerPlan.IN_STRIPS] or shared else hw.pes_x
        for image in range(turn.low, turn.high):
            for pe_y in range(hw.pes_y):
                for pe_x in range(pes_x):
                    y, x, sharing = first_input(turn, hw, p, pe_y, pe_x, shared)
                    if sharing == 0:
                        continue
                    if packed:
                        _clear(row)
                        row[QUEUE], row[KIND] = Queue.LOAD, LoadKind.TILE
                        some = gather_fields(
                            row, layer, tensors[t], tp[t], hw, image, y, x, in_y, columns, sharing,
                            pitch, 0, local_row,
                        )  # fmt: skip
                    else:
                        some = tile_fields(
                            row, tensors[t], tp[t], hw.bus_bytes, image * turn.in_groups + group,
                            groups, y, x, in_y, in_x, 0, local_row, plane,
                        )  # fmt: skip
                    if not some:
                        continue
                    _widen(timing, row)
                    ready = dispatch(Queue.LOAD, constants, timing.clock)
                    begin = max(ready, timing.clock.queues[Queue.LOAD, FREE])
                    begin = _after(
                        timing, Queue.EXECUTE, Queue.LOAD, numbers[EXECUTED], constants, begin
                    )
                    begin = _after(
                        timing, Queue.STORE, Queue.LOAD, numbers[STORED], constants, begin
                    )
                    numbers[LOADED] = _load(timing, row, begin, hw, constants)


@inlined
def _store_tiles(timing, turn, tp, hw, constants, p, first):
    """STORE what a chunk made, for every PE and image."""
    plan, numbers, row = turn.plan, timing.numbers, timing.rows[OUTPUT]
    group, groups = made_groups(turn, first)
    strip = tp[turn.number + 1, TensorPlan.STRIPS] == 1
    columns = turn.target[TensorColumn.WIDTH] if strip else plan[LayerPlan.TILE_X]
    own = timing.clock.queues[Queue.STORE]
    for image in range(turn.low, turn.high):
        for pe_y in range(hw.pes_y):
            for pe_x in range(1 if strip else hw.pes_x):
                y, x = first_output(plan, hw, p, pe_y, pe_x)
                if not tile_fields(
                    row, turn.target, tp[turn.number + 1], hw.bus_bytes,
                    image * turn.out_groups + group, groups, y, x, plan[LayerPlan.TILE_Y], columns,
                    0, plan[LayerPlan.OUT_ROW], plan[LayerPlan.OUT_PLANE],
                ):  # fmt: skip
                    continue
                _widen(timing, row)
                begin = max(dispatch(Queue.STORE, constants, timing.clock), own[FREE])
                begin = _after(
                    timing, Queue.EXECUTE, Queue.STORE, numbers[EXECUTED], constants, begin
                )
                own[FREE], done = store(row, hw, constants, timing.clock.stores, begin)
                note(Queue.STORE, numbers[COUNT], begin, done, constants, timing.clock)
                numbers[STORED] = numbers[COUNT]
                numbers[COUNT] += 1


@in_place
def _clear(row):
    for j in range(WIDTH):
        row[j] = 0


@in_place
def _widen(timing, row):
    """Note a tile transfer's values where they are the largest so far."""
    largest = timing.rows[LARGEST]
    for j in range(WIDTH):
        largest[j] = max(largest[j], row[j])
