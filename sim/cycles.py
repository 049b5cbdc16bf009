"""The cycle model: one forward walk over the schedule, exact on the deterministic memory.

Each descriptor starts when it has arrived, its engine accepts it and its tokens are there; each
engine's duration is a closed form of the descriptor (docs/hardware.md). Time 0 is the doorbell.
"""

import numpy as np

from sim.calibration import Constant
from sim.geometry import ceil_div, served
from sim.kernel import kernel
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, ExecuteOp, Queue
from sim.tables import COLUMNS, Hw
from sim.transfers import idle, load, store, transfer_bytes

__all__ = ["FETCH_BEATS", "execute_durations", "summarize", "walk"]

FETCH_BEATS = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES
"""Beats of a descriptor on the descriptor port."""

QUEUE = COLUMNS["queue"]
AFTER = COLUMNS["after_load"]
OP = COLUMNS["op"]
WAIT_DRAIN = COLUMNS["wait_drain"]
PIXELS = COLUMNS["pixels"]
SAVE = COLUMNS["save"]
HOLD = COLUMNS["hold"]
ROW_LEAD = COLUMNS["row_lead"]
INTERVAL = COLUMNS["initiation_interval"]
WINDOW_ROWS = COLUMNS["window_rows"]
WINDOW_COLUMNS = COLUMNS["window_columns"]
FIRST_ROW = COLUMNS["first_row"]
FIRST_COLUMN = COLUMNS["first_column"]
TILE_ROWS = COLUMNS["tile_rows"]
TILE_COLUMNS = COLUMNS["tile_columns"]
HALO_TOP = COLUMNS["halo_top"]
HALO_BOTTOM = COLUMNS["halo_bottom"]
HALO_LEFT = COLUMNS["halo_left"]
HALO_RIGHT = COLUMNS["halo_right"]


@kernel
def _last_stores(row):  # type: ignore[no-untyped-def]  # numba infers the types
    """Store cycles of a descriptor's last set of windows."""
    if row[SAVE] or row[OP] == ExecuteOp.POOL:
        return 1
    left = (row[WINDOW_COLUMNS] - 1) // row[PIXELS] * row[PIXELS]
    bottom = row[FIRST_ROW] + row[WINDOW_ROWS] - 1
    rows = served(row[TILE_ROWS], row[HALO_TOP], row[HALO_BOTTOM], bottom, 1)
    return rows * served(
        row[TILE_COLUMNS],
        row[HALO_LEFT],
        row[HALO_RIGHT],
        row[FIRST_COLUMN] + left,
        row[WINDOW_COLUMNS] - left,
    )


@kernel
def execute_durations(row, hw, constants):  # type: ignore[no-untyped-def]
    """(cycles from start to the end of issue, cycles from start to done)."""
    op = row[OP]
    sets = row[WINDOW_ROWS] * ceil_div(row[WINDOW_COLUMNS], row[PIXELS])
    cycles = sets * row[INTERVAL] + row[WINDOW_ROWS] * row[ROW_LEAD]
    drain = constants[Constant.DRAIN_CONV + op]
    if op == ExecuteOp.POOL:
        cycles += constants[Constant.POOL_HOP] * (hw[Hw.PES_X] + hw[Hw.PES_Y] - 2)
    elif op == ExecuteOp.CONV:
        drain += row[PIXELS] - 1
    return cycles + row[HOLD], cycles + drain + _last_stores(row)


@kernel
def walk(rows, hw, constants):  # type: ignore[no-untyped-def]
    """Start, end of issue and end of every descriptor.

    Parameters
    ----------
    rows : int64[n, len(COLUMNS)]
        The schedule.
    hw : int64[11]
        Columns :class:`sim.tables.Hw`.
    constants : int64[n_constants]
        :attr:`sim.calibration.Calibration.array`.

    Returns
    -------
    start, issued, done : int64[n]
        Cycles after the doorbell; ``issued`` equals ``done`` for LOAD and STORE.
    waits : int64[2]
        Cycles in which EXECUTE was idle and its head lacked a token of LOAD; only one of STORE.
    total : int
        Cycles from doorbell to done.
    """
    n = rows.shape[0]
    start = np.zeros(n, np.int64)
    issued = np.zeros(n, np.int64)
    done = np.zeros(n, np.int64)
    ready = np.zeros(n, np.int64)
    waits = np.zeros(2, np.int64)
    fetch_depth, queue_depth = constants[Constant.FETCH_DEPTH], constants[Constant.QUEUE_DEPTH]
    latency = constants[Constant.MEMORY_LATENCY]
    members = np.zeros((3, n), np.int64)
    count = np.zeros(3, np.int64)
    request = constants[Constant.FETCH_START] + latency
    arrive = -1
    finish = 0
    loads, stores = idle(hw, constants), idle(hw, constants)
    free = np.zeros(3, np.int64)
    for i in range(n):
        row, queue = rows[i], rows[i, QUEUE]
        if i > 0:
            request += 1
        if i >= fetch_depth:
            request = max(request, ready[i - fetch_depth] + constants[Constant.FETCH_REUSE])
        arrive = max(request + latency, arrive + 1) + FETCH_BEATS - 1
        ready[i] = arrive
        if i > 0:
            ready[i] = max(ready[i], ready[i - 1] + 1)
        place = count[queue]
        if place >= queue_depth:
            oldest = members[queue, place - queue_depth]
            ready[i] = max(ready[i], start[oldest] + constants[Constant.QUEUE_REUSE])
        begin = ready[i]
        head = begin
        if place > 0:
            last = members[queue, place - 1]
            head = max(head, done[last])
            begin = max(begin, free[queue])
            if queue == Queue.EXECUTE and row[WAIT_DRAIN]:
                begin = max(begin, done[last] + constants[Constant.EXECUTE_AFTER_DRAIN])
        for source in range(3):
            if row[AFTER + source] >= 0:
                begin = max(begin, done[row[AFTER + source]] + constants[Constant.TOKEN])
        if queue == Queue.EXECUTE:
            for source in (Queue.LOAD, Queue.STORE):
                if row[AFTER + source] >= 0:
                    token = done[row[AFTER + source]] + constants[Constant.TOKEN]
                    waits[source // 2] += max(0, token - head)
                    head = max(head, token)
        members[queue, place] = i
        count[queue] += 1
        start[i] = begin
        if queue == Queue.LOAD:
            free[queue], done[i] = load(row, hw, constants, loads, begin)
            issued[i] = done[i]
        elif queue == Queue.STORE:
            free[queue], done[i] = store(row, hw, constants, stores, begin)
            issued[i] = done[i]
        else:
            issue, drain = execute_durations(row, hw, constants)
            issued[i] = begin + issue
            done[i] = begin + drain
            free[queue] = issued[i] + constants[Constant.EXECUTE_NEXT]
        finish = max(finish, done[i])
    return start, issued, done, waits, finish + constants[Constant.FINISH]


@kernel
def summarize(rows, hw, start, done):  # type: ignore[no-untyped-def]
    """Totals over a walked schedule.

    Returns
    -------
    active : int64[3]
        Cycles in which each queue's engine is busy: LOAD and STORE up to the cycle of done,
        EXECUTE up to the cycle before it.
    traffic : int64[2]
        Bytes read and written on the data port.
    """
    active = np.zeros(3, np.int64)
    until = np.zeros(3, np.int64)
    traffic = np.zeros(2, np.int64)
    for i in range(rows.shape[0]):
        queue = rows[i, QUEUE]
        end = done[i] - 1 if queue == Queue.EXECUTE else done[i]
        active[queue] += max(0, end - max(start[i], until[queue]))
        until[queue] = max(until[queue], end)
        if queue != Queue.EXECUTE:
            traffic[1 if queue == Queue.STORE else 0] += transfer_bytes(rows[i], hw)
    return active, traffic
