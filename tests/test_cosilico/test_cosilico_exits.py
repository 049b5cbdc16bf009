"""Exit statuses: every error is somebody's fault, and is said in one line."""

import errno
import os
from concurrent.futures.process import BrokenProcessPool

import pytest
import typer

from cosilico import cli
from cosilico.cli import main
from cosilico.exits import ExitStatus, error_line, status_of
from sim.spec.errors import CosilicoError, MachineError, RtlError
from testbench.rtl.harness import HarnessError
from testbench.rtl.verilate import BuildError


def system_error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (HarnessError("run 0 stopped"), 1, "run 0 stopped"),
        (RtlError("AXI protocol violation"), 1, "AXI protocol violation"),
        (CosilicoError("images must be 1, not 2"), 2, "images must be 1, not 2"),
        (typer.BadParameter("no"), 2, "Invalid value: no"),
        (system_error(errno.ENOENT, "x"), 2, "x: No such file or directory"),
        (system_error(errno.EISDIR, "x"), 2, "x: Is a directory"),
        (system_error(errno.ENOSPC, "x"), 3, "x: No space left on device"),
        (system_error(errno.EFBIG, "x"), 3, "x: File too large"),
        (system_error(errno.EROFS, "x"), 3, "x: Read-only file system"),
        (system_error(errno.EACCES, "x"), 3, "x: Permission denied"),
        (system_error(errno.ENOENT), 3, "No such file or directory"),
        (system_error(errno.EIO), 3, "Input/output error"),
        (BuildError("g++ failed: no"), 3, "g++ failed: no"),
        (MachineError("ar cannot be started: no"), 3, "ar cannot be started: no"),
        (MemoryError(), 3, "memory is exhausted"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 3, "memory is exhausted"),
        (BrokenProcessPool("abrupt"), 3, "a worker process was killed"),
        (ModuleNotFoundError("No module named 'tflite'"), 3, "No module named 'tflite'"),
        (KeyError("a\nb"), 4, r"internal error: KeyError: 'a\nb'; --debug shows the trace"),
        (
            RuntimeError("two\nlines"),
            4,
            "internal error: RuntimeError: two lines; --debug shows the trace",
        ),
        (KeyboardInterrupt(), 130, ""),
        (typer.Abort(), 130, ""),
    ],
)
def test_every_error_has_a_status_and_a_line(error: BaseException, status: int, line: str) -> None:
    assert status_of(error) == status
    assert error_line(error) == line


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("x"), 4), (MemoryError(), 3), (KeyboardInterrupt(), 130)]
)
def test_a_command_ends_with_the_status_of_its_error(
    error: BaseException,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert main(["report", "x"]) == status
    line = error_line(error)
    assert capsys.readouterr().err == (f"cosilico: {line}\n" if line else "")
    assert main(["report", "x", "--debug"]) == status
    assert ("Traceback" in capsys.readouterr().err) == (status != ExitStatus.INTERRUPTED)
