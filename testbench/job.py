"""The job directory: what the C++ harness is asked to run and what it measured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Probe, Program
from sim.spec.descriptor import Queue
from testbench.memory_model import MemoryModel

__all__ = ["COUNTERS", "read_counters", "read_events", "read_outputs", "read_state", "write_job"]

COUNTERS = {
    "status": 0x0C,
    "cycles": 0x20,
    "execute_busy": 0x24,
    "execute_wait_load": 0x28,
    "execute_wait_store": 0x2C,
    "load_active": 0x30,
    "store_active": 0x34,
    "read_beats": 0x38,
    "write_beats": 0x3C,
    "read_stalls": 0x40,
    "write_stalls": 0x44,
}
"""CSRs that are read after every run, and their offsets."""


def write_job(
    directory: Path,
    program: Program,
    inputs: Sequence[bytes],
    *,
    probes: Sequence[Probe],
    memory: MemoryModel,
    watchdog: int,
    initial_seed: int,
) -> None:
    """Write ``job.txt``, ``memory.bin`` and ``inputs.bin`` for ``templates/job.h``.

    Parameters
    ----------
    directory : Path
    program : Program
    inputs : sequence of bytes
        Per run the input tensors of its images as they lie in external memory.
    probes : sequence of Probe
        What to dump of the local memories.
    memory : MemoryModel
    watchdog : int
        Cycles without an event after which the run is given up.
    initial_seed : int
        Of what memories and registers hold at power-up.
    """
    values = {
        **memory.job_values,
        "header_address": program.header_address,
        "memory_bytes": program.memory_bytes,
        "runs": len(inputs),
        "input_address": program.input.address,
        "input_bytes": program.images * program.input.size_bytes,
        "output_address": program.output.address,
        "output_bytes": program.images * program.output.size_bytes,
        "watchdog": watchdog,
        "initial_seed": initial_seed,
    }
    lines = [f"{name} {value}" for name, value in values.items()]
    lines.append("descriptors " + " ".join(map(str, _queue_lengths(program))))
    lines += [f"counter {offset}" for offset in COUNTERS.values()]
    lines += [
        f"probe {p.execute_index} {p.local_address} {p.groups} {p.rows} {p.columns} "
        f"{p.local_plane} {p.local_row}"
        for p in probes
    ]
    (directory / "job.txt").write_text("\n".join(lines) + "\n")
    (directory / "memory.bin").write_bytes(program.image)
    with (directory / "inputs.bin").open("wb") as file:
        file.writelines(inputs)


def read_outputs(directory: Path, program: Program) -> NDArray[np.int8]:
    """Read the output tensors, int8[runs * images, height, width, channels]."""
    data = (directory / "outputs.bin").read_bytes()
    size = program.output.size_bytes
    place = program.output
    return np.array(
        [place.unpack(data[i : i + size]) for i in range(0, len(data), size)], np.int8
    ).reshape(-1, place.height, place.width, place.channels)


def read_counters(directory: Path) -> dict[str, NDArray[np.int64]]:
    """Read every register of ``COUNTERS`` after each run, int64[runs]."""
    values = np.fromfile(directory / "counters.bin", np.int64).reshape(-1, len(COUNTERS))
    return {name: values[:, i].copy() for i, name in enumerate(COUNTERS)}


def read_events(
    directory: Path, program: Program
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Read (start, end, issue_end), each int64[runs, descriptors] in program order, or -1."""
    counts = _queue_lengths(program)
    columns = 2 * sum(counts) + counts[Queue.EXECUTE]
    raw = np.fromfile(directory / "events.bin", np.int64).reshape(-1, columns)
    queues = np.array([queue for queue, _ in program.descriptors])
    start, end, issue_end = (np.full((len(raw), len(queues)), -1, np.int64) for _ in range(3))
    offset = 0
    for queue in Queue:
        where, count = np.flatnonzero(queues == queue), counts[queue]
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
