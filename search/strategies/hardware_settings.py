"""Settings of the agent's search of the accelerator alone."""

from dataclasses import dataclass

from search.sections import choice, integer
from search.strategies.settings import StrategySettings

__all__ = ["HardwareSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSettings(StrategySettings):
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
