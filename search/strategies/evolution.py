"""Regularized evolution: the oldest of a population dies, not the worst."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.baseline_settings import EvolutionSettings
from search.strategies.protocol import HardwareProblem
from search.strategies.sampling import Dice

__all__ = ["Evolution"]

Point = tuple[int, ...]


class Evolution(AcceleratorSearch):
    """Regularized evolution (Real et al., AAAI 2019, Algorithm 1).

    The first P accelerators are drawn. Then each child is a mutant of the best of S that are drawn from
    the population, with replacement, and takes the place of the oldest. A mutant has another value of
    one field: both are drawn. The paper evolves cells of networks, and leaves P and S open.

    Parameters
    ----------
    problem : HardwareProblem
    settings : EvolutionSettings
    """

    def __init__(self, problem: HardwareProblem, settings: EvolutionSettings) -> None:
        super().__init__(problem)
        self._settings = settings
        self._dice = Dice(self.hardware, problem.seed)
        self._population: deque[Point] = deque(maxlen=settings.population)

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps that are enough in any case; the budget ends them."""
        return {"evolution": self._settings.search_budget or len(self.hardware)}

    def step(self, stage: str) -> None:
        """Draw the first population, or make as many children as it has members."""
        size = self._settings.population
        if not self._population:
            points = [self._dice.point() for _ in range(size)]
            self.evaluate_points(points, stage)
            self._population.extend(points)
            return
        for _ in range(size):
            child = self._dice.mutant(self._parent(stage))
            self.evaluate_points([child], stage)
            self._population.append(child)

    def _parent(self, stage: str) -> Point:
        drawn = self._dice.random.integers(len(self._population), size=self._settings.sample)
        points = [self._population[i] for i in drawn.tolist()]
        known = self.evaluate_points(points, stage)
        merits = [self.merit(row) for row in known]
        return points[merits.index(max(merits))]

    def state_dict(self) -> dict[str, Any]:
        """State of the draws, and the population from the oldest on."""
        return {"dice": self._dice.state(), "population": [list(x) for x in self._population]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._dice.restore(state["dice"])
        self._population.extend(tuple(point) for point in state["population"])
