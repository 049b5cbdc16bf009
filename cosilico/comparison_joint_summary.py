"""The results of a comparison on a joint enumeration, problem by problem, as objects and files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cosilico.joint.problem import JointProblem

__all__ = [
    "MARKS",
    "SCHEMA",
    "WITHIN",
    "JointComparison",
    "JointRun",
    "ProblemComparison",
    "Spent",
    "curves_text",
    "volumes_text",
]

SCHEMA = 2

WITHIN = 0.02
"""Regret that counts as reaching the joint optimum, and excess cost that counts as the least."""

MARKS = (50, 100, 200, 500, 1000, 2000, 5000)
"""Evaluations, and trainings, at which figures are told, as far as the budget goes."""

Spent = Literal["evaluations", "trainings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRun:
    """A co-search of a comparison.

    Parameters
    ----------
    strategy : str
    seed : int
    evaluations, trainings, violations, over_budget : int
        Pairs that were evaluated, networks whose accuracy was looked up, pairs that are not realizable, and
        realizable pairs above a budget.
    curve : list of [int, int, float]
        Evaluations, trainings and score, wherever the best score of known pairs rose.
    volumes : list of [int, float]
        Evaluations and hypervolume of known pairs as a share of the true front's, wherever it grew.
    design : dict or None
        Figures of the result; None where no design was feasible.
    """

    strategy: str
    seed: int
    evaluations: int
    trainings: int
    violations: int
    over_budget: int
    curve: Sequence[Sequence[float]]
    volumes: Sequence[Sequence[float]]
    design: Mapping[str, Any] | None

    def score_after(self, count: int, spent: Spent = "evaluations") -> float:
        """Best score after so many evaluations or trainings; 0 where no pair was feasible."""
        place = 0 if spent == "evaluations" else 1
        scores = [entry[2] for entry in self.curve if entry[place] <= count]
        return scores[-1] if scores else 0.0

    def volume_after(self, evaluations: int) -> float:
        """Hypervolume after so many evaluations; 0 where no pair was feasible."""
        shares = [share for spent, share in self.volumes if spent <= evaluations]
        return shares[-1] if shares else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemComparison:
    """All co-searches of a problem.

    Parameters
    ----------
    problem : JointProblem
    target : float
        Cost at which the score is the accuracy.
    optimum : dict
        ``network``, ``accelerator``, ``accuracy``, ``cost`` and ``score`` of the best of all pairs.
    front : int
        Pairs of the true front of accuracy and cost.
    budget : int
    runs : tuple of JointRun
    """

    problem: JointProblem
    target: float
    optimum: Mapping[str, Any]
    front: int
    budget: int
    runs: tuple[JointRun, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names in the order in which they were given."""
        return tuple(dict.fromkeys(run.strategy for run in self.runs))

    def runs_of(self, strategy: str) -> list[JointRun]:
        """Searches of a strategy, by seed."""
        return [run for run in self.runs if run.strategy == strategy]

    def regret(self, score: float) -> float:
        """Share of the best score that a score lacks."""
        return 1 - score / float(self.optimum["score"])

    def regrets(
        self, strategy: str, count: int, spent: Spent = "evaluations"
    ) -> NDArray[np.float64]:
        """Regret of each seed's best known pair after so many evaluations or trainings; 1 where there is none."""
        return np.array(
            [self.regret(run.score_after(count, spent)) for run in self.runs_of(strategy)]
        )

    def final_regrets(self, strategy: str) -> list[float]:
        """Regret of each seed's design; 1 where there is none."""
        return [
            1.0 if run.design is None else float(run.design["regret"])
            for run in self.runs_of(strategy)
        ]

    def spent_within(self, run: JointRun, spent: Spent = "evaluations") -> int | None:
        """Evaluations or trainings after which a search was within :data:`WITHIN` of the optimum; None for never."""
        place = 0 if spent == "evaluations" else 1
        near = (int(entry[place]) for entry in run.curve if self.regret(entry[2]) <= WITHIN)
        return next(near, None)

    def figures(self, strategy: str, name: str) -> list[float]:
        """A figure of every design of a strategy."""
        return [run.design[name] for run in self.runs_of(strategy) if run.design is not None]

    def to_json(self) -> dict[str, Any]:
        """Problem and searches as a JSON object."""
        marks = [count for count in MARKS if count <= self.budget]
        return {
            **self.problem.to_json(),
            "target_cost": self.target,
            "optimum": dict(self.optimum),
            "front": self.front,
            "strategies": {
                strategy: {"searches": [self._search(run, marks) for run in self.runs_of(strategy)]}
                for strategy in self.strategies
            },
        }

    def _search(self, run: JointRun, marks: Sequence[int]) -> dict[str, Any]:
        return {
            "seed": run.seed,
            "evaluations": run.evaluations,
            "trainings": run.trainings,
            "violations": run.violations,
            "over_budget": run.over_budget,
            "evaluations_within": self.spent_within(run),
            "trainings_within": self.spent_within(run, "trainings"),
            "regret": {str(count): self.regret(run.score_after(count)) for count in marks}
            | {"end": self.regret(run.score_after(run.evaluations))},
            "regret_by_trainings": {
                str(count): self.regret(run.score_after(count, "trainings")) for count in marks
            },
            "hypervolume": {str(count): run.volume_after(count) for count in marks}
            | {"end": run.volume_after(run.evaluations)},
            "design": run.design,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JointComparison:
    """Co-searches of several problems on a joint space.

    Parameters
    ----------
    benchmark, space : str
        Networks and accelerators.
    accuracy : str
        Kind of the accuracies.
    pairs : int
    budget : int
        Evaluations of a search at most, and trainings at most.
    digests : mapping of str to str
        What the figures are of: :func:`cosilico.measured_state.measured_state`.
    problems : tuple of ProblemComparison
    tuned : dict or None
        What the strategies' settings were tuned to, and where; None for their defaults.
    """

    benchmark: str
    space: str
    accuracy: str
    pairs: int
    budget: int
    digests: Mapping[str, str]
    problems: tuple[ProblemComparison, ...]
    tuned: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Content of ``comparison.json``."""
        return {
            "schema": SCHEMA,
            "experiment": self.benchmark,
            "space": self.space,
            "accuracy": self.accuracy,
            "pairs": self.pairs,
            "budget": self.budget,
            "digests": dict(self.digests),
            "tuned": self.tuned,
            "problems": {each.problem.name: each.to_json() for each in self.problems},
        }


def curves_text(comparison: JointComparison) -> str:
    """Curves as CSV: a row wherever the best score of a search rose, and at its end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("problem", "strategy", "seed", "evaluations", "trainings", "score", "regret"))
    for each in comparison.problems:
        for run in each.runs:
            entries = [tuple(entry) for entry in run.curve]
            if entries and entries[-1][0] < run.evaluations:
                entries.append((run.evaluations, run.trainings, entries[-1][2]))
            for evaluations, trainings, score in entries:
                spent = int(evaluations), int(trainings)
                row = each.problem.name, run.strategy, run.seed, *spent, score, each.regret(score)
                writer.writerow(row)
    return text.getvalue()


def volumes_text(comparison: JointComparison) -> str:
    """Hypervolumes as CSV: a row wherever that of a search grew, and at its end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("problem", "strategy", "seed", "evaluations", "hypervolume"))
    for each in comparison.problems:
        for run in each.runs:
            entries = [(int(spent), share) for spent, share in run.volumes]
            if entries and entries[-1][0] < run.evaluations:
                entries.append((run.evaluations, entries[-1][1]))
            for spent, share in entries:
                writer.writerow((each.problem.name, run.strategy, run.seed, spent, share))
    return text.getvalue()
