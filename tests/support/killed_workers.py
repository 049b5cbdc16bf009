"""A pool of a comparison whose first worker is killed at once."""

import os
import signal
from typing import Any

import pytest

from cosilico import tasks
from testbench.validation.workers import worker_pool

__all__ = ["kill_first_worker"]


def kill_first_worker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kill the first worker of the next pool; the list holds its process as soon as it is killed."""
    killed: list[int] = []

    def fatal(*arguments: Any) -> Any:
        pool = worker_pool(*arguments)
        if not killed:
            killed.append(pool.submit(os.getpid).result())
            os.kill(killed[0], signal.SIGKILL)
        return pool

    monkeypatch.setattr(tasks, "worker_pool", fatal)
    return killed
