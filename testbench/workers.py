"""Worker processes: started afresh, deaf to interrupts, gone when their parent is."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

__all__ = ["Workers", "begin_worker"]

R = TypeVar("R")


class Workers:
    """Runs calls in ``jobs`` processes; several threads may ask for one, each waits for its own.

    With one job calls run in the thread that asks. What is called, its arguments and its result must
    be picklable.

    Parameters
    ----------
    jobs : int
    """

    def __init__(self, jobs: int) -> None:
        self._pool = None
        if jobs > 1:
            # Started afresh, not forked: the parent has threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=begin_worker)

    def run(self, call: Callable[[], R]) -> R:
        """Return what ``call`` returns, or raise what it raises."""
        return call() if self._pool is None else self._pool.submit(call).result()

    def __enter__(self) -> Self:
        """Workers are started when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the calls that run and forget those that do not yet."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """Make a process leave interrupts to its parent and end when that one does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
