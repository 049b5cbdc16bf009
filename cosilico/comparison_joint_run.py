"""One co-search of a comparison on a joint enumeration, in a worker process."""

import time
from typing import Any

import torch

from cosilico.joint.judge import JointJudge
from cosilico.joint.source import read_joint
from cosilico.joint.space import JointSpace
from search.evaluator import Evaluator
from search.experiment import TrainSettings
from search.finalist import FINAL
from search.in_memory import CoSearched, co_search_in_memory
from search.strategies.joint_baseline_settings import JointRandomSettings
from search.strategies.joint_random import JointRandom
from search.strategies.protocol import CoSearchProblem
from search.strategies.settings import PairBudgetSettings
from sim.cost.objective import Objective

__all__ = ["EPOCH_SHARE", "compare_on_truth", "joint_target", "keep_truth"]

EPOCH_SHARE = 40
"""Steps of an epoch are this part of the budget: a search by gradient of ten epochs looks a quarter of it up."""

_task: list[tuple[JointSpace, JointJudge, Objective]] = []
"""Inputs that all searches of a worker share."""


def joint_target(truth: JointSpace, objective: Objective) -> float:
    """Cost at which the score of a pair is the accuracy: that of the largest network on the default accelerator.

    Raises
    ------
    NotRealizableError
        If the default runs neither the largest nor the smallest network.
    """
    problem = CoSearchProblem(
        hardware=truth.space,
        objective=objective,
        evaluator=Evaluator(truth.costs),
        seed=0,
        name="target",
        task=None,
        networks=truth.networks,
        train=TrainSettings(),
    )
    return JointRandom(problem, JointRandomSettings()).target


def keep_truth(subject: str, objective: Objective, target: float) -> None:
    """Prepare a worker: the joint space, and its judge."""
    torch.set_num_threads(1)
    truth = read_joint(subject)
    _task[:] = [(truth, JointJudge(truth, objective, target), objective)]


def compare_on_truth(settings: PairBudgetSettings, seed: int) -> dict[str, Any]:
    """Run a co-search; return its record for the journal.

    Returns
    -------
    dict
        ``evaluations`` : int, the pairs that the budget counts; ``trainings`` : int, networks that were looked up;
        ``violations`` : int, pairs that are not realizable; ``over_budget`` : int, those that are but break a budget;
        ``curve`` : list of [evaluations, score], an entry for each pair that is better than all before, where its cost
        and its network's accuracy are both known; ``trained`` : list of int, the trainings at each entry; ``hypervolume`` : of those pairs, as a share of
        the true front's; ``design`` : figures of the result, None where no pair was feasible.
    """
    truth, judge, objective = _task[0]
    started = time.process_time()
    made = co_search_in_memory(
        truth.networks,
        truth.space,
        objective,
        settings,
        truth.costs,
        seed=seed,
        steps=max(1, settings.budget // EPOCH_SHARE),
    )
    counted = [row for row in made.history if row.phase != FINAL]
    judged = [row for row in counted if row.network in made.trainings and objective.feasible(row)]
    place = {network: number for number, network in enumerate(made.trainings, 1)}
    curve: list[list[float]] = []
    trained = []
    for known, row in sorted(
        ((max(row.index + 1, made.trainings[row.network]), row) for row in judged),
        key=lambda pair: pair[0],
    ):
        score = judge.score(row)
        if not curve or score > curve[-1][1]:
            curve.append([known, score])
            before = sum(spent <= row.index for spent in made.trainings.values())
            trained.append(max(before, place[row.network]))
    return {
        "evaluations": len(counted),
        "trainings": len(made.trainings),
        "violations": sum(not row.realizable for row in counted),
        "over_budget": sum(row.realizable and not objective.feasible(row) for row in counted),
        "curve": curve,
        "trained": trained,
        "hypervolume": judge.hypervolume(judged) if judged else 0.0,
        "design": _design(made, judge, objective, time.process_time() - started),
    }


def _design(
    made: CoSearched, judge: JointJudge, objective: Objective, cpu_s: float
) -> dict[str, Any] | None:
    if made.best is None:
        return None
    accuracy, score = judge.accuracy(made.best.network), judge.score(made.best)
    return {
        "network": made.best.network,
        "accelerator": made.best.accelerator.to_json(),
        "float_accuracy": None,
        "int8_accuracy": accuracy,
        "cost": float(objective.cost(made.best)),
        "score": score,
        "regret": judge.regret(score),
        "excess_cost": judge.excess(made.best),
        "trained_images": 0,
        "cpu_s": round(cpu_s, 2),
    }
