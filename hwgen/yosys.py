"""Running Yosys (the ``pyosys`` wheel) in a process of its own."""

import sys
from collections.abc import Callable, Sequence

from hwgen.subprocesses import run_program

__all__ = ["YosysError", "run"]

_DONE = "\x06"
"""Line that the child writes to its standard error after every command."""

_CHILD = f"""
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
    print({_DONE!r}, file=sys.stderr, flush=True)
"""


class YosysError(RuntimeError):
    """Yosys refused a command; the message is its own."""


def run(commands: Sequence[str], progress: Callable[[int], None] = lambda done: None) -> str:
    """Run `commands` one after the other on an empty design and return the log.

    The library ends its process on errors and writes to its standard output, hence the child.

    Parameters
    ----------
    commands : sequence of str
    progress : callable
        Called with the number of commands that are done, after each of them.

    Raises
    ------
    YosysError
        If a command fails.
    MachineError
        If the child is killed.
    """
    done = 0

    def watch(line: str) -> None:
        nonlocal done
        if line.startswith(_DONE):
            done += 1
            progress(done)

    command = [sys.executable, "-c", _CHILD]
    result = run_program(command, text="\n".join(commands), watch=watch)
    if result.returncode != 0:
        text = (result.stdout + result.stderr.replace(_DONE, "")).strip().splitlines()
        errors = [line for line in text if line.startswith("ERROR")]
        raise YosysError((errors or text or ["Yosys ended without a message"])[-1])
    return result.stdout
