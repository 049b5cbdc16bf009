"""Pinned fields: how much of a gain is bandwidth, and spaces in which fields have a single value."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.spaces import HardwareSpace

__all__ = ["bandwidth_shares", "pinned_space"]


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


def pinned_space(space: HardwareSpace, pins: Mapping[str, float]) -> HardwareSpace:
    """Space in which some fields have a single value, the default's as well.

    Parameters
    ----------
    space : HardwareSpace
    pins : mapping of str to number
        A value of the space for each field; the space itself is returned where there are none.

    Raises
    ------
    CosilicoError
        If the space has not a field, or not its value.
    """
    if not pins:
        return space
    chosen: dict[str, Any] = {}
    for name, value in pins.items():
        if name not in space.values:
            raise CosilicoError(f"pin must be of {', '.join(space.values)}, not of {name!r}")
        known = [each for each in space.values[name] if each == value]
        if not known:
            values = ", ".join(f"{each:g}" for each in space.values[name])
            raise CosilicoError(f"pin {name} must be one of {values}, not {value:g}")
        chosen[name] = known[0]
    return dataclasses.replace(
        space,
        values={**space.values, **{name: (value,) for name, value in chosen.items()}},
        default=dataclasses.replace(space.default, **chosen),
    )
