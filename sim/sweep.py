"""Many accelerators on one network in one compiled call: mapped and timed, no schedule kept."""

from enum import IntEnum

import numpy as np

from sim.kernel import kernel
from sim.mapper import first_layer_cycles, plan_network
from sim.plans import Failure
from sim.schedule import time_schedule

__all__ = ["Found", "sweep"]


class Found(IntEnum):
    """Columns of a sweep's result."""

    MAPPED = 0
    CYCLES = 1
    EXECUTE_BUSY = 2
    READ_BYTES = 3
    WRITE_BYTES = 4


COLUMNS = len(Found)


@kernel
def _time(form, hw, constants, found):  # type: ignore[no-untyped-def]  # numba infers the types
    """Map and time one form of the network; returns whether it can be mapped."""
    layers, tensors = form
    failure, _, _, _, lp, tp, _ = plan_network(layers, tensors, hw, 0)
    if failure != Failure.NONE:
        return False
    fits, cycles, busy, read, written = time_schedule(layers, tensors, hw, lp, tp, constants)
    if fits:
        found[Found.MAPPED] = 1
        found[Found.CYCLES], found[Found.EXECUTE_BUSY] = cycles, busy
        found[Found.READ_BYTES], found[Found.WRITE_BYTES] = read, written
    return fits


@kernel
def sweep(plain, other, accelerators, constants):  # type: ignore[no-untyped-def]
    """Map and time a network on accelerators that can be generated.

    Parameters
    ----------
    plain, other : (layer table, tensor table)
        The network, and its form with an unfolded first layer; again the network where it has none.
    accelerators : int64[n, 11]
        Columns :class:`sim.tables.Hw`.
    constants : int64[n_constants]
        :attr:`sim.calibration.Calibration.array`.

    Returns
    -------
    int64[n, 5]
        Columns :class:`Found`; all 0 where :func:`sim.plan.map_network` fails.
    """
    found = np.zeros((accelerators.shape[0], COLUMNS), np.int64)
    for i in range(accelerators.shape[0]):
        hw = accelerators[i]
        first, second = plain, other
        if first_layer_cycles(other[0], other[1], hw) < first_layer_cycles(plain[0], plain[1], hw):
            first, second = other, plain
        if not _time(first, hw, constants, found[i]) and other[0] is not plain[0]:
            _time(second, hw, constants, found[i])
    return found
