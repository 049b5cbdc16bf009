"""Settings of RHNAS."""

from dataclasses import dataclass, replace
from typing import Self

from search.sections import choice, integer, number, truth
from search.strategies.settings import TRAINING, PairBudgetSettings

__all__ = ["RhnasSettings"]

_SHARES = {"warm-up": 0.2, "pretraining": 0.2, "co-search": 0.7}
"""Parts of the budget that may have been spent at the end of a stage; all of it behind them."""

_UPDATES = 64
"""Agent updates that a budget is to suffice for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RhnasSettings(PairBudgetSettings):
    """Lengths of the stages of RHNAS, and the price of cost.

    Parameters
    ----------
    strategy : "rhnas"
    budget : int
        Pairs of network and accelerator whose cost the search may ask for; 0 for as many as it asks
        for. A fifth of it is for the pretraining at most, and half for the rounds.
    latency_weight : float
        Cross entropy that doubling the objective's cost is worth to the architecture.
    warmup_epochs : int
        Supernet epochs before the first round, all architectures alike.
    pretraining_updates : int
        Agent updates on drawn architectures before the first round.
    networks_per_update : int
        Architectures that share the designs of an update before and during the rounds.
    rounds : int
        Alternations of agent and architecture.
    epochs_per_round : int
        Supernet epochs in a round.
    updates_per_round : int
        Agent updates in a round.
    refine_updates : int
        Agent updates on the final network alone.
    designs_per_update : int
        Accelerators that the agent proposes in an update.
    polish : bool
        Whether a local descent from the best accelerator follows the refinement.
    """

    strategy: str = choice("rhnas", "rhnas")
    latency_weight: float = number(0.02, 0.0, 100.0)
    warmup_epochs: int = integer(8, 0, 10_000)
    pretraining_updates: int = integer(20, 0, 100_000)
    networks_per_update: int = integer(8, 1, 1000)
    rounds: int = integer(10, 1, 10_000)
    epochs_per_round: int = integer(1, 1, 10_000)
    updates_per_round: int = integer(2, 1, 10_000)
    refine_updates: int = integer(20, 1, 10_000)
    designs_per_update: int = integer(128, 4, 100_000)
    polish: bool = truth(True)

    def spending(self, budget: int) -> Self:
        """Settings with a budget, whose updates have so few designs that it lasts for all stages."""
        return replace(self, budget=budget, designs_per_update=self._designs(budget))

    def restarted(self, left: int) -> Self:
        """Settings whose updates have so few designs that what is left lasts for all stages."""
        return replace(self, designs_per_update=self._designs(left))

    def _designs(self, budget: int) -> int:
        return min(self.designs_per_update, max(4, budget // _UPDATES))

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """Share of the budget up to the stage; the budget for what follows the rounds."""
        if stage == TRAINING or not self.budget:
            return None
        return spent + int(_SHARES.get(stage, 1.0) * (self.budget - spent))
