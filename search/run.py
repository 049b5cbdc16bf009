"""A whole search in one folder: co-search, training, quantization, the files, resumable."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from search.architecture import DIGITS_SPACE
from search.checkpoint import CheckpointStore
from search.children import Child, build_from_layers
from search.evaluator import CostModel, Evaluation, Evaluator, SimCosts
from search.export import export
from search.objective import Objective
from search.result import SearchResult, pareto_front
from search.rhnas import Rhnas
from search.spec import SearchSpec
from search.task import INPUT_SCALE, INPUT_ZERO_POINT, Split, digits, quantize_images
from search.training import ChildTraining, accuracy
from sim import golden
from sim.cost import area
from sim.importers.pytorch.quantize import Scale
from sim.realizability import check
from sim.spec.design import Design, save
from sim.spec.errors import NotRealizableError
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["Progress", "deterministic_torch", "run_search"]

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done and the steps there are."""


def run_search(
    spec: SearchSpec,
    out: Path,
    *,
    resume: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    costs: CostModel | None = None,
) -> SearchResult:
    """Search, train, quantize; write ``design.json``, ``weights.npz`` and ``search.json``.

    A run that was killed at any instant and resumed finds the same design, bit by bit, as one
    that was not. Torch runs on one thread with deterministic kernels while this runs.

    Parameters
    ----------
    spec : SearchSpec
    out : Path
        Folder of the results, the checkpoint and the evaluation log; made if need be.
    resume : bool
        Continue from the checkpoint in ``out``, if there is one; else start over.
    seed : int
        Decides everything that is drawn; not the split of the data.
    progress : callable, optional
    costs : CostModel, optional
        Default: the predicted costs of ``sim``.

    Raises
    ------
    CosilicoError
        If the checkpoint is of another specification or seed.
    NotRealizableError
        If the space's default accelerator cannot be built, or no design within the default's area runs the final network.
    """
    identity = json.dumps({"spec": spec.to_json(), "seed": seed}, sort_keys=True)
    store = CheckpointStore(out, hashlib.sha256(identity.encode()).hexdigest())
    if not resume:
        store.clear()
    with deterministic_torch():
        search = _Search(spec, seed, store, costs or SimCosts())
        search.advance(progress or (lambda stage, done, total: None))
        result = search.finish()
    save(result.design, out / "design.json")
    write_atomic(out / "search.json", json.dumps(result.to_json(), indent=1) + "\n")
    return result


@contextmanager
def deterministic_torch() -> Iterator[None]:
    """One thread and deterministic kernels, for results that do not depend on the machine's load."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


class _Search:
    """All steps of a search; a checkpoint follows each."""

    def __init__(
        self, spec: SearchSpec, seed: int, store: CheckpointStore, costs: CostModel
    ) -> None:
        self._started = time.monotonic()
        self.spec, self.seed, self.store = spec, seed, store
        task, plan = spec.task, spec.search
        self.task = digits(
            test_images=task.test_images,
            validation_images=task.validation_images,
            split_seed=task.split_seed,
        )
        hardware = HARDWARE_SPACES[spec.space]
        for violation in check(hardware.default):
            raise NotRealizableError(
                f"default accelerator of space {hardware.name!r}: {violation.detail}"
            )
        loaded = store.load()
        state, records = loaded if loaded is not None else ({}, [])
        self.rhnas = Rhnas(
            spec,
            self.task,
            hardware=hardware,
            networks=DIGITS_SPACE,
            evaluator=Evaluator(costs, records),
            objective=Objective(metric=plan.metric, area_budget=area.area(hardware.default).total),
            seed=seed,
        )
        self.stages = {
            "warm-up": plan.warmup_epochs,
            "co-search": plan.rounds,
            "refinement": plan.refine_updates,
            "polish": 1,
            "training": spec.train.epochs,
        }
        self.training: ChildTraining | None = None
        with store.restoring():
            self.step = int(state.get("step", 0))
            self.wall_s = float(state.get("wall_s", 0.0))
            if state:
                self.rhnas.load_state_dict(state["rhnas"])
                if state["training"] is not None:
                    self.training = self._new_training()
                    self.training.load_state_dict(state["training"])

    def advance(self, progress: Progress) -> None:
        """Do all steps that are left."""
        first = 0
        for stage, steps in self.stages.items():
            for done in range(max(0, self.step - first), steps):
                progress(stage, done, steps)
                self._do(stage)
                self.step += 1
                self.store.save(self._state(), self.rhnas.evaluator.records)
            progress(stage, steps, steps)
            first += steps

    def _do(self, stage: str) -> None:
        if stage == "warm-up":
            self.rhnas.warmup_epoch()
        elif stage == "co-search":
            self.rhnas.round()
        elif stage == "refinement":
            self.rhnas.refine(self.rhnas.architecture)
        elif stage == "polish":
            self.rhnas.polish(self.rhnas.architecture)
        else:
            if self.training is None:
                self.training = self._new_training()
            self.training.epoch()

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "wall_s": self.wall_s + time.monotonic() - self._started,
            "rhnas": self.rhnas.state_dict(),
            "training": None if self.training is None else self.training.state_dict(),
        }

    def _new_training(self) -> ChildTraining:
        """Training of the final architecture, from the supernet's weights, on all but test."""
        architecture = self.rhnas.architecture
        child = build_from_layers(DIGITS_SPACE.layers(architecture), self.seed)
        self.rhnas.supernet.inherit(child, architecture)
        plan = self.spec.train
        return ChildTraining(
            child,
            self._all_but_test(),
            epochs=plan.epochs,
            batch=plan.batch,
            learning_rate=plan.learning_rate,
            seed=self.seed,
        )

    def _all_but_test(self) -> Split:
        parts = (self.task.train, self.task.validation)
        return Split(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )

    def finish(self) -> SearchResult:
        """Quantize, choose the hardware, measure on the test images."""
        if self.training is None:
            raise RuntimeError("a search must be advanced to its end before it is finished")
        child = self.training.child
        network = export(
            child,
            self._all_but_test().images,
            name=self.spec.name,
            input_scale=Scale(INPUT_SCALE, INPUT_ZERO_POINT),
        )
        default, best = self._choose_hardware(network)
        self.store.save(self._state(), self.rhnas.evaluator.records)
        architecture = self.rhnas.architecture
        history = tuple(self.rhnas.evaluator.records)
        return SearchResult(
            strategy=self.spec.search.strategy,
            seed=self.seed,
            design=Design(network=network, accelerator=best.accelerator),
            architecture=architecture,
            default=default,
            best=best,
            area_budget=self.rhnas.objective.area_budget,
            float_accuracy=_float_accuracy(child, self.task.test),
            int8_accuracy=_int8_accuracy(network, self.task.test),
            history=history,
            pareto=pareto_front([row for row in history if row.network == architecture.key]),
            wall_s=self.wall_s + time.monotonic() - self._started,
        )

    def _choose_hardware(self, network: Network) -> tuple[Evaluation, Evaluation]:
        """Evaluate the final network on the default and on the best hardware.

        The integer parameters may break a rule that the shapes keep, so designs are tried
        from the best down.
        """
        rhnas = self.rhnas
        key, objective = rhnas.architecture.key, rhnas.objective
        known = [row for row in rhnas.evaluator.records if row.network == key]
        feasible = sorted(filter(objective.feasible, known), key=objective.rank)
        hardware = rhnas.hardware.default
        (default,) = rhnas.evaluator.evaluate([hardware], network, phase="final")
        for row in feasible:
            (best,) = rhnas.evaluator.evaluate([row.accelerator], network, phase="final")
            if objective.feasible(best):
                return default, best
        raise NotRealizableError(
            f"network {key!r} must have a realizable accelerator of area at most "
            f"{objective.area_budget:.4g}, but none of {len(known)} evaluated ones is"
        )


def _float_accuracy(child: Child, split: Split) -> float:
    child.eval()
    with torch.no_grad():
        return accuracy(child(split.images), split.labels)


def _int8_accuracy(network: Network, split: Split) -> float:
    outputs = golden.run(network, quantize_images(split.images))[network.output.name]
    logits = torch.from_numpy(outputs.reshape(len(split), -1))
    return accuracy(logits, split.labels)
