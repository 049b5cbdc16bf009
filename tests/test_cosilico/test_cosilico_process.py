"""A command's process: signals end it at once with all that it started, and nothing stays behind."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from project_root import ROOT
from sampled import sampled

BUSY = """
import ctypes, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from cosilico.process import run_process
from hwgen.subprocesses import run_program
from sim.spec.files import temporary_beside
from testbench.validation.workers import worker_pool

def compile_for_long():
    run_program(["sleep", "61"])

def command():
    with worker_pool(1) as workers, ThreadPoolExecutor(2) as pool:
        pool.submit(compile_for_long)
        workers.submit(compile_for_long)
        Path(tempfile.mkdtemp(), "left").write_text("")
        with temporary_beside(Path("out.json")):
            time.sleep(float(sys.argv[1]))
            Path("begun").write_text("")
            WAIT

if __name__ == "__main__":
    sys.exit(run_process(command))
"""
"""A command with a thread, a worker and programs of both."""


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Function that starts a busy command in its own session, and waits until it works."""

    def start(wait: str) -> "subprocess.Popen[str]":
        (tmp_path / "temporary").mkdir()
        (tmp_path / "busy.py").write_text(BUSY.replace("WAIT", wait))
        process = subprocess.Popen(
            [sys.executable, "busy.py", "1.5"],
            cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")},
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return process

    return start


def members(session: int) -> list[str]:
    """Names of a session's processes that still run."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, _, _, owner = rest.split()[:4]
        if int(owner) == session and state != "Z":
            alive.append(name)
    return alive


@pytest.mark.parametrize(
    "number", sampled([signal.SIGINT, signal.SIGTERM], lambda number: number == signal.SIGTERM)
)
@pytest.mark.parametrize(
    "wait",
    [
        "time.sleep(60)",
        "threading.Lock().acquire() and pool.submit(compile_for_long).result()",
        # Never leaves one call of C.
        "mutex = bytes(64); [ctypes.CDLL(None).pthread_mutex_lock(mutex) for _ in range(2)]",
    ],
)
def test_a_signal_ends_a_command_with_all_that_it_started(
    started: Callable[..., "subprocess.Popen[str]"],
    tmp_path: Path,
    wait: str,
    number: signal.Signals,
) -> None:
    process = started(wait)
    assert "sleep" in members(process.pid)
    begun = time.monotonic()
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 2
    assert (process.returncode, output, errors) == (130, "", "")
    while members(process.pid) and time.monotonic() < begun + 4:
        time.sleep(0.02)  # Python's own tracker of resources ends by itself
    assert members(process.pid) == []
    assert [path.name for path in (tmp_path / "temporary").iterdir()] == []
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "busy.py", "temporary"}


def test_what_a_killed_command_left_goes_with_the_next(
    started: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = started("time.sleep(60)")
    process.kill()
    process.communicate(timeout=30)
    assert list((tmp_path / "temporary").iterdir())
    assert list(tmp_path.glob(".out.json.*.part"))
    program = (
        "from pathlib import Path; from cosilico.process import run_process; "
        "from sim.spec.files import write_atomic; "
        "run_process(lambda: write_atomic(Path('out.json'), '{}') or 0)"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")},
    )  # fmt: skip
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not list(tmp_path.glob(".*"))


def cosilico(*words: str, stdout: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cosilico", *words],
        text=True, check=False, cwd=ROOT, stderr=subprocess.PIPE, stdout=stdout,
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_an_interrupt_while_it_loads_shows_nothing(delay: float) -> None:
    """At most the first line of the progress, where all is loaded sooner."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cosilico", "enumerate", "resnet8", "--out", "/dev/null"],
        cwd=ROOT, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    maps = Path(f"/proc/{process.pid}/maps")
    # The command's own imports are the first to load a library of Python's.
    while process.poll() is None and "lib-dynload" not in maps.read_text():
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors in ("", "accelerators\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = cosilico("--help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_names_what_was_written(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = cosilico("--version", stdout=full.fileno())
    assert (done.returncode, done.stderr) == (3, "cosilico: stdout: No space left on device\n")
    program = (
        "import sys; from pathlib import Path; from cosilico.process import run_process; "
        "from sim.spec.files import write_atomic; from cosilico.cli import main; "
        "import cosilico.cli as c; c.app = lambda *a, **k: write_atomic(Path('y'), 'x' * 5000); "
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=False, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "cosilico: y: File too large\n")
    assert list(tmp_path.iterdir()) == []
