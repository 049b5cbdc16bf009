"""Exhaustive search: every accelerator of the space."""

from collections.abc import Mapping
from typing import Any

from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.baseline_settings import ExhaustiveSettings
from search.strategies.protocol import HardwareProblem

__all__ = ["Exhaustive"]

BATCH = 480
"""Points that are evaluated in a step."""


class Exhaustive(AcceleratorSearch):
    """All points of the space, in the order of their flat index.

    Parameters
    ----------
    problem : HardwareProblem
    settings : ExhaustiveSettings
    """

    def __init__(self, problem: HardwareProblem, settings: ExhaustiveSettings) -> None:
        super().__init__(problem)
        self._next = 0

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps that all points take."""
        return {"exhaustive": -(-len(self.hardware) // BATCH)}

    def step(self, stage: str) -> None:
        """Evaluate the next points."""
        end = min(self._next + BATCH, len(self.hardware))
        self.evaluate([self.hardware.at(i) for i in range(self._next, end)], stage)
        self._next = end

    def state_dict(self) -> dict[str, Any]:
        """Flat index of the next point."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._next = state["next"]
