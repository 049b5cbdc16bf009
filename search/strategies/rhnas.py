"""RHNAS: an RL hardware agent and differentiable architecture search take turns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from search.agent import Args, HardwareAgent
from search.architecture import Architecture
from search.children import build_from_layers
from search.evaluator import Evaluation
from search.export import shape_network
from search.finalist import Finalist
from search.neighbourhood import descend
from search.result import Outcome
from search.reward import reward
from search.strategies.protocol import CoSearchProblem
from search.strategies.rhnas_settings import RhnasSettings
from search.supernet import sample_gates
from search.training import accuracy, draw_batch, logits_of
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network

__all__ = ["Rhnas"]

_ARCHITECTURE_STEP = 0.05
_WEIGHT_STEP = 0.004
_LOGIT_BATCH = 64


class Rhnas:
    """Co-search (Akhauri et al., RHNAS, 2021), advanced step by step.

    A round: the agent learns on the most probable and on a drawn architecture; the best
    hardware known for the former gives every choice a cost; the supernet's weights and
    the architecture's logits then take gradient steps, weights on training images, logits on
    validation images and the expected cost. At the end the agent learns on the most probable
    architecture alone, its best hardware is polished, and the network is trained on.

    Parameters
    ----------
    problem : CoSearchProblem
    settings : RhnasSettings
    """

    def __init__(self, problem: CoSearchProblem, settings: RhnasSettings) -> None:
        self.problem, self.settings = problem, settings
        self.task, self.objective = problem.task, problem.objective
        self.hardware, self.networks = problem.hardware, problem.networks
        self.evaluator = problem.evaluator
        self._generator = torch.Generator().manual_seed(problem.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(problem.seed)
            self.supernet = self.networks.supernet()
        self.logits = {
            name: torch.zeros(len(values), requires_grad=True)
            for name, values in self.networks.decisions.items()
        }
        self._weight_optimizer = torch.optim.AdamW(
            self.supernet.parameters(), lr=_WEIGHT_STEP, weight_decay=1e-4
        )
        self._logit_optimizer = torch.optim.Adam(
            self.logits.values(), lr=_ARCHITECTURE_STEP, betas=(0.5, 0.999)
        )
        updates = settings.rounds * settings.updates_per_round + settings.refine_updates
        self.agent = HardwareAgent(
            self.hardware.sizes,
            sum(map(len, self.networks.decisions.values())),
            Args(batch=settings.designs_per_update, total_updates=updates),
            seed=problem.seed,
        )
        self.rounds_done = 0
        self._finalist: Finalist | None = None

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage, in order."""
        return {
            "warm-up": self.settings.warmup_epochs,
            "co-search": self.settings.rounds,
            "refinement": self.settings.refine_updates,
            **({"polish": 1} if self.settings.polish else {}),
            "training": self.problem.train.epochs,
        }

    def step(self, stage: str) -> None:
        """One epoch of warm-up or training, one round, one update, or the whole polish."""
        if stage == "warm-up":
            self.warmup_epoch()
        elif stage == "co-search":
            self.round()
        elif stage == "refinement":
            self.refine(self.architecture)
        elif stage == "polish":
            self.polish(self.architecture)
        else:
            if self._finalist is None:
                self._finalist = self._inherited_finalist()
            self._finalist.epoch()

    def outcome(self) -> Outcome:
        """Quantize the trained network and choose its hardware."""
        if self._finalist is None:
            raise RuntimeError("a search must be advanced to its end before it has an outcome")
        return self._finalist.outcome()

    @property
    def architecture(self) -> Architecture:
        """Most probable architecture."""
        choices = {name: int(logit.argmax()) for name, logit in self.logits.items()}
        chosen: Architecture = self.networks.architecture(choices)
        return chosen

    def network(self, architecture: Architecture) -> Network:
        """Shapes of the architecture for the cost model."""
        return shape_network(self.networks.layers(architecture), name=architecture.key)

    def warmup_epoch(self) -> None:
        """One supernet epoch under the initial, uniform distribution."""
        for part in self._batches():
            self._weight_step(part)

    def round(self) -> None:
        """One turn of the agent and of the architecture."""
        architecture = self.architecture
        share = self.supernet_accuracy(architecture)
        for _ in range(self.settings.updates_per_round):
            drawn = self._drawn_architecture()
            self.agent_update([architecture, drawn], phase="agent", accuracies=[share, None])
        best = self.best_hardware(architecture, share)
        base, deltas = self._choice_costs(architecture, best.accelerator)
        progress = self.rounds_done / self.settings.rounds
        temperature = 2.0 * (1 - progress) + 0.3 * progress
        for _ in range(self.settings.epochs_per_round):
            for part in self._batches():
                self._weight_step(part)
                self._logit_step(temperature, base, deltas)
        self.rounds_done += 1

    def refine(self, architecture: Architecture) -> None:
        """One agent update on the final network alone."""
        share = self.supernet_accuracy(architecture)
        self.agent_update([architecture], phase="refine", accuracies=[share])
        self.best_hardware(architecture, share)

    def polish(self, architecture: Architecture) -> None:
        """Change one field of the best design at a time until no change makes it better."""
        share = self.supernet_accuracy(architecture)
        descend(
            self.hardware,
            self.objective,
            self.best_hardware(architecture, share),
            lambda configs: self._evaluate(architecture, configs, "polish", share),
        )

    def supernet_accuracy(self, architecture: Architecture) -> float:
        """Return the validation accuracy with shared weights."""
        split = self.task.validation
        logits = logits_of(
            lambda images: self.supernet.forward_architecture(images, architecture), split.images
        )
        return accuracy(logits, split.labels)

    def agent_update(
        self,
        architectures: Sequence[Architecture],
        *,
        phase: str,
        accuracies: Sequence[float | None],
    ) -> float:
        """One PPO update, its batch shared by the architectures; return the mean reward."""
        rows = np.arange(self.agent.args.batch) % len(architectures)
        contexts = np.stack([self.networks.encode(chosen) for chosen in architectures])[rows]

        def rewards_of(actions: NDArray[np.int64]) -> NDArray[np.float64]:
            rewards = np.zeros(len(actions))
            for i, architecture in enumerate(architectures):
                mine = np.flatnonzero(rows == i)
                configs = [self.hardware.config(action) for action in actions[mine].tolist()]
                reference, *proposed = self._evaluate(
                    architecture, [self.hardware.default, *configs], phase, accuracies[i]
                )
                rewards[mine] = [reward(self.objective, row, reference) for row in proposed]
            return rewards

        return self.agent.learn(contexts, rewards_of)

    def best_hardware(self, architecture: Architecture, share: float | None = None) -> Evaluation:
        """Best feasible design that was evaluated for the architecture, the default if none.

        The agent's most probable proposal is evaluated first.
        """
        guess = self.hardware.config(
            self.agent.best_guess(self.networks.encode(architecture)).tolist()
        )
        default, _ = self._evaluate(architecture, [self.hardware.default, guess], "greedy", share)
        rows = [row for row in self.evaluator.records if row.network == architecture.key]
        feasible = [row for row in rows if self.objective.feasible(row)]
        return min(feasible, key=self.objective.rank, default=default)

    def _inherited_finalist(self) -> Finalist:
        """Make the finalist of the most probable architecture, with the supernet's weights."""
        architecture = self.architecture
        child = build_from_layers(self.networks.layers(architecture), self.problem.seed)
        self.supernet.inherit(child, architecture)
        return Finalist(self.problem, architecture, child)

    def _evaluate(
        self,
        architecture: Architecture,
        configs: Sequence[AcceleratorConfig],
        phase: str,
        share: float | None,
    ) -> list[Evaluation]:
        network = self.network(architecture)
        return self.evaluator.evaluate(configs, network, phase=phase, accuracy=share)

    def _choice_costs(
        self, architecture: Architecture, config: AcceleratorConfig
    ) -> tuple[float, dict[str, Tensor]]:
        """Objective's cost of the architecture, and what every single other choice would add to it.

        Exact for all networks that differ in a single decision; a choice that is not realizable on
        the accelerator counts as doubling the cost. All zero if the architecture itself is not.
        """
        chosen = self.networks.choices(architecture)
        base = self._evaluate(architecture, [config], "choices", None)[0]
        base_cost = float(self.objective.cost(base))
        deltas = {}
        for name, values in self.networks.decisions.items():
            delta = torch.zeros(len(values))
            deltas[name] = delta
            if not base.realizable:
                continue
            for index in range(len(values)):
                other = self.networks.architecture(chosen | {name: index})
                row = self._evaluate(other, [config], "choices", None)[0]
                added = float(self.objective.cost(row)) - base_cost
                delta[index] = added if row.realizable else base_cost
        return base_cost or 1.0, deltas

    def _batches(self) -> tuple[Tensor, ...]:
        batch = self.problem.train.batch
        order = torch.randperm(len(self.task.train), generator=self._generator)
        return torch.split(order[: len(order) // batch * batch], batch)

    def _weight_step(self, part: Tensor) -> None:
        images, labels = draw_batch(self.task.train, part, self._generator)
        logits = self.supernet.forward_architecture(images, self._drawn_architecture())
        loss = cross_entropy(logits, labels)
        self._weight_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._weight_optimizer.step()

    def _logit_step(self, temperature: float, base: float, deltas: dict[str, Tensor]) -> None:
        split = self.task.validation
        part = torch.randperm(len(split), generator=self._generator)[:_LOGIT_BATCH]
        gates = sample_gates(self.logits, temperature=temperature, generator=self._generator)
        loss = cross_entropy(self.supernet(split.images[part], gates), split.labels[part])
        added = torch.stack(
            [torch.softmax(self.logits[name], 0) @ delta for name, delta in deltas.items()]
        )
        loss = loss + self.settings.latency_weight * (1 + added.sum() / base)
        self._logit_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self._logit_optimizer.step()

    def _drawn_architecture(self) -> Architecture:
        choices = {
            name: int(torch.multinomial(logit.softmax(0), 1, generator=self._generator))
            for name, logit in self.logits.items()
        }
        drawn: Architecture = self.networks.architecture(choices)
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on, but the evaluator's records."""
        return {
            "supernet": self.supernet.state_dict(),
            "logits": {name: logit.detach() for name, logit in self.logits.items()},
            "weight_optimizer": self._weight_optimizer.state_dict(),
            "logit_optimizer": self._logit_optimizer.state_dict(),
            "agent": self.agent.state_dict(),
            "generator": self._generator.get_state(),
            "rounds_done": self.rounds_done,
            "finalist": None if self._finalist is None else self._finalist.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self.supernet.load_state_dict(state["supernet"])
        with torch.no_grad():
            for name, logit in self.logits.items():
                logit.copy_(state["logits"][name])
        self._weight_optimizer.load_state_dict(state["weight_optimizer"])
        self._logit_optimizer.load_state_dict(state["logit_optimizer"])
        self.agent.load_state_dict(state["agent"])
        self._generator.set_state(state["generator"])
        self.rounds_done = state["rounds_done"]
        if state["finalist"] is not None:
            self._finalist = self._inherited_finalist()
            self._finalist.load_state_dict(state["finalist"])
