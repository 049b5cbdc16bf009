"""Local search over accelerators: one field at a time, until no change makes the design better."""

from collections.abc import Callable, Sequence

from search.evaluator import Evaluation
from sim.cost.objective import Objective
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["descend"]


def descend(
    hardware: HardwareSpace,
    objective: Objective,
    best: Evaluation,
    evaluate: Callable[[Sequence[AcceleratorConfig]], list[Evaluation]],
) -> Evaluation:
    """Take the best neighbour, a design with another value of one field, while there is a better.

    A smaller area at the same cost is better too: it lets another field grow.
    """
    while True:
        chosen = hardware.indices(best.accelerator)
        neighbours = evaluate(
            [
                hardware.config([*chosen[:field], index, *chosen[field + 1 :]])
                for field, size in enumerate(hardware.sizes)
                for index in range(size)
                if index != chosen[field]
            ]
        )
        feasible = filter(objective.feasible, [best, *neighbours])
        better = min(feasible, key=objective.rank, default=best)
        if better is best:
            return best
        best = better
