"""Accelerators that are alike to the mapper or to the cycle model: each is asked once for all of them.

What makes them alike is read from a plan: a larger weight store changes nothing once all weights fit, and
larger register files nothing once no weights are split. The cycle model sees a plan, and not the memories that it is for.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import Hw
from sim.mapping.mapper import plan_network
from sim.plan import Tables
from sim.schedule.schedule import time_schedule

__all__ = ["Alike"]

Array = NDArray[np.int64]

Plan = tuple[int, int, int, int, Array, Array, int]
"""Answer of :func:`sim.mapping.mapper.plan_network`."""


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
    """

    plan: Plan
    hw: Hw
    store_rows: int
    weight_rows: int

    @classmethod
    def of(cls, plan: Plan, hw: Hw) -> "_Made":
        """Read from a plan for whom else it is."""
        layers = plan[4]
        stored = int(layers[:, LayerPlan.STORED_ROWS].sum())
        if stored == hw.store_rows:  # it may be full, with weights left
            stored = -1
        whole = bool((layers[:, LayerPlan.SPLITS] == 1).all())
        return cls(plan, hw, stored, int(layers[:, LayerPlan.WEIGHT_ROWS].max()) if whole else 0)

    def serves(self, hw: Hw) -> bool:
        """Whether an accelerator that differs in its register files and weight store has this plan, too."""
        own = self.hw
        stored = hw.store_rows == own.store_rows or 0 <= self.store_rows <= hw.store_rows
        files = (hw.weight_rows, hw.accumulator_rows) == (own.weight_rows, own.accumulator_rows)
        return stored and (files or 0 < self.weight_rows <= hw.weight_rows)


def _but_files(hw: Hw) -> Hw:
    """The accelerator without its register files and weight store."""
    return hw._replace(weight_rows=0, accumulator_rows=0, store_rows=0)


def _walked(hw: Hw) -> Hw:
    """Leave what the cycle model reads of an accelerator that computes an image per program."""
    return _but_files(hw)._replace(bank_depth=0, accumulator_rows=1)


class Alike:
    """Plans and figures of accelerators, each made once for those that are alike.

    Nothing is kept for accelerators that have nobody alike, or for several images per program.

    Parameters
    ----------
    accelerators : sequence of Hw
        All that will be asked for.
    """

    def __init__(self, accelerators: Sequence[Hw]) -> None:
        self._mapped = Counter(map(_but_files, accelerators))
        self._timed = Counter(map(_walked, accelerators))
        self._plans: dict[tuple[int, Hw], list[_Made]] = {}
        self._figures: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def plan(self, form: Tables, hw: Hw, cut: int) -> Plan:
        """Answer as :func:`sim.mapping.mapper.plan_network` does of a form of a network."""
        _, layers, tensors = form
        key = _but_files(hw)
        if hw.images > 1 or self._mapped[key] == 1:
            made: Plan = plan_network(layers, tensors, hw, cut)
            return made
        known = self._plans.setdefault((id(layers), key), [])
        for other in known:
            if other.serves(hw):
                return other.plan
        made = plan_network(layers, tensors, hw, cut)
        if made[0] == Failure.NONE:
            known.append(_Made.of(made, hw))
        return made

    def time(
        self, form: Tables, hw: Hw, plan: Plan, constants: Array, *, cold: bool = False
    ) -> tuple[bool, int, int, int, int, int]:
        """Answer as :func:`sim.schedule.schedule.time_schedule` does of a plan of the form, with the same constants always."""
        _, layers, tensors = form
        *_, layer_plan, tensor_plan, _ = plan
        if hw.images > 1:
            return time_schedule(layers, tensors, hw, layer_plan, tensor_plan, constants, cold=cold)
        walked = _walked(hw)
        if self._timed[walked] == 1:
            return time_schedule(
                layers, tensors, walked, layer_plan, tensor_plan, constants, cold=cold
            )
        digest = hashlib.sha256(layer_plan.tobytes() + tensor_plan.tobytes()).digest()
        key = (id(layers), walked, digest, cold)
        if key not in self._figures:
            self._figures[key] = time_schedule(
                layers, tensors, walked, layer_plan, tensor_plan, constants, cold=cold
            )
        figures: tuple[bool, int, int, int, int, int] = self._figures[key]
        return figures
