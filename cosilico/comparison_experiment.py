"""Co-searches of an experiment side by side: strategies × seeds, at equal evaluations."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosilico.cache import document_digest, source_digest
from cosilico.comparison import (
    CURVES_FILE,
    FIGURE_FILE,
    RESULTS_FILE,
    RUNS_FILE,
    drawn,
    reported,
)
from cosilico.comparison_experiment_run import compare_co_search, score_target
from cosilico.comparison_experiment_summary import CoSearchComparison, CoSearchRun, csv_text
from cosilico.comparison_labels import require_different
from cosilico.folder import Contents, open_folder
from cosilico.gateware import current_calibration
from cosilico.progress import progress_bar
from cosilico.run_folder import REPORT_FILE
from cosilico.subjects import ExperimentSubject
from cosilico.tasks import run_all
from search.experiment import Experiment
from search.strategies import CO_SEARCHES
from search.strategies.settings import PairBudgetSettings
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from testbench.validation.journal import Journal

__all__ = [
    "CoSearchComparisonSettings",
    "budgeted",
    "co_search_contenders",
    "compare_co_searches",
]

SEARCHES = "searches"
"""Folder of a folder for each search."""

_SEARCH_FILES = ("checkpoint.pt", "evaluations.jsonl", "weights.npz", "design.json", "search.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearchComparisonSettings:
    """Settings that all searches of a comparison share.

    Parameters
    ----------
    strategies : tuple of str
    seeds : int
        Searches of each strategy, with seeds 0 … seeds - 1.
    budget : int
        Evaluations of a search.
    """

    strategies: tuple[str, ...]
    seeds: int = 10
    budget: int = 300

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return {
            "strategies": list(self.strategies),
            "seeds": self.seeds,
            "budget": self.budget,
        }


def budgeted(name: str, budget: int) -> PairBudgetSettings:
    """Settings of a strategy that spends a budget, its defaults for all that the budget does not decide.

    Raises
    ------
    CosilicoError
        If there is no strategy of a name, or it has no budget.
    ValueError
        If it cannot search within this budget.
    """
    if name not in CO_SEARCHES:
        raise CosilicoError(f"strategy must be one of {', '.join(CO_SEARCHES)}, not {name!r}")
    kind: Any = CO_SEARCHES[name].settings
    if not issubclass(kind, PairBudgetSettings):
        raise CosilicoError(f"strategy must have a budget, which {name!r} has not")
    settings: PairBudgetSettings = replace(kind().spending(budget), restarts=True)
    return settings


def co_search_contenders(
    experiment: Experiment, settings: CoSearchComparisonSettings
) -> dict[str, Experiment]:
    """Experiment of every strategy, which differ in their section ``[search]`` alone.

    A strategy has the defaults of its settings, with as many trials as the budget has evaluations where it
    has trials; the experiment's own strategy, what the experiment says. All have the same budget.

    Raises
    ------
    CosilicoError
        If there is no strategy of a name, it has no budget or cannot search with this one or by the
        experiment's objective, or a name is given twice.
    """
    chosen = {}
    for name in settings.strategies:
        own: Any = experiment.search
        try:
            if own.strategy == name and isinstance(own, PairBudgetSettings):
                search = replace(own, budget=settings.budget, restarts=True)
            else:
                search = budgeted(name, settings.budget)
            chosen[name] = replace(experiment, search=search)
        except ValueError as error:
            raise CosilicoError(f"strategy {name}: {error}") from None
    require_different(settings.strategies)
    return chosen


def compare_co_searches(
    experiment_path: Path,
    out: Path,
    settings: CoSearchComparisonSettings,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    force: bool = False,
) -> CoSearchComparison:
    """Run all co-searches in processes, and write table, curves and figure into a folder.

    Each search has a folder with its checkpoint. A comparison that was ended at any instant goes on with
    ``resume``: searches that are done are not repeated, and those in flight go on from their checkpoints.
    So they do where a worker is killed.

    Parameters
    ----------
    experiment_path : Path
    out : Path
    settings : CoSearchComparisonSettings
    jobs : int, optional
        Processes; one per core if not given.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to run the searches, in place of processes.
    resume, force : bool
        As of :func:`cosilico.folder.open_folder`.

    Raises
    ------
    CosilicoError
        If an argument or the experiment is wrong.
    """
    subject = ExperimentSubject(experiment_path, 0)
    chosen = co_search_contenders(subject.experiment, settings)
    current_calibration()
    target = score_target(subject.experiment, subject.workload)
    identity = subject.identity() | {
        "settings": document_digest(settings.to_json()),
        "sources": source_digest("search", "sim"),
    }
    del identity["seed"]
    keys = {f"{name}:{seed}": (name, seed) for name in chosen for seed in range(settings.seeds)}
    folders = {key: f"{SEARCHES}/{name}-{seed}" for key, (name, seed) in keys.items()}
    files = (
        *(f"{folder}/{file}" for folder in folders.values() for file in _SEARCH_FILES),
        *(RUNS_FILE, CURVES_FILE, FIGURE_FILE, RESULTS_FILE, REPORT_FILE),
    )
    contents = Contents(command="compare", identity=identity, files=files, resumable=True)
    with (
        open_folder(out, contents, inputs=subject.files, resume=resume, force=force),
        progress_bar() as report,
    ):
        searches = {
            key: (chosen[name], subject.workload, out.resolve() / folders[key], seed, target)
            for key, (name, seed) in keys.items()
        }
        journal = Journal(out / RUNS_FILE, {"comparison": dict(identity)})
        run_all(
            searches,
            compare_co_search,
            journal,
            jobs or os.cpu_count() or 1,
            report,
            scheduler=scheduler,
        )
        records = journal.records
        comparison = CoSearchComparison(
            experiment=subject.name,
            space=subject.hardware.name,
            metric=subject.objective.metric,
            budget=settings.budget,
            target=target,
            runs=tuple(
                CoSearchRun(strategy=name, seed=seed, **records[key])
                for key, (name, seed) in keys.items()
            ),
        )
        write_atomic(out / CURVES_FILE, csv_text(comparison))
        drawn(comparison, "co_search_curves", out / FIGURE_FILE)
        write_atomic(out / RESULTS_FILE, json.dumps(comparison.to_json(), indent=1) + "\n")
        reported(out)
    return comparison
