"""Settings of DNA."""

from dataclasses import dataclass

from search.sections import choice, integer, number
from search.strategies.budget_settings import BudgetSettings
from search.strategies.settings import RESTARTS, TRAINING, PairBudgetSettings

__all__ = ["REFINEMENT", "DnaHardwareSettings", "DnaSettings"]

REFINEMENT = "refinement"
"""Stage in which the accelerator of the final network is searched."""

_REFINEMENT_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DnaSettings(PairBudgetSettings):
    """Lengths of the stages of DNA, and its rates.

    Parameters
    ----------
    strategy : "dna"
    budget : int
        Pairs of network and accelerator whose cost the search may ask for; 0 for as many as it asks
        for. A quarter of it is kept for the refinement.
    latency_weight : float
        Weight of the cost of a drawn network beside its cross entropy.
    warmup_epochs : int
        Supernet epochs before the first round, all architectures alike.
    rounds : int
        Supernet epochs in which network and accelerator are searched.
    samples : int
        Accelerators that are drawn in a round, where there is no budget to share among the rounds.
    refine_rounds : int
        Rounds in which the accelerator of the final network alone is searched.
    network_rate : float
        Step size of the logits of the network.
    hardware_rate : float
        Step size of the logits of the accelerator.
    """

    strategy: str = choice("dna", "dna")
    latency_weight: float = number(0.1, 0.0, 100.0)
    warmup_epochs: int = integer(8, 0, 10_000)
    rounds: int = integer(10, 1, 10_000)
    samples: int = integer(64, 1, 100_000)
    refine_rounds: int = integer(4, 1, 10_000)
    network_rate: float = number(0.05, 1e-7, 10.0)
    hardware_rate: float = number(0.03, 1e-7, 10.0)

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """Three quarters of the budget before the refinement, and all of it at its end."""
        if stage == TRAINING or not self.budget:
            return None
        kept = int(_REFINEMENT_SHARE * (self.budget - spent))
        return self.budget - (0 if stage in (REFINEMENT, RESTARTS) else kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnaHardwareSettings(BudgetSettings):
    """Settings of DNA's search of the accelerator for a network that is given.

    Parameters
    ----------
    strategy : "dna"
    epochs : int
        Epochs in which the temperature falls.
    hardware_rate : float
        Step size of the logits of the accelerator.
    """

    strategy: str = choice("dna", "dna")
    epochs: int = integer(100, 1, 10_000)
    hardware_rate: float = number(0.03, 1e-7, 10.0)
