"""Co-searches on a joint enumeration side by side: judged by the best of all pairs, problem by problem."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from inspect import getsource
from pathlib import Path
from typing import Any

from cosilico import comparison_joint_run
from cosilico.cache import digest, document_digest, source_digest
from cosilico.comparison import (
    CURVES_FILE,
    FIGURE_FILE,
    RESULTS_FILE,
    RUNS_FILE,
    drawn,
    reported,
)
from cosilico.comparison_experiment import CoSearchComparisonSettings, budgeted
from cosilico.comparison_joint_run import compare_on_truth, joint_target, keep_truth
from cosilico.comparison_joint_summary import (
    JointComparison,
    JointRun,
    ProblemComparison,
    curves_text,
    volumes_text,
)
from cosilico.comparison_labels import require_different
from cosilico.folder import Contents, open_folder
from cosilico.gateware import current_calibration
from cosilico.joint.judge import JointJudge
from cosilico.joint.problem import JointProblem, StatedProblem
from cosilico.joint.problems import named_problems
from cosilico.joint.source import joint_digests, joint_files, read_joint, resolved
from cosilico.joint.space import JointSpace
from cosilico.measured_state import measured_state
from cosilico.progress import progress_bar
from cosilico.run_folder import REPORT_FILE
from cosilico.tasks import run_all
from cosilico.tuned_strategies import TunedStrategies
from search.strategies.settings import PairBudgetSettings
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from testbench.validation.journal import Journal

__all__ = ["VOLUMES_FILE", "JointComparisonSettings", "compare_on_joint", "joint_contenders"]

VOLUMES_FILE = "hypervolume.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class JointComparisonSettings(CoSearchComparisonSettings):
    """Settings that all searches of a comparison on a joint enumeration share.

    Parameters
    ----------
    strategies : tuple of str
    seeds : int
        Searches of each strategy for each problem.
    budget : int
        Evaluations of a search at most, and trainings at most: networks whose accuracy it looks up.
    problems : tuple of str
        Names of :data:`cosilico.joint.problems.PROBLEMS`.
    stated : StatedProblem or None
        Problem in the place of those that are named.
    tuned : TunedStrategies or None
        Settings of the strategies, tuned on another space; defaults if None.
    """

    problems: tuple[str, ...] = ("trade",)
    stated: StatedProblem | None = None
    tuned: TunedStrategies | None = None

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        shared = CoSearchComparisonSettings.to_json(self)
        tuned = {} if self.tuned is None else {"tuned": self.tuned.to_json()}
        if self.stated is not None:
            return shared | {"stated": self.stated.to_json()} | tuned
        return shared | {"problems": list(self.problems)} | tuned

    def posed(self, truth: JointSpace) -> tuple[JointProblem, ...]:
        """Problems on a joint space.

        Raises
        ------
        CosilicoError
            If there is no such problem.
        """
        if self.stated is not None:
            return (self.stated.of(truth),)
        return named_problems(self.problems, truth)


def joint_contenders(
    settings: JointComparisonSettings, problem: JointProblem
) -> dict[str, PairBudgetSettings]:
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
            chosen[name].require_objective(problem.objective)
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
) -> JointComparison:
    """Run all co-searches of all problems in processes, and write tables, curves and figure into a folder.

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
    problems = settings.posed(truth)
    chosen = {each.name: joint_contenders(settings, each) for each in problems}
    current_calibration()
    targets = {each.name: joint_target(truth, each) for each in problems}
    judges = {each.name: JointJudge(truth, each, targets[each.name]) for each in problems}
    identity = {
        **joint_digests(subject),
        "settings": document_digest(settings.to_json()),
        # searches are journalled with what is said of them
        "problems": document_digest({each.name: each.to_json() for each in problems}),
        "sources": source_digest("search", "sim"),
        "judge": digest(source_digest("cosilico.joint"), getsource(comparison_joint_run)),
    }
    searches = {
        _key(each.name, name, seed): (each, chosen[each.name][name], seed)
        for each in problems
        for name in settings.strategies
        for seed in range(settings.seeds)
    }
    files = (RUNS_FILE, CURVES_FILE, VOLUMES_FILE, FIGURE_FILE, RESULTS_FILE, REPORT_FILE)
    contents = Contents(command="compare", identity=identity, files=files, resumable=True)
    with (
        open_folder(out, contents, inputs=joint_files(subject), resume=resume, force=force),
        progress_bar() as report,
    ):
        journal = Journal(out / RUNS_FILE, {"comparison": dict(identity)})
        run_all(
            searches,
            compare_on_truth,
            journal,
            jobs or os.cpu_count() or 1,
            report,
            scheduler=scheduler,
            prepare=keep_truth,
            arguments=(resolved(subject),),
        )
        comparison = JointComparison(
            benchmark=truth.benchmark,
            space=truth.space.name,
            accuracy=str(truth.accuracy),
            pairs=truth.pairs,
            budget=settings.budget,
            digests=measured_state(),
            problems=tuple(
                _judged(
                    each, judges[each.name], targets[each.name], truth, settings, journal.records
                )
                for each in problems
            ),
            tuned=None if settings.tuned is None else settings.tuned.to_json(),
        )
        _write(comparison, out)
    return comparison


def _key(problem: str, strategy: str, seed: int) -> str:
    return f"{problem}:{strategy}:{seed}"


def _judged(
    problem: JointProblem,
    judge: JointJudge,
    target: float,
    truth: JointSpace,
    settings: JointComparisonSettings,
    records: Mapping[str, Any],
) -> ProblemComparison:
    optimum = asdict(judge.optimum)
    return ProblemComparison(
        problem=problem,
        target=target,
        optimum=optimum | {"accelerator": truth.space.at(judge.optimum.accelerator).to_json()},
        front=judge.front,
        budget=settings.budget,
        runs=tuple(
            JointRun(strategy=name, seed=seed, **records[_key(problem.name, name, seed)])
            for name in settings.strategies
            for seed in range(settings.seeds)
        ),
    )


def _write(comparison: JointComparison, out: Path) -> None:
    write_atomic(out / CURVES_FILE, curves_text(comparison))
    write_atomic(out / VOLUMES_FILE, volumes_text(comparison))
    drawn(comparison, "joint_curves", out / FIGURE_FILE)
    write_atomic(out / RESULTS_FILE, json.dumps(comparison.to_json(), indent=1) + "\n")
    reported(out)
