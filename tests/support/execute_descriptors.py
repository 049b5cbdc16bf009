"""EXECUTE descriptors made by hand: their sets of windows, their stores, the interval they need."""

import random
from collections.abc import Iterator
from typing import TypeAlias

from sim.spec.accelerator import STORE_DISTANCE, AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue

__all__ = [
    "Descriptor",
    "bands",
    "complete",
    "complete_alike",
    "group_quads",
    "least_ring_times",
    "pixel_window",
    "port_reads",
    "ring_pitch",
    "set_stores",
    "share_rows",
    "source_banks",
    "window_sets",
]

Descriptor: TypeAlias = dict[str, int]
"""Fields by name."""

_DEFAULTS: Descriptor = {
    "pixels": 1,
    "band_rows": 1,
    "lanes": 1,
    "window_rows": 1,
    "window_columns": 1,
    "tile_rows": 1,
    "tile_columns": 1,
    "kernel_rows": 1,
    "kernel_columns": 1,
    "stride_y": 1,
    "stride_x": 1,
    "groups": 1,
    "last_quads": 1,
}


def bands(d: Descriptor) -> list[range]:
    """Rows of windows of every band."""
    rows, size = d["window_rows"], d["band_rows"] if d["op"] == ExecuteOp.DEPTHWISE else 1
    return [range(first, min(rows, first + size)) for first in range(0, rows, size)]


def window_sets(d: Descriptor) -> Iterator[tuple[int, int, int]]:
    """Row and column of the first window of every set, and the set's windows."""
    pixels = d["pixels"]
    for band in bands(d):
        if d["op"] == ExecuteOp.DEPTHWISE:
            for column in range(d["window_columns"]):
                for row in band[::pixels]:
                    yield row, column, min(pixels, band.stop - row)
        else:
            for column in range(0, d["window_columns"], pixels):
                yield band.start, column, min(pixels, d["window_columns"] - column)


def pixel_window(d: Descriptor, row: int, column: int, pixel: int) -> tuple[int, int]:
    """Row and column of a pixel's window in the set that begins at (row, column)."""
    if d["op"] == ExecuteOp.DEPTHWISE:
        return row + pixel, column
    return row, column + pixel


def set_stores(d: Descriptor, row: int, column: int, count: int) -> list[tuple[int, int, int]]:
    """Return the stores of a set as (pixel, dy, dx), in order.

    Where PEs store the vectors of their row, dx is the source's column.
    """
    sources = list(range(d["sources"]))
    if d["save"]:
        return [(0, 0, 0)]
    if d["op"] == ExecuteOp.POOL:
        return [(pixel, 0, dx) for pixel in range(count) for dx in sources or [0]]
    stores = []
    for pixel in range(count):
        y, x = pixel_window(d, row, column, pixel)
        y, x = d["first_row"] + y, d["first_column"] + x
        east, west = x < d["halo_right"], x >= d["tile_columns"] - d["halo_left"]
        south, north = y < d["halo_bottom"], y >= d["tile_rows"] - d["halo_top"]
        for dy in [0] + [1] * south + [-1] * north:
            stores += [(pixel, dy, dx) for dx in sources or [0] + [1] * east + [-1] * west]
    return stores


def ring_pitch(d: Descriptor) -> int:
    """Positions of the ring from one column to the next."""
    return d["kernel_rows"] + 4 * d["ring_gap"]


def least_ring_times(d: Descriptor, least: int) -> tuple[int, int]:
    """(II, row lead) of a ``window`` descriptor: the least with which each step has its vectors.

    By going through all taps of all steps of a column of sets, of which each read waits while sets before store. II is at least
    ``least``, and as long as the set's stores.
    """
    kernel = d["kernel_columns"]
    fresh = range(max(0, kernel - d["stride_x"]), kernel)
    stores = max(len(set_stores(d, *place)) for place in window_sets(d))
    interval = max(least, stores)
    while not all(
        _in_time(d, band, fresh, (interval, 0, stores, phase))
        for band in bands(d)
        for phase in range(interval)
    ):
        interval += 1
    lead = 0
    while not all(
        _in_time(d, band, range(kernel), (interval, lead, stores, -1 - later))
        for band in bands(d)
        for later in range(interval)
    ):
        lead += 1
    return interval, lead


def _in_time(d: Descriptor, band: range, columns: range, times: tuple[int, int, int, int]) -> bool:
    """Whether the steps of a column of sets come after their reads, a read per cycle without a store.

    ``times`` are II, lead, stores of a set, and a phase: so many cycles before the column a burst of stores begins, and others II apart.
    Less than 0 for the first column of a band: then a set has ended just before, others before it -1 - phase cycles earlier than II apart.
    """
    interval, lead, stores, phase = times
    rows, taps = d["kernel_rows"], d["kernel_rows"] * d["kernel_columns"]
    height = range(rows + (len(band) - 1) * d["stride_y"])
    order = [(y, x) for y in height for x in columns]
    if d["band_rows"] == 1:
        order = [(y, x) for x in columns for y in height]
    sets = -(-len(band) // d["pixels"])
    length = lead + sets * interval
    bursts = list(range(-phase, length, interval))
    if phase < 0:
        ends = [1 + phase - interval * n for n in range(1, STORE_DISTANCE + stores)]
        ends += [0, *(lead + interval * n for n in range(1, sets + 1))]
        bursts = [end + STORE_DISTANCE for end in ends]
    taken = {first + cycle for first in bursts for cycle in range(stores)}
    free = [cycle for cycle in range(length) if cycle not in taken]
    if len(order) > len(free):
        return False
    read = dict(zip(order, free, strict=False))
    steps = -(-taps // 4)
    for number in range(sets):
        end = lead + (number + 1) * interval
        for pixel in range(d["pixels"]):
            window = number * d["pixels"] + pixel
            if window >= len(band):
                continue
            for tap in range(taps):
                place = (window * d["stride_y"] + tap % rows, tap // rows)
                if read.get(place, 0) > end - steps + tap // 4:
                    return False
    return True


def source_banks(config: AcceleratorConfig, d: Descriptor, source: int) -> tuple[int, range]:
    """Return how far beyond ``out_address`` a source's vectors go, and their banks."""
    group = config.compute_lanes // d["pixels"]
    if not d["spread"]:
        return source * d["source_stride"], range(d["out_bank"], d["out_bank"] + d["lanes"])
    turns, bank = divmod(d["out_bank"] + source * group, config.compute_lanes)
    lanes = min(group, d["lanes"] - source * group)
    return turns * d["source_stride"], range(bank, bank + lanes)


def share_rows(rng: random.Random, config: AcceleratorConfig, d: Descriptor) -> None:
    """Let the PEs of a row store each other's vectors; ``lanes`` and ``out_bank`` are drawn."""
    group = config.compute_lanes // d["pixels"]
    d["sources"] = rng.randint(1, config.pes_x)
    d |= {"halo_left": 0, "halo_right": 0}
    if d["op"] != ExecuteOp.ADD and rng.random() < 0.6:
        d["spread"] = 1
        d["lanes"] = rng.randint((d["sources"] - 1) * group + 1, d["sources"] * group)
        d["out_bank"] = rng.randrange(d["pixels"]) * group
    if d.get("save"):
        d["lanes"] = 0
    d["source_stride"] = rng.randint(1, 5)
    d["column_stride"] = rng.randrange(6)


def group_quads(config: AcceleratorConfig, d: Descriptor) -> list[range]:
    """Quads of every channel group."""
    return [
        range(
            d["first_quad"] if group == 0 else 0,
            d["last_quads"] if group == d["groups"] - 1 else config.simd_units // 4,
        )
        for group in range(d["groups"])
    ]


def port_reads(config: AcceleratorConfig, d: Descriptor) -> int:
    """Reads of a set that its stores have to wait for, of those of CONV and ADD."""
    stored = set(range(d["out_bank"], d["out_bank"] + d["lanes"]))
    if d["spread"]:
        stored = set(range(config.compute_lanes))
    if d["save"]:
        return 0
    if d["op"] == ExecuteOp.ADD:
        group = config.compute_lanes // d["pixels"]
        return 2 * d["pixels"] * bool(stored & set(range(d["bank"], d["bank"] + group)))
    banks = [(d["bank"] + group) % config.compute_lanes for group in range(d["groups"])]
    taps = d["kernel_rows"] * d["kernel_columns"]
    return taps * d["pixels"] * sum(bank in stored for bank in banks)


def _least_interval(config: AcceleratorConfig, d: Descriptor) -> int:
    """Return the least II of a descriptor that sets like its own follow."""
    most = max(len(set_stores(d, *place)) for place in window_sets(d))
    taps = d["kernel_rows"] * d["kernel_columns"]
    if d["op"] == ExecuteOp.ADD:
        slots = max(4, d["pixels"]) + max(10, d["pixels"])
        return max(slots, most + port_reads(config, d))
    if d["op"] == ExecuteOp.CONV:
        slots = taps * sum(max(len(quads), d["pixels"]) for quads in group_quads(config, d))
        return max(4, slots, most + port_reads(config, d))
    if d["window"]:
        return least_ring_times(d, max(4, -(-taps // 4)))[0]
    return max(4, taps + most)


def complete(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor with all fields, its least II, and the row lead that it needs.

    Its hold lets any other follow.
    """
    return _complete(config, fields, alone=True)


def complete_alike(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor as :func:`complete` does, with the slack and the hold of sets that sets like its own follow."""
    return _complete(config, fields, alone=False)


def _complete(config: AcceleratorConfig, fields: Descriptor, *, alone: bool) -> Descriptor:
    """Fill the fields that are not given."""
    names = [field.name for field in FIELDS[Queue.EXECUTE]]
    d = dict.fromkeys(names, 0) | _DEFAULTS | {"queue": int(Queue.EXECUTE)}
    d |= {
        "tile_rows": fields.get("window_rows", 1),
        "tile_columns": fields.get("window_columns", 1),
    }
    d |= fields
    assert set(d) == set(names)
    last = len(set_stores(d, *list(window_sets(d))[-1]))
    d["ring_gap"] = -(-(d["band_rows"] - 1) * d["stride_y"] // 4)
    interval = d["initiation_interval"] or _least_interval(config, d)
    hold, least = STORE_DISTANCE + last, 0
    if d["op"] == ExecuteOp.CONV:
        hold, least = hold + d["pixels"] - 1, d["pixels"] - 1
    if d["op"] == ExecuteOp.ADD:
        least = 3
    if not alone:
        if d["op"] in (ExecuteOp.CONV, ExecuteOp.ADD):
            d["store_slack"] = port_reads(config, d)
        hold = max(least, last + d["store_slack"] - interval)
    d |= {"initiation_interval": interval, "hold": hold} | fields
    if d["window"]:
        d["row_lead"] = least_ring_times(d, d["initiation_interval"])[1]
    return d
