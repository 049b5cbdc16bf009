"""What a search found, as objects and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.architecture import Architecture
from search.evaluator import Evaluation
from sim.spec.design import Design

__all__ = ["SCHEMA", "SearchResult", "pareto_front"]

SCHEMA = 1


def pareto_front(records: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
    """Realizable designs that no other beats in both cycles and area, by rising cycles."""
    front: list[Evaluation] = []
    realizable = [record for record in records if record.realizable]
    for record in sorted(realizable, key=lambda one: (one.cycles, one.area, one.index)):
        if not front or record.area < front[-1].area:
            front.append(record)
    return tuple(front)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """The best design and how it was found.

    Parameters
    ----------
    strategy : str
    seed : int
    design : Design
        The int8 network on the best accelerator.
    architecture : Architecture or None
        None where the network was given.
    default, best : Evaluation
        The network on the space's default accelerator and on the best one.
    area_budget : float
    float_accuracy, int8_accuracy : float or None
        Test accuracy before quantization and by the integer reference after it; None where the
        network was given.
    history : tuple of Evaluation
        Every evaluation spent, in order.
    pareto : tuple of Evaluation
        Front of cycles and area for the final architecture.
    wall_s : float
        Over all runs that a resumed search took.
    """

    strategy: str
    seed: int
    design: Design
    architecture: Architecture | None
    default: Evaluation
    best: Evaluation
    area_budget: float
    float_accuracy: float | None
    int8_accuracy: float | None
    history: tuple[Evaluation, ...]
    pareto: tuple[Evaluation, ...]
    wall_s: float

    @property
    def evaluations(self) -> int:
        """Pairs that the cost model was asked for."""
        return len(self.history)

    @property
    def non_realizable(self) -> int:
        """Evaluations that broke a rule of the generator, the compiler or the technology."""
        return sum(not record.realizable for record in self.history)

    def to_json(self) -> dict[str, Any]:
        """``search.json``: figures, the history and the front; the design has its own file."""
        return {
            "schema": SCHEMA,
            "strategy": self.strategy,
            "seed": self.seed,
            "evaluations": self.evaluations,
            "wall_s": self.wall_s,
            "area_budget": self.area_budget,
            "architecture": None if self.architecture is None else self.architecture.to_json(),
            "default": _figures(self.default),
            "best": _figures(self.best)
            | {"float_accuracy": self.float_accuracy, "int8_accuracy": self.int8_accuracy},
            "violations": {"sampled": self.evaluations, "non_realizable": self.non_realizable},
            "pareto": [record.to_json() for record in self.pareto],
            "history": [record.to_json() for record in self.history],
        }


def _figures(record: Evaluation) -> dict[str, Any]:
    return {
        "accelerator": record.accelerator.to_json(),
        "predicted_cycles": record.cycles,
        "area": record.area,
        "energy": record.energy,
    }
