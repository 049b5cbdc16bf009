"""Coverage by module: shares of lines and toggles, and what is not covered, with the reason."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from hwgen.verilog.operators import WORDS
from hwgen.verilog.usage import PURPOSES
from testbench.rtl.coverage import Coverage, Point

__all__ = [
    "CONSTANT_OUTPUTS",
    "DATAPATH",
    "GOAL_PERCENT",
    "HOLES",
    "Hole",
    "ModuleCoverage",
    "control_shares",
    "open_points",
    "summarize_coverage",
]

GOAL_PERCENT = 95
"""Least share of the lines, and of the toggles, of all control modules together."""

PREFIX = "cosilico_"
RULES = "axi_"
"""Beginning of the modules that watch the ports, which are no part of the design."""

UNNAMED = rf"\w+_(?:{'|'.join((*PURPOSES, *WORDS, 'unused'))})(?:_\d+)?(?:\[|:|$)|unused\b"
"""Beginning of the nets that emission puts between registers, ports and named signals.

Their toggles are left out: they are functions of the others, many of them copies.
"""

DATAPATH = (
    "grid",
    "lane",
    "lane_drain",
    "lane_requantizer",
    "lane_ring",
    "pe",
    "pe_feed",
    "ram",
    "requantizer_unit",
    "simd_unit",
    "single_port_ram",
    "union",
)
"""Modules that move and compute activations; all others are control."""


CONSTANT_OUTPUTS = (
    *(
        f"{port}_{channel}{name}"
        for port, channel in (("m_axi", "aw"), ("m_axi", "ar"), ("m_axi_desc", "ar"))
        for name in ("id", "size", "burst", "lock", "cache", "prot")
    ),
    *("m_axi_wstrb", "m_axi_desc_arlen", "s_axil_bresp", "s_axil_rresp"),
)
"""Outputs of the top module that are constants of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Points that no run can reach, or none does, and why.

    Parameters
    ----------
    modules, names : str
        Regular expressions: of the module, whole, and of the beginning of the bit's or branch's name.
    what : str
        The points, in words.
    reason : str
    """

    modules: str
    names: str
    what: str
    reason: str

    def has(self, point: Point) -> bool:
        """Whether a point is among them."""
        return bool(
            re.fullmatch(self.modules, module_name(point)) and re.match(self.names, point.name)
        )


HOLES: tuple[Hole, ...] = (
    Hole(
        modules="csr",
        names=r"\w+_count\[(1[6-9]|2\d|3[01])\]",
        what="bits 16 and up of the counters",
        reason="no run of the sample takes 65,536 cycles; the counters are plain 32-bit adders",
    ),
    Hole(
        modules="life",
        names=r"silent\[(1[3-9]|2\d|3[01])\]",
        what="bits 13 and up of the cycles without progress",
        reason="the sample's longest silence ends by its time-out of less than 8,192 cycles",
    ),
    Hole(
        modules="top",
        names=rf"({'|'.join(CONSTANT_OUTPUTS)})\b",
        what="attributes of bursts, strobes, lengths of descriptor bursts, responses of the register port",
        reason="outputs that the emitted text ties to a constant",
    ),
    Hole(
        modules="csr",
        names=r"[br]resp\b",
        what="responses",
        reason="outputs that the emitted text ties to a constant",
    ),
    Hole(
        modules="fetch",
        names=r"arlen\b",
        what="length of descriptor bursts",
        reason="an output that the emitted text ties to a constant",
    ),
    Hole(
        modules="csr|load|store|top",
        names=r"(memory_base|last_page)\[(\d|1[01])\]",
        what="bits 0 to 11 of MEMORY_BASE and WINDOW_LIMIT",
        reason="a multiple of 4 KiB: they read 0 whatever is written",
    ),
    Hole(
        modules="csr|fetch|top",
        names=r"program\[[0-5]\]",
        what="bits 0 to 5 of PROGRAM",
        reason="a multiple of 64: they read 0 whatever is written",
    ),
    Hole(
        modules="top",
        names=r"m_axi_([br]|desc_r)id\b",
        what="identifiers of answers",
        reason="inputs that the accelerator ignores; those of its bursts are 0",
    ),
    Hole(
        modules="csr|top",
        names=r"(s_axil_)?a[rw]prot",
        what="protection bits of the register port",
        reason="inputs that the accelerator ignores, and that hosts of the sample hold",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCoverage:
    """Points of a module, of all accelerators of the sample.

    Parameters
    ----------
    module : str
        Without its prefix and parameters.
    control : bool
    lines, lines_met : int
        Blocks of statements and ways of branches, and of these how many ran.
    toggles, toggles_met : int
        Changes of bits, each in both directions.
    explained_lines, explained_toggles : int
        Of those that were not met, what a :class:`Hole` has.
    """

    module: str
    control: bool
    lines: int
    lines_met: int
    toggles: int
    toggles_met: int
    explained_lines: int
    explained_toggles: int

    @property
    def explained(self) -> int:
        """Points that were not met and have a reason."""
        return self.explained_lines + self.explained_toggles

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def module_name(point: Point) -> str:
    """Return a point's module without prefix, fingerprint, parameters, and the sizes of a FIFO."""
    name = point.module.removeprefix(PREFIX).partition("__")[0]
    name = re.sub(r"_[0-9a-f]{8}$", "", name)
    return re.sub(r"_\d+x\d+$|(?<=ram)_fpga$", "", name)


def _counts(point: Point) -> bool:
    """Whether a point is of the design, and no toggle of a net between two named signals."""
    return not (
        point.module.startswith(RULES) or (point.kind == "toggle" and re.match(UNNAMED, point.name))
    )


def summarize_coverage(designs: Iterable[Coverage]) -> list[ModuleCoverage]:
    """Add up designs, module by module, in the order of the names."""
    points: dict[str, list[tuple[Point, int]]] = defaultdict(list)
    for coverage in designs:
        for point, count in coverage.counts.items():
            if _counts(point):
                points[module_name(point)].append((point, count))
    return [_summary(name, counted) for name, counted in sorted(points.items())]


def _summary(name: str, counted: list[tuple[Point, int]]) -> ModuleCoverage:
    lines = [(point, count) for point, count in counted if point.kind != "toggle"]
    toggles = [(point, count) for point, count in counted if point.kind == "toggle"]
    return ModuleCoverage(
        module=name,
        control=name not in DATAPATH,
        lines=len(lines),
        lines_met=sum(count > 0 for _, count in lines),
        toggles=len(toggles),
        toggles_met=sum(count > 0 for _, count in toggles),
        explained_lines=sum(not count and _explained(point) for point, count in lines),
        explained_toggles=sum(not count and _explained(point) for point, count in toggles),
    )


def _explained(point: Point) -> bool:
    return any(hole.has(point) for hole in HOLES)


def control_shares(modules: Iterable[ModuleCoverage]) -> tuple[float, float]:
    """Return percent of the lines, and of the toggles, of control modules, without explained points."""
    control = [module for module in modules if module.control]
    lines = sum(module.lines - module.explained_lines for module in control)
    toggles = sum(module.toggles - module.explained_toggles for module in control)
    return (
        100 * sum(module.lines_met for module in control) / lines,
        100 * sum(module.toggles_met for module in control) / toggles,
    )


def open_points(designs: Iterable[Coverage]) -> dict[str, dict[str, int]]:
    """Return by module and signal how many points of control modules are neither met nor explained."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for coverage in designs:
        for point, count in coverage.counts.items():
            name = module_name(point)
            if count or not _counts(point) or name in DATAPATH or _explained(point):
                continue
            if point.kind == "toggle":
                signal = re.split(r"[\[:]", point.name)[0]
            else:
                signal = f"line {point.line}: {point.name}"
            counts[name][signal] += 1
    return {name: dict(counts[name].most_common()) for name in sorted(counts)}
