"""Search of the accelerator alone, for a network that is given."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.agent import Args, HardwareAgent
from search.checkpoint import CheckpointStore
from search.evaluator import CostModel, Evaluation, Evaluator, SimCosts
from search.neighbourhood import descend
from search.objective import Metric, Objective
from search.result import SearchResult, pareto_front
from search.run import Progress, deterministic_torch
from sim.cost import area
from sim.realizability import require
from sim.spec.design import Design, save
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.spaces import HardwareSpace

__all__ = ["DESIGNS_PER_UPDATE", "UPDATES", "run_hardware_search"]

UPDATES = 40
"""Updates of the agent; as many as a co-search spends on its final network."""

DESIGNS_PER_UPDATE = 128

_CONTEXT = np.ones((1, 1), np.float32)
"""There is one network: the agent is told nothing of it."""


def run_hardware_search(
    network: Network,
    hardware: HardwareSpace,
    out: Path,
    *,
    metric: Metric = "latency",
    updates: int = UPDATES,
    designs_per_update: int = DESIGNS_PER_UPDATE,
    resume: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    costs: CostModel | None = None,
) -> SearchResult:
    """Search; write ``design.json``, ``weights.npz`` and ``search.json``.

    The agent of the co-search proposes accelerators for the one network; the best is then polished.
    The area of the space's default is the budget. A run that was killed and resumed finds the same
    design as one that was not.

    Raises
    ------
    CosilicoError
        If the checkpoint in ``out`` is of another search.
    NotRealizableError
        If the space's default cannot run the network: there is then nothing to compare with.
    """
    require(hardware.default, network)
    identity = json.dumps(
        [network_digest(network), hardware.name, metric, updates, designs_per_update, seed]
    )
    store = CheckpointStore(out, hashlib.sha256(identity.encode()).hexdigest())
    if not resume:
        store.clear()
    args = Args(batch=designs_per_update, total_updates=updates)
    with deterministic_torch():
        search = _HardwareSearch(network, hardware, metric, args, seed, store, costs or SimCosts())
        result = search.run(progress or (lambda stage, done, total: None))
    save(result.design, out / "design.json")
    write_atomic(out / "search.json", json.dumps(result.to_json(), indent=1) + "\n")
    return result


class _HardwareSearch:
    """Updates of the agent, a checkpoint after each."""

    def __init__(
        self,
        network: Network,
        hardware: HardwareSpace,
        metric: Metric,
        args: Args,
        seed: int,
        store: CheckpointStore,
        costs: CostModel,
    ) -> None:
        self._started = time.monotonic()
        self.network, self.hardware, self.seed, self.store = network, hardware, seed, store
        loaded = store.load()
        state, records = loaded if loaded is not None else ({}, [])
        self.evaluator = Evaluator(costs, records)
        self.objective = Objective(metric=metric, area_budget=area.area(hardware.default).total)
        self.agent = HardwareAgent(hardware.sizes, 1, args, seed=seed)
        with store.restoring():
            self.wall_s = float(state.get("wall_s", 0.0))
            if state:
                self.agent.load_state_dict(state["agent"])

    def run(self, progress: Progress) -> SearchResult:
        """Do all updates that are left, then polish."""
        total = self.agent.args.total_updates
        while self.agent.updates < total:
            progress("hardware", self.agent.updates, total)
            self._update()
            self.store.save(self._state(), self.evaluator.records)
        progress("hardware", total, total)
        (default,) = self.evaluator.evaluate([self.hardware.default], self.network, phase="default")
        best = descend(
            self.hardware,
            self.objective,
            self._best(default),
            lambda configs: self.evaluator.evaluate(configs, self.network, phase="polish"),
        )
        self.store.save(self._state(), self.evaluator.records)
        history = tuple(self.evaluator.records)
        return SearchResult(
            strategy="hardware",
            seed=self.seed,
            design=Design(network=self.network, accelerator=best.accelerator),
            architecture=None,
            default=default,
            best=best,
            area_budget=self.objective.area_budget,
            float_accuracy=None,
            int8_accuracy=None,
            history=history,
            pareto=pareto_front(history),
            wall_s=self.wall_s + time.monotonic() - self._started,
        )

    def _update(self) -> None:
        """One PPO update, then its most probable design."""

        def reward(actions: NDArray[np.int64]) -> NDArray[np.float64]:
            configs = [self.hardware.config(action) for action in actions.tolist()]
            reference, *found = self.evaluator.evaluate(
                [self.hardware.default, *configs], self.network, phase="agent"
            )
            return np.array([self.objective.reward(one, reference) for one in found])

        self.agent.learn(np.repeat(_CONTEXT, self.agent.args.batch, axis=0), reward)
        guess = self.hardware.config(self.agent.best_guess(_CONTEXT[0]).tolist())
        self.evaluator.evaluate([guess], self.network, phase="greedy")

    def _best(self, default: Evaluation) -> Evaluation:
        feasible = filter(self.objective.feasible, self.evaluator.records)
        return min(feasible, key=self.objective.rank, default=default)

    def _state(self) -> dict[str, Any]:
        return {
            "agent": self.agent.state_dict(),
            "wall_s": self.wall_s + time.monotonic() - self._started,
        }
