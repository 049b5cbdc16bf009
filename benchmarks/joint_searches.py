"""Co-searches on a joint enumeration for the experiments on claims: run in processes, kept in a journal."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from claim import Settings
from cosilico.cache import document_digest, source_digest
from cosilico.comparison_joint_run import judged_search, keep_truth
from cosilico.joint.problem import JointProblem
from cosilico.joint.source import joint_digests, resolved
from cosilico.joint.space import JointSpace
from cosilico.progress import progress_bar
from cosilico.tasks import run_all
from search.strategies.settings import PairBudgetSettings
from sim.cost.area import area_budget
from sim.cost.objective import Metric, Objective
from testbench.validation.journal import Journal

__all__ = ["Searched", "objective_of", "run_searches"]

Searched = Mapping[str, Any]
"""Record that :func:`searched` returns."""


def objective_of(
    truth: JointSpace, metric: Metric, cycles_budget: float = float("inf")
) -> Objective:
    """Metric within the area of the space."""
    return Objective(
        metric=metric, area_budget=area_budget(truth.space), cycles_budget=cycles_budget
    )


def searched(
    chosen: PairBudgetSettings, asked: Objective | JointProblem, seed: int
) -> dict[str, Any]:
    """Run a co-search; return what it spent, and its design beside the truth.

    Returns
    -------
    dict
        ``evaluations``, ``trainings``, ``networks`` (that were evaluated), ``violations``, ``over_budget`` : int;
        ``score``, ``regret``, ``accuracy``, ``cost`` : float, of the design, None where there is none.
    """
    problem = JointProblem(name="", objective=asked) if isinstance(asked, Objective) else asked
    search = judged_search(problem, chosen, seed)
    made, judge, counted, objective = search.made, search.judge, search.counted, problem.objective
    record: dict[str, Any] = {
        "evaluations": len(counted),
        "trainings": len(made.trainings),
        "networks": len({row.network for row in counted}),
        "violations": sum(not row.realizable for row in counted),
        "over_budget": sum(row.realizable and not objective.feasible(row) for row in counted),
        "score": None,
        "regret": None,
        "accuracy": None,
        "cost": None,
    }
    if made.best is not None:
        score = judge.score(made.best)
        record |= {
            "score": score,
            "regret": judge.regret(score),
            "accuracy": judge.accuracy(made.best.network),
            "cost": float(objective.cost(made.best)),
        }
    return record


def run_searches(
    settings: Settings, tasks: Mapping[str, tuple[PairBudgetSettings, Objective | JointProblem]]
) -> dict[str, list[Searched]]:
    """Run searches with all seeds; a run that was ended goes on with the same command.

    Searches of other pairs, accuracies, settings or sources have a journal of their own beside it.

    Parameters
    ----------
    settings : Settings
    tasks : mapping of name to settings and objective, or problem

    Returns
    -------
    dict
        Records of all seeds by the task's name.
    """
    identity = {
        **joint_digests(str(settings.joint)),
        "sources": source_digest("search", "sim"),
        "tasks": {name: [asdict(chosen), repr(asked)] for name, (chosen, asked) in tasks.items()},
    }
    file = f"searches-{document_digest(identity)[:16]}.jsonl"
    journal = Journal(settings.work / file, identity)
    keys = {f"{name}:{seed}": (name, seed) for name in tasks for seed in range(settings.seeds)}
    with progress_bar() as report:
        run_all(
            {key: (*tasks[name], seed) for key, (name, seed) in keys.items()},
            searched,
            journal,
            settings.jobs,
            report,
            scheduler=settings.scheduler,
            prepare=keep_truth,
            arguments=(resolved(str(settings.joint)),),
        )
    return {
        name: [journal.records[f"{name}:{seed}"] for seed in range(settings.seeds)]
        for name in tasks
    }
