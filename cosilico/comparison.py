"""Many hardware searches of one network side by side: strategies × seeds, judged by the optimum."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cosilico.accelerators import named_space
from cosilico.cache import document_digest, source_digest
from cosilico.comparison_labels import require_different
from cosilico.comparison_run import compare_run, keep_task
from cosilico.comparison_summary import Comparison, csv_text, summary
from cosilico.enumeration import enumerate_network
from cosilico.extras import missing_extra
from cosilico.folder import Contents, open_folder
from cosilico.gateware import current_calibration
from cosilico.hardware_strategies import hardware_strategy
from cosilico.inputs import network_files
from cosilico.networks import network_argument
from cosilico.progress import Report, progress_bar
from cosilico.run_folder import REPORT_FILE
from cosilico.tasks import run_all
from search.strategies.budget_settings import BudgetSettings
from search.tabulated import arrays_of, table_of
from sim.cost.area import area_budget as space_budget
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.realizability import require
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import HardwareSpace
from testbench.validation.journal import Journal

__all__ = [
    "ComparisonSettings",
    "Contender",
    "compare_to_folder",
    "contenders",
    "drawn",
    "reported",
]

TABLE_POINTS = 100_000
"""Most points of a space that is enumerated; larger spaces are not."""

TABLE_FILE, RUNS_FILE = "costs.npz", "runs.jsonl"
RESULTS_FILE, CURVES_FILE, FIGURE_FILE = "comparison.json", "curves.csv", "curves.svg"
FILES = (TABLE_FILE, RUNS_FILE, CURVES_FILE, FIGURE_FILE, RESULTS_FILE, REPORT_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A strategy that is compared.

    Parameters
    ----------
    label : str
        Its name, with ``+polish`` if it is polished.
    settings : BudgetSettings
    """

    label: str
    settings: BudgetSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Settings that all searches of a comparison share.

    Parameters
    ----------
    strategies : tuple of str
        Labels of contenders.
    seeds : int
        Searches of each strategy, with seeds 0 … seeds - 1.
    budget : int
        Evaluations of a search.
    metric : "latency" or "edp"
    area_budget : float or None
        Largest area in mm²; that of the space's default if None.
    """

    strategies: tuple[str, ...]
    seeds: int = 10
    budget: int = 300
    metric: Metric = "latency"
    area_budget: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "strategies": list(self.strategies)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Inputs of all searches."""

    network: Network
    space: HardwareSpace
    objective: Objective
    contenders: tuple[Contender, ...]
    seeds: int
    keys: Mapping[str, tuple[Contender, int]] = field(default_factory=dict)


def contenders(settings: ComparisonSettings) -> tuple[Contender, ...]:
    """Make the contenders of labels.

    Raises
    ------
    CosilicoError
        If there is no strategy of a name or it lacks a package, or a label is given twice.
    """
    chosen = [
        Contender(
            label=label,
            settings=hardware_strategy(
                label, metric=settings.metric, budget=settings.budget, wanted_by="cosilico compare"
            ),
        )
        for label in settings.strategies
    ]
    require_different(settings.strategies)
    return tuple(chosen)


def compare_to_folder(
    network_name: str,
    space_name: str,
    out: Path,
    settings: ComparisonSettings,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    force: bool = False,
) -> Comparison:
    """Run all searches in processes, and write table, curves and figure into a folder.

    A space of up to 100,000 points is enumerated first: its table answers all evaluations, and holds
    the optimum that regret is measured from. A comparison that was ended at any instant goes on with
    ``resume``; of a worker that is killed, the search that it ran is begun again.

    Parameters
    ----------
    network_name : str
        See :func:`cosilico.networks.network_argument`.
    space_name : str
    out : Path
    settings : ComparisonSettings
    jobs : int, optional
        Processes; one per core if not given.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to run the searches, in place of processes.
    resume, force : bool
        As of :func:`cosilico.folder.open_folder`.

    Raises
    ------
    CosilicoError
        If an argument is wrong, or the space's default does not run the network.
    """
    chosen = contenders(settings)
    space = named_space(space_name)
    current_calibration()
    network = network_argument(network_name)
    require(space.default, network)
    budget = space_budget(space) if settings.area_budget is None else settings.area_budget
    work = _Work(
        network=network,
        space=space,
        objective=Objective(metric=settings.metric, area_budget=budget),
        contenders=chosen,
        seeds=settings.seeds,
        keys={f"{c.label}:{seed}": (c, seed) for c in chosen for seed in range(settings.seeds)},
    )
    identity = {
        "network": network_digest(network),
        "space": document_digest(space.to_json()),
        "settings": document_digest(settings.to_json()),
        "sources": source_digest("search", "sim"),
    }
    contents = Contents(command="compare", identity=identity, files=FILES, resumable=True)
    inputs = network_files(network_name)
    with (
        open_folder(out, contents, inputs=inputs, resume=resume, force=force),
        progress_bar() as report,
    ):
        return _compare(
            work, settings, out, identity, jobs or os.cpu_count() or 1, scheduler, report
        )


def _compare(
    work: _Work,
    settings: ComparisonSettings,
    out: Path,
    identity: Mapping[str, str],
    jobs: int,
    scheduler: str | None,
    report: Report,
) -> Comparison:
    table = _table(work, out / TABLE_FILE, jobs, report)
    journal = Journal(out / RUNS_FILE, {"comparison": dict(identity)})
    space = replace(work.space, values=dict(work.space.values))  # as it can be sent
    costs = (out / TABLE_FILE).resolve() if table is not None else None
    run_all(
        {key: (c.settings, seed) for key, (c, seed) in work.keys.items()},
        compare_run,
        journal,
        jobs,
        report,
        scheduler=scheduler,
        prepare=keep_task,
        arguments=(work.network, space, work.objective, costs),
    )
    # In the order of the labels, whichever search was done first
    records = {key: journal.records[key] for key in work.keys}
    comparison = summary(
        work.network.name, work.space, work.objective, settings.budget, table, records
    )
    write_atomic(out / CURVES_FILE, csv_text(comparison))
    drawn(comparison, "curves", out / FIGURE_FILE)
    write_atomic(out / RESULTS_FILE, json.dumps(comparison.to_json(), indent=1) + "\n")
    reported(out)
    return comparison


def _table(work: _Work, path: Path, jobs: int, report: Report) -> CostTable | None:
    """Enumerated space, kept in a file; None where it is too large."""
    if len(work.space) > TABLE_POINTS:
        return None
    if not path.exists():
        table = enumerate_network(work.network, work.space, report, jobs=jobs)
        write_atomic(path, npz_bytes(arrays_of(table)))
    return table_of(work.space, read_arrays(path, "cost table", finite=True))


def drawn(comparison: Any, figure: str, path: Path) -> None:
    """Draw the curves where matplotlib is installed; a former figure goes in any case.

    Parameters
    ----------
    comparison : Comparison or CoSearchComparison
    figure : str
        Function of :mod:`cosilico.comparison_figure`.
    path : Path
    """
    path.unlink(missing_ok=True)
    try:
        from cosilico import comparison_figure
    except ModuleNotFoundError as error:
        if error.name is None or missing_extra("cosilico compare", error.name) is None:
            raise
        return
    write_atomic(path, getattr(comparison_figure, figure)(comparison))


def reported(folder: Path) -> None:
    """Write the page of a comparison where jinja2 is installed; a former page goes in any case."""
    path = folder / REPORT_FILE
    path.unlink(missing_ok=True)
    try:
        from cosilico.report.side_by_side import write_comparison_report
    except ModuleNotFoundError as error:
        if error.name is None or missing_extra("cosilico compare", error.name) is None:
            raise
        return
    write_comparison_report(folder, path)
