"""EXECUTE descriptors made by hand: their sets of windows, their stores, the interval they need."""

from collections.abc import Iterator
from typing import TypeAlias

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import FIELDS, ExecuteOp, Queue

__all__ = ["Descriptor", "complete", "group_quads", "set_stores", "window_sets"]

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
    """Return the stores of a set as (pixel, dy, dx), in order."""
    if d["save"]:
        return [(0, 0, 0)]
    if d["op"] == ExecuteOp.POOL:
        return [(pixel, 0, 0) for pixel in range(count)]
    stores = []
    y = d["first_row"] + row
    for pixel in range(count):
        x = d["first_column"] + column + pixel
        east, west = x < d["halo_right"], x >= d["tile_columns"] - d["halo_left"]
        south, north = y < d["halo_bottom"], y >= d["tile_rows"] - d["halo_top"]
        for dy in [0] + [1] * south + [-1] * north:
            stores += [(pixel, dy, dx) for dx in [0] + [1] * east + [-1] * west]
    return stores


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
        return max(most, max(4, d["pixels"]) + max(10, d["pixels"]))
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
