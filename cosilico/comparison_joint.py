"""Co-searches on a joint enumeration side by side: judged by the best of all pairs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.cache import document_digest, source_digest
from cosilico.comparison import (
    CURVES_FILE,
    FIGURE_FILE,
    RESULTS_FILE,
    RUNS_FILE,
)
from cosilico.comparison_experiment import (
    CoSearchComparisonSettings,
    budgeted,
    write_comparison,
)
from cosilico.comparison_experiment_summary import CoSearchComparison, CoSearchRun, JointFigures
from cosilico.comparison_joint_run import compare_on_truth, joint_target, keep_truth
from cosilico.comparison_labels import require_different
from cosilico.folder import Contents, open_folder
from cosilico.gateware import current_calibration
from cosilico.joint.judge import JointJudge
from cosilico.joint.source import joint_digests, joint_files, read_joint, resolved
from cosilico.progress import progress_bar
from cosilico.run_folder import REPORT_FILE
from cosilico.tasks import run_all
from cosilico.tuned_strategies import TunedStrategies
from search.strategies.settings import PairBudgetSettings
from sim.cost.area import area_budget as space_budget
from sim.cost.objective import Metric, Objective
from sim.spec.errors import CosilicoError
from testbench.validation.journal import Journal

__all__ = ["JointComparisonSettings", "compare_on_joint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointComparisonSettings(CoSearchComparisonSettings):
    """Settings that all searches of a comparison on a joint enumeration share.

    Parameters
    ----------
    strategies : tuple of str
    seeds : int
    budget : int
        Evaluations of a search at most, and trainings at most: networks whose accuracy it looks up.
    metric : "latency", "energy", "area" or "edp"
    area_budget : float or None
        Largest area in mm²; that of the space if None.
    tuned : TunedStrategies or None
        Settings of the strategies, tuned on another space; defaults if None.
    """

    metric: Metric = "latency"
    area_budget: float | None = None
    tuned: TunedStrategies | None = None

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        shared = CoSearchComparisonSettings.to_json(self)
        tuned = {} if self.tuned is None else {"tuned": self.tuned.to_json()}
        return shared | {"metric": self.metric, "area_budget": self.area_budget} | tuned


def joint_contenders(settings: JointComparisonSettings, objective: Objective) -> dict[str, Any]:
    """Settings of every strategy, all with the same budget, and as tuned where that is asked for.

    Raises
    ------
    CosilicoError
        If there is no strategy of a name, nothing was tuned for it, it cannot search with this budget or by this objective, or a name is given
        twice.
    """
    chosen: dict[str, PairBudgetSettings] = {}
    for name in settings.strategies:
        try:
            chosen[name] = budgeted(name, settings.budget)
            if settings.tuned is not None:
                chosen[name] = settings.tuned.applied(chosen[name])
            chosen[name].require_objective(objective)
        except ValueError as error:
            raise CosilicoError(f"strategy {name}: {error}") from None
    require_different(settings.strategies)
    return chosen


def compare_on_joint(
    subject: str,
    out: Path,
    settings: JointComparisonSettings,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    force: bool = False,
) -> CoSearchComparison:
    """Run all co-searches in processes, and write table, curves and figure into a folder.

    No search trains a network: accuracies are looked up, and costs, too, where all pairs are there. A comparison that was ended at
    any instant goes on with ``resume``; a search that was under way is begun again.

    Parameters
    ----------
    subject : str
        As of :func:`cosilico.joint.source.read_joint`.
    out : Path
    settings : JointComparisonSettings
    jobs, scheduler, resume, force
        As of :func:`cosilico.comparison_experiment.compare_co_searches`.

    Raises
    ------
    CosilicoError
        If an argument or the enumeration is wrong.
    """
    truth = read_joint(subject)
    if settings.tuned is not None:
        settings.tuned.require_for(truth, settings.budget)
    budget = settings.area_budget
    objective = Objective(
        metric=settings.metric,
        area_budget=space_budget(truth.space) if budget is None else budget,
    )
    chosen = joint_contenders(settings, objective)
    current_calibration()
    target = joint_target(truth, objective)
    judge = JointJudge(truth, objective, target)
    identity = {
        **joint_digests(subject),
        "settings": document_digest(settings.to_json()),
        "sources": source_digest("search", "sim"),
    }
    keys = {f"{name}:{seed}": (name, seed) for name in chosen for seed in range(settings.seeds)}
    files = (RUNS_FILE, CURVES_FILE, FIGURE_FILE, RESULTS_FILE, REPORT_FILE)
    contents = Contents(command="compare", identity=identity, files=files, resumable=True)
    with (
        open_folder(out, contents, inputs=joint_files(subject), resume=resume, force=force),
        progress_bar() as report,
    ):
        journal = Journal(out / RUNS_FILE, {"comparison": dict(identity)})
        run_all(
            {key: (chosen[name], seed) for key, (name, seed) in keys.items()},
            compare_on_truth,
            journal,
            jobs or os.cpu_count() or 1,
            report,
            scheduler=scheduler,
            prepare=keep_truth,
            arguments=(resolved(subject), objective, target),
        )
        comparison = CoSearchComparison(
            experiment=truth.benchmark,
            space=truth.space.name,
            metric=settings.metric,
            budget=settings.budget,
            target=target,
            runs=tuple(
                CoSearchRun(strategy=name, seed=seed, **journal.records[key])
                for key, (name, seed) in keys.items()
            ),
            joint=JointFigures(
                accuracy=str(truth.accuracy),
                pairs=truth.pairs,
                area_budget=objective.area_budget,
                network=judge.optimum.network,
                accelerator=truth.space.at(judge.optimum.accelerator).to_json(),
                best_accuracy=judge.optimum.accuracy,
                best_cost=judge.optimum.cost,
                best_score=judge.optimum.score,
                tuned=None if settings.tuned is None else settings.tuned.to_json(),
            ),
        )
        write_comparison(comparison, out)
    return comparison
