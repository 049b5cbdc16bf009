"""Settings of the baselines of co-search."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.strategies.settings import PairBudgetSettings

__all__ = [
    "JointBaselineSettings",
    "JointEvolutionSettings",
    "JointLocalSearchSettings",
    "JointNsgaSettings",
    "JointRandomSettings",
    "JointTpeSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBaselineSettings(PairBudgetSettings):
    """Training of the shared weights before the first pair, and a budget.

    Parameters
    ----------
    strategy : str
    budget : int
        Pairs of network and accelerator whose cost the search asks for. Pairs that were evaluated
        before are free.
    warmup_epochs : int
        Supernet epochs before the first pair, all architectures alike.
    """

    strategy: str
    budget: int = integer(1000, 2, 100_000_000)
    warmup_epochs: int = integer(18, 0, 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRandomSettings(JointBaselineSettings):
    """Settings of random co-search.

    Parameters
    ----------
    strategy : "random"
    """

    strategy: str = choice("random", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointEvolutionSettings(JointBaselineSettings):
    """Settings of regularized evolution of pairs.

    Parameters
    ----------
    strategy : "evolution"
    population : int
        Pairs that live at once (P).
    sample : int
        Of these, the number from which a parent is taken (S).
    """

    strategy: str = choice("evolution", "evolution")
    population: int = integer(32, 2, 100_000)
    sample: int = integer(8, 1, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointLocalSearchSettings(JointBaselineSettings):
    """Settings of local search of pairs.

    Parameters
    ----------
    strategy : "local-search"
    """

    strategy: str = choice("local-search", "local-search")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTpeSettings(JointBaselineSettings):
    """Settings of the tree-structured Parzen estimator of pairs.

    Parameters
    ----------
    strategy : "tpe"
    startup : int
        Pairs that are drawn before the first is estimated.
    """

    strategy: str = choice("tpe", "tpe")
    startup: int = integer(10, 1, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointNsgaSettings(JointBaselineSettings):
    """Settings of NSGA-II of pairs.

    Parameters
    ----------
    strategy : "nsga-ii"
    population : int
        Pairs of a generation.
    """

    strategy: str = choice("nsga-ii", "nsga-ii")
    population: int = integer(24, 2, 100_000)
