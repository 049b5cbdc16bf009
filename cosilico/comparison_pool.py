"""Searches of a comparison in processes or on a cluster: all that a journal lacks, whatever is killed."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cosilico.cluster import run_on_cluster
from cosilico.progress import Report
from sim.spec.errors import CosilicoError
from testbench.validation.journal import Journal
from testbench.validation.workers import worker_pool

__all__ = ["require_different", "run_all"]

_TRIES = 3
"""Times in a row that workers may be killed without any search being done."""


def require_different(labels: Sequence[str]) -> None:
    """Raise ``CosilicoError`` if a strategy is named twice."""
    if len(set(labels)) < len(labels):
        raise CosilicoError(f"strategies must be different ones, not {', '.join(labels)!r}")


def run_all(
    searches: Mapping[str, tuple[Any, ...]],
    run: Callable[..., Mapping[str, Any]],
    journal: Journal,
    jobs: int,
    report: Report,
    *,
    scheduler: str | None = None,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> None:
    """Run every search that the journal lacks; a pool whose worker was killed is made anew.

    Parameters
    ----------
    searches : mapping of key to tuple
        Arguments of each search.
    run : callable
        A search: its arguments to its record. It and all arguments can be pickled.
    journal : Journal
        Records by key; each is written as it comes.
    jobs : int
        Processes.
    report : Report
    scheduler : str, optional
        Address of the Dask scheduler whose workers are to run them, in place of processes; see
        :func:`cosilico.cluster.run_on_cluster` for its errors.
    prepare : callable, optional
        Called once in each process, with ``arguments``.

    Raises
    ------
    BrokenProcessPool
        If workers are killed again and again, and no search is done in between.
    """
    if scheduler is not None:
        run_on_cluster(
            scheduler, searches, run, journal, report, prepare=prepare, arguments=arguments
        )
        return
    failed = 0
    total = len(searches)
    while left := [key for key in searches if key not in journal.records]:
        before = len(journal.records)
        try:
            with worker_pool(min(jobs, len(left)), prepare, arguments) as workers:
                futures = {workers.submit(run, *searches[key]): key for key in left}
                report("searches", total - len(left), total)
                for future in as_completed(futures):
                    journal.append(futures[future], future.result())
                    report("searches", len(journal.records), total)
        except BrokenProcessPool:
            failed = failed + 1 if len(journal.records) == before else 0
            if failed == _TRIES:
                raise
