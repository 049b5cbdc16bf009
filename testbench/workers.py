"""Worker processes: started afresh, deaf to interrupts, gone when their parent is."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

__all__ = ["begin_worker", "worker_pool"]


def worker_pool(jobs: int) -> ProcessPoolExecutor:
    """Pool of ``jobs`` processes, each started when it is first needed."""
    # Not forked: the parent has threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=begin_worker)


def begin_worker() -> None:
    """Make a process leave interrupts to its parent and end when that one does.

    Programs that it starts do not feel an interrupt either, so it is not taken for their failure.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
