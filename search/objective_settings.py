"""Settings of the objective."""

import math
from dataclasses import dataclass, field

from search.sections import Section, number, optional
from sim.cost.area import area_budget
from sim.cost.objective import COST_EXPONENT, METRICS, Metric, Objective
from sim.spec.rules import Choice, Number
from sim.spec.spaces import HardwareSpace

__all__ = ["ObjectiveSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSettings(Section):
    """A section ``[objective]``: what is minimized, and what no design may exceed.

    The budget of area stands in ``[hardware]``.

    Parameters
    ----------
    metric : "latency", "energy", "area" or "edp"
        Cost of an accelerator; edp is the energy-delay product.
    latency_budget_ms : float or None
        Most milliseconds for an image, or for the workload.
    energy_budget_uj : float or None
        Most microjoules for an image, or for the workload.
    cost_exponent : float
        Power of cost / target by which the score multiplies an accuracy: with -0.07, half the cost is worth a twentieth of the
        accuracy; with 0, the most accurate network wins.
    """

    metric: Metric = field(default="latency", metadata={"rule": Choice(tuple(METRICS))})
    latency_budget_ms: float | None = optional(Number(1e-6, 1e9))
    energy_budget_uj: float | None = optional(Number(1e-6, 1e12))
    cost_exponent: float = number(COST_EXPONENT, -10.0, 0.0)

    def objective(self, space: HardwareSpace) -> Objective:
        """Objective for the accelerators of a space."""
        latency, energy = self.latency_budget_ms, self.energy_budget_uj
        return Objective(
            metric=self.metric,
            area_budget=area_budget(space),
            cycles_budget=math.inf if latency is None else latency * 1e3 * space.clock_mhz,
            energy_budget=math.inf if energy is None else energy * 1e6,
            cost_exponent=self.cost_exponent,
        )
