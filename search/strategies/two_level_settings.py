"""Settings of the two-level co-exploration."""

from dataclasses import dataclass

from search.sections import choice, integer, number
from search.strategies.settings import PairBudgetSettings

__all__ = ["REFINEMENT", "TwoLevelSettings"]

REFINEMENT = "refinement"
"""Last stage before the training: the accelerator of the final network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoLevelSettings(PairBudgetSettings):
    """Fast level without training, slow level with it, and how the controller learns.

    Parameters
    ----------
    strategy : "two-level"
    episodes : int
        Times that both levels are gone through.
    candidates : int
        Most networks that the controller draws in an episode.
    survivors : int
        Networks within the specification that end the fast level; these are trained.
    hardware_samples : int
        Accelerators that are tried for a candidate, and again for a survivor.
    child_epochs : int
        Epochs of a survivor, which is trained from scratch.
    child_share : float
        Part of the training images that survivors are trained on.
    units : int
        Units of the recurrent controller.
    step_size : float
        RMSProp's for the controller, at the start.
    halving : int
        Episodes after which the step size is half of what it was.
    refine_samples : int
        Accelerators that are tried for the final network; they keep a quarter of the budget at most.
    """

    strategy: str = choice("two-level", "two-level")
    episodes: int = integer(80, 1, 1_000_000)
    candidates: int = integer(5, 1, 10_000)
    survivors: int = integer(1, 1, 10_000)
    hardware_samples: int = integer(10, 1, 100_000)
    child_epochs: int = integer(5, 1, 10_000)
    child_share: float = number(0.5, 0.001, 1.0)
    units: int = integer(35, 1, 10_000)
    step_size: float = number(0.002, 1e-6, 1.0)
    halving: int = integer(50, 1, 1_000_000)
    refine_samples: int = integer(100, 1, 1_000_000)

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """The budget; for the episodes, less what the refinement keeps."""
        if stage != "episodes" or not self.budget:
            return PairBudgetSettings.limit(self, stage)
        return self.budget - min(self.refine_samples, (self.budget - spent) // 4)
