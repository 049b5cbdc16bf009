"""Memories behind bridges, shared buses and controllers: bursts wait in queues and are served in turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

__all__ = ["LIMITS", "Arbitration", "Forwarding", "QueuedMemory", "Servers"]

TICKS = 64
"""Fractions of a cycle in which service is counted."""


class Arbitration(StrEnum):
    """Which of the waiting bursts is served next."""

    FIRST_COME = "first_come"
    """The burst that came first; of those of a cycle LOAD's, then STORE's."""
    ROUND_ROBIN = "round_robin"
    """The next port's in a circle: LOAD, STORE, descriptors, other masters."""
    READS_FIRST = "reads_first"
    """Reads and descriptors before writes and other masters, each as they came."""


class Servers(StrEnum):
    """Which ports wait for each other."""

    SHARED = "shared"
    """All of them."""
    BY_DIRECTION = "by_direction"
    """Reads and descriptors; writes have a channel of their own."""
    BY_PORT = "by_port"
    """None: each has a channel of its own."""


class Forwarding(StrEnum):
    """When a read's data goes on to the accelerator."""

    CUT_THROUGH = "cut_through"
    """The data goes on in the cycle in which it is there."""
    STORE_AND_FORWARD = "store_and_forward"
    """The data goes on once the whole burst is there."""


LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "access_bytes": (1, 1024),
        "read_latency": (0, 4096),
        "write_latency": (0, 4096),
        "descriptor_latency": (0, 4096),
        "read_ticks": (0, 64 * TICKS),
        "write_ticks": (0, 64 * TICKS),
        "descriptor_ticks": (0, 1024 * TICKS),
        "burst_cycles": (0, 1024),
        "turnaround_cycles": (0, 256),
        "row_cycles": (0, 256),
        "row_bytes": (64, 1 << 20),
        "banks": (1, 64),
        "in_flight": (1, 64),
        "read_queue": (1, 8),
        "write_queue": (1, 64),
        "other_period": (0, 1 << 20),
        "other_cycles": (0, 4096),
    }
)
"""Least and largest value of every number of :class:`QueuedMemory`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMemory:
    """Memory system fitted to traces: its parameters are effects, whatever causes them.

    A burst is served for ``burst_cycles``, and ``turnaround_cycles`` if the direction changes, then for its
    accesses; where these are to another row than the bank's, not before ``row_cycles`` after the bank's
    latest access and the burst's arrival. Its data, or its response, is at the
    port a latency later. The defaults are a fixed latency of 24 cycles. docs/explanation/calibration.md has the formulas.

    Parameters
    ----------
    clock_mhz : int
        Of the accelerator, whose cycles all values are.
    name : str
        Of the system.
    arbitration : Arbitration
    servers : Servers
    forwarding : Forwarding
    access_bytes : int
        Aligned bytes that an access moves, a power of two.
    read_latency, write_latency, descriptor_latency : int
        Cycles from the end of a service (of a read: of its first access) to the data or the response.
    read_ticks, write_ticks : int
        Service of an access, in 1/64 cycles.
    descriptor_ticks : int
        Service of a descriptor, 64 bytes, in 1/64 cycles; 0: as of a read of 64 bytes.
    burst_cycles : int
        Service of a burst beside its accesses.
    turnaround_cycles : int
        Between reads and writes.
    row_cycles, row_bytes, banks : int
        What opening a row takes, its size, a power of two, and how many rows are open: one per bank,
        consecutive rows in consecutive banks.
    in_flight : int
        Bursts of a server that were begun and whose last data was not taken; 64: any number.
    read_queue : int
        Read bursts that LOAD can leave with the memory before their service begins; 8: all it has.
    write_queue : int
        Write bursts that STORE can leave with the memory before their response.
    other_period, other_cycles : int
        Mean cycles between bursts of other masters, and the service of each; 0: there are none.
    """

    clock_mhz: int
    name: str = "queued"
    arbitration: Arbitration = Arbitration.FIRST_COME
    servers: Servers = Servers.BY_PORT
    forwarding: Forwarding = Forwarding.CUT_THROUGH
    access_bytes: int = 8
    read_latency: int = 23
    write_latency: int = 24
    descriptor_latency: int = 23
    read_ticks: int = TICKS
    write_ticks: int = 0
    descriptor_ticks: int = 8 * TICKS
    burst_cycles: int = 0
    turnaround_cycles: int = 0
    row_cycles: int = 0
    row_bytes: int = 1024
    banks: int = 8
    in_flight: int = LIMITS["in_flight"][1]
    read_queue: int = LIMITS["read_queue"][1]
    write_queue: int = LIMITS["write_queue"][1]
    other_period: int = 0
    other_cycles: int = 0
    kind: str = field(default="queued", init=False)

    def __post_init__(self) -> None:
        """Check every number's range.

        Raises
        ------
        ValueError
            One line that names the field, the rule and the value.
        """
        for name, (low, high) in {"clock_mhz": (1, 10_000), **LIMITS}.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be an integer in {low} … {high}, not {value!r}")
        for name in ("access_bytes", "row_bytes"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in tuple(choices):
                given = ", ".join(choices)
                raise ValueError(f"{name} must be one of {given}, not {getattr(self, name)!r}")
        if self.other_period and self.other_period <= self.other_cycles:
            raise ValueError(
                f"other_period must be more than other_cycles, {self.other_cycles}, "
                f"not {self.other_period!r}"
            )

    def __str__(self) -> str:
        """Return the system's name."""
        return self.name

    def to_json(self) -> dict[str, Any]:
        """Return the record that :func:`sim.spec.memory_record.memory_of` reads."""
        return {f.name: _plain(getattr(self, f.name)) for f in (*_KIND, *_OTHERS)}


CHOICES: Mapping[str, type[StrEnum]] = MappingProxyType(
    {"arbitration": Arbitration, "servers": Servers, "forwarding": Forwarding}
)
"""Fields of :class:`QueuedMemory` that are words."""

_KIND = tuple(f for f in fields(QueuedMemory) if f.name == "kind")
_OTHERS = tuple(f for f in fields(QueuedMemory) if f.name != "kind")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, StrEnum) else value
