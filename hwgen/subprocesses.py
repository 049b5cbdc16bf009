"""Other programs: starting them, and ending them all when this process is to end."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.spec.errors import MachineError

__all__ = ["end_programs", "run_program", "signal_name", "start_program"]

_starting = threading.Lock()
_ending = threading.Event()


def run_program(
    command: Sequence[str],
    *,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a program with ``text`` as its input, in a folder, to its end, whatever its exit status is.

    Raises
    ------
    MachineError
        If it is not there, or a signal killed it.
    """
    process = start_program(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    with process:
        try:
            output, errors = process.communicate(text)
        except BaseException:
            process.kill()
            raise
    if process.returncode < 0:
        name = Path(command[0]).name
        raise MachineError(f"{name} was killed by {signal_name(-process.returncode)}")
    return subprocess.CompletedProcess(list(command), process.returncode, output, errors)


def start_program(command: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Start a program; options are those of :class:`subprocess.Popen`.

    Raises
    ------
    MachineError
        If it is not there or cannot be started.
    KeyboardInterrupt
        If this process is to end.
    """
    with _starting:
        if _ending.is_set():
            raise KeyboardInterrupt
        try:
            return subprocess.Popen(command, text=True, **options)
        except OSError as error:
            raise MachineError(
                f"{Path(command[0]).name} cannot be started: {error.strerror}"
            ) from None


def signal_name(number: int) -> str:
    """Name of a signal, or its number where it has none."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def end_programs() -> None:
    """Kill everything that descends from this process, and start nothing any more."""
    with _starting:
        _ending.set()
    for _ in range(3):  # a worker may start a process between the look and the kill
        for pid in _descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _descendants(ancestor: int) -> list[int]:
    """Process numbers of all children and theirs, but for Python's own that ends with the last."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            tracker = b"multiprocessing.resource_tracker" in (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue  # it has ended
        if state != "Z" and not tracker:
            children.setdefault(int(parent), []).append(int(folder.name))
    waiting, descendants = [ancestor], []
    while waiting:
        below = children.get(waiting.pop(), [])
        descendants += below
        waiting += below
    return descendants
