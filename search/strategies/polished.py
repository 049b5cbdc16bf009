"""The polish: a local descent as a step of its own, which any hardware search may be given."""

from collections.abc import Mapping
from typing import Any

from search.neighbourhood import descend
from search.result import Outcome
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.budget_settings import POLISH

__all__ = ["Polished"]


class Polished:
    """A hardware search, followed by a descent from its best design.

    Parameters
    ----------
    search : AcceleratorSearch
        A :class:`search.strategies.protocol.Strategy`.
    """

    def __init__(self, search: Any) -> None:
        self._search = search

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage of the search, and the descent."""
        return {**self._search.stages, POLISH: 1}

    def step(self, stage: str) -> None:
        """A step of the search, or the whole descent."""
        if stage != POLISH:
            self._search.step(stage)
            return
        search: AcceleratorSearch = self._search
        descend(
            search.hardware,
            search.problem.objective,
            search.best or search.default,
            lambda configs: search.evaluate(configs, POLISH),
        )

    def outcome(self) -> Outcome:
        """Return the best design of all that were evaluated."""
        outcome: Outcome = self._search.outcome()
        return outcome

    def state_dict(self) -> dict[str, Any]:
        """State of the search: the descent is a single step."""
        state: dict[str, Any] = self._search.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._search.load_state_dict(state)
