"""``report.html``: a run for people, in one file without outside references."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.profile import Profile
from cosilico.report.answer import answer
from cosilico.report.chain import chain, choices
from cosilico.report.fill import fill_table
from cosilico.report.floorplan import PARTS, Floorplan, area_parts, floorplan
from cosilico.report.fronts import fronts
from cosilico.report.layers import (
    layer_chart,
    layer_legend,
    layer_table,
    loss_table,
    rest_text,
    total_table,
    worst_text,
)
from cosilico.report.records import RunRecords, load_records
from cosilico.report.refused import refused_table
from cosilico.report.roofline import roofline_plot, roofline_table
from cosilico.report.running import (
    memory_table,
    memory_text,
    running_legend,
    running_svg,
    timeline_table,
)
from cosilico.report.searching import anytime, evaluation_table, space_plot, space_table
from cosilico.report.splits import (
    area_table,
    cold_energy_text,
    energy_legend,
    energy_svg,
    energy_table,
    energy_text,
)
from cosilico.report.table import DataColumn, DataTable
from cosilico.report.templates import template
from cosilico.report.terms import TERMS
from cosilico.run_folder import REPORT_FILE
from cosilico.summary import view_name, workload_lines
from cosilico.timeline import Timeline
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.files import write_atomic
from sim.spec.views import View

__all__ = ["COUNTS", "Running", "page", "write_report"]

COUNTS = {
    "fetch_depth": "descriptors",
    "queue_depth": "descriptors",
    "transfers": "descriptors",
    "read_bursts": "bursts",
    "write_bursts": "bursts",
}
"""Timing constants that are counts, with what they count."""


@dataclass(frozen=True, slots=True)
class Running:
    """A run over time, of a page that has its records.

    Parameters
    ----------
    role, svg : str
    csv : DataTable
    """

    role: str
    svg: str
    csv: DataTable


def write_report(directory: Path) -> Path:
    """Write the report of a run from the files in its folder; return its path.

    Raises
    ------
    DesignFileError
        If one of them is missing or damaged.
    """
    text = page(load_records(directory))
    path = directory / REPORT_FILE
    write_atomic(path, text)
    return path


def page(records: RunRecords) -> str:
    """Return the page of a run."""
    results, search = records.results, records.search
    profiles = _both(records.profiles)
    timelines = _both(records.timelines)
    return template("report.html.j2").render(
        results=results,
        search=search,
        sides=records.sides,
        answer=answer(records),
        workload=workload_lines(results),
        given=search.get("architecture") is None,
        choices=choices(search.get("architecture")),
        views=" and ".join(dict.fromkeys(view_name(side) for side in records.sides.values())),
        view_text=_view_text(records.sides),
        floorplans=_floorplans(records),
        parts=PARTS,
        area=area_table(records),
        chain=chain(profiles["found"], records.sides["found"].get("spilled", []))
        if profiles
        else [],
        fronts=fronts(records),
        anytime=anytime(records),
        evaluations=evaluation_table(records),
        space=space_plot(records),
        space_front=space_table(records),
        profiles=profiles,
        layer_chart=layer_chart(profiles) if profiles else "",
        layer_legend=layer_legend(),
        layers=[layer_table(records, role) for role in ("found", "default")],
        losses=loss_table(profiles) if profiles else None,
        totals=total_table(profiles) if profiles else None,
        fill=fill_table(profiles, _accelerators(records)) if profiles else None,
        rest=rest_text(profiles) if profiles else "",
        worst={role: worst_text(profile) for role, profile in profiles.items()},
        roofline=roofline_plot(profiles, _peaks(records)) if profiles else None,
        roofline_points=roofline_table(profiles, _peaks(records)) if profiles else None,
        running=_running(profiles, timelines),
        running_legend=running_legend(),
        memories=memory_table(profiles, _accelerators(records)) if profiles else None,
        memory_text={
            role: memory_text(profile, accelerator_of(records.sides[role]["accelerator"]))
            for role, profile in profiles.items()
        },
        energy_svg=energy_svg(profiles) if profiles else "",
        energy=energy_table(records.sides, profiles) if profiles else None,
        energy_cold=cold_energy_text(records.sides),
        energy_legend=energy_legend(profiles),
        energy_text={role: energy_text(profile) for role, profile in profiles.items()},
        refused=refused_table(records),
        provenance=records.provenance,
        constants=_constant_table(results),
        terms=TERMS.items(),
    )


def _both(known: dict[str, Any]) -> dict[str, Any]:
    """Records of both accelerators, the default first; empty unless both are there."""
    if any(value is None for value in known.values()):
        return {}
    return {role: known[role] for role in ("default", "found")}


def _constant_table(results: dict[str, Any]) -> DataTable:
    """Return the timing constants of the gateware."""
    return DataTable(
        name="constants",
        caption="Timing constants of the gateware",
        columns=[
            DataColumn("constant", "constant"),
            DataColumn("value", "value", "{:,}"),
            DataColumn("unit", "unit"),
        ],
        rows=[
            [name, value, COUNTS.get(name, "cycles")]
            for name, value in sorted(results["calibration"]["constants"].items())
        ],
    )


def _accelerators(records: RunRecords) -> dict[str, AcceleratorConfig]:
    return {role: accelerator_of(side["accelerator"]) for role, side in records.sides.items()}


def _peaks(records: RunRecords) -> dict[str, int]:
    return {role: side["macs_per_cycle"] for role, side in records.sides.items()}


def _running(profiles: dict[str, Profile], timelines: dict[str, Timeline]) -> list[Running]:
    if not profiles or not timelines:
        return []
    span = max(timeline.total_cycles for timeline in timelines.values())
    return [
        Running(
            role,
            running_svg(role, timelines[role], profiles[role], span),
            timeline_table(role, timelines[role]),
        )
        for role in ("found", "default")
    ]


def _view_text(sides: dict[str, dict[str, Any]]) -> str:
    """Say which form of the PE grid ran; everything else is the emitted netlist in both."""
    texts = {
        str(View.SYNTHESIS): "as the emitted netlist itself (synthesis view)",
        str(View.SIMULATION): "with the PE grid's simulation view in the place of its netlist",
    }
    chosen = {
        role: texts.get(view_name(side), "in a view that was not recorded")
        for role, side in sides.items()
    }
    if chosen["found"] == chosen["default"]:
        return chosen["found"]
    return f"the found one {chosen['found']}, the default {chosen['default']}"


def _floorplans(records: RunRecords) -> dict[str, Floorplan]:
    """Drawings of both accelerators, to one scale."""
    return {
        role: floorplan(
            accelerator_of(records.sides[role]["accelerator"]), area_parts(records, role), role
        )
        for role in ("default", "found")
    }
