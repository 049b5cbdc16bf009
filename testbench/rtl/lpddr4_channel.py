"""The DRAM of tier T3: LPDDR4-3200 channels side by side, as the C++ harness models them."""

from dataclasses import asdict, dataclass
from math import ceil

from sim.spec.accelerator import AcceleratorConfig
from sim.timing.lpddr4 import BURST_LENGTH, MEMORY_MHZ, Organization, organization

__all__ = ["Dram", "lpddr4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dram(Organization):
    """An organization and its timing: one memory channel and its controller, in memory clocks.

    ``templates/dram.h`` is the model: requests in order of arrival, open rows, all-bank refresh.
    Addresses are row : bank : column, so that consecutive pages lie in consecutive banks.

    Parameters
    ----------
    front, back : int
        Controller and PHY, from the request to the first command and from the data to the port.
    read_latency, write_latency : int
        Column command to the last data of its access.
    column, read_to_write, write_to_read : int
        Between column commands of one direction, and of one after the other.
    row_to_column, row_active, precharge, precharge_all : int
        tRCD, tRAS, tRPpb, tRPab.
    row_to_row, four_rows : int
        tRRD, tFAW.
    read_to_precharge, write_to_precharge : int
        Column command to the row's precharge.
    refresh_interval, refresh : int
        tREFI, tRFCab.
    """

    front: int
    back: int
    read_latency: int
    write_latency: int
    column: int
    row_to_column: int
    precharge: int
    precharge_all: int
    row_active: int
    row_to_row: int
    four_rows: int
    read_to_precharge: int
    write_to_precharge: int
    read_to_write: int
    write_to_read: int
    refresh_interval: int
    refresh: int

    def __post_init__(self) -> None:
        """Check signs and powers of two."""
        for name, value in asdict(self).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, not {value!r}")
        for name in ("access_bytes", "page_bytes", "banks"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.refresh_interval <= self.refresh + self.precharge_all:
            raise ValueError(
                f"refresh_interval must be longer than a refresh, not {self.refresh_interval!r}"
            )

    @property
    def job_values(self) -> dict[str, int]:
        """Lines of the harness's job."""
        return {f"dram_{name}": value for name, value in asdict(self).items()}


def lpddr4(config: AcceleratorConfig) -> Dram:
    """LPDDR4-3200, 8 Gb per x16 channel, organized as :func:`sim.timing.lpddr4.organization` says.

    Figures are those of JEDEC JESD209-4 for LPDDR4-3200 (tables of core timing, read and write
    latencies and refresh; the part is Micron's MT53D512M32D2, two x16 channels of 8 Gb), see
    docs/calibration.md. The controller's and PHY's latencies are 10 ns each way.

    Raises
    ------
    CosilicoError
        If the bus needs more than 16 channels.
    """
    data = BURST_LENGTH // 2
    read, write = 28, 14  # RL without DBI, WL set A
    strobe, preamble, postamble = _clocks(3.5), 2, 0  # tDQSCK max, tWPRE, tRPST rounded down
    return Dram(
        **asdict(organization(config)),
        front=_clocks(10),
        back=_clocks(10),
        read_latency=read + strobe + data,
        write_latency=write + 1 + data,
        column=data,
        row_to_column=_clocks(18),
        precharge=_clocks(18),
        precharge_all=_clocks(21),
        row_active=_clocks(42),
        row_to_row=_clocks(10),
        four_rows=_clocks(40),
        read_to_precharge=_clocks(7.5),
        write_to_precharge=write + 1 + data + _clocks(18),
        read_to_write=read + strobe + data + postamble - write + preamble,
        write_to_read=write + 1 + data + _clocks(10),
        refresh_interval=3904 * MEMORY_MHZ // 1000,
        refresh=_clocks(280),
    )


def _clocks(nanoseconds: float) -> int:
    return ceil(nanoseconds * MEMORY_MHZ / 1000)
