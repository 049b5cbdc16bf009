"""Running Yosys (the ``pyosys`` wheel) in a process of its own."""

import sys
from collections.abc import Sequence

from hwgen.subprocesses import run_program

__all__ = ["YosysError", "run"]

_CHILD = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
"""


class YosysError(RuntimeError):
    """Yosys refused a command; the message is its own."""


def run(commands: Sequence[str]) -> str:
    """Run `commands` one after the other on an empty design and return the log.

    The library ends its process on errors and writes to its standard output, hence the child.

    Raises
    ------
    YosysError
        If a command fails.
    MachineError
        If the child is killed.
    """
    result = run_program([sys.executable, "-c", _CHILD], text="\n".join(commands))
    if result.returncode != 0:
        text = (result.stdout + result.stderr).strip().splitlines()
        errors = [line for line in text if line.startswith("ERROR")]
        raise YosysError((errors or text or ["Yosys ended without a message"])[-1])
    return result.stdout
