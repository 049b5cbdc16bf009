"""Plots as SVG whose lines stretch with the page and whose texts do not.

Places are percentages of the plot; what is drawn as a path lies in an inner SVG that is stretched to them.
Colours are classes of the page's style sheet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from cosilico.report.axes import Axis, compact

__all__ = ["INNER", "Legend", "Plot", "inner_svg"]

INNER = 1000
"""Width and height of the inner SVG in its own units."""

_CELLS = (600, 360)
"""Cells of a plot; many points in a cell are drawn once, for no screen tells them apart."""


@dataclass(frozen=True, slots=True)
class Legend:
    """An entry of a plot's legend.

    Parameters
    ----------
    css : str
        Class of what it explains.
    shape : "dot", "ring", "diamond", "line", "dash" or "box"
    text : str
    """

    css: str
    shape: str
    text: str

    def svg(self) -> str:
        """Return the shape as an SVG of a letter's size."""
        shapes = {
            "dot": '<circle cx="8" cy="8" r="4"/>',
            "ring": '<circle class="hollow" cx="8" cy="8" r="5"/>',
            "diamond": '<path class="hollow" d="M8 1l7 7l-7 7l-7-7z"/>',
            "line": '<path class="line" d="M0 8h16"/>',
            "dash": '<path class="line dash" d="M0 8h16"/>',
            "box": '<rect x="2" y="2" width="12" height="12"/>',
        }
        return (
            f'<svg class="key {self.css}" width="16" height="16" aria-hidden="true">'
            f"{shapes[self.shape]}</svg>"
        )


@dataclass(slots=True, kw_only=True)
class Plot:
    """A plot that is drawn step by step.

    Parameters
    ----------
    name : str
        Unique in the page; begins the identifiers of its parts.
    title : str
        What it shows, in a sentence; read aloud in its place.
    x, y : Axis
    height_px : int
    """

    name: str
    title: str
    x: Axis
    y: Axis
    height_px: int = 320
    legend: list[Legend] = field(default_factory=list)
    _stretched: list[str] = field(default_factory=list)
    _placed: list[str] = field(default_factory=list)

    def cloud(self, xs: Iterable[float], ys: Iterable[float], css: str, text: str) -> None:
        """Draw many points as one path."""
        wide, high = _CELLS
        cells = {
            (round(self.x.place(x) / 100 * wide), round(self.y.place(y) / 100 * high))
            for x, y in zip(xs, ys, strict=True)
        }
        if not cells:
            return
        moves = "".join(
            f"M{column * INNER / wide:.4g} {INNER - row * INNER / high:.4g}h0"
            for column, row in sorted(cells)
        )
        self._stretched.append(f'<path class="cloud {css}" d="{moves}"/>')
        self.legend.append(Legend(css, "dot", text))

    def points(
        self,
        points: Sequence[tuple[float, float, str]],
        css: str,
        text: str,
        *,
        hollow: bool = False,
        radius: float = 4,
    ) -> None:
        """Draw points (x, y, what a pointer is told of it)."""
        kind = "hollow" if hollow else "mark"
        for x, y, tip in points:
            self._placed.append(
                f'<circle class="{kind} {css}" cx="{self._across(x)}" cy="{self._down(y)}" '
                f'r="{radius:g}"><title>{escape(tip)}</title></circle>'
            )
        if points:
            self.legend.append(Legend(css, "ring" if hollow else "dot", text))

    def diamond(self, x: float, y: float, css: str, text: str, tip: str) -> None:
        """Draw a hollow diamond, for a point that is not to be taken for one of :meth:`points`."""
        self._placed.append(
            f'<svg x="{self._across(x)}" y="{self._down(y)}" width="1" height="1" style="overflow:visible">'
            f'<path class="hollow {css}" d="M0-10l10 10l-10 10l-10-10z"><title>{escape(tip)}</title></path></svg>'
        )
        self.legend.append(Legend(css, "diamond", text))

    def line(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        css: str,
        text: str,
        *,
        step: bool = False,
        dashed: bool = False,
    ) -> None:
        """Draw a line, or with ``step`` stairs that hold each value until the next."""
        if not len(xs):
            return
        places = [
            (self.x.place(x) * 10, 1000 - self.y.place(y) * 10) for x, y in zip(xs, ys, strict=True)
        ]
        path = f"M{places[0][0]:.4g} {places[0][1]:.4g}"
        for across, down in places[1:]:
            path += f"H{across:.4g}V{down:.4g}" if step else f"L{across:.4g} {down:.4g}"
        dash = " dash" if dashed else ""
        self._stretched.append(f'<path class="line {css}{dash}" d="{path}"/>')
        self.legend.append(Legend(css, "dash" if dashed else "line", text))

    def band(
        self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], css: str
    ) -> None:
        """Fill between two lines."""
        if not len(xs):
            return
        across = [self.x.place(x) * 10 for x in xs]
        top = [1000 - self.y.place(y) * 10 for y in high]
        bottom = [1000 - self.y.place(y) * 10 for y in low]
        there = zip(across, top, strict=True)
        back = reversed(list(zip(across, bottom, strict=True)))
        path = "L".join(f"{x:.4g} {y:.4g}" for x, y in (*there, *back))
        self._stretched.append(f'<path class="band {css}" d="M{path}z"/>')

    def note(self, x: float, y: float, text: str, *, below: bool = False) -> None:
        """Write a few words beside a point, on the side where the plot has more room, a little above or below it."""
        left = self.x.place(x) > 50
        self._placed.append(
            f'<text class="{"beside" if left else "after"} note" x="{self._across(x)}" '
            f'y="{self._down(y)}" dx="{-9 if left else 9}" dy="{14 if below else -4}">{escape(text)}</text>'
        )

    def rule(self, value: float, css: str, text: str, *, upright: bool = False) -> None:
        """Draw a dashed line at a value of y, or with ``upright`` of x, across the plot."""
        if upright:
            x = self._across(value)
            ends = f'x1="{x}" x2="{x}" y1="0" y2="100%"'
        else:
            y = self._down(value)
            ends = f'x1="0" x2="100%" y1="{y}" y2="{y}"'
        self._placed.append(f'<line class="line dash {css}" {ends}/>')
        self.legend.append(Legend(css, "dash", text))

    def svg(self) -> str:
        """Return the plot, with grid and marks of the axes."""
        grid, texts = [], []
        for value in self.x.ticks():
            at = self._across(value)
            grid.append(f'<line x1="{at}" x2="{at}" y1="0" y2="100%"/>')
            texts.append(f'<text class="below" x="{at}" y="100%" dy="18">{compact(value)}</text>')
        for value in self.y.ticks():
            at = self._down(value)
            grid.append(f'<line x1="0" x2="100%" y1="{at}" y2="{at}"/>')
            texts.append(
                f'<text class="beside" x="0" y="{at}" dx="-8" dy="4">{compact(value)}</text>'
            )
        return (
            f'<svg role="img" aria-labelledby="{self.name}-title" width="100%" '
            f'height="{self.height_px}"><title id="{self.name}-title">{escape(self.title)}</title>'
            f'<g class="grid">{"".join(grid)}</g>'
            f"{inner_svg(self._stretched)}{''.join(self._placed)}"
            f'<g class="ticks">{"".join(texts)}</g></svg>'
        )

    def _across(self, value: float) -> str:
        return f"{self.x.place(value):.2f}%"

    def _down(self, value: float) -> str:
        return f"{100 - self.y.place(value):.2f}%"


def inner_svg(parts: Iterable[str], width: float = INNER, css: str = "") -> str:
    """Return an SVG that is stretched over the SVG that it lies in."""
    named = f' class="{css}"' if css else ""
    return (
        f'<svg{named} viewBox="0 0 {width:g} {INNER}" preserveAspectRatio="none" width="100%" '
        f'height="100%">{"".join(parts)}</svg>'
    )
