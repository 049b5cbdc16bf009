"""Results of a search, as objects and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from search.architecture import Architecture
from search.checkpoint import LOG_FILE
from search.evaluator import Evaluation
from search.prediction_error import PredictionError
from sim.cost.pareto import pareto_front
from sim.spec.design import Design

__all__ = ["SCHEMA", "Outcome", "Proof", "SearchResult"]

SCHEMA = 2
"""Version of ``search.json``; since 2 the history stands in the log alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far a search has proved its result: no feasible accelerator of the space costs less than the bound.

    Parameters
    ----------
    cost : float
        Cost of the result by the objective.
    bound : float
        Least cost that an accelerator which was not evaluated could have, at most ``cost``.
    evaluations : int
    points : int
        Accelerators of the space.
    """

    cost: float
    bound: float
    evaluations: int
    points: int

    @property
    def complete(self) -> bool:
        """Whether the result is the optimum."""
        return self.bound >= self.cost

    def to_json(self) -> dict[str, Any]:
        """Figures as a JSON object."""
        return {
            "complete": self.complete,
            "cost": self.cost,
            "bound": self.bound,
            "evaluations": self.evaluations,
            "points": self.points,
            "share": self.evaluations / self.points,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """The design that a strategy ends with.

    Parameters
    ----------
    design : Design
        The int8 network on the best accelerator.
    architecture : Architecture or None
        None where the network was given.
    default, best : Evaluation
        The network on the space's default accelerator and on the best.
    float_accuracy, int8_accuracy : float or None
        Test accuracy before quantization and by the integer reference after it; None where the
        network was given.
    proof : Proof or None
        None where the strategy proves nothing.
    cost_model : PredictionError or None
        Error of the cost model that the strategy learned; None where it learned none, or none of its
        labels could be held out.
    trained_images : int
        Images that networks were trained on, each as often as it was: the search's cost beside its
        evaluations.
    files : mapping of str to bytes
        Name and content of further files that the strategy leaves beside the design.
    """

    design: Design
    architecture: Architecture | None = None
    default: Evaluation
    best: Evaluation
    float_accuracy: float | None = None
    int8_accuracy: float | None = None
    proof: Proof | None = None
    cost_model: PredictionError | None = None
    trained_images: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult(Outcome):
    """The best design, and the search that led to it.

    Parameters
    ----------
    strategy : str
    seed : int
    area_budget : float
    history : tuple of Evaluation
        Every evaluation spent, in order.
    log_sha256 : str
        Digest of ``evaluations.jsonl``, which is the history as a file.
    wall_s, cpu_s : float
        Seconds, and seconds of this process's processors, over all runs that a resumed search took.
    """

    strategy: str
    seed: int
    area_budget: float
    history: tuple[Evaluation, ...]
    log_sha256: str
    wall_s: float
    cpu_s: float

    def __repr__(self) -> str:
        """Return what was chosen, and after how many evaluations."""
        return (
            f"SearchResult({self.strategy}, seed {self.seed}: {self.best['cycles']:,} cycles, "
            f"{self.evaluations:,} evaluations)"
        )

    @property
    def evaluations(self) -> int:
        """Pairs that the cost model was asked for."""
        return len(self.history)

    @property
    def non_realizable(self) -> int:
        """Evaluations that broke a rule of the generator, the compiler or the technology."""
        return sum(not record.realizable for record in self.history)

    @property
    def pareto(self) -> tuple[Evaluation, ...]:
        """Front of cycles and area of the final architecture, by rising cycles."""
        key = self.design.network.name if self.architecture is None else self.architecture.key
        rows = [record for record in self.history if record.network == key]
        front = pareto_front(
            np.array([row["cycles"] for row in rows]),
            np.array([row["area"] for row in rows]),
            np.array([row.realizable for row in rows], np.bool_),
        )
        return tuple(rows[i] for i in front)

    def to_json(self) -> dict[str, Any]:
        """Content of ``search.json``: figures, and which evaluations of the log are the front."""
        return {
            "schema": SCHEMA,
            "strategy": self.strategy,
            "seed": self.seed,
            "evaluations": self.evaluations,
            "trained_images": self.trained_images,
            "wall_s": self.wall_s,
            "area_budget": self.area_budget,
            "architecture": None if self.architecture is None else self.architecture.to_json(),
            "default": self.default.figures(),
            "best": self.best.figures()
            | {"float_accuracy": self.float_accuracy, "int8_accuracy": self.int8_accuracy},
            "violations": {"sampled": self.evaluations, "non_realizable": self.non_realizable},
            "pareto": [record.index for record in self.pareto],
            "log": {"file": LOG_FILE, "sha256": self.log_sha256},
            **({} if self.proof is None else {"proof": self.proof.to_json()}),
            **({} if self.cost_model is None else {"cost_model": self.cost_model.to_json()}),
        }
