"""An accelerator drawn to scale: every part's area is its share of the area figure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from math import sqrt

from cosilico.report.records import RunRecords
from sim.cost.area import area
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of

__all__ = ["PARTS", "Floorplan", "PartLabel", "area_parts", "floorplan"]

PARTS = {
    "local_memory": ("local memory", ("local_memory",)),
    "register_files": ("register files", ("register_files", "window_rings")),
    "arithmetic": ("multipliers, accumulators", ("multiply_accumulate", "accumulators")),
    "requantizers": ("requantizers", ("requantizers", "parameter_memory")),
    "interconnect": ("interconnect", ("interconnect",)),
    "system": (
        "weight store, bus and control, external interface",
        ("weight_store", "bus", "control", "external_interface"),
    ),
}
"""CSS class of a drawn part: its name and the parts of the area model that it stands for."""

_GAP = 0.035
"""Gap around a PE, as a share of its side, taken from no part."""


_UNITS_PER_MM = 100.0

_LABEL_PX = (16, 17)
"""Width and height of a part's number."""

_CHIP_PX = (150, 220, 300, 380)
"""Widths of a drawing from which on a number is shown where its part then has room for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLabel:
    """A part's number, at the centre of the first PE's part.

    Parameters
    ----------
    number : int
        Of the part in :data:`PARTS`, from 1.
    left, top : float
        Percent of the drawing.
    chip_px : int
        Width of the drawing from which on the number fits.
    """

    number: int
    left: float
    top: float
    chip_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Floorplan:
    """A drawn accelerator.

    Parameters
    ----------
    side_mm : float
        Side of the square.
    svg : str
    gaps : float
        Share of a PE that is drawn as a gap.
    labels : tuple of PartLabel
        To lie over the drawing; a part that is too small for its number has none.
    """

    side_mm: float
    svg: str
    gaps: float
    labels: tuple[PartLabel, ...]


def area_parts(records: RunRecords, role: str) -> dict[str, float]:
    """Return the area by part of the area model, mm²: as the run recorded it, else as the model gives it now."""
    profile = records.profiles[role]
    names = {part for _, parts in PARTS.values() for part in parts}
    if profile is not None and names == profile.area_mm2.keys():
        return profile.area_mm2
    return asdict(area(accelerator_of(records.sides[role]["accelerator"])))


def floorplan(config: AcceleratorConfig, parts: Mapping[str, float], role: str) -> Floorplan:
    """Return the accelerator: the grid of PEs, each with its parts, over bus and control.

    It fills the width that it is given; drawings of widths in the ratio of their sides compare in size.
    """
    total = sum(parts.values())
    side = sqrt(total) * _UNITS_PER_MM
    strip = side * _share(parts, "system")
    shapes = [_Rectangle("system", 0, side - strip, side, strip)]
    width, height = side / config.pes_x, (side - strip) / config.pes_y
    for row in range(config.pes_y):
        for column in range(config.pes_x):
            shapes += _pe(config, parts, column * width, row * height, width, height)
    label = f"{role}: {config.pes_x} by {config.pes_y} PEs, {total:.2f} square millimetres"
    svg = (
        f'<svg class="floorplan" role="img" aria-labelledby="floorplan-{role}" width="100%" '
        f'viewBox="0 0 {side:.2f} {side:.2f}"><title id="floorplan-{role}">{label}</title>'
        + "".join(shape.svg() for shape in shapes)
        + "</svg>"
    )
    gap = 2 * _GAP * min(width, height)
    gaps = 1 - (width - gap) * (height - gap) / (width * height)
    return Floorplan(side_mm=sqrt(total), svg=svg, gaps=gaps, labels=tuple(_labels(shapes, side)))


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A drawn part: CSS class, place and size in the drawing's units."""

    name: str
    x: float
    y: float
    width: float
    height: float

    def svg(self) -> str:
        return (
            f'<rect class="{self.name}" x="{self.x:.2f}" y="{self.y:.2f}" width="{self.width:.2f}" '
            f'height="{self.height:.2f}"><title>{escape(PARTS[self.name][0])}</title></rect>'
        )


def _labels(shapes: list[_Rectangle], side: float) -> Iterator[PartLabel]:
    """Numbers of the parts that are large enough, each in the first rectangle of its part."""
    for number, name in enumerate(PARTS, 1):
        shape = next(shape for shape in shapes if shape.name == name)
        if not (shape.width and shape.height):
            continue
        needed = max(_LABEL_PX[0] * side / shape.width, _LABEL_PX[1] * side / shape.height)
        fitting = [width for width in _CHIP_PX if width >= needed]
        if fitting:
            yield PartLabel(
                number=number,
                left=100 * (shape.x + shape.width / 2) / side,
                top=100 * (shape.y + shape.height / 2) / side,
                chip_px=fitting[0],
            )


def _pe(
    config: AcceleratorConfig,
    parts: Mapping[str, float],
    x: float,
    y: float,
    width: float,
    height: float,
) -> list[_Rectangle]:
    """Draw one PE: local memory at the left, one row per lane at the right."""
    inner = 1 - _share(parts, "system")
    memory = _share(parts, "local_memory") / inner
    gap = _GAP * min(width, height)
    x, y, width, height = x + gap, y + gap, width - 2 * gap, height - 2 * gap
    shapes = [_Rectangle("local_memory", x, y, width * memory, height)]
    lanes = config.compute_lanes
    left, right = x + width * memory, width * (1 - memory)
    for lane in range(lanes):
        top, offset = y + lane * height / lanes, 0.0
        for name in ("register_files", "arithmetic", "requantizers", "interconnect"):
            share = _share(parts, name) / (inner * (1 - memory))
            shapes.append(_Rectangle(name, left + offset, top, right * share, height / lanes))
            offset += right * share
    return shapes


def _share(parts: Mapping[str, float], name: str) -> float:
    return sum(parts[part] for part in PARTS[name][1]) / sum(parts.values())
