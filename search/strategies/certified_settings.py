"""Settings of the certified search."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.strategies.budget_settings import BudgetSettings
from search.strategies.settings import CoSearchSettings

__all__ = ["MOST_BOUNDED", "CertifiedSettings", "FixedCertifiedSettings"]

MOST_BOUNDED = 120_000
"""Points of the largest space that is searched by bounds where no strategy is named: a minute at most on a core."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCertifiedSettings(CoSearchSettings):
    """Settings of the certified search of an experiment whose network is fixed, which is trained after it.

    Parameters
    ----------
    strategy : "certified"
    """

    strategy: str = choice("certified", "certified")
