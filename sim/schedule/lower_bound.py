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

from sim.arrays.kernel import in_place, kernel
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.mapping.execution import SPREAD, lets_pixels, lets_spread, weight_rows
from sim.schedule.least_transfers import (
    every_pass_loads,
    least_passes,
    loaded_beats,
    lose,
    stays,
    tensor_beats,
)
from sim.schedule.least_work import least_drain, least_work
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.spec.descriptor import ExecuteOp
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.cycles import FETCH_BEATS

__all__ = ["IMPOSSIBLE", "LEAST_COLUMNS", "least_figures"]

IMPOSSIBLE = 1 << 60
"""Cycles where a layer's weights fit no register-file half: nothing that can be mapped."""

LEAST_COLUMNS = 4
"""Columns of :func:`least_figures`: cycles, busy cycles of EXECUTE, bytes read, bytes written."""

_NEVER = -1e15


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


@kernel
def least_figures(layers, tensors, pixels, readers, accelerators, constants):
    """Lower bounds of a network's run on accelerators, for one image on a memory of fixed latency.

    Parameters
    ----------
    layers, tensors : int64 arrays
        Tables of :mod:`sim.arrays.tables`, of one form of the network.
    pixels, readers : int64[n], int64[n + 1]
        Of :mod:`sim.schedule.least_transfers`.
    accelerators : int64[m, 13]
        Rows with the fields of :class:`sim.arrays.tables.Hw`.
    constants : int64[n_constants]
        Of :meth:`sim.timing.calibration.Calibration.walked`: of the memory its latencies count.

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
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10],
            row[11], row[12],
        )  # fmt: skip
        # A tensor is stored when it is made, which is before the layer at which it is lost.
        for t in range(n + 1):
            lost[t] = t == 0 or t == n
            stored[t] = 0.0
        for i in range(n):
            lose(i, layers, tensors, readers, hw, lost)
        for i in range(n):
            for column in (LayerColumn.INPUT, LayerColumn.INPUT2):
                t = layers[i, column]
                if not lost[t] and not stays(layers[i], tensors[t], tensors[i + 1], hw):
                    lost[t] = True
        for t in range(1, n + 1):
            if lost[t]:
                size = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
                stored[t] = tensor_beats(tensors[t], size, hw)
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
    write_latency = constants[MemoryColumn.WRITE_LATENCY]
    load_lag = float(token + latency)  # from a done to the first beat of a LOAD that waits for it
    ready_lag = float(constants[Constant.LOAD_OVERHEAD] + token)
    store_lag = float(token + write_latency + constants[Constant.STORE_OVERHEAD])
    # Cycles that saved credit is worth, once for each time in which the bus has rested.
    slack = (2 * hw.cost - 1) / hw.earn + 1.0
    pace = hw.cost / hw.earn
    if slack > min(load_lag + ready_lag, store_lag):  # a rest could be worth more than it takes
        slack, pace = 1.0, 1.0
    row_beats = DOT_WIDTH * hw.simd // hw.bus_bytes
    begin = float(constants[Constant.FETCH_START] + 2 * latency + FETCH_BEATS - 1)
    first_beat = begin + latency
    now = Progress(_NEVER, _NEVER, first_beat)
    emptied = _NEVER
    busy = read = written = streamed = most_loads = 0.0
    for i in range(n):
        layer, source = layers[i], tensors[layers[i, LayerColumn.INPUT]]
        target, op = tensors[i + 1], layer[LayerColumn.OP]
        if (
            op != ExecuteOp.CONV
            and weight_rows(layer, source[TensorColumn.CHANNELS]) > hw.weight_rows
        ):
            return float(IMPOSSIBLE), 0.0, 0.0, 0.0
        tiled = lose(i, layers, tensors, readers, hw, lost)
        tile_beats = loaded_beats(layer, target, tensors, pixels[i], hw, lost)
        passes = least_passes(layer, source, target, hw) if tiled else 1
        drain = float(least_drain(op, constants))
        serial = every_pass_loads(layer, source, target)
        # EXECUTE waits for the stores of each pass, and then for the loads of the next
        wait = (passes - 1) * (drain + store_lag + token - slack)
        if serial:
            wait += (passes - 1) * (load_lag + ready_lag - token - slack)
        done = other = bus = last_stored = least_issue = least_beats = float(IMPOSSIBLE)
        least_streamed = float(IMPOSSIBLE)
        store_cycles = 0.0 if stored[i + 1] == 0 else stored[i + 1] * pace - slack
        lanes, exchange = 1, 0
        while lanes <= hw.lanes and lets_pixels(layer, lanes, hw.lanes, hw.lanes):
            work = least_work(layer, source, target, lanes, exchange, hw, constants)
            again = max(passes, work.loads) if work.blocks > 2 else 1
            beats = float(work.beats * again)
            least_streamed = min(least_streamed, beats)
            most_loads = max(most_loads, float(again))
            # Weights that may lie in the weight store are taken to need no time, nor the bus; of a
            # layer that does not fit, any may
            kept = hw.store_rows > 0
            if kept:
                beats = max(0.0, float(work.beats - hw.store_rows * row_beats)) * again
                moved, start = now.bus, begin
            else:
                moved = max(now.bus, now.other + load_lag) + work.first_beats * pace
            if tile_beats > 0:
                moved = max(moved, max(now.done, emptied) + load_lag) + tile_beats * pace
            if tile_beats > 0 or not kept:
                start = max(begin, moved - slack + ready_lag)
            least_issue, least_beats = min(least_issue, work.issue), min(least_beats, beats)
            end, before = start + work.issue + wait, now.done
            emptied_at = end + store_cycles
            if work.blocks > 1:
                before = start + work.issue + wait - work.last + drain
            if work.blocks > 1 and not kept:
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
                end = max(end, moved - slack + ready_lag + after)
                emptied_at = max(emptied_at, end)  # outputs of other blocks are stored meanwhile
            if kept and beats > 0:  # which of them come before the tile is not known
                moved = max(moved, now.bus + (beats + tile_beats) * pace)
                end = max(end, moved - slack + ready_lag)
                emptied_at = max(emptied_at, end)
            last_stored = min(last_stored, emptied_at + drain + store_lag)
            done, other, bus = min(done, end + drain), min(other, before), min(bus, moved)
            # first with PE columns that split pixels, then channel groups
            if exchange == 0 and hw.pes_x > 1 and lets_spread(layer, lanes):
                exchange = SPREAD
                continue
            lanes, exchange = 2 * lanes, 0
        now = Progress(done, other, bus)
        busy += least_issue + passes * (drain - 1)
        read += least_beats + tile_beats
        streamed += least_streamed + tile_beats
        begin = done + constants[Constant.EXECUTE_AFTER_DRAIN]
        if stored[i + 1] > 0:
            written += stored[i + 1]
            emptied = last_stored
            begin = max(begin, emptied + token)
    cycles = max(now.done, emptied) + constants[Constant.FINISH]
    if hw.store_rows > 0:
        # The layers share the store: what it does not hold goes over the bus
        read = max(read, streamed - most_loads * hw.store_rows * row_beats)
        cycles = max(cycles, first_beat + read * pace - slack + constants[Constant.FINISH])
    return cycles, busy, read * hw.bus_bytes, written * hw.bus_bytes
