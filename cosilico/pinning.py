"""How much of a gain is bandwidth: the enumeration's answers with the default's bandwidth pinned."""

import dataclasses
from typing import Any

import numpy as np

from cosilico.enumeration import Enumeration
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import HardwareSpace

__all__ = ["bandwidth_shares", "enumerated"]


def bandwidth_shares(
    table: Enumeration,
    space: HardwareSpace,
    chosen: AcceleratorConfig,
    area_budget: float,
    metric: str,
) -> dict[str, Any]:
    """Return what bandwidth alone and everything else alone are worth.

    Parameters
    ----------
    table : Enumeration
        A network on every accelerator of ``space``.
    space : HardwareSpace
    chosen : AcceleratorConfig
        Point of the space whose gain over the default is to be told apart.
    area_budget : float
        mm² of the area proxy.
    metric : str
        "latency" or "edp".

    Returns
    -------
    dict
        ``pinned_optimum``: best accelerator within the budget that has the default's bandwidth.
        ``widened_default``: the default with the bandwidth of ``chosen``, whatever its area. Each
        as :func:`enumerated` gives it, or None if there is none that runs the network.
    """
    default = space.default
    bandwidth = np.array([config.io_bandwidth_gbps for config in table.configs])
    rows = np.flatnonzero(table.realizable & (table.area <= area_budget))
    rows = rows[bandwidth[rows] == default.io_bandwidth_gbps]
    order = np.lexsort((table.area[rows], table.cost(metric)[rows]))
    widened = space.flat_index(
        dataclasses.replace(default, io_bandwidth_gbps=chosen.io_bandwidth_gbps)
    )
    return {
        "pinned_optimum": enumerated(table, int(rows[order[0]])) if len(rows) else None,
        "widened_default": enumerated(table, widened) if table.realizable[widened] else None,
    }


def enumerated(table: Enumeration, row: int) -> dict[str, Any]:
    """Return accelerator, predicted cycles, area (mm²) and energy (pJ) of a row of the table."""
    return {
        "accelerator": table.configs[row].to_json(),
        "predicted_cycles": int(table.cycles[row]),
        "area": float(table.area[row]),
        "energy": float(table.energy[row]),
    }
