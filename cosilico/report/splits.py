"""Splits of area and energy by part, for both accelerators."""

from html import escape
from typing import Any

from cosilico.profile import Profile
from cosilico.report.floorplan import PARTS, area_parts
from cosilico.report.plot import Legend
from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable
from cosilico.summary import EDP_SCALE

__all__ = [
    "ENERGY_PARTS",
    "area_table",
    "cold_energy_text",
    "energy_legend",
    "energy_svg",
    "energy_table",
    "energy_text",
]

ENERGY_PARTS = {
    "multiply_accumulate": ("arithmetic", "arithmetic", "arithmetic"),
    "register_files": ("weights", "register files", "the register files"),
    "local_memory": ("input", "local memory", "local memory"),
    "weight_store": ("kept", "weight store", "the weight store"),
    "external_memory": ("load", "external memory", "external memory"),
    "requantizers": ("requantize", "requantizers", "the requantizers"),
    "accumulators": ("output", "lanes, window rings", "the lanes and their window rings"),
    "interconnect": ("wires", "interconnect", "the interconnect"),
    "control": ("system", "control", "control"),
    "leakage": ("other", "leakage", "leakage"),
}
"""Parts of the energy figure: colour, name, and name in a sentence."""

_ROW_PX = 40


def area_table(records: RunRecords) -> DataTable:
    """Return the area of the drawn parts, and of all."""
    parts = [area_parts(records, role) for role in ("default", "found")]
    totals = [sum(own.values()) for own in parts]
    rows: list[list[object]] = []
    for title, names in PARTS.values():
        areas = [sum(own[name] for name in names) for own in parts]
        shares = [mm2 / total for mm2, total in zip(areas, totals, strict=True)]
        rows.append([title, areas[0], shares[0], areas[1], shares[1]])
    return DataTable(
        name="area",
        caption="Area by part, in 45 nm",
        columns=[
            DataColumn("part", "part"),
            DataColumn("default_mm2", "default, mm²", "{:.4f}"),
            DataColumn("default_share", "default, %", "{:.1f}", 100),
            DataColumn("found_mm2", "found, mm²", "{:.4f}"),
            DataColumn("found_share", "found, %", "{:.1f}", 100),
        ],
        rows=rows,
        total=["total", totals[0], 1.0, totals[1], 1.0],
    )


def energy_svg(profiles: dict[str, Profile]) -> str:
    """Return a bar for each accelerator, on one scale."""
    totals = {role: sum(profile.energy_pj.values()) for role, profile in profiles.items()}
    scale = 100 / max(totals.values())
    body = []
    for index, (role, profile) in enumerate(profiles.items()):
        y, at = 4 + index * _ROW_PX, 0.0
        body.append(f'<text class="beside" x="0" y="{y + 20}" dx="-8">{role}</text>')
        for name, (css, text, _) in ENERGY_PARTS.items():
            picojoules = profile.energy_pj.get(name, 0.0)
            if picojoules:
                tip = f"{role}, {text}: {picojoules * 1e-6:,.4f} µJ"
                body.append(
                    f'<rect class="{css}" x="{at:.3f}%" y="{y}" width="{picojoules * scale:.3f}%" '
                    f'height="{_ROW_PX - 10}"><title>{escape(tip)}</title></rect>'
                )
            at += picojoules * scale
    height = 4 + _ROW_PX * len(profiles)
    return (
        f'<svg role="img" aria-labelledby="energy-title" width="100%" height="{height}">'
        '<title id="energy-title">Energy by part of a run on both accelerators, on one scale'
        f"</title>{''.join(body)}</svg>"
    )


def energy_legend(profiles: dict[str, Profile]) -> list[Legend]:
    """Return the legend of the bars."""
    return [Legend(css, "box", text) for css, text, _ in ENERGY_PARTS.values()]


def energy_table(sides: dict[str, dict[str, Any]], profiles: dict[str, Profile]) -> DataTable:
    """Return the parts of the energy figure, and those of a cold run where it takes another energy."""
    runs = []
    for role, profile in profiles.items():
        runs.append((role, role, profile.energy_pj))
        if _fills(sides[role]):
            runs.append((f"{role}_cold", f"{role}, cold", sides[role]["cold_energy_by_part"]))
    totals = [sum(parts.values()) for _, _, parts in runs]
    rows: list[list[object]] = []
    for name, (_, text, _) in ENERGY_PARTS.items():
        row: list[object] = [text]
        for (_, _, parts), total in zip(runs, totals, strict=True):
            row += [parts.get(name, 0.0), parts.get(name, 0.0) / total]
        rows.append(row)
    columns = [DataColumn("part", "part")]
    for key, title, _ in runs:
        columns += [
            DataColumn(f"{key}_pj", f"{title}, µJ", "{:,.4f}", 1e-6),
            DataColumn(f"{key}_share", f"{title}, %", "{:.1f}", 100),
        ]
    return DataTable(
        name="energy",
        caption="Energy by part, in 45 nm",
        columns=columns,
        rows=rows,
        total=["total", *(x for total in totals for x in (total, 1.0))],
    )


def _fills(side: dict[str, Any]) -> bool:
    """Whether the run that fills the weight store takes another energy, as far as that was recorded."""
    return bool(side.get("cold_energy_by_part")) and side["cold_energy"] != side["energy"]


def cold_energy_text(sides: dict[str, dict[str, Any]]) -> str:
    """Return the energy-delay products of both accelerators, with those of a cold run where it has others."""
    sentences = []
    for role in ("found", "default"):
        side = sides[role]
        if not side.get("edp"):
            return ""
        text = f"The energy-delay product is {side['edp'] * EDP_SCALE:.4g} µJ·ms on the {role} accelerator"
        if _fills(side):
            cold = (
                f"{side['cold_energy'] * 1e-6:.3f} µJ and {side['cold_edp'] * EDP_SCALE:.4g} µJ·ms"
            )
            text += f" in a warm run; a cold run takes {cold}"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def energy_text(profile: Profile) -> str:
    """Return a sentence on the largest part."""
    name = max(profile.energy_pj, key=profile.energy_pj.__getitem__)
    total = sum(profile.energy_pj.values())
    return f"{100 * profile.energy_pj[name] / total:.0f} % of the energy goes to {ENERGY_PARTS[name][2]}"
