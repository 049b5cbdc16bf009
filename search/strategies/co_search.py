"""The base of co-searches: costs of pairs, their score, and the network that is trained at the end."""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from search.architecture import Architecture
from search.children import Child, build_from_layers
from search.evaluator import Evaluation
from search.export import shape_network
from search.finalist import FINAL, Finalist
from search.known_training import KnownTraining
from search.proxy_training import ProxyTraining
from search.result import Outcome
from search.score import Score
from search.shared_training import SharedTraining
from search.strategies.protocol import CoSearchProblem
from search.strategies.settings import TRAINING
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import NotRealizableError
from sim.spec.network import Network

__all__ = ["CoSearch"]

_FINALISTS = 16
"""Architectures whose accuracy is measured again at the end."""


class CoSearch(ABC):
    """A search of network and accelerator, whose last stage trains the network that it chose.

    A strategy states its own stages, advances them, and names the final architecture.

    Parameters
    ----------
    problem : CoSearchProblem

    Attributes
    ----------
    generator : torch.Generator
        Of everything that the strategy draws.
    known : KnownNetworks or None
        The problem's networks, where their accuracies are known.
    measured : dict of str to (float, dict of str to int)
        Last accuracy, and choices, of every architecture that was evaluated with an accuracy or looked up, by key.
    children_images : int
        Images that children beside the shared weights and the final network were trained on.
    """

    def __init__(self, problem: CoSearchProblem) -> None:
        self.problem = problem
        self.objective = problem.objective
        self.hardware, self.networks = problem.hardware, problem.networks
        self.evaluator, self.known = problem.evaluator, problem.known
        self.generator = torch.Generator().manual_seed(problem.seed)
        self.children_images = 0
        self.measured: dict[str, tuple[float, dict[str, int]]] = {}
        self._proxy: ProxyTraining | None = None
        self._refined: dict[str, int] | None = None
        self._finalist: Finalist | None = None
        self._final_choices: dict[str, int] = {}

    @property
    @abstractmethod
    def search_stages(self) -> Mapping[str, int]:
        """Steps of each stage before the final training, in order."""

    @abstractmethod
    def search_step(self, stage: str) -> None:
        """Advance a stage of the search by a step."""

    @property
    @abstractmethod
    def most_probable(self) -> Any:
        """Architecture that the strategy has learned to prefer."""

    @abstractmethod
    def search_state(self) -> dict[str, Any]:
        """Return what the strategy itself has learned."""

    @abstractmethod
    def load_search_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`search_state` returned."""

    @property
    def architecture(self) -> Any:
        """Architecture that the search has chosen so far: of the best pair, the most probable if none is known."""
        best = self.best_known()
        return self.most_probable if best is None else best

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage, in order; where accuracies are known, no network is trained in the end."""
        if self.known is not None:
            return self.search_stages
        return {**self.search_stages, TRAINING: self.problem.train.epochs}

    def step(self, stage: str) -> None:
        """Advance the search, or train the final network for an epoch.

        Raises
        ------
        NotRealizableError
            If the final network has no feasible accelerator; it is then not trained.
        """
        if stage != TRAINING:
            self.search_step(stage)
            return
        if self._finalist is None:
            architecture = self.architecture
            self._require_accelerator(architecture)
            self._final_choices = self.networks.choices(architecture)
            self._finalist = self._made_finalist()
        self._finalist.epoch()

    def outcome(self) -> Outcome:
        """Quantize the trained network and choose its hardware."""
        if self._finalist is None:
            raise RuntimeError("a search must be advanced to its end before it has an outcome")
        outcome = self._finalist.outcome()
        trained = outcome.trained_images + self.children_images
        if self._shares_weights:
            trained += self.weights.trained_images
        return replace(outcome, trained_images=trained)

    @cached_property
    def known_training(self) -> KnownTraining | None:
        """Look-ups of accuracies, in the place of every training; None where networks are trained."""
        if self.known is None:
            return None
        return KnownTraining(self.known, self.evaluator, self.problem.known_steps, self.measured)

    @cached_property
    def weights(self) -> SharedTraining | KnownTraining:
        """Shared weights of all architectures, made when a strategy first asks for them."""
        if self.known_training is not None:
            return self.known_training
        networks, task = self.problem.trained
        return SharedTraining(
            networks,
            task,
            batch=self.problem.train.batch,
            generator=self.generator,
            seed=self.problem.seed,
        )

    def made_proxy(
        self, *, epochs: int, batch: int, share: float, learning_rate: float
    ) -> ProxyTraining | KnownTraining:
        """Trainings of single networks for a few epochs; look-ups where accuracies are known."""
        if self.known_training is not None:
            return self.known_training
        networks, task = self.problem.trained
        self._proxy = ProxyTraining(
            networks,
            task,
            epochs=epochs,
            batch=batch,
            share=share,
            learning_rate=learning_rate,
            seed=self.problem.trains_by,
        )
        return self._proxy

    @property
    def _shares_weights(self) -> bool:
        """Whether the strategy has asked for shared weights."""
        return "weights" in self.__dict__

    @cached_property
    def score(self) -> Score:
        """Score of pairs, with the soft exponents; its target is :attr:`target`."""
        return Score(self.objective, self.target)

    @cached_property
    def target(self) -> float:
        """The objective's budget of its metric; where there is none, the reference's cost.

        The reference is the largest architecture on the space's default accelerator, or the
        smallest where that does not run the largest.

        Raises
        ------
        NotRealizableError
            If the default runs neither of them.
        """
        limits = {
            "latency": self.objective.cycles_budget,
            "energy": self.objective.energy_budget,
            "area": self.objective.area_budget,
        }
        limit = limits.get(self.objective.metric, math.inf)
        if limit < math.inf:
            return limit
        for end in (-1, 0):
            choices = {
                name: range(len(values))[end] for name, values in self.networks.decisions.items()
            }
            (row,) = self.evaluate(
                self.networks.architecture(choices), [self.hardware.default], "reference"
            )
            if row.realizable:
                return float(self.objective.cost(row))
        raise NotRealizableError(
            f"default accelerator of space {self.hardware.name!r} must run the largest or the "
            f"smallest network of the space, but breaks {', '.join(row.violations)}"
        )

    def network(self, architecture: Architecture) -> Network:
        """Shapes of the architecture for the cost model."""
        if self.known is not None:
            return self.known.network(architecture)
        return shape_network(self.problem.trained[0].layers(architecture), name=architecture.key)

    def evaluate(
        self,
        architecture: Any,
        configs: Sequence[AcceleratorConfig],
        phase: str,
        accuracy: float | None = None,
    ) -> list[Evaluation]:
        """Evaluate pairs of an architecture and each accelerator; remember its accuracy if that is known."""
        network = self.network(architecture)
        if accuracy is not None:
            self.measured[architecture.key] = accuracy, self.networks.choices(architecture)
        return self.evaluator.evaluate(configs, network, phase=phase, accuracy=accuracy)

    def judge(
        self, architecture: Any, configs: Sequence[AcceleratorConfig], phase: str, accuracy: float
    ) -> list[float]:
        """Score pairs of an architecture and each accelerator."""
        rows = self.evaluate(architecture, configs, phase, accuracy)
        return [self.score(accuracy, row) for row in rows]

    def best_known(self) -> Any:
        """Architecture of the best feasible pair by the score; None if there is no such pair.

        Pairs are those that were evaluated, of architectures whose accuracy was measured. Accuracies with shared weights
        are of earlier epochs, which trained less: those of the best few are measured again with the weights as they are.
        """
        best: dict[str, Evaluation] = {}
        for row in filter(self.objective.feasible, self.evaluator.records):
            known = best.get(row.network)
            if row.network in self.measured and (
                known is None or self.objective.rank(row) < self.objective.rank(known)
            ):
                best[row.network] = row
        accuracies = {key: self.measured[key][0] for key in best}

        def score(row: Evaluation) -> float:
            return self.score(accuracies[row.network], row)

        finalists = heapq.nlargest(_FINALISTS, best.values(), key=score)
        members = {
            row.network: self.networks.architecture(self.measured[row.network][1])
            for row in finalists
        }
        if self._shares_weights:
            accuracies = {key: self.weights.accuracy(member) for key, member in members.items()}
        return members[max(finalists, key=score).network] if finalists else None

    @property
    def refined(self) -> Any:
        """Architecture whose accelerator the last stages search: what was chosen when they began."""
        if self._refined is None:
            self._refined = self.networks.choices(self.architecture)
        return self.networks.architecture(self._refined)

    def best_accelerator(self, architecture: Any) -> Evaluation | None:
        """Best feasible accelerator of all that were evaluated for the architecture."""
        rows = (row for row in self.evaluator.records if row.network == architecture.key)
        return min(filter(self.objective.feasible, rows), key=self.objective.rank, default=None)

    def nearest_accelerator(self, architecture: Any) -> Evaluation | None:
        """Best feasible accelerator of all that were evaluated for the architecture; else the one least above the budgets."""
        rows = (row for row in self.evaluator.records if row.network == architecture.key)
        return min(
            (row for row in rows if row.realizable),  # feasible rows are above no budget
            key=lambda row: (self.objective.overrun(row), *self.objective.rank(row)),
            default=None,
        )

    def chosen(self) -> tuple[Any, Evaluation]:
        """Network that the search has chosen, and its best feasible accelerator of those evaluated.

        Raises
        ------
        NotRealizableError
            If there is none.
        """
        architecture = self.architecture
        self._require_accelerator(architecture)
        best = self.best_accelerator(architecture)
        assert best is not None
        return architecture, best

    def _require_accelerator(self, architecture: Any) -> None:
        """Raise unless a network has a feasible accelerator that is known, or the space's default.

        The default is evaluated on the final network of every search, so no budget counts it.
        """
        if self.best_accelerator(architecture) is not None:
            return
        (row,) = self.evaluate(architecture, [self.hardware.default], FINAL)
        if not self.objective.feasible(row):
            raise NotRealizableError(
                f"network {architecture.key!r} must have an accelerator that is realizable and within "
                f"all budgets, but none of {len(self.evaluator.records)} evaluated pairs gives it that"
            )

    def follow(self, earlier: "CoSearch") -> None:
        """Know what another search of the same strategy has paid for: accuracies, and shared weights.

        Costs of pairs are the evaluator's, which both have.
        """
        self.measured.update(earlier.measured)
        self.children_images = earlier.children_images
        if self.known_training is not None and earlier.known_training is not None:
            self.known_training.follow(earlier.known_training)
        elif earlier._shares_weights:
            self.weights.load_state_dict(earlier.weights.state_dict())
        if self._proxy is not None and earlier._proxy is not None:
            self._proxy.follow(earlier._proxy)

    def child(self, architecture: Any) -> Child:
        """Network of the architecture as its final training starts: with the shared weights."""
        networks, _ = self.problem.trained
        child = build_from_layers(networks.layers(architecture), self.problem.trains_by)
        if self._shares_weights and isinstance(self.weights, SharedTraining):
            self.weights.supernet.inherit(child, architecture)
        return child

    def _made_finalist(self) -> Finalist:
        architecture = self.networks.architecture(self._final_choices)
        return Finalist(self.problem, architecture, self.child(architecture))

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on, but the evaluator's records."""
        return {
            "search": self.search_state(),
            "generator": self.generator.get_state(),
            "weights": self.weights.state_dict() if self._shares_weights else None,
            "children_images": self.children_images,
            "measured": {key: list(known) for key, known in self.measured.items()},
            "refined": self._refined,
            "final_choices": self._final_choices,
            "finalist": None if self._finalist is None else self._finalist.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        if state["weights"] is not None:
            self.weights.load_state_dict(state["weights"])
        self.load_search_state(state["search"])
        self.generator.set_state(state["generator"])
        self.children_images = state["children_images"]
        for key, (accuracy, choices) in state["measured"].items():
            self.measured[key] = accuracy, choices
        self._refined = state["refined"]
        self._final_choices = state["final_choices"]
        if state["finalist"] is not None:
            self._finalist = self._made_finalist()
            self._finalist.load_state_dict(state["finalist"])
