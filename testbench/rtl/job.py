"""The job directory: what the C++ harness is asked to run and what it measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hwgen.gateware.host.csr import COUNTERS as EVENT_COUNTERS
from hwgen.gateware.host.csr import REGISTERS
from hwgen.program import Probe, Program
from sim.spec.descriptor import Queue
from testbench.rtl.host import Host
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.wave_window import WaveWindow

__all__ = [
    "COUNTERS",
    "OFFSETS",
    "ProgramJob",
    "RawRuns",
    "read_runs",
    "read_state",
    "write_job",
]

OFFSETS = {register.name: register.offset for register in REGISTERS}
"""Byte offset of every register, by name."""

COUNTERS = (
    "status",
    "cycles",
    *(register.name.lower() for register in EVENT_COUNTERS),
    "error",
    "error_address",
)
"""CSRs that are read after every run, by their names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramJob:
    """One program of a job.

    Parameters
    ----------
    program : Program
    inputs : sequence of bytes
        Per run the input tensors of its images as they lie in external memory.
    probes : sequence of Probe
        What to dump of the local memories.
    host : Host
    watchdog : int
        Cycles without an event after which the job is given up.
    input_stride : int
        Bytes from where the inputs of even runs lie to where those of odd runs do; runs name their place in INPUT_OFFSET.
    memory : MemoryModel, optional
        What lies behind the ports from this program on; of the first it must be given.
    window : WaveWindow, optional
        The part of the first run that waveforms show.
    """

    program: Program
    inputs: Sequence[bytes]
    probes: Sequence[Probe]
    host: Host
    watchdog: int
    input_stride: int = 0
    memory: MemoryModel | None = None
    window: WaveWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawRuns:
    """Results of the runs of one program.

    Parameters
    ----------
    outputs : mapping of str to int8[runs * images, height, width, channels]
        By the outputs' names.
    start, end, issue_end : int64[runs, descriptors]
        In program order, or -1.
    counters : dict
        Every register of ``COUNTERS`` after each run, int64[runs].
    probes : int8[runs, bytes]
    """

    outputs: Mapping[str, NDArray[np.int8]]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    issue_end: NDArray[np.int64]
    counters: dict[str, NDArray[np.int64]]
    probes: NDArray[np.int8]


def write_job(
    directory: Path, programs: Sequence[ProgramJob], *, accelerator_mhz: int, initial_seed: int
) -> None:
    """Write ``job.txt``, ``memory.bin`` and ``inputs.bin`` for ``templates/job.h``.

    Parameters
    ----------
    directory : Path
    programs : sequence of ProgramJob
        Run one after the other on one powered-up accelerator.
    accelerator_mhz : int
        The accelerator's clock.
    initial_seed : int
        Of what memories and registers hold at power-up.
    """
    lines = [f"accelerator_mhz {accelerator_mhz}", f"initial_seed {initial_seed}"]
    lines += [f"counter {OFFSETS[name.upper()]}" for name in COUNTERS]
    for job in programs:
        lines += ["program", *_program_lines(job)]
    (directory / "job.txt").write_text("\n".join(lines) + "\n")
    with (directory / "memory.bin").open("wb") as file:
        file.writelines(job.program.image for job in programs)
    with (directory / "inputs.bin").open("wb") as file:
        for job in programs:
            file.writelines(job.inputs)


def _program_lines(job: ProgramJob) -> list[str]:
    program = job.program
    values = {
        "header_address": program.header_address,
        "memory_bytes": program.memory_bytes,
        "runs": len(job.inputs),
        "input_address": program.inputs.address,
        "input_stride": job.input_stride,
        "input_bytes": program.inputs.size_bytes,
        "output_address": program.outputs.address,
        "output_bytes": program.outputs.size_bytes,
        "watchdog": job.watchdog,
        **job.host.job_values,
    }
    lines = _value_lines(values)
    if job.memory is not None:
        lines += ["memory", *_value_lines(job.memory.job_values)]
    if job.window is not None:
        lines.append(job.window.job_line)
    lines.append("descriptors " + " ".join(map(str, _queue_lengths(program))))
    lines += [
        f"probe {p.execute_index} {p.local_address} {p.groups} {p.rows} {p.columns} "
        f"{p.local_plane} {p.local_row}"
        for p in job.probes
    ]
    return lines


def _value_lines(values: Mapping[str, int]) -> list[str]:
    return [f"{name} {value}" for name, value in values.items()]


def read_runs(
    directory: Path, programs: Sequence[ProgramJob], probe_bytes: Sequence[int]
) -> list[RawRuns]:
    """Read what the runs of each program have left.

    Parameters
    ----------
    directory : Path
    programs : sequence of ProgramJob
    probe_bytes : sequence of int
        What a run of each program dumps.
    """
    with (
        (directory / "outputs.bin").open("rb") as outputs,
        (directory / "events.bin").open("rb") as events,
        (directory / "counters.bin").open("rb") as counters,
        (directory / "probes.bin").open("rb") as probes,
    ):
        results = []
        for job, size in zip(programs, probe_bytes, strict=True):
            runs, lengths = len(job.inputs), _queue_lengths(job.program)
            columns = 2 * sum(lengths) + lengths[Queue.EXECUTE]
            start, end, issue_end = _by_descriptor(job, _matrix(events, np.int64, runs, columns))
            values = _matrix(counters, np.int64, runs, len(COUNTERS))
            results.append(
                RawRuns(
                    outputs=_tensors(outputs, job),
                    start=start,
                    end=end,
                    issue_end=issue_end,
                    counters={name: values[:, i].copy() for i, name in enumerate(COUNTERS)},
                    probes=_matrix(probes, np.int8, runs, size),
                )
            )
    return results


def _matrix(file: IO[bytes], kind: Any, rows: int, columns: int) -> NDArray[Any]:
    """Read the next rows of a file."""
    return np.fromfile(file, kind, rows * columns).reshape(rows, columns)


def _tensors(file: IO[bytes], job: ProgramJob) -> dict[str, NDArray[np.int8]]:
    region = job.program.outputs
    runs = [region.unpack(file.read(region.size_bytes)) for _ in job.inputs]
    return {name: np.concatenate([run[name] for run in runs]) for name in region.places}


def _by_descriptor(
    job: ProgramJob, raw: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Bring (start, end, issue_end) from the queues' order into the program's."""
    lengths = _queue_lengths(job.program)
    queues = np.array([queue for queue, _ in job.program.descriptors], np.int64)
    start, end, issue_end = (np.full((len(raw), len(queues)), -1, np.int64) for _ in range(3))
    offset = 0
    for queue in Queue:
        where, count = np.flatnonzero(queues == queue), lengths[queue]
        for target in (start, end, issue_end)[: 3 if queue == Queue.EXECUTE else 2]:
            target[:, where] = raw[:, offset : offset + count]
            offset += count
    return start, end, issue_end


def read_state(directory: Path) -> tuple[int, int, dict[Queue, int], dict[Queue, int]]:
    """Read where a job stopped: run, cycle, descriptors started and finished by queue."""
    lines = [line.split() for line in (directory / "state.txt").read_text().splitlines()]
    single = {words[0]: int(words[1]) for words in lines if words[0] in ("run", "cycle")}
    queues = [(int(words[1]), int(words[2])) for words in lines if words[0] == "queue"]
    started = {queue: queues[queue][0] for queue in Queue}
    finished = {queue: queues[queue][1] for queue in Queue}
    return single["run"], single["cycle"], started, finished


def _queue_lengths(program: Program) -> list[int]:
    return [sum(q == queue for q, _ in program.descriptors) for queue in Queue]
