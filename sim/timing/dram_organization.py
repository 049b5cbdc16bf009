"""Organization of a DRAM behind an accelerator: its user knows that, and measures the rest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.dram import DramPolicy, DramSystem
from sim.spec.errors import CosilicoError
from sim.timing.dram import MEASURED, DramParameter

__all__ = ["Organization", "organization", "parameters", "structure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Clocks, sizes and controller of the memory behind an accelerator.

    Parameters
    ----------
    clock_mhz, memory_mhz : int
        Clocks of the accelerator and of the memory.
    access_bytes : int
        Bytes of one column access.
    page_bytes, banks, bank_groups : int
        Bytes of a row, rows that can be open, groups of banks.
    write_bursts : int
        Write bursts that the controller holds; AWREADY is low while it is full.
    reorder : int
        Whether the controller reorders; what follows is used then only.
    queue, write_high, write_low, starvation : int
        As of :class:`sim.spec.dram.DramController`.
    """

    clock_mhz: int
    memory_mhz: int
    access_bytes: int
    page_bytes: int
    banks: int
    bank_groups: int
    write_bursts: int
    reorder: int
    queue: int
    write_high: int
    write_low: int
    starvation: int


def organization(config: AcceleratorConfig, system: DramSystem) -> Organization:
    """Return as many channels as the accelerator's bus needs, in lockstep as one wide channel.

    They are 1, 2, 4, …, the fewest that move not less than a bus beat per cycle.

    Raises
    ------
    CosilicoError
        If the bus needs more channels than the memory may have.
    """
    pins, controller = system.channel_bits // 8, system.controller
    channels = 1
    while channels * 2 * system.clock_mhz * pins < config.bus_bytes * config.clock_mhz:
        channels *= 2
    if channels > system.most_channels:
        raise CosilicoError(
            f"bus of {config.bus_bytes} bytes at {config.clock_mhz} MHz must need at most "
            f"{system.most_channels} {system.standard} channels, not {channels}"
        )
    return Organization(
        clock_mhz=config.clock_mhz,
        memory_mhz=system.clock_mhz,
        access_bytes=channels * system.access_bytes,
        page_bytes=channels * system.page_bytes,
        banks=system.banks,
        bank_groups=system.bank_groups,
        write_bursts=controller.write_bursts,
        reorder=int(controller.policy is DramPolicy.FR_FCFS),
        queue=controller.queue,
        write_high=controller.write_high,
        write_low=controller.write_low,
        starvation=controller.starvation,
    )


def structure(config: AcceleratorConfig, system: DramSystem) -> NDArray[np.int64]:
    """The organization as int64[len(DramParameter)]; measured parameters are 0."""
    row = np.zeros(len(DramParameter), np.int64)
    for name, value in asdict(organization(config, system)).items():
        row[DramParameter[name.upper()]] = value
    return row


def parameters(
    config: AcceleratorConfig, system: DramSystem, measured: Mapping[str, int]
) -> NDArray[np.int64]:
    """Parameters of a DRAM, of its structure and measured: int64[len(DramParameter)].

    Parameters
    ----------
    config : AcceleratorConfig
    system : DramSystem
    measured : mapping of str to int
        :attr:`sim.timing.calibration.DramCalibration.parameters`.
    """
    row = structure(config, system)
    for parameter in MEASURED:
        row[parameter] = measured[parameter.name.lower()]
    return row
