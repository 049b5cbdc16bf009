"""Certified search: the optimum of a space with a proof, in a fraction of its evaluations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.result import Outcome, Proof
from search.strategies.accelerator_search import AcceleratorSearch
from search.strategies.certified_settings import CertifiedSettings
from search.strategies.protocol import HardwareProblem, StageEnd
from sim.cost.table import CostTable
from sim.realizability import check

__all__ = ["Certified"]

CHUNK = 1000
"""Points that are bounded in a step."""

ROUNDING = 1e-9
"""Relative error that a product of bounds may have."""


class Certified(AcceleratorSearch):
    """Best-first search by a lower bound of the cost (Land & Doig, 1960; a space's points are its leaves).

    The bounds of all points that can be generated are computed, within the area budget, which is exact.
    Points are evaluated in their order, the lowest bound first. When the next bound is above the best
    cost, no point that is left can be better: the best is the optimum. Points of equal cost are
    compared by area, so those whose bound equals the best cost are evaluated, too.

    Parameters
    ----------
    problem : HardwareProblem
        Its bounds are of its evaluator's cost model.
    settings : CertifiedSettings
    """

    def __init__(self, problem: HardwareProblem, settings: CertifiedSettings) -> None:
        super().__init__(problem)
        self._settings = settings
        self._rows: list[NDArray[np.float64]] = []
        self._order: NDArray[np.int64] | None = None
        self._done = self._compared = 0

    @property
    def stages(self) -> Mapping[str, int]:
        """Steps of the bounds, and of all points; the proof ends them."""
        size = len(self.hardware)
        return {
            "bounds": -(-size // CHUNK),
            "certified": -(-size // self._settings.batch),
        }

    def step(self, stage: str) -> None:
        """Bound some points, or evaluate those with the lowest bounds."""
        if stage == "bounds":
            self._bound_next()
            return
        bounds, order = self._ordered()
        self._require_bounded(bounds)
        best = self.best
        if best is not None:
            cost = float(self.problem.objective.cost(best))
            if self._done == len(order) or bounds[order[self._done]] > cost:
                raise StageEnd
        chosen = order[self._done : self._done + self._settings.batch]
        if not len(chosen):
            raise StageEnd
        self.evaluate([self.hardware.at(int(point)) for point in chosen], stage)
        self._done += len(chosen)
        self._require_bounded(bounds)

    def outcome(self) -> Outcome:
        """Return the best design with what is proved of it."""
        outcome = super().outcome()
        return Outcome(
            design=outcome.design,
            default=outcome.default,
            best=outcome.best,
            proof=self.proof(),
        )

    def proof(self) -> Proof | None:
        """State what is proved of the best design; None where there is none."""
        if self.best is None:
            return None
        records = self.problem.evaluator.records
        bounds, order = self._ordered()
        cost = float(self.problem.objective.cost(self.best))
        left = float(bounds[order[self._done]]) if self._done < len(order) else np.inf
        return Proof(
            cost=cost,
            bound=min(cost, left),
            evaluations=sum(row.network == self.problem.network.name for row in records),
            points=len(self.hardware),
        )

    def _require_bounded(self, bounds: NDArray[np.float64]) -> None:
        """Raise ``ValueError`` where an evaluation shows that its bound is none."""
        objective, records = self.problem.objective, self.problem.evaluator.records
        for row in records[self._compared :]:
            point = self.hardware.flat_index(row.accelerator)
            if objective.feasible(row) and objective.cost(row) < bounds[point]:
                raise ValueError(
                    f"bounds must be of the evaluator's cost model, not above it for {row.accelerator}"
                )
        self._compared = len(records)

    def _bound_next(self) -> None:
        """Bound the next chunk; infinite where a point cannot be feasible."""
        start = sum(map(len, self._rows))
        configs = [
            self.hardware.at(i) for i in range(start, min(start + CHUNK, len(self.hardware)))
        ]
        bounds = np.full(len(configs), np.inf)
        possible = [i for i, config in enumerate(configs) if not check(config)]
        if possible:
            table: CostTable = self.problem.bounds(
                [configs[i] for i in possible],
                self.problem.network,
                columns=self.problem.objective.columns,
            )
            fits = self.problem.objective.feasible(table)
            costs = self.problem.objective.cost(table) * (1 - ROUNDING)
            bounds[possible] = np.where(fits, costs, np.inf)
        self._rows.append(bounds)

    def _ordered(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bounds of all points, and the points that may be feasible, by rising bound."""
        while sum(map(len, self._rows)) < len(self.hardware):  # of a search that goes on
            self._bound_next()
        if len(self._rows) > 1:
            self._rows = [np.concatenate(self._rows)]
        bounds = self._rows[0]
        if self._order is None:
            order = np.argsort(bounds, kind="stable")
            self._order = order[np.isfinite(bounds[order])]
        return bounds, self._order

    def state_dict(self) -> dict[str, Any]:
        """Number of points that were evaluated in the bounds' order; the bounds are made again."""
        return {"done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned."""
        self._done = state["done"]
