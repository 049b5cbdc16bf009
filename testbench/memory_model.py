"""Parameters of the external memory that the C++ harness models."""

from dataclasses import dataclass

from testbench.dram import Dram

__all__ = ["MemoryModel"]

MAXIMUM_LATENCY = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModel:
    """External memory behind both AXI4 ports; the C++ is ``templates/axi_memory.h``.

    Without ``stall_seed`` this is tier T1: a read burst's first beat comes ``latency`` cycles after
    its AR handshake, or one cycle after the last beat of the burst before it if that is later;
    then one beat per cycle. Bursts are served in order, any number may be outstanding, and
    ARREADY, AWREADY and WREADY are constantly high. A write burst is answered ``latency`` cycles
    after its last W beat. The descriptor port has channels of its own with the same latency.

    With ``stall_seed`` it is tier T2: before each beat, address or response, every channel stalls
    with a chance of ``stall_percent`` per cycle for 1 to 16 cycles, and each burst's latency is
    longer by 0 to 31 cycles.

    With ``dram`` it is tier T3: all ports share one DRAM channel (:class:`testbench.dram.Dram`),
    and ``latency`` is not used.

    Parameters
    ----------
    latency : int
        Cycles, 1 to 4096.
    stall_seed : int, optional
        Seed of the stalls, not negative.
    stall_percent : int
        1 to 50; used with ``stall_seed`` only.
    dram : Dram, optional
        The channel; not together with ``stall_seed``.
    base : int
        Where the program's address 0 lies, a multiple of 4096; written to MEMORY_BASE.
    """

    latency: int = 24
    stall_seed: int | None = None
    stall_percent: int = 10
    dram: Dram | None = None
    base: int = 0

    def __post_init__(self) -> None:
        """Check every value's range."""
        if not 1 <= self.latency <= MAXIMUM_LATENCY:
            raise ValueError(f"latency must be in 1 … {MAXIMUM_LATENCY}, not {self.latency!r}")
        if self.stall_seed is not None and self.stall_seed < 0:
            raise ValueError(f"stall_seed must not be negative, not {self.stall_seed!r}")
        if self.stall_seed is not None and self.dram is not None:
            raise ValueError("stall_seed must not be given with dram")
        if not 1 <= self.stall_percent <= 50:
            raise ValueError(f"stall_percent must be in 1 … 50, not {self.stall_percent!r}")
        if self.base < 0 or self.base % 4096 or self.base >= 1 << 32:
            raise ValueError(f"base must be a 32-bit multiple of 4096, not {self.base!r}")

    @property
    def deterministic(self) -> bool:
        """Whether this is T1, for which predicted cycles must equal measured cycles."""
        return self.stall_seed is None and self.dram is None

    @property
    def dram_values(self) -> dict[str, int]:
        """Lines of the job for the DRAM; none without one."""
        return {} if self.dram is None else self.dram.job_values
