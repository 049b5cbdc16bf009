"""Drawing of an accelerator's parts, each with the area that the cost model gives it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from html import escape

from hwgen.verilog_files import OWNERSHIP
from sim.cost.area import area
from sim.cost.area_parts import AreaBreakdown
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["OUTSIDE", "floorplan"]

OUTSIDE = ("weight_store", "bus", "control", "external_interface")
"""Parts beside the PE grid; all others are in its PEs."""

_SIDE = 800.0
_GAP = 2.0
_COLORS = ("#cfe2f3", "#d9ead3", "#fff2cc", "#f4cccc", "#d9d2e9", "#fce5cd", "#d0e0e3", "#ead1dc")
_SMALLEST_TEXT = 12


def floorplan(config: AcceleratorConfig) -> str:
    """Return a drawing as SVG: a square of the whole area, in which every part has its share.

    Nobody has placed it: it shows proportions, and which part lies in each PE.
    """
    shares = _shares(area(config))
    outside = {name: shares[name] for name in OUTSIDE if shares[name] > 0}
    inside = {name: share for name, share in shares.items() if name not in OUTSIDE}
    strip = _SIDE * sum(outside.values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE:.0f} {_SIDE + 40:.0f}" '
        'font-family="sans-serif" font-size="12">',
        f"<!-- {OWNERSHIP} -->",
        f'<text x="4" y="24">accelerator {config.fingerprint:08x}: {config.pes_x}x{config.pes_y} PEs, '
        f"{area(config).total:.3f} mm² in 45 nm by the cost model; not a placement</text>",
        '<g transform="translate(0 40)">',
        *_row(outside, 0.0, 0.0, _SIDE, strip, area(config)),
    ]
    width, height = _SIDE / config.pes_x, (_SIDE - strip) / config.pes_y
    for y in range(config.pes_y):
        for x in range(config.pes_x):
            left, top = x * width, strip + y * height
            lines.append(_box(left, top, width, height, "#ffffff", f"PE {y}, {x}"))
            lines += _column(inside, left + _GAP, top + 16, width - 2 * _GAP, height - 18)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _shares(parts: AreaBreakdown) -> dict[str, float]:
    """Return each part's share of the whole."""
    values = {field.name: float(getattr(parts, field.name)) for field in fields(parts)}
    return {name: value / sum(values.values()) for name, value in values.items()}


def _row(
    parts: Mapping[str, float],
    left: float,
    top: float,
    width: float,
    height: float,
    areas: AreaBreakdown,
) -> Iterator[str]:
    """Yield parts side by side, each as wide as its share."""
    whole = sum(parts.values())
    for number, (name, share) in enumerate(parts.items()):
        part = width * share / whole
        text = f"{_words(name)} {getattr(areas, name):.3f} mm²"
        yield _box(left, top, part, height, _COLORS[-1 - number], text)
        left += part


def _column(
    parts: Mapping[str, float], left: float, top: float, width: float, height: float
) -> Iterator[str]:
    """Yield parts below one another, each as high as its share."""
    whole = sum(parts.values())
    for number, (name, share) in enumerate(parts.items()):
        part = height * share / whole
        yield _box(left, top, width, part, _COLORS[number % len(_COLORS)], _words(name))
        top += part


def _box(left: float, top: float, width: float, height: float, color: str, text: str) -> str:
    """Return a rectangle; its text is a tooltip too, and left out where it has no room."""
    inner = f"<title>{escape(text)}</title>"
    box = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{color}" stroke="#666666">{inner}</rect>'
    )
    if height < _SMALLEST_TEXT or width < 6.5 * len(text):
        return box
    return f'{box}<text x="{left + 4:.1f}" y="{top + 12:.1f}">{escape(text)}</text>'


def _words(name: str) -> str:
    return name.replace("_", " ")
