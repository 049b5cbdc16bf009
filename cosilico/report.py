"""``report.html``: a run for people, in one file without outside references."""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from cosilico import figures
from cosilico.floorplan import PARTS, floorplan
from cosilico.folder import locked, marked_files
from cosilico.results import compared_cycles, layer_agreement, load_results
from cosilico.results_record import require_evaluations, require_space
from cosilico.run_folder import REPORT_FILE
from cosilico.summary import accelerator_text, agreement_lines, summary_rows, view_name
from sim.cost.area import area
from sim.spec.accelerator_record import accelerator_of
from sim.spec.archives import read_bytes
from sim.spec.documents import parse_json
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.npz import read_arrays
from sim.spec.views import View

__all__ = ["report_to_folder", "write_report"]

_SEARCH_LIMIT_BYTES = 1 << 26
"""Most bytes of a search's history."""

_LARGER_SIDE_PX = 400
"""Side of the larger accelerator's drawing."""


def report_to_folder(directory: Path) -> Path:
    """Write the report of a run that no process is at work on; return its path.

    Raises
    ------
    DesignFileError
        As :func:`write_report`.
    CosilicoError
        If another process uses the folder, or another than cosilico made the report there.
    """
    load_results(directory)  # else the lock would be the first file of a folder without a run
    with locked(directory):
        if (directory / REPORT_FILE).exists() and REPORT_FILE not in marked_files(directory):
            raise CosilicoError(f"{directory / REPORT_FILE} must be absent or a report of cosilico")
        return write_report(directory)


def write_report(directory: Path) -> Path:
    """Write the report of a run from the files in its folder; return its path.

    Raises
    ------
    DesignFileError
        If one of them is missing or damaged.
    """
    results = load_results(directory)
    history = _history(directory / "evaluations.jsonl")
    space = read_arrays(directory / "enumeration.npz", "enumeration file")
    require_space(space, f"enumeration file {directory / 'enumeration.npz'}")
    path = directory / REPORT_FILE
    write_atomic(path, _page(results, history, space))
    return path


def _history(path: Path) -> list[dict[str, Any]]:
    """Evaluations of a search, in order."""
    lines = read_bytes(path, "evaluation log", _SEARCH_LIMIT_BYTES).splitlines()
    # As a whole, for the limits of a document to hold for all lines together.
    rows: list[dict[str, Any]] = parse_json(
        b"[" + b",".join(lines) + b"]", f"evaluation log {path}"
    )
    require_evaluations(rows, f"evaluation log {path}: log")
    return rows


def _page(
    results: dict[str, Any], history: list[dict[str, Any]], space: dict[str, NDArray[Any]]
) -> str:
    searched, default = results["rtl"], results["rtl_default"]
    sides = {"searched": searched, "default": default}
    optimum = results["search"].get("optimum")
    chosen = space["realizable"]
    # Positions of the front's rows among the realizable accelerators.
    front = np.cumsum(chosen)[space["front"]] - 1
    shown = dict(zip(("default", "searched"), compared_cycles(results), strict=True))
    marks = [(role, side["area"], shown[role]) for role, side in sides.items()]
    if optimum:
        marks.append(("optimum", optimum["area"], optimum["predicted_cycles"]))
    return _template().render(
        results=results,
        rows=summary_rows(results),
        lines=agreement_lines(results),
        agreement={role: layer_agreement(side) for role, side in sides.items()},
        speedup=shown["default"] / shown["searched"],
        answer_cycles=shown["searched"],
        optimum=optimum,
        pinned=results["search"].get("pinned_optimum"),
        views=" and ".join(dict.fromkeys(view_name(side) for side in sides.values())),
        view_text=_view_text(sides),
        accelerator_text=accelerator_text,
        trajectory=figures.trajectory(
            history,
            shown["default"],
            shown["searched"],
            results["search"]["area_budget"],
        ),
        pareto=figures.pareto(
            space["area"][chosen], space["predicted_cycles"][chosen], list(front), marks
        ),
        cycles={
            role: figures.cycles_by_layer(side["layers"], role) for role, side in sides.items()
        },
        utilization=figures.utilization_by_layer(searched["layers"], default["layers"]),
        floorplans=_floorplans(sides),
        parts=[
            (name, title, *(_part(side, name) for side in (default, searched)))
            for name, (title, _) in PARTS.items()
        ],
        constants=sorted(results["calibration"]["constants"].items()),
    )


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
    if chosen["searched"] == chosen["default"]:
        return chosen["searched"]
    return f"the searched one {chosen['searched']}, the default {chosen['default']}"


def _floorplans(sides: dict[str, dict[str, Any]]) -> dict[str, str]:
    scale = _LARGER_SIDE_PX / max(side["area"] for side in sides.values()) ** 0.5
    return {
        role: floorplan(accelerator_of(side["accelerator"]), scale) for role, side in sides.items()
    }


def _part(side: dict[str, Any], name: str) -> float:
    """Return the area of a drawn part, mm²."""
    parts = area(accelerator_of(side["accelerator"]))
    return float(sum(getattr(parts, part) for part in PARTS[name][1]))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("cosilico") / "templates" / "report.html.j2"
    return environment.from_string(source.read_text(encoding="utf-8"))
