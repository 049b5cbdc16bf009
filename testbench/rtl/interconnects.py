"""Systems of others between the accelerator and its memory, to calibrate against.

They stand for what a user has on a board: nothing here is written in the terms of the timing model.
``templates/interconnect.h`` steps them cycle by cycle.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar, TypeAlias

__all__ = ["Interconnect", "ReorderingController", "SharedBus", "SlowBridge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _System:
    """Values of the harness's job, by the names of the members of ``InterconnectTiming``."""

    kind: ClassVar[int]

    def __post_init__(self) -> None:
        """Check signs."""
        for name, value in asdict(self).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, not {value!r}")

    @property
    def job_values(self) -> dict[str, int]:
        """Lines of the harness's job."""
        values = {"kind": self.kind, **asdict(self)}
        return {f"interconnect_{name}": value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowBridge(_System):
    """A bridge into a slower clock that stores and forwards whole bursts.

    One burst of any of the three ports is in flight, another waits at each port, and the ports have
    turns. A burst crosses into the far clock, waits for the memory, is moved there whole, crosses
    back and is then handed over. The next burst begins when the accelerator has taken the last beat.

    Parameters
    ----------
    clock_mhz, far_mhz : int
        Clocks of the accelerator and of the far side.
    width_bytes : int
        Data that moves in a clock of the far side.
    latency : int
        Far clocks from a request to its first data.
    synchronizer : int
        Clocks of the receiving side that a crossing takes.
    """

    kind: ClassVar[int] = 1
    clock_mhz: int
    far_mhz: int
    width_bytes: int
    latency: int
    synchronizer: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBus(_System):
    """A bus whose masters have turns, and another master with bursts at random times.

    Parameters
    ----------
    width_bytes : int
        Data that moves in a cycle.
    latency : int
        Cycles from a grant to its data; two bursts at most are granted.
    queue : int
        Bursts of a port that wait for a grant.
    gap_cycles, other_beats : int
        Mean cycles between the other master's bursts, and their mean length, each uniform from 1 on.
    traffic_seed : int
        Of the other master.
    """

    kind: ClassVar[int] = 2
    width_bytes: int
    latency: int
    queue: int
    gap_cycles: int
    other_beats: int
    traffic_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderingController(_System):
    """A memory controller that serves open rows first (FR-FCFS) and collects writes.

    Parameters
    ----------
    width_bytes : int
        Of an access; one begins per cycle at most.
    latency : int
        Cycles from an access to its answer.
    banks, row_bytes : int
        Rows that may be open, and their size; rows of consecutive addresses are in consecutive banks.
    activate, precharge : int
        Cycles that opening and closing a row takes.
    turnaround : int
        Cycles between reads and writes.
    queue : int
        Bursts of a port that the controller holds.
    high_watermark, low_watermark : int
        Accesses at which writes begin and end to go before reads.
    patience : int
        Cycles after which nothing passes an access any more.
    """

    kind: ClassVar[int] = 3
    width_bytes: int
    latency: int
    banks: int
    row_bytes: int
    activate: int
    precharge: int
    turnaround: int
    queue: int
    high_watermark: int
    low_watermark: int
    patience: int


Interconnect: TypeAlias = SlowBridge | SharedBus | ReorderingController
"""A system of others."""
