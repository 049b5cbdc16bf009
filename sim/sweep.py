"""Many accelerators on one network: each is mapped and timed, no schedule is kept."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.alike import Alike
from sim.arrays.plan_columns import Failure
from sim.arrays.tables import Hw
from sim.mapping.mapper import plan_network
from sim.plan import Refusal, Tables, by_first_layer, overflow
from sim.schedule.schedule import build_schedule, weigh_schedule
from sim.spec.header import program_bytes

__all__ = ["SweepColumn", "sweep"]

Array = NDArray[np.int64]


class SweepColumn(IntEnum):
    """Columns of a sweep's figures.

    Where weights stay in the weight store, those without COLD are of a run that finds them there. Both runs write the same
    bytes and have as many descriptors; DESCRIPTOR_BYTES are those of the header and of all of them.
    """

    CYCLES = 0
    EXECUTE_BUSY = 1
    READ_BYTES = 2
    WRITE_BYTES = 3
    STORE_BYTES = 4
    DESCRIPTOR_BYTES = 5
    COLD_CYCLES = 6
    COLD_EXECUTE_BUSY = 7
    COLD_READ_BYTES = 8
    COLD_STORE_BYTES = 9


def sweep(
    forms: Sequence[Tables], accelerators: Sequence[Hw], constants: Array, *, cold: bool = True
) -> tuple[Array, list[Refusal | None]]:
    """Map and time a network on accelerators that can be generated, each form of it once.

    Parameters
    ----------
    forms : sequence of (network, layer table, tensor table)
        Of :func:`sim.plan.network_tables`.
    accelerators : sequence of Hw
        With the images of a program, for which all figures are.
    constants : int64[n_constants]
        :meth:`sim.timing.calibration.Calibration.walked`.
    cold : bool
        Whether cold runs are timed, too; else their columns are 0 where they differ from the others.

    Returns
    -------
    figures : int64[n, len(SweepColumn)]
        Columns :class:`SweepColumn`; all 0 where :func:`sim.plan.map_network` fails.
    refusals : list of Refusal or None
        Limits that :func:`sim.plan.map_network` says; None where it does not fail.
    """
    figures = np.zeros((len(accelerators), len(SweepColumn)), np.int64)
    alike = Alike(accelerators)
    refusals = [
        _time(forms, hw, constants, row, cold, alike)
        for hw, row in zip(accelerators, figures, strict=True)
    ]
    return figures, refusals


def _time(
    forms: Sequence[Tables], hw: Hw, constants: Array, row: Array, cold: bool, alike: Alike
) -> Refusal | None:
    """Fill the figures of an accelerator, or say what stops the network as it is."""
    refused = None
    for form in by_first_layer(forms, hw):
        _, layers, tensors = form
        cut = 0 if hw.images == 1 else _best_cut(layers, tensors, hw)
        plan = alike.plan(form, hw, cut)
        failure, layer, needed, available, lp, tp, _ = plan
        broken: Refusal | None
        if failure == Failure.NONE:
            fits, *warm = alike.time(form, hw, plan, constants)
            if fits:
                *run, descriptors = warm
                first = run
                if run[SweepColumn.STORE_BYTES]:
                    first = [0] * len(run)
                    if cold:
                        _, *first, _ = alike.time(form, hw, plan, constants, cold=True)
                cycles, busy, read_bytes, _, store_bytes = first
                # in the order of SweepColumn
                row[:] = (
                    *(*run, program_bytes(descriptors)),
                    *(cycles, busy, read_bytes, store_bytes),
                )
                return None
            broken = overflow(build_schedule(layers, tensors, hw, lp, tp))
        else:
            broken = Refusal(Failure(failure), layer, needed, available)
        if form is forms[0]:
            refused = broken
    assert refused is not None
    return refused


def _best_cut(layers: Array, tensors: Array, hw: Hw) -> int:
    """Cut of a batch that :func:`sim.plan.map_network` takes, which is weighed least.

    Behind the last layer where no cut can be mapped.
    """
    best, least = len(layers), None
    for cut in range(len(layers), -1, -1):
        failure, _, _, _, layer_plan, tensor_plan, _ = plan_network(layers, tensors, hw, cut)
        if failure != Failure.NONE:
            continue
        rows = build_schedule(layers, tensors, hw, layer_plan, tensor_plan)
        if overflow(rows) is not None:
            continue
        cost = weigh_schedule(rows, len(layers), hw)
        if least is None or cost < least:
            best, least = cut, cost
    return best
