"""Highest power of accelerators at their clock, by the fitted energy: of a run in which everything works in every cycle."""

from sim.cost.energy import Activity, energy
from sim.cost.energy_parts import Work
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["peak_power"]

_CYCLES = 1 << 16
"""Cycles of the run, so many that bytes of a paced bus are whole numbers to five digits."""


def peak_power(config: AcceleratorConfig) -> float:
    """Highest power of an accelerator at its clock, mW in 45 nm, without the external memory and its interface.

    All multipliers and all requantizers work in every cycle, the weight store gives a row to each column of PEs, and the bus
    brings and takes what the bandwidth allows. No run needs as much: MACs and values to requantize take turns. It is a bound for a supply, not an average.

    Raises
    ------
    DesignFileError
        If no fits of energy and of standard cells are shipped.
    """
    breakdown = energy(config, _busiest(config))
    picojoules = breakdown.total - breakdown.external_memory
    return picojoules / _CYCLES * config.clock_mhz * 1e-3


def _busiest(config: AcceleratorConfig) -> Activity:
    """Activity in which nothing ever waits."""
    bytes_per_cycle = min(config.bus_bytes, config.io_bandwidth_gbps * 1000 / config.clock_mhz)
    moved = round(bytes_per_cycle * _CYCLES)
    rows = config.pes_x if config.weight_store_kb else 0
    work = Work(
        macs=config.macs * _CYCLES,
        results=config.pes * config.compute_lanes * config.requantizer_width * _CYCLES,
    )
    return Activity(
        total_cycles=_CYCLES,
        execute_busy=_CYCLES,
        read_bytes=moved,
        write_bytes=moved,
        descriptor_bytes=0,
        store_bytes=rows * config.row_bytes * _CYCLES,
        layers=(work,),
    )
