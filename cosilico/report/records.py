"""The records of a run, as the report reads them from its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cosilico.profile import Profile
from cosilico.provenance import read_provenance
from cosilico.results import load_results
from cosilico.results_record import require_evaluations, require_space
from cosilico.run_folder import DEFAULT, PROVENANCE_FILE, SIDES, TIMELINE_FILE
from cosilico.timeline import Timeline, read_timeline
from sim.spec.archives import read_bytes
from sim.spec.documents import parse_json
from sim.spec.npz import read_arrays

__all__ = ["ROLES", "RunRecords", "load_records"]

ROLES = {"rtl": "found", "rtl_default": "default"}
"""Sections of the results, by the words of the page."""

_SEARCH_LIMIT_BYTES = 1 << 26
"""Most bytes of a search's history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecords:
    """Records of a run.

    Parameters
    ----------
    name : str
        Of the run's folder.
    results : dict
        ``results.json``.
    evaluations : list of dict
        Of the search, in order.
    space : dict of str to array
        The enumeration of the space: ``area``, ``predicted_cycles``, ``realizable``, ``front``.
    profiles, timelines : dict
        By "found" and "default"; None where the run's version left none.
    provenance : dict or None
    """

    name: str
    results: dict[str, Any]
    evaluations: list[dict[str, Any]]
    space: dict[str, NDArray[Any]]
    profiles: dict[str, Profile | None]
    timelines: dict[str, Timeline | None]
    provenance: dict[str, Any] | None

    @property
    def sides(self) -> dict[str, dict[str, Any]]:
        """Sections of the results of both designs, by "found" and "default"."""
        return {role: self.results[name] for name, role in ROLES.items()}

    @property
    def search(self) -> dict[str, Any]:
        """Section of the results about the search."""
        section: dict[str, Any] = self.results["search"]
        return section


def load_records(directory: Path) -> RunRecords:
    """Read the records of a run.

    Raises
    ------
    DesignFileError
        If one of them is missing or damaged.
    """
    results = load_results(directory)
    evaluations = _evaluations(directory / "evaluations.jsonl")
    space = read_arrays(directory / "enumeration.npz", "enumeration file")
    require_space(space, f"enumeration file {directory / 'enumeration.npz'}")
    folders = dict(zip(SIDES, (directory, directory / DEFAULT), strict=True))
    profiles, timelines = {}, {}
    for side, role in ROLES.items():
        row, file = results[side].get("profile"), folders[side] / TIMELINE_FILE
        profile = None if row is None else Profile.from_json(row)
        timeline = read_timeline(file) if file.exists() else None
        profiles[role], timelines[role] = _timed(profile, timeline), timeline
    return RunRecords(
        name=directory.resolve().name,
        results=results,
        evaluations=evaluations,
        space=space,
        profiles=profiles,
        timelines=timelines,
        provenance=read_provenance(directory / PROVENANCE_FILE),
    )


def _timed(profile: Profile | None, timeline: Timeline | None) -> Profile | None:
    """Profile with the times of its timeline, so that all pages tell who waits for whom by the same rules."""
    if profile is None or timeline is None or not len(timeline):
        return profile
    if tuple(layer.name for layer in profile.layers) != timeline.layers:
        return profile
    return profile.timed(timeline)


def _evaluations(path: Path) -> list[dict[str, Any]]:
    """Evaluations of a search, in order."""
    lines = read_bytes(path, "evaluation log", _SEARCH_LIMIT_BYTES).splitlines()
    # As a whole, for the limits of a document to hold for all lines together.
    rows: list[dict[str, Any]] = parse_json(
        b"[" + b",".join(lines) + b"]", f"evaluation log {path}"
    )
    require_evaluations(rows, f"evaluation log {path}: log")
    return rows
