"""The driver of every search: seeds, budget, checkpoints, progress, log, result and files."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from search.checkpoint import CheckpointStore
from search.determinism import deterministic_torch
from search.evaluator import BoundModel, CostModel, Evaluator
from search.experiment import Experiment
from search.in_memory import make_co_search, make_search
from search.loading import load_family, load_task
from search.result import Outcome, SearchResult
from search.stages import Progress, run_stages
from search.strategies.hardware_settings import HardwareSettings
from search.strategies.protocol import CoSearchProblem, HardwareProblem, Strategy
from search.strategies.settings import CoSearchSettings, StrategySettings
from sim.cost.area import area_budget as space_budget
from sim.cost.bounds import lower_bounds
from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import accelerator_violations, evaluate_many
from sim.cost.objective import Objective
from sim.realizability import require
from sim.spec.design import save
from sim.spec.errors import NotRealizableError
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.spaces import HardwareSpace

__all__ = ["Progress", "require_default", "run_hardware_search", "run_search"]


def run_search(
    experiment: Experiment,
    out: Path,
    *,
    resume: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    costs: CostModel | None = None,
) -> SearchResult:
    """Search network and accelerator; write ``design.json``, ``weights.npz`` and ``search.json``.

    A run that was killed at any instant and resumed ends with the same design, bit by bit, as if it
    had not been. Torch runs on one thread with deterministic kernels while this runs.

    Parameters
    ----------
    experiment : Experiment
    out : Path
        Folder of the results, the checkpoint and the evaluation log; made if need be.
    resume : bool
        Continue from the checkpoint in ``out``, if it exists; else start over.
    seed : int
        Decides everything that is drawn; not the split of the data.
    progress : callable, optional
    costs : CostModel, optional
        The predicted costs of ``sim`` on the experiment's memory if not given.

    Raises
    ------
    CosilicoError
        If the checkpoint is of another experiment, space or seed, or of other cost columns.
    NotRealizableError
        If the space's default accelerator cannot be built, or no design within the default's area
        runs the final network.
    """
    hardware = experiment.hardware.hardware_space()
    require_default(hardware)
    settings = experiment.search
    task = load_task(experiment)

    def strategy(evaluator: Evaluator, objective: Objective) -> Strategy:
        problem = CoSearchProblem(
            hardware=hardware,
            objective=objective,
            evaluator=evaluator,
            seed=seed,
            name=experiment.name,
            task=task,
            networks=load_family(experiment, task),
            train=experiment.train,
            bounds=partial(lower_bounds, memory=experiment.memory),
        )
        return make_co_search(problem, settings)

    identity = {
        "experiment": experiment.to_json(),
        "data": experiment.task.fingerprint(),
        "space": hardware.to_json(),
        "seed": seed,
    }
    objective = experiment.objective.objective(hardware)
    predicted = partial(evaluate_many, memory=experiment.memory, limits=hardware.limits)
    search = _Search(strategy, settings, objective, seed, out, identity, costs or predicted)
    return search.run(resume, progress)


def require_default(hardware: HardwareSpace) -> None:
    """Raise ``NotRealizableError`` if the default accelerator of a space cannot be built."""
    for violation in accelerator_violations(hardware.default, hardware.limits):
        raise NotRealizableError(
            f"default accelerator of space {hardware.name!r}: {violation.detail}"
        )


def run_hardware_search(
    network: Network,
    hardware: HardwareSpace,
    out: Path,
    *,
    settings: StrategySettings | None = None,
    memory: FixedLatency = DETERMINISTIC,
    resume: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    costs: CostModel | None = None,
    bounds: BoundModel | None = None,
    area_budget: float | None = None,
) -> SearchResult:
    """Search the accelerator for a network; write the same files as :func:`run_search`.

    A strategy that is to be polished is followed by a descent
    (:class:`search.strategies.polished.Polished`).

    Parameters
    ----------
    network : Network
    hardware : HardwareSpace
    settings : StrategySettings, optional
        Of a strategy in :data:`search.strategies.HARDWARE_SEARCHES`;
        :class:`search.strategies.hardware_settings.HardwareSettings` if not given.
    memory : FixedLatency
        What lies behind the ports.
    out, resume, seed, progress, costs
        As for :func:`run_search`.
    bounds : BoundModel
        Lower bounds of ``costs``. Default: those of ``sim``.
    area_budget : float, optional
        Largest area; the space's if not given, which is that of its default where it states none.

    Raises
    ------
    CosilicoError
        If the checkpoint in ``out`` is of another search.
    NotRealizableError
        If the space's default cannot run the network: there is then nothing to compare with. If no
        accelerator that was evaluated is feasible.
    """
    require(hardware.default, network)
    chosen = settings or HardwareSettings()

    def strategy(evaluator: Evaluator, objective: Objective) -> Strategy:
        problem = HardwareProblem(
            hardware=hardware,
            objective=objective,
            evaluator=evaluator,
            seed=seed,
            network=network,
            bounds=bounds or partial(lower_bounds, memory=memory),
        )
        return make_search(problem, chosen)

    identity = {
        "network": network_digest(network),
        "space": hardware.to_json(),
        "search": chosen.to_json(),
        "memory": memory.to_json(),
        "seed": seed,
    }
    budget = space_budget(hardware) if area_budget is None else area_budget
    identity |= {} if area_budget is None else {"area_budget": area_budget}
    objective = Objective(metric=chosen.metric, area_budget=budget)
    predicted = partial(evaluate_many, memory=memory, limits=hardware.limits)
    search = _Search(strategy, chosen, objective, seed, out, identity, costs or predicted)
    return search.run(resume, progress)


class _Search:
    """All steps of a strategy, a checkpoint after each, and the files at the end."""

    def __init__(
        self,
        strategy: Callable[[Evaluator, Objective], Strategy],
        settings: CoSearchSettings,
        objective: Objective,
        seed: int,
        out: Path,
        identity: dict[str, Any],
        costs: CostModel,
    ) -> None:
        self._started, self._cpu_started = time.monotonic(), time.process_time()
        self._make, self._settings, self._seed, self._out = strategy, settings, seed, out
        self._objective = objective
        self._costs = costs
        # The log's records have the columns that were registered when they were written.
        words = json.dumps(identity | {"columns": list(COST_COLUMNS)}, sort_keys=True).encode()
        self._store = CheckpointStore(out, hashlib.sha256(words).hexdigest())

    def run(self, resume: bool, progress: Progress | None) -> SearchResult:
        """Do all steps that are left; write the design and ``search.json``."""
        if not resume:
            self._store.clear()
        with deterministic_torch():
            self._restore()
            self._advance(progress)
            outcome = self._strategy.outcome()
            self._save()
        result = self._result(outcome)
        save(result.design, self._out / "design.json")
        for name, content in result.files.items():
            write_atomic(self._out / name, content)
        write_atomic(self._out / "search.json", json.dumps(result.to_json(), indent=1) + "\n")
        return result

    def _restore(self) -> None:
        """Make the strategy, and bring it to where the checkpoint was."""
        loaded = self._store.load()
        state, records = loaded if loaded is not None else ({}, [])
        self._evaluator = Evaluator(self._costs, records)
        self._strategy = self._make(self._evaluator, self._objective)
        with self._store.restoring():
            self._step = int(state.get("step", 0))
            self._earlier_s = float(state.get("wall_s", 0.0))
            self._earlier_cpu_s = float(state.get("cpu_s", 0.0))
            if state:
                self._strategy.load_state_dict(state["strategy"])

    def _advance(self, progress: Progress | None) -> None:
        def save(done: int) -> None:
            self._step = done
            self._save()

        run_stages(
            self._strategy,
            self._evaluator,
            self._settings,
            done=self._step,
            progress=progress,
            save=save,
        )

    def _save(self) -> None:
        state = {
            "step": self._step,
            "wall_s": self._wall_s(),
            "cpu_s": self._cpu_s(),
            "strategy": self._strategy.state_dict(),
        }
        self._store.save(state, self._evaluator.records)

    def _wall_s(self) -> float:
        return self._earlier_s + time.monotonic() - self._started

    def _cpu_s(self) -> float:
        return self._earlier_cpu_s + time.process_time() - self._cpu_started

    def _result(self, outcome: Outcome) -> SearchResult:
        return SearchResult(
            **{entry.name: getattr(outcome, entry.name) for entry in fields(Outcome)},
            strategy=self._settings.strategy,
            seed=self._seed,
            area_budget=self._objective.area_budget,
            history=tuple(self._evaluator.records),
            log_sha256=self._store.log_sha256,
            wall_s=self._wall_s(),
            cpu_s=self._cpu_s(),
        )
