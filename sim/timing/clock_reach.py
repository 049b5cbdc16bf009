"""Highest clock that an accelerator's modules reach in 45 nm, from measured delays.

``clock_reach.json`` holds the slowest whole path of every module of a few accelerators, as static timing of their
standard cells gives it (``python benchmarks/clock_reach.py``). A module is not slower than the same module of an
accelerator that has as much of everything that it depends on, or more. A module whose logic is larger than all that were measured
is taken to be as slow as that of the largest logic with the fewest levels of multiplexers that are enough, and a module
whose memories are deeper than all as the slowest of all and a multiplexer for every further level.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any, NamedTuple

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.remembered import remembered

__all__ = [
    "TABLE_FILE",
    "Delay",
    "ReachPoint",
    "ReachTable",
    "shipped_table",
    "slowest_module",
]

TABLE_FILE = "clock_reach.json"

_SLICE_BITS = 512

_LOGIC = ("pes_x", "pes_y", "simd_units", "compute_lanes", "bus_bytes")
_DEPENDS = {
    "pe": ("simd_units", "compute_lanes", "bank_levels", "file_levels"),
    "lane": ("simd_units", "compute_lanes", "file_levels"),
    "load": (*_LOGIC, "store_levels"),
    "top": (*_LOGIC, "store_levels"),
}
"""Traits that the slowest path of a module depends on; of those that are not here it is all but the memories' levels."""

_FIELDS = {
    **{name: (name,) for name in ("pes_x", "pes_y", "simd_units", "compute_lanes")},
    "bus_bytes": ("io_bandwidth_gbps", "clock_mhz"),
    "bank_levels": ("local_memory_kb", "compute_lanes", "simd_units"),
    "file_levels": ("register_file_kb", "simd_units"),
    "store_levels": ("weight_store_kb", "simd_units", "pes_x"),
}
"""Fields of an accelerator that decide a trait."""


class Delay(NamedTuple):
    """Slowest path of a module.

    Parameters
    ----------
    delay_ns : float
    module : str
        Its name without prefix and suffix.
    """

    delay_ns: float
    module: str

    @property
    def reach_mhz(self) -> int:
        """Highest clock, in whole MHz."""
        return int(1000 / self.delay_ns)


class _Traits(NamedTuple):
    """Sizes that delays depend on, and levels of multiplexers behind the memories."""

    pes_x: int
    pes_y: int
    simd_units: int
    compute_lanes: int
    bus_bytes: int
    bank_levels: int
    file_levels: int
    store_levels: int

    @classmethod
    def of(cls, config: AcceleratorConfig) -> "_Traits":
        """Traits of a configuration that can be generated."""
        banks = (config.pes_x - 1).bit_length()
        store = _levels(8 * config.row_bytes, -(-config.store_rows >> banks)) + banks
        return cls(
            config.pes_x,
            config.pes_y,
            config.simd_units,
            config.compute_lanes,
            config.bus_bytes,
            _levels(8 * config.vector_bytes, config.bank_depth),
            _levels(8 * config.row_bytes, 2 * config.weight_rows),
            store if config.store_rows else 0,
        )

    def covers(self, other: "_Traits", names: Sequence[str]) -> bool:
        """Whether none of the traits of these names is less than another's."""
        return all(getattr(self, name) >= getattr(other, name) for name in names)

    def levels(self, names: Sequence[str]) -> int:
        """Levels of multiplexers among the traits of these names."""
        return sum(getattr(self, name) for name in names if name not in _LOGIC)

    def levels_beyond(self, other: "_Traits", names: Sequence[str]) -> int:
        """Levels of multiplexers among the traits of these names that another does not have."""
        levels = [name for name in names if name not in _LOGIC]
        return max((getattr(self, name) - getattr(other, name) for name in levels), default=0)


def _levels(width: int, depth: int) -> int:
    """Levels of multiplexers that choose a bit; wider rows than macros have lie side by side."""
    return max(0, min(width, _SLICE_BITS) * depth - 1).bit_length()


def _larger(sizes: _Traits, than: _Traits, names: Sequence[str]) -> bool:
    """Whether an accelerator has the logic of another, and more."""
    logic = [name for name in names if name in _LOGIC]
    return sizes.covers(than, logic) and not than.covers(sizes, logic)


@dataclass(frozen=True, slots=True)
class ReachPoint:
    """Accelerator whose modules were timed.

    Parameters
    ----------
    config : AcceleratorConfig
    delays_ns : mapping of str to float
        Slowest whole path of each module, by its name without prefix and suffix; not every module need be there.
    """

    config: AcceleratorConfig
    delays_ns: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ReachTable:
    """Measured delays.

    Parameters
    ----------
    gateware_hash : str
        Gateware that was timed.
    library : str
        Name of the standard cells.
    clock_mhz : float
        Clock that the mapping aimed at.
    multiplexer_ns : float
        Delay of a multiplexer.
    points : sequence of ReachPoint
    """

    gateware_hash: str
    library: str
    clock_mhz: float
    multiplexer_ns: float
    points: Sequence[ReachPoint]

    def slowest(self, config: AcceleratorConfig) -> Delay:
        """Slowest module of a configuration that can be generated, and its delay."""
        traits = _Traits.of(config)
        return max(
            Delay(self.delay(module, known, traits), module)
            for module, known in self.measured().items()
        )

    def measured(self) -> dict[str, list[tuple[_Traits, float]]]:
        """Traits and delay, ns, of every point in which a module was timed."""
        measured: dict[str, list[tuple[_Traits, float]]] = {}
        for point in self.points:
            sizes = _Traits.of(point.config)
            for module, delay in point.delays_ns.items():
                measured.setdefault(module, []).append((sizes, delay))
        return measured

    def delay(self, module: str, known: Sequence[tuple[_Traits, float]], traits: _Traits) -> float:
        """Delay of a module of that name with such traits, ns, by the points in which it was timed."""
        names = _DEPENDS.get(module, _LOGIC)
        covering = [delay for sizes, delay in known if sizes.covers(traits, names)]
        if covering:
            return min(covering)
        largest = [
            (sizes, delay)
            for sizes, delay in known
            if not any(_larger(other, sizes, names) for other, _ in known)
        ]
        deep = [
            (sizes.levels(names), delay)
            for sizes, delay in largest
            if traits.levels_beyond(sizes, names) <= 0
        ]
        if deep:
            least = min(levels for levels, _ in deep)
            return max(delay for levels, delay in deep if levels == least)
        beyond = min(traits.levels_beyond(sizes, names) for sizes, _ in known)
        return max(delay for _, delay in known) + beyond * self.multiplexer_ns

    def to_json(self) -> dict[str, Any]:
        """Return the table as a JSON object."""
        return {
            "gateware_hash": self.gateware_hash,
            "library": self.library,
            "clock_mhz": self.clock_mhz,
            "multiplexer_ns": self.multiplexer_ns,
            "points": [
                {"accelerator": point.config.to_json(), "delays_ns": dict(point.delays_ns)}
                for point in self.points
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReachTable":
        """Table of a JSON object that :meth:`to_json` made."""
        points = [
            ReachPoint(AcceleratorConfig(**point["accelerator"]), point["delays_ns"])
            for point in value["points"]
        ]
        return cls(**{**value, "points": points})


@cache
def shipped_table() -> ReachTable:
    """Table that is shipped with the gateware."""
    text = resources.files(__package__).joinpath(TABLE_FILE).read_text(encoding="utf-8")
    return ReachTable.from_json(json.loads(text))


def slowest_module(config: AcceleratorConfig) -> Delay:
    """Slowest module of a configuration that can be generated, and its delay, by the shipped table.

    As of :meth:`ReachTable.slowest`; accelerators that are alike to some modules are looked up.
    """
    return max([slowest(config) for slowest in _SLOWEST])


def _slowest_among(names: Sequence[str], config: AcceleratorConfig) -> Delay:
    """Slowest of the modules that depend on these traits.

    They have the same delays wherever the same measured accelerators cover the traits, and memories have as many levels.
    """
    traits, table = _Traits.of(config), shipped_table()
    sizes = _measured_sizes()
    covered = tuple(own.covers(traits, names) for own in sizes)
    key = (*names, covered, tuple(getattr(traits, name) for name in names if name not in _LOGIC))
    if key not in _known:
        delays = [
            Delay(table.delay(module, known, traits), module)
            for module, known in table.measured().items()
            if _DEPENDS.get(module, _LOGIC) == names
        ]
        _known[key] = max(delays, default=Delay(0.0, ""))
    return _known[key]


_known: dict[Any, Delay] = {}


@cache
def _measured_sizes() -> Sequence[_Traits]:
    return [_Traits.of(point.config) for point in shipped_table().points]


_SLOWEST = [
    remembered(*sorted({field for name in names for field in _FIELDS[name]}))(
        partial(_slowest_among, names)
    )
    for names in dict.fromkeys((_LOGIC, *_DEPENDS.values()))
]
"""Slowest module of those that depend on the same traits, for each set of traits."""
