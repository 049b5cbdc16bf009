"""Settings of the three strategies of NAHAS."""

from dataclasses import dataclass, replace
from typing import Self

from search.sections import choice, integer, number
from search.strategies.settings import RESTARTS, TRAINING, PairBudgetSettings
from sim.cost.objective import Objective

__all__ = [
    "NahasJointSettings",
    "NahasOneshotSettings",
    "NahasPhaseSettings",
    "NahasTrialSettings",
]

_LEAST_LABELS = 10
"""Fewest labels of a learned cost model, of which the tenth is held out."""

_REFERENCES = 2
"""Most pairs that are evaluated for the target, before the first label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NahasTrialSettings(PairBudgetSettings):
    """Trials of a controller, each with a training on a proxy, and how the controller learns.

    Parameters
    ----------
    strategy : str
    trials : int
        Pairs of network and accelerator that the controller draws.
    trials_per_update : int
        Trials from whose rewards the controller learns at a time; their mean is the baseline.
    proxy_epochs : int
        Epochs of a drawn network, which is trained from scratch.
    proxy_share : float
        Part of the training images that drawn networks are trained on.
    proxy_batch : int
        Images in a step of a drawn network. A proxy needs some dozens of steps: before, the statistics
        of batch normalization are those of its start, and all accuracies are those of chance.
    proxy_learning_rate : float
        AdamW's largest step size for a drawn network.
    step_size : float
        Adam's for the controller; that of the paper, 0.0005, is for many more trials.
    clip : float
        Bound on the change of a trial's probability in an update.
    passes : int
        Gradient steps of an update.
    entropy : float
        Weight of the controller's entropy beside the reward.
    """

    strategy: str
    trials: int = integer(200, 1, 1_000_000)
    trials_per_update: int = integer(10, 2, 10_000)
    proxy_epochs: int = integer(5, 1, 10_000)
    proxy_share: float = number(0.5, 0.001, 1.0)
    proxy_batch: int = integer(32, 2, 1000)
    proxy_learning_rate: float = number(0.01, 1e-6, 1.0)
    step_size: float = number(0.005, 1e-6, 1.0)
    clip: float = number(1.0, 0.01, 10.0)
    passes: int = integer(4, 1, 1000)
    entropy: float = number(0.0, 0.0, 10.0)

    def spending(self, budget: int) -> Self:
        """Settings with a budget, and a trial for each of its evaluations."""
        return replace(self, budget=budget, trials=budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class NahasJointSettings(NahasTrialSettings):
    """NAHAS with many trials: network and accelerator of each trial are drawn together.

    Parameters
    ----------
    strategy : "nahas-joint"
    reward : "soft" or "hard"
        Whether cost trades against accuracy everywhere, or only above its target.
    """

    strategy: str = choice("nahas-joint", "nahas-joint")
    reward: str = choice("soft", "soft", "hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class NahasPhaseSettings(NahasTrialSettings):
    """NAHAS in two phases: the accelerator of a network that is given, then a network for it.

    Parameters
    ----------
    strategy : "nahas-phase"
    factor : int
        Trials of both phases together, as a multiple of trials: 1, as many as a joint search
        has, or 2, as many in each phase.
    start : "largest" or "smallest"
        Network of the first phase: the last choice of every decision, or the first.
    """

    strategy: str = choice("nahas-phase", "nahas-phase")
    factor: int = integer(1, 1, 2)
    start: str = choice("largest", "largest", "smallest")

    @property
    def hardware_trials(self) -> int:
        """Trials of the first phase."""
        return -(-self.trials * self.factor // 2)

    @property
    def network_trials(self) -> int:
        """Trials of the second phase."""
        return max(1, self.trials * self.factor // 2)

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """Half of the budget for the first phase, the budget for both."""
        if stage == "hardware" and self.budget:
            return spent - (spent - self.budget) // 2
        return PairBudgetSettings.limit(self, stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class NahasOneshotSettings(PairBudgetSettings):
    """NAHAS with shared weights: a controller learns while the supernet is trained.

    Parameters
    ----------
    strategy : "nahas-oneshot"
    cost_model : "learned" or "exact"
        Whether rewards take cost and area from a network that was trained on labelled pairs, or
        from the exact model.
    labels : int
        Pairs, drawn by chance, whose exact costs train the learned cost model.
    cost_epochs : int
        Epochs of the learned cost model over the labels.
    warmup_epochs : int
        Supernet epochs with networks drawn by chance, in which the controller does not learn.
    epochs : int
        Supernet epochs in which it does.
    cost_weight : float
        Price of the relative distance of cost from its target, in accuracy.
    step_size : float
        Adam's for the controller.
    candidates : int
        Pairs that are drawn from the controller at the end, and judged by the exact model and the
        shared weights, beside the most probable pair.
    """

    strategy: str = choice("nahas-oneshot", "nahas-oneshot")
    cost_model: str = choice("learned", "learned", "exact")
    labels: int = integer(4000, _LEAST_LABELS, 10_000_000)
    cost_epochs: int = integer(60, 1, 100_000)
    warmup_epochs: int = integer(20, 0, 100_000)
    epochs: int = integer(60, 1, 100_000)
    cost_weight: float = number(0.1, 0.0, 100.0)
    step_size: float = number(0.0048, 1e-6, 1.0)
    candidates: int = integer(32, 0, 1_000_000)

    def __post_init__(self) -> None:
        """Check the fields, and that a budget leaves labels beside what is kept for the selection."""
        PairBudgetSettings.__post_init__(self)
        limit = self.limit("labels")
        if (
            limit is not None
            and self.cost_model == "learned"
            and limit < _LEAST_LABELS + _REFERENCES
        ):
            raise ValueError(
                f"budget must be 0 or leave {_LEAST_LABELS} labels for a learned cost_model, "
                f"not {self.budget!r}"
            )

    def require_objective(self, objective: Objective) -> None:
        """Raise ``ValueError`` if a budget is of a cost that neither head of the learned model predicts."""
        unknown = [name for name in objective.other_budgets if name != "area"]
        if unknown and self.cost_model == "learned":
            raise ValueError(
                "cost_model must be 'exact' where a cost other than the objective's has a budget, "
                f"here {unknown[0]}, not 'learned'"
            )

    def spending(self, budget: int) -> Self:
        """Settings with a budget, and with as many labels as it pays at least."""
        return replace(self, budget=budget, labels=max(self.labels, budget))

    def limit(self, stage: str, spent: int = 0) -> int | None:
        """The budget; until the selection less its evaluations, which have half of it at most."""
        if stage in ("selection", RESTARTS, TRAINING) or not self.budget:
            return PairBudgetSettings.limit(self, stage)
        kept = self.candidates + 2  # the most probable pair, and its network on the default
        return self.budget - min(kept, (self.budget - spent) // 2)
