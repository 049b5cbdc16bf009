"""One accelerator as an executable simulation that runs whole programs, one after another."""

import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from hwgen.build_cache import cached_directory, content_key
from hwgen.gateware.host.csr import INTERRUPTS
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from hwgen.program import Program
from hwgen.simulation_view import MEMORY
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.errors import MachineError
from sim.spec.files import cache_root, naming
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from testbench.rtl.activations import probe_bytes
from testbench.rtl.coverage import (
    COVERAGE_FILE,
    COVERAGE_FLAGS,
    COVERAGE_SOURCES,
    POWER_UP_FILE,
    Coverage,
)
from testbench.rtl.execution import Ended, end_words, execute_side_by_side
from testbench.rtl.job import OFFSETS, ProgramJob, read_runs, read_state, write_job
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.protocol import bound_rules
from testbench.rtl.run_result import HarnessError, Progress, RunResult, Step, Stop
from testbench.rtl.simulation import INITIAL_SEED, Simulation, check_run, require_seed
from testbench.rtl.steps import job_of_step, result_of_step
from testbench.rtl.verilate import BUILD_RECIPE, build_executable, build_library, toolchain_version
from testbench.rtl.watchdog import explain_hang, program_descriptors
from testbench.rtl.wave_writers import WRITERS

__all__ = [
    "INITIAL_SEED",
    "Harness",
    "HarnessError",
    "Progress",
    "RunResult",
    "Step",
    "Stop",
    "build",
    "check_run",
    "template_text",
]

HEADERS = (
    "axi_memory.h",
    "axi_report.h",
    "dram.h",
    "dram_banks.h",
    "interconnect.h",
    "job.h",
    "memory_ports.h",
)
DESIGN_HEADER = "design.h"
EXIT_HANG = 3
EXIT_PROTOCOL = 4
"""Exit statuses of the executable for what the RTL did; others are faults around it."""

NO_ANSWER = "the AXI4-Lite port did not answer"
"""Words with which the executable ends where the RTL ignores a register access."""

FLAT_MACS = 2048
"""MACs of the largest synthesis view to build flat.

It is 1.7 times as fast as with PEs as libraries, but what takes 15 s to build at 1,024 MACs takes
39 s, and four times that at 4,096.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness(Simulation):
    """A built simulation of one configuration in C++; see :func:`build`."""

    directory: Path
    coverage: Coverage | None = None

    @property
    def executable(self) -> Path:
        """The program that runs a job directory."""
        return self.directory / "harness"

    def _run_step(
        self,
        step: Step,
        *,
        waves: Path | None,
        progress: Callable[[Progress], None] | None,
        initial_seed: int,
    ) -> RunResult:
        (result,) = self.run_sequence(
            [step], waves=waves, progress=progress, initial_seed=initial_seed
        )
        return result

    def run_sequence(
        self,
        steps: Sequence[Step],
        *,
        memory: MemoryModel | None = None,
        waves: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        initial_seed: int = INITIAL_SEED,
    ) -> list[RunResult]:
        """Run programs one after the other on one powered-up accelerator, which is not reset.

        Each runs as by :meth:`run`. Nothing is reset between them but what `Step.host` resets. Each
        begins in a memory of its own, which behaves as ``memory`` until a step brings another. Stops and hazards are left to
        the caller; :func:`check_run` finds them.

        Raises
        ------
        ValueError
            If ``initial_seed`` is out of range.
        HarnessError
            If no queue makes progress any more, or the accelerator breaks a rule of AXI4.
        """
        (results,) = self.run_side_by_side(
            [steps], memory=memory, waves=waves, progress=progress, initial_seed=initial_seed
        )
        return results

    def run_side_by_side(
        self,
        sequences: Sequence[Sequence[Step]],
        *,
        memory: MemoryModel | None = None,
        waves: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        initial_seed: int = INITIAL_SEED,
    ) -> list[list[RunResult]]:
        """Run sequences at the same time, each as by :meth:`run_sequence` in a process of its own.

        Waves are the first sequence's. Progress tells of all.
        """
        require_seed(initial_seed)
        jobs = [_jobs_of(steps, memory) for steps in sequences]
        runs = sum(len(job.inputs) for sequence in jobs for job in sequence)
        with ExitStack() as stack:
            directories = [
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosilico-")))
                for _ in jobs
            ]
            for directory, sequence in zip(directories, jobs, strict=True):
                with naming(directory, always=False):
                    write_job(
                        directory,
                        sequence,
                        accelerator_mhz=self.config.clock_mhz,
                        initial_seed=initial_seed,
                    )
            commands = [[str(self.executable), str(directory)] for directory in directories]
            if waves is not None:
                commands[0].append(str(waves))
            started = time.perf_counter()
            ends = execute_side_by_side(commands, runs, progress)
            wall_s = time.perf_counter() - started
            for ended, directory, sequence in zip(ends, directories, jobs, strict=True):
                _check_end(ended, directory, sequence)
            return [
                self._results(directory, steps, sequence, wall_s=wall_s, cycles=ended.cycles)
                for directory, steps, sequence, ended in zip(
                    directories, sequences, jobs, ends, strict=True
                )
            ]

    def _results(
        self,
        directory: Path,
        steps: Sequence[Step],
        jobs: Sequence[ProgramJob],
        *,
        wall_s: float,
        cycles: int,
    ) -> list[RunResult]:
        """Read what the steps of a sequence measured."""
        if self.coverage is not None:
            self.coverage.add(directory / COVERAGE_FILE, directory / POWER_UP_FILE)
        sizes = [sum(probe_bytes(self.config, probe) for probe in job.probes) for job in jobs]
        return [
            result_of_step(self.config, step, raw, view=self.view, wall_s=wall_s, cycles=cycles)
            for step, raw in zip(steps, read_runs(directory, jobs, sizes), strict=True)
        ]


def _jobs_of(steps: Sequence[Step], memory: MemoryModel | None) -> list[ProgramJob]:
    """Jobs of a sequence; the first brings the memory."""
    jobs = [job_of_step(step) for step in steps]
    if jobs[0].memory is None:
        jobs[0] = replace(jobs[0], memory=memory or MemoryModel())
    return jobs


def _check_end(ended: Ended, directory: Path, jobs: Sequence[ProgramJob]) -> None:
    """Raise what went wrong in the RTL or around it, if anything did."""
    if ended.code == EXIT_HANG:
        stopped, cycle, begun, finished = read_state(directory)
        descriptors = program_descriptors(_program_of_run(jobs, stopped))
        reason = explain_hang(descriptors, begun, finished)
        raise HarnessError(f"run {stopped} stopped at cycle {cycle}: {reason}")
    if ended.code == EXIT_PROTOCOL or (ended.code != 0 and ended.words.startswith(NO_ANSWER)):
        raise HarnessError(ended.words)
    if ended.code != 0:
        raise MachineError(end_words(ended.code, ended.words))


def build(
    config: AcceleratorConfig,
    *,
    build_root: Path | None = None,
    waves: WaveFormat | None = None,
    view: View = View.SIMULATION,
    coverage: Coverage | None = None,
    optimize: bool = True,
) -> Harness:
    """Emit and compile a configuration's simulation, or take it from the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    build_root : Path, optional
        Where builds are kept; see :func:`sim.spec.files.cache_root`.
    waves : WaveFormat, optional
        Format in which runs can write waveforms; such a build is kept apart and runs slower.
    view : View
        Whether the PE grid is the netlist to synthesize, or its fast equivalent; see
        :mod:`hwgen.simulation_view`.
    coverage : Coverage, optional
        Gathers what the runs cover; such a build is kept apart and runs slower.
    optimize : bool
        Whether to optimize the cycle code; not worth it for less than some hundred thousand cycles. Such
        builds are kept apart, too.
    """
    root = build_root or cache_root()
    chosen = View(view)
    verilog = emit_once(config, root, chosen) + bound_rules(config)
    names = ModuleNames.of(config)
    block = names.pe if _is_large(config, chosen, waves) else None
    harness = _harness_text(config)
    main = _design_text(config, waves, chosen, block, coverage is not None)
    headers = {name: template_text(name) for name in (*HEADERS, DESIGN_HEADER)}
    shown = () if waves is None else WRITERS[waves].flags
    recipe = (*BUILD_RECIPE, toolchain_version(), chosen, block or "flat", str(optimize), *shown)
    key = content_key(verilog, main, harness, *headers.values(), *recipe)

    def make(directory: Path) -> None:
        build_executable(
            directory,
            top=names.top,
            grid=names.grid,
            pe=names.pe,
            verilog=verilog,
            main=main,
            headers={DESIGN_HEADER: headers[DESIGN_HEADER]},
            view=chosen,
            waves=waves,
            block=block,
            optimize=optimize,
            flags=() if coverage is None else COVERAGE_FLAGS,
            sources=() if coverage is None else COVERAGE_SOURCES,
            libraries=[build_library(harness, headers)],
        )

    directory = cached_directory(root / "harness", key, make)
    return Harness(config=config, directory=directory, view=chosen, coverage=coverage)


def _is_large(config: AcceleratorConfig, view: View, waves: WaveFormat | None) -> bool:
    """Whether PEs are to be built once for all instances, as a flat build would take minutes."""
    large = config.macs > FLAT_MACS and config.pes > 1
    return view == View.SYNTHESIS and large and waves is None


@functools.cache
def template_text(name: str) -> str:
    """Return a C++ file of the harness."""
    return (resources.files("testbench.rtl") / "templates" / name).read_text()


def _harness_text(config: AcceleratorConfig) -> str:
    """Return the program around a design, the same for all whose data bus is as wide."""
    return _rendered(
        "harness.cpp.j2",
        bus_bytes=config.bus_bytes,
        descriptor_bus_bytes=DESCRIPTOR_PORT_BYTES,
        registers=OFFSETS,
        all_interrupts=(1 << len(INTERRUPTS)) - 1,
    )


def _design_text(
    config: AcceleratorConfig,
    waves: WaveFormat | None,
    view: View,
    block: str | None,
    coverage: bool,
) -> str:
    """Return the C++ class of a design that the program around it knows."""
    top = ModuleNames.of(config).top
    grid = f"TOP.{top}.grid"
    library = f".{block}" if block is not None else ""
    if view == View.SIMULATION:
        scopes = [grid]
    else:
        scopes = [
            f"{grid}.pe_{y}_{x}{library}.bank_{bank}"
            for y in range(config.pes_y)
            for x in range(config.pes_x)
            for bank in range(config.compute_lanes)
        ]
    return _rendered(
        "design.cpp.j2",
        top=top,
        waves=None if waves is None else WRITERS[waves],
        coverage=COVERAGE_FILE if coverage else "",
        power_up=POWER_UP_FILE,
        pes=config.pes,
        banks=config.compute_lanes,
        vector_bytes=config.vector_bytes,
        bank_vectors=config.bank_depth,
        bus_bytes=config.bus_bytes,
        descriptor_bus_bytes=DESCRIPTOR_PORT_BYTES,
        bank_scopes=scopes,
        memory=MEMORY,
    )


def _rendered(name: str, **values: Any) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template_text(name)).render(**values)


def _program_of_run(jobs: Sequence[ProgramJob], run: int) -> Program:
    """Return the program of a run, counted over all jobs."""
    return [job.program for job in jobs for _ in job.inputs][run]
