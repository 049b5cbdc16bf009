"""Input and results of the harness: steps to run, and measurements of the runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program
from sim.spec.errors import RtlError
from sim.spec.network import Network
from sim.spec.stops import Port, StopCause
from sim.spec.views import View
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.wave_window import WaveWindow

__all__ = ["HarnessError", "Progress", "RunResult", "Step", "Stop", "read_stops"]

CAUSE_MASK, PORT_SHIFT, PORT_MASK, RESPONSE_SHIFT = 7, 4, 3, 8
"""Fields of ERROR."""


class HarnessError(RtlError):
    """A run stopped, hung, broke an AXI rule or ended with a hazard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a program stopped before its end, as ERROR and ERROR_ADDRESS say.

    Parameters
    ----------
    cause : StopCause
    port : Port
    address : int
        Byte address on the bus.
    response : int
        2 for SLVERR, 3 for DECERR, 0 with other causes than RESPONSE.
    """

    cause: StopCause
    port: Port
    address: int
    response: int

    def __str__(self) -> str:
        """Return cause, port, address and response in words."""
        words = f"{self.cause.name} on port {self.port.name} at address {self.address:#x}"
        return f"{words}, response {self.response}" if self.response else words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One program of a sequence.

    Parameters
    ----------
    program : Program
        Compiled for the harness's configuration.
    inputs : int8[N, height, width, channels]
    network : Network, optional
        If given, every layer's activations are collected as well.
    host : Host
        What the host does besides.
    memory : MemoryModel, optional
        What lies behind the ports from this step on; what did before if not given.
    input_stride : int
        Bytes from where the inputs of even runs lie to where those of odd runs do, a multiple of 4 KiB.
    window : WaveWindow, optional
        The part of the first run that waveforms show; they show nothing else of a sequence with such a step.
    """

    program: Program
    inputs: NDArray[np.int8]
    network: Network | None = None
    host: Host = field(default_factory=Host)
    memory: MemoryModel | None = None
    input_stride: int = 0
    window: WaveWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many runs of the program are done, and the cycles so far."""

    runs_done: int
    runs: int
    cycles: int
    cycles_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """Measurements of N images in R runs of a program of D descriptors, in program order.

    Cycle 0 of a run is the first cycle in which the accelerator is busy after the doorbell
    write (``trace_busy``). A descriptor starts in the cycle in which its engine takes it and ends in
    the cycle in which the engine reports it done.

    Parameters
    ----------
    outputs : int8[N, height, width, channels]
        The network's first output, the only one of most.
    named_outputs : mapping of str to int8[N, height, width, channels]
        All outputs, by their names.
    activations : dict
        Layer index to int8[N, height, width, channels]; empty if they were not asked for.
    cycles : int64[R]
        The CYCLES register.
    start, end : int64[R, D]
    issue_end : int64[R, D]
        When the issue stage of EXECUTE became free; -1 for the other queues.
    counters : dict
        Name (see ``testbench.rtl.job.COUNTERS``) to int64[R].
    status : int64[R]
        The STATUS register after the run.
    stops : tuple of Stop or None
        Per run why it stopped early; None if it did not, or was reset.
    view : View
        View of the PE grid that ran.
    wall_s : float
    simulated_cycles : int
        All cycles simulated, register accesses between the runs included.
    """

    outputs: NDArray[np.int8]
    named_outputs: Mapping[str, NDArray[np.int8]]
    activations: Mapping[int, NDArray[np.int8]]
    cycles: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    issue_end: NDArray[np.int64]
    counters: Mapping[str, NDArray[np.int64]]
    status: NDArray[np.int64]
    stops: tuple[Stop | None, ...]
    view: View
    wall_s: float
    simulated_cycles: int

    @property
    def cycles_per_s(self) -> float:
        """Simulation rate."""
        return self.simulated_cycles / max(self.wall_s, 1e-9)


def read_stops(counters: Mapping[str, NDArray[np.int64]]) -> tuple[Stop | None, ...]:
    """Read ERROR and ERROR_ADDRESS of every run."""
    return tuple(
        Stop(
            cause=StopCause(error & CAUSE_MASK),
            port=Port(error >> PORT_SHIFT & PORT_MASK),
            address=address,
            response=error >> RESPONSE_SHIFT,
        )
        if error
        else None
        for error, address in zip(
            counters["error"].tolist(), counters["error_address"].tolist(), strict=True
        )
    )
