"""DRAMs behind the accelerator's ports: organization, timing and controller of a memory."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from sim.spec.dram_timing import DramClocks, DramTiming, Interval

__all__ = ["DramController", "DramPolicy", "DramSystem"]

MOST_BANKS = 64
MOST_BANK_GROUPS = 8


class DramPolicy(StrEnum):
    """Order in which a controller serves requests.

    IN_ORDER is that of their arrival. FR_FCFS takes the first that is ready before the first that came:
    an access whose row is open overtakes those that have to wait for theirs.
    """

    IN_ORDER = "in-order"
    FR_FCFS = "fr-fcfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class DramController:
    """Controller of a DRAM; docs/reference/dram.md defines what it does to the clock.

    Parameters
    ----------
    policy : DramPolicy
    front, back : Interval
        Latency of controller and PHY on the way to the memory, and back to the port.
    write_bursts : int
        Write bursts that it holds, 1 … 256; AWREADY is low while it is full.
    queue : int
        Accesses of each direction among which FR_FCFS chooses, 1 … 64.
    write_high, write_low : int
        Waiting writes from which on they go before reads, and down to which they then do;
        0 <= low < high <= queue.
    starvation : int
        Clocks after which an access goes before all younger accesses, 1 … 65536.
    """

    policy: DramPolicy = DramPolicy.IN_ORDER
    front: Interval = field(default_factory=lambda: Interval(ns=10.0))
    back: Interval = field(default_factory=lambda: Interval(ns=10.0))
    write_bursts: int = 16
    queue: int = 32
    write_high: int = 24
    write_low: int = 8
    starvation: int = 1000

    def __post_init__(self) -> None:
        """Check ranges and the order of the marks."""
        _check_range("controller.write_bursts", self.write_bursts, 1, 256)
        _check_range("controller.queue", self.queue, 1, 64)
        _check_range("controller.write_high", self.write_high, 1, self.queue)
        _check_range("controller.write_low", self.write_low, 0, self.write_high - 1)
        _check_range("controller.starvation", self.starvation, 1, 1 << 16)

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in files."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        intervals = {"front": self.front.to_json(), "back": self.back.to_json()}
        return values | {"policy": self.policy.value} | intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class DramSystem:
    """DRAM with its controller: the memory of tier T3.

    Addresses are row : bank : column : bank group, so that consecutive accesses lie in the groups in turn
    and consecutive pages in consecutive banks.

    Parameters
    ----------
    name : str
        Of the memory.
    standard : str
        Family of the memory, such as DDR4.
    source : str
        Where the figures are from.
    clock_mhz : int
        Clock of the memory, 50 … 4000; data moves at both its edges.
    channel_bits : int
        Data pins of a channel, a power of two in 8 … 1024.
    most_channels : int
        Channels that may stand side by side for a wide bus, 1 … 64.
    burst_length : int
        Beats of the data pins in a column access, a power of two in 2 … 32.
    page_bytes : int
        Bytes of a channel's open row, a power of two up to 65536.
    banks, bank_groups : int
        Of a channel, powers of two.
    timing : DramTiming
    controller : DramController
    """

    name: str
    standard: str
    source: str
    clock_mhz: int
    channel_bits: int
    most_channels: int = 16
    burst_length: int
    page_bytes: int
    banks: int
    bank_groups: int = 1
    timing: DramTiming
    controller: DramController = field(default_factory=DramController)

    def __post_init__(self) -> None:
        """Check ranges and what needs more than a field.

        Raises
        ------
        ValueError
            One line that names the field, the rule and the value.
        """
        _check_range("clock_mhz", self.clock_mhz, 50, 4000)
        _check_range("most_channels", self.most_channels, 1, 64)
        _check_power("channel_bits", self.channel_bits, 8, 1024)
        _check_power("burst_length", self.burst_length, 2, 32)
        _check_power("page_bytes", self.page_bytes, 256, 1 << 16)
        _check_power("banks", self.banks, 1, MOST_BANKS)
        _check_power("bank_groups", self.bank_groups, 1, min(MOST_BANK_GROUPS, self.banks))
        if not 16 <= self.access_bytes <= self.page_bytes:
            raise ValueError(
                f"channel_bits times burst_length must be 16 bytes … a page, not {self.access_bytes}"
            )
        self._check_groups()
        clocks = self.clocks
        for item in fields(clocks):
            if item.name not in ("front", "back") and getattr(clocks, item.name) < 1:
                value = getattr(clocks, item.name)
                raise ValueError(f"timing must give {item.name} of a clock at least, not {value}")
        longest = clocks.refresh_interval // 4
        if clocks.refresh + clocks.precharge_all > longest:
            rule = f"must be at most a quarter of tREFI less tRP, {longest - clocks.precharge_all} clocks"
            raise ValueError(f"timing.tRFC {rule}, not {clocks.refresh}")

    def _check_groups(self) -> None:
        """Check that what bank groups have of their own is given, and felt where the model has it."""
        for name in ("ccd", "rrd", "wtr"):
            long = getattr(self.timing, f"{name}_l")
            shown = f"timing.t{name.upper()}_L"
            if self.bank_groups == 1 and long is not None:
                raise ValueError(f"{shown} must be given with bank_groups only")
            if self.bank_groups > 1 and long is None:
                raise ValueError(f"{shown} must be given with bank_groups")
        clocks = self.clocks
        turns = self.bank_groups * clocks.column
        if clocks.column_long > turns:
            rule = f"must be at most bank_groups times tCCD, {turns} clocks"
            raise ValueError(f"timing.tCCD_L {rule}, not {clocks.column_long}")

    def __str__(self) -> str:
        """Return the name in small letters, as ``--memory`` takes that of a preset."""
        name = self.name.lower()
        policy = self.controller.policy
        return name if policy is DramPolicy.IN_ORDER else f"{name}/{policy}"

    @property
    def access_bytes(self) -> int:
        """Bytes of a channel's column access."""
        return self.channel_bits // 8 * self.burst_length

    @property
    def clocks(self) -> DramClocks:
        """Distances of the commands, in clocks."""
        t, mhz = self.timing, self.clock_mhz
        data = self.burst_length // 2
        read, write = t.rl.at(mhz) + t.dqsck.at(mhz), t.wl.at(mhz) + t.dqss.at(mhz)
        column, row, turn = t.ccd.at(mhz), t.rrd.at(mhz), t.wtr.at(mhz)
        return DramClocks(
            front=self.controller.front.at(mhz),
            back=self.controller.back.at(mhz),
            read_latency=read + data,
            write_latency=write + data,
            column=column,
            column_long=max(column, (t.ccd_l or t.ccd).at(mhz)),
            row_to_read=t.rcd.at(mhz),
            row_to_write=(t.rcdw or t.rcd).at(mhz),
            precharge=t.rp.at(mhz),
            precharge_all=(t.rpab or t.rp).at(mhz),
            row_active=t.ras.at(mhz),
            row_to_row=row,
            row_to_row_long=max(row, (t.rrd_l or t.rrd).at(mhz)),
            four_rows=t.faw.at(mhz),
            read_to_precharge=t.rtp.at(mhz),
            write_to_precharge=write + data + t.wr.at(mhz),
            read_to_write=read + data + t.turnaround.at(mhz) - t.wl.at(mhz),
            write_to_read=write + data + turn,
            write_to_read_long=write + data + max(turn, (t.wtr_l or t.wtr).at(mhz)),
            refresh_interval=t.refi.within(mhz),
            refresh=t.rfc.at(mhz),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides cycles, in hexadecimal."""
        content = self.to_json()
        for name in ("name", "standard", "source"):
            del content[name]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the record that :func:`sim.spec.dram.dram_of` reads."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["timing"] = self.timing.to_json()
        values["controller"] = self.controller.to_json()
        return {"kind": "dram", **values}


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} must be an integer in {low} … {high}, not {value!r}")


def _check_power(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high or value & (value - 1):
        raise ValueError(f"{name} must be a power of two in {low} … {high}, not {value!r}")
