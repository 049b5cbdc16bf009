"""Totals of the proxy's area: a part is worked out once for all accelerators that are alike in what it depends on."""

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache

from sim.cost.area_parts import AreaBreakdown
from sim.cost.area_proxy import proxy_area
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.remembered import remembered

__all__ = ["proxy_area_total"]

_GRID = ("pes_x", "pes_y", "simd_units", "compute_lanes", "activation_table")
"""Fields on which every part depends."""

_MORE = {
    "register_files": ("register_file_kb",),
    "local_memory": ("local_memory_kb",),
    "weight_store": ("weight_store_kb",),
    "bus": ("io_bandwidth_gbps", "clock_mhz"),
}
"""Fields on which a part depends beside these."""

_breakdown = lru_cache(maxsize=1)(proxy_area)


def _part(name: str) -> Callable[[AcceleratorConfig], float]:
    """Function that looks up a part's area, mm²."""

    @remembered(*_GRID, *_MORE[name])
    def part(config: AcceleratorConfig) -> float:
        value: float = getattr(_breakdown(config), name)
        return value

    return part


@remembered(*_GRID)
def _of_grid(config: AcceleratorConfig) -> dict[str, float]:
    """Areas of the parts that depend on nothing else, mm²."""
    return {name: getattr(_breakdown(config), name) for name in _NAMES if name not in _MORE}


_NAMES = tuple(part.name for part in fields(AreaBreakdown))
_PARTS = {name: _part(name) for name in _MORE}


def proxy_area_total(config: AcceleratorConfig) -> float:
    """Return what :attr:`sim.cost.area_parts.AreaBreakdown.total` of :func:`sim.cost.area_proxy.proxy_area` is, mm²."""
    grid = _of_grid(config)
    # in the order of the breakdown's own sum
    return float(sum(_PARTS[name](config) if name in _PARTS else grid[name] for name in _NAMES))
