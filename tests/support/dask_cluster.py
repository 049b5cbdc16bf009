"""A Dask cluster of processes of its own: a scheduler, and workers that come and go."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ALLOWED_FAILURES", "DaskCluster", "dask_cluster"]

_START_S = 60

ALLOWED_FAILURES = 1
"""Workers that a task may end before the scheduler gives up on it."""


class DaskCluster:
    """A scheduler of this machine, and its workers.

    Parameters
    ----------
    folder : Path
        Of the scheduler's file and the workers' scratch data.

    Attributes
    ----------
    address : str
        Of the scheduler.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._started(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
            environment={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(ALLOWED_FAILURES)},
        )  # fmt: skip
        limit = time.monotonic() + _START_S
        while not file.is_file() or not file.read_text().rstrip().endswith("}"):
            assert time.monotonic() < limit, "the scheduler does not start"
            time.sleep(0.1)
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker of a thread, that nobody starts again when it is ended."""
        return self._started(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", str(self._folder / "scratch"), environment=environment,
        )  # fmt: skip

    def end(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _started(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{words[0]}-{len(self._processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=dict(os.environ) | dict(environment or {}),
            )
        self._processes.append(process)
        return process


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    """Start a scheduler without workers; all processes end with the block."""
    cluster = DaskCluster(folder)
    try:
        yield cluster
    finally:
        cluster.end()
