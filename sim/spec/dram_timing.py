"""Timing of a DRAM: its standard's intervals, and the commands' distances that follow from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

__all__ = ["SYMBOLS", "DramClocks", "DramTiming", "Interval"]

SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "rl": "RL",
        "wl": "WL",
        "dqsck": "tDQSCK",
        "dqss": "tDQSS",
        "ccd": "tCCD",
        "ccd_l": "tCCD_L",
        "rcd": "tRCD",
        "rcdw": "tRCDW",
        "rp": "tRP",
        "rpab": "tRPab",
        "ras": "tRAS",
        "rrd": "tRRD",
        "rrd_l": "tRRD_L",
        "faw": "tFAW",
        "rtp": "tRTP",
        "wr": "tWR",
        "wtr": "tWTR",
        "wtr_l": "tWTR_L",
        "turnaround": "turnaround",
        "refi": "tREFI",
        "rfc": "tRFC",
    }
)
"""Names of the intervals in standards and files, by the fields of :class:`DramTiming`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval as standards give it: the longer of a number of clocks and a time.

    Parameters
    ----------
    clocks : int
        Clocks of the memory, 0 … 65536.
    ns : float
        Nanoseconds, 0 … 100000.
    """

    clocks: int = 0
    ns: float = 0.0

    def __post_init__(self) -> None:
        """Check both values' ranges."""
        if type(self.clocks) is not int or not 0 <= self.clocks <= 1 << 16:
            raise ValueError(f"clocks must be an integer in 0 … 65536, not {self.clocks!r}")
        if type(self.ns) not in (int, float) or not 0 <= self.ns <= 100_000:
            raise ValueError(f"ns must be a number in 0 … 100000, not {self.ns!r}")

    def at(self, clock_mhz: int) -> int:
        """Clocks that are not less, at that clock."""
        # Nanoseconds have three decimals at most: 13.75 ns at 800 MHz are 11 clocks.
        return max(self.clocks, math.ceil(round(self.ns * clock_mhz, 3) / 1000))

    def within(self, clock_mhz: int) -> int:
        """Clocks that are not more, at that clock."""
        return max(self.clocks, math.floor(round(self.ns * clock_mhz, 3) / 1000))

    def to_json(self) -> dict[str, Any]:
        """Return the values that are not 0, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class DramTiming:
    """Intervals of a DRAM, by the names that its standard gives them.

    What a bank group has of its own is given with bank groups only; ``ccd``, ``rrd`` and ``wtr`` are then
    those between groups (tCCD_S, tRRD_S, tWTR_S).

    Parameters
    ----------
    rl, wl : Interval
        Read and write latency, command to first data.
    dqsck, dqss : Interval
        Further delays of read and of write data.
    ccd, ccd_l : Interval
        Between column commands of a direction; of one bank group.
    rcd, rcdw : Interval
        Activate to read, and to write; the latter as the former if not given.
    rp, rpab : Interval
        Precharge to activate, of one bank and of all; the latter as the former if not given.
    ras, rrd, rrd_l, faw : Interval
        Activate to precharge; to another activate; to another of the bank group; to the fourth
        that follows.
    rtp, wr, wtr, wtr_l : Interval
        Read to precharge; last write data to precharge, to a read, and to one of the bank group.
    turnaround : Interval
        Between the data of a read and of the write that follows.
    refi, rfc : Interval
        Average interval of refreshes of all banks, and a refresh's length.
    """

    rl: Interval
    wl: Interval
    dqsck: Interval = Interval()
    dqss: Interval = Interval()
    ccd: Interval
    ccd_l: Interval | None = None
    rcd: Interval
    rcdw: Interval | None = None
    rp: Interval
    rpab: Interval | None = None
    ras: Interval
    rrd: Interval
    rrd_l: Interval | None = None
    faw: Interval
    rtp: Interval
    wr: Interval
    wtr: Interval
    wtr_l: Interval | None = None
    turnaround: Interval
    refi: Interval
    rfc: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in files."""
        given = {symbol: getattr(self, name) for name, symbol in SYMBOLS.items()}
        return {name: value.to_json() for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)  # no slots: the harness's class has two such bases
class DramClocks:
    """Distances of a DRAM's commands, in clocks of the memory.

    Parameters
    ----------
    front, back : int
        Controller and PHY, from the request to the first command and from the data to the port.
    read_latency, write_latency : int
        Column command to the last data of its access.
    column, column_long : int
        Between column commands of a direction; of one bank group.
    row_to_read, row_to_write : int
        Activate to the first column command of either direction.
    precharge, precharge_all : int
        Precharge to activate, of one bank and of all.
    row_active : int
        Activate to precharge.
    row_to_row, row_to_row_long, four_rows : int
        Activate to activate; of one bank group; to the fourth that follows.
    read_to_precharge, write_to_precharge : int
        Column command to the row's precharge.
    read_to_write, write_to_read, write_to_read_long : int
        Between column commands of two directions; of one bank group.
    refresh_interval, refresh : int
        Between refreshes, and a refresh's length.
    """

    front: int
    back: int
    read_latency: int
    write_latency: int
    column: int
    column_long: int
    row_to_read: int
    row_to_write: int
    precharge: int
    precharge_all: int
    row_active: int
    row_to_row: int
    row_to_row_long: int
    four_rows: int
    read_to_precharge: int
    write_to_precharge: int
    read_to_write: int
    write_to_read: int
    write_to_read_long: int
    refresh_interval: int
    refresh: int
