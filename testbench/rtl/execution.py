"""Running a simulation's executable: its progress, how it ended, and its last words."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from hwgen.subprocesses import signal_name, start_program
from testbench.rtl.run_result import Progress

__all__ = ["end_words", "execute"]


def execute(
    command: list[str],
    runs: int,
    progress: Callable[[Progress], None] | None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: TextIO | None = None,
) -> tuple[int, int, str]:
    """Run a simulation; return (exit code, cycles simulated, last words).

    Parameters
    ----------
    command : list of str
    runs : int
        How many there will be.
    progress : callable, optional
        Called for every line "progress <runs done> <cycles>".
    folder : Path, optional
        Where to run; the current folder if not given.
    environment : mapping, optional
        Variables; this process's if not given.
    log : text file, optional
        Where all other lines go.
    """
    started = time.perf_counter()
    cycles, words, last = 0, "", ""
    with (
        tempfile.TemporaryFile("w+") as errors,
        start_program(
            command, stdout=subprocess.PIPE, stderr=errors, cwd=folder, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                key, *numbers = line.split() or [""]
                if key != "progress":
                    if log is not None:
                        log.write(line)
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


def end_words(code: int, words: str) -> str:
    """Why a simulation ended without a result, in one line."""
    if code < 0:
        killed = f"the simulation was killed by {signal_name(-code)}"
        return f"{killed}: {words.splitlines()[-1]}" if words else killed
    return words or f"the simulation ended with exit code {code}"
