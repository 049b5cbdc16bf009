"""Cycles in which EXECUTE waits for a LOAD, descriptor by descriptor, as the exact model walks."""

from collections.abc import Iterator
from typing import NamedTuple

from sim.arrays.schedule_columns import AFTER_LOAD, KIND, LAYER, QUEUE
from sim.arrays.tables import accelerator_row
from sim.plan import Mapped
from sim.spec.descriptor import LoadKind, Queue
from sim.spec.memories import DETERMINISTIC
from sim.timing import calibration as calibrations
from sim.timing.calibration import Constant
from sim.timing.cycles import WAIT_LOAD, clock_at_doorbell, step

__all__ = ["Wait", "waits_for_loads"]


class Wait(NamedTuple):
    """A time in which EXECUTE is idle and its queue's head lacks a token of LOAD.

    ``layer`` is that of the head, ``begin`` and ``end`` are cycles after the doorbell, ``weights`` tells weights from a tile,
    and ``of`` is the layer that the awaited LOAD is for.
    """

    layer: int
    begin: int
    end: int
    weights: bool
    of: int


def waits_for_loads(mapped: Mapped) -> Iterator[Wait]:
    """Yield the waits of a warm run in their order; together they are the counter EXECUTE_WAIT_LOAD."""
    hw = accelerator_row(mapped.config, mapped.images)
    constants = calibrations.default().walked(DETERMINISTIC)
    clock = clock_at_doorbell(hw, constants, len(mapped.rows))
    before = 0
    for index, row in enumerate(mapped.rows):
        step(row, index, hw, constants, clock)
        waited = int(clock.fetch[WAIT_LOAD]) - before
        before += waited
        if row[QUEUE] == Queue.EXECUTE and waited:
            end = int(clock.done[row[AFTER_LOAD]] + constants[Constant.TOKEN])
            load = mapped.rows[row[AFTER_LOAD]]
            weights = bool(load[KIND] == LoadKind.WEIGHTS)
            yield Wait(int(row[LAYER]), end - waited, end, weights, int(load[LAYER]))
