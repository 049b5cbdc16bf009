"""One co-search of a comparison, in a worker process."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from search.checkpoint import LOG_FILE
from search.driver import require_default, run_search
from search.evaluator import Evaluation, Evaluator
from search.experiment import Experiment
from search.finalist import FINAL
from search.loading import load_family, load_task
from search.result import SearchResult
from search.score import Score
from search.strategies.joint_baseline_settings import JointRandomSettings
from search.strategies.joint_random import JointRandom
from search.strategies.protocol import CoSearchProblem
from sim.cost.hypervolume import hypervolume
from sim.cost.objective import Objective
from sim.cost.workload import Workload
from sim.spec.errors import NotRealizableError

__all__ = ["compare_co_search", "score_target"]


def score_target(experiment: Experiment, workload: Workload) -> float:
    """Cost at which the score of a pair is the accuracy: the target of every co-search of the experiment.

    Raises
    ------
    CosilicoError
        If the data cannot be read.
    NotRealizableError
        If the default accelerator cannot be built, or runs neither the largest nor the smallest network.
    """
    task, hardware = load_task(experiment), experiment.hardware.hardware_space()
    require_default(hardware)
    problem = CoSearchProblem(
        hardware=hardware,
        objective=experiment.objective.objective(hardware),
        evaluator=Evaluator(workload.costs),
        seed=0,
        name=experiment.name,
        task=task,
        networks=load_family(experiment, task),
        train=experiment.train,
    )
    return JointRandom(problem, JointRandomSettings()).target


def compare_co_search(
    experiment: Experiment, workload: Workload, folder: Path, seed: int, target: float
) -> dict[str, Any]:
    """Run a co-search, or go on with what a killed process left of it; return its record.

    Parameters
    ----------
    experiment : Experiment
    workload : Workload
        The experiment's.
    folder : Path
        Of the search's own files.
    seed : int
    target : float
        See :func:`score_target`.

    Returns
    -------
    dict
        ``evaluations`` : int, the pairs that the budget counts; ``curve`` : list of [evaluations, score],
        an entry for each pair with a known validation accuracy that is better than all before;
        ``hypervolume`` : of those pairs, as a share of the rectangle between the point of no error and no
        cost, and that of guessing at the target's cost; ``design`` : figures of the result, None where no
        design is feasible.
    """
    objective = experiment.objective.objective(experiment.hardware.hardware_space())
    score = Score(objective, target)
    design: dict[str, Any] | None = None
    try:
        result = run_search(experiment, folder, resume=True, seed=seed, costs=workload.costs)
        design = _design(result, objective, score)
        history: Iterable[Evaluation] = result.history
    except NotRealizableError:
        lines = (folder / LOG_FILE).read_text().splitlines()
        history = map(Evaluation.from_json, map(json.loads, lines))
    counted = [row for row in history if row.phase != FINAL]
    curve: list[list[float]] = []
    judged = []
    for row in counted:
        if row.accuracy is None or not objective.feasible(row):
            continue
        judged.append((1 - row.accuracy, float(objective.cost(row))))
        value = score(row.accuracy, row)
        if not curve or value > curve[-1][1]:
            curve.append([row.index + 1, value])
    classes = load_task(experiment).classes
    return {
        "evaluations": len(counted),
        "curve": curve,
        "hypervolume": _share(judged, (1 - 1 / classes, target)),
        "design": design,
    }


def _design(result: SearchResult, objective: Objective, score: Score) -> dict[str, Any]:
    assert result.int8_accuracy is not None
    assert result.architecture is not None
    return {
        "network": result.architecture.key,
        "accelerator": result.best.accelerator.to_json(),
        "float_accuracy": result.float_accuracy,
        "int8_accuracy": result.int8_accuracy,
        "cost": float(objective.cost(result.best)),
        "score": score(result.int8_accuracy, result.best),
        "trained_images": result.trained_images,
        "cpu_s": round(result.cpu_s, 2),
    }


def _share(pairs: list[tuple[float, float]], reference: tuple[float, float]) -> float:
    errors, costs = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    volume = hypervolume(errors, costs, np.ones(len(pairs), np.bool_), reference)
    return volume / (reference[0] * reference[1])
