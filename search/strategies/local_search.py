"""Local search with restarts: climb from a drawn point, and draw again at the top."""

from collections.abc import Mapping
from typing import Any

from search.evaluator import Evaluation
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.baseline_settings import LocalSearchSettings
from search.strategies.protocol import HardwareProblem
from search.strategies.sampling import Dice

__all__ = ["LocalSearch"]


class LocalSearch(AcceleratorSearch):
    """First-improvement local search with random restarts (Hoos & Stützle, 2004, sections 1.5 and 2.1).

    From a drawn point, neighbours, which have another value of a single field, are evaluated in a
    random order; the first that is better is the next point. Where none is, another point is drawn.
    Among designs of equal merit the smaller is better: its area lets another field grow.

    Parameters
    ----------
    problem : HardwareProblem
    settings : LocalSearchSettings
    """

    def __init__(self, problem: HardwareProblem, settings: LocalSearchSettings) -> None:
        super().__init__(problem)
        self._settings = settings
        self._dice = Dice(self.hardware, problem.seed)
        self._point: tuple[int, ...] | None = None

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps that are enough in any case; the budget ends them."""
        return {"local-search": self._settings.search_budget or len(self.hardware)}

    def step(self, stage: str) -> None:
        """Draw a point, or move to a better neighbour."""
        if self._point is None:
            self._point = self._dice.point()
            self.evaluate_points([self._point], stage)
            return
        (here,) = self.evaluate_points([self._point], stage)
        for point in self._dice.neighbours(self._point):
            (there,) = self.evaluate_points([point], stage)
            if self._rank(there) > self._rank(here):
                self._point = point
                return
        self._point = None

    def _rank(self, evaluation: Evaluation) -> tuple[float, float]:
        return self.merit(evaluation), -float(evaluation["area"])

    def state_dict(self) -> dict[str, Any]:
        """State of the draws, and the point."""
        return {
            "dice": self._dice.state(),
            "point": None if self._point is None else list(self._point),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._dice.restore(state["dice"])
        self._point = None if state["point"] is None else tuple(state["point"])
