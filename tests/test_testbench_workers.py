"""Calls in worker processes: where they run, what they raise, and that none outlives its parent."""

import multiprocessing
import os
import signal
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from sim.spec.spaces import TINY
from testbench.validate import DRAWS
from testbench.workers import Workers


def test_calls_run_in_other_processes() -> None:
    with Workers(2) as workers:
        pids = {workers.run(os.getpid) for _ in range(3)}
        assert os.getpid() not in pids
        assert len(pids) <= 2
        assert workers.run(partial(sum, [1, 2])) == 3
        with pytest.raises(ZeroDivisionError):
            workers.run(partial(divmod, 1, 0))
        assert workers.run(partial(signal.getsignal, signal.SIGINT)) == signal.SIG_IGN


def test_a_case_of_every_kind_reaches_a_worker() -> None:
    with Workers(2) as workers:
        for draw in DRAWS.values():
            (case,) = draw.group(0, 0, 1, TINY, 1, max_macs=128)
            images = workers.run(partial(getattr, case, "images"))
            np.testing.assert_array_equal(images, case.images)


def test_with_one_job_calls_run_here() -> None:
    with Workers(1) as workers:
        assert workers.run(os.getpid) == os.getpid()
        with pytest.raises(ZeroDivisionError):
            workers.run(partial(divmod, 1, 0))


def hold_a_worker(end: Connection) -> None:
    """Tell of a worker, and wait to be killed."""
    with Workers(2) as workers:
        end.send(workers.run(os.getpid))
        time.sleep(600)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
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
