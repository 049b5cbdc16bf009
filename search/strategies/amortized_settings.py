"""Settings of the amortized agent's answer."""

from dataclasses import dataclass

from search.sections import choice, integer, optional
from search.strategies.budget_settings import BudgetSettings
from sim.spec.rules import PathText

__all__ = ["AmortizedSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmortizedSettings(BudgetSettings):
    """The agent that answers, and the number of its designs.

    Parameters
    ----------
    strategy : "amortized"
    agent : str
        File ``agent.npz`` of a search by ``rhnas`` for the same space and objective; must be given.
    budget : int
        Evaluations, the default's and a polish's included.
    """

    strategy: str = choice("amortized", "amortized")
    agent: str | None = optional(PathText())
    budget: int = integer(20, 2, 100_000)
