"""Settings of the baselines."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.strategies.budget_settings import BudgetSettings

__all__ = [
    "CmaesSettings",
    "EvolutionSettings",
    "ExhaustiveSettings",
    "LocalSearchSettings",
    "NsgaSettings",
    "RandomSettings",
    "TpeSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings(BudgetSettings):
    """Settings of random search: a budget.

    Parameters
    ----------
    strategy : "random"
    """

    strategy: str = choice("random", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionSettings(BudgetSettings):
    """Settings of regularized evolution.

    Parameters
    ----------
    strategy : "evolution"
    population : int
        Accelerators that live at once (P).
    sample : int
        Of these, the number from which a parent is taken (S).
    """

    strategy: str = choice("evolution", "evolution")
    population: int = integer(32, 2, 100_000)
    sample: int = integer(8, 1, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSearchSettings(BudgetSettings):
    """Settings of local search: a budget.

    Parameters
    ----------
    strategy : "local-search"
    """

    strategy: str = choice("local-search", "local-search")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustiveSettings(BudgetSettings):
    """Settings of exhaustive search, which has no budget unless that is given.

    Parameters
    ----------
    strategy : "exhaustive"
    """

    strategy: str = choice("exhaustive", "exhaustive")
    budget: int = integer(0, 0, 100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TpeSettings(BudgetSettings):
    """Settings of the tree-structured Parzen estimator.

    Parameters
    ----------
    strategy : "tpe"
    startup : int
        Points that are drawn before the first is estimated.
    """

    strategy: str = choice("tpe", "tpe")
    startup: int = integer(10, 1, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmaesSettings(BudgetSettings):
    """Settings of CMA-ES.

    Parameters
    ----------
    strategy : "cma-es"
    """

    strategy: str = choice("cma-es", "cma-es")


@dataclass(frozen=True, slots=True, kw_only=True)
class NsgaSettings(BudgetSettings):
    """Settings of NSGA-II.

    Parameters
    ----------
    strategy : "nsga-ii"
    population : int
        Points of a generation.
    """

    strategy: str = choice("nsga-ii", "nsga-ii")
    population: int = integer(24, 2, 100_000)
