"""How much of a gain is bandwidth: the enumeration's answers with the default's bandwidth pinned."""

import dataclasses
from typing import Any

import numpy as np

from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["bandwidth_shares"]


def bandwidth_shares(
    table: CostTable,
    space: HardwareSpace,
    chosen: AcceleratorConfig,
    objective: Objective,
) -> dict[str, Any]:
    """Return what bandwidth alone and everything else alone are worth.

    Parameters
    ----------
    table : CostTable
        A network on every accelerator of ``space``.
    space : HardwareSpace
    chosen : AcceleratorConfig
        Point of the space whose gain over the default is to be told apart.
    objective : Objective

    Returns
    -------
    dict
        ``pinned_optimum``: best accelerator within the budget that has the default's bandwidth.
        ``widened_default``: the default with the bandwidth of ``chosen``, whatever its area. Each
        as :meth:`CostTable.figures` gives it, or None if there is none that runs the network.
    """
    default = space.default
    bandwidth = np.array([config.io_bandwidth_gbps for config in table.configs])
    pinned = table.select(np.flatnonzero(bandwidth == default.io_bandwidth_gbps))
    best = objective.best(pinned)
    widened = space.flat_index(
        dataclasses.replace(default, io_bandwidth_gbps=chosen.io_bandwidth_gbps)
    )
    return {
        "pinned_optimum": None if best is None else pinned.figures(best),
        "widened_default": table.figures(widened) if table.realizable[widened] else None,
    }
