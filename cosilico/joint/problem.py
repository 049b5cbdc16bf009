"""A problem on a joint space: an objective, and fields that are pinned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.joint.space import JointSpace
from cosilico.pinning import pinned_space
from search.objective_settings import ObjectiveSettings
from sim.cost.area import area_budget
from sim.cost.objective import Objective
from sim.spec.spaces import HardwareSpace

__all__ = ["STATED", "JointProblem", "StatedProblem"]

STATED = "stated"
"""Name of a problem that a user states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointProblem:
    """An objective on a joint space, and the accelerators that are allowed.

    Parameters
    ----------
    name : str
    objective : Objective
    pins : mapping of str to number
        Fields of the accelerator that have a single value.
    """

    name: str
    objective: Objective
    pins: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_accuracy(self) -> bool:
        """Whether the score is the accuracy, whatever a pair within the budgets costs."""
        return self.objective.cost_exponent == 0

    def space(self, truth: JointSpace) -> HardwareSpace:
        """Accelerators that are allowed, for a search."""
        return pinned_space(truth.space, self.pins)

    def points(self, truth: JointSpace) -> NDArray[np.int64] | None:
        """Accelerators that are allowed, by their flat indices in the space of the truth; None for all."""
        if not self.pins:
            return None
        return np.array([truth.space.flat_index(config) for config in self.space(truth)], np.int64)

    def to_json(self) -> dict[str, Any]:
        """Objective and pins as a JSON object; None for a budget that is infinite."""
        objective = self.objective
        budgets = (objective.cycles_budget, objective.energy_budget)
        cycles, energy = (None if limit == math.inf else limit for limit in budgets)
        return {
            "metric": objective.metric,
            "cost_exponent": objective.cost_exponent,
            "area_budget": objective.area_budget,
            "cycles_budget": cycles,
            "energy_budget": energy,
            "pins": dict(self.pins),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedProblem:
    """Problem in a user's words, as the sections ``[objective]`` and ``[hardware]`` of an experiment state it.

    Parameters
    ----------
    objective : ObjectiveSettings
    area_budget : float or None
        Largest area in mm²; that of the space if None.
    pins : mapping of str to number
    """

    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    area_budget: float | None = None
    pins: Mapping[str, float] = field(default_factory=dict)

    def of(self, truth: JointSpace) -> JointProblem:
        """Problem on a joint space.

        Raises
        ------
        CosilicoError
            If a pin is not of the space.
        """
        # the default's area is that of the space, whatever is pinned
        limit = area_budget(truth.space) if self.area_budget is None else self.area_budget
        space = replace(pinned_space(truth.space, self.pins), area_budget=limit)
        return JointProblem(
            name=STATED, objective=self.objective.objective(space), pins=dict(self.pins)
        )

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return {
            "objective": self.objective.to_json(),
            "area_budget": self.area_budget,
            "pins": dict(self.pins),
        }
