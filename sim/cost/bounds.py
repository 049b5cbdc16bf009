"""Lower bounds of costs, as a cost table; the exact costs are at least as high."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.arrays.tables import Hw, accelerator_row
from sim.cost.columns import COLD_COLUMNS, COST_COLUMNS, Costing
from sim.cost.table import CostTable
from sim.mapping.memo import own_memo
from sim.plan import network_tables
from sim.schedule.least_transfers import footprints, last_readers
from sim.schedule.lower_bound import IMPOSSIBLE, LEAST_COLUMNS, least_figures
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES
from sim.spec.header import HEADER_BYTES
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.network import LayerKind, Network
from sim.sweep import SweepColumn
from sim.timing import calibration as calibrations
from sim.timing.calibration import Calibration

__all__ = ["lower_bounds"]

_ROUNDING = 1e-3
"""Cycles or bytes by which sums of floating-point numbers may be off."""


def lower_bounds(
    configs: Sequence[AcceleratorConfig],
    network: Network,
    calibration: Calibration | None = None,
    *,
    memory: MemorySystem = DETERMINISTIC,
    columns: Sequence[str] | None = None,
) -> CostTable:
    """Bound the costs of accelerators on a network from below; nothing is mapped.

    Cycles, busy cycles, bytes and descriptors are the bounds of :func:`sim.schedule.lower_bound.least_figures`. The
    other columns follow from these as in :func:`sim.cost.costs.evaluate_many`: the energy grows with
    each of them, so it is a bound, too; the area is exact. Of a network that concatenates or multiplies tensors all of
    them are 0, but for the header: nothing is bounded.

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
        Each can be generated.
    network : Network
    calibration : Calibration, optional
        Timing constants; those shipped with the gateware if not given.
    memory : MemorySystem
        What lies behind the ports. Its latencies count; its other limits only raise the costs.
    columns : sequence of str, optional
        Columns of the table; all of :data:`sim.cost.columns.COST_COLUMNS` if not given.

    Returns
    -------
    CostTable
        ``MAP_WEIGHTS`` where the bound shows that the network cannot be mapped; of the other
        accelerators some may still not be realizable.

    Raises
    ------
    CosilicoError
        If the memory is a DRAM.
    """
    constants = (calibration or calibrations.default()).walked(require_fixed(memory))
    colds = columns is None or not COLD_COLUMNS.isdisjoint(columns)
    least, possible = _least(configs, network, constants, colds)
    swept = np.zeros((len(configs), len(SweepColumn)), np.int64)
    for i, column in enumerate(
        (
            SweepColumn.CYCLES,
            SweepColumn.EXECUTE_BUSY,
            SweepColumn.READ_BYTES,
            SweepColumn.WRITE_BYTES,
            SweepColumn.STORE_BYTES,
            SweepColumn.DESCRIPTOR_BYTES,
            SweepColumn.COLD_CYCLES,
            SweepColumn.COLD_EXECUTE_BUSY,
            SweepColumn.COLD_READ_BYTES,
            SweepColumn.COLD_STORE_BYTES,
        )
    ):
        swept[possible, column] = np.ceil(least[possible, i] - _ROUNDING)
    swept[possible, SweepColumn.DESCRIPTOR_BYTES] *= DESCRIPTOR_BYTES
    swept[possible, SweepColumn.DESCRIPTOR_BYTES] += HEADER_BYTES
    costing = Costing(configs=configs, network=network, sweep=swept, realizable=possible)
    return CostTable(
        configs=tuple(configs),
        violations=[() if fits else ("MAP_WEIGHTS",) for fits in possible],
        excess=np.zeros(len(configs)),
        values={name: costing[name] for name in (COST_COLUMNS if columns is None else columns)},
    )


def _least(
    configs: Sequence[AcceleratorConfig],
    network: Network,
    constants: NDArray[np.int64],
    colds: bool,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Least figures over the forms in which a network may be mapped, and where there is a form."""
    if (
        network.joints
        or network.further_inputs
        or any(layer.kind is LayerKind.MULTIPLY for layer in network.layers)
    ):
        return np.zeros((len(configs), LEAST_COLUMNS)), np.ones(len(configs), np.bool_)
    rows = np.array([accelerator_row(config) for config in configs], np.int64).reshape(
        -1, len(Hw._fields)
    )
    forms = []
    for _, layers, tensors in network_tables(network):
        pixels, readers = footprints(layers, tensors), last_readers(layers)
        forms.append(
            least_figures(layers, tensors, pixels, readers, rows, constants, colds, own_memo())
        )
    figures = np.array(forms)  # [forms, n, columns]
    possible: NDArray[np.bool_] = np.any(figures[:, :, 0] < IMPOSSIBLE, axis=0)
    figures[figures[:, :, 0] >= IMPOSSIBLE] = IMPOSSIBLE
    return figures.min(0), possible
