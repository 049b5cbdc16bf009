"""Settings of the agent's search of the accelerator alone."""

from dataclasses import dataclass

from search.sections import choice, integer, truth
from search.strategies.budget_settings import BudgetSettings

__all__ = ["HardwareSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSettings(BudgetSettings):
    """Updates of the agent that searches the accelerator for a network that is given.

    Parameters
    ----------
    strategy : "hardware"
    updates : int
        Updates of the agent; as many as a co-search spends on its final network.
    designs_per_update : int
        Accelerators that the agent proposes in an update.
    """

    strategy: str = choice("hardware", "hardware")
    updates: int = integer(40, 1, 10_000)
    designs_per_update: int = integer(128, 4, 100_000)
    budget: int = integer(0, 0, 100_000_000)
    polish: bool = truth(True)
