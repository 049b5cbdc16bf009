"""Hard samples of choices whose cost teaches their probabilities: DNA's estimator."""

from typing import Any

import torch
from torch import Tensor

from search.choice_logits import ChoiceLogits, sampled
from search.evaluator import Evaluation
from search.moving_mean import MovingMean
from sim.cost.objective import Objective
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["HardwareLogits", "graded_cost", "network_cost", "temperature"]

_HOTTEST, _FACTOR, _EPOCHS = 5.0, 0.975, 100
_RULE = 0.1


def temperature(progress: float) -> float:
    """Temperature of the Gumbel-softmax at a share of the search: 5 · 0.975^epoch over 100 epochs."""
    return float(_HOTTEST * _FACTOR ** (_EPOCHS * min(1.0, progress)))


def graded_cost(objective: Objective, evaluation: Evaluation, reference: float) -> float:
    """Cost of a sample as the estimator takes it: bounded, and graded where it is not feasible.

    A feasible design with the cost ratio r = cost / reference has r / (1 + r), in (0, 1). Another has 1,
    a tenth for each of up to five broken rules and overrun budgets, and the distance d from keeping them
    as d / (1 + d): below 2.5.
    """
    if objective.feasible(evaluation):
        ratio = float(objective.cost(evaluation)) / reference
        return ratio / (1 + ratio)
    over = float(objective.overrun(evaluation))
    distance = max(0.0, evaluation.excess) + over
    rules = len(evaluation.violations) + (over > 0)
    return 1 + _RULE * min(rules, 5) + distance / (1 + distance)


def network_cost(objective: Objective, evaluation: Evaluation, reference: float) -> float:
    """Cost of a sampled network: :func:`graded_cost`, and its hinge where the objective prices no cost.

    With an exponent of 0, a network gains nothing from being cheaper than its budgets: if it is feasible, it has 0.
    """
    if not objective.cost_exponent and objective.feasible(evaluation):
        return 0.0
    return graded_cost(objective, evaluation, reference)


class HardwareLogits:
    """Logits of every field of the accelerator, taught by the costs of samples.

    Parameters
    ----------
    hardware : HardwareSpace
    rate : float
        Adam's step size.
    generator : torch.Generator
        Of the samples.
    """

    def __init__(self, hardware: HardwareSpace, rate: float, generator: torch.Generator) -> None:
        self._hardware = hardware
        self._choices = ChoiceLogits(hardware.values, rate, generator)
        self._mean = MovingMean()

    def sample(self, progress: float) -> tuple[AcceleratorConfig, Tensor]:
        """Draw an accelerator; return it with its factor (:func:`search.choice_logits.sampled`)."""
        choices, factor = sampled(self._choices.gates(temperature(progress)))
        return self._hardware.config(list(choices.values())), factor

    def learn(self, cost: float, factor: Tensor) -> None:
        """Take a gradient step on the advantage of a sample's cost, times its factor."""
        self._choices.step(self._mean.advantage(cost) * factor)

    @property
    def most_probable(self) -> AcceleratorConfig:
        """Accelerator of the most probable value of each field."""
        return self._hardware.config(list(self._choices.most_probable.values()))

    def state_dict(self) -> dict[str, Any]:
        """All that was learned."""
        return {"choices": self._choices.state_dict(), "mean": self._mean.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._choices.load_state_dict(state["choices"])
        self._mean.mean = state["mean"]
