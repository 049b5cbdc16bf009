"""Co-searches of the experiments on claims: what they propose, train and end with, on a joint enumeration."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from claim import Record, Settings, run_tasks
from claim_gains import pinned
from cosilico.accelerators import named_space
from cosilico.comparison_joint_run import EPOCH_SHARE, joint_target
from cosilico.joint.judge import JointJudge
from cosilico.joint.problem import JointProblem
from cosilico.joint.source import joint_digests, read_joint, resolved
from cosilico.joint.space import COLUMNS, JointSpace
from proposals import ProposalLog, beyond, not_realizable
from search.evaluator import CostModel, Evaluation
from search.finalist import FINAL
from search.in_memory import CoSearched, co_search_in_memory
from search.score import Score
from search.strategies.settings import PairBudgetSettings
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.spec.archives import file_sha256
from sim.spec.spaces import HardwareSpace

__all__ = ["HARSH", "JointTask", "harsh_space", "run_searches", "spending"]

_ROOT = Path(__file__).parent.parent

Spender = TypeVar("Spender", bound=PairBudgetSettings)

HARSH = "examples/joint_fashion_space.toml"
"""Accelerators with so little memory that many pairs break rules."""

_TRIALS = ("trials", "hardware", "network")
"""Phases in which a controller proposes pairs."""

_CHOSEN = ("trials", "network")
"""Phases whose pairs may be the result of a search that is judged by its own reward."""

_kept: list[tuple[JointSpace, dict[Objective, JointJudge]]] = []
"""Truth and judges of a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTask:
    """A co-search.

    Parameters
    ----------
    settings : PairBudgetSettings
    objective : Objective
    space : "free", "pinned" or "harsh"
        Accelerators: all of the enumeration, those with its default's bandwidth, or those of :data:`HARSH`, whose costs
        are predicted and whose optimum is not known.
    """

    settings: PairBudgetSettings
    objective: Objective
    space: str = "free"


def harsh_space() -> HardwareSpace:
    """Accelerators of :data:`HARSH`."""
    return named_space(str(_ROOT / HARSH))


def keep(subject: str) -> None:
    """Prepare a process."""
    torch.set_num_threads(1)
    _kept[:] = [(read_joint(subject), {})]


def searched(task: JointTask, seed: int) -> dict[str, Any]:
    """Run a co-search; return what it asked for and spent, and its design beside the truth.

    Returns
    -------
    dict
        ``evaluations``, ``trainings``, ``networks`` (that were evaluated), ``violations`` and ``over_budget`` (among the
        evaluations), ``proposals`` : int; ``not_realizable``, ``beyond`` : float, shares of the proposals, repeats
        included; ``missed`` : bool, whether the pair with the highest reward of a search with a budget of latency is
        above it, None where there is no such budget; ``score``, ``regret``, ``accuracy``, ``cost`` : float, of the
        design, None where there is none or the optimum is not known; ``curve`` : list of [trainings, accuracy], the most
        accurate networks with a pair within the budgets; ``cpu_s`` : float.
    """
    truth, judges = _kept[0]
    objective, chosen = task.objective, task.settings
    space, costs = _accelerators(truth, task.space)
    log = ProposalLog(costs)
    started = time.process_time()
    made = co_search_in_memory(
        truth.networks,
        space,
        objective,
        chosen,
        costs,
        seed=seed,
        steps=max(1, chosen.budget // EPOCH_SHARE),
        evaluator_of=lambda _: log,
    )
    cpu_s = time.process_time() - started
    counted = [row for row in made.history if row.phase != FINAL]
    proposals = log.proposals(_TRIALS)
    curve = accuracy_curve(made, counted, objective, truth)
    record: dict[str, Any] = {
        "evaluations": len(counted),
        "trainings": len(made.trainings),
        "networks": len({row.network for row in counted}),
        "violations": sum(not row.realizable for row in counted),
        "over_budget": sum(row.realizable and not objective.feasible(row) for row in counted),
        "proposals": len(proposals),
        "not_realizable": not_realizable(proposals),
        "beyond": beyond(proposals, objective),
        "missed": missed(counted, made, objective, truth),
        "curve": curve,
        "score": None,
        "regret": None,
        "accuracy": None,
        "cost": None,
        "cpu_s": round(cpu_s, 2),
    }
    if made.best is not None:
        record |= {
            "accuracy": _accuracy(truth, made.best.network),
            "cost": float(objective.cost(made.best)),
        }
        if task.space == "free":
            if objective not in judges:
                judges[objective] = judge_of(truth, objective)
            score = judges[objective].score(made.best)
            record |= {"score": score, "regret": judges[objective].regret(score)}
    return record


def spending(settings: Spender, budget: int) -> Spender:
    """Settings of a search that begins again until its budget is spent: equal evaluations, and not only allowed."""
    return replace(settings.spending(budget), restarts=True)


def judge_of(truth: JointSpace, objective: Objective) -> JointJudge:
    """Judge of pairs by an objective on all accelerators."""
    problem = JointProblem(name="claim", objective=objective)
    return JointJudge(truth, problem, joint_target(truth, problem))


def _accelerators(truth: JointSpace, name: str) -> tuple[HardwareSpace, CostModel]:
    if name == "harsh":
        space = harsh_space()
        return space, partial(evaluate_many, columns=COLUMNS, limits=space.limits)
    return (pinned(truth.space) if name == "pinned" else truth.space), truth.costs


def _accuracy(truth: JointSpace, network: str) -> float:
    return float(truth.accuracies[truth.numbers[network]])


def accuracy_curve(
    made: CoSearched, rows: Sequence[Evaluation], objective: Objective, truth: JointSpace
) -> list[list[float]]:
    """Trainings and accuracy at each network that is more accurate than all before and has a pair within the budgets."""
    within = {row.network for row in rows if objective.feasible(row)}
    curve: list[list[float]] = []
    for place, network in enumerate(made.trainings, 1):
        accuracy = _accuracy(truth, network)
        if network in within and (not curve or accuracy > curve[-1][1]):
            curve.append([place, accuracy])
    return curve


def missed(
    rows: Sequence[Evaluation], made: CoSearched, objective: Objective, truth: JointSpace
) -> bool | None:
    """Whether the pair with the highest hard reward is above the budget of latency; None where there is none."""
    if objective.cycles_budget == float("inf"):
        return None
    score = Score(objective, objective.cycles_budget, "hard")
    judged = [
        row
        for row in rows
        if row.phase in _CHOSEN and row.realizable and row.network in made.trainings
    ]
    if not judged:
        return True
    best = max(judged, key=lambda row: score(_accuracy(truth, row.network), row))
    return bool(best["cycles"] > objective.cycles_budget)


def run_searches(settings: Settings, tasks: Mapping[str, JointTask]) -> dict[str, list[Record]]:
    """Run searches with all seeds; a run that was ended goes on with the same command.

    Parameters
    ----------
    settings : Settings
    tasks : mapping of name to JointTask

    Returns
    -------
    dict
        Records of all seeds by the task's name.
    """
    subject = str(settings.joint)
    identity = {
        **joint_digests(subject),
        "harsh": file_sha256(_ROOT / HARSH, "space"),
        "tasks": {
            name: [asdict(task.settings), repr(task.objective), task.space]
            for name, task in tasks.items()
        },
    }
    keys = {f"{name}:{seed}": (name, seed) for name in tasks for seed in range(settings.seeds)}
    records = run_tasks(
        settings,
        "searches",
        identity,
        {key: (tasks[name], seed) for key, (name, seed) in keys.items()},
        searched,
        keep,
        (resolved(subject),),
    )
    return {name: [records[f"{name}:{seed}"] for seed in range(settings.seeds)] for name in tasks}
