"""Everything that searches of the accelerator for a given network share."""

from collections.abc import Sequence

from search.evaluator import Evaluation
from search.result import Outcome
from search.reward import reward
from search.strategies.protocol import HardwareProblem
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.errors import NotRealizableError

__all__ = ["AcceleratorSearch"]


class AcceleratorSearch:
    """Base of strategies: evaluations, their merit, and the best of them at the end.

    The space's default is evaluated first, and counts.

    Parameters
    ----------
    problem : HardwareProblem
    """

    def __init__(self, problem: HardwareProblem) -> None:
        self.problem = problem
        self.hardware = problem.hardware

    def evaluate(self, configs: Sequence[AcceleratorConfig], phase: str) -> list[Evaluation]:
        """Evaluate accelerators on the network."""
        return self.problem.evaluator.evaluate(configs, self.problem.network, phase=phase)

    def evaluate_points(self, points: Sequence[Sequence[int]], phase: str) -> list[Evaluation]:
        """Evaluate points of the space, given by an index of each field's values."""
        return self.evaluate([self.hardware.config(point) for point in points], phase)

    @property
    def default(self) -> Evaluation:
        """The space's default on the network."""
        return self.evaluate([self.hardware.default], "default")[0]

    def merit(self, evaluation: Evaluation) -> float:
        """Return how good a design is: :func:`search.reward.reward`, the more the better."""
        return reward(self.problem.objective, evaluation, self.default)

    @property
    def best(self) -> Evaluation | None:
        """Best design of all that were evaluated; None if none is feasible."""
        feasible = filter(self.problem.objective.feasible, self.problem.evaluator.records)
        return min(feasible, key=self.problem.objective.rank, default=None)

    def outcome(self) -> Outcome:
        """Return the best design of all that were evaluated.

        Raises
        ------
        NotRealizableError
            If none of them is within the area budget and runs the network.
        """
        problem, default, best = self.problem, self.default, self.best
        if best is None:
            raise NotRealizableError(
                f"no accelerator that was evaluated for {problem.network.name!r} is realizable and "
                f"within {problem.objective.area_budget:.4f} mm2"
            )
        return Outcome(
            design=Design(network=problem.network, accelerator=best.accelerator),
            default=default,
            best=best,
        )
