"""One accelerator as an executable simulation that runs whole programs, one after another."""

import functools
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray

from hwgen.emit import TOP_MODULE
from hwgen.program import Program
from hwgen.simulation_view import MEMORY, PE_MODULE, View, check_view
from hwgen.subprocesses import signal_name, start_program
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import MachineError, RtlError
from sim.spec.files import cache_root, naming
from sim.spec.network import Network
from testbench.activations import assemble_activations
from testbench.build_cache import cached_directory, content_key
from testbench.emission import emit_once
from testbench.job import read_counters, read_events, read_outputs, read_state, write_job
from testbench.memory_model import MemoryModel
from testbench.verilate import BUILD_RECIPE, build_executable, toolchain_version
from testbench.watchdog import explain_hang, program_descriptors, watchdog_cycles

__all__ = ["INITIAL_SEED", "Harness", "HarnessError", "Progress", "RunResult", "build"]

HEADERS = ("axi_memory.h", "dram.h", "job.h")
EXIT_HANG = 3
EXIT_PROTOCOL = 4
"""Exit statuses of the executable for what the RTL did; others are faults around it."""

NO_ANSWER = "the AXI4-Lite port did not answer"
"""Words with which the executable ends where the RTL ignores a register access."""

FLAT_MACS = 2048
"""Largest synthesis view to build flat: 1.7 times as fast as with PEs as libraries, but what takes
15 s to build at 1,024 MACs takes 39 s, and four times that at 4,096."""

INITIAL_SEED = 1
"""Of what memories and registers hold at power-up, where a run is not told another one."""

STATUS_FAULTS = {2: "program refused", 3: "hazard", 4: "AXI error response"}
"""Bits of STATUS that no run of a correct design sets."""


class HarnessError(RtlError):
    """A run stopped, broke an AXI rule or ended with a fault in STATUS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many runs of the program are done, and the cycles so far."""

    runs_done: int
    runs: int
    cycles: int
    cycles_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """What was measured: N images in R runs of a program of D descriptors, in program order.

    Cycle 0 of a run is the first cycle in which the accelerator is busy after the doorbell
    write (``trace_busy``). A descriptor starts in the cycle in which its engine takes it and ends in
    the cycle in which the engine reports it done.

    Parameters
    ----------
    outputs : int8[N, height, width, channels]
    activations : dict
        Layer index to int8[N, height, width, channels]; empty if they were not asked for.
    cycles : int64[R]
        The CYCLES register.
    start, end : int64[R, D]
    issue_end : int64[R, D]
        When the issue stage of EXECUTE became free; -1 for the other queues.
    counters : dict
        Name (see ``testbench.job.COUNTERS``) to int64[R].
    status : int64[R]
        The STATUS register after the run.
    view : {"synthesis", "simulation"}
        View of the PE grid that ran.
    wall_s : float
    simulated_cycles : int
        All cycles simulated, register accesses between the runs included.
    """

    outputs: NDArray[np.int8]
    activations: Mapping[int, NDArray[np.int8]]
    cycles: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    issue_end: NDArray[np.int64]
    counters: Mapping[str, NDArray[np.int64]]
    status: NDArray[np.int64]
    view: View
    wall_s: float
    simulated_cycles: int

    @property
    def cycles_per_s(self) -> float:
        """Simulation rate."""
        return self.simulated_cycles / max(self.wall_s, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """A built simulation of one configuration; see :func:`build`."""

    config: AcceleratorConfig
    directory: Path
    view: View

    @property
    def executable(self) -> Path:
        """The program that runs a job directory."""
        return self.directory / "harness"

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
            VCD file to write; the harness must have been built with ``waves=True``.
        progress : callable, optional
            Called about four times a second.
        check : bool
            Raise if STATUS reports a fault or a descriptor was not seen to start and end.
        initial_seed : int
            Of the random values that memories and registers hold at power-up, 1 … 2**31 - 1. No run of
            a correct program depends on it.

        Raises
        ------
        ValueError
            If ``initial_seed`` is out of range.
        HarnessError
            If no queue makes progress any more (the message names the blocked queue and the
            missing token), the accelerator breaks a rule of AXI4, or ``check`` finds a fault.
        MachineError
            If the executable is killed, or cannot read or write its files.
        """
        if not 1 <= initial_seed < 1 << 31:
            raise ValueError(f"initial_seed must be in 1 … 2**31 - 1, not {initial_seed!r}")
        memory = memory or MemoryModel()
        packed = [program.input.pack(image) for image in inputs]
        packed += packed[-1:] * (-len(packed) % program.images)
        runs = [
            b"".join(packed[i : i + program.images]) for i in range(0, len(packed), program.images)
        ]
        descriptors = program_descriptors(program)
        probes = program.probes if network is not None else ()
        with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
            directory = Path(name)
            with naming(directory, always=False):
                write_job(
                    directory,
                    program,
                    runs,
                    probes=probes,
                    memory=memory or MemoryModel(),
                    watchdog=watchdog_cycles(descriptors),
                    initial_seed=initial_seed,
                )
            command = [str(self.executable), name, *([str(waves)] if waves else [])]
            started = time.perf_counter()
            code, cycles, words = _execute(command, len(runs), progress)
            wall_s = time.perf_counter() - started
            if code == EXIT_HANG:
                stopped, cycle, begun, ended = read_state(directory)
                reason = explain_hang(descriptors, begun, ended)
                raise HarnessError(f"run {stopped} stopped at cycle {cycle}: {reason}")
            if code == EXIT_PROTOCOL or (code != 0 and words.startswith(NO_ANSWER)):
                raise HarnessError(words)
            if code != 0:
                raise MachineError(_end(code, words))
            start, end, issue_end = read_events(directory, program)
            counters = read_counters(directory)
            activations: Mapping[int, NDArray[np.int8]] = {}
            if network is not None:
                raw = np.fromfile(directory / "probes.bin", np.int8).reshape(len(runs), -1)
                found = assemble_activations(self.config, network, probes, raw)
                activations = {layer: x[: len(inputs)] for layer, x in found.items()}
            result = RunResult(
                outputs=read_outputs(directory, program)[: len(inputs)],
                activations=activations,
                cycles=counters["cycles"],
                start=start,
                end=end,
                issue_end=issue_end,
                counters=counters,
                status=counters["status"],
                view=self.view,
                wall_s=wall_s,
                simulated_cycles=cycles,
            )
        if check:
            _check(result)
        return result


def build(
    config: AcceleratorConfig,
    *,
    build_root: Path | None = None,
    waves: bool = False,
    view: str = "simulation",
) -> Harness:
    """Emit and compile a configuration's simulation, or take it from the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    build_root : Path, optional
        Where builds are kept; see :func:`sim.spec.files.cache_root`.
    waves : bool
        Whether runs can write waveforms; such a build is kept apart and runs slower.
    view : {"synthesis", "simulation"}
        Whether the PE grid is the netlist to synthesize, or its fast equivalent; see
        :mod:`hwgen.simulation_view`.
    """
    root = build_root or cache_root()
    chosen = check_view(view)
    verilog = emit_once(config, root, chosen)
    block = _block(config, chosen, waves)
    main = _render(config, waves, chosen, block)
    headers = {name: _template_text(name) for name in HEADERS}
    recipe = (*BUILD_RECIPE, toolchain_version(), chosen, block or "flat")
    key = content_key(verilog, main, *headers.values(), *recipe)

    def make(directory: Path) -> None:
        build_executable(
            directory,
            top=TOP_MODULE,
            verilog=verilog,
            main=main,
            headers=headers,
            view=chosen,
            waves=waves,
            block=block,
        )

    directory = cached_directory(root / "harness", key, make)
    return Harness(config=config, directory=directory, view=chosen)


def _block(config: AcceleratorConfig, view: View, waves: bool) -> str | None:
    """Module to build once for all its instances, where a flat build would take minutes."""
    large = config.macs > FLAT_MACS and config.pes > 1
    return PE_MODULE if view == "synthesis" and large and not waves else None


@functools.cache
def _template_text(name: str) -> str:
    return (resources.files("testbench") / "templates" / name).read_text()


def _render(config: AcceleratorConfig, waves: bool, view: View, block: str | None) -> str:
    grid = f"TOP.{TOP_MODULE}.grid"
    library = f".{block}" if block is not None else ""
    if view == "simulation":
        scopes = [grid]
    else:
        scopes = [
            f"{grid}.pe_{y}_{x}{library}.bank_{bank}"
            for y in range(config.pes_y)
            for x in range(config.pes_x)
            for bank in range(config.compute_lanes)
        ]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(_template_text("harness.cpp.j2")).render(
        top=TOP_MODULE,
        waves=waves,
        pes_y=config.pes_y,
        pes_x=config.pes_x,
        lanes=config.compute_lanes,
        vector_bytes=config.vector_bytes,
        bank_depth=config.bank_depth,
        bus_bytes=config.bus_bytes,
        bank_scopes=scopes,
        memory=MEMORY,
    )


def _execute(
    command: list[str], runs: int, progress: Callable[[Progress], None] | None
) -> tuple[int, int, str]:
    """Run the simulation; return (exit code, cycles simulated, last words)."""
    started = time.perf_counter()
    cycles, words, last = 0, "", ""
    with (
        tempfile.TemporaryFile("w+") as errors,
        start_program(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                key, *numbers = line.split() or [""]
                if key != "progress":
                    last = line.strip() or last  # what Verilator's library says before it gives up
                    continue
                done, cycles = map(int, numbers)
                if progress is not None:
                    rate = cycles / max(time.perf_counter() - started, 1e-9)
                    progress(Progress(runs_done=done, runs=runs, cycles=cycles, cycles_per_s=rate))
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        errors.seek(0)
        words = errors.read().strip() or last
    return code, cycles, words


def _end(code: int, words: str) -> str:
    """Why the executable ended without a result, in one line."""
    if code < 0:
        killed = f"the simulation was killed by {signal_name(-code)}"
        return f"{killed}: {words.splitlines()[-1]}" if words else killed
    return words or f"the simulation ended with exit code {code}"


def _check(result: RunResult) -> None:
    for bit, fault in STATUS_FAULTS.items():
        runs = np.flatnonzero(result.status >> bit & 1)
        if runs.size:
            raise HarnessError(f"STATUS reports {fault} after run {runs[0]}")
    for name, cycles in (("start", result.start), ("end", result.end)):
        missing = np.argwhere(cycles < 0)
        if missing.size:
            run, index = missing[0]
            raise HarnessError(f"descriptor {index} of run {run} was not seen to {name}")
