"""Settings that every search strategy has."""

from dataclasses import dataclass, field, replace
from typing import Self

from search.sections import Section, integer, truth
from sim.cost.objective import METRICS, Metric, Objective
from sim.spec.rules import Choice

__all__ = ["RESTARTS", "TRAINING", "CoSearchSettings", "PairBudgetSettings", "StrategySettings"]

RESTARTS = "restarts"
"""Stage of the searches that follow the first of a co-search, where it ends before its budget is spent."""

TRAINING = "training"
"""Last stage of a co-search, in which the final network is trained; it evaluates nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoSearchSettings(Section):
    """A section ``[search]``; a strategy adds its fields, and its name as the default of the first.

    Parameters
    ----------
    strategy : str
        How network and accelerator are searched.
    """

    strategy: str

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """Evaluations that may have been spent at the end of a stage; None for any number.

        Parameters
        ----------
        stage : str
        spent : int
            Evaluations that had been spent before the search began: a stage has its share of those that were left.
        """
        return None

    def require_objective(self, objective: Objective) -> None:
        """Raise ``ValueError`` if the strategy cannot search by an objective: a line that names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBudgetSettings(CoSearchSettings):
    """A co-search that ends after a number of evaluations.

    Parameters
    ----------
    strategy : str
    budget : int
        Pairs of network and accelerator whose cost the search may ask for; 0 for as many as it
        asks for. Pairs that were evaluated before are free.
    restarts : bool
        Whether a search that ends before its budget is spent is followed by others with other seeds,
        until at most a twentieth is left.
    """

    strategy: str
    budget: int = integer(0, 0, 100_000_000)
    restarts: bool = truth(False)

    def __post_init__(self) -> None:
        """Check the fields, and that restarts have a budget to spend."""
        Section.__post_init__(self)
        if self.restarts and not self.budget:
            raise ValueError("restarts must be false where budget is 0, not True")

    def spending(self, budget: int) -> Self:
        """Settings with a budget, and with enough steps to spend it where those are a setting."""
        return replace(self, budget=budget)

    def restarted(self, left: int) -> Self:
        """Settings of a search that follows, with so many evaluations left of the same budget."""
        return self

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """The budget, until the final network is trained."""
        return None if stage == TRAINING else self.budget or None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings(CoSearchSettings):
    """Settings of a search for a network that is given, which has no experiment with an objective.

    Parameters
    ----------
    strategy : str
    metric : "latency", "energy", "area" or "edp"
    """

    strategy: str
    metric: Metric = field(default="latency", metadata={"rule": Choice(tuple(METRICS))})
