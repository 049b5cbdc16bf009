"""Independent tasks in processes or on a cluster: all that a journal lacks, whatever is killed."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cosilico.cluster import run_on_cluster
from cosilico.progress import Report
from testbench.validation.journal import Journal
from testbench.validation.workers import worker_pool

__all__ = ["run_all"]

_TRIES = 3
"""Times in a row that workers may be killed without any task being done."""


def run_all(
    tasks: Mapping[str, tuple[Any, ...]],
    run: Callable[..., Mapping[str, Any]],
    journal: Journal,
    jobs: int,
    report: Report,
    *,
    step: str = "searches",
    scheduler: str | None = None,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> None:
    """Run every task that the journal lacks; a pool whose worker was killed is made anew.

    Parameters
    ----------
    tasks : mapping of key to tuple
        Arguments of each task.
    run : callable
        A task: its arguments to its record. It and all arguments can be pickled.
    journal : Journal
        Records by key; each is written as it comes.
    jobs : int
        Processes.
    report : Report
    step : str
        What the tasks are, in the plural: the step that is reported.
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to run them, in place of processes; see
        :func:`cosilico.cluster.run_on_cluster` for its errors.
    prepare : callable, optional
        Called once in each process, with ``arguments``.

    Raises
    ------
    BrokenProcessPool
        If workers are killed again and again, and no task is done in between.
    Exception
        Whatever a task raises: no further task is begun, and those that run are ended and written first.
    """
    if scheduler is not None:
        run_on_cluster(
            scheduler, tasks, run, journal, report, step=step, prepare=prepare, arguments=arguments
        )
        return
    failed = 0
    total = len(tasks)
    while left := [key for key in tasks if key not in journal.records]:
        before = len(journal.records)
        try:
            with worker_pool(min(jobs, len(left)), prepare, arguments) as workers:
                futures = {workers.submit(run, *tasks[key]): key for key in left}
                report(step, total - len(left), total)
                try:
                    for future in as_completed(futures):
                        journal.append(futures[future], future.result())
                        report(step, len(journal.records), total)
                except Exception:
                    _keep_finished(futures, journal)
                    raise
        except BrokenProcessPool:
            failed = failed + 1 if len(journal.records) == before else 0
            if failed == _TRIES:
                raise


def _keep_finished(futures: Mapping[Future[Mapping[str, Any]], str], journal: Journal) -> None:
    """Begin no further task, let those end that run, and write what has come of them."""
    begun = [future for future in futures if not future.cancel()]
    wait(begun)
    for future in begun:
        key = futures[future]
        if future.exception() is None and key not in journal.records:
            journal.append(key, future.result())
