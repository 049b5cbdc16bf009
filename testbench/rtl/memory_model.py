"""Parameters of the external memory that the C++ harness models."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum

from sim.spec.memories import FixedLatency
from testbench.rtl.dram_channel import DramChannel
from testbench.rtl.interconnects import Interconnect

__all__ = [
    "DRAM_NAME",
    "FREEDOMS",
    "LATENCIES",
    "BusPort",
    "Fault",
    "MemoryModel",
    "Readiness",
    "Response",
    "Silence",
    "WriteOrder",
]

MAXIMUM_RESPONSE_DELAY = 1 << 16
MAXIMUM_INDEX = 1 << 62


class WriteOrder(IntEnum):
    """When the memory takes a burst's address and its data; AXI allows each of them."""

    INDEPENDENT = 0
    """Each as it comes."""
    ADDRESS_AFTER_VALID = 1
    """The address once the burst's first beat is valid, and only then the data."""
    ADDRESS_AFTER_DATA = 2
    """The address once the burst's last beat is taken."""
    DATA_AFTER_ADDRESS = 3
    """The data once the address is taken."""


class Readiness(IntEnum):
    """When ARREADY, AWREADY and WREADY may be high."""

    ALWAYS = 0
    AFTER_VALID = 1
    """For one cycle, after a cycle with VALID."""
    ALTERNATING = 2
    """Each channel in its turn, one cycle of three."""
    TOGGLING = 3
    """They rise and fall at random, whether VALID or not."""


class BusPort(IntEnum):
    """Ports of the memory; the numbers are those of ``templates/axi_memory.h``."""

    READ = 1
    WRITE = 11
    DESCRIPTORS = 21


class Response(IntEnum):
    """AXI's error responses."""

    SLVERR = 2
    DECERR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Error of one beat, or of one response on the write port; the data is as without it.

    Parameters
    ----------
    port : BusPort
    index : int
        Of the beat or response on its port, from 0 on, all runs of a job counted on.
    response : Response
    """

    port: BusPort
    index: int
    response: Response = Response.SLVERR

    def __post_init__(self) -> None:
        """Check the index."""
        _check_index("fault index", self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """End of all answers: a port takes burst ``index`` and those after it, and answers none.

    Parameters
    ----------
    port : BusPort
    index : int
        Of the burst on its port, from 0 on, all runs of a job counted on.
    """

    port: BusPort
    index: int = 0

    def __post_init__(self) -> None:
        """Check the index."""
        _check_index("silence index", self.index)


def _check_index(name: str, index: int) -> None:
    if not 0 <= index < MAXIMUM_INDEX:
        raise ValueError(f"{name} must be in 0 … 2**62 - 1, not {index!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModel:
    """External memory behind both AXI4 ports; the C++ is ``templates/axi_memory.h``.

    Without ``stall_seed`` this is tier T1, as docs/reference/memories.md defines it for every
    :class:`sim.spec.memories.FixedLatency`. With the latency alone a read burst's first beat comes
    ``latency`` cycles after its AR handshake, or one cycle after the last beat of the burst before it
    if that is later; then one beat per cycle. Bursts are served in order, any number may be
    outstanding, and ARREADY, AWREADY and WREADY are constantly high. A write burst is answered
    ``latency`` cycles after its last W beat. The descriptor port has channels of its own.

    With ``stall_seed`` it is tier T2: before each beat, address or response, every channel stalls
    with a chance of ``stall_percent`` per cycle for 1 to 16 cycles, and each burst's latency is
    longer by 0 to 31 cycles.

    With ``dram`` it is tier T3: all ports share one DRAM channel (:class:`testbench.rtl.dram_channel.DramChannel`),
    and ``latency`` is not used.

    With ``interconnect`` a system of :mod:`testbench.rtl.interconnects` answers, and ``latency`` is not used.

    Every tier may besides use what AXI leaves to a subordinate, or fail. In a reset of the design
    the memory forgets write bursts whose data is not complete; all others are answered, during the
    reset and after it, unless ``reset_clears``.

    Parameters
    ----------
    latency : int
        Cycles, 1 to 4096.
    write_latency, outstanding, width_bytes, clock_mhz : int, optional
    burst_gap : int
        As of :class:`sim.spec.memories.FixedLatency`.
    stall_seed : int, optional
        Seed of the stalls, not negative.
    stall_percent : int
        1 to 50; used with ``stall_seed`` only.
    dram : DramChannel, optional
        The channel; not together with ``stall_seed``.
    interconnect : Interconnect, optional
        A system to calibrate against; neither with ``stall_seed`` nor with ``dram``.
    write_order : WriteOrder
    readiness : Readiness
        TOGGLING is seeded by ``stall_seed``, or 0.
    response_delay : int
        Further cycles between a burst's last W beat and its response, 0 to 65536.
    fault : Fault, optional
    silence : Silence, optional
    reset_clears : bool
        Whether a reset of the design is one of the memory as well.
    base : int
        Where the program's address 0 lies, a multiple of 4096; written to MEMORY_BASE.
    """

    latency: int = 24
    write_latency: int | None = None
    outstanding: int | None = None
    width_bytes: int | None = None
    clock_mhz: int | None = None
    burst_gap: int = 0
    stall_seed: int | None = None
    stall_percent: int = 10
    dram: DramChannel | None = None
    interconnect: Interconnect | None = None
    write_order: WriteOrder = WriteOrder.INDEPENDENT
    readiness: Readiness = Readiness.ALWAYS
    response_delay: int = 0
    fault: Fault | None = None
    silence: Silence | None = None
    reset_clears: bool = False
    base: int = 0

    def __post_init__(self) -> None:
        """Check every value's range."""
        _ = self.fixed  # checks its values
        if self.dram is not None and self.fixed != FixedLatency(latency=self.latency):
            raise ValueError(f"values of a fixed latency must not be given with dram: {self.fixed}")
        if self.stall_seed is not None and self.stall_seed < 0:
            raise ValueError(f"stall_seed must not be negative, not {self.stall_seed!r}")
        if self.stall_seed is not None and self.dram is not None:
            raise ValueError("stall_seed must not be given with dram")
        if self.interconnect is not None and (self.stall_seed is not None or self.dram is not None):
            raise ValueError("interconnect must be given without stall_seed and dram")
        if not 1 <= self.stall_percent <= 50:
            raise ValueError(f"stall_percent must be in 1 … 50, not {self.stall_percent!r}")
        if not 0 <= self.response_delay <= MAXIMUM_RESPONSE_DELAY:
            raise ValueError(
                f"response_delay must be in 0 … {MAXIMUM_RESPONSE_DELAY}, "
                f"not {self.response_delay!r}"
            )
        if self.base < 0 or self.base % 4096 or self.base >= 1 << 32:
            raise ValueError(f"base must be a 32-bit multiple of 4096, not {self.base!r}")

    @property
    def fixed(self) -> FixedLatency:
        """T1's values, for the model."""
        return FixedLatency(
            **{field.name: getattr(self, field.name) for field in fields(FixedLatency)}
        )

    @property
    def deterministic(self) -> bool:
        """Whether this is T1, for which predicted cycles must equal measured cycles."""
        plain = replace(MemoryModel.of(self.fixed), base=self.base, reset_clears=self.reset_clears)
        return self.stall_seed is None and replace(self, stall_percent=10) == plain

    @classmethod
    def of(cls, memory: FixedLatency, latency: int = 24) -> "MemoryModel":
        """Return T1 with a memory's values.

        Parameters
        ----------
        memory : FixedLatency
        latency : int
            Where the memory gives none, the calibration's.
        """
        values = {field.name: getattr(memory, field.name) for field in fields(FixedLatency)}
        return cls(**values | {"latency": memory.latency or latency})

    @property
    def job_values(self) -> dict[str, int]:
        """Lines of the job, by key."""
        fault, silence = self.fault, self.silence
        return {
            "latency": self.latency,
            "write_latency": self.write_latency or self.latency,
            "outstanding": self.outstanding or 0,
            "width_bytes": self.width_bytes or 0,
            "clock_mhz": self.clock_mhz or 0,
            "burst_gap": self.burst_gap,
            "stalls": int(self.stall_seed is not None),
            "seed": self.stall_seed or 0,
            "stall_percent": self.stall_percent,
            "write_order": int(self.write_order),
            "readiness": int(self.readiness),
            "response_delay": self.response_delay,
            "fault_port": int(fault.port) if fault else 0,
            "fault_index": fault.index if fault else 0,
            "fault_response": int(fault.response) if fault else 0,
            "silent_port": int(silence.port) if silence else 0,
            "silent_index": silence.index if silence else 0,
            "reset_clears": int(self.reset_clears),
            **({} if self.dram is None else self.dram.job_values),
            **({} if self.interconnect is None else self.interconnect.job_values),
            "base": self.base,
        }

    def with_seed(self, seed: int) -> "MemoryModel":
        """Return the model with another seed, if it has a seed."""
        return self if self.stall_seed is None else replace(self, stall_seed=seed)


LATENCIES = {f"latency {latency}": MemoryModel(latency=latency) for latency in (1, 11, 101)}
"""Deterministic memories on which cycles are as exact as on the memory of the calibration."""

DRAM_NAME = "LPDDR4"
"""Tier T3 among the memories that a pair is tried behind."""

FREEDOMS = {
    "address after valid": MemoryModel(write_order=WriteOrder.ADDRESS_AFTER_VALID),
    "address after data": MemoryModel(write_order=WriteOrder.ADDRESS_AFTER_DATA),
    "data after address": MemoryModel(write_order=WriteOrder.DATA_AFTER_ADDRESS),
    "late responses": MemoryModel(response_delay=600),
    "ready after valid": MemoryModel(readiness=Readiness.AFTER_VALID),
    "alternating": MemoryModel(readiness=Readiness.ALTERNATING),
    "toggling": MemoryModel(readiness=Readiness.TOGGLING, stall_seed=0, stall_percent=1),
    "stalls": MemoryModel(stall_seed=0),
    "address after data, stalls": MemoryModel(
        write_order=WriteOrder.ADDRESS_AFTER_DATA,
        readiness=Readiness.AFTER_VALID,
        stall_seed=0,
        response_delay=100,
    ),
}
"""Memories that use the freedoms of AXI each in its way; outputs are the same behind all of them."""
