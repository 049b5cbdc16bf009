"""Running executables of simulations: their progress, how they ended, and their last words."""

import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from hwgen.subprocesses import signal_name, start_program
from testbench.rtl.run_result import Progress

__all__ = ["Ended", "end_words", "execute", "execute_side_by_side"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How an executable ended.

    Parameters
    ----------
    code : int
        Exit status.
    cycles : int
        All cycles simulated.
    words : str
        What it said last.
    """

    code: int
    cycles: int
    words: str


class _Running:
    """An executable that runs, and what it has said so far."""

    def __init__(
        self, process: "subprocess.Popen[str]", errors: IO[str], log: TextIO | None
    ) -> None:
        self.process, self.errors, self.log = process, errors, log
        self.done = self.cycles = 0
        self._last = ""

    def hear(self, line: str) -> bool:
        """Take a line; return whether it told progress."""
        key, *numbers = line.split() or [""]
        if key != "progress":
            if self.log is not None:
                self.log.write(line)
            # what Verilator's library says before it gives up
            self._last = line.strip() or self._last
            return False
        self.done, self.cycles = map(int, numbers)
        return True

    def end(self) -> Ended:
        """Wait for its end."""
        code = self.process.wait()
        self.errors.seek(0)
        return Ended(code, self.cycles, self.errors.read().strip() or self._last)


def execute(
    command: Sequence[str],
    runs: int,
    progress: Callable[[Progress], None] | None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: TextIO | None = None,
) -> Ended:
    """Run a simulation to its end; the parameters are those of :func:`execute_side_by_side`."""
    (ended,) = execute_side_by_side(
        [command], runs, progress, folder=folder, environment=environment, log=log
    )
    return ended


def execute_side_by_side(
    commands: Sequence[Sequence[str]],
    runs: int,
    progress: Callable[[Progress], None] | None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: TextIO | None = None,
) -> list[Ended]:
    """Run simulations at the same time, each to its end; all are killed if this is interrupted.

    Parameters
    ----------
    commands : sequence of sequence of str
    runs : int
        How many there will be, of all simulations.
    progress : callable, optional
        Called for every line "progress <runs done> <cycles>", with the sums over all simulations.
    folder : Path, optional
        Where to run; the current folder if not given.
    environment : mapping, optional
        Variables; this process's if not given.
    log : text file, optional
        Where all other lines go.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        running: list[_Running] = []
        selector = stack.enter_context(selectors.DefaultSelector())
        try:
            for command in commands:
                errors = stack.enter_context(tempfile.TemporaryFile("w+"))
                process = stack.enter_context(
                    start_program(
                        command, stdout=subprocess.PIPE, stderr=errors, cwd=folder, env=environment
                    )
                )
                assert process.stdout is not None
                running.append(_Running(process, errors, log))
                selector.register(process.stdout, selectors.EVENT_READ, running[-1])
            while selector.get_map():
                for key, _ in selector.select():
                    # A simulation writes whole lines and flushes them.
                    line = key.fileobj.readline()  # type: ignore[union-attr]  # registered as a file, not a number
                    if not line:
                        selector.unregister(key.fileobj)
                    elif key.data.hear(line) and progress is not None:
                        cycles = sum(simulation.cycles for simulation in running)
                        progress(
                            Progress(
                                runs_done=sum(simulation.done for simulation in running),
                                runs=runs,
                                cycles=cycles,
                                cycles_per_s=cycles / max(time.perf_counter() - started, 1e-9),
                            )
                        )
            return [simulation.end() for simulation in running]
        except BaseException:
            for simulation in running:
                simulation.process.kill()
            raise


def end_words(code: int, words: str) -> str:
    """Why a simulation ended without a result, in one line."""
    if code < 0:
        killed = f"the simulation was killed by {signal_name(-code)}"
        return f"{killed}: {words.splitlines()[-1]}" if words else killed
    return words or f"the simulation ended with exit code {code}"
