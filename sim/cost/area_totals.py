"""Areas of many accelerators: a part is worked out once for all that are equal in what it depends on."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sim.cost.area import AreaBreakdown, area
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["area_totals"]

_GRID = ("pes_x", "pes_y", "simd_units", "compute_lanes")
"""Fields on which every part depends."""

_MORE = {
    "register_files": ("register_file_kb",),
    "local_memory": ("local_memory_kb",),
    "weight_store": ("weight_store_kb",),
    "bus": ("io_bandwidth_gbps", "clock_mhz"),
}
"""Fields on which a part depends beside the grid's."""

_PARTS = tuple((part.name, _MORE.get(part.name, ())) for part in fields(AreaBreakdown))


def area_totals(configs: Sequence[AcceleratorConfig]) -> list[float]:
    """Total of :func:`sim.cost.area.area` of each accelerator, mm²."""
    known: dict[tuple[Any, ...], float] = {}
    totals = []
    for config in configs:
        grid = tuple(getattr(config, name) for name in _GRID)
        keys = [(part, grid, *(getattr(config, name) for name in more)) for part, more in _PARTS]
        if not all(key in known for key in keys):
            breakdown = area(config)
            known.update((key, getattr(breakdown, key[0])) for key in keys)
        # in the order of the breakdown's own sum
        totals.append(float(sum(known[key] for key in keys)))
    return totals
