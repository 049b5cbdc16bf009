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

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place, kernel
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import Hw, LayerColumn, TensorColumn
from sim.mapping.execution import SPREAD, lets_pixels, lets_spread
from sim.mapping.mapper import LAYER_COLUMNS
from sim.mapping.tile_choice import packs
from sim.schedule.first_loads import MOST_TILES, FirstLoad, list_first_loads
from sim.schedule.least_loads import (
    NEVER,
    Loader,
    Tiles,
    bring,
    bring_rest,
    bring_tiles,
    least_weights,
    place_weights,
    read_rows,
    reload_cycles,
)
from sim.schedule.least_transfers import (
    every_pass_loads,
    least_passes,
    loaded_beats,
    lose,
    spreads,
    stays,
    tensor_beats,
)
from sim.schedule.least_work import least_drain, least_work
from sim.spec.accelerator import DOT_WIDTH, REQUANTIZER_PHASES
from sim.timing.calibration import Constant, MemoryColumn
from sim.timing.cycles import FETCH_BEATS

__all__ = ["IMPOSSIBLE", "LEAST_COLUMNS", "least_figures"]

IMPOSSIBLE = 1 << 60
"""Cycles where a layer's weights fit no register-file half: nothing that can be mapped."""

LEAST_COLUMNS = 10
"""Columns of :func:`least_figures`.

Cycles, busy cycles of EXECUTE, bytes read, written, and read from the weight store, descriptors; of a cold run cycles,
busy cycles, bytes read, and bytes read from the weight store.
"""

FIRST_COLUMNS = len(FirstLoad)
LANE_CHOICES = 4
"""Numbers of pixel lanes that may be: 1, 2, 4, 8."""


class Progress(NamedTuple):
    """Earliest cycles after some layers.

    Parameters
    ----------
    done : float
        EXECUTE's latest descriptor is done.
    other : float
        The latest descriptor that used the other register-file half is done.
    bus, last : float
        As of :class:`sim.schedule.least_loads.Loader`.
    """

    done: float
    other: float
    bus: float
    last: float


@kernel
def least_figures(layers, tensors, pixels, readers, accelerators, constants, colds, memo):
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

    colds : bool
        Cold runs are bounded, too; else their figures are the warm run's.

    Returns
    -------
    float64[m, LEAST_COLUMNS]
        Cycles are :data:`IMPOSSIBLE` where nothing can be mapped.
    """
    m, n = accelerators.shape[0], layers.shape[0]
    figures = np.empty((m, LEAST_COLUMNS), np.float64)
    plan = np.zeros((n, LAYER_COLUMNS), np.int64)
    first = np.empty((MOST_TILES, FIRST_COLUMNS), np.int64)
    passed = np.empty(n, np.int64)
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
            lost[t] = t == 0 or tensors[t, TensorColumn.OUTPUT] == 1
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
        lost[0] = True
        packed = layers[0, LayerColumn.WINDOW_PIXELS] > 0
        if (packed and not packs(layers, tensors, hw)) or not place_weights(
            layers, tensors, hw, plan, passed, memo
        ):
            for k in range(LEAST_COLUMNS):
                figures[j, k] = float(IMPOSSIBLE)
            continue
        tiles = list_first_loads(layers, tensors, hw, first)
        for cold in range(2):
            if cold and (hw.store_rows == 0 or not colds):
                figures[j, 6], figures[j, 7] = figures[j, 0], figures[j, 1]
                figures[j, 8], figures[j, 9] = figures[j, 2], figures[j, 4]
                continue
            for t in range(1, n + 1):
                lost[t] = False
            cycles, busy, read, written, kept, listed = _run(
                layers, tensors, pixels, readers, hw, constants, lost, stored, plan, passed,
                first[:tiles], cold > 0,
            )  # fmt: skip
            if cold:
                figures[j, 6], figures[j, 7] = cycles, busy
                figures[j, 8], figures[j, 9] = read, kept
            else:
                figures[j, 0], figures[j, 1], figures[j, 2] = cycles, busy, read
                figures[j, 3], figures[j, 4], figures[j, 5] = written, kept, listed
    return figures


@in_place
def _run(layers, tensors, pixels, readers, hw, constants, lost, stored, plan, passed, first, cold):
    """Figures of one accelerator: cycles, busy cycles, bytes read, written, and read from the store, descriptors."""
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
    begin = float(constants[Constant.FETCH_START] + 2 * latency + FETCH_BEATS - 1)
    now = Progress(begin - token, begin - token, begin + latency, NEVER)
    emptied = NEVER
    busy = read = written = kept = listed = 0.0
    for i in range(n):
        layer, source = layers[i], tensors[layers[i, LayerColumn.INPUT]]
        target, op = tensors[i + 1], layer[LayerColumn.OP]
        tiled = lose(i, layers, tensors, readers, hw, lost)
        tile_beats = loaded_beats(layer, target, tensors, pixels[i], hw, lost)
        passes = least_passes(layer, source, target, hw) if tiled else 1
        drain = float(least_drain(op, constants))
        serial = every_pass_loads(layer, source, target)
        # EXECUTE waits for the stores of each pass, and then for the loads of the next
        wait = (passes - 1) * (drain + store_lag + token - slack)
        if serial:
            wait += (passes - 1) * (load_lag + ready_lag - token - slack)
        done = other = bus = last = last_stored = least_issue = float(IMPOSSIBLE)
        least_beats = least_rows = least_listed = float(IMPOSSIBLE)
        store_cycles = 0.0 if stored[i + 1] == 0 else stored[i + 1] * pace - slack
        # The first layer's tile decides how much is loaded, so all are tried; of the others the smallest computes least
        choices = first if i == 0 and len(first) > 0 else first[:0]
        if tiled:
            choices = choices[:1]
        exchanges = 2 if spreads(layer, source, target, hw) else 1
        least_tile = float(IMPOSSIBLE)
        ways = (len(choices) if len(choices) > 0 else exchanges) * LANE_CHOICES
        # a layer without room in the weight store may get some that another cannot use
        for attempt in range(2 * ways if passed[i] > 0 else ways):
            stored_rows = plan[i, LayerPlan.STORED_ROWS] if attempt < ways else passed[i]
            lanes, place = 1 << attempt % LANE_CHOICES, attempt % ways // LANE_CHOICES
            most_y = most_x = hw.lanes
            tile_y = ceil_div(target[TensorColumn.HEIGHT], hw.pes_y)
            tile_x, exchange = ceil_div(target[TensorColumn.WIDTH], hw.pes_x), 0
            if len(choices) == 0 and place == 1:
                tile_x, exchange = target[TensorColumn.WIDTH], SPREAD
                most_x = tile_x
            tile = Tiles(tile_beats, tile_beats, 0, 0)
            if len(choices) > 0:
                chosen = choices[place]
                exchange = chosen[FirstLoad.EXCHANGE]
                tile_y, tile_x = chosen[FirstLoad.TILE_Y], chosen[FirstLoad.TILE_X]
                most_y, most_x = tile_y, tile_x
                tile = Tiles(
                    float(chosen[FirstLoad.BEATS]),
                    float(chosen[FirstLoad.CYCLES]),
                    # each pass waits for its first beat, which the latency of these would count again
                    chosen[FirstLoad.BURSTS] if passes == 1 else 0,
                    chosen[FirstLoad.DESCRIPTORS] if passes == 1 else 0,
                )
            if lanes > hw.lanes or not lets_pixels(layer, lanes, most_y, most_x):
                continue
            if exchange == SPREAD and (exchanges == 1 or not lets_spread(layer, lanes)):
                continue
            least_tile = min(least_tile, tile.beats)
            work = least_work(layer, source, target, tile_y, tile_x, lanes, exchange, hw, constants)
            weights = least_weights(
                layer, plan[i], source, target, lanes, exchange, stored_rows, hw
            )
            if attempt >= ways and weights.stored == 0:  # as without room
                continue
            again = max(passes, work.loads) if work.blocks > 2 else 1
            # In a cold run what the store holds is read from the second time on
            rows, turns, beats, reads = weights.rows, weights.turns, weights.beats, weights.stored
            if cold:
                rows = turns = reads = 0
                beats = weights.all_beats
            first_read = reads > 0
            rows += (again - 1) * weights.rows
            turns += (again - 1) * weights.turns
            beats += (again - 1) * weights.beats
            reads += (again - 1) * weights.stored
            loader = Loader(now.bus, now.last)
            if first_read:
                loader = read_rows(loader, now.other + token, weights.first_turns, 1, constants)
            else:
                available = now.other + load_lag
                loader = bring(loader, available, weights.first_beats, pace, slack)
            if tile.beats > 0:
                available = max(now.done, emptied) + load_lag
                loader = bring_tiles(loader, available, tile, pace, slack, constants)
            start = max(begin, loader.last + ready_lag)
            least_issue, least_beats = min(least_issue, work.issue), min(least_beats, float(beats))
            least_rows = min(least_rows, float(rows))
            of_tiles = 0
            if len(choices) > 0:
                of_tiles = choices[place][FirstLoad.DESCRIPTORS]
            elif tile.beats > 0:
                of_tiles = passes if serial else 1
            executes = max(work.executes, passes * work.of_a_pass)
            least_listed = min(least_listed, float(executes + work.blocks * again + of_tiles))
            end, before = start + work.issue + wait, now.done
            emptied_at = end + store_cycles
            if work.blocks > 1:
                before = start + work.issue + wait - work.last + drain
                rest_turns = turns - weights.first_turns if first_read else turns
                rest_reads = reads - 1 if first_read else reads
                rest_beats = beats if first_read else beats - weights.first_beats
                after, tiles_loaded = work.after, loader
                loader = bring_rest(
                    loader, now.done, rest_turns, rest_reads, rest_beats, again,
                    pace, slack, constants,
                )  # fmt: skip
                if again > 1 and work.loads == 1:
                    after = float(REQUANTIZER_PHASES)
                    if (
                        serial
                    ):  # but for its first block, a pass is loaded when the last is computed
                        late_turns, late_reads, late_beats = rest_turns, rest_reads, rest_beats
                        if weights.stored > 0:
                            late_turns -= (again - 1) * weights.first_turns
                            late_reads -= again - 1
                        else:
                            late_beats -= (again - 1) * weights.first_beats
                        late = bring_rest(
                            tiles_loaded, now.done, late_turns, late_reads, late_beats, again,
                            pace, slack, constants,
                        )  # fmt: skip
                        end = max(end, late.last + ready_lag + work.after)
                end = max(end, loader.last + ready_lag + after)
                loads = work.blocks * again
                if loads > 2:
                    alone = plan[i, LayerPlan.SPLITS] == 1 and passes == 1
                    ends = 2 * work.last if alone else 0.0  # its first EXECUTE's and its last's
                    hops = reload_cycles(
                        weights, rest_turns, rest_reads, rest_beats, loads, cold, plan[i], hw, lanes,
                        pace, slack, constants,
                    )  # fmt: skip
                    end = max(end, start + (work.issue + ends + hops + (loads - 2) * drain) / 2)
                emptied_at = max(emptied_at, end)  # outputs of other blocks are stored meanwhile
            last_stored = min(last_stored, emptied_at + drain + store_lag)
            done, other = min(done, end + drain), min(other, before)
            bus, last = min(bus, loader.bus), min(last, loader.last)
        now = Progress(done, other, bus, last)
        busy += least_issue + passes * (drain - 1)
        read += least_beats + least_tile
        kept += least_rows
        listed += least_listed + (layer[LayerColumn.TABLE] != 0)
        begin = done + constants[Constant.EXECUTE_AFTER_DRAIN]
        if stored[i + 1] > 0:
            written += stored[i + 1]
            listed += passes  # a STORE of each
            emptied = last_stored
            begin = max(begin, emptied + token)
    cycles = max(now.done, emptied) + constants[Constant.FINISH]
    row_bytes = DOT_WIDTH * hw.simd
    return cycles, busy, read * hw.bus_bytes, written * hw.bus_bytes, kept * row_bytes, listed
