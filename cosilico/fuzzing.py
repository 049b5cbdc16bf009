"""The fuzz suite: changed files, each read in a process of bounded time and memory.

A file is refused in one line, or accepted and then judged by another interpreter. Whatever else
happens is a fault: a traceback, several lines, a process that dies, computes or allocates without end,
a network that its judge contradicts.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.fuzz_formats import FORMATS, Files, Format
from sim.spec.errors import CosilicoError
from testbench.judges.interpreters import UnjudgedError
from testbench.validation.workers import worker_pool

__all__ = [
    "FORMATS",
    "Examination",
    "Examiner",
    "Verdict",
    "examine_inputs",
    "format_of",
    "fuzz_input",
]

LIMIT_SECONDS = 10
"""Most seconds of a processor for one input, beyond what starting takes."""

LIMIT_BYTES = 500 << 20
"""Most memory for one input, beyond what a process has once everything is loaded."""

_WALL_SECONDS = 120
_CHUNK = 40
_MOST_TEXT = 4000


class Verdict(StrEnum):
    """Outcome of an input; the first four are right."""

    REFUSED = "refused"
    EQUAL = "equal"
    UNJUDGED = "unjudged"
    JUDGE_DIED = "judge died"
    CONTRADICTED = "contradicted"
    TRACEBACK = "traceback"
    LINES = "several lines"
    TIME = "time"
    MEMORY = "memory"
    DIED = "died"

    @property
    def right(self) -> bool:
        """Whether the verdict is no fault of the reader."""
        right = (Verdict.REFUSED, Verdict.EQUAL, Verdict.UNJUDGED, Verdict.JUDGE_DIED)
        return self in right


@dataclass(frozen=True, slots=True)
class Examination:
    """Outcome of input ``index`` of a seed, and its line or trace."""

    index: int
    format_name: str
    verdict: Verdict
    text: str


def format_of(index: int) -> str:
    """Format of input ``index``: every hundred in a row has each as often as its weight says."""
    place = index * 37 % 100
    for name, file_format in FORMATS.items():
        if place < file_format.weight:
            return name
        place -= file_format.weight
    raise ValueError("weights must be 100 in all")


def fuzz_input(seed: int, index: int) -> Files:
    """Make the files of input ``index`` of a seed."""
    rng = np.random.default_rng([seed, index])
    return FORMATS[format_of(index)].make(rng)


class Examiner:
    """A process that reads inputs; a new process is started where it ends.

    Parameters
    ----------
    formats : mapping of str to Format
        What is read.
    seconds, size_bytes, wall_seconds
        Limits for one input, of processor time, of memory, and of waiting.
    """

    def __init__(
        self,
        formats: dict[str, Format] | None = None,
        *,
        seconds: int = LIMIT_SECONDS,
        size_bytes: int = LIMIT_BYTES,
        wall_seconds: int = _WALL_SECONDS,
    ) -> None:
        self._formats = FORMATS if formats is None else formats
        self._limits = (seconds, size_bytes)
        self._wall_seconds = wall_seconds
        self._process: Any = None
        self._connection: Connection | None = None

    def examine(self, format_name: str, files: Files) -> tuple[Verdict, str]:
        """Read and judge files; return the verdict, and their line or trace."""
        connection = self._started()
        accepted = False
        try:
            connection.send((format_name, files))
            while connection.poll(self._wall_seconds):
                verdict, text = connection.recv()
                if verdict is not None:
                    return verdict, text
                accepted = True
        except (EOFError, OSError):
            pass
        return self._ended(accepted)

    def close(self) -> None:
        """End the examiner's process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = self._connection = None

    def _started(self) -> Connection:
        if self._connection is None:
            # Forked: what is loaded once is there at once in every other.
            context = multiprocessing.get_context("fork")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve,
                args=(theirs, self._connection, self._formats, *self._limits),
                daemon=True,  # ends with this process
            )
            self._process.start()
            theirs.close()
        return self._connection

    def _ended(self, accepted: bool) -> tuple[Verdict, str]:
        process = self._process
        process.join(1)
        status = process.exitcode
        self.close()
        if status is None:
            return Verdict.TIME, f"no answer in {self._wall_seconds} s"
        if status == -signal.SIGPROF:
            return Verdict.TIME, f"more than {self._limits[0]} s"
        if accepted:
            return Verdict.JUDGE_DIED, f"status {status}"
        return Verdict.DIED, f"status {status}"


def _serve(
    connection: Connection,
    other_end: Connection,
    formats: dict[str, Format],
    seconds: int,
    size_bytes: int,
) -> None:
    other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()  # a judge that dies is a verdict
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, BrokenPipeError), _silence():
        while True:
            name, files = connection.recv()
            _limit(seconds, size_bytes)
            connection.send(_examined(connection, formats[name], files))
            signal.setitimer(signal.ITIMER_PROF, 0)


def _limit(seconds: int, size_bytes: int) -> None:
    """Bound what the next input may take."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + size_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, seconds)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send what judges would write to the terminal nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    yield


def _examined(connection: Connection, file_format: Format, files: Files) -> tuple[Verdict, str]:
    with tempfile.TemporaryDirectory() as place:
        path = _written(Path(place), files)
        try:
            value = file_format.read(path)
        except CosilicoError as error:
            text = str(error)
            right = text.isprintable() and 0 < len(text) <= _MOST_TEXT
            return (Verdict.REFUSED if right else Verdict.LINES), text[:_MOST_TEXT]
        except MemoryError:
            return Verdict.MEMORY, _trace()
        except Exception:
            return Verdict.TRACEBACK, _trace()
    connection.send((None, ""))
    try:
        contradiction = file_format.judge(files, value)
    except UnjudgedError as error:
        return Verdict.UNJUDGED, str(error)
    except MemoryError:
        return Verdict.MEMORY, _trace()
    except Exception:
        return Verdict.TRACEBACK, _trace()
    return (Verdict.CONTRADICTED, contradiction) if contradiction else (Verdict.EQUAL, "")


def _trace() -> str:
    return traceback.format_exc()[-_MOST_TEXT:]


_examiner: Examiner | None = None


def _examine_chunk(seed: int, first: int, count: int) -> list[Examination]:
    """Examine inputs in a worker; its examiner stays for the next."""
    global _examiner
    if _examiner is None:
        _load()
        _examiner = Examiner()
    examinations = []
    for index in range(first, first + count):
        name = format_of(index)
        verdict, text = _examiner.examine(name, fuzz_input(seed, index))
        examinations.append(Examination(index, name, verdict, text))
    return examinations


def _load() -> None:
    """Load and compile what reading and judging need, so that no input pays for it."""
    import torch

    torch.set_num_threads(1)
    for file_format in FORMATS.values():
        files = file_format.base()
        with tempfile.TemporaryDirectory() as place:
            wrong = file_format.judge(files, file_format.read(_written(Path(place), files)))
        if wrong:
            raise RuntimeError(f"a file that is right must be judged so, not: {wrong}")


def _written(place: Path, files: Files) -> Path:
    """Write files; return the first."""
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place / next(iter(files))


def examine_inputs(seed: int, count: int, jobs: int, first: int = 0) -> Iterator[Examination]:
    """Examine ``count`` inputs of a seed in processes, in any order."""
    with worker_pool(jobs) as pool:
        chunks = [
            pool.submit(_examine_chunk, seed, start, min(_CHUNK, first + count - start))
            for start in range(first, first + count, _CHUNK)
        ]
        for chunk in as_completed(chunks):
            yield from chunk.result()
