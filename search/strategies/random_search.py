"""Random search: the baseline that every other strategy must beat at equal evaluations."""

from collections.abc import Mapping
from typing import Any

from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.baseline_settings import RandomSettings
from search.strategies.protocol import HardwareProblem
from search.strategies.sampling import Dice

__all__ = ["RandomSearch"]

BATCH = 16
"""Points that are drawn in a step."""


class RandomSearch(AcceleratorSearch):
    """Points of the space, each as probable as any other, until the budget is spent.

    Parameters
    ----------
    problem : HardwareProblem
    settings : RandomSettings
    """

    def __init__(self, problem: HardwareProblem, settings: RandomSettings) -> None:
        super().__init__(problem)
        self._budget = settings.search_budget or len(self.hardware)
        self._dice = Dice(self.hardware, problem.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps that are enough in any case; the budget ends them."""
        return {"random": self._budget}

    def step(self, stage: str) -> None:
        """Draw and evaluate some points."""
        self.evaluate_points([self._dice.point() for _ in range(BATCH)], stage)

    def state_dict(self) -> dict[str, Any]:
        """State of the draws."""
        return {"dice": self._dice.state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._dice.restore(state["dice"])
