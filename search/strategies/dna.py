"""DNA: network and accelerator by gradient, the accelerator's from hard samples and exact costs."""

from collections.abc import Mapping
from typing import Any

from search.choice_logits import ChoiceLogits, sampled
from search.evaluator import Evaluation
from search.moving_mean import MovingMean
from search.strategies.co_search import CoSearch
from search.strategies.dna_sampling import (
    HardwareLogits,
    graded_cost,
    network_cost,
    temperature,
)
from search.strategies.dna_settings import REFINEMENT, DnaSettings
from search.strategies.protocol import CoSearchProblem

__all__ = ["Dna"]

_LOGIT_BATCH = 64
_LONGEST = 4
"""Times the rounds of the refinement after which it ends though it has budget left."""


class Dna(CoSearch):
    """Differentiable co-search (Zhang et al., DNA, 2020), advanced round by round.

    A round: accelerators are drawn for the most probable network, and teach the logits of the fields.
    Then, batch by batch, a drawn network's weights take a step on training images, and the logits
    of the network take a step on validation images and the cost of the sampled network on the best
    accelerator that is known for the most probable network. At the end, the accelerator of the best
    network that is known is searched alone.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : DnaSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: DnaSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self.choices = ChoiceLogits(self.networks.decisions, settings.network_rate, self.generator)
        self._mean = MovingMean()
        self.fields = HardwareLogits(self.hardware, settings.hardware_rate, self.generator)
        self.rounds_done = 0

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Epochs and rounds of each stage before the training, in order."""
        longest = _LONGEST if self.settings.budget else 1
        return {
            "warm-up": self.settings.warmup_epochs,
            "co-search": self.settings.rounds,
            REFINEMENT: self.settings.refine_rounds * longest,
        }

    def search_step(self, stage: str) -> None:
        """One epoch of warm-up, or one round."""
        if stage == "warm-up":
            self.weights.epoch(self._drawn_architecture)
            return
        architecture = self.refined if stage == REFINEMENT else self.most_probable
        share = self.weights.accuracy(architecture)
        self._draw_accelerators(architecture, share, self._samples(stage), stage)
        if stage == "co-search":
            best = self._best_hardware(architecture, share, stage)
            for i, part in enumerate(self.weights.batches()):
                self.weights.step(part, self._drawn_architecture)
                self._logit_step(best, priced=i % self._stride == 0)
        self.rounds_done += 1

    @property
    def most_probable(self) -> Any:
        """Network of the most probable choices."""
        return self.networks.architecture(self.choices.most_probable)

    @property
    def _progress(self) -> float:
        return self.rounds_done / (self.settings.rounds + self.settings.refine_rounds)

    def _samples(self, stage: str) -> int:
        """Accelerators to draw in a round: the share of the budget that the network's steps leave."""
        limit = self._share(stage)
        if limit is None:
            return self.settings.samples
        if stage == REFINEMENT:
            before = self._share("co-search") or 0
            return -(-(limit - before) // self.settings.refine_rounds)
        return max(1, -(-limit // self.settings.rounds) - -(-self._steps // self._stride))

    def _share(self, stage: str) -> int | None:
        """Evaluations of this search up to the end of a stage."""
        limit = self.settings.limit(stage, self.problem.spent)
        return None if limit is None else limit - self.problem.spent

    @property
    def _steps(self) -> int:
        return self.weights.steps

    @property
    def _stride(self) -> int:
        """Steps of the network's logits of which the first asks for a cost.

        Otherwise a large set of images would spend the budget in the first rounds: half of a round's share
        is left for its accelerators.
        """
        limit = self._share("co-search")
        if limit is None:
            return 1
        most = max(1, limit // (2 * self.settings.rounds))
        return max(1, -(-self._steps // most))

    def _draw_accelerators(self, architecture: Any, share: float, samples: int, stage: str) -> None:
        self.judge(architecture, [self.hardware.default], stage, share)
        for _ in range(samples if len(self.hardware) > 1 else 0):
            config, factor = self.fields.sample(self._progress)
            self.judge(architecture, [config], stage, share)
            (row,) = self.evaluate(architecture, [config], stage)
            self.fields.learn(graded_cost(self.objective, row, self.target), factor)
        self.judge(architecture, [self.fields.most_probable], stage, share)

    def _best_hardware(self, architecture: Any, share: float, stage: str) -> Evaluation:
        (default,) = self.evaluate(architecture, [self.hardware.default], stage, share)
        return self.nearest_accelerator(architecture) or default

    def _logit_step(self, hardware: Evaluation, *, priced: bool) -> None:
        """Step on a validation batch and, where ``priced``, on a cost that stands for the whole stride."""
        part = self.weights.validation_batch(_LOGIT_BATCH)
        gates = self.choices.gates(temperature(self._progress))
        choices, factor = sampled(gates)
        drawn = self.networks.architecture(choices)
        loss = self.weights.loss(part, gates)
        if priced:
            (row,) = self.evaluate(drawn, [hardware.accelerator], "network")
            advantage = self._mean.advantage(network_cost(self.objective, row, self.target))
            loss = loss + self._stride * self.settings.latency_weight * advantage * factor
        self.choices.step(loss)

    def _drawn_architecture(self) -> Any:
        return self.networks.architecture(self.choices.draw())

    def search_state(self) -> dict[str, Any]:
        """Logits of both, and where the rounds are."""
        return {
            "choices": self.choices.state_dict(),
            "mean": self._mean.mean,
            "fields": self.fields.state_dict(),
            "rounds_done": self.rounds_done,
        }

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self.choices.load_state_dict(state["choices"])
        self._mean.mean = state["mean"]
        self.fields.load_state_dict(state["fields"])
        self.rounds_done = state["rounds_done"]
