"""An accelerator in the fast cocotb bench as an executable simulation that runs whole programs."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from testbench.rtl.simulation import Simulation
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
        if (step.host.abort_at, step.host.reset_at) != (None, None):
            raise ValueError(f"host must not abort or reset in cocotb, not {step.host!r}")
        behind = step.memory or MemoryModel()
        if needs_model_memory(behind) and not self.model_memory:
            raise ValueError(f"memory must be a latency alone in this build, not {behind!r}")
        step = replace(step, memory=behind)
        job = job_of_step(step)
        with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
            directory = Path(name)
            with naming(directory, always=False):
                self._write(directory, job, behind)
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
                raise _hang(job, end["stuck"])
            _write_events(directory, job)
            if not job.probes:
                (directory / "probes.bin").touch()
            sizes = [sum(probe_bytes(self.config, probe) for probe in job.probes)]
            (raw,) = read_runs(directory, [job], sizes)
            result = result_of_step(
                self.config, step, raw, view=self.view, wall_s=wall_s, cycles=end["cycles"]
            )
        if progress is not None:
            runs, rate = len(job.inputs), end["cycles"] / max(wall_s, 1e-9)
            progress(Progress(runs_done=runs, runs=runs, cycles=end["cycles"], cycles_per_s=rate))
        return result

    def _write(self, directory: Path, job: ProgramJob, memory: MemoryModel) -> None:
        write_job_description(directory, self.config, job, memory_latency=memory.latency)
        options = {
            "activations": bool(job.probes),
            "counters": [name.upper() for name in COUNTERS],
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


def _hang(job: ProgramJob, stuck: dict[str, Any]) -> HarnessError:
    started, finished = (
        dict(zip(Queue, stuck[name], strict=True)) for name in ("started", "finished")
    )
    reason = explain_hang(program_descriptors(job.program), started, finished)
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
