"""Calls in worker processes: where they run, what they raise, and that none outlives its parent."""

import multiprocessing
import os
import re
import signal
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from sim.spec.spaces import TINY
from testbench.validation.random_pairs import DRAWS
from testbench.validation.workers import worker_pool


def test_calls_run_in_other_processes_that_no_interrupt_reaches() -> None:
    """Nor the programs that they start: a simulation does not fail by it."""
    with worker_pool(1) as workers:
        assert workers.submit(os.getpid).result() != os.getpid()
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 1, 0).result()
        assert workers.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
        status = workers.submit(subprocess.check_output, ["cat", "/proc/self/status"]).result()
        (ignored,) = re.findall(rb"^SigIgn:\s*(\w+)$", status, re.MULTILINE)
        assert int(ignored, 16) >> (signal.SIGINT - 1) & 1


def test_a_case_of_every_kind_reaches_a_worker() -> None:
    with worker_pool(1) as workers:
        for draw in DRAWS.values():
            (case,) = draw.group(0, 0, 1, TINY, 1, max_macs=128)
            images = workers.submit(getattr, case, "images").result()
            np.testing.assert_array_equal(images, case.images)


def hold_a_worker(end: Connection) -> None:
    """Send the process number of a worker, and wait to be killed."""
    with worker_pool(2) as workers:
        end.send(workers.submit(os.getpid).result())
        time.sleep(600)


def runs(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_a_worker_ends_when_its_parent_is_killed() -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    parent = context.Process(target=hold_a_worker, args=(there,))
    parent.start()
    worker = here.recv()
    assert runs(worker)
    parent.kill()
    parent.join()
    deadline = time.monotonic() + 60
    while runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(worker)
