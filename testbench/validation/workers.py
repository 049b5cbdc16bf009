"""Worker processes: started afresh, deaf to interrupts, gone when their parent is."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from hwgen.subprocesses import end_programs

__all__ = ["begin_worker", "worker_pool"]


class _Process(SpawnProcess):
    """A process that no interrupt reaches, not even before it is a worker."""

    def start(self) -> None:
        """Start with SIGINT blocked, which the process inherits."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    """Starts worker processes afresh; none is forked, as the parent has threads."""

    Process = _Process


def worker_pool(
    jobs: int, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Pool of ``jobs`` processes; each calls ``prepare`` with ``arguments`` first, if given."""
    pool = ProcessPoolExecutor(
        jobs, mp_context=_Context(), initializer=_begin, initargs=(prepare, arguments)
    )
    # Else each submission may start a process, and a process that starts just when another dies is
    # not told that the pool is broken: whoever waits for it waits forever.
    pool._safe_to_dynamically_spawn_children = False  # type: ignore[attr-defined]  # private
    return pool


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    begin_worker()
    if prepare is not None:
        prepare(*arguments)


def begin_worker() -> None:
    """Make a process leave interrupts to its parent and end when its parent ends.

    Programs that it starts do not feel an interrupt either, so it is not taken for their failure;
    they end with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        end_programs()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
