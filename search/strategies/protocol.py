"""The protocol between the driver of a search and a strategy.

The driver owns seeds, the budget, checkpoints, progress, the evaluation log and the files. A
strategy states its stages, advances step by step, asks the evaluator for costs, and says all that it
has learned as a state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from search.evaluator import BoundModel, Evaluator
from search.experiment import TrainSettings
from search.networks.family import NetworkFamily
from search.networks.known import KnownNetworks
from search.result import Outcome
from search.tasks.task import Task
from sim.cost.bounds import lower_bounds
from sim.cost.objective import Objective
from sim.spec.network import Network
from sim.spec.spaces import HardwareSpace

__all__ = ["CoSearchProblem", "HardwareProblem", "Problem", "StageEnd", "Strategy"]


class StageEnd(Exception):  # noqa: N818  # no error
    """A strategy's stage has nothing left to do, though not all of its steps are done."""


class Strategy(Protocol):
    """A search, step by step.

    It is made from a problem and its settings, and then either starts or is given a state. What a
    step does must follow from these, and from the evaluator's answers, alone.
    """

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of each stage, in the order in which they are done."""
        ...

    def step(self, stage: str) -> None:
        """Propose accelerators or networks to the evaluator, and learn from its answers.

        Raises
        ------
        StageEnd, search.evaluator.BudgetSpent
            If the stage ends before its steps do.
        """
        ...

    def outcome(self) -> Outcome:
        """Return the design that is best after all steps.

        Raises
        ------
        NotRealizableError
            If there is none within the area budget.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the search goes on, but the evaluator's records.

        Tensors, numbers, text, and lists and dicts of them.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Everything that a strategy may choose from and has to meet.

    Parameters
    ----------
    hardware : HardwareSpace
    objective : Objective
        Its area budget is the area of the space's default.
    evaluator : Evaluator
        The only way to costs.
    seed : int
        Decides everything that is drawn.
    spent : int
        Evaluations that had been spent by other searches when this one began.
    bounds : BoundModel
        Lower bounds of the evaluator's costs, of a network that alone has its accelerator.
    """

    hardware: HardwareSpace
    objective: Objective
    evaluator: Evaluator
    seed: int
    spent: int = 0
    bounds: BoundModel = lower_bounds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardwareProblem(Problem):
    """A network that is given, and whose accelerator is searched.

    Parameters
    ----------
    network : Network
        The space's default runs it.
    """

    network: Network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoSearchProblem(Problem):
    """A task whose network and accelerator are searched.

    Parameters
    ----------
    name : str
        Name of the final network.
    task : Task or None
        None where accuracies are known.
    networks : NetworkFamily or KnownNetworks
        Networks that may classify the task's images.
    train : TrainSettings
    known_steps : int
        Steps of an epoch where accuracies are known (:class:`search.known_training.KnownTraining`).
    training_seed : int or None
        Seed of all trainings; the search's own if None.
    """

    name: str
    task: Task | None
    networks: NetworkFamily | KnownNetworks
    train: TrainSettings
    known_steps: int = 1
    training_seed: int | None = None

    @property
    def trains_by(self) -> int:
        """Seed of the initial weights and of the images of a training: the same for all searches of a row of restarts."""
        return self.seed if self.training_seed is None else self.training_seed

    @property
    def known(self) -> KnownNetworks | None:
        """Networks with their accuracies; None where networks are trained."""
        return self.networks if isinstance(self.networks, KnownNetworks) else None

    @property
    def trained(self) -> tuple[NetworkFamily, Task]:
        """Networks that are trained, and the task that they are trained for."""
        if self.task is None or isinstance(self.networks, KnownNetworks):
            raise RuntimeError("networks whose accuracies are known must not be trained")
        return self.networks, self.task
