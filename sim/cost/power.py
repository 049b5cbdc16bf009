"""Highest power of accelerators at their clock, by the fitted energy: of a run in which everything works in every cycle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cost.energy import Activity, energy
from sim.cost.energy_parts import Work
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["peak_power", "peak_powers"]

_CYCLES = 1 << 16
"""Cycles of the run, so many that bytes of a paced bus are whole numbers to five digits."""


def peak_power(config: AcceleratorConfig) -> float:
    """Highest power of an accelerator at its clock, mW in 45 nm, without the external memory and its interface.

    All multipliers and all requantizers work in every cycle, the weight store gives a row, and the bus brings and takes what
    the bandwidth allows. No run needs as much: MACs and values to requantize take turns. It is a bound for a supply, not an average.

    Raises
    ------
    DesignFileError
        If no fits of energy and of standard cells are shipped.
    """
    breakdown = energy(config, _busiest(config))
    picojoules = breakdown.total - breakdown.external_memory
    return picojoules / _CYCLES * config.clock_mhz * 1e-3


def peak_powers(configs: Sequence[AcceleratorConfig]) -> NDArray[np.float64]:
    """Highest powers of many accelerators, mW : float64[n], those of :func:`peak_power`."""
    return np.array([peak_power(config) for config in configs], np.float64)


def _busiest(config: AcceleratorConfig) -> Activity:
    """Activity in which nothing ever waits."""
    bytes_per_cycle = min(config.bus_bytes, config.io_bandwidth_gbps * 1000 / config.clock_mhz)
    moved = round(bytes_per_cycle * _CYCLES)
    work = Work(
        macs=config.macs * _CYCLES,
        results=config.pes * config.compute_lanes * config.requantizer_width * _CYCLES,
    )
    return Activity(
        total_cycles=_CYCLES,
        execute_busy=_CYCLES,
        read_bytes=moved,
        write_bytes=moved,
        store_bytes=config.row_bytes * _CYCLES if config.weight_store_kb else 0,
        layers=(work,),
    )
