"""The problems by which co-searches are judged: each is told by its name, and follows from the pairs of a joint space.

Budgets of latency and exponents follow from the front of accuracy and cost, so that a problem is as hard on one joint space
as on another. They are rounded to what a user can state in an experiment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cosilico.joint.problem import JointProblem
from cosilico.joint.space import JointSpace
from sim.cost.area import area_budget
from sim.cost.objective import COST_EXPONENT, Metric, Objective
from sim.cost.pareto import pareto_front
from sim.spec.errors import CosilicoError, NotRealizableError

__all__ = [
    "JUDGED",
    "PROBLEMS",
    "JudgedProblem",
    "named_problem",
    "named_problems",
    "no_pair",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProblem:
    """A problem before it is known on which joint space.

    Parameters
    ----------
    text : str
        What is searched, in words.
    metric : Metric
    area : float
        Budget of area, as a multiple of the space's.
    place : float or None
        Where the budget of latency lies between the least latency of the front and its largest, on a logarithmic scale; the score is
        then the accuracy. None for no such budget.
    cost_exponent : float or None
        Exponent of the score. None for that with which the scores of the front differ least: the slope of
        the line that fits log(accuracy) over log(cost) best, times -1. So Tan et al. (MnasNet, 2019, section 3) say
        that the exponent is to be chosen; their -0.07 is of their own networks.
    pinned : tuple of str
        Fields that have the default's value.
    """

    text: str
    metric: Metric = "latency"
    area: float = 1.0
    place: float | None = None
    cost_exponent: float | None = None
    pinned: tuple[str, ...] = ()

    def of(self, name: str, truth: JointSpace) -> JointProblem:
        """Problem on a joint space, under a name.

        Raises
        ------
        NotRealizableError
            If no pair keeps the budget of area.
        CosilicoError
            If the front has no two accuracies, or fields are pinned where not all pairs are known.
        """
        default = truth.space.default
        objective = Objective(metric=self.metric, area_budget=self.area * area_budget(truth.space))
        pins = {field: getattr(default, field) for field in self.pinned}
        problem = JointProblem(name=name, objective=objective, pins=pins)
        if self.cost_exponent is not None:
            return replace(problem, objective=replace(objective, cost_exponent=self.cost_exponent))
        pairs = truth.least_pairs(objective, problem.points(truth))
        if not len(pairs.network):
            raise no_pair(truth)
        accuracies, costs = truth.accuracies[pairs.network], np.asarray(objective.cost(pairs))
        front = pareto_front(costs, -accuracies, np.ones(len(costs), np.bool_))
        if len(front) < 2:
            raise CosilicoError(
                f"problem {name} must have a front of two pairs or more, not of {len(front)}"
            )
        low, high = np.log(costs[front[0]]), np.log(costs[front[-1]])
        if self.place is None:
            slope = np.polyfit(np.log(costs[front]), np.log(accuracies[front]), 1)[0]
            chosen = replace(objective, cost_exponent=-round(float(slope), 4))
        else:
            cycles = float(np.exp(low + self.place * (high - low)))
            per_ms = 1e3 * truth.space.clock_mhz
            latency_ms = float(f"{cycles / per_ms:.3g}")
            chosen = replace(objective, cost_exponent=0.0, cycles_budget=latency_ms * per_ms)
        return replace(problem, objective=chosen)


PROBLEMS: Mapping[str, JudgedProblem] = {
    "tight": JudgedProblem(text="most accurate within a tight latency", place=0.6),
    "medium": JudgedProblem(text="most accurate within a medium latency", place=0.75),
    "loose": JudgedProblem(text="most accurate within a loose latency", place=0.9),
    "trade": JudgedProblem(text="accuracy against latency"),
    "edp": JudgedProblem(text="accuracy against energy-delay product", metric="edp"),
    "small": JudgedProblem(text="accuracy against latency, half the area", area=0.5),
    "large": JudgedProblem(text="accuracy against latency, twice the area", area=2.0),
    "pinned": JudgedProblem(
        text="most accurate within a medium latency, twice the area, bandwidth pinned",
        area=2.0,
        place=0.75,
        pinned=("io_bandwidth_gbps",),
    ),
    "published": JudgedProblem(
        text="accuracy against latency, with NAHAS's exponent", cost_exponent=COST_EXPONENT
    ),
}
"""Problems by name."""

JUDGED = tuple(name for name in PROBLEMS if name != "published")
"""Problems by which strategies are tuned and compared: `published` is left out, which two networks decide on NAS-Bench-201."""


def named_problem(name: str, truth: JointSpace) -> JointProblem:
    """Problem of a name on a joint space.

    Raises
    ------
    CosilicoError
        If there is none of that name, or as :meth:`JudgedProblem.of`.
    """
    if name not in PROBLEMS:
        raise CosilicoError(f"problem must be one of {', '.join(PROBLEMS)}, not {name!r}")
    return PROBLEMS[name].of(name, truth)


def named_problems(names: tuple[str, ...], truth: JointSpace) -> tuple[JointProblem, ...]:
    """Problems of some names, all different.

    Raises
    ------
    CosilicoError
        As :func:`named_problem`, or if a name is given twice.
    """
    if len(set(names)) < len(names):
        raise CosilicoError(f"problems must be different ones, not {', '.join(names)!r}")
    return tuple(named_problem(name, truth) for name in names)


def no_pair(truth: JointSpace) -> NotRealizableError:
    """Error of a problem whose budgets no pair keeps."""
    return NotRealizableError(
        f"joint enumeration must have a pair that is realizable and within all budgets, but none of {truth.pairs:,} is"
    )
