"""Settings of searches that spend a budget of evaluations, and may be polished."""

from dataclasses import dataclass

from search.sections import integer, truth
from search.strategies.settings import StrategySettings

__all__ = ["POLISH", "BudgetSettings"]

POLISH = "polish"
"""Stage of the descent, and phase of its evaluations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(StrategySettings):
    """Budget of a search, and whether a local descent follows it.

    Parameters
    ----------
    strategy : str
    metric : "latency", "energy", "area" or "edp"
    budget : int
        Evaluations that the search may spend, the default's and the polish's included; 0 for as
        many as it asks for. Pairs that were evaluated before are free.
    polish : bool
        Whether a descent follows: from the best accelerator to its best neighbour, while that is
        better. It has half of the budget.
    """

    strategy: str
    budget: int = integer(1000, 0, 100_000_000)
    polish: bool = truth(False)

    @property
    def search_budget(self) -> int | None:
        """Evaluations before the polish; None for any number."""
        if not self.budget:
            return None
        return self.budget - self.budget // 2 if self.polish else self.budget

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """Evaluations that may have been spent at the end of a stage; None for any number."""
        return self.budget or None if stage == POLISH else self.search_budget
