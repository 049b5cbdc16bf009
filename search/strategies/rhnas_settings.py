"""Settings of RHNAS."""

from dataclasses import dataclass

from search.sections import choice, integer, number, truth
from search.strategies.settings import PairBudgetSettings

__all__ = ["RhnasSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RhnasSettings(PairBudgetSettings):
    """Lengths of the stages of RHNAS, and the price of cost.

    Parameters
    ----------
    strategy : "rhnas"
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
