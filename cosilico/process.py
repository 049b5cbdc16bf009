"""The process of a command: signals end it at once, a reader that leaves does not, no litter stays."""

import io
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from cosilico.exits import ExitStatus, error_line, status_of
from hwgen.subprocesses import end_programs
from sim.spec.files import remove_temporaries, temporary_folder

__all__ = ["interrupted", "run_process"]

GRACE_S = 0.7
"""Between a signal and the end of the process, for what unwinds by itself."""

_TRACKER_WARNING = "ignore:resource_tracker:UserWarning"
"""Warning of Python's process that removes what an interrupted process has left."""

_SHOW_CURSOR = "\x1b[?25h"

_interrupted = threading.Event()


def run_process(command: Callable[[], int]) -> int:
    """Run a command as all that this process does; return its exit status.

    SIGINT and SIGTERM end it within two seconds with all programs and workers that it started,
    whatever its threads do. All temporary files, those of programs too, lie in one folder that goes
    with it. Output whose reader has left is dropped.
    """
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)
    _end_on_signals()
    warnings = filter(None, (os.environ.get("PYTHONWARNINGS"), _TRACKER_WARNING))
    os.environ["PYTHONWARNINGS"] = ",".join(warnings)
    try:
        with temporary_folder() as folder:
            tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
            status = command()
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
    except OSError as error:
        print(f"cosilico: {error_line(error)}", file=sys.stderr)
        status = status_of(error)
    if _interrupted.is_set():
        _end()
    return status


def interrupted() -> bool:
    """Whether a signal has asked this process to end: what fails then is not to be told."""
    return _interrupted.is_set()


def _end_on_signals() -> None:
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    threading.Thread(target=_watch, args=(readable,), daemon=True).start()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Unwind the main thread, once."""
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    _interrupted.set()
    raise KeyboardInterrupt


def _watch(readable: int) -> None:
    """End the process soon after a signal, also where the main thread is not in Python or waits."""
    while os.read(readable, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
        pass
    _interrupted.set()
    # Exceptions of threads and finalizers that lose their programs and workers tell nothing.
    threading.excepthook = lambda arguments: None
    sys.unraisablehook = lambda arguments: None
    end_programs()
    threading.Event().wait(GRACE_S)
    _end()


def _end() -> None:
    """End the process without waiting for its threads."""
    end_programs()
    remove_temporaries()
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR.encode())
    os._exit(ExitStatus.INTERRUPTED)


class _LastingFile(io.FileIO):
    """A descriptor that drops what is written when its reader has left.

    Another error is raised once and names the stream, as the disk of a file may be full.
    """

    stream = ""

    def write(self, data: "io.ReadableBuffer") -> int:  # type: ignore[name-defined]  # of typeshed
        """Write; to nowhere from the first time on that it fails."""
        try:
            return super().write(data) or 0
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                return super().write(data) or 0
            raise OSError(error.errno, error.strerror, self.stream) from None


def _lasting(stream: TextIO) -> TextIO:
    """Stream to the same descriptor, for a command that outlives its reader."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # no descriptor, or closed by who started it
        return stream
    stream.flush()
    raw = _LastingFile(descriptor, "w", closefd=False)
    raw.stream = stream.name.strip("<>")
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=raw.isatty() or descriptor == 2,
    )
