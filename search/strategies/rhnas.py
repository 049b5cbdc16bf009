"""RHNAS: an RL hardware agent and differentiable architecture search take turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from search.agent import Args
from search.amortized_agent import AGENT_FILE, AmortizedAgent, FeatureScale
from search.architecture import Architecture
from search.choice_logits import ChoiceLogits
from search.evaluator import Evaluation
from search.neighbourhood import descend
from search.result import Outcome
from search.strategies.co_search import CoSearch
from search.strategies.protocol import CoSearchProblem
from search.strategies.rhnas_settings import RhnasSettings
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Rhnas"]

_ARCHITECTURE_STEP = 0.05
_LOGIT_BATCH = 64
_SCALE_NETWORKS = 32
"""Architectures that are drawn to scale the agent's features."""


def _cost_of(column: str, row: Evaluation) -> float:
    return float(row[column])


class _Expected(NamedTuple):
    """A cost of a network on an accelerator, and what each other choice of each decision would add to it."""

    base: float
    limit: float | None
    added: Mapping[str, Tensor]

    def ratio(self, logits: Mapping[str, Tensor]) -> Tensor:
        """Expected cost of the networks that logits make probable, to first order, as a multiple of the base.

        A sum of single changes may fall below 0.
        """
        added = [torch.softmax(logits[name], 0) @ each for name, each in self.added.items()]
        return 1 + torch.stack(added).sum() / self.base


class Rhnas(CoSearch):
    """Co-search (Akhauri et al., RHNAS, 2021), advanced step by step.

    First the agent learns on architectures that are drawn alike. A round: it learns on the most
    probable and on drawn architectures; the best
    hardware known for the former gives every choice a cost; the supernet's weights and
    the architecture's logits then take gradient steps, weights on training images, logits on
    validation images and the expected cost. At the end the agent learns on the best known
    architecture alone, its best hardware is polished, and the network is trained on.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : RhnasSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: RhnasSettings) -> None:
        super().__init__(problem)
        self.settings = settings
        self.choices = ChoiceLogits(self.networks.decisions, _ARCHITECTURE_STEP, self.generator)
        updates = settings.rounds * settings.updates_per_round + settings.refine_updates
        self.agent = AmortizedAgent(
            self.hardware,
            self.objective,
            self._feature_scale(),
            Args(
                batch=settings.designs_per_update,
                total_updates=settings.pretraining_updates + updates,
            ),
            seed=problem.seed,
        )
        self.rounds_done = 0

    @property
    def search_stages(self) -> Mapping[str, int]:
        """Steps of each stage before the training, in order."""
        return {
            "warm-up": self.settings.warmup_epochs,
            "pretraining": self.settings.pretraining_updates,
            "co-search": self.settings.rounds,
            "refinement": self.settings.refine_updates,
            **({"polish": 1} if self.settings.polish else {}),
        }

    def search_step(self, stage: str) -> None:
        """One epoch of warm-up, one round, one update, or the whole polish."""
        if stage == "warm-up":
            self.weights.epoch(self._drawn_architecture)  # under the initial, uniform distribution
            return
        _ = self.target  # what it takes to know it is spent before the budget is
        if stage == "pretraining":
            drawn = [self._drawn_architecture() for _ in range(self.settings.networks_per_update)]
            self.agent_update(drawn, phase=stage, accuracies=[None] * len(drawn))
        elif stage == "co-search":
            self.round()
        elif stage == "refinement":
            self.refine(self.refined)
        else:
            self.polish(self.refined)

    @property
    def most_probable(self) -> Architecture:
        """Architecture of the most probable choices."""
        chosen: Architecture = self.networks.architecture(self.choices.most_probable)
        return chosen

    def round(self) -> None:
        """One turn of the agent and of the architecture."""
        architecture = self.most_probable
        share = self.weights.accuracy(architecture)
        for _ in range(self.settings.updates_per_round):
            others = max(1, self.settings.networks_per_update // 2)
            drawn = [self._drawn_architecture() for _ in range(others)]
            accuracies = [share] * others + [None] * others
            self.agent_update([architecture] * others + drawn, phase="agent", accuracies=accuracies)
        best = self.best_hardware(architecture, share)
        expected = self._choice_costs(architecture, best.accelerator)
        progress = self.rounds_done / self.settings.rounds
        temperature = 2.0 * (1 - progress) + 0.3 * progress
        for _ in range(self.settings.epochs_per_round):
            for part in self.weights.batches():
                self.weights.step(part, self._drawn_architecture)
                self._logit_step(temperature, expected)
        self.rounds_done += 1

    def refine(self, architecture: Architecture) -> None:
        """One agent update on the final network alone."""
        share = self.weights.accuracy(architecture)
        self.agent_update([architecture], phase="refine", accuracies=[share])
        self.best_hardware(architecture, share)

    def polish(self, architecture: Architecture) -> None:
        """Change one field of the best design at a time until no change makes it better."""
        share = self.weights.accuracy(architecture)
        descend(
            self.hardware,
            self.objective,
            self.best_hardware(architecture, share),
            lambda configs: self.evaluate(architecture, configs, "polish", share),
        )

    def agent_update(
        self,
        architectures: Sequence[Architecture],
        *,
        phase: str,
        accuracies: Sequence[float | None],
    ) -> float:
        """One PPO update, its batch shared by the architectures; return the mean reward."""

        def evaluate(i: int, configs: Sequence[AcceleratorConfig]) -> list[Evaluation]:
            return self.evaluate(architectures[i], configs, phase, accuracies[i])

        return self.agent.learn([self.network(chosen) for chosen in architectures], evaluate)

    def best_hardware(self, architecture: Architecture, share: float | None = None) -> Evaluation:
        """Best feasible design that was evaluated for the architecture, the nearest to the budgets if none.

        The agent's most probable proposal is evaluated first.
        """
        guess = self.agent.best_guess(self.network(architecture))
        default, _ = self.evaluate(architecture, [self.hardware.default, guess], "greedy", share)
        return self.nearest_accelerator(architecture) or default

    def _choice_costs(
        self, architecture: Architecture, config: AcceleratorConfig
    ) -> "list[_Expected]":
        """Objective's cost of the architecture and each cost with a budget, with what every other choice would add.

        Exact for all networks that differ in a single decision; a choice that is not realizable on
        the accelerator counts as doubling the cost. Empty if the architecture itself is not. The area is the
        accelerator's alone.
        """
        chosen = self.networks.choices(architecture)
        base = self.evaluate(architecture, [config], "choices", None)[0]
        if not base.realizable:
            return []
        rows = {
            name: [
                self.evaluate(
                    self.networks.architecture(chosen | {name: index}), [config], "choices", None
                )[0]
                for index in range(len(values))
            ]
            for name, values in self.networks.decisions.items()
        }

        def expected(cost: Callable[[Evaluation], float], limit: float | None) -> _Expected:
            here = cost(base)
            added = {
                name: torch.tensor([cost(row) - here if row.realizable else here for row in others])
                for name, others in rows.items()
            }
            return _Expected(here or 1.0, limit, added)

        budgets = {name: limit for name, limit in self.objective.budgets.items() if name != "area"}
        priced = [expected(lambda row: float(self.objective.cost(row)), None)]
        return priced + [
            expected(partial(_cost_of, name), limit) for name, limit in budgets.items()
        ]

    def _logit_step(self, temperature: float, expected: "list[_Expected]") -> None:
        """Step on a validation batch, on the price of the expected cost, and on what is above the budgets.

        The score loses the logarithm of cost / budget where that is positive, whatever a cost below is worth; with an
        exponent of 0 that is nothing.
        """
        part = self.weights.validation_batch(_LOGIT_BATCH)
        gates = self.choices.gates(temperature)
        loss = self.weights.loss(part, gates)
        for cost in expected:
            ratio = cost.ratio(self.choices.tensors)
            if cost.limit is not None:
                above = torch.clamp(ratio * cost.base / cost.limit, min=1.0)
                loss = loss + torch.log(above)
            elif self.objective.cost_exponent:
                loss = loss + self.settings.latency_weight * ratio
        self.choices.step(loss)

    def _drawn_architecture(self) -> Architecture:
        drawn: Architecture = self.networks.architecture(self.choices.draw())
        return drawn

    def _feature_scale(self) -> FeatureScale:
        """Scale of some architectures, each choice of each decision as probable as any other."""
        generator = torch.Generator().manual_seed(self.problem.seed)
        drawn = []
        for _ in range(_SCALE_NETWORKS):
            choices = {
                name: int(torch.randint(len(values), (), generator=generator))
                for name, values in self.networks.decisions.items()
            }
            drawn.append(self.network(self.networks.architecture(choices)))
        return FeatureScale.of(drawn)

    def outcome(self) -> Outcome:
        """Quantize the trained network and choose its hardware; the agent is left for others."""
        return replace(super().outcome(), files={AGENT_FILE: self.agent.to_bytes()})

    def search_state(self) -> dict[str, Any]:
        """Logits, agent, and where the rounds are."""
        return {
            "choices": self.choices.state_dict(),
            "agent": self.agent.state_dict(),
            "rounds_done": self.rounds_done,
        }

    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""
        self.choices.load_state_dict(state["choices"])
        self.agent.load_state_dict(state["agent"])
        self.rounds_done = state["rounds_done"]
