"""A built simulation of an accelerator, whatever bench it has."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.gateware.host.csr import STATUS_BITS
from hwgen.program import Program
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.views import View
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import HarnessError, Progress, RunResult, Step

__all__ = ["INITIAL_SEED", "Simulation", "check_run", "require_seed"]

INITIAL_SEED = 1
"""Seed of what memories and registers hold at power-up, unless a run is given another."""

HAZARD_BIT = STATUS_BITS.index("hazard")
"""Bit of STATUS that no run of a correct program sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation(ABC):
    """A configuration that is built and runs programs.

    Parameters
    ----------
    config : AcceleratorConfig
    view : View
        Of the PE grid.
    """

    config: AcceleratorConfig
    view: View

    def run(
        self,
        program: Program,
        inputs: NDArray[np.int8],
        *,
        network: Network | None = None,
        memory: MemoryModel | None = None,
        waves: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        check: bool = True,
        initial_seed: int = INITIAL_SEED,
        host: Host | None = None,
    ) -> RunResult:
        """Run a program on all inputs, back to back on one powered-up accelerator.

        Where the images are no multiple of the program's, the last run gets the last image more
        than once; what it makes of the copies is left out.

        Parameters
        ----------
        program : Program
            Compiled for ``config``.
        inputs : int8[N, height, width, channels]
        network : Network, optional
            If given, every layer's activations are collected as well.
        memory : MemoryModel, optional
            T1 with the default latency if not given.
        waves : Path, optional
            File to write; the simulation must have been built to write waveforms, in the format of the build.
        progress : callable, optional
            Called about four times a second.
        check : bool
            Raise if a run stopped or STATUS reports a hazard, or a descriptor was not seen to start and
            end.
        initial_seed : int
            Of the random values that memories and registers hold at power-up, 1 … 2**31 - 1. No run of
            a correct program depends on it.
        host : Host, optional
            What the host does besides; nothing if not given.

        Raises
        ------
        ValueError
            If ``initial_seed`` is out of range, or the bench has no such memory or host.
        HarnessError
            If no queue makes progress any more (the message names the blocked queue and the
            missing token), the accelerator breaks a rule of AXI4, or ``check`` meets a fault.
        MachineError
            If the executable is killed, or cannot read or write its files.
        """
        require_seed(initial_seed)
        step = Step(
            program=program, inputs=inputs, network=network, host=host or Host(), memory=memory
        )
        result = self._run_step(step, waves=waves, progress=progress, initial_seed=initial_seed)
        if check:
            check_run(result)
        return result

    @abstractmethod
    def _run_step(
        self,
        step: Step,
        *,
        waves: Path | None,
        progress: Callable[[Progress], None] | None,
        initial_seed: int,
    ) -> RunResult:
        """Run a program after power-up."""


def require_seed(initial_seed: int) -> None:
    """Raise a ValueError unless it is a seed of the values at power-up."""
    if not 1 <= initial_seed < 1 << 31:
        raise ValueError(f"initial_seed must be in 1 … 2**31 - 1, not {initial_seed!r}")


def check_run(result: RunResult) -> None:
    """Raise a HarnessError unless every run ended in order and every descriptor was seen."""
    for run, stop in enumerate(result.stops):
        if stop is not None:
            raise HarnessError(f"run {run} stopped: {stop}")
    runs = np.flatnonzero(result.status >> HAZARD_BIT & 1)
    if runs.size:
        raise HarnessError(f"STATUS reports a hazard after run {runs[0]}")
    for name, cycles in (("start", result.start), ("end", result.end)):
        missing = np.argwhere(cycles < 0)
        if missing.size:
            run, index = missing[0]
            raise HarnessError(f"descriptor {index} of run {run} was not seen to {name}")
