"""Exit statuses: whose fault an error is, and the line that says it."""

import errno
from concurrent.futures.process import BrokenProcessPool
from enum import IntEnum
from typing import cast

import typer

from sim.spec.errors import CosilicoError, MachineError, RtlError

__all__ = ["ExitStatus", "error_line", "status_of"]


class ExitStatus(IntEnum):
    """All statuses that a command can end with (README.md)."""

    DONE = 0
    DIFFERENCE = 1
    """Model and RTL differ; nothing else ends so."""

    BAD_INPUT = 2
    ENVIRONMENT = 3
    INTERNAL = 4
    INTERRUPTED = 130


_UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""Base of the errors in a command line itself; typer does not export it by name."""

_BAD_PATH = frozenset(
    {
        *(errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY),
        *(errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
    }
)
"""A path that was given cannot be what it is used for; other errors of the system are its own."""


def status_of(error: BaseException) -> ExitStatus:
    """Exit status of a command that ends with an error."""
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return ExitStatus.INTERRUPTED
    if isinstance(error, RtlError):
        return ExitStatus.DIFFERENCE
    if isinstance(error, (CosilicoError, _UsageError)):
        return ExitStatus.BAD_INPUT
    if isinstance(error, OSError):
        given = error.filename is not None and error.errno in _BAD_PATH
        return ExitStatus.BAD_INPUT if given else ExitStatus.ENVIRONMENT
    if _no_memory(error) or isinstance(
        error, (MachineError, BrokenProcessPool, ModuleNotFoundError)
    ):
        return ExitStatus.ENVIRONMENT
    return ExitStatus.INTERNAL


def error_line(error: BaseException) -> str:
    """One line that says what an error is; empty where the help was shown instead."""
    status = status_of(error)
    if status is ExitStatus.INTERNAL:
        text = f"internal error: {type(error).__name__}: {error}; --debug shows the trace"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, BrokenProcessPool):
        text = "a worker process was killed"
    elif _no_memory(error):
        text = "memory is exhausted"
    else:
        text = str(getattr(error, "format_message", error.__str__)())
    return " ".join(text.split())


def _no_memory(error: BaseException) -> bool:
    """Whether numpy, Python or torch got no memory; torch says it in a RuntimeError."""
    return isinstance(error, MemoryError) or (
        type(error) is RuntimeError and "can't allocate memory" in str(error)
    )
