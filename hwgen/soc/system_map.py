"""Addresses and sizes of a system on a chip; gateware, firmware and testbench read them here."""

from dataclasses import dataclass

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES, PAGE_BYTES

__all__ = [
    "INTERRUPT",
    "MOST_RATE_ERROR",
    "RAM_BASE",
    "REGION_BITS",
    "REGISTERS_BASE",
    "ROM_BASE",
    "SERIAL_BASE",
    "SystemConfig",
    "check_rates",
    "power_of_two",
]

ROM_BASE = 0x0000_0000
"""Read-only memory with the firmware; the processor begins at its first word."""

SERIAL_BASE = 0x1000_0000
"""Byte to send: a store waits until the line can take it."""

REGISTERS_BASE = 0x2000_0000
"""The accelerator's registers."""

RAM_BASE = 0x4000_0000
"""Memory that processor and accelerator share, at the same addresses for both."""

REGION_BITS = 28
"""Bits of an address within one of the regions above."""

INTERRUPT = 3
"""Number of the accelerator's interrupt; the processor itself has 0 (timer), 1 and 2."""

MOST_RATE_ERROR = 0.02
"""Ten bits of a frame are read in their middles: half a bit is 5 % of them, for both ends together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemConfig:
    """Sizes and rates of a system on a chip.

    Parameters
    ----------
    accelerator : AcceleratorConfig
        Must be realizable.
    rom_bytes, ram_bytes : int
        Powers of two: whole pages of 4 KiB, at most 256 MiB.
    clock_hz : int
        Clock of the whole system.
    baud : int
        Bits per second on the serial line; the clock must divide to it within 2 %.

    Raises
    ------
    ValueError
        If a size or a rate cannot be had.
    """

    accelerator: AcceleratorConfig
    rom_bytes: int
    ram_bytes: int
    clock_hz: int
    baud: int

    def __post_init__(self) -> None:
        """Check sizes and rates."""
        for name in ("rom_bytes", "ram_bytes"):
            value = getattr(self, name)
            if not PAGE_BYTES <= value <= 1 << REGION_BITS or value & (value - 1):
                raise ValueError(
                    f"{name} must be a power of two in {PAGE_BYTES} … {1 << REGION_BITS}, not {value!r}"
                )
        check_rates(self.clock_hz, self.baud)

    @property
    def bit_cycles(self) -> int:
        """Cycles of a bit on the serial line."""
        return round(self.clock_hz / self.baud)

    @property
    def ram_row_bytes(self) -> int:
        """Bytes of a row of the shared memory, as wide as the widest port to it."""
        return max(self.accelerator.bus_bytes, DESCRIPTOR_PORT_BYTES)


def check_rates(clock_hz: int, baud: int) -> None:
    """Raise ValueError unless a serial line can have the rate at that clock."""
    if clock_hz <= 0:
        raise ValueError(f"clock_hz must be positive, not {clock_hz!r}")
    if not 0 < baud <= clock_hz // 4:
        raise ValueError(
            f"baud must be in 1 … {clock_hz // 4}, a quarter of the clock, not {baud!r}"
        )
    if abs(clock_hz / round(clock_hz / baud) - baud) > MOST_RATE_ERROR * baud:
        rule = f"within 2 % of a whole division of the clock, {clock_hz} Hz"
        raise ValueError(f"baud must be {rule}, not {baud!r}")


def power_of_two(size: int) -> int:
    """Return the least power of two that holds `size` bytes and a page of 4 KiB."""
    return 1 << (max(size, PAGE_BYTES) - 1).bit_length()
