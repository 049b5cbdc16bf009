"""External memories that a prediction or a simulation is for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias

from sim.spec.dram import DRAM_PRESETS, DramSystem
from sim.spec.errors import CosilicoError
from sim.spec.queued_memory import QueuedMemory

__all__ = [
    "DETERMINISTIC",
    "DRAM",
    "LIMITS",
    "FixedLatency",
    "MemorySystem",
    "require_fixed",
]


LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "latency": (1, 4096),
        "write_latency": (1, 4096),
        "outstanding": (1, 256),
        "width_bytes": (1, 1024),
        "clock_mhz": (1, 10_000),
        "burst_gap": (0, 256),
    }
)
"""Least and largest value of every field of :class:`FixedLatency`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLatency:
    """Deterministic memory of tier T1, for which predicted cycles are exact.

    Reads, writes and descriptors have channels of their own, each of which serves its bursts in order, as
    docs/reference/memories.md defines to the cycle. Bursts that are outstanding and data that nobody has taken
    wait in the memory.

    Parameters
    ----------
    latency : int, optional
        Cycles of the accelerator from a read's address to its first data, 1 … 4096. The
        calibration's if not given.
    write_latency : int, optional
        Cycles of the accelerator from a write burst's last data to its response. As ``latency`` if
        not given.
    outstanding : int, optional
        Bursts that each channel takes before it has answered the first of them, 1 … 256. Any number
        if not given.
    width_bytes : int, optional
        Bytes of data per clock of the memory, a power of two up to 1024. The port's width if not
        given.
    clock_mhz : int, optional
        The memory's clock. The accelerator's if not given.
    burst_gap : int
        Clocks of the memory between the data of two bursts, 0 … 256.
    """

    latency: int | None = None
    write_latency: int | None = None
    outstanding: int | None = None
    width_bytes: int | None = None
    clock_mhz: int | None = None
    burst_gap: int = 0

    def __post_init__(self) -> None:
        """Check every field's range.

        Raises
        ------
        ValueError
            One line that names the field, the rule and the value.
        """
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is None and name != "burst_gap":
                continue
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be an integer in {low} … {high}, not {value!r}")
        if self.width_bytes is not None and self.width_bytes & (self.width_bytes - 1):
            raise ValueError(f"width_bytes must be a power of two, not {self.width_bytes!r}")

    def __str__(self) -> str:
        """Return ``deterministic``, or the values that are given, as ``--memory`` takes them."""
        given = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return ",".join(given) or "deterministic"

    def to_json(self) -> dict[str, Any]:
        """Return the record that :func:`sim.spec.memory_record.memory_of` reads."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": "fixed_latency", **values}


MemorySystem: TypeAlias = FixedLatency | DramSystem | QueuedMemory
"""Memory behind the accelerator's ports."""

DETERMINISTIC = FixedLatency()
"""Memory with the calibration's latency, as wide and as fast as the bus."""

DRAM = next(iter(DRAM_PRESETS.values()))
"""DRAM that is meant where none is named."""


def require_fixed(memory: MemorySystem) -> FixedLatency:
    """Return a memory of fixed latency, for what is known of no other.

    Raises
    ------
    CosilicoError
        If the memory is another.
    """
    if not isinstance(memory, FixedLatency):
        raise CosilicoError(
            f"memory must have a fixed latency where many accelerators are compared, not {memory}"
        )
    return memory
