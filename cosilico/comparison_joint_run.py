"""One co-search of a comparison on a joint enumeration, in a worker process."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from cosilico.joint.judge import JointJudge
from cosilico.joint.problem import JointProblem
from cosilico.joint.source import read_joint
from cosilico.joint.space import JointSpace
from search.evaluator import Evaluation, Evaluator
from search.experiment import TrainSettings
from search.finalist import FINAL
from search.in_memory import CoSearched, co_search_in_memory
from search.strategies.joint_baseline_settings import JointRandomSettings
from search.strategies.joint_random import JointRandom
from search.strategies.protocol import CoSearchProblem
from search.strategies.settings import PairBudgetSettings

__all__ = [
    "EPOCH_SHARE",
    "JudgedSearch",
    "compare_on_truth",
    "joint_target",
    "judged_search",
    "keep_truth",
]

EPOCH_SHARE = 40
"""Steps of an epoch are this part of the budget: a search by gradient of ten epochs looks a quarter of it up."""

_truth: list[JointSpace] = []
"""Joint space that all searches of a worker share."""

_judges: dict[str, JointJudge] = {}
"""Judges of a worker by the problem."""


def joint_target(truth: JointSpace, problem: JointProblem) -> float:
    """Cost at which the score of a pair is the accuracy, as every co-search takes it.

    It is the objective's budget of its metric, else the cost of the largest network on the default accelerator.

    Raises
    ------
    NotRealizableError
        If the default runs neither the largest nor the smallest network.
    """
    asked = CoSearchProblem(
        hardware=problem.space(truth),
        objective=problem.objective,
        evaluator=Evaluator(truth.costs),
        seed=0,
        name="target",
        task=None,
        networks=truth.networks,
        train=TrainSettings(),
    )
    return JointRandom(asked, JointRandomSettings()).target


def keep_truth(subject: str) -> None:
    """Prepare a worker: the joint space."""
    torch.set_num_threads(1)
    _truth[:] = [read_joint(subject)]
    _judges.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSearch:
    """A co-search, and what the judge says of its pairs.

    Parameters
    ----------
    made : CoSearched
    judge : JointJudge
    counted : tuple of Evaluation
        Pairs that the budget counts, in order.
    cpu_s : float
    """

    made: CoSearched
    judge: JointJudge
    counted: tuple[Evaluation, ...]
    cpu_s: float


def judged_search(problem: JointProblem, settings: PairBudgetSettings, seed: int) -> JudgedSearch:
    """Run a co-search on the worker's joint space."""
    truth = _truth[0]
    key = repr(problem)
    if key not in _judges:
        _judges[key] = JointJudge(truth, problem, joint_target(truth, problem))
    started = time.process_time()
    made = co_search_in_memory(
        truth.networks,
        problem.space(truth),
        problem.objective,
        settings,
        truth.costs,
        seed=seed,
        steps=max(1, settings.budget // EPOCH_SHARE),
    )
    return JudgedSearch(
        made=made,
        judge=_judges[key],
        counted=tuple(row for row in made.history if row.phase != FINAL),
        cpu_s=time.process_time() - started,
    )


def compare_on_truth(
    problem: JointProblem, settings: PairBudgetSettings, seed: int
) -> dict[str, Any]:
    """Run a co-search; return its record for the journal.

    Returns
    -------
    dict
        ``evaluations`` : int, the pairs that the budget counts; ``trainings`` : int, networks that were looked up;
        ``violations`` : int, pairs that are not realizable; ``over_budget`` : int, those that are but break a budget;
        ``curve`` : list of [evaluations, trainings, score], an entry for each feasible pair that is better than all before, where
        both its cost and its network's accuracy are known; ``volumes`` : list of [evaluations, hypervolume], an entry wherever that
        of all such pairs grows; ``design`` : figures of the result, None where no pair was feasible.
    """
    searched = judged_search(problem, settings, seed)
    judge, counted, objective = searched.judge, searched.counted, problem.objective
    known = _known(searched.made.trainings, counted)
    judged = [entry for entry in known if objective.feasible(entry.row)]
    curve: list[list[float]] = []
    for entry in judged:
        score = judge.score(entry.row)
        if not curve or score > curve[-1][2]:
            curve.append([entry.evaluations, entry.trainings, score])
    volumes: list[list[float]] = []
    shares = judge.volumes(entry.row for entry in judged)
    for entry, share in zip(judged, shares, strict=True):
        if not volumes or share > volumes[-1][1]:
            volumes.append([entry.evaluations, share])
    return {
        "evaluations": len(counted),
        "trainings": len(searched.made.trainings),
        "violations": sum(not row.realizable for row in counted),
        "over_budget": sum(row.realizable and not objective.feasible(row) for row in counted),
        "curve": curve,
        "volumes": volumes,
        "design": _design(searched, problem),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A pair whose cost and accuracy are known, and what had been spent when they were."""

    evaluations: int
    trainings: int
    row: Evaluation


def _known(trainings: Mapping[str, int], rows: tuple[Evaluation, ...]) -> list[_Known]:
    """Pairs of networks that were looked up, in the order in which both of their figures were known.

    ``trainings`` are the evaluations that had been spent before each look-up, by network.
    """
    place = {network: number for number, network in enumerate(trainings, 1)}
    known = []
    for row in rows:
        if row.network in trainings:
            before = sum(spent <= row.index for spent in trainings.values())
            known.append(
                _Known(
                    evaluations=max(row.index + 1, trainings[row.network]),
                    trainings=max(before, place[row.network]),
                    row=row,
                )
            )
    return sorted(known, key=lambda entry: entry.evaluations)


def _design(searched: JudgedSearch, problem: JointProblem) -> dict[str, Any] | None:
    best, judge = searched.made.best, searched.judge
    if best is None:
        return None
    accuracy, score = judge.accuracy(best.network), judge.score(best)
    return {
        "network": best.network,
        "accelerator": best.accelerator.to_json(),
        "accuracy": accuracy,
        "accuracy_lost": judge.optimum.accuracy - accuracy,
        "cost": float(problem.objective.cost(best)),
        "score": score,
        "regret": judge.regret(score),
        "excess_cost": judge.excess(best),
        "cpu_s": round(searched.cpu_s, 2),
    }
