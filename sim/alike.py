"""Accelerators that are alike to the mapper or to the cycle model: each is asked once for all of them.

What makes them alike is read from a plan, and from what the mapper has asked: a larger weight store changes nothing once all weights fit,
larger register files nothing once no weights are split, and a larger or smaller local memory nothing as long as the same fits. The cycle model sees a plan, and not the memories that it is for.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import Hw
from sim.mapping.bank_room import BEYOND, LEAST, any_depth
from sim.mapping.mapper import plan_network
from sim.plan import Tables
from sim.schedule.schedule import time_schedule

__all__ = ["Alike"]

Array = NDArray[np.int64]

Plan = tuple[int, int, int, int, Array, Array, int]
"""Answer of :func:`sim.mapping.mapper.plan_network`."""

Figures = tuple[bool, int, int, int, int, int, int]
"""Answer of :func:`sim.schedule.schedule.time_schedule`."""

_KEPT = 1 << 13
"""Accelerators of which is kept what they have in common with others."""


class _Made(NamedTuple):
    """A plan, and the accelerators that it is for.

    Parameters
    ----------
    plan : Plan
    hw : Hw
        The accelerator that was mapped.
    store_rows : int
        Fewest rows of a weight store that give the same plan.
    weight_rows : int
        Fewest register-file rows that do, whatever the accumulator rows are; 0 where others do not.
    least, beyond : int
        Depths of banks that do, from ``least`` on before ``beyond``.
    """

    plan: Plan
    hw: Hw
    store_rows: int
    weight_rows: int
    least: int
    beyond: int

    @classmethod
    def of(cls, plan: Plan, hw: Hw, depths: Array) -> "_Made":
        """Read from a plan for whom else it is."""
        layers = plan[4]
        stored = int(layers[:, LayerPlan.STORED_ROWS].sum())
        if stored == hw.store_rows:  # it may be full, with weights left
            stored = -1
        whole = bool((layers[:, LayerPlan.SPLITS] == 1).all())
        rows = int(layers[:, LayerPlan.WEIGHT_ROWS].max()) if whole else 0
        return cls(plan, hw, stored, rows, int(depths[LEAST]), int(depths[BEYOND]))

    def serves(self, hw: Hw) -> bool:
        """Whether an accelerator that differs in its memories has this plan, too."""
        if not self.least <= hw.bank_depth < self.beyond:
            return False
        own = self.hw
        stored = hw.store_rows == own.store_rows or 0 <= self.store_rows <= hw.store_rows
        files = (hw.weight_rows, hw.accumulator_rows) == (own.weight_rows, own.accumulator_rows)
        return stored and (files or 0 < self.weight_rows <= hw.weight_rows)


@lru_cache(maxsize=_KEPT)
def _but_memories(hw: Hw) -> Hw:
    """The accelerator without its local memories, register files and weight store."""
    return hw._replace(bank_depth=0, weight_rows=0, accumulator_rows=0, store_rows=0)


@lru_cache(maxsize=_KEPT)
def _walked(hw: Hw) -> Hw:
    """Leave what the cycle model reads of an accelerator that computes an image per program."""
    return hw._replace(bank_depth=0, weight_rows=0, accumulator_rows=1, store_rows=0)


class Alike:
    """Plans and figures of accelerators, each made once for those that are alike.

    Nothing is kept for accelerators that have nobody alike, or for several images per program.

    Parameters
    ----------
    accelerators : sequence of Hw
        All that will be asked for.
    """

    def __init__(self, accelerators: Sequence[Hw]) -> None:
        self._mapped = Counter(map(_but_memories, accelerators))
        self._timed = Counter(map(_walked, accelerators))
        self._plans: dict[tuple[int, Hw], list[_Made]] = {}
        self._figures: dict[tuple[Any, ...], list[tuple[Array, Array, Figures]]] = {}

    def plan(self, form: Tables, hw: Hw, cut: int) -> Plan:
        """Answer as :func:`sim.mapping.mapper.plan_network` does of a form of a network."""
        _, layers, tensors = form
        key = _but_memories(hw)
        if hw.images > 1 or self._mapped[key] == 1:
            made: Plan = plan_network(layers, tensors, hw, cut)
            return made
        known = self._plans.setdefault((id(layers), key), [])
        for other in reversed(known):  # neighbours are mostly alike
            if other.serves(hw):
                return other.plan
        depths = any_depth()
        made = plan_network(layers, tensors, hw, cut, depths)
        if made[0] == Failure.NONE:
            known.append(_Made.of(made, hw, depths))
        return made

    def time(
        self, form: Tables, hw: Hw, plan: Plan, constants: Array, *, cold: bool = False
    ) -> Figures:
        """Answer as :func:`sim.schedule.schedule.time_schedule` does of a plan of the form, with the same constants always."""
        _, layers, tensors = form
        *_, layer_plan, tensor_plan, end = plan
        if hw.images > 1:
            return time_schedule(layers, tensors, hw, layer_plan, tensor_plan, constants, cold=cold)
        walked = _walked(hw)
        if self._timed[walked] == 1:
            return time_schedule(
                layers, tensors, walked, layer_plan, tensor_plan, constants, cold=cold
            )
        # equal plans have equal sums, and few others have
        sums = int(layer_plan.sum()), int(tensor_plan.sum())
        known = self._figures.setdefault((id(layers), walked, cold, end, *sums), [])
        for other_layers, other_tensors, figures in known:
            if np.array_equal(other_layers, layer_plan) and np.array_equal(
                other_tensors, tensor_plan
            ):
                return figures
        figures = time_schedule(
            layers, tensors, walked, layer_plan, tensor_plan, constants, cold=cold
        )
        known.append((layer_plan, tensor_plan, figures))
        return figures
