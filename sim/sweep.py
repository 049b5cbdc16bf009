"""Many accelerators on one network: each is mapped and timed, no schedule is kept."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure
from sim.arrays.tables import Hw
from sim.mapping.mapper import plan_network
from sim.mapping.tile_choice import first_layer_cycles
from sim.schedule.schedule import time_schedule

__all__ = ["SweepColumn", "sweep"]

Array = NDArray[np.int64]


class SweepColumn(IntEnum):
    """Columns of a sweep's result."""

    MAPPED = 0
    CYCLES = 1
    EXECUTE_BUSY = 2
    READ_BYTES = 3
    WRITE_BYTES = 4


def sweep(
    forms: Sequence[tuple[Array, Array]], accelerators: Sequence[Hw], constants: Array
) -> Array:
    """Map and time a network on accelerators that can be generated.

    Parameters
    ----------
    forms : sequence of (layer table, tensor table)
        The network, and its form with an unfolded first layer if there is such a form.
    accelerators : sequence of Hw
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.

    Returns
    -------
    int64[n, len(SweepColumn)]
        Columns :class:`SweepColumn`; all 0 where :func:`sim.plan.map_network` fails.
    """
    figures = np.zeros((len(accelerators), len(SweepColumn)), np.int64)
    for hw, row in zip(accelerators, figures, strict=True):
        for layers, tensors in _by_first_layer(forms, hw):
            failure, _, _, _, lp, tp, _ = plan_network(layers, tensors, hw, 0)
            if failure != Failure.NONE:
                continue
            fits, *timed = time_schedule(layers, tensors, hw, lp, tp, constants)
            if fits:
                row[:] = fits, *timed
                break
    return figures


def _by_first_layer(forms: Sequence[tuple[Array, Array]], hw: Hw) -> Sequence[tuple[Array, Array]]:
    """Take first the form that :func:`sim.plan.map_network` takes first."""
    if len(forms) == 1:
        return forms
    return sorted(forms, key=lambda form: first_layer_cycles(form[0], form[1], hw))
