"""Lower bounds of a run: cycles, busy cycles and bytes that no mapping of a network goes below.

EXECUTE works on one layer after another and waits for the drain of each, so layers add up. Of each
layer stands the least that the mapper may choose: the smallest tiles, the pixel lanes that take the
fewest cycles, no halos. Transfers have their own pace. Weights are loaded two blocks ahead, since a
lane's register file holds two: a block's LOAD waits for the EXECUTE that used the block two before,
and its own EXECUTE waits for it. A tensor that with all that must lie beside it exceeds the local
memory is stored and loaded again, while EXECUTE waits.
"""

from typing import NamedTuple

import numpy as np

from sim.arrays.geometry import (
    add_slots,
    aligned,
    ceil_div,
    depthwise_slots,
    groups_of,
    pixel_bytes,
    tile_candidate,
)
from sim.arrays.kernel import in_place, kernel
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.mapping.execution import row_lead, weight_rows
from sim.mapping.splits import choose_split, split_count, split_cycles
from sim.mapping.tile_choice import POWERS, axis
from sim.spec.accelerator import ADD_HOLD, DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.timing.calibration import Constant
from sim.timing.cycles import FETCH_BEATS

__all__ = ["IMPOSSIBLE", "LEAST_COLUMNS", "footprints", "last_readers", "least_figures"]

IMPOSSIBLE = 1 << 60
"""Cycles where a layer's weights fit no register-file half: nothing that can be mapped."""

LEAST_COLUMNS = 4
"""Columns of :func:`least_figures`: cycles, busy cycles of EXECUTE, bytes read, bytes written."""

ADD_PARAMETERS = 3
"""Parameter rows of ADD, as the mapper lays them out."""

_NEVER = -1e15


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
    loads : int
        Times that all of them are loaded, in however many passes.
    """

    issue: float
    last: float
    after: float
    blocks: int
    first_beats: float
    beats: float
    loads: int


class Progress(NamedTuple):
    """Earliest cycles after some layers.

    Parameters
    ----------
    done : float
        EXECUTE's latest descriptor is done.
    other : float
        The latest descriptor that used the other register-file half is done.
    bus : float
        The bus has moved all that was loaded, if it had begun without credit.
    """

    done: float
    other: float
    bus: float


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
        if layer[LayerColumn.OP] < ExecuteOp.ADD:
            height = _touched(
                height,
                target[TensorColumn.HEIGHT],
                layer[LayerColumn.KERNEL_Y],
                layer[LayerColumn.STRIDE_Y],
                layer[LayerColumn.PAD_Y],
            )
            width = _touched(
                width,
                target[TensorColumn.WIDTH],
                layer[LayerColumn.KERNEL_X],
                layer[LayerColumn.STRIDE_X],
                layer[LayerColumn.PAD_X],
            )
        pixels[i] = max(0, height) * max(0, width)
    return pixels


@kernel
def last_readers(layers):
    """Last layer that reads each tensor; n for the network's output : int64[n + 1]."""
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
def _drain(op, constants):
    """Least cycles from the end of a descriptor's issue, its hold included, to its done.

    A last store is done as late as it is; a hold covers the stores after the fourth and CONV's skew.
    """
    drain = constants[Constant.DRAIN_CONV + op] + 1
    return drain - ADD_HOLD if op == ExecuteOp.ADD else drain


@in_place
def _conv(layer, channels, groups, tile_y, tile_x, pixels, hw):
    quads = ceil_div(channels, DOT_WIDTH)
    kernel_y, kernel_x = layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X]
    per_round = hw.lanes // pixels
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
    row_beats = DOT_WIDTH * hw.simd // hw.bus_bytes
    first = rows + REQUANTIZER_PHASES if splits == 1 else tap_rows * tap_columns * size
    beats = groups * (rows + REQUANTIZER_PHASES) * row_beats
    after, loads = last, 1
    if splits > 2:  # the two halves do not hold all splits of a block: each block loads them again
        after, loads = final + hold, blocks
    return Work(
        float(issue),
        float(last),
        float(after),
        rounds * splits,
        float(min(per_round, groups) * first * row_beats),
        float(beats),
        loads,
    )


@in_place
def _work(layer, source, target, pixels, hw, constants):
    """Least :class:`Work` of a layer."""
    op = layer[LayerColumn.OP]
    channels = source[TensorColumn.CHANNELS]
    groups = groups_of(target[TensorColumn.CHANNELS], hw.simd)
    tile_y = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
    tile_x = ceil_div(target[TensorColumn.WIDTH], hw.pes_x)
    if op == ExecuteOp.CONV:
        return _conv(layer, channels, groups, tile_y, tile_x, pixels, hw)
    rounds = ceil_div(groups, hw.lanes // pixels)
    hold, lead, hops = 0, 0, 0
    if op == ExecuteOp.DEPTHWISE:
        slots = depthwise_slots(
            layer[LayerColumn.KERNEL_Y], layer[LayerColumn.KERNEL_X], layer[LayerColumn.STRIDE_X]
        )
        lead = row_lead(layer, max(slots, REQUANTIZER_PHASES))
    elif op == ExecuteOp.ADD:
        slots = add_slots(pixels)
        hold = ADD_HOLD
    else:
        slots = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
        slots *= ceil_div(source[TensorColumn.WIDTH], hw.pes_x)
        hops = constants[Constant.POOL_HOP] * (hw.pes_x + hw.pes_y - 2)
    cycles = max(slots, REQUANTIZER_PHASES)
    last = tile_y * (ceil_div(tile_x, pixels) * cycles + lead) + hold + hops
    rows = weight_rows(layer, channels)
    rows += ADD_PARAMETERS if op == ExecuteOp.ADD else REQUANTIZER_PHASES
    row_beats = DOT_WIDTH * hw.simd // hw.bus_bytes
    shared = layer[LayerColumn.SHARED] != 0
    in_first = 1 if shared else min(groups, hw.lanes // pixels)
    return Work(
        float(rounds * last),
        float(last),
        float(rounds * last if shared else last),
        1 if shared else rounds,
        float(in_first * rows * row_beats),
        float((1 if shared else groups) * rows * row_beats),
        1,
    )


@in_place
def _tile_vectors(tensor, hw):
    """Least vectors of a bank that a tensor takes that lies in local memory as a whole."""
    planes = ceil_div(groups_of(tensor[TensorColumn.CHANNELS], hw.simd), hw.lanes)
    return (
        planes
        * ceil_div(tensor[TensorColumn.HEIGHT], hw.pes_y)
        * ceil_div(tensor[TensorColumn.WIDTH], hw.pes_x)
    )


@in_place
def _operand_vectors(layer, source, target, hw):
    """Least vectors of a bank that an operand takes when a layer runs in one pass."""
    op = layer[LayerColumn.OP]
    rows = ceil_div(source[TensorColumn.HEIGHT], hw.pes_y)
    columns = ceil_div(source[TensorColumn.WIDTH], hw.pes_x)
    if op < ExecuteOp.ADD:
        tile_y = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
        tile_x = ceil_div(target[TensorColumn.WIDTH], hw.pes_x)
        rows = min(rows, (tile_y - 1) * layer[LayerColumn.STRIDE_Y] + layer[LayerColumn.KERNEL_Y])
        columns = min(
            columns, (tile_x - 1) * layer[LayerColumn.STRIDE_X] + layer[LayerColumn.KERNEL_X]
        )
    return ceil_div(groups_of(source[TensorColumn.CHANNELS], hw.simd), hw.lanes) * rows * columns


@in_place
def _passes(layer, source, target, hw):
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
    pixels = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
    pixels *= ceil_div(target[TensorColumn.WIDTH], hw.pes_x)
    return ceil_div(pixels, max(1, hw.bank_depth // (operands + 1)))


@in_place
def _meets(size_in, size_out, kernel_size, stride, pad):
    """Whether each window of a layer has a row (or column) in the image."""
    return kernel_size > pad and (size_out - 1) * stride - pad < size_in


@in_place
def _every_pass_loads(layer, source, target):
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
def _beats(tensor, pixels, hw):
    """Bus beats of some pixels of a tensor with all their channels."""
    channels = tensor[TensorColumn.CHANNELS]
    size = pixel_bytes(channels, hw.simd, hw.bus_bytes) // hw.bus_bytes
    return float(pixels * groups_of(channels, hw.simd) * size)


@in_place
def _need(i, layers, tensors, hw):
    """Least vectors of a bank that layer ``i`` takes when it runs in one pass."""
    layer, target = layers[i], tensors[i + 1]
    a, b = layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]
    need = _tile_vectors(target, hw) + _operand_vectors(layer, tensors[a], target, hw)
    if b != a:
        need += _operand_vectors(layer, tensors[b], target, hw)
    return need


@in_place
def _aligns(layer, size_in, size_out, pes, vertical):
    """Whether along an axis some tile of an input, among the mapper's, serves some tile of the output."""
    kernel_size, stride, pad = axis(layer, vertical)
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
def _stays(layer, source, target, hw):
    """Whether a layer's input can be read where it was made, in local memory."""
    return _aligns(
        layer, source[TensorColumn.HEIGHT], target[TensorColumn.HEIGHT], hw.pes_y, True
    ) and _aligns(layer, source[TensorColumn.WIDTH], target[TensorColumn.WIDTH], hw.pes_x, False)


@in_place
def _lose(i, layers, tensors, readers, hw, lost):
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
        if tiled or (beside and need + _tile_vectors(tensors[t], hw) > hw.bank_depth):
            lost[t] = True
    if tiled:
        lost[i + 1] = True
    return tiled


@in_place
def _loaded_beats(layer, target, tensors, pixels, hw, lost):
    """Bus beats of the operands of a layer that are not in local memory."""
    beats = 0.0
    a, b = layer[LayerColumn.INPUT], layer[LayerColumn.INPUT2]
    if lost[a] or not _stays(layer, tensors[a], target, hw):
        beats += _beats(tensors[a], pixels, hw)
    two = layer[LayerColumn.OP] == ExecuteOp.ADD
    if two and (lost[b] or not _stays(layer, tensors[b], target, hw)):
        beats += _beats(tensors[b], pixels, hw)
    return beats


@kernel
def least_figures(layers, tensors, pixels, readers, accelerators, constants):
    """Lower bounds of a network's run on accelerators, for one image on the fixed memory.

    Parameters
    ----------
    layers, tensors : int64 arrays
        Tables of :mod:`sim.arrays.tables`, of one form of the network.
    pixels, readers : int64[n], int64[n + 1]
        Of :func:`footprints` and :func:`last_readers`.
    accelerators : int64[m, 11]
        Rows with the fields of :class:`sim.arrays.tables.Hw`.
    constants : int64[n_constants]
        :attr:`sim.timing.calibration.Calibration.array`.

    Returns
    -------
    float64[m, LEAST_COLUMNS]
        Cycles (:data:`IMPOSSIBLE` where nothing can be mapped), busy cycles, bytes read, written.
    """
    m, n = accelerators.shape[0], layers.shape[0]
    figures = np.empty((m, LEAST_COLUMNS), np.float64)
    lost = np.empty(n + 1, np.bool_)
    stored = np.empty(n + 1, np.float64)
    for j in range(m):
        row = accelerators[j]
        hw = Hw(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10]
        )  # fmt: skip
        # A tensor is stored when it is made, which is before the layer at which it is lost.
        for t in range(n + 1):
            lost[t] = t == 0 or t == n
            stored[t] = 0.0
        for i in range(n):
            _lose(i, layers, tensors, readers, hw, lost)
        for i in range(n):
            for column in (LayerColumn.INPUT, LayerColumn.INPUT2):
                t = layers[i, column]
                if not lost[t] and not _stays(layers[i], tensors[t], tensors[i + 1], hw):
                    lost[t] = True
        for t in range(1, n + 1):
            if lost[t]:
                size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
                stored[t] = _beats(tensors[t], size, hw)
        for t in range(n + 1):
            lost[t] = t == 0
        figures[j, 0], figures[j, 1], figures[j, 2], figures[j, 3] = _run(
            layers, tensors, pixels, readers, hw, constants, lost, stored
        )
    return figures


@in_place
def _run(layers, tensors, pixels, readers, hw, constants, lost, stored):
    """Figures of one accelerator."""
    n = layers.shape[0]
    token, latency = constants[Constant.TOKEN], constants[Constant.MEMORY_LATENCY]
    load_lag = float(token + latency)  # from a done to the first beat of a LOAD that waits for it
    ready_lag = float(constants[Constant.LOAD_OVERHEAD] + token)
    store_lag = float(token + latency + constants[Constant.STORE_OVERHEAD])
    # Cycles that saved credit is worth, once for each time in which the bus has rested.
    slack = (2 * hw.cost - 1) / hw.earn + 1.0
    pace = hw.cost / hw.earn
    if slack > min(load_lag + ready_lag, store_lag):  # a rest could be worth more than it takes
        slack, pace = 1.0, 1.0
    begin = float(constants[Constant.FETCH_START] + 2 * latency + FETCH_BEATS - 1)
    now = Progress(_NEVER, _NEVER, begin + latency)
    emptied = _NEVER
    busy = read = written = 0.0
    for i in range(n):
        layer, source = layers[i], tensors[layers[i, LayerColumn.INPUT]]
        target, op = tensors[i + 1], layer[LayerColumn.OP]
        if (
            op != ExecuteOp.CONV
            and weight_rows(layer, source[TensorColumn.CHANNELS]) > hw.weight_rows
        ):
            return float(IMPOSSIBLE), 0.0, 0.0, 0.0
        tiled = _lose(i, layers, tensors, readers, hw, lost)
        tile_beats = _loaded_beats(layer, target, tensors, pixels[i], hw, lost)
        passes = _passes(layer, source, target, hw) if tiled else 1
        drain = float(_drain(op, constants))
        serial = _every_pass_loads(layer, source, target)
        # EXECUTE waits for the stores of each pass, and then for the loads of the next
        wait = (passes - 1) * (drain + store_lag + token - slack)
        if serial:
            wait += (passes - 1) * (load_lag + ready_lag - token - slack)
        done = other = bus = last_stored = least_issue = least_beats = float(IMPOSSIBLE)
        store_cycles = 0.0 if stored[i + 1] == 0 else stored[i + 1] * pace - slack
        lanes = 1
        while lanes <= hw.lanes:
            work = _work(layer, source, target, lanes, hw, constants)
            again = max(passes, work.loads) if work.blocks > 2 else 1
            beats = work.beats * again
            least_issue, least_beats = min(least_issue, work.issue), min(least_beats, beats)
            moved = max(now.bus, now.other + load_lag) + work.first_beats * pace
            if tile_beats > 0:
                moved = max(moved, max(now.done, emptied) + load_lag) + tile_beats * pace
            start = max(begin, moved - slack + ready_lag)
            end, before = start + work.issue + wait, now.done
            emptied_at = end + store_cycles
            if work.blocks > 1:
                moved = max(moved, now.done + load_lag)
                after = work.after
                if again > 1 and work.loads == 1:
                    after = float(REQUANTIZER_PHASES)
                    if (
                        serial
                    ):  # but for its first block, a pass is loaded when the last is computed
                        rest = passes * (work.beats - work.first_beats) * pace
                        end = max(end, moved + rest - slack + ready_lag + work.after)
                moved += (beats - work.first_beats) * pace
                before = start + work.issue + wait - work.last + drain
                end = max(end, moved - slack + ready_lag + after)
                emptied_at = max(emptied_at, end)  # outputs of other blocks are stored meanwhile
            last_stored = min(last_stored, emptied_at + drain + store_lag)
            done, other, bus = min(done, end + drain), min(other, before), min(bus, moved)
            if op != ExecuteOp.CONV and op != ExecuteOp.ADD:
                break
            lanes *= 2
        now = Progress(done, other, bus)
        busy += least_issue + passes * (drain - 1)
        read += least_beats + tile_beats
        begin = done + constants[Constant.EXECUTE_AFTER_DRAIN]
        if stored[i + 1] > 0:
            written += stored[i + 1]
            emptied = last_stored
            begin = max(begin, emptied + token)
    cycles = max(now.done, emptied) + constants[Constant.FINISH]
    return cycles, busy, read * hw.bus_bytes, written * hw.bus_bytes
