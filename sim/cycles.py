"""The cycle model: one forward walk over the schedule, exact on the deterministic memory.

Each descriptor starts when it has arrived, its engine accepts it and its tokens are there; each
engine's duration is a closed form of the descriptor (docs/hardware.md). Time 0 is the doorbell.
"""

import numpy as np

from sim.calibration import Constant
from sim.geometry import stores_of_last_window
from sim.kernel import kernel
from sim.spec.bus import BURST_BEATS, DESCRIPTOR_PORT_BYTES, PAGE_BYTES
from sim.spec.descriptor import DESCRIPTOR_BYTES, ExecuteOp, LoadKind, Queue
from sim.tables import COLUMNS, Hw

__all__ = ["FETCH_BEATS", "summarize", "walk"]

FETCH_BEATS = DESCRIPTOR_BYTES // DESCRIPTOR_PORT_BYTES
"""Beats of a descriptor on the descriptor port."""

QUEUE = COLUMNS["queue"]
AFTER = COLUMNS["after_load"]
KIND = COLUMNS["kind"]
ADDRESS = COLUMNS["address"]
GROUPS = COLUMNS["groups"]
ROWS = COLUMNS["rows"]
COLS = COLUMNS["columns"]
GROUP_STRIDE = COLUMNS["group_stride"]
ROW_STRIDE = COLUMNS["row_stride"]
LANES = COLUMNS["lanes"]
BROADCAST = COLUMNS["broadcast"]
PARAMETER_ROWS = COLUMNS["parameter_rows"]
WEIGHT_ROWS = COLUMNS["weight_rows"]
OP = COLUMNS["op"]
WAIT = COLUMNS["wait"]
WAIT_DRAIN = COLUMNS["wait_drain"]
INTERVAL = COLUMNS["initiation_interval"]
TILE_ROWS = COLUMNS["tile_rows"]
TILE_COLUMNS = COLUMNS["tile_columns"]
HALO_TOP = COLUMNS["halo_top"]
HALO_BOTTOM = COLUMNS["halo_bottom"]
HALO_LEFT = COLUMNS["halo_left"]
HALO_RIGHT = COLUMNS["halo_right"]


@kernel
def _segments(row, simd):  # type: ignore[no-untyped-def]  # numba infers the types
    """(groups, rows, bytes per row) of a transfer; a weight stream is one row."""
    if row[QUEUE] == Queue.LOAD and row[KIND] == LoadKind.WEIGHTS:
        lanes = 1 if row[BROADCAST] else row[LANES]
        return 1, 1, lanes * (row[PARAMETER_ROWS] + row[WEIGHT_ROWS]) * 4 * simd
    return row[GROUPS], row[ROWS], row[COLS] * simd


@kernel
def _burst(address, left, bus):  # type: ignore[no-untyped-def]
    """Bytes of the next burst: at most 256 beats, not over a 4 KiB page."""
    return min(left, BURST_BEATS * bus, PAGE_BYTES - address % PAGE_BYTES)


@kernel
def load_duration(row, simd, bus, constants):  # type: ignore[no-untyped-def]
    """Cycles from start to done: requests run ahead by READ_BURSTS bursts, data is in order."""
    groups, rows, size = _segments(row, simd)
    depth = constants[Constant.READ_BURSTS]
    latency = constants[Constant.MEMORY_LATENCY]
    ends = np.zeros(depth, np.int64)
    request, end, k = -1, -1, 0
    for g in range(groups):
        for y in range(rows):
            address = row[ADDRESS] + g * row[GROUP_STRIDE] + y * row[ROW_STRIDE]
            left = size
            while left > 0:
                length = _burst(address, left, bus)
                request += 1
                if k >= depth:
                    request = max(request, ends[k % depth] + constants[Constant.LOAD_REUSE])
                end = max(request + latency, end + 1) + length // bus - 1
                ends[k % depth] = end
                address += length
                left -= length
                k += 1
    return end + constants[Constant.LOAD_OVERHEAD]


@kernel
def store_duration(row, simd, bus, constants):  # type: ignore[no-untyped-def]
    """Cycles from start to done: bursts one after another, then the last write response."""
    groups, rows, size = _segments(row, simd)
    cycles = 0
    for g in range(groups):
        for y in range(rows):
            address = row[ADDRESS] + g * row[GROUP_STRIDE] + y * row[ROW_STRIDE]
            left = size
            while left > 0:
                length = _burst(address, left, bus)
                cycles += length // bus + constants[Constant.STORE_BURST]
                address += length
                left -= length
    return cycles + constants[Constant.MEMORY_LATENCY] + constants[Constant.STORE_OVERHEAD]


@kernel
def execute_durations(row, hw, constants):  # type: ignore[no-untyped-def]
    """(cycles from start to the end of issue, cycles from start to done).

    Issue is held for the stores of the last window that the next descriptor would not hide.
    """
    op = row[OP]
    cycles = row[TILE_ROWS] * row[TILE_COLUMNS] * row[INTERVAL]
    stores = 1
    if op == ExecuteOp.POOL:
        cycles += constants[Constant.POOL_HOP] * (hw[Hw.PES_X] + hw[Hw.PES_Y] - 2)
    else:
        stores = stores_of_last_window(
            row[TILE_ROWS],
            row[TILE_COLUMNS],
            row[HALO_TOP],
            row[HALO_BOTTOM],
            row[HALO_LEFT],
            row[HALO_RIGHT],
        )
    held = max(0, stores - constants[Constant.STORES_HIDDEN])
    issue = cycles + constants[Constant.HOLD_CONV + op] + held
    return issue, cycles + constants[Constant.DRAIN_CONV + op] + stores


@kernel
def walk(rows, hw, constants):  # type: ignore[no-untyped-def]
    """Start, end of issue and end of every descriptor.

    Parameters
    ----------
    rows : int64[n, len(COLUMNS)]
        The schedule.
    hw : int64[7]
        Columns :class:`sim.tables.Hw`.
    constants : int64[27]
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
            if queue == Queue.LOAD:
                begin = max(begin, done[last] + constants[Constant.LOAD_NEXT])
            elif queue == Queue.STORE:
                begin = max(begin, done[last] + constants[Constant.STORE_NEXT])
            else:
                begin = max(begin, issued[last] + constants[Constant.EXECUTE_NEXT])
                if row[WAIT_DRAIN]:
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
            issued[i] = begin + load_duration(row, hw[Hw.SIMD], hw[Hw.BUS_BYTES], constants)
            done[i] = issued[i]
        elif queue == Queue.STORE:
            issued[i] = begin + store_duration(row, hw[Hw.SIMD], hw[Hw.BUS_BYTES], constants)
            done[i] = issued[i]
        else:
            issue, drain = execute_durations(row, hw, constants)
            issued[i] = begin + issue
            done[i] = begin + drain
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
            groups, n_rows, size = _segments(rows[i], hw[Hw.SIMD])
            traffic[1 if queue == Queue.STORE else 0] += groups * n_rows * size
    return active, traffic
