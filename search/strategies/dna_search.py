"""DNA's search of the accelerator for a network that is given."""

from collections.abc import Mapping
from typing import Any

import torch

from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.dna_sampling import HardwareLogits, graded_cost
from search.strategies.dna_settings import DnaHardwareSettings
from search.strategies.protocol import HardwareProblem, StageEnd

__all__ = ["DnaSearch"]

_SAMPLES = 10
"""Samples of an epoch where there is no budget."""

_LONGEST = 4
"""Times the epochs of the temperature after which a search ends that asks for nothing new."""


class DnaSearch(AcceleratorSearch):
    """Gumbel-softmax over every field of the accelerator (Zhang et al., DNA, 2020).

    Each sample is hard, its cost the exact model's; the step on its advantage follows at once. The
    temperature falls over ``epochs``, among which the budget is shared; the samples that are known by then
    are free, so the search goes on at the last temperature until the budget is spent.

    Parameters
    ----------
    problem : HardwareProblem
    settings : DnaHardwareSettings
    """

    def __init__(self, problem: HardwareProblem, settings: DnaHardwareSettings) -> None:
        super().__init__(problem)
        self._settings = settings
        budget = settings.search_budget
        self._samples = _SAMPLES if budget is None else -(-budget // settings.epochs)
        self._generator = torch.Generator().manual_seed(problem.seed)
        self._logits = HardwareLogits(self.hardware, settings.hardware_rate, self._generator)
        self._epochs_done = 0

    @property
    def stages(self) -> Mapping[str, int]:
        """Epochs; the budget ends them."""
        return {"dna": self._settings.epochs * (_LONGEST if self._settings.budget else 1)}

    def step(self, stage: str) -> None:
        """Draw some accelerators and learn from each."""
        if len(self.hardware) == 1:
            raise StageEnd
        reference = float(self.problem.objective.cost(self.default))
        for _ in range(self._samples):
            config, factor = self._logits.sample(self._epochs_done / self._settings.epochs)
            (row,) = self.evaluate([config], stage)
            self._logits.learn(graded_cost(self.problem.objective, row, reference), factor)
        self.evaluate([self._logits.most_probable], stage)
        self._epochs_done += 1

    def state_dict(self) -> dict[str, Any]:
        """Logits, the draws, and where the temperature is."""
        return {
            "logits": self._logits.state_dict(),
            "generator": self._generator.get_state(),
            "epochs_done": self._epochs_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._logits.load_state_dict(state["logits"])
        self._generator.set_state(state["generator"])
        self._epochs_done = state["epochs_done"]
