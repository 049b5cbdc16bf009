"""An accelerator drawn to scale: every part's area is its share of the area figure."""

from html import escape
from math import sqrt

from sim.cost.area import area
from sim.cost.area_proxy import AreaBreakdown
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["PARTS", "floorplan"]

PARTS = {
    "local_memory": ("local memory", ("local_memory",)),
    "register_files": ("register files", ("register_files", "window_rings")),
    "arithmetic": ("multipliers, accumulators", ("multiply_accumulate", "accumulators")),
    "requantizers": ("requantizers", ("requantizers", "parameter_memory")),
    "interconnect": ("interconnect", ("interconnect",)),
    "system": ("weight store, bus and control", ("weight_store", "bus", "control")),
}
"""CSS class of a drawn part: its name and the parts of the area model that it stands for."""

_GAP = 0.035
"""Gap around a PE, as a share of its side, taken from no part."""


_UNITS_PER_MM = 100.0


def floorplan(config: AcceleratorConfig, role: str) -> str:
    """SVG of the accelerator: the grid of PEs, each with its parts, over bus and control.

    It fills the width that it is given; drawings of widths in the ratio of the roots of their areas compare in size.
    """
    parts = area(config)
    side = sqrt(parts.total) * _UNITS_PER_MM
    strip = side * _share(parts, "system")
    shapes = [_rectangle("system", 0, side - strip, side, strip, PARTS["system"][0])]
    width, height = side / config.pes_x, (side - strip) / config.pes_y
    for row in range(config.pes_y):
        for column in range(config.pes_x):
            shapes += _pe(config, parts, column * width, row * height, width, height)
    label = f"{role}: {config.pes_x} by {config.pes_y} PEs, {parts.total:.2f} square millimetres"
    return (
        f'<svg class="floorplan" role="img" aria-labelledby="floorplan-{role}" width="100%" '
        f'viewBox="0 0 {side:.2f} {side:.2f}"><title id="floorplan-{role}">{label}</title>'
        + "".join(shapes)
        + "</svg>"
    )


def _pe(
    config: AcceleratorConfig,
    parts: AreaBreakdown,
    x: float,
    y: float,
    width: float,
    height: float,
) -> list[str]:
    """Draw one PE: local memory at the left, one row per lane at the right."""
    inner = 1 - _share(parts, "system")
    memory = _share(parts, "local_memory") / inner
    gap = _GAP * min(width, height)
    x, y, width, height = x + gap, y + gap, width - 2 * gap, height - 2 * gap
    shapes = [_rectangle("local_memory", x, y, width * memory, height, PARTS["local_memory"][0])]
    lanes = config.compute_lanes
    left, right = x + width * memory, width * (1 - memory)
    for lane in range(lanes):
        top, offset = y + lane * height / lanes, 0.0
        for name in ("register_files", "arithmetic", "requantizers", "interconnect"):
            share = _share(parts, name) / (inner * (1 - memory))
            shapes.append(
                _rectangle(name, left + offset, top, right * share, height / lanes, PARTS[name][0])
            )
            offset += right * share
    return shapes


def _share(parts: AreaBreakdown, name: str) -> float:
    return float(sum(getattr(parts, part) for part in PARTS[name][1]) / parts.total)


def _rectangle(name: str, x: float, y: float, width: float, height: float, title: str) -> str:
    return (
        f'<rect class="{name}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" '
        f'height="{height:.2f}"><title>{escape(title)}</title></rect>'
    )
