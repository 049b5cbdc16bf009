"""The chosen architecture on its way to a design: trained on, quantized, given its hardware."""

from typing import Any

import torch
from torch import Tensor

from search.architecture import Architecture
from search.children import Child
from search.evaluator import Evaluation
from search.export import export
from search.result import Outcome
from search.strategies.protocol import CoSearchProblem
from search.tasks.task import Split, Task
from search.training import ChildTraining, accuracy, logits_of
from sim import golden
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError
from sim.spec.network import Network

__all__ = ["FINAL", "Finalist", "float_accuracy", "int8_accuracy"]

FINAL = "final"
"""Phase of the evaluations of the final network, which no budget counts."""


class Finalist:
    """Trains the final network on all but the test images, then makes the design.

    Parameters
    ----------
    problem : CoSearchProblem
    architecture : Architecture
    child : Child
        The architecture's network with the weights to start from; trained in place.
    """

    def __init__(self, problem: CoSearchProblem, architecture: Architecture, child: Child) -> None:
        self._problem, self._architecture, self._child = problem, architecture, child
        _, self._task = problem.trained
        self._split = self._task.all_but_test
        self._training = ChildTraining(
            child,
            self._split,
            epochs=problem.train.epochs,
            batch=problem.train.batch,
            learning_rate=problem.train.learning_rate,
            seed=problem.trains_by,
        )

    def epoch(self) -> None:
        """Train on all images once."""
        self._training.epoch()

    def outcome(self) -> Outcome:
        """Quantize, choose the hardware, measure on the test images.

        Raises
        ------
        NotRealizableError
            If no evaluated accelerator is feasible for the quantized network.
        """
        task, child = self._task, self._child
        network = export(
            child, self._split.images, name=self._problem.name, input_scale=task.input_scale
        )
        default, best = self._choose_hardware(network)
        return Outcome(
            design=Design(network=network, accelerator=best.accelerator),
            architecture=self._architecture,
            default=default,
            best=best,
            float_accuracy=float_accuracy(child, task.test),
            int8_accuracy=int8_accuracy(network, task),
            trained_images=self._training.trained_images,
        )

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on."""
        return self._training.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._training.load_state_dict(state)

    def _choose_hardware(self, network: Network) -> tuple[Evaluation, Evaluation]:
        """Evaluate the final network on the default and on the best hardware.

        The integer parameters may break a rule that the shapes keep, so designs are tried
        from the best down.
        """
        key, objective = self._architecture.key, self._problem.objective
        evaluator = self._problem.evaluator
        known = [row for row in evaluator.records if row.network == key]
        feasible = sorted(filter(objective.feasible, known), key=objective.rank)
        hardware = self._problem.hardware.default
        (default,) = evaluator.evaluate([hardware], network, phase=FINAL)
        for row in feasible:
            (best,) = evaluator.evaluate([row.accelerator], network, phase=FINAL)
            if objective.feasible(best):
                return default, best
        raise NotRealizableError(
            f"network {key!r} must have an accelerator that is realizable and within all budgets once "
            f"it is quantized, but none of {len(known)} evaluated ones is"
        )


def float_accuracy(child: Child, split: Split) -> float:
    """Accuracy of a child in floating point; it is set to inference mode."""
    child.eval()
    return accuracy(logits_of(child, split.images), split.labels)


def int8_accuracy(network: Network, task: Task) -> float:
    """Accuracy of a quantized network on the test images, by the integer reference."""

    def logits(images: Tensor) -> Tensor:
        outputs = golden.run(network, task.quantize(images))[network.output.name]
        return torch.from_numpy(outputs.reshape(len(images), -1))

    return accuracy(logits_of(logits, task.test.images), task.test.labels)
