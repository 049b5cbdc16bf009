"""EXECUTE descriptors made by hand: their sets of windows, their stores, the interval they need."""

import random
from collections.abc import Iterator
from typing import TypeAlias

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue

__all__ = [
    "Descriptor",
    "complete",
    "group_quads",
    "set_stores",
    "share_rows",
    "source_banks",
    "window_sets",
]

Descriptor: TypeAlias = dict[str, int]
"""Fields by name."""

_DEFAULTS: Descriptor = {
    "pixels": 1,
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


def window_sets(d: Descriptor) -> Iterator[tuple[int, int, int]]:
    """Row, first column and number of windows of every set."""
    for row in range(d["window_rows"]):
        for column in range(0, d["window_columns"], d["pixels"]):
            yield row, column, min(d["pixels"], d["window_columns"] - column)


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
    y = d["first_row"] + row
    for pixel in range(count):
        x = d["first_column"] + column + pixel
        east, west = x < d["halo_right"], x >= d["tile_columns"] - d["halo_left"]
        south, north = y < d["halo_bottom"], y >= d["tile_rows"] - d["halo_top"]
        for dy in [0] + [1] * south + [-1] * north:
            stores += [(pixel, dy, dx) for dx in sources or [0] + [1] * east + [-1] * west]
    return stores


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


def _least_interval(config: AcceleratorConfig, d: Descriptor) -> int:
    """Return the least II of a descriptor."""
    most = max(len(set_stores(d, *place)) for place in window_sets(d))
    rows, columns = d["kernel_rows"], d["kernel_columns"]
    taps = rows * columns
    if d["op"] == ExecuteOp.ADD:
        return max(12, most, d["pixels"] + max(4, d["pixels"]))
    if d["op"] == ExecuteOp.CONV:
        taps *= sum(max(len(quads), d["pixels"]) for quads in group_quads(config, d))
    if d["window"]:
        taps = max(-(-taps // 4), rows * min(columns, d["stride_x"]))
    return max(4, most, taps)


def complete(config: AcceleratorConfig, **fields: int) -> Descriptor:
    """Return a descriptor with all fields, the least II and hold, and the row lead that it needs."""
    names = [field.name for field in FIELDS[Queue.EXECUTE]]
    d = dict.fromkeys(names, 0) | _DEFAULTS | {"queue": int(Queue.EXECUTE)}
    d |= {
        "tile_rows": fields.get("window_rows", 1),
        "tile_columns": fields.get("window_columns", 1),
    }
    d |= fields
    assert set(d) == set(names)
    last = len(set_stores(d, *list(window_sets(d))[-1]))
    hold = max(0, last - 4)
    if d["op"] == ExecuteOp.CONV:
        hold += d["pixels"] - 1
    if d["op"] == ExecuteOp.ADD:
        hold = max(3, hold)
    d |= {"initiation_interval": _least_interval(config, d), "hold": hold} | fields
    if d["window"]:
        taps = d["kernel_rows"] * d["kernel_columns"]
        d["row_lead"] = max(0, taps - d["initiation_interval"])
    return d
