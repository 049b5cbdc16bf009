"""Organization of the LPDDR4-3200 memory of tier T3: its user knows that, and measures the rest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.timing.dram import MEASURED, DramParameter

__all__ = ["BURST_LENGTH", "MEMORY_MHZ", "Organization", "organization", "parameters", "structure"]

MEMORY_MHZ = 1600
"""Clock of LPDDR4-3200 (tCK = 0.625 ns)."""

BURST_LENGTH = 16
"""Beats of the data pins in a column access."""

PIN_BYTES = 2
"""Data pins of one LPDDR4 channel, in bytes."""

PAGE_COLUMNS = 1024
BANKS = 8
WRITE_QUEUE = 16
WIDEST_CHANNELS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Clocks and sizes of the memory behind an accelerator.

    Parameters
    ----------
    clock_mhz, memory_mhz : int
        Clocks of the accelerator and of the memory.
    access_bytes : int
        Bytes of one column access.
    page_bytes, banks : int
        Bytes of a row, rows that can be open.
    write_queue : int
        Write bursts that the controller holds; AWREADY is low while it is full.
    """

    clock_mhz: int
    memory_mhz: int
    access_bytes: int
    page_bytes: int
    banks: int
    write_queue: int


def organization(config: AcceleratorConfig) -> Organization:
    """Return as many x16 channels as the accelerator's bus needs, in lockstep as one wide channel.

    They are 1, 2, 4, …, the fewest whose 6.4 GB/s each are not less than a bus beat per cycle.

    Raises
    ------
    CosilicoError
        If the bus needs more than 16 channels.
    """
    per_channel = 2 * MEMORY_MHZ * PIN_BYTES
    channels = 1
    while channels * per_channel < config.bus_bytes * config.clock_mhz:
        channels *= 2
    if channels > WIDEST_CHANNELS:
        raise CosilicoError(
            f"bus of {config.bus_bytes} bytes at {config.clock_mhz} MHz must need at most "
            f"{WIDEST_CHANNELS} LPDDR4 channels, not {channels}"
        )
    return Organization(
        clock_mhz=config.clock_mhz,
        memory_mhz=MEMORY_MHZ,
        access_bytes=channels * PIN_BYTES * BURST_LENGTH,
        page_bytes=channels * PIN_BYTES * PAGE_COLUMNS,
        banks=BANKS,
        write_queue=WRITE_QUEUE,
    )


def structure(config: AcceleratorConfig) -> NDArray[np.int64]:
    """The organization as int64[len(DramParameter)]; measured parameters are 0."""
    row = np.zeros(len(DramParameter), np.int64)
    for name, value in asdict(organization(config)).items():
        row[DramParameter[name.upper()]] = value
    return row


def parameters(config: AcceleratorConfig, measured: Mapping[str, int]) -> NDArray[np.int64]:
    """Parameters of a DRAM, of its structure and measured: int64[len(DramParameter)].

    Parameters
    ----------
    config : AcceleratorConfig
    measured : mapping of str to int
        :attr:`sim.timing.calibration.DramCalibration.parameters`.
    """
    row = structure(config)
    for parameter in MEASURED:
        row[parameter] = measured[parameter.name.lower()]
    return row
