"""Runs to be shown side by side, from the folders of runs or of a comparison of searches."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from cosilico.report.records import RunRecords, load_records
from cosilico.report.searching import anytime
from cosilico.results import compared_cycles
from sim.cost.area import area
from sim.spec.accelerator_record import accelerator_of
from sim.spec.archives import read_bytes
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.rules import Integer, Name

__all__ = ["COMPARISON_FILE", "ComparedRun", "SideBySide", "runs_of_comparison", "runs_of_folders"]

COMPARISON_FILE, CURVES_FILE = "comparison.json", "curves.csv"
_LIMIT_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A search among others.

    Parameters
    ----------
    group : str
        What it is banded with: a strategy, or network, space and strategy.
    seed : int
    evaluations : int
    curve : list of (int, float)
        Evaluations and best value so far, wherever it changed.
    accelerator : dict or None
        The best; None if none was feasible.
    figures : dict of str to number or None
        Further columns of the table.
    """

    group: str
    seed: int
    evaluations: int
    curve: list[tuple[int, float]]
    accelerator: dict[str, Any] | None
    figures: dict[str, float | int | None] = field(default_factory=dict)

    def after(self, evaluations: int) -> float | None:
        """Best value after so many evaluations; None where there is none."""
        values = [value for spent, value in self.curve if spent <= evaluations]
        return values[-1] if values else None

    @property
    def area_mm2(self) -> float | None:
        """Area of the accelerator."""
        return None if self.accelerator is None else area(accelerator_of(self.accelerator)).total


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Runs side by side.

    Parameters
    ----------
    title : str
    value : str
        Name of the curves' values.
    falling : bool
        Whether less of it is better.
    runs : tuple of ComparedRun
    problem : str
        What was searched, where a page has several problems.
    """

    title: str
    value: str
    falling: bool
    runs: tuple[ComparedRun, ...]
    problem: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups in the order in which they were given."""
        return tuple(dict.fromkeys(run.group for run in self.runs))

    def of(self, group: str) -> list[ComparedRun]:
        """Runs of a group."""
        return [run for run in self.runs if run.group == group]


def runs_of_folders(folders: Sequence[Path]) -> SideBySide:
    """Read the runs of several folders.

    Curves are of the regret: how much more than its own network's optimum the best of the final network costs, in
    percent.

    Raises
    ------
    DesignFileError
        If a record is missing or damaged.
    CosilicoError
        If a folder is given twice.
    """
    known: set[Path] = set()
    for folder in folders:
        if folder.resolve() in known:
            raise CosilicoError(f"DIR must be given once, not twice as {str(folder)!r}")
        known.add(folder.resolve())
    runs = tuple(_of_records(load_records(folder)) for folder in folders)
    return SideBySide(title=f"{len(runs)} runs", value="regret, %", falling=True, runs=runs)


def _of_records(records: RunRecords) -> ComparedRun:
    results, search, searched = records.results, records.search, records.sides["found"]
    known = anytime(records)
    least = known.optimum or (known.best[-1] if known.best else None)
    curve = [] if least is None else [
        (spent, 100 * (cost / least - 1)) for spent, cost in zip(known.spent, known.best, strict=True)
    ]  # fmt: skip
    default, cycles = compared_cycles(results)
    return ComparedRun(
        group=f"{results['name']}, {results['space']}, {search['strategy']}",
        seed=search["seed"],
        evaluations=search["evaluations"],
        curve=curve,
        accelerator=searched["accelerator"],
        figures={
            "cycles": cycles,
            "gain": default / cycles,
            "energy_pj": searched["energy"],
            "accuracy": searched["accuracy"],
            "wall_s": search["wall_s"],
        },
    )


class _Extensible(Record):
    model_config = ConfigDict(extra="ignore")


class _Hardware(_Extensible):
    evaluations: list[Annotated[int, Integer(0, 1 << 62)]]
    hypervolume: list[Annotated[float, Field()]]
    accelerators: list[dict[str, Any] | None]


class _Search(_Extensible):
    seed: Annotated[int, Integer(0, 1 << 62)]
    evaluations: Annotated[int, Integer(0, 1 << 62)]
    hypervolume: Annotated[float, Field()]
    design: dict[str, Any] | None = None


class _CoSearches(_Extensible):
    searches: list[_Search]


class _JointSearch(_Extensible):
    seed: Annotated[int, Integer(0, 1 << 62)]
    evaluations: Annotated[int, Integer(0, 1 << 62)]
    trainings: Annotated[int, Integer(0, 1 << 62)]
    violations: Annotated[int, Integer(0, 1 << 62)]
    over_budget: Annotated[int, Integer(0, 1 << 62)]
    hypervolume: dict[str, Annotated[float, Field()]]
    design: dict[str, Any] | None = None


class _JointSearches(_Extensible):
    searches: list[_JointSearch]


class _Problem(_Extensible):
    metric: Annotated[str, Name()]
    strategies: dict[str, _JointSearches]


class _Comparison(_Extensible):
    version: Annotated[int, Integer(1, 2)] = Field(alias="schema")
    space: Annotated[str, Name()]
    metric: Annotated[str, Name()] | None = None
    network: Annotated[str, Name()] | None = None
    experiment: Annotated[str, Name()] | None = None
    strategies: dict[str, dict[str, Any]] | None = None
    problems: dict[str, _Problem] | None = None


def runs_of_comparison(folder: Path) -> tuple[SideBySide, ...]:
    """Read the searches of a folder of ``cosilico compare``: of each problem on a joint space, else all.

    Raises
    ------
    DesignFileError
        If a file is missing or damaged.
    """
    path = folder / COMPARISON_FILE
    where = f"comparison file {path}: comparison"
    record = checked(_Comparison, read_json(path, "comparison file", _LIMIT_BYTES), where)
    if (record.strategies is None) == (record.problems is None):
        raise DesignFileError(f"{where} must have strategies or problems")
    curves, value = _curves(folder / CURVES_FILE)
    subject = record.network or record.experiment or "searches"
    parts = []
    for name, problem in (record.problems or {}).items():
        parts.append(
            SideBySide(
                title=f"{subject} on {record.space}",
                value="regret, %",
                falling=True,
                runs=tuple(_joint_runs(name, problem, curves)),
                problem=f"{name}, {problem.metric}",
            )
        )
    if record.strategies is not None:
        runs: list[ComparedRun] = []
        for strategy, section in record.strategies.items():
            at = f"{where}.strategies.{strategy}"
            runs += _searches(strategy, section, curves, at)
        parts.append(
            SideBySide(
                title=f"{subject} on {record.space}, {record.metric}",
                value={"regret": "regret, %", "soft_score": "soft score"}[value],
                falling=value == "regret",
                runs=tuple(runs),
            )
        )
    if not parts or any(not part.runs for part in parts):
        raise DesignFileError(f"{where} must have searches")
    return tuple(parts)


_Curves = dict[tuple[str, str, int], list[tuple[int, float]]]
"""Curves by problem (empty where there is none), strategy and seed."""


def _joint_runs(name: str, problem: _Problem, curves: _Curves) -> Iterator[ComparedRun]:
    for strategy, section in problem.strategies.items():
        for search in section.searches:
            design = search.design or {}
            yield ComparedRun(
                group=strategy,
                seed=search.seed,
                evaluations=search.evaluations,
                curve=curves.get((name, strategy, search.seed), []),
                accelerator=design.get("accelerator"),
                figures={
                    "design_regret": design.get("regret"),
                    "known_accuracy": design.get("accuracy"),
                    "cost": design.get("cost"),
                    "excess_cost": design.get("excess_cost"),
                    "hypervolume": search.hypervolume.get("end"),
                    "trainings": search.trainings,
                    "violations": search.violations,
                    "over_budget": search.over_budget,
                },
            )


def _searches(
    strategy: str,
    section: dict[str, Any],
    curves: _Curves,
    where: str,
) -> Iterator[ComparedRun]:
    if "searches" in section:
        for search in checked(_CoSearches, section, where).searches:
            design = search.design or {}
            names = ("cost", "int8_accuracy", "score", "trained_images")
            yield ComparedRun(
                group=strategy,
                seed=search.seed,
                evaluations=search.evaluations,
                curve=curves.get(("", strategy, search.seed), []),
                accelerator=design.get("accelerator"),
                figures={"hypervolume": search.hypervolume, **{n: design.get(n) for n in names}},
            )
        return
    known = checked(_Hardware, section, where)
    if not len(known.evaluations) == len(known.hypervolume) == len(known.accelerators):
        raise DesignFileError(f"{where}.accelerators must have an entry for each search")
    for seed, accelerator in enumerate(known.accelerators):
        yield ComparedRun(
            group=strategy,
            seed=seed,
            evaluations=known.evaluations[seed],
            curve=curves.get(("", strategy, seed), []),
            accelerator=accelerator,
            figures={"hypervolume": known.hypervolume[seed]},
        )


def _curves(path: Path) -> tuple[_Curves, str]:
    """Curves, and the name of their values."""
    text = read_bytes(path, "curves file", _LIMIT_BYTES).decode(errors="replace")
    rows = csv.DictReader(io.StringIO(text))
    value = next((n for n in ("regret", "soft_score") if n in (rows.fieldnames or ())), None)
    if value is None:
        raise DesignFileError(f"curves file {path} must have a column regret or soft_score")
    scale = 100 if value == "regret" else 1
    curves: _Curves = {}
    for number, row in enumerate(rows, 2):
        try:
            key = row.get("problem") or "", row["strategy"], int(row["seed"])
            point = int(row["evaluations"]), scale * float(row[value])
        except (KeyError, TypeError, ValueError):
            raise DesignFileError(
                f"curves file {path}: line {number} must be a point of a curve"
            ) from None
        curves.setdefault(key, []).append(point)
    return curves, value
