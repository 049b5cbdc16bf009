"""Tables of the page on silicon: errors of the fitted silicon, and what both defaults take of it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from page_tables import table_lines
from sim.cost.logic_area import AREA_PARTS, fitted_area
from sim.cost.silicon_fit import parse, shipped
from sim.spec.accelerator import DOT_WIDTH, AcceleratorConfig
from sim.spec.spaces import EDGE, NAHAS, TINY, HardwareSpace

__all__ = [
    "SILICON",
    "energy_errors",
    "energy_samples",
    "silicon_errors",
    "silicon_modules",
    "silicon_parts",
    "silicon_samples",
    "synthesized",
]

Results = Mapping[str, Any]

_WORST_MODULES = 8
"""Kinds of modules in the table of those that are fitted worst."""


def silicon_errors(results: Results) -> str:
    """Errors of every fit over accelerators: those fitted to, and those held out."""
    rows = []
    for fit in results["fits"]:
        for figure, judged in fit["held_out"].items():
            fitted = fit["fitted"][figure]
            rows.append(
                [
                    f"`{fit['target']}`",
                    f"{fit['clock_mhz']:g}" if fit["clock_mhz"] else "–",
                    figure.replace("_", " "),
                    *_errors(fitted, judged, 2),
                ]
            )
    titles = (
        *("target", "clock, MHz", "figure", "fitted", "held out"),
        *("mean, fitted", "worst", "mean, held out", "worst"),
    )
    return "\n".join(table_lines(titles, rows, text=3))


def _errors(fitted: Results, judged: Results, digits: int) -> list[str]:
    """Samples of both, and the errors of both in percent."""
    parts = (fitted, judged)
    errors = [part[name] for part in parts for name in ("mean", "worst")]
    return [
        *(f"{part['samples']}" for part in parts),
        *(f"{100 * own:.{digits}f} %" for own in errors),
    ]


def silicon_modules(results: Results) -> str:
    """Kinds of modules with the largest mean error of area over those that the fit has seen, of every clock."""
    rows = []
    for fit in results["fits"]:
        errors = {
            kind: module["errors"]["area_um2"]
            for kind, module in fit["modules"].items()
            if "area_um2" in module["errors"]
        }
        worst = sorted(errors, key=lambda kind: -errors[kind]["mean"])[:_WORST_MODULES]
        rows += [
            [
                f"{fit['clock_mhz']:g}",
                f"`{kind}`",
                f"{errors[kind]['samples']}",
                *(f"{100 * errors[kind][name]:.1f} %" for name in ("mean", "worst")),
            ]
            for kind in worst
        ]
    titles = ("clock, MHz", "module", "modules", "mean", "worst")
    return "\n".join(table_lines(titles, rows, text=2))


def silicon_parts(results: Results) -> str:
    """Area of the defaults by part, and the share of each."""
    fits = parse(results)
    areas = [fitted_area(space.default, fits) for space in (TINY, EDGE)]
    rows = [
        [
            part.replace("_", " "),
            *(
                cell
                for area in areas
                for cell in (
                    f"{getattr(area, part):.4f}",
                    f"{100 * getattr(area, part) / area.total:.1f} %",
                )
            ),
        ]
        for part in (*AREA_PARTS, "total")
    ]
    titles = ("part", "`tiny`, mm²", "share", "`edge`, mm²", "share")
    return "\n".join(table_lines(titles, rows, text=1))


def energy_errors(results: Results) -> str:
    """Errors of the energy of runs, of every clock and part: of those fitted to, and of those held out."""
    rows = []
    for fit in results["fits"]:
        for part, judged in fit["held_out"].items():
            fitted = fit["fitted"][part]
            rows.append(
                [
                    f"{fit['clock_mhz']:g}",
                    part.replace("_", " "),
                    *_errors(fitted, judged, 1),
                ]
            )
    titles = (
        *("clock, MHz", "part", "fitted runs", "held out"),
        *("mean, fitted", "worst", "mean, held out", "worst"),
    )
    return "\n".join(table_lines(titles, rows, text=2))


_PER_PE = ("compute_lanes", "simd_units")
"""Fields whose product are the units of a PE."""

_MACS = ("pes_x", "pes_y", *_PER_PE)
"""Fields whose product, times the products of a unit, are the MACs of a cycle."""


def silicon_samples(results: Results) -> str:
    """Units of a PE of the accelerators that were mapped, beside those of the spaces of their clock."""
    known = {
        target["clock_mhz"]: [
            sample["accelerator"] for sample in (*target["fitted"], *target["held_out"])
        ]
        for target in results["targets"]
        if target["clock_mhz"]
    }
    return _sizes(known, "units of a PE", _PER_PE, 1)


def energy_samples(results: Sequence[Results]) -> str:
    """MACs per cycle of the accelerators whose modules were simulated, beside those of the spaces of their clock."""
    known: dict[float, list[Results]] = {}
    for record in results[1:]:
        accelerator = record["accelerator"]
        known.setdefault(accelerator["clock_mhz"], []).append(accelerator)
    return _sizes(known, "MACs per cycle", _MACS, DOT_WIDTH)


def _sizes(
    known: Mapping[float, Sequence[Results]], what: str, names: Sequence[str], times: int
) -> str:
    """Table of the sizes of samples by clock, and of how many accelerators of a space are larger than all of them."""

    def size(accelerator: Results) -> int:
        return times * prod(int(accelerator[name]) for name in names)

    rows = []
    for clock, samples in sorted(known.items()):
        sizes = [size(sample) for sample in samples]
        for space in (TINY, EDGE, NAHAS):
            if space.clock_mhz == clock:
                rows.append(
                    [
                        f"{clock:g}",
                        f"{len(sizes)}",
                        _range(sizes),
                        *_beyond(space, size, names, max(sizes)),
                    ]
                )
    titles = (
        *("clock, MHz", "samples", f"{what}, samples", "space"),
        *(f"{what}, space", "accelerators above all samples"),
    )
    return "\n".join(table_lines(titles, rows, text=1))


def synthesized(results: Results) -> str:
    """Accelerators by the command line, each from an empty cache, beside the fitted area."""
    fits = shipped()
    rows = []
    for name, made in results["designs"].items():
        config = AcceleratorConfig.from_json(made["accelerator"])
        own = fitted_area(config, fits)
        fitted = own.total - own.external_interface
        rows.append(
            [
                name,
                f"{config.macs:,}",
                f"{made['logic_mm2']:.3f}",
                f"{made['area_mm2']:.3f}",
                f"{fitted:.3f}",
                f"{100 * (fitted / made['area_mm2'] - 1):+.2f} %".replace("-", "−"),
                f"{made['fmax_mhz']:,.0f}",
                f"`{made['slowest_module'].removeprefix('cosilico_')}`",
                f"{len(made['faults'])}",
                f"{made['cpu_s']:,.0f}",
                f"{made['wall_s']:,.0f}",
            ]
        )
    titles = (
        *(
            "accelerator",
            "MACs",
            "logic, mm²",
            "with macros, mm²",
            "fitted, mm²",
            "fitted beside it",
        ),
        *("MHz", "slowest module", "faults", "processor, s", "elapsed, s"),
    )
    return "\n".join(table_lines(titles, rows, text=1))


def _beyond(
    space: HardwareSpace, size: Callable[[Results], int], names: Sequence[str], most: int
) -> list[str]:
    """Name of a space, sizes of its accelerators, and the share of those that are larger than ``most``."""
    sizes = [
        size(dict(zip(names, values, strict=True)))
        for values in product(*(space.values[name] for name in names))
    ]
    share = sum(own > most for own in sizes) / len(sizes)
    return [f"`{space.name}`", _range(sizes), f"{100 * share:.0f} %"]


def _range(sizes: Sequence[int]) -> str:
    return f"{min(sizes):,} … {max(sizes):,}"


SILICON = (
    silicon_errors,
    silicon_modules,
    silicon_parts,
    silicon_samples,
    energy_errors,
    energy_samples,
    synthesized,
)
"""Blocks of the page."""
