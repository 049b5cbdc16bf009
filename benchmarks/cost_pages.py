"""Tables of the page on silicon: memories of macros, other macros beside them, and the external interface."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from hwgen.synthesis.cacti import TRANSISTORS
from page_tables import table_lines
from sim.cost.external_interface import ExternalInterface, interface_class, interface_price
from sim.cost.memory_macros import memory_macros
from sim.cost.sram import MACRO_BITS, MACRO_ROWS, highest_mhz, macro, memory_cells
from sim.cost.sram_table import Macro, MemoryCells
from sim.spec.spaces import EDGE, SPACE_NAMES, TINY

__all__ = [
    "default_memories",
    "fakeram45",
    "hyperbus_figures",
    "interface_prices",
    "interface_sources",
    "interpolation",
    "lpddr4_figures",
    "macro_cells",
    "other_macros",
]

Results = Mapping[str, Any]

_LARGE_BITS = 8 << 25
"""Bits of 32 MiB."""

_INTERFACES = {ExternalInterface.LPDDR4: "LPDDR4", ExternalInterface.HYPERBUS: "HyperBus"}

_SCALED = {"area": "× (45 / node)²", "none": "as it is"}


def macro_cells(results: Results) -> str:
    """Largest macro with two ports, of every kind of transistors, and who takes them."""
    rows = []
    for figures in results["macros"]:
        if (figures["ports"], figures["width"], figures["rows"]) != (2, MACRO_BITS, MACRO_ROWS):
            continue
        cells = MemoryCells(figures["cells"])
        spaces = [
            f"`{name}`"
            for name, space in SPACE_NAMES.items()
            if memory_cells(space.clock_mhz) is cells
        ]
        large_w = figures["leakage_uw"] * 1e-6 * _LARGE_BITS / (MACRO_BITS * MACRO_ROWS)
        rows.append(
            [
                cells.replace("_", " "),
                " / ".join(name.removeprefix("itrs-").upper() for name in TRANSISTORS[cells]),
                ", ".join(sorted(spaces)) or "–",
                f"{highest_mhz(cells):,}",
                f"{figures['access_ns']:.3f}",
                f"{figures['read_pj']:.2f}",
                f"{figures['write_pj']:.2f}",
                *(_three(figures[name] / 1000) for name in ("leakage_uw", "hot_leakage_uw")),
                _three(large_w),
            ]
        )
    titles = (
        *("cells", "cells / periphery", "taken by", "at most, MHz", "access, ns", "read, pJ"),
        *("write, pJ", "leakage at 300 K, mW", "at 360 K, mW", "32 MiB at 300 K, W"),
    )
    return "\n".join(table_lines(titles, rows, text=3))


def other_macros(results: Results) -> str:
    """Macros that a memory might be made of; those that it is made of in bold."""
    rows = []
    for figures in results["others"]:
        width, depth = figures["width"], figures["rows"]
        taken = width == MACRO_BITS and depth <= MACRO_ROWS
        rows.append(
            [
                f"**{width}**" if taken else f"{width:,}",
                f"{depth:,}",
                f"{figures['area_um2'] / (width * depth):.3f}",
                f"{figures['access_ns']:.3f}",
                *(f"{1000 * figures[way] / width:.1f}" for way in ("read_pj", "write_pj")),
            ]
        )
    titles = ("bits", "rows", "µm² per bit", "access, ns", "read, fJ per bit", "write, fJ per bit")
    return "\n".join(table_lines(titles, rows, text=0))


def interpolation(results: Results) -> str:
    """Figures between the table's rows beside CACTI's own."""
    rows = []
    for name in (field.name for field in fields(Macro)):
        errors = [
            getattr(_own(asked, MemoryCells(asked["cells"])), name) / asked[name] - 1
            for asked in results["between"]
        ]
        mean = sum(map(abs, errors)) / len(errors)
        signed = [_signed(error, 1) for error in (min(errors), max(errors))]
        rows.append([f"`{name}`", f"{100 * mean:.1f} %", *signed])
    return "\n".join(table_lines(("figure", "mean", "least", "most"), rows, text=1))


def default_memories(results: Results) -> str:
    """Memories of both defaults that are made of macros."""
    del results  # what sim.cost reads too
    rows = [
        [
            f"`{name}`",
            part.replace("_", " "),
            f"{memory.shape.width} × {memory.shape.rows:,}",
            f"{memory.shape.count}",
            f"{memory.figures.slices} × {memory.figures.depth}",
            f"{memory.area_mm2:.3f}",
            f"{memory.figures.access_ns:.2f}",
            f"{memory.figures.wire_ns:.2f}",
            f"{memory.figures.read_pj:.1f}",
            f"{memory.figures.write_pj:.1f}",
            f"{memory.leakage_mw:.3f}",
        ]
        for name, space in (("tiny", TINY), ("edge", EDGE))
        for part, made in memory_macros(space.default).items()
        for memory in made
    ]
    titles = (
        *("default", "memory", "bits × rows", "number", "slices × depth", "mm²", "access, ns"),
        *("wires, ns", "read, pJ", "write, pJ", "leakage at 300 K, mW"),
    )
    return "\n".join(table_lines(titles, rows, text=2))


def fakeram45(results: Results) -> str:
    """Density of the macros of OpenROAD's flows, and ours."""
    rows = []
    for theirs in results["macros"]:
        bits = theirs["width"] * theirs["rows"]
        density = theirs["width_um"] * theirs["height_um"] / bits
        own = _own(theirs | {"ports": 1}, MemoryCells.LOW_OPERATING_POWER).area_um2 / bits
        size = f"{theirs['width']} × {theirs['rows']:,}"
        fastest = theirs["fastest_um2"] / bits
        ratios = (f"{density / other:.2f}×" for other in (own, fastest))
        rows.append([size, *(f"{each:.3f}" for each in (density, own, fastest)), *ratios])
    titles = (
        *("bits × rows", "fakeram45, µm² per bit", "ours", "CACTI's fastest"),
        *("fakeram45 in ours", "in the fastest"),
    )
    return "\n".join(table_lines(titles, rows, text=1))


def interface_prices(results: Results) -> str:
    """Area of the interface for every bandwidth of a space."""
    del results  # what sim.cost reads too
    rows = []
    for interface, title in _INTERFACES.items():
        bandwidths = {
            value
            for space in SPACE_NAMES.values()
            for value in space.values["io_bandwidth_gbps"]
            if interface_class(value) is interface
        }
        for bandwidth in sorted(bandwidths):
            price = interface_price(interface, bandwidth)
            areas = (price.io_mm2, price.phy_mm2, price.controller_mm2, price.area_mm2)
            sizes = (f"{bandwidth:g}", f"{price.channels}", f"{price.rate_mts:,.0f}")
            rows.append([title, *sizes, *(f"{area:.3f}" for area in areas)])
    titles = (
        *("interface", "GB/s", "channels", "MT/s"),
        *("I/O, mm²", "PHY, mm²", "controller, mm²", "area, mm²"),
    )
    return "\n".join(table_lines(titles, rows, text=1))


def lpddr4_figures(results: Results) -> str:
    """Published figures of LPDDR4 and its interface."""
    return _interface_figures(results["interfaces"][ExternalInterface.LPDDR4])


def hyperbus_figures(results: Results) -> str:
    """Published figures of HyperBus and its interface."""
    return _interface_figures(results["interfaces"][ExternalInterface.HYPERBUS])


def interface_sources(results: Results) -> str:
    """Publications of the interfaces' figures."""
    return "\n".join(
        "* **{name}**: {authors}. *{title}*. {published}, {year}: {place}.".format(
            name=name, **source
        )
        for name, source in results["sources"].items()
    )


def _interface_figures(figures: Sequence[Results]) -> str:
    rows = [
        "| `{name}` | {value:g} | {unit} | {node} | {scaled} | {source} |".format(
            **figure,
            node="–" if figure["technology_nm"] is None else f"{figure['technology_nm']:g}",
            scaled=_SCALED[figure["scaling"]],
        )
        for figure in figures
    ]
    head = "| figure | value | unit | technology, nm | to 45 nm | source |"
    return "\n".join([head, "|---|---:|---|---:|---|---|", *rows])


def _own(shape: Results, cells: MemoryCells) -> Macro:
    return macro(shape["width"], shape["rows"], ports=shape["ports"], cells=cells)


def _signed(share: float, digits: int) -> str:
    return f"{100 * share:+.{digits}f} %".replace("-", "−")


def _three(value: float) -> str:
    """Value with three significant digits, or two decimals."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"
