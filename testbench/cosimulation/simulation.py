"""An accelerator in the fast cocotb bench as an executable simulation that runs whole programs."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Program
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue
from sim.spec.errors import MachineError
from sim.spec.files import naming
from sim.spec.views import View
from testbench.cocotb.fast_bench import KINDS, RECORD_WORDS
from testbench.cocotb_cases.whole_network import END_FILE, OPTIONS_FILE
from testbench.cosimulation.bench_top import BENCH_MODULE, memory_size
from testbench.cosimulation.builds import build_fast_bench
from testbench.cosimulation.cases import run_module
from testbench.cosimulation.export import write_job_description
from testbench.rtl.activations import probe_bytes
from testbench.rtl.execution import end_words
from testbench.rtl.harness import EXIT_PROTOCOL, NO_ANSWER
from testbench.rtl.job import COUNTERS, ProgramJob, read_runs
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import HarnessError, Progress, RunResult, Step
from testbench.rtl.simulation import INITIAL_SEED, Simulation, require_seed
from testbench.rtl.steps import job_of_step, result_of_step
from testbench.rtl.watchdog import explain_hang, program_descriptors

__all__ = ["CocotbSimulation", "build", "needs_model_memory"]

CASE_MODULE = "testbench.cocotb_cases.whole_network"


def needs_model_memory(memory: MemoryModel) -> bool:
    """Tell whether a memory is more than a latency: then the harness's C++ model takes its place."""
    return memory != MemoryModel(latency=memory.latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class CocotbSimulation(Simulation):
    """Built simulation of a configuration with a kind and size of memory; see :func:`build`.

    Its host neither aborts nor resets, and a memory that is more than a latency needs ``model_memory``.
    """

    executable: Path
    model_memory: bool

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
        waves: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        initial_seed: int = INITIAL_SEED,
    ) -> list[RunResult]:
        """Run the entries of a program one after the other on one powered-up accelerator.

        Nothing is reset between them. Stops and hazards are left to the caller;
        :func:`testbench.rtl.simulation.check_run` looks for them.

        Parameters
        ----------
        steps : sequence of Step
            Their programs differ in `header_address` alone, and only the first brings a memory.
        waves, progress, initial_seed
            As of :meth:`run`.

        Raises
        ------
        ValueError
            If the steps differ in more, ``initial_seed`` is out of range, or the bench has no such memory
            or host.
        HarnessError, MachineError
            As of :meth:`run`.
        """
        require_seed(initial_seed)
        first = steps[0]
        behind = first.memory or MemoryModel()
        for step in steps:
            if (step.host.abort_at, step.host.reset_at) != (None, None):
                raise ValueError(f"host must not abort or reset in cocotb, not {step.host!r}")
            if not _same_program(step, first):
                raise ValueError("steps must be entries of a program, not of several")
        if needs_model_memory(behind) and not self.model_memory:
            raise ValueError(f"memory must be a latency alone in this build, not {behind!r}")
        jobs = [job_of_step(replace(step, memory=behind)) for step in steps]
        job = replace(jobs[0], inputs=[data for own in jobs for data in own.inputs])
        programs = [own.program for own in jobs for _ in own.inputs]
        with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
            directory = Path(name)
            with naming(directory, always=False):
                self._write(directory, job, [entry.header_address for entry in programs], behind)
            arguments = [f"+verilator+seed+{initial_seed}"]
            if waves is not None:
                arguments += ["--trace", "--trace-file", str(waves.absolute())]
            started = time.perf_counter()
            ended = run_module(
                self.executable,
                BENCH_MODULE,
                CASE_MODULE,
                directory,
                arguments=tuple(arguments),
                runs=len(job.inputs),
                progress=progress,
                log_level="ERROR",
            )
            wall_s = time.perf_counter() - started
            if ended.exit_status == EXIT_PROTOCOL or NO_ANSWER in ended.words:
                raise HarnessError(ended.words)
            if ended.exit_status != 0 or not (directory / END_FILE).exists():
                raise MachineError(end_words(ended.exit_status, ended.words))
            end = json.loads((directory / END_FILE).read_text())
            if end["stuck"] is not None:
                raise _hang(programs, end["stuck"])
            _write_events(directory, job)
            if not job.probes:
                (directory / "probes.bin").touch()
            sizes = [sum(probe_bytes(self.config, probe) for probe in job.probes)]
            raws = read_runs(directory, jobs, sizes * len(jobs))
            results = [
                result_of_step(
                    self.config, step, raw, view=self.view, wall_s=wall_s, cycles=end["cycles"]
                )
                for step, raw in zip(steps, raws, strict=True)
            ]
        if progress is not None:
            runs, rate = len(job.inputs), end["cycles"] / max(wall_s, 1e-9)
            progress(Progress(runs_done=runs, runs=runs, cycles=end["cycles"], cycles_per_s=rate))
        return results

    def _write(
        self, directory: Path, job: ProgramJob, headers: list[int], memory: MemoryModel
    ) -> None:
        write_job_description(directory, self.config, job, memory_latency=memory.latency)
        options = {
            "activations": bool(job.probes),
            "counters": [name.upper() for name in COUNTERS],
            "headers": headers,
            "registers": {
                "TIMEOUT": job.host.timeout,
                "WINDOW_BASE": job.host.window_base,
                "WINDOW_LIMIT": job.host.window_limit,
            },
        }
        (directory / OPTIONS_FILE).write_text(json.dumps(options))
        if self.model_memory:
            values = {
                **memory.job_values,
                "accelerator_mhz": self.config.clock_mhz,
                "bytes": job.program.memory_bytes,
            }
            lines = [f"{name} {value}\n" for name, value in values.items()]
            (directory / "memory.txt").write_text("".join(lines))


def build(
    config: AcceleratorConfig,
    *,
    memory: MemoryModel,
    program_bytes: int,
    build_root: Path | None = None,
    waves: bool = False,
    view: View = View.SIMULATION,
) -> CocotbSimulation:
    """Emit and compile a configuration's simulation, or take it from the cache.

    Parameters
    ----------
    config : AcceleratorConfig
    memory : MemoryModel
        Its kind decides which memory is built in; see :func:`needs_model_memory`.
    program_bytes : int
        Memory that programs need at most.
    build_root : Path, optional
        Where builds are kept; see :func:`sim.spec.files.cache_root`.
    waves : bool
        Whether runs can write waveforms.
    view : View
        Of the PE grid. The synthesis view is built flat, however large it is.

    Raises
    ------
    ValueError
        If no memory is large enough.
    """
    chosen, model = View(view), needs_model_memory(memory)
    executable = build_fast_bench(
        config,
        size_bytes=memory_size(program_bytes),
        model_memory=model,
        build_root=build_root,
        waves=waves,
        view=chosen,
    )
    return CocotbSimulation(config=config, executable=executable, view=chosen, model_memory=model)


def _same_program(step: Step, first: Step) -> bool:
    """Whether a step is of the program, the network, the host and the memory of the first."""
    header = first.program.header_address
    return (
        replace(step.program, header_address=header) == first.program
        and step.network is first.network
        and step.host == first.host
        and step.memory in (None, first.memory)
    )


def _hang(programs: Sequence[Program], stuck: dict[str, Any]) -> HarnessError:
    started, finished = (
        dict(zip(Queue, stuck[name], strict=True)) for name in ("started", "finished")
    )
    descriptors = program_descriptors(programs[stuck["run"]])
    reason = explain_hang(descriptors, started, finished)
    return HarnessError(f"run {stuck['run']} stopped at cycle {stuck['cycle']}: {reason}")


def _write_events(directory: Path, job: ProgramJob) -> None:
    """Bring the traces of all runs into the form of the harness's ``events.bin``."""
    queues = np.array([queue for queue, _ in job.program.descriptors])
    names = [queue.name.lower() for queue in Queue]
    with (directory / "events.bin").open("wb") as file:
        for run in range(len(job.inputs)):
            words = np.fromfile(directory / f"trace{run}.bin", np.uint32).reshape(-1, RECORD_WORDS)
            for number, name in enumerate(names):
                count = int((queues == number).sum())
                for event in ("start", "end", "issue_end"):
                    if (event, name) in KINDS:
                        file.write(_event_times(words, KINDS.index((event, name)), count).tobytes())


def _event_times(words: NDArray[np.uint32], kind: int, count: int) -> NDArray[np.int64]:
    """Cycles of the first `count` events of a kind, -1 where there are fewer."""
    times = np.full(count, -1, np.int64)
    seen = words[words[:, 0] == kind, 1][:count]
    times[: len(seen)] = seen
    return times
