"""Settings of the certified search."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.strategies.budget_settings import BudgetSettings

__all__ = ["CertifiedSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedSettings(BudgetSettings):
    """Settings of the certified search; without a budget it ends with a proof.

    Parameters
    ----------
    strategy : "certified"
    batch : int
        Accelerators that are evaluated in a step.
    """

    strategy: str = choice("certified", "certified")
    budget: int = integer(0, 0, 100_000_000)
    batch: int = integer(4, 1, 100_000)
