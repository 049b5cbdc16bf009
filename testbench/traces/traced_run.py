"""A traced run beside its schedule, and the walk that predicts it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays.tables import Hw
from sim.spec.queued_memory import QueuedMemory
from sim.timing.calibration import Calibration
from sim.timing.queued import parameters, servers_at_doorbell
from sim.timing.queued_walk import port_parameters, walk_queued_arrays

__all__ = ["TracedRun", "Walker"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TracedRun:
    """A program's schedule and what was measured of its run.

    Parameters
    ----------
    name : str
    rows : int64[n, len(COLUMNS)]
        The schedule.
    hw : Hw
    header : int
        Address of the program's header.
    layers : int64[n]
        Layer of every descriptor.
    start, end : int64[n]
        Cycles after the doorbell; -1 where unknown.
    total : int
        Cycles from doorbell to done; -1 if unknown.
    chosen : bool[n]
        Descriptors that a fit counts; the others are held out.
    """

    name: str
    rows: NDArray[np.int64]
    hw: Hw
    header: int
    layers: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    total: int
    chosen: NDArray[np.bool_]

    @property
    def cycles(self) -> int:
        """Cycles of the run: the total, or the latest end where that is unknown."""
        return self.total if self.total > 0 else int(self.end.max())


class Walker:
    """Predicts runs on queued memories.

    Parameters
    ----------
    calibration : Calibration
        The accelerator's constants.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._constants = calibration.array

    def predict(
        self, runs: Iterable[TracedRun], memory: QueuedMemory
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
        """Yield start and end of every descriptor of each run, and its total."""
        q = parameters(memory)
        p = port_parameters(memory.write_queue)
        for run in runs:
            servers, banks = servers_at_doorbell(q)
            start, _, end, _, total = walk_queued_arrays(
                run.rows, run.hw, self._constants, p, q, servers, banks, run.header
            )
            yield start, end, int(total)
